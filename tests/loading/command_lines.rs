//! How known programs start SUMO: their command lines are understood, and no option in them is refused or changes the run
//! otherwise than in SUMO, but for the options that are warned about.

use std::ffi::OsString;
use std::path::Path;

use tessds::cli::{Command, Line, LineError, RunArgs, read_line};
use tessds::diagnostics::{Location, Warnings};
use tessds::scenario::RunConfig;

fn read(line: &[&str]) -> RunArgs {
    match read_line(line.iter().map(OsString::from).collect()) {
        Ok(Line::Command(cli)) => match cli.command {
            Command::Run(args) => *args,
            other => panic!("{line:?}: {other:?}"),
        },
        Ok(Line::Text(text)) => panic!("{line:?}: {text}"),
        Err(LineError::Clap(error)) => panic!("{line:?}: {error}"),
        Err(LineError::Usage { message, .. }) => panic!("{line:?}: {message}"),
    }
}

/// What the options of a line make of a run, but for the port; and what is warned about.
fn config(line: &[&str]) -> (RunConfig, Vec<String>) {
    let args = read(line);
    assert!(args.as_sumo, "{line:?}");
    let (mut config, mut warnings) = (RunConfig::default(), Warnings::default());
    for (name, value) in args.input.sumo_options().filter(|(name, _)| *name != "remote-port") {
        let at = Location::file("command line");
        config.set(name, value, Path::new(""), at, &mut warnings).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    }
    (config, warnings.iter().map(|(kind, ..)| kind.to_owned()).collect())
}

#[test]
fn sumo_rl_looks_at_the_network_and_then_starts_a_run() {
    let (look, warnings) = config(&["sumo", "-n", "a.net.xml", "--remote-port", "8813"]);
    assert_eq!((look.net.as_deref(), look.routes.len(), warnings.len()), (Some(Path::new("a.net.xml")), 0, 0));
    let start = |seed: &[&str]| {
        let line = ["sumo", "-n", "a.net.xml", "-r", "a.rou.xml", "--max-depart-delay", "-1"];
        let more = ["--waiting-time-memory", "1000", "--time-to-teleport", "-1", "-b 25200"];
        config(&[&line[..], &more, seed, &["--no-warnings", "--remote-port", "8813"]].concat())
    };
    let (run, warnings) = start(&["--seed", "7"]);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!((run.settings.begin_ms, run.settings.seed), (25_200_000, 7));
    assert_eq!((run.settings.max_depart_delay_ms, run.settings.time_to_teleport_ms), (None, None));
    assert!(run.report.no_warnings && !run.random_seed && start(&["--random"]).0.random_seed);
}

#[test]
fn flow_and_smarts_and_carla_start() {
    let line = "sumo -c a.sumocfg --remote-port 8813 --num-clients 1 --step-length 0.1 --step-method.ballistic \
                --no-step-log --lateral-resolution 0.8 --lanechange.overtake-right true --seed 3 --no-warnings true \
                --time-to-teleport -1 --collision.check-junctions true";
    let line: Vec<&str> = line.split_whitespace().collect();
    let (flow, warnings) = config(&line);
    assert_eq!(
        (flow.settings.step_ms, read(&line).input.configuration.as_deref()),
        (100, Some(Path::new("a.sumocfg")))
    );
    assert!(warnings.iter().any(|kind| kind == "option 'step-method.ballistic' is not supported"), "{warnings:?}");

    let line = "sumo --num-clients=1 --remote-port=8813 --net-file=a.net.xml --quit-on-end --log=l.txt --error-log=e.txt \
                --no-step-log --no-warnings=1 --seed=42 --time-to-teleport=-1 --collision.check-junctions=true \
                --collision.action=none --lanechange.duration=3.0 --step-length=0.1 \
                --default.action-step-length=0.1 --begin=0 --end=31536000";
    let (smarts, _) = config(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!((smarts.settings.end_ms, smarts.settings.step_ms), (Some(31_536_000_000), 100));
    assert_eq!(smarts.report.error_log.as_deref(), Some(Path::new("e.txt")));
    assert!(smarts.report.no_step_log && smarts.report.no_warnings);

    let line =
        "sumo --configuration-file a.sumocfg --step-length 0.05 --lateral-resolution 0.25 --collision.check-junctions";
    let (carla, _) = config(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(carla.settings.step_ms, 50);
}

#[test]
fn mosaic_and_veins_and_artery_start() {
    for line in [
        "sumo -c a.sumocfg -v --remote-port 8813 --step-length 1.00 --time-to-teleport 0 --seed 100000",
        "sumo -c a.sumocfg -v --remote-port 8813 --step-length 1.00 --xml-validation never --time-to-teleport 0 --seed 100000",
        "sumo --remote-port 8813 --seed 100000 --configuration-file a.sumocfg",
        "/opt/sumo/bin/sumo --remote-port 8813 --seed 100000 --configuration-file a.sumocfg --message-log m.txt --no-step-log \
         --quit-on-end",
    ] {
        let (run, warnings) = config(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!((run.settings.seed, warnings.len()), (100_000, 0), "{line}: {warnings:?}");
    }
}

#[test]
fn resco_and_libsignal_and_sumo_itself_start() {
    for line in [
        "sumo -n a.net.xml -r a.rou.xml --random --time-to-teleport -1 --tripinfo-output t.xml \
         --tripinfo-output.write-unfinished --no-step-log True --no-warnings True",
        "sumo -c a.sumocfg --no-warnings True --no-step-log True --start --quit-on-end --delay 0",
        "sumo a.sumocfg",
        "tessds-sumo -c a.sumocfg -SQW --duration-log.disable --statistic-output s.xml",
    ] {
        let (run, warnings) = config(&line.split_whitespace().collect::<Vec<_>>());
        assert!(warnings.is_empty(), "{line}: {warnings:?}");
        assert_eq!(run.report.no_warnings, line.contains("warnings") || line.contains("-SQW"), "{line}");
    }
}

#[test]
fn a_port_is_refused_as_long_as_nobody_would_answer() {
    let set = |ports: &[&str]| {
        let options = ports.iter().map(|port| ("remote-port", *port)).chain([("net-file", "a.net.xml")]);
        RunConfig::from_command_line(None, options, &mut Warnings::default())
    };
    assert!(set(&["8813"]).expect_err("a port").to_string().contains("no TraCI server"));
    assert!(set(&["0"]).is_ok());
    assert!(set(&["8813", "0"]).is_ok(), "the command line takes back what a configuration says");
}
