use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tessds::diagnostics::{Location, Warnings};
use tessds::output::{MergedStep, Names, Outputs, Reporting, RunEnd, RunReport, add_whole_run_requests};
use tessds::scenario::{RunConfig, load};
use tessds::sim::{Partition, ReportOptions, RouteGuidance, Scope, World};

fn main() {
    let args: Vec<String> = std::env::args().skip(2).collect();
    let mut warnings = Warnings::default();
    let mut config = RunConfig::default();
    let mut report_json = None;
    let mut i = 0;
    let mut rest = Vec::new();
    while i < args.len() {
        match args[i].as_str() {
            "-c" => {
                config = RunConfig::read(Path::new(&args[i + 1]), &mut warnings).unwrap();
                i += 2;
            }
            "--no-step-log" | "--no-warnings" => i += 1,
            "--report-json" => {
                report_json = Some(PathBuf::from(&args[i + 1]));
                i += 2;
            }
            "--partitions" => i += 2,
            _ => {
                rest.push((args[i].trim_start_matches('-').to_owned(), args[i + 1].clone()));
                i += 2;
            }
        }
    }
    for (k, v) in rest {
        let k = match k.as_str() {
            "b" => "begin".into(),
            "e" => "end".into(),
            _ => k,
        };
        config.set(&k, &v, Path::new(""), Location::default(), &mut warnings).unwrap();
    }
    let t0 = Instant::now();
    let mut scenario = load(&config, &mut warnings).unwrap_or_else(|e| {
        eprintln!("{e}");
        std::process::exit(2)
    });
    add_whole_run_requests(&config.outputs, &mut scenario.requests);
    for (k, at, m, n) in warnings.iter() {
        eprintln!("warning: {k}: {at}: {m} ({n})");
    }
    let names = Names { network: Arc::new(scenario.network.clone()), demand: Arc::new(scenario.demand.clone()) };
    let s = &scenario.settings;
    let reporting = Reporting { partitions: 1, begin_ms: s.begin_ms, step_ms: s.step_ms, capacity: 64 };
    let mut outputs = Outputs::open(&names, &config.outputs, &scenario.requests, reporting).unwrap();
    let settings = scenario.settings.clone();
    let world = Arc::new(World::new(scenario.network, scenario.demand, scenario.settings, scenario.requests));
    eprintln!("load {:.3}s reach {:.1}", t0.elapsed().as_secs_f64(), world.reach_m);
    let scope = Scope::new(&world, 0, &vec![0; world.network.edges.len()]);
    let mut p = Partition::new(world.clone(), scope);
    let mut guidance = RouteGuidance::new(&world);
    let mut orders = None;
    let mut routing = std::time::Duration::ZERO;
    let t = Instant::now();
    let fcd = config.outputs.fcd.is_some();
    while !p.is_done() && settings.end_ms.is_none_or(|e| p.now_ms() < e) {
        if let Some(due) = orders.take_if(|o: &mut tessds::sim::RouteOrders| o.at_ms == p.now_ms()) {
            p.apply_routes(&due.updates);
        }
        let r = p.step(ReportOptions { fcd, digest: false });
        if std::env::var("TP").is_ok() {
            for t in &r.teleports {
                eprintln!(
                    "{} {} {} {:?}",
                    r.time_ms / 1000,
                    names.departure(t.vehicle).name,
                    world.network.lane_name(t.lane),
                    t.cause
                );
            }
        }
        if let Some(guidance) = &mut guidance {
            let t = Instant::now();
            guidance.observe(&r);
            orders = guidance.take_orders().or(orders);
            routing += t.elapsed();
        }
        if let (Ok(file), false) = (std::env::var("VR"), r.departed.is_empty()) {
            use std::io::Write;
            let mut f = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
            p.each_vehicle(|_, v| {
                if i64::from(v.depart_ms) == r.time_ms {
                    let edges: Vec<&str> = p.route(v.route).iter().map(|e| &*world.network.edge(*e).name).collect();
                    writeln!(f, "{} {}", names.departure(v.id).name, edges.join(" ")).unwrap();
                }
            });
        }
        outputs.add(0, r).unwrap();
    }
    let wall = t.elapsed();
    eprintln!("routing {:.3}s", routing.as_secs_f64());
    let (intervals, detectors) = p.close_intervals();
    let tail = MergedStep::of([tessds::sim::report::StepReport {
        intervals,
        detectors,
        counts: *outputs.counts(),
        ..Default::default()
    }]);
    outputs.finish(&RunEnd { end_ms: p.now_ms(), tail, ..Default::default() }).unwrap();
    let report = RunReport::new(p.steps(), settings.step_ms, outputs.counts(), wall, p.digest().0, 1);
    println!("{}", serde_json::to_string(&report).unwrap());
    println!("{:?}", outputs.counts());
    if let Some(f) = report_json {
        report.write(&f).unwrap();
    }
}
