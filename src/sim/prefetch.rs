//! Asking the processor for memory before it is needed. On networks that fit no cache a step mostly waits: the ways from a
//! vehicle to its link and on to the next lane are chains of reads that miss, and only reads for several vehicles at once
//! shorten the wait. No result depends on it.

/// Lanes of a network from which on this pays: smaller ones are in the nearer caches with all that is on them.
const LARGE: usize = 10_000;

/// The items of a list that come soon, while it is gone through; none where the network is small.
#[derive(Clone, Copy)]
pub struct Ahead<'a, T> {
    items: &'a [T],
}

impl<'a, T> Ahead<'a, T> {
    /// `lanes`: how many the network has.
    pub fn new(items: &'a [T], lanes: usize) -> Self {
        Self { items: if lanes < LARGE { &[] } else { items } }
    }

    /// The item at a place of the list.
    #[inline(always)]
    pub fn get(&self, at: usize) -> Option<&'a T> {
        self.items.get(at)
    }
}

/// Bytes that come into the cache together.
const LINE: usize = 64;

/// Asks for `items[at]`, or does nothing where there is no such item.
#[inline(always)]
pub fn prefetch<T>(items: &[T], at: usize) {
    if let Some(item) = items.get(at) {
        let start = std::ptr::from_ref(item).cast::<u8>();
        for offset in (0..size_of::<T>()).step_by(LINE) {
            request(start.wrapping_add(offset));
        }
    }
}

/// Asks for the first cache line of `items[at]`.
#[inline(always)]
pub fn prefetch_head<T>(items: &[T], at: usize) {
    if let Some(item) = items.get(at) {
        request(std::ptr::from_ref(item).cast::<u8>());
    }
}

#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
// The hint has no safe form in the standard library; it reads nothing that the program sees.
#[allow(unsafe_code)]
fn request(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address, mapped or not, changes nothing and never faults; SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast::<i8>());
    }
}
