//! The models of traffic, each in a folder of its own: how drivers follow each other, who goes first at a junction, when a
//! vehicle changes its lane, where one enters the road, and what signals show. They decide; the
//! [`phases`](super::phases) of a step call them in its order.

pub mod car_following;
pub mod insertion;
pub mod lane_change;
pub mod right_of_way;
pub mod signals;
