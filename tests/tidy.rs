//! Rules that the compiler cannot check: arrows between crates, places of `unsafe`, sizes, language.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[path = "tidy/language.rs"]
mod language;

/// Crates of the project that a crate may use; crates/README.md draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("lqd-wire", &[]),
    ("lqd-stats", &[]),
    ("lqd-net", &[]),
    ("lqd-stream", &[]),
    ("lqd-index", &["lqd-wire"]),
    ("lqd-feed", &["lqd-index", "lqd-wire"]),
    ("lqd-answer", &["lqd-index", "lqd-wire"]),
    ("lqd", &["lqd-answer", "lqd-feed", "lqd-index", "lqd-net", "lqd-stats", "lqd-stream", "lqd-wire"]),
    ("lqd-requestor", &["lqd-wire"]),
    ("lqload", &["lqd-net", "lqd-stats", "lqd-wire"]),
    ("lqd-benches", &["lqd-answer", "lqd-feed", "lqd-index", "lqd-net", "lqd-stats", "lqd-wire"]),
];

/// Places that may hold `unsafe`: a crate, or single files of one.
const UNSAFE_PLACES: &[&str] = &["crates/net/", "crates/index/src/pages.rs", "crates/index/src/prefetch.rs"];

/// Folders with sources and documents.
const FOLDERS: &[&str] = &["crates", "loadgen", "benches", "tests", "deploy"];

/// A file longer than this does more than one job.
const LINES_MAX: usize = 600;

#[test]
fn crates_use_each_other_as_drawn() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> = packages.iter().map(|package| text(&package["name"])).collect();
    for package in packages {
        let name = text(&package["name"]);
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            panic!(
                "{name} is not in ARROWS; add a row with what it may use, and draw it in crates/README.md"
            );
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = text(&dependency["name"]);
            let for_tests = dependency["kind"] == "dev";
            if ours.contains(to) && !for_tests {
                assert!(allowed.contains(&to), "{name} must not use {to}; see ARROWS and crates/README.md");
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a name")
}

#[test]
fn unsafe_stands_in_few_places() {
    for (path, source) in sources() {
        let code = source.lines().map(|line| line.split("//").next().unwrap_or_default());
        let is_unsafe = |line: &str| {
            ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"]
                .map(|word| line.contains(word))
                .contains(&true)
        };
        let allowed = UNSAFE_PLACES.iter().any(|place| path.starts_with(place));
        assert!(
            allowed || path == "tests/tidy.rs" || !code.clone().any(is_unsafe),
            "{path}: unsafe belongs in crates/net, or in a small module that UNSAFE_PLACES names"
        );
        let is_root = path.ends_with("src/lib.rs") || path.ends_with("/main.rs") && !path.contains("tests/");
        if is_root && !allowed {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let in_part = UNSAFE_PLACES.iter().any(|place| place.starts_with(folder));
            let lint = if in_part { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
            assert!(source.contains(lint), "{path}: add {lint}");
        }
    }
}

#[test]
fn files_do_one_job() {
    for (path, source) in sources() {
        let lines = source.lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines; split it by meaning (at most {LINES_MAX})");
    }
}

/// Every Rust file of the project with its path from the root.
fn sources() -> Vec<(String, String)> {
    files(&["rs"])
}

/// Every file of the project with one of the extensions: its path from the root, and its text.
fn files(extensions: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = entries(root).filter(|path| path.is_file()).collect();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        let (inner, files): (Vec<_>, Vec<_>) = entries(&folder).partition(|path| path.is_dir());
        folders
            .extend(inner.into_iter().filter(|path| path.file_name().is_some_and(|name| name != "target")));
        paths.extend(files);
    }
    let is_wanted =
        |path: &PathBuf| path.extension().is_some_and(|end| extensions.iter().any(|one| end == *one));
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root).expect("below the root").display().to_string();
        (name, fs::read_to_string(&path).expect("a source file is text"))
    };
    let found: Vec<_> = paths.into_iter().filter(is_wanted).map(read).collect();
    assert!(found.len() > 50, "the sources were found");
    found
}

/// Paths in a folder; none if it cannot be read.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}
