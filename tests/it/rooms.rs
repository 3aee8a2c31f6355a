//! The crate reads front to back: a room uses only rooms above it.

#![allow(clippy::unwrap_used)] // clippy sees tests only in functions marked so

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;
use walkdir::WalkDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rooms in the order of `src/lib.rs`.
fn rooms() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let rooms: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    assert!(rooms.len() > 10, "src/lib.rs lists only {rooms:?}");
    rooms
}

/// The Rust files below `folder`, sorted.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok)
        .map(|entry| entry.into_path())
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect();
    files.sort();
    files
}

/// The lines of a file with their numbers, without comments.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let without_comment = |line: &str| match line.trim_start().starts_with("//") {
        true => String::new(),
        false => line.split(" // ").next().unwrap_or_default().to_owned(),
    };
    (1..).zip(text.lines().map(without_comment)).collect()
}

/// What is wrong with the `crate::` paths of one line in the room `room`.
fn forbidden_uses(rooms: &[String], room: &str, line: &str) -> Vec<String> {
    let place = |name: &str| rooms.iter().position(|room| room == name);
    let here = place(room).unwrap();
    // `$crate` of a macro is a path like any other.
    static PATH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bcrate::(\{|\w+)").unwrap());
    PATH.captures_iter(line)
        .filter_map(|found| match &found[1] {
            "{" => Some("use one path a line".to_owned()),
            name => match place(name) {
                Some(there) if there <= here => None,
                Some(_) => Some(format!("`{room}` is above `{name}`")),
                None => Some(format!("`{name}` is not a room")),
            },
        })
        .collect()
}

#[test]
fn a_room_uses_only_rooms_above_it() {
    let rooms = rooms();
    let mut wrong = Vec::new();
    for room in &rooms {
        let files = rust_files(&root().join("src").join(room));
        assert!(!files.is_empty(), "room `{room}` has no folder");
        for path in files {
            for (number, line) in code(&path) {
                for reason in forbidden_uses(&rooms, room, &line) {
                    wrong.push(format!("{}:{number}: {reason}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_use_of_a_room_below_is_noticed() {
    let rooms = ["digest".to_owned(), "data".to_owned()];
    let uses = |room, line| forbidden_uses(&rooms, room, line);
    assert!(uses("data", "use crate::digest::Digest;").is_empty());
    assert!(uses("data", "use crate::data::Slot;").is_empty());
    assert_eq!(
        uses("digest", "let x = crate::data::f();"),
        ["`digest` is above `data`"]
    );
    assert_eq!(
        uses("data", "use crate::{digest};"),
        ["use one path a line"]
    );
    assert_eq!(uses("data", "crate::lost::f()"), ["`lost` is not a room"]);
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let folders = ["src", "tests", "examples", "benches"];
    let files = folders.map(|folder| rust_files(&root().join(folder)));
    for path in files.into_iter().flatten() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{}", path.display());
    }
}

#[test]
fn unsafe_code_stays_in_the_simd_files() {
    let word =
        Regex::new(r"\bunsafe\s*(\{|\(|(fn|impl|trait|extern)\b)|allow\(unsafe_code").unwrap();
    for path in rust_files(&root().join("src")) {
        if path
            .strip_prefix(root())
            .unwrap()
            .to_string_lossy()
            .starts_with("src/matrix/simd")
        {
            continue;
        }
        for (number, line) in code(&path) {
            assert!(!word.is_match(&line), "{}:{number}: {line}", path.display());
        }
    }
}

#[test]
fn the_first_two_commands_of_the_readme_train_an_example_and_run_the_tests() {
    // The README may not be written yet; then there is nothing to hold it to.
    let Ok(text) = fs::read_to_string(root().join("README.md")) else {
        return;
    };
    let commands: Vec<&str> = text
        .split("```")
        .skip(1)
        .step_by(2)
        .flat_map(|block| block.lines().skip(1))
        .map(|line| line.trim_start_matches("$ ").trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .take(2)
        .collect();
    let [first, second] = commands[..] else {
        panic!("README.md shows {} commands", commands.len());
    };
    assert!(first.starts_with("cargo run --release"), "{first}");
    for word in [" train ", " parse "] {
        assert!(first.contains(word), "no `{word}` in: {first}");
    }
    let example = Regex::new(r"examples/\w+").unwrap();
    let folder = example
        .find(first)
        .expect("the first command trains an example");
    assert!(root().join(folder.as_str()).is_dir(), "{first}");
    assert_eq!(second, "cargo test --release");
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(ci.contains(second), ".ci/run does not run: {second}");
}
