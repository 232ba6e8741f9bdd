//! A setting of the C library's allocator.

/// Lets the allocator give large blocks back to the system when they are freed. By itself it keeps more and more of them: each
/// large block that is freed raises the size from which on they go back, up to 32 MB. Lists that grew while a network was
/// read would then leave holes that nothing later fits (docs/performance.md).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
// The C library has no safe form of it.
#[allow(unsafe_code)]
pub fn return_large_blocks() {
    /// Blocks from this size on go back, bytes.
    const LARGE: libc::c_int = 1 << 20;
    // SAFETY: sets a parameter of the allocator, which guards it by its own lock; no thread but this one has been started.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Other C libraries do not raise that size.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn return_large_blocks() {}
