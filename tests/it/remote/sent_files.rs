//! Files of the project that components name go along to other machines; where
//! something else is needed, the tasks stay here, and it is said why.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::command;
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

/// Trains with vectors of this path; returns why the task stays here.
#[track_caller]
fn stays(path: &str, prepare: impl FnOnce(&Path)) -> String {
    let (machine, server) = (machine(), executing());
    let root = machine.bench.root();
    fs::write(root.join("../small.vec"), VECTORS).unwrap();
    prepare(&root);
    let config = CONFIG.replace("./vectors/small.vec", path);
    machine.bench.write("config.yml", &config);
    let (count, told) = sent(&machine, &server);
    assert_eq!((count, told.len()), (0, 1), "{told:?}");
    assert_eq!(machine.models().len(), 1);
    told[0].clone()
}

#[test]
fn what_is_not_of_the_project_stays_here_and_it_is_said_once() {
    let said = |path: &str| {
        format!(
            "warning: remote cache: the tasks of NLU run here: WordVectorsFeaturizer reads `{path}`, \
             which is not in the project's folder"
        )
    };
    assert_eq!(stays("../small.vec", |_| {}), said("../small.vec"));
    let leads_out = "vectors/../../small.vec";
    assert_eq!(stays(leads_out, |_| {}), said(leads_out));
    let link = |root: &Path| symlink("../../small.vec", root.join("vectors/link.vec")).unwrap();
    assert_eq!(stays("vectors/link.vec", link), said("vectors/link.vec"));
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("small.vec");
    fs::write(&path, VECTORS).unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(stays(path, |_| {}), said(path));
}

#[test]
fn a_program_of_the_users_runs_here() {
    let (machine, server) = (Machine::new(), executing());
    machine.bench.write("config.yml", command::CONFIG);
    machine.bench.write("finder.sh", command::FINDER);
    machine.bench.write("words/kind.txt", "word\n");
    let (count, told) = sent(&machine, &server);
    let said = "warning: remote cache: the tasks of NLU run here: a `command` runs a program of this \
                machine";
    assert_eq!((count, told), (0, vec![said.to_owned()]));
}
