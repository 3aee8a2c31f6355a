//! Files of the project that components name go along to other machines; where
//! something else is needed, the tasks stay here, and it is said why.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::command;
use crate::language_model;
use crate::remote::Machine;
use crate::remote::reapi::Habits;
use crate::remote::reapi::Reapi;
use crate::workbench::program;

/// Word vectors, and a dictionary in a folder.
const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: JiebaTokenizer
  dictionary_path: words
- name: WordVectorsFeaturizer
  vectors: ./vectors/small.vec
- name: LogisticRegressionClassifier
policies:
- name: MemoizationPolicy
";

const VECTORS: &str = "\
4 3
hello 1 0.1 0
hi 0.9 0 0.1
goodbye 0 1 0.1
see 0.1 0.9 0
";

fn machine() -> Machine {
    let machine = Machine::new();
    machine.bench.write("config.yml", CONFIG);
    machine.bench.write("vectors/small.vec", VECTORS);
    machine.bench.write("words/user.txt", "goodday 5 n\n");
    machine
}

fn executing() -> Reapi {
    Reapi::new(Habits {
        executes: true,
        ..Habits::default()
    })
}

/// Trains, and returns how many tasks were sent, and what is said of that.
#[track_caller]
fn sent(machine: &Machine, server: &Reapi) -> (usize, Vec<String>) {
    let before = server.jobs.asked.load(Ordering::SeqCst);
    let output = program(&machine.bench.root(), machine.bench.cache())
        .args(["train", "--remote", &server.url, "--remote-exec"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let lines = told.lines().filter(|line| line.contains("remote cache"));
    let lines = lines.map(str::to_owned).collect();
    (server.jobs.asked.load(Ordering::SeqCst) - before, lines)
}

#[test]
fn files_of_the_project_that_components_name_are_sent_along() {
    let (here, there, server) = (machine(), machine(), executing());
    here.bench.train().unwrap();
    assert_eq!(sent(&there, &server), (1, Vec::new()));
    assert_eq!(there.models(), here.models());
    // It is what runs here that the result is kept for.
    assert_eq!(there.bench.train().unwrap().ran, 0);
}

/// Trains with vectors of this path, which are no part of the project: tasks that do not
/// read them are sent all the same.
#[track_caller]
fn is_sent_without(path: &str, prepare: impl Fn(&Path)) {
    let (here, there, server) = (machine(), machine(), executing());
    let config = CONFIG.replace("./vectors/small.vec", path);
    for machine in [&here, &there] {
        let root = machine.bench.root();
        fs::write(root.join("../small.vec"), VECTORS).unwrap();
        machine.bench.write("config.yml", &config);
    }
    prepare(&there.bench.root());
    prepare(&here.bench.root());
    here.bench.train().unwrap();
    assert_eq!(sent(&there, &server), (1, Vec::new()));
    assert_eq!(there.models(), here.models());
    let blobs = server.blobs.lock().unwrap();
    assert!(!blobs.values().any(|bytes| *bytes == VECTORS.as_bytes()));
}

#[test]
fn what_is_not_of_the_project_keeps_no_task_here_that_does_not_read_it() {
    is_sent_without("../small.vec", |_| {});
    is_sent_without("vectors/../../small.vec", |_| {});
    is_sent_without("vectors/link.vec", |root| {
        symlink("../../small.vec", root.join("vectors/link.vec")).unwrap();
    });
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("small.vec");
    fs::write(&path, VECTORS).unwrap();
    is_sent_without(path.to_str().unwrap(), |_| {});
}

#[test]
fn files_that_a_task_does_not_read_stay_here_also_those_of_the_project() {
    let (machine, server) = (machine(), executing());
    assert_eq!(sent(&machine, &server).0, 1);
    let blobs = server.blobs.lock().unwrap();
    assert!(!blobs.values().any(|bytes| *bytes == VECTORS.as_bytes()));
}

#[test]
fn a_program_of_the_users_runs_here_and_what_comes_after_it_elsewhere() {
    let (here, there, server) = (Machine::new(), Machine::new(), executing());
    for machine in [&here, &there] {
        machine.bench.write("config.yml", command::CONFIG);
        machine.bench.write("finder.sh", command::FINDER);
        machine.bench.write("words/kind.txt", "word\n");
    }
    here.bench.train().unwrap();
    let (count, told) = sent(&there, &server);
    let said =
        "warning: remote cache: the tasks of command run here: it runs a program of this machine";
    assert_eq!((count, told), (1, vec![said.to_owned()]));
    assert_eq!(there.models(), here.models());
}

#[test]
fn a_language_model_that_is_not_of_the_project_keeps_its_own_tasks_here() {
    let (here, there, server) = (Machine::new(), Machine::new(), executing());
    let shelf = tempfile::tempdir().unwrap();
    for machine in [&here, &there] {
        language_model::put_model(&machine.bench, "tiny");
        let folder = machine.bench.root().join("tiny");
        let outside = shelf.path().join("tiny");
        match outside.exists() {
            true => fs::remove_dir_all(folder).unwrap(),
            false => fs::rename(folder, &outside).unwrap(),
        }
        let config = CONFIG
            .replace(
                "JiebaTokenizer\n  dictionary_path: words",
                "WhitespaceTokenizer",
            )
            .replace("WordVectorsFeaturizer", "LanguageModelFeaturizer")
            .replace(
                "vectors: ./vectors/small.vec",
                &format!("model_weights: {}", outside.display()),
            );
        machine.bench.write("config.yml", &config);
    }
    here.bench.train().unwrap();
    let (count, told) = sent(&there, &server);
    assert_eq!((count, told.len()), (1, 1), "{told:?}");
    let begin = "warning: remote cache: the tasks of LanguageModelFeaturizer run here: it reads `";
    assert!(told[0].starts_with(begin), "{told:?}");
    assert_eq!(there.models(), here.models());
}
