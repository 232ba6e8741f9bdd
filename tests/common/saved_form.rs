//! What is stored of a run is read by other processes, and by programs that are built later.

/// Fails when the bytes are others than they were. `version` says where the version of this form is.
pub fn check(what: &str, bytes: &[u8], expected: u128, version: &str) {
    let found = xxhash_rust::xxh3::xxh3_128(bytes);
    assert!(
        found == expected,
        "what is stored of {what} has changed, in its form or by what is computed now: raise {version}, so that what \
         older programs have stored is refused and not misread, and expect 0x{found:032x} in the test"
    );
}
