//! Tasks that take long run on the machines behind a server, and give what they
//! would give here.

use std::fs;
use std::process;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use tabella::remote::Job;
use tabella::remote::JobFile;
use tabella::remote::RemoteCache;

use crate::json_schema::Schema;
use crate::remote::Machine;
use crate::remote::reading;
use crate::remote::reapi::Habits;
use crate::remote::reapi::Reapi;
use crate::remote::servers::CASD;
use crate::remote::servers::Server;
use crate::workbench::program;

/// A network, a linear model, and policies of which one is a network.
const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 2
  transformer_size: 16
  number_of_transformer_layers: 1
- name: LogisticRegressionClassifier
policies:
- name: MemoizationPolicy
- name: TEDPolicy
  epochs: 2
  max_history: 3
  number_of_transformer_layers: 1
  constrain_similarities: true
";

fn machine() -> Machine {
    let machine = Machine::new();
    machine.bench.write("config.yml", CONFIG);
    machine
}

#[track_caller]
fn train(machine: &Machine, arguments: &[&str]) -> (Output, String) {
    let output = program(&machine.bench.root(), machine.bench.cache())
        .args(["train", "--json-events", "events"])
        .args(arguments)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, told)
}

const LONG: [&str; 3] = [
    "nlu.2.DIETClassifier",
    "nlu.3.LogisticRegressionClassifier",
    "core.1.TEDPolicy",
];

#[test]
fn what_takes_long_runs_on_other_machines_and_gives_the_same_archive() {
    let here = machine();
    let (output, told) = train(&here, &[]);
    assert!(output.status.success(), "{told}");
    for version in CASD {
        let Some(server) = Server::casd(version) else {
            return;
        };
        let there = machine();
        let flags = [
            "--remote",
            &server.url,
            "--remote-exec",
            "--remote-jobs",
            "3",
        ];
        let (output, told) = train(&there, &flags);
        assert!(output.status.success(), "{told}");
        for task in LONG {
            assert!(
                told.contains(&format!("send   {task} to another machine")),
                "{told}"
            );
        }
        assert!(
            !told.contains("remote cache"),
            "nothing fell back to this machine: {told}"
        );
        assert_eq!(there.models(), here.models());
        for line in there.bench.read("events").lines() {
            let event = serde_json::from_str(line).unwrap();
            assert_eq!(
                Schema::open("events.schema.json").refusal(&event),
                None,
                "{line}"
            );
        }
        // It is in the machine's own cache as if it had run here.
        assert_eq!(there.bench.train().unwrap().ran, 0);
    }
}

#[test]
fn a_server_that_executes_nothing_leaves_all_to_this_machine() {
    let server = Reapi::new(Habits::default());
    let (here, there) = (machine(), machine());
    train(&here, &[]);
    let (output, told) = train(&there, &["--remote", &server.url, "--remote-exec"]);
    assert!(output.status.success(), "{told}");
    let warning = "does not run tasks (it executes nothing), going on without it";
    assert_eq!(told.matches(warning).count(), 1, "{told}");
    assert_eq!(there.models(), here.models());
}

#[test]
fn other_machines_need_a_server() {
    let (output, told) = train(&machine(), &["--remote-exec"]);
    assert_eq!(output.status.code(), Some(64), "{told}");
    assert!(told.contains("`--remote grpc://…`"), "{told}");
}

fn shell(script: &str) -> Job {
    let arguments = ["/bin/sh", "script"].map(str::to_owned).to_vec();
    Job {
        arguments,
        files: vec![(
            "script".to_owned(),
            JobFile::new(script.as_bytes().to_vec()),
        )],
        output: "out".to_owned(),
        properties: Vec::new(),
        timeout: Duration::from_secs(60),
        queue_timeout: Duration::from_secs(60),
        priority: 0,
    }
}

#[test]
fn a_task_that_fails_there_says_why_each_time() {
    for version in CASD {
        let Some(server) = Server::casd(version) else {
            return;
        };
        let cache = RemoteCache::new(&reading(&server.url), &|_| None, || false).unwrap();
        let run = |script| cache.execute(&shell(script), &|| false);
        assert_eq!(run("echo hello > out"), Ok(Some(b"hello\n".to_vec())));
        // A server that keeps what failed is asked to run it again.
        for _ in 0..2 {
            let failed = run("echo first >&2; echo no room >&2; exit 3");
            assert_eq!(
                failed,
                Err("the task ended with 3 there: no room".to_owned())
            );
        }
        let nothing = run("true").unwrap_err();
        assert!(nothing.contains("did not write `out`"), "{nothing}");
    }
}

/// Returns whether a process of this command line runs.
fn is_running(line: &[&str]) -> bool {
    let mut wanted = line.join("\0").into_bytes();
    wanted.push(0);
    let folders = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut lines = folders.filter_map(|folder| fs::read(folder.path().join("cmdline")).ok());
    lines.any(|line| line == wanted)
}

#[cfg(target_os = "linux")]
#[test]
fn one_who_has_had_enough_does_not_wait_and_what_runs_there_ends() {
    for version in CASD {
        let Some(server) = Server::casd(version) else {
            return;
        };
        let cancelled = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&cancelled);
        let is_cancelled = move || asked.load(Ordering::SeqCst);
        let cache = RemoteCache::new(&reading(&server.url), &|_| None, is_cancelled).unwrap();
        let long = format!("50.{}", process::id());
        let sleep = ["sleep", &long];
        let (since, result) = thread::scope(|scope| {
            let script = format!("sleep {long}; echo late > out");
            let cache = &cache;
            let waiting = scope.spawn(move || cache.execute(&shell(&script), &|| false));
            while !is_running(&sleep) {
                assert!(!waiting.is_finished(), "{version}: {:?}", waiting.join());
                thread::sleep(Duration::from_millis(20));
            }
            cancelled.store(true, Ordering::SeqCst);
            (Instant::now(), waiting.join().unwrap())
        });
        assert_eq!(result, Ok(None));
        assert!(since.elapsed() < Duration::from_secs(5));
        cache.finish();
        while is_running(&sleep) {
            assert!(since.elapsed() < Duration::from_secs(20), "{version}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}
