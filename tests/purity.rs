//! I8: the kernel is pure. `src/sim` and `src/graph` know no actor, socket, clock, file or store; and the kernel computes
//! with nothing that differs between machines.

use std::path::{Path, PathBuf};

/// Paths that nothing pure names.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::time",
    "std::thread",
    "std::env",
    "std::process",
    "tokio",
    "actix",
    "redis",
    "tracing",
    "crate::actors",
    "crate::output",
    "crate::roles",
    "crate::observe",
    "crate::protocol",
    "crate::settings",
];

/// Arithmetic whose last bits depend on the C library or on the processor.
const NOT_PORTABLE: &[&str] = &[
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "exp", "exp2", "exp_m1", "ln",
    "ln_1p", "log", "log2", "log10", "powf", "powi", "hypot", "cbrt", "mul_add",
];

fn sources(folder: &str) -> Vec<PathBuf> {
    fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.file_stem().is_some_and(|stem| stem == "tests") {
                continue;
            }
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    assert!(found.len() >= 5, "{folder} holds too few sources to be true");
    found
}

/// The code of a source without comments and without the tests at its end.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = source.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    code.map(|(number, line)| (number + 1, line.split("//").next().unwrap_or("")))
}

/// `word` stands in `line` and is not a part of a longer name.
fn names(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(is_name)
            && !line[at + word.len()..].chars().next().is_some_and(is_name)
    })
}

fn impurities(source: &str) -> Vec<String> {
    let grouped = |path: &str| {
        let (first, rest) = path.split_once("::")?;
        Some((format!("{first}::{{"), rest.to_owned()))
    };
    code(source)
        .flat_map(|(number, line)| IMPURE.iter().map(move |path| (number, line, path)))
        .filter(|(_, line, path)| {
            names(line, path)
                || grouped(path).is_some_and(|(group, rest)| {
                    line.find(&group).is_some_and(|at| names(&line[at + group.len()..], &rest))
                })
        })
        .map(|(number, line, _)| format!("{number}: {}", line.trim()))
        .collect()
}

fn unportable(source: &str) -> Vec<String> {
    code(source)
        .filter(|(_, line)| {
            NOT_PORTABLE.iter().any(|f| line.contains(&format!(".{f}(")) || line.contains(&format!("f64::{f}")))
        })
        .map(|(number, line)| format!("{number}: {}", line.trim()))
        .collect()
}

fn check(folder: &str, find: impl Fn(&str) -> Vec<String>) {
    let found: Vec<String> = sources(folder)
        .into_iter()
        .flat_map(|path| {
            let source = std::fs::read_to_string(&path).expect("a source");
            find(&source).into_iter().map(move |line| format!("{}:{line}", path.display())).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "not pure:\n{}", found.join("\n"));
}

#[test]
fn the_kernel_knows_no_file_clock_thread_socket_or_actor() {
    check("src/sim", impurities);
}

#[test]
fn the_network_knows_no_file_clock_thread_socket_or_actor() {
    check("src/graph", impurities);
}

#[test]
fn the_kernel_computes_with_portable_arithmetic_only() {
    check("src/sim", unportable);
}

#[test]
fn impurity_would_be_found() {
    for line in ["use std::time::Instant;", "let x = std::fs::read(p);", "use std::{io, fs};", "use actix::prelude::*;"]
    {
        assert_eq!(impurities(line).len(), 1, "{line}");
    }
    for line in ["// use std::fs;", "use std::sync::Arc;", "let actix_like = 1;", "#[cfg(test)]\nuse std::fs;"] {
        assert!(impurities(line).is_empty(), "{line}");
    }
    assert_eq!(unportable("let y = x.powf(4.0);").len(), 1);
    assert!(unportable("let y = x.sqrt().max(logs);").is_empty());
}
