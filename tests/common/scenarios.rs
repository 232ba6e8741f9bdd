//! The scenarios of the tests.

use std::path::{Path, PathBuf};

use tessds::diagnostics::Warnings;
use tessds::graph::Network;
use tessds::graph::sumo::NetworkBuilder;
use tessds::scenario::{RunConfig, Scenario, Source, load};
use tessds::xml::XmlReader;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A network of `tests/data/nets`.
pub fn net(name: &str) -> Network {
    let path = root().join("tests/data/nets").join(format!("{name}.net.xml.gz"));
    let mut reader = XmlReader::new(path.display().to_string(), Source::open(&path).expect("the file"));
    let mut warnings = Warnings::default();
    let mut builder = NetworkBuilder::new();
    builder.read_net(&mut reader, &mut warnings).expect("a good network");
    builder.finish(&mut warnings).expect("a complete network")
}

/// Names of all networks of `tests/data/nets`.
pub fn nets() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root().join("tests/data/nets"))
        .expect("the folder")
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".net.xml.gz")?.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() >= 9, "networks are missing: {names:?}");
    names
}

/// A scenario that ends after `seconds`.
pub fn scenario(configuration: &Path, seconds: i64) -> Scenario {
    let mut warnings = Warnings::default();
    let mut config = RunConfig::read(configuration, &mut warnings).unwrap_or_else(|error| panic!("{error}"));
    config.settings.end_ms = Some(config.settings.begin_ms + seconds * 1000);
    load(&config, &mut warnings).unwrap_or_else(|error| panic!("{error}"))
}

pub fn helsinki() -> PathBuf {
    root().join("examples/helsinki/run.sumocfg")
}

/// Configurations of the RESCO scenarios, which `tools/setup.sh scenarios` fetches.
pub fn resco(names: &[&str]) -> Vec<PathBuf> {
    let cache = std::env::var_os("TESSDS_CACHE").map_or_else(|| root().join(".cache"), PathBuf::from);
    let folder = cache.join("scenarios/RESCO");
    let found: Vec<PathBuf> = names.iter().map(|n| folder.join(n).join(format!("{n}.sumocfg"))).collect();
    for path in &found {
        assert!(path.is_file(), "{} is missing; 'make test' or 'tools/setup.sh scenarios' fetches it", path.display());
    }
    found
}

/// Configurations in the folders of `TESSDS_EXTRA_SCENARIOS` (separated by colons), one `*.sumocfg` each.
pub fn extra() -> Vec<PathBuf> {
    let Some(folders) = std::env::var_os("TESSDS_EXTRA_SCENARIOS") else { return Vec::new() };
    std::env::split_paths(&folders)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| {
            let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            files
                .filter_map(|entry| Some(entry.ok()?.path()))
                .find(|path| path.extension().is_some_and(|e| e == "sumocfg"))
                .unwrap_or_else(|| panic!("{} holds no .sumocfg", folder.display()))
        })
        .collect()
}
