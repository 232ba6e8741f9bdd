//! The frames that a partition has sent to one neighbour and may have to send again.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::Frame;

/// Frames of consecutive steps, the oldest first. Bounded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SentLog {
    frames: VecDeque<Arc<Frame>>,
    capacity: usize,
    /// Gives up the oldest frame for a new one when it is full.
    forgets: bool,
}

/// The log holds as many frames as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} frames are not yet covered by a commit, more than the log of sent frames can hold")]
pub struct LogFull(pub usize);

impl SentLog {
    pub fn new(capacity: usize, forgets: bool) -> Self {
        Self { frames: VecDeque::new(), capacity: capacity.max(1), forgets }
    }

    /// Keeps a frame. A frame of a step that is already there is the same frame (I1) and changes nothing.
    ///
    /// # Errors
    /// The log is full.
    pub fn push(&mut self, frame: Arc<Frame>) -> Result<(), LogFull> {
        if self.frames.back().is_some_and(|last| last.step >= frame.step) {
            return Ok(());
        }
        if self.frames.len() >= self.capacity {
            if !self.forgets {
                return Err(LogFull(self.frames.len()));
            }
            self.frames.pop_front();
        }
        self.frames.push_back(frame);
        Ok(())
    }

    /// Forgets the frames of earlier steps: nobody will ask for them again.
    pub fn cut_before(&mut self, step: u64) {
        while self.frames.front().is_some_and(|f| f.step < step) {
            self.frames.pop_front();
        }
    }

    /// How many are kept.
    pub fn kept(&self) -> usize {
        self.frames.len()
    }

    /// The oldest step that is kept.
    pub fn first_step(&self) -> Option<u64> {
        self.frames.front().map(|frame| frame.step)
    }

    /// The frame of a step; `None` when it was cut off or has not been sent.
    pub fn get(&self, step: u64) -> Option<&Arc<Frame>> {
        self.frames.get(step.checked_sub(self.first_step()?)? as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Epoch, FencingToken, RunId};

    fn frame(step: u64) -> Arc<Frame> {
        let token = FencingToken { run: RunId(1), epoch: Epoch(1) };
        Arc::new(Frame { token, from: 0, step, bytes: Vec::new() })
    }

    #[test]
    fn frames_are_kept_until_they_are_cut_off() {
        let mut log = SentLog::new(3, false);
        assert_eq!((log.first_step(), log.get(5)), (None, None));
        for step in 5..8 {
            log.push(frame(step)).unwrap();
        }
        assert_eq!(log.push(frame(6)), Ok(()));
        assert_eq!(log.push(frame(8)), Err(LogFull(3)));
        log.cut_before(6);
        log.push(frame(8)).unwrap();
        let kept: Vec<u64> = (4..10).filter_map(|step| log.get(step)).map(|f| f.step).collect();
        assert_eq!((log.first_step(), kept), (Some(6), vec![6, 7, 8]));
    }

    #[test]
    fn a_log_that_forgets_keeps_the_newest_frames() {
        let mut log = SentLog::new(3, true);
        (0..5).for_each(|step| log.push(frame(step)).unwrap());
        assert_eq!((log.first_step(), log.get(1), log.get(4)), (Some(2), None, Some(&frame(4))));
    }
}
