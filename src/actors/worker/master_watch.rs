//! Whether the master at the other end of a connection is still there.

use std::time::Duration;

use tokio::time::Instant;

/// A master welcomes whoever joins at once. One that was lost before it could, is not noticed otherwise: a worker that waits to
/// be welcomed says nothing, and over a connection on which nothing is said nothing is missed.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(5);

/// What was heard over one connection.
#[derive(Clone, Copy, Debug)]
pub struct MasterWatch {
    heard: Instant,
    is_welcome: bool,
}

impl MasterWatch {
    /// The connection stands since `now`.
    pub fn new(now: Instant) -> Self {
        Self { heard: now, is_welcome: false }
    }

    /// Something came from the master.
    pub fn heard(&mut self, now: Instant) {
        (self.heard, self.is_welcome) = (now, true);
    }

    /// Nothing has come for too long. `timeout`: how long a master may be silent that answers signs of life; `None` when it
    /// gets none.
    pub fn is_silent(&self, now: Instant, timeout: Option<Duration>) -> bool {
        let patience = if self.is_welcome { timeout } else { Some(WELCOME_TIMEOUT) };
        patience.is_some_and(|patience| now - self.heard >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A master lost power between accepting a worker and welcoming it. The worker stayed connected to nobody for ever, and the
    /// next master waited for it (simulated seed 9009).
    #[test]
    fn a_master_that_does_not_welcome_is_given_up_also_without_heartbeats() {
        let now = Instant::now();
        let mut watch = MasterWatch::new(now);
        assert!(!watch.is_silent(now + WELCOME_TIMEOUT / 2, None));
        assert!(watch.is_silent(now + WELCOME_TIMEOUT, None));
        watch.heard(now);
        assert!(!watch.is_silent(now + 100 * WELCOME_TIMEOUT, None));
    }

    #[test]
    fn a_master_that_answers_no_sign_of_life_is_given_up() {
        let (now, timeout) = (Instant::now(), Duration::from_secs(1));
        let mut watch = MasterWatch::new(now);
        assert!(!watch.is_silent(now + timeout, Some(timeout)), "it may take longer until the welcome");
        watch.heard(now + timeout);
        assert!(!watch.is_silent(now + 3 * timeout / 2, Some(timeout)));
        assert!(watch.is_silent(now + 2 * timeout, Some(timeout)));
    }
}
