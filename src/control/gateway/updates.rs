//! Updates of streams as texts. Clients who want to see the same get the same bytes, made once for each state of the run, so
//! that two hundred of them cost little more than one.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use serde_json::json;

use crate::control::command::{Subscription, Topic};
use crate::control::live::{EdgeView, RunStatus, SignalView, VehicleView, View};

/// Different wishes whose texts are kept for one state; those beyond are made anew for each client (I7).
const MAX_KEPT: usize = 64;

/// The texts of the newest state.
#[derive(Debug, Default)]
pub struct Updates {
    view: Arc<View>,
    status: Arc<RunStatus>,
    made: Vec<(Subscription, Utf8Bytes)>,
}

impl Updates {
    /// What a stream sends of this state. Two subscriptions that differ in their rate alone share a text.
    pub fn text(&mut self, view: &Arc<View>, status: &Arc<RunStatus>, wanted: &Subscription) -> Utf8Bytes {
        let new_roads = !Arc::ptr_eq(view, &self.view);
        let new_status = !Arc::ptr_eq(status, &self.status);
        if new_roads || new_status {
            (self.view, self.status) = (Arc::clone(view), Arc::clone(status));
            self.made.retain(|(of, _)| if of.topic.shows_roads() { !new_roads } else { !new_status });
        }
        if let Some((_, text)) = self.made.iter().find(|(of, _)| of.shows_as(wanted)) {
            return text.clone();
        }
        let text: Utf8Bytes = make(view, status, wanted).into();
        if self.made.len() < MAX_KEPT {
            self.made.push((wanted.clone(), text.clone()));
        }
        text
    }
}

/// The message of an update.
#[derive(Serialize)]
struct Update<'a, T> {
    type1: &'static str,
    type2: &'a str,
    code: u16,
    msg: &'static str,
    data: T,
}

/// A part of a view.
#[derive(Serialize)]
struct Roads<'a> {
    step: u64,
    time: f64,
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    vehicles: Option<Vec<&'a VehicleView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edges: Option<Vec<&'a EdgeView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signals: Option<Vec<&'a SignalView>>,
}

fn make(view: &View, status: &RunStatus, wanted: &Subscription) -> String {
    match wanted.topic {
        Topic::Health => written(wanted, status),
        Topic::Partitions => {
            let RunStatus { step, partitions, workers, .. } = status;
            written(wanted, json!({"step": step, "partitions": partitions, "workers": workers}))
        }
        Topic::Vehicles | Topic::Edges | Topic::Signals => written(wanted, roads(view, wanted)),
    }
}

fn written(wanted: &Subscription, data: impl Serialize) -> String {
    let update = Update { type1: "down", type2: wanted.topic.name(), code: 200, msg: "update", data };
    serde_json::to_string(&update).expect("names and numbers can always be written")
}

fn roads<'a>(view: &'a View, wanted: &Subscription) -> Roads<'a> {
    let named = |name: &str| wanted.names.is_empty() || wanted.names.iter().any(|own| own == name);
    let inside = |vehicle: &&VehicleView| {
        wanted.area.is_none_or(|[x0, y0, x1, y1]| {
            (x0..=x1).contains(&f64::from(vehicle.x)) && (y0..=y1).contains(&f64::from(vehicle.y))
        })
    };
    let is = |topic| wanted.topic == topic;
    Roads {
        step: view.step,
        time: view.time,
        truncated: view.truncated,
        vehicles: is(Topic::Vehicles).then(|| view.vehicles.iter().filter(inside).collect()),
        edges: is(Topic::Edges).then(|| view.edges.iter().filter(|edge| named(&edge.id)).collect()),
        signals: is(Topic::Signals).then(|| view.signals.iter().filter(|signal| named(&signal.id)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(topic: Topic, rate_hz: f64, names: &[&str]) -> Subscription {
        Subscription { topic, rate_hz, area: None, names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    fn view(step: u64) -> Arc<View> {
        let edge = |id: &str| EdgeView { id: id.into(), vehicles: 1, speed: Some(2.0), halting: 0 };
        Arc::new(View { step, edges: vec![edge("a"), edge("b")], ..View::default() })
    }

    #[test]
    fn who_wants_the_same_gets_the_same_bytes_until_the_state_is_another() {
        let (mut updates, status) = (Updates::default(), Arc::new(RunStatus::default()));
        let first = view(1);
        let text = updates.text(&first, &status, &wanted(Topic::Edges, 10.0, &[]));
        let again = updates.text(&first, &status, &wanted(Topic::Edges, 2.0, &[]));
        assert_eq!((text.as_ptr(), text.as_str()), (again.as_ptr(), again.as_str()));
        assert!(
            text.contains(r#""step":1"#) && text.contains(r#""id":"a""#) && !text.contains("vehicles\":["),
            "{text}"
        );
        let other = updates.text(&first, &status, &wanted(Topic::Edges, 10.0, &["b"]));
        assert!(!other.contains(r#""id":"a""#) && other.contains(r#""id":"b""#), "{other}");
        assert!(updates.text(&view(2), &status, &wanted(Topic::Edges, 10.0, &[])).contains(r#""step":2"#));
    }

    #[test]
    fn texts_that_are_kept_are_bounded() {
        let (mut updates, view, status) = (Updates::default(), view(1), Arc::new(RunStatus::default()));
        for i in 0..2 * MAX_KEPT {
            updates.text(&view, &status, &wanted(Topic::Edges, 1.0, &[&i.to_string()]));
        }
        assert_eq!(updates.made.len(), MAX_KEPT);
    }
}
