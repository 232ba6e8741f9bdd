//! `--scale`: how often a vehicle that is listed by itself is inserted.

/// Copies for the `n`-th vehicle (from 0): the whole part of the factor, and one more for as many of each 1,000 vehicles
/// as the fraction says, spread evenly.
pub(super) fn copies(n: u64, factor: f64) -> u64 {
    if factor == 1.0 {
        return 1;
    }
    let whole = factor.floor();
    let per_mille = ((factor - whole) * 1000.0).round() as u64;
    let extra = (n % 1000) * per_mille % 1000 < per_mille;
    whole as u64 + u64::from(extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_copies_is_the_factor_and_evenly_spread() {
        for factor in [0.0, 0.25, 0.5, 1.0, 1.5, 2.3] {
            let total: u64 = (0..10_000).map(|n| copies(n, factor)).sum();
            assert_eq!(total as f64, 10_000.0 * factor, "{factor}");
        }
        assert_eq!((0..6).map(|n| copies(n, 0.5)).collect::<Vec<_>>(), [1, 0, 1, 0, 1, 0]);
    }
}
