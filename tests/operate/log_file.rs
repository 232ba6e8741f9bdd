//! The log of a process as a file.

use super::process::Process;
use super::site::example;

#[test]
fn a_process_writes_its_log_to_a_file_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("logs/tessds.log");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("room");
    std::fs::write(&file, "x".repeat(1 << 20)).expect("room");
    let settings = [
        ("LOG__FILE", file.display().to_string()),
        ("LOG__ROTATE", "size".to_owned()),
        ("LOG__FILE_MIB", "1".to_owned()),
    ];
    let arguments = ["-c", &example(), "-e", "100", "--store", "memory"].map(str::to_owned);
    let mut process = Process::start(folder.path(), "alone", &arguments, &settings);
    process.ends_with(0);
    let lines = std::fs::read_to_string(&file).expect("the log file");
    let messages = |lines: &str| -> Vec<String> {
        let events = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        events.map(|event| event["message"].as_str().expect("a message").to_owned()).collect()
    };
    assert!(messages(&lines).len() > 2, "{lines}");
    assert_eq!(messages(&lines), messages(&process.lines().join("\n")), "nothing is left out, to the last line");
    assert_eq!(std::fs::metadata(file.with_extension("log.1")).expect("the full one").len(), 1 << 20);
}
