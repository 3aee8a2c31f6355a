//! Whatever a server tells of tasks that it ran, the archive is the one that this
//! machine would make, and what is wrong is told in one line.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::displays::needed;
use crate::remote::Machine;
use crate::remote::executor::Lie;
use crate::remote::reapi::Counts;
use crate::remote::reapi::Habits;
use crate::remote::reapi::Reapi;
use crate::remote::timed;
use crate::workbench::program;

/// Two tasks that take long, of which one could pass for the other.
const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: LogisticRegressionClassifier
- name: LogisticRegressionClassifier
  max_iter: 50
policies:
- name: MemoizationPolicy
";

fn machine() -> Machine {
    let machine = Machine::new();
    machine.bench.write("config.yml", CONFIG);
    machine
}

fn executing() -> Reapi {
    Reapi::new(Habits {
        executes: true,
        ..Habits::default()
    })
}

fn command(machine: &Machine, server: &Reapi, jobs: &str) -> Command {
    let mut command = program(&machine.bench.root(), machine.bench.cache());
    command
        .args(["train", "--remote", &server.url, "--remote-exec"])
        .args(["--remote-jobs", jobs]);
    command
}

/// Trains with a server that lies so, and so many places there; returns what it says of
/// the server.
#[track_caller]
fn told(honest: &Machine, server: &Reapi, lie: Lie, jobs: &str) -> Vec<String> {
    *server.lie.lock().unwrap() = lie;
    server.jobs.cuts.store(0, Ordering::SeqCst);
    let machine = machine();
    machine
        .bench
        .write("config.yml", &honest.bench.read("config.yml"));
    let short = [
        "--remote-task-timeout",
        "1s",
        "--remote-queue-timeout",
        "1s",
    ];
    let more: &[&str] = match lie {
        Lie::NeverOver | Lie::NeverHeard => &short,
        _ => &[],
    };
    let output = command(&machine, server, jobs).args(more).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{lie:?}: {told}");
    assert_eq!(machine.models(), honest.models(), "{lie:?}");
    // It is right in the machine's own cache.
    assert_eq!(machine.bench.train().unwrap().ran, 0, "{lie:?}");
    let lines = told.lines().filter(|line| line.contains("remote cache"));
    lines.map(|line| line.replace(&server.url, "URL")).collect()
}

#[test]
fn an_executor_that_lies_is_told_of_once_and_changes_no_archive() {
    let (honest, server) = (machine(), executing());
    honest.bench.train().unwrap();
    for (lie, why) in [
        (Lie::OtherBytes, "what the task wrote are other bytes"),
        (Lie::NotStored, "what the task wrote is not to be had"),
        (
            Lie::Endless,
            "what the task wrote has a digest that cannot be",
        ),
        (Lie::NoOutput, "the task did not write `out.tabella` there"),
        (
            Lie::OfAnother,
            "what came back is not the result of the task",
        ),
        (Lie::Garbage, "what came back is not the result of the task"),
        (Lie::NoResult, "a task without a result"),
        (
            Lie::Nonsense,
            "what should tell of a task is no such message",
        ),
        (Lie::LongStdout, "decoded message length too large"),
        (Lie::Internal, "the task was not run there: a bad day"),
        (Lie::NeverOver, "the task was not over within 2 s"),
        (Lie::NeverHeard, "the task was not over within 2 s"),
        (Lie::Cut(usize::MAX), "Unavailable: cut"),
        (Lie::Failed, "the task ended with 3 there:  [31mno room"),
    ] {
        let told = told(&honest, &server, lie, "2");
        assert_eq!(told.len(), 1, "{lie:?}: {told:?}");
        let begin = "warning: remote cache: `URL` does not run tasks (";
        assert!(told[0].starts_with(begin), "{lie:?}: {told:?}");
        assert!(told[0].contains(why), "{lie:?}: {told:?}");
        assert!(told[0].ends_with("), going on without it"), "{told:?}");
        assert!(!told[0].contains('\u{1b}'), "{told:?}");
    }
}

#[test]
fn what_can_be_mended_is_not_told() {
    let (honest, server) = (machine(), executing());
    honest.bench.train().unwrap();
    for (lie, asked) in [
        (Lie::None, 2),
        (Lie::HugeStdout, 2),
        // News that were cut are asked for by the name of the job.
        (Lie::Cut(1), 2),
        (Lie::Cut(5), 2),
    ] {
        let before = server.jobs.asked.load(Ordering::SeqCst);
        assert_eq!(told(&honest, &server, lie, "2"), [""; 0], "{lie:?}");
        let after = server.jobs.asked.load(Ordering::SeqCst);
        assert_eq!(after - before, asked, "{lie:?}");
    }
}

/// Trains with one long task and a short time-out; returns what is said of the server,
/// and how often it was asked what it can do.
fn patient(lie: Lie) -> (Vec<String>, usize) {
    let (machine, server) = (machine(), executing());
    let second = "- name: LogisticRegressionClassifier\n  max_iter: 50\n";
    machine.bench.replace("config.yml", second, "");
    *server.lie.lock().unwrap() = lie;
    let mut command = command(&machine, &server, "1");
    let output = command
        .args(["--remote-timeout", "400ms"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let lines = told.lines().filter(|line| line.contains("remote cache"));
    let lines = lines.map(str::to_owned).collect();
    (lines, Counts::of(&server.counts.capabilities))
}

#[test]
fn a_server_may_say_nothing_of_a_task_until_it_is_over_as_long_as_it_is_there() {
    let (told, asked) = patient(Lie::Late);
    assert_eq!(told, [""; 0]);
    assert!(asked >= 2, "{asked}");
}

#[test]
fn a_server_that_falls_silent_with_a_task_is_not_waited_for_until_that_must_be_over() {
    let ((told, _), took) = timed(|| patient(Lie::FallsSilent));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("it does not answer in time"), "{told:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn what_the_server_lost_is_brought_to_it_again() {
    let (honest, server) = (machine(), executing());
    let second = "- name: LogisticRegressionClassifier\n  max_iter: 50\n";
    honest.bench.replace("config.yml", second, "");
    honest.bench.train().unwrap();
    assert_eq!(told(&honest, &server, Lie::LostInput, "1"), [""; 0]);
    assert_eq!(server.jobs.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_task_that_is_never_over_is_cancelled_there() {
    let (honest, server) = (machine(), executing());
    honest.bench.train().unwrap();
    told(&honest, &server, Lie::NeverOver, "1");
    assert_eq!(*server.jobs.cancelled.lock().unwrap(), ["jobs/0"]);
}

#[test]
fn an_interrupt_cancels_what_runs_there_and_leaves_nothing_half_done() {
    let (honest, server) = (machine(), executing());
    honest.bench.train().unwrap();
    *server.lie.lock().unwrap() = Lie::NeverOver;
    let machine = machine();
    let mut child = command(&machine, &server, "2")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while said.matches("to another machine").count() < 2 {
        assert!(shown.read_line(&mut said).unwrap() > 0, "{said}");
    }
    while server.jobs.asked.load(Ordering::SeqCst) < 2 {
        thread::yield_now();
    }
    let id = child.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    let (code, took) = timed(|| child.wait().unwrap().code());
    assert_eq!(code, Some(130));
    assert!(took < Duration::from_secs(5), "{took:?}");
    let mut rest = String::new();
    shown.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("error: interrupted"), "{rest}");
    assert!(!rest.contains("remote cache"), "{rest}");
    let mut cancelled = server.jobs.cancelled.lock().unwrap().clone();
    cancelled.sort();
    assert_eq!(cancelled, ["jobs/0", "jobs/1"]);
    assert!(machine.models().is_empty());
    assert_eq!(machine.bench.files("models").len(), 0);
    // What was trained before is kept, and the rest gives the same archive.
    machine.bench.train().unwrap();
    assert_eq!(machine.models(), honest.models());
}

#[test]
fn one_that_is_killed_leaves_nothing_behind_of_what_it_sent() {
    let (machine, server) = (machine(), executing());
    *server.lie.lock().unwrap() = Lie::NeverOver;
    let scratch = machine.bench.root().with_file_name("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let mut child = command(&machine, &server, "2")
        .env("TMPDIR", &scratch)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while server.jobs.asked.load(Ordering::SeqCst) < 2 {
        assert_eq!(child.try_wait().unwrap(), None);
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
    let names = walkdir::WalkDir::new(machine.bench.cache()).into_iter();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let left: Vec<String> = names.filter(|name| name.starts_with("tmp-")).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn what_is_too_large_for_this_machine_runs_elsewhere_if_it_can() {
    let (honest, server) = (machine(), executing());
    let (there, back) = (machine(), machine());
    for machine in [&honest, &there, &back] {
        let wide = "DIETClassifier\n  epochs: 1\n  hidden_layers_sizes: {text: [1024]}\n";
        let config = CONFIG.replacen("LogisticRegressionClassifier\n", wide, 1);
        machine.bench.write("config.yml", &config);
    }
    let train = |machine: &Machine, limit: &str, is_sent: bool| {
        let mut train = match is_sent {
            true => command(machine, &server, "1"),
            false => {
                let mut train = program(&machine.bench.root(), machine.bench.cache());
                train.arg("train");
                train
            }
        };
        let output = train.args(["--max-memory", limit]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), told)
    };
    let (code, told) = train(&honest, "1MB", false);
    assert_eq!(code, Some(69), "{told}");
    // So much that the network alone does not fit.
    let (network, beside) = needed(&told);
    let limit = format!("{}MiB", (beside + 0.9 * network).round());
    let (code, told) = train(&honest, &limit, false);
    assert_eq!(code, Some(69), "{told}");
    assert!(told.contains("nothing was run"), "{told}");
    let (code, told) = train(&there, &limit, true);
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("remote cache"), "{told}");
    honest.bench.train().unwrap();
    assert_eq!(there.models(), honest.models());
    // What falls back is refused as it would have been.
    *server.lie.lock().unwrap() = Lie::Internal;
    let (code, told) = train(&back, &limit, true);
    assert_eq!(code, Some(69), "{told}");
    assert!(told.contains("it was not run"), "{told}");
}
