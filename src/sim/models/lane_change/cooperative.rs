//! Cooperative lane changes: those that make room for another vehicle.

use crate::sim::vehicle::flags;

use super::speed_gain::Promise;
use super::strategic::Ways;
use super::{Case, Mind};
use crate::sim::bounds::Bounds;

impl Case<'_, '_, '_> {
    /// Whether the vehicle gives way to one that wants to change onto its lane.
    #[inline]
    pub(super) fn helps(&self, ways: &Ways<'_>, mind: &Mind, promise: &Promise) -> bool {
        let gain = f64::from(mind.speed_gain_left - mind.speed_gain_right);
        let mut inconvenience =
            if self.right { gain / promise.right_threshold } else { -gain / promise.left_threshold };
        inconvenience = inconvenience.at_least(promise.here / promise.target.at_least(1e-3) - 1.0).at_most(1.0);
        let asked = mind.is(if self.right { flags::MAY_HELP_RIGHT } else { flags::MAY_HELP_LEFT });
        mind.is(flags::BLOCKS_AS_FOLLOWER)
            && asked
            && inconvenience <= ways.params.cooperative
            && (ways.to_best || ways.target_m / f64::from(ways.offset.abs() + 1) > ways.look_m)
    }
}
