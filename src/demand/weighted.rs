//! A choice between values with weights, as `vTypeDistribution` and `routeDistribution` define it.

use crate::attributes::Attributes;
use crate::diagnostics::{InputError, Warnings};

/// Never empty, and the sum of weights is positive.
#[derive(Clone, Debug)]
pub(super) struct Weighted<T> {
    /// Each value with the sum of the weights up to and including its own.
    cumulated: Vec<(T, f64)>,
}

impl<T> Weighted<T> {
    pub fn new(members: impl IntoIterator<Item = (T, f64)>) -> Result<Self, &'static str> {
        let mut sum = 0.0;
        let cumulated: Vec<(T, f64)> = members
            .into_iter()
            .map(|(value, weight)| {
                sum += weight;
                (value, sum)
            })
            .collect();
        if cumulated.is_empty() {
            return Err("the distribution is empty");
        }
        if !(sum > 0.0 && sum.is_finite()) {
            return Err("the probabilities of the distribution have to add up to more than 0");
        }
        Ok(Self { cumulated })
    }

    /// `uniform` is in [0, 1).
    pub fn choose(&self, uniform: f64) -> &T {
        let last = self.cumulated.len() - 1;
        let target = uniform * self.cumulated[last].1;
        let place = self.cumulated.partition_point(|(_, sum)| *sum <= target);
        &self.cumulated[place.min(last)].0
    }

    /// The sum of all weights.
    pub fn total(&self) -> f64 {
        self.cumulated.last().map_or(0.0, |(_, sum)| *sum)
    }

    /// Each value with its weight.
    pub fn weighted(&self) -> impl Iterator<Item = (&T, f64)> {
        let mut before = 0.0;
        self.cumulated.iter().map(move |(value, sum)| (value, sum - std::mem::replace(&mut before, *sum)))
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.cumulated.iter().map(|(value, _)| value)
    }

    /// The attribute `probabilities`, which belongs to the list in attribute `members`. Of a list that is too short or too long
    /// as much counts as there is, with a warning as in SUMO.
    pub fn listed_weights(
        attributes: Attributes<'_>,
        members: &str,
        warnings: &mut Warnings,
    ) -> Result<Option<Vec<f64>>, InputError> {
        let Some(text) = attributes.text("probabilities") else { return Ok(None) };
        let weights = text
            .split_whitespace()
            .map(|w| w.parse::<f64>().ok().filter(|w| w.is_finite() && *w >= 0.0))
            .collect::<Option<Vec<f64>>>()
            .ok_or_else(|| attributes.bad("probabilities", text, "a list of numbers, none of them negative"))?;
        let expected = attributes.text(members).unwrap_or_default().split_whitespace().count();
        if weights.len() != expected {
            let message = format!("{expected} {members} but {} probabilities", weights.len());
            warnings.add("probabilities of another number than members", attributes.at(), message);
        }
        Ok(Some(weights))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_chosen_in_proportion_to_their_weights() {
        let choice = Weighted::new([("never", 0.0), ("often", 3.0), ("seldom", 1.0)]).expect("weights");
        let often = (0..1000).filter(|i| *choice.choose(f64::from(*i) / 1000.0) == "often").count();
        assert_eq!(often, 750);
        assert!((0..1000).all(|i| *choice.choose(f64::from(i) / 1000.0) != "never"));
    }

    #[test]
    fn a_distribution_of_nothing_is_refused() {
        assert!(Weighted::<u32>::new([]).is_err());
        assert!(Weighted::new([(1, 0.0)]).is_err());
    }
}
