//! On which threads actors live.

use actix::prelude::*;
use tokio::task::spawn_local;

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
    /// `None`: the thread that called [`Threads::start`].
    own: Option<Arbiter>,
}

impl Threads {
    pub fn start(self) -> Thread {
        Thread { own: (self == Self::Own).then(Arbiter::new) }
    }
}

impl Thread {
    /// Starts an actor there. Needs no Arbiter when the thread is shared: a simulated host has none.
    pub fn start<A: Actor<Context = Context<A>>>(
        &self,
        make: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
    ) -> Addr<A> {
        match &self.own {
            Some(arbiter) => A::start_in_arbiter(&arbiter.handle(), make),
            None => A::create(make),
        }
    }

    /// Calls a function there. `false`: the thread has ended.
    pub fn call(&self, work: impl FnOnce() + Send + 'static) -> bool {
        match &self.own {
            Some(arbiter) => arbiter.spawn_fn(work),
            None => {
                spawn_local(async { work() });
                true
            }
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(arbiter) = &self.own {
            arbiter.stop();
        }
    }
}
