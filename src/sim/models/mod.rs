//! The models of traffic, each in a folder of its own: how drivers follow each other, who goes first at a junction, when a
//! vehicle changes its lane, where one enters the road, and what signals show. They decide; [`motion`](super::motion),
//! [`advance`](super::advance) and [`Partition`](super::Partition) call them in the order of a step.

pub mod car_following;
pub mod insertion;
pub mod lane_change;
pub mod right_of_way;
pub mod signals;
