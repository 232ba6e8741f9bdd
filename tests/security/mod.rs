//! Who is let in: connections between processes and to the gateway, with certificates that the tests make.

mod certificates;
mod clusters;
mod documents;
mod gateway;
mod peers;
mod rotation;

use crate::cluster::run;
use crate::control::program;
