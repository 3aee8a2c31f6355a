//! The examples for build tools do what they say, with the real programs.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::rules::is_there;
use crate::workbench::Workbench;

/// A copy of all examples, whose assistants learn less, in a folder whose name has a
/// space.
fn examples() -> Workbench {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let bench = Workbench::oddly_named(&[]).with_copy_of(&source);
    for bot in ["greeting", "minimal"] {
        let config = bench.read(&format!("{bot}/config.yml"));
        let lines = config.lines().map(|line| match line.split_once("epochs:") {
            Some((before, _)) => format!("{before}epochs: 1\n"),
            None => format!("{line}\n"),
        });
        bench.write(&format!("{bot}/config.yml"), &lines.collect::<String>());
    }
    bench
}

/// Runs a tool in the folder of its example; returns what it says.
#[track_caller]
fn said(bench: &Workbench, tool: &str, words: &[&str]) -> String {
    // Make's clock must have gone on since the last build.
    thread::sleep(Duration::from_millis(20));
    let output = Command::new(tool)
        .args(words)
        .current_dir(bench.root().join(tool))
        .env("TABELLA_CACHE_DIR", bench.cache())
        .env("TABELLA", env!("CARGO_BIN_EXE_tabella"))
        .env("PATH", path())
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{told}");
    told
}

/// The program is found as `tabella`.
fn path() -> std::ffi::OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_tabella"));
    let own = program.parent().unwrap().to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let others: Vec<_> = std::env::split_paths(&others).collect();
    std::env::join_paths(std::iter::once(own).chain(others)).unwrap()
}

/// Builds, builds again, and after the text of a response has changed.
fn check(tool: &str) {
    let bench = examples();
    let served = |bot: &str| {
        let path = bench.root().join(format!("{tool}/served/{bot}.tar.gz"));
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        (fs::read(&path).unwrap(), time)
    };
    said(&bench, tool, &[]);
    let first = (served("greeting"), served("minimal"));
    let told = said(&bench, tool, &[]);
    assert!(!told.contains("serve"), "{told}");
    assert_eq!((served("greeting"), served("minimal")), first);

    let domain = bench.read("minimal/domain.yml");
    bench.write(
        "minimal/domain.yml",
        &domain.replacen("text: ", "text: Well. ", 1),
    );
    said(&bench, tool, &[]);
    assert_eq!(served("greeting"), first.0);
    assert_ne!(served("minimal").0, first.1.0);

    let told = said(&bench, tool, &["tabella-status"]);
    assert_eq!(told.matches("tasks are fresh").count(), 2, "{told}");
}

#[test]
fn the_example_for_make_serves_what_is_another_archive() {
    if is_there("make") {
        check("make");
    }
}

#[test]
fn the_example_for_ninja_serves_what_is_another_archive_and_its_rules_are_of_now() {
    if !is_there("ninja") {
        return;
    }
    check("ninja");
    let bench = examples();
    let rules = Command::new(env!("CARGO_BIN_EXE_tabella"))
        .args(["rules", "ninja", "--all"])
        .current_dir(bench.root().join("ninja"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&rules.stdout),
        bench.read("ninja/tabella.ninja")
    );
}

#[test]
fn the_example_for_just_trains_and_tells() {
    if !is_there("just") {
        return;
    }
    let bench = examples();
    said(&bench, "just", &["train", "minimal"]);
    let told = said(&bench, "just", &["train", "minimal"]);
    assert!(told.contains("nothing to do"), "{told}");
    said(&bench, "just", &["stale", "greeting"]);
    said(&bench, "just", &["test", "minimal"]);
}
