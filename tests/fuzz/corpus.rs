//! Inputs that were found once, a folder for each target.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target)
}

/// In the order of their names.
pub fn inputs(target: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder(target)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("an input")).collect()
}

/// Keeps an input; where.
pub fn keep(target: &str, input: &[u8]) -> String {
    let path = folder(target).join(format!("found-{:016x}", xxh3_64(input)));
    std::fs::create_dir_all(folder(target)).expect("a folder of the repository");
    std::fs::write(&path, input).expect("room");
    path.display().to_string()
}
