//! When the vehicles of a `flow` depart.

use crate::attributes::Attributes;
use crate::diagnostics::{InputError, Warnings};

use super::random::{Purpose, Stream};

/// A flow without an end in a run without an end lasts this long, as in SUMO.
const DEFAULT_LENGTH_MS: i64 = 24 * 3600 * 1000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rhythm {
    /// All at the begin: a number of vehicles in a time of length 0.
    AtOnce,
    Period {
        ms: i64,
    },
    /// Independent exponential gaps (`period="exp(rate)"`).
    Exponential {
        per_s: f64,
    },
    /// A coin is tossed in every step.
    Bernoulli {
        per_step: f64,
    },
}

impl Rhythm {
    fn scaled(self, scale: f64) -> Self {
        match self {
            Self::AtOnce => self,
            // Cut to whole milliseconds, as SUMO does.
            Self::Period { ms } => Self::Period { ms: ((ms as f64 / scale) as i64).max(1) },
            Self::Exponential { per_s } => Self::Exponential { per_s: per_s * scale },
            Self::Bernoulli { per_step } => Self::Bernoulli { per_step: per_step * scale },
        }
    }
}

/// The timing of a flow, scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flow {
    rhythm: Rhythm,
    begin_ms: i64,
    /// No vehicle departs at `end_ms` or later.
    end_ms: i64,
    number: u64,
}

/// The times of the run that flows refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunTimes {
    pub begin_ms: i64,
    pub end_ms: Option<i64>,
    pub step_ms: i64,
}

impl Flow {
    /// `scale` multiplies the rate (SUMO scales flows by their rate, not by doubling vehicles).
    pub fn read(
        attributes: Attributes<'_>,
        times: RunTimes,
        scale: f64,
        warnings: &mut Warnings,
    ) -> Result<Self, InputError> {
        let begin_ms = time_or_word(attributes, "begin")?.unwrap_or(times.begin_ms);
        let given_end_ms = attributes.time_ms("end")?;
        let number = match attributes.integer::<i64>("number")? {
            Some(n) if n < 0 => return Err(attributes.error("attribute 'number' must not be negative")),
            n => n.map(|n| (n as f64 * scale) as u64),
        };
        if begin_ms < 0 {
            return Err(attributes.error("a flow must not begin before time 0"));
        }
        let rate_keys: Vec<&str> =
            ["period", "vehsPerHour", "perHour", "probability"].into_iter().filter(|key| attributes.has(key)).collect();
        if rate_keys.len() > 1 {
            return Err(attributes.error(format!("give one of {}, not several", rate_keys.join(", "))));
        }
        if !rate_keys.is_empty() && given_end_ms.is_some() && number.is_some() {
            return Err(attributes.error(format!("give 'end' or 'number' beside {}, not both", rate_keys.join(", "))));
        }
        if number == Some(0) {
            warnings.add("flow without vehicles", attributes.at(), "its number is 0");
        }
        let needs_end = given_end_ms.is_none() && times.end_ms.is_none() && (number.is_none() || rate_keys.is_empty());
        if needs_end {
            warnings.add("flow without 'end'", attributes.at(), "the flow ends after 24 hours");
        }
        let end_ms = match given_end_ms.or(times.end_ms) {
            Some(end) => end,
            None if needs_end => begin_ms + DEFAULT_LENGTH_MS,
            None => i64::MAX,
        };
        if given_end_ms.is_some_and(|end_ms| end_ms < begin_ms) {
            return Err(attributes.error("the flow ends before it begins"));
        }
        let mut number = number.unwrap_or(u64::MAX);
        let rhythm = match rate_keys.first() {
            Some(key) => read_rhythm(attributes, key, times.step_ms)?,
            None if number == u64::MAX => {
                return Err(attributes.error("give one of period, vehsPerHour, probability, number"));
            }
            None if end_ms < begin_ms => return Err(attributes.error("the flow ends before it begins")),
            None if end_ms == begin_ms => Rhythm::AtOnce,
            None => Rhythm::Period { ms: ((end_ms - begin_ms) / number.clamp(1, 1 << 40) as i64).max(1) },
        };
        if let Rhythm::Period { ms } = rhythm
            && scale != 1.0
            && end_ms < i64::MAX
        {
            // SUMO scales the number that the flow would have had, and forgets the rest.
            let unscaled = ((end_ms - begin_ms).max(0) as f64 / ms as f64).ceil();
            number = number.min((unscaled * scale) as u64);
        }
        // A number and an end give the scaled period already.
        let rhythm = if rate_keys.is_empty() { rhythm } else { rhythm.scaled(scale) };
        // What departs after the run is of no interest.
        let end_ms = end_ms.min(times.end_ms.unwrap_or(i64::MAX));
        Ok(Self { rhythm, begin_ms, end_ms, number })
    }

    /// About how many vehicles depart from `from_ms` on.
    pub fn expected(&self, from_ms: i64, step_ms: i64) -> f64 {
        let span_ms = self.end_ms.saturating_sub(self.begin_ms.max(from_ms)).max(0) as f64;
        let by_time = match self.rhythm {
            Rhythm::AtOnce => f64::INFINITY,
            Rhythm::Period { ms } => span_ms / ms as f64,
            Rhythm::Exponential { per_s } => span_ms / 1000.0 * per_s,
            Rhythm::Bernoulli { per_step } => span_ms / step_ms as f64 * per_step.min(1.0),
        };
        by_time.min(self.number as f64)
    }

    /// Calls `visit(n, time)` for each departure from `from_ms` on (earlier ones are left out and not counted in `n`, but
    /// count against the flow's number), with rising times, until the flow is over or `visit` fails.
    pub fn departures<E>(
        &self,
        from_ms: i64,
        step_ms: i64,
        seed: u64,
        name: &str,
        mut visit: impl FnMut(u64, i64) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.rhythm == Rhythm::AtOnce {
            let is_seen = self.begin_ms >= from_ms && self.begin_ms <= self.end_ms;
            return (0..if is_seen { self.number } else { 0 }).try_for_each(|n| visit(n, self.begin_ms));
        }
        let stream = Stream::new(seed, name, Purpose::FlowDeparture);
        let (mut made, mut shown, mut draws) = (0, 0, 0);
        let mut time_ms = match self.rhythm {
            Rhythm::Period { ms } if self.begin_ms < from_ms => {
                // Jumps to the first one that counts instead of walking there.
                let left_out = (from_ms - self.begin_ms + ms - 1) / ms;
                made = left_out as u64;
                self.begin_ms.saturating_add(left_out.saturating_mul(ms))
            }
            _ => self.begin_ms,
        };
        let mut draw = || {
            draws += 1;
            draws - 1
        };
        let exponential_ms =
            |draw: u64, per_s: f64| ((stream.exponential(draw) / per_s * 1000.0).round() as i64).max(1);
        if let Rhythm::Exponential { per_s } = self.rhythm {
            time_ms = time_ms.saturating_add(exponential_ms(draw(), per_s));
        }
        while made < self.number && time_ms < self.end_ms {
            let departs = match self.rhythm {
                Rhythm::Bernoulli { per_step } => stream.uniform(draw()) < per_step,
                _ => true,
            };
            if departs {
                made += 1;
                if time_ms >= from_ms {
                    visit(shown, time_ms)?;
                    shown += 1;
                }
            }
            time_ms = match self.rhythm {
                Rhythm::AtOnce => self.end_ms,
                Rhythm::Period { ms } => time_ms.saturating_add(ms),
                Rhythm::Exponential { per_s } => time_ms.saturating_add(exponential_ms(draw(), per_s)),
                Rhythm::Bernoulli { .. } => time_ms.saturating_add(step_ms),
            };
        }
        Ok(())
    }

    pub fn begin_ms(&self) -> i64 {
        self.begin_ms
    }

    /// Shifts of `until` from one vehicle to the next.
    pub fn period_ms(&self) -> i64 {
        match self.rhythm {
            Rhythm::Period { ms } => ms,
            _ => 0,
        }
    }

    /// The departures could not be listed in reasonable time: nothing but `end_ms` ends an endless row of coin tosses.
    pub fn is_endless(&self, from_ms: i64, step_ms: i64) -> bool {
        const MAX_TOSSES: f64 = 1e8;
        let steps = self.end_ms.saturating_sub(self.begin_ms.min(from_ms)) / step_ms.max(1);
        match self.rhythm {
            Rhythm::Bernoulli { per_step } => (self.number as f64 / per_step).min(steps as f64) > MAX_TOSSES,
            _ => false,
        }
    }
}

/// `begin` of a flow may also be the word for "when the run begins"; `None`: not given, or that word.
fn time_or_word(attributes: Attributes<'_>, key: &str) -> Result<Option<i64>, InputError> {
    match attributes.text(key) {
        Some("now" | "begin") => Ok(None),
        _ => attributes.time_ms(key),
    }
}

fn read_rhythm(attributes: Attributes<'_>, key: &str, step_ms: i64) -> Result<Rhythm, InputError> {
    let text = attributes.text(key).unwrap_or_default();
    match key {
        "probability" => {
            let per_s = attributes.number(key)?.filter(|per_s| *per_s > 0.0 && *per_s <= 1.0);
            let per_s = per_s.ok_or_else(|| attributes.bad(key, text, "a number above 0 and at most 1"))?;
            Ok(Rhythm::Bernoulli { per_step: per_s * step_ms as f64 / 1000.0 })
        }
        "period" => {
            if let Some(rate) = text.trim().strip_prefix("exp(").and_then(|rest| rest.strip_suffix(')')) {
                let rate = rate.trim().parse::<f64>().ok().filter(|r| *r > 0.0 && r.is_finite());
                return match rate {
                    Some(per_s) => Ok(Rhythm::Exponential { per_s }),
                    None => Err(attributes.bad(key, text, "exp(rate) with a rate above 0")),
                };
            }
            match attributes.time_ms(key)? {
                Some(ms) if ms > 0 => Ok(Rhythm::Period { ms }),
                _ => Err(attributes.bad(key, text, "a time of at least 0.001 s, or exp(rate)")),
            }
        }
        _ => {
            let per_hour = attributes.positive(key)?.unwrap_or(1.0);
            Ok(Rhythm::Period { ms: ((3_600_000.0 / per_hour).round() as i64).max(1) })
        }
    }
}
