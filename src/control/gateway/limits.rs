//! Bounds of what clients may ask of the gateway (I7).

use std::time::Duration;

use tokio::time::Instant;

/// Bounds, for one client and for all.
#[derive(Clone, Copy, Debug)]
pub struct GatewayLimits {
    /// Clients that are connected at once; others are refused with 503.
    pub clients: usize,
    /// Bytes of a message or body; a longer one is answered with an error, and the connection is closed.
    pub message_bytes: usize,
    /// Messages a second of one WebSocket client, in the mean, and at once; others are answered with an error.
    pub messages_per_s: u32,
    pub burst: u32,
    /// How long a client may take to read what it is sent.
    pub send_timeout: Duration,
    /// How long a client may take to say what it wants (TLS handshake, request head).
    pub opening_timeout: Duration,
    /// How long a command may take until its answer.
    pub answer_timeout: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            clients: 1024,
            message_bytes: 1024 * 1024,
            messages_per_s: 100,
            burst: 200,
            send_timeout: Duration::from_secs(5),
            opening_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(300),
        }
    }
}

/// A token bucket: `burst` at once, `per_s` in the mean.
#[derive(Debug)]
pub struct Rate {
    per_s: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Rate {
    pub fn new(per_s: u32, burst: u32, now: Instant) -> Self {
        Self { per_s: per_s.into(), burst: burst.into(), left: burst.into(), at: now }
    }

    /// Whether one more is within the limit.
    pub fn admits(&mut self, now: Instant) -> bool {
        self.left = (self.left + (now - self.at).as_secs_f64() * self.per_s).min(self.burst);
        self.at = now;
        let admits = self.left >= 1.0;
        if admits {
            self.left -= 1.0;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_admitted_and_then_the_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(10, 3, start);
        let admitted = |rate: &mut Rate, ms: u64| rate.admits(start + Duration::from_millis(ms));
        assert_eq!([0, 0, 0, 0].map(|ms| admitted(&mut rate, ms)), [true, true, true, false]);
        assert!(admitted(&mut rate, 110) && !admitted(&mut rate, 120));
        // Who is silent for long does not save more than a burst.
        assert_eq!([9000, 9000, 9000, 9000].map(|ms| admitted(&mut rate, ms)), [true, true, true, false]);
    }
}
