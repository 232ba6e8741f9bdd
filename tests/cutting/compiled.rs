//! A compiled scenario in place of files: the same run, and clear words about a bad one.

use super::program::{digest, exists, fails_with, tessds};

#[test]
fn a_compiled_file_runs_without_xml_and_gives_the_digest_of_the_xml() {
    let folder = tempfile::tempdir().unwrap();
    let xml = digest(&folder, "-c HELSINKI --end 300");
    let said = tessds(&folder, "scenario compile -c HELSINKI --end 300 --partitions 3 -o DIR/s.tessds");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("3 partitions"), "{}", said.out);
    let said = tessds(&folder, "scenario verify DIR/s.tessds");
    assert!(said.code == Some(0) && said.out.contains("sound"), "{}{}", said.out, said.err);
    for options in ["", "--partitions 2", "--partition-max 1", "--store memory"] {
        assert_eq!(digest(&folder, &format!("--scenario DIR/s.tessds {options}")), xml, "{options}");
    }
    digest(&folder, "--scenario DIR/s.tessds --edgedata-output DIR/e.xml");
    assert!(exists(&folder, "e.xml"));
    fails_with(&folder, "run --scenario DIR/s.tessds --seed 7", "option seed is compiled into the scenario");
}

#[test]
fn a_scenario_in_a_store_is_listed_copied_and_run_by_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let xml = digest(&folder, "-c HELSINKI --end 200 --edgedata-output DIR/e.xml --store dir:DIR/store --run-id first");
    std::fs::remove_file(folder.path().join("e.xml")).unwrap();
    let listed = tessds(&folder, "scenario ls --store dir:DIR/store --json").out;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["runs"][0], "first");
    let hash = listed[0]["scenario"].as_str().unwrap();
    let line = tessds(&folder, "scenario ls --store dir:DIR/store").out;
    assert!(line.starts_with(hash) && line.contains("runs: first"), "{line}");
    let said = tessds(&folder, &format!("scenario export {hash} --store dir:DIR/store -o DIR/s.tessds"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(digest(&folder, "--scenario DIR/s.tessds"), xml);
    assert_eq!(digest(&folder, &format!("--scenario {hash} --store dir:DIR/store --run-id second")), xml);
    assert!(!exists(&folder, "e.xml"), "the outputs of the first run are not asked for again");

    let other = hash.chars().rev().collect::<String>();
    let expected = format!("scenario {other} is not in this store; it has ");
    fails_with(&folder, &format!("run --scenario {other} --store dir:DIR/store"), &expected);
    fails_with(&folder, &format!("scenario verify {other} --store dir:DIR/store"), &expected);
    fails_with(&folder, &format!("run --scenario {hash}"), "say which with --store");
}

#[test]
fn what_is_damaged_of_another_version_or_no_scenario_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    tessds(&folder, "scenario compile -c HELSINKI --end 100 -o DIR/s.tessds");
    let bytes = std::fs::read(folder.path().join("s.tessds")).unwrap();
    let write = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        std::fs::write(folder.path().join(name), bytes).unwrap();
    };
    write("damaged", &|bytes| *bytes.last_mut().unwrap() ^= 1);
    write("other", &|bytes| bytes[8] += 1);
    write("cut_off", &|bytes| bytes.truncate(bytes.len() / 2));
    write("none", &|bytes| *bytes = b"<net/>".to_vec());
    fails_with(&folder, "run --scenario DIR/damaged", "damaged: the compiled scenario is damaged");
    fails_with(&folder, "run --scenario DIR/other", "same version");
    fails_with(&folder, "run --scenario DIR/cut_off", "damaged");
    fails_with(&folder, "run --scenario DIR/none", "not a compiled scenario");
    fails_with(&folder, "run --scenario DIR/nowhere", "name a file that 'tessds scenario compile' wrote");
    let said = tessds(&folder, "scenario verify DIR/damaged");
    assert!(said.code == Some(1) && said.out.contains("damaged"), "{}{}", said.out, said.err);
}
