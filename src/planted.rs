//! Bugs on purpose, which prove that the chaos harness can fail (`make chaos-proof`, docs/chaos.md). They are in programs
//! alone that are built with the feature `planted-bugs`, and each only when `TESSDS_PLANT` names it.

/// Whether this bug is to be there.
#[cfg(feature = "planted-bugs")]
pub fn planted(bug: &str) -> bool {
    static PLANT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    PLANT.get_or_init(|| std::env::var("TESSDS_PLANT").ok()).as_deref() == Some(bug)
}

/// No bug is.
#[cfg(not(feature = "planted-bugs"))]
pub const fn planted(_: &str) -> bool {
    false
}
