//! Snapshots that wait for a store that is slow or out of order.

use std::collections::VecDeque;

/// A bounded queue that keeps the oldest items of a group and the newest, and leaves out those in between (I7): the oldest
/// snapshots are those that other partitions have stored or kept as well, so one of the next commits has all its parts, and an edit of the
/// network waits for the newest.
#[derive(Debug)]
pub struct OldestAndNewest<T> {
    /// In the order in which they came.
    waiting: VecDeque<T>,
    /// Items of one group at most; one: the newest alone.
    capacity: usize,
}

impl<T> OldestAndNewest<T> {
    pub fn new(capacity: usize) -> Self {
        Self { waiting: VecDeque::new(), capacity }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter()
    }

    /// Adds the newest item. Gives the one that is left out when the queue is full.
    #[must_use]
    pub fn push(&mut self, item: T) -> Option<T> {
        self.push_to_group(item, |_| true)
    }

    /// Adds the newest item of the group for which `is_in_group` holds. Gives the one of this group that is left out when it has too many.
    #[must_use]
    pub fn push_to_group(&mut self, item: T, is_in_group: impl Fn(&T) -> bool) -> Option<T> {
        let is_full = self.waiting.iter().filter(|other| is_in_group(other)).count() >= self.capacity;
        let newest = is_full.then(|| self.waiting.iter().rposition(&is_in_group)).flatten();
        let left_out = newest.and_then(|newest| self.waiting.remove(newest));
        self.waiting.push_back(item);
        left_out
    }

    /// Takes the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        self.waiting.pop_front()
    }

    /// Makes an item that was taken the oldest again.
    pub fn put_back(&mut self, item: T) {
        self.waiting.push_front(item);
    }

    pub fn retain(&mut self, is_kept: impl FnMut(&T) -> bool) {
        self.waiting.retain(is_kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_and_the_newest_stay() {
        let mut queue = OldestAndNewest::new(3);
        let left_out: Vec<Option<u32>> = (1..=5).map(|item| queue.push(item)).collect();
        assert_eq!(left_out, [None, None, None, Some(3), Some(4)]);
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [1, 2, 5]);
        let first = queue.pop().expect("an item");
        queue.put_back(first);
        assert_eq!(queue.pop(), Some(1));
    }

    #[test]
    fn with_room_for_one_only_the_newest_stays() {
        let mut queue = OldestAndNewest::new(1);
        assert_eq!((queue.push(1), queue.push(2), queue.pop(), queue.pop()), (None, Some(1), Some(2), None));
    }
}
