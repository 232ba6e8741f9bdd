//! Arrows go down only: what each layer may use is listed here, and nothing else. The kernel computes with nothing that differs
//! between machines, and the library needs no runtime, socket or store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a layer may use beside itself: modules of this crate, other crates, and modules of `std`.
struct Layer {
    name: &'static str,
    modules: &'static [&'static str],
    crates: &'static [&'static str],
    /// `None`: all.
    std: Option<&'static [&'static str]>,
}

/// No file, clock, thread, socket, environment or process.
const PURE_STD: &[&str] = &[
    "arch",
    "borrow",
    "cell",
    "cmp",
    "collections",
    "error",
    "f64",
    "fmt",
    "hash",
    "iter",
    "mem",
    "num",
    "ops",
    "ptr",
    "rc",
    "slice",
    "str",
    "sync",
];

/// The same with reading from what somebody opened.
const TEXT_STD: &[&str] = &[
    "borrow",
    "cmp",
    "collections",
    "error",
    "f64",
    "fmt",
    "hash",
    "io",
    "iter",
    "mem",
    "num",
    "ops",
    "ptr",
    "rc",
    "str",
    "sync",
];

/// From the bottom to the top; a layer uses none that is not named with it.
const LAYERS: &[Layer] = &[
    Layer { name: "ids", modules: &[], crates: &["bytemuck", "serde"], std: Some(PURE_STD) },
    Layer { name: "diagnostics", modules: &[], crates: &["thiserror"], std: Some(PURE_STD) },
    Layer { name: "suggest", modules: &[], crates: &["strsim"], std: Some(PURE_STD) },
    Layer { name: "xml", modules: &["diagnostics"], crates: &["memchr", "quick_xml"], std: Some(TEXT_STD) },
    Layer { name: "attributes", modules: &["diagnostics", "xml"], crates: &[], std: Some(PURE_STD) },
    Layer {
        name: "coverage",
        modules: &["attributes", "diagnostics", "suggest", "xml"],
        crates: &[],
        std: Some(PURE_STD),
    },
    Layer {
        name: "graph",
        modules: &["attributes", "coverage", "diagnostics", "ids", "suggest", "xml"],
        crates: &["metis", "petgraph", "rmp_serde", "serde", "thiserror", "xxhash_rust"],
        std: Some(TEXT_STD),
    },
    Layer {
        name: "demand",
        modules: &["attributes", "coverage", "diagnostics", "graph", "ids", "xml"],
        crates: &["bytemuck", "serde", "thiserror", "xxhash_rust"],
        std: Some(TEXT_STD),
    },
    Layer {
        name: "sim",
        modules: &["demand", "graph", "ids"],
        crates: &["bytemuck", "serde", "thiserror", "xxhash_rust"],
        std: Some(PURE_STD),
    },
    Layer {
        name: "scenario",
        modules: &["attributes", "coverage", "demand", "diagnostics", "graph", "ids", "sim", "suggest", "xml"],
        crates: &["chrono", "flate2", "memchr", "rmp_serde", "serde", "serde_json", "thiserror", "xxhash_rust"],
        std: None,
    },
    Layer {
        name: "output",
        modules: &["demand", "diagnostics", "graph", "ids", "planted", "scenario", "sim"],
        crates: &[
            "arrow_array",
            "arrow_schema",
            "flate2",
            "memchr",
            "parquet",
            "rmp_serde",
            "serde",
            "serde_json",
            "thiserror",
        ],
        std: None,
    },
    Layer {
        name: "simulation",
        modules: &["demand", "diagnostics", "graph", "ids", "output", "scenario", "sim"],
        crates: &["rmp_serde", "serde", "thiserror", "xxhash_rust"],
        std: None,
    },
    Layer { name: "tls", modules: &[], crates: &["rustls", "thiserror", "tracing"], std: None },
    Layer {
        name: "persist",
        modules: &[],
        crates: &["lz4_flex", "redis", "rmp_serde", "rustls", "serde", "thiserror", "tokio", "tracing", "xxhash_rust"],
        std: None,
    },
    Layer {
        name: "protocol",
        modules: &["persist", "sim", "tls"],
        crates: &["rmp_serde", "rustls", "serde", "socket2", "thiserror", "tokio", "tokio_rustls", "xxhash_rust"],
        std: None,
    },
];

/// Modules above the library, which no layer of it may name whatever the list says.
const CLUSTER: &[&str] = &["actors", "cli", "control", "observe", "persist", "protocol", "roles", "settings", "tls"];

/// Arithmetic whose last bits depend on the C library or on the processor.
const NOT_PORTABLE: &[&str] = &[
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "exp", "exp2", "exp_m1", "ln",
    "ln_1p", "log", "log2", "log10", "powf", "powi", "hypot", "cbrt", "mul_add",
];

/// Most crates that the library may need, itself among them.
const MOST_CRATES: usize = 60;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources of a module, without those of its tests.
fn sources(module: &str) -> Vec<PathBuf> {
    fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if stem.ends_with("tests") || stem == "testing" {
                continue;
            }
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let file = root().join("src").join(module).with_extension("rs");
    if file.is_file() {
        return vec![file];
    }
    let mut found = Vec::new();
    visit(&root().join("src").join(module), &mut found);
    assert!(found.len() >= 3, "{module} holds too few sources to be true");
    found
}

/// The code of a source without comments, texts and the tests at its end.
fn code(source: &str) -> String {
    let code = source.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    let code: Vec<&str> = code.map(|line| line.split("//").next().unwrap_or("")).collect();
    // Texts of one line are enough: no text of several lines names a path.
    code.iter().map(|line| line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"") + "\n").collect()
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names that follow `root::` in the code: one, or those of a group.
fn members(code: &str, root: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let path = format!("{root}::");
    for (at, _) in code.match_indices(&path) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| is_name(c) || c == ':') {
            continue;
        }
        let rest = &code[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(rest.chars().take_while(|c| is_name(*c)).collect());
            continue;
        };
        let mut depth = 0;
        // Of each member the first name alone: what follows is inside of it.
        let (mut word, mut is_first) = (String::new(), true);
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && is_first && is_name(c) {
                word.push(c);
            } else if depth == 0 && !word.is_empty() {
                found.insert(std::mem::take(&mut word));
                is_first = false;
            }
            is_first |= depth == 0 && c == ',';
        }
        found.extend((!word.is_empty()).then_some(word));
    }
    found
}

/// Crates of `Cargo.toml` that the code names.
fn crates_of<'d>(code: &str, dependencies: &'d BTreeSet<String>) -> BTreeSet<&'d str> {
    let named = |name: &&String| {
        let path = format!("{name}::");
        code.match_indices(&path).any(|(at, _)| !code[..at].chars().next_back().is_some_and(|c| is_name(c) || c == ':'))
    };
    dependencies.iter().filter(named).map(String::as_str).collect()
}

fn dependencies() -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let section = manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next()).expect("a section");
    let names = section.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    names.map(|(name, _)| name.trim().replace('-', "_")).collect()
}

/// What the code of a layer uses and may not.
fn strangers(layer: &Layer, code: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for module in members(code, "crate") {
        let is_known =
            LAYERS.iter().any(|other| other.name == module) || CLUSTER.contains(&&*module) || module == "planted";
        if is_known && module != layer.name && !layer.modules.contains(&&*module) {
            found.push(format!("crate::{module}"));
        }
    }
    found.extend(
        crates_of(code, dependencies).into_iter().filter(|name| !layer.crates.contains(name)).map(str::to_owned),
    );
    if let Some(allowed) = layer.std {
        let is_module = |name: &String| name.chars().all(|c| c.is_lowercase() || c.is_numeric() || c == '_');
        let used = members(code, "std").into_iter().filter(is_module);
        found.extend(used.filter(|name| !allowed.contains(&&**name)).map(|name| format!("std::{name}")));
    }
    found
}

#[test]
fn each_layer_uses_only_what_it_may() {
    let dependencies = dependencies();
    let mut found = Vec::new();
    for layer in LAYERS {
        for path in sources(layer.name) {
            let source = std::fs::read_to_string(&path).expect("a source");
            for stranger in strangers(layer, &code(&source), &dependencies) {
                found.push(format!("{}: {stranger}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "not allowed:\n{}", found.join("\n"));
}

#[test]
fn the_list_has_no_circles() {
    for (at, layer) in LAYERS.iter().enumerate() {
        for module in layer.modules.iter().filter(|module| **module != "planted") {
            let below = LAYERS.iter().position(|other| other.name == *module);
            assert!(below.is_some_and(|below| below < at), "{} uses {module}, which is not below it", layer.name);
        }
    }
}

/// The layers above: who of them may use whom is less strict, but nothing goes up.
#[test]
fn what_stands_on_the_library_has_no_circles() {
    let order = ["persist", "protocol", "settings", "observe", "control", "actors", "roles"];
    let mut found = Vec::new();
    for (at, module) in order.iter().enumerate() {
        for path in sources(module) {
            let used = members(&code(&std::fs::read_to_string(&path).expect("a source")), "crate");
            let above = order[at + 1..].iter().filter(|above| used.contains(**above));
            found.extend(above.map(|above| format!("{}: crate::{above}", path.display())));
        }
    }
    assert!(found.is_empty(), "arrows that go up:\n{}", found.join("\n"));
}

#[test]
fn the_kernel_computes_with_portable_arithmetic_only() {
    let unportable = |code: &str| {
        let names =
            NOT_PORTABLE.iter().filter(|f| code.contains(&format!(".{f}(")) || code.contains(&format!("f64::{f}")));
        names.map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(unportable("let y = x.powf(4.0);"), ["powf"]);
    assert!(unportable("let y = x.sqrt().max(logs);").is_empty());
    for path in sources("sim") {
        let found = unportable(&code(&std::fs::read_to_string(&path).expect("a source")));
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}

#[test]
fn the_library_needs_few_crates_and_none_that_runs_or_connects() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["tree", "--locked", "--offline", "--no-default-features", "-e", "normal", "--prefix", "none"];
    let tree = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8_lossy(&tree.stdout).into_owned();
    let crates: BTreeSet<&str> =
        text.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()).collect();
    assert!(crates.len() <= MOST_CRATES, "{} crates: {crates:?}", crates.len());
    for unwanted in ["tokio", "actix", "axum", "redis", "rustls", "clap", "hyper", "tracing"] {
        assert!(!crates.contains(unwanted), "the library needs {unwanted}");
    }
}

#[test]
fn what_is_not_allowed_would_be_found() {
    let dependencies: BTreeSet<String> = ["tokio".to_owned(), "serde".to_owned()].into();
    let layer = Layer { name: "sim", modules: &["graph"], crates: &["serde"], std: Some(PURE_STD) };
    let found = |source: &str| strangers(&layer, &code(source), &dependencies);
    for (source, expected) in [
        ("use std::time::Instant;", "std::time"),
        ("let x = std::fs::read(p);", "std::fs"),
        ("use std::{cmp::max, thread};", "std::thread"),
        ("use crate::{graph::Lane, scenario::Settings};", "crate::scenario"),
        ("fn f(x: crate::persist::Epoch) {}", "crate::persist"),
        ("tokio::spawn(f);", "tokio"),
    ] {
        assert_eq!(found(source), [expected], "{source}");
    }
    for source in [
        "// use std::fs;",
        "use std::sync::Arc;",
        "use crate::graph::Network;",
        "let a = \"tokio::spawn\";",
        "#[cfg(test)]\nuse std::fs;",
        "use serde::Serialize;",
        "let x = std::f64::consts::PI;",
    ] {
        assert!(found(source).is_empty(), "{source}: {:?}", found(source));
    }
}
