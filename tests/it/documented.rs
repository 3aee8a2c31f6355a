//! The commands that the documentation tells to type exist, with all of their flags.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// Returns the pages that people read.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    for folder in ["docs", "examples"] {
        for entry in walkdir::WalkDir::new(root.join(folder)) {
            let path = entry.unwrap().into_path();
            if path.extension().is_some_and(|end| end == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// Returns what is to be typed on a page: lines of blocks, and words between backticks.
fn commands(page: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for (at, part) in page.split("```").enumerate() {
        let pieces: Vec<&str> = match at % 2 {
            1 => part.lines().collect(),
            _ => part.split('`').skip(1).step_by(2).collect(),
        };
        for piece in pieces {
            let piece = piece.replace(['\n', '\\'], " ");
            let piece = piece.trim_start().trim_start_matches("- ");
            let piece = piece.trim_start_matches("run: ").trim_start_matches("$ ");
            if piece.starts_with("tabella ") {
                let end = piece.find([';', '|', '>', '#', '&', '…']);
                commands.push(piece[..end.unwrap_or(piece.len())].to_owned());
            }
        }
    }
    commands
}

/// Returns the words that choose a subcommand, and the flags.
fn parts(command: &str) -> (Vec<String>, Vec<String>) {
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    let is_name = |word: &&&str| word.chars().all(|letter| letter.is_ascii_lowercase());
    let names = words.iter().take(2).take_while(is_name);
    let flags = words.iter().filter(|word| word.starts_with("--"));
    let flag = |word: &&str| {
        let end = |letter: char| !letter.is_ascii_lowercase() && letter != '-';
        word.split(end).next().unwrap_or_default().to_owned()
    };
    (
        names.map(|word| (*word).to_owned()).collect(),
        flags.map(flag).filter(|flag| flag.len() > 2).collect(),
    )
}

#[test]
fn every_command_in_the_documentation_exists_with_its_flags() {
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut count = 0;
    for page in pages() {
        for command in commands(&fs::read_to_string(&page).unwrap()) {
            let (names, flags) = parts(&command);
            let help = helps.entry(names.clone()).or_insert_with(|| {
                let output = Command::new(env!("CARGO_BIN_EXE_tabella"))
                    .args(&names)
                    .arg("--help")
                    .output()
                    .unwrap();
                let is_there = output.status.success();
                assert!(is_there, "{}: {command}", page.display());
                String::from_utf8(output.stdout).unwrap()
            });
            for flag in flags {
                let ends =
                    |rest: &str| !rest.starts_with(|c: char| c == '-' || c.is_alphanumeric());
                let is_there = help.split(&flag).skip(1).any(ends);
                assert!(is_there, "{}: {flag} of {command}", page.display());
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count}");
}
