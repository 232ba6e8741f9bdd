//! On which threads actors live.

use actix::{Arbiter, ArbiterHandle};

/// How a process spreads its actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// Whatever computes, or talks to a store or a master, has a thread of its own.
    Own,
    /// All on the thread that starts them, so that a simulated run is deterministic.
    Shared,
}

/// A thread for actors. When it is dropped, the thread ends after the message at which it is.
#[derive(Debug)]
pub struct Thread {
    handle: ArbiterHandle,
    own: Option<Arbiter>,
}

impl Threads {
    pub fn start(self) -> Thread {
        match self {
            Self::Own => {
                let arbiter = Arbiter::new();
                Thread { handle: arbiter.handle(), own: Some(arbiter) }
            }
            Self::Shared => Thread { handle: Arbiter::current(), own: None },
        }
    }
}

impl Thread {
    pub fn handle(&self) -> &ArbiterHandle {
        &self.handle
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(arbiter) = &self.own {
            arbiter.stop();
        }
    }
}
