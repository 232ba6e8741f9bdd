//! The lower and the higher of two numbers. [`f64::min`] and [`f64::max`] tell numbers from NaN, for which a processor takes
//! five instructions instead of one, and the kernel asks a hundred times per vehicle and step. No NaN comes in: readers refuse it.

pub trait Bounds {
    /// The lower one.
    fn at_most(self, bound: Self) -> Self;
    /// The higher one.
    fn at_least(self, bound: Self) -> Self;
}

impl Bounds for f64 {
    #[inline(always)]
    fn at_most(self, bound: Self) -> Self {
        if self < bound { self } else { bound }
    }

    #[inline(always)]
    fn at_least(self, bound: Self) -> Self {
        if self > bound { self } else { bound }
    }
}

#[cfg(test)]
mod tests {
    use super::Bounds;

    #[test]
    fn a_number_within_a_bound_stays_and_another_becomes_the_bound() {
        assert_eq!([1.0.at_most(2.0), 3.0.at_most(2.0), f64::INFINITY.at_most(2.0)], [1.0, 2.0, 2.0]);
        assert_eq!([1.0.at_least(2.0), 3.0.at_least(2.0), f64::NEG_INFINITY.at_least(2.0)], [2.0, 3.0, 2.0]);
    }
}
