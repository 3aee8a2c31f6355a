//! What is told while a training runs: lines, events, a trace, a summary; and
//! that telling can never break it.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;

use crate::json_schema::Schema;
use crate::workbench::Workbench;
use crate::workbench::program;

const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 1
  transformer_size: 16
policies:
- name: MemoizationPolicy
- name: RulePolicy
";

const DOMAIN: &str = "\
intents: [greet, bye]
responses:
  utter_greet: [{text: hi}]
  utter_bye: [{text: bye}]
";

const NLU: &str = "\
nlu:
- intent: greet
  examples: |
    - hello
    - good day
- intent: bye
  examples: |
    - goodbye
    - see you
";

const STORIES: &str = "\
stories:
- story: hello and goodbye
  steps:
  - intent: greet
  - action: utter_greet
rules:
- rule: goodbye
  steps:
  - intent: bye
  - action: utter_bye
";

/// A second answer to what a rule answers already: its policy refuses to learn.
const CONTRADICTION: &str = "\
- rule: goodbye otherwise
  steps:
  - intent: bye
  - action: utter_greet
";

fn bench() -> Workbench {
    Workbench::new(&[
        ("config.yml", CONFIG),
        ("domain.yml", DOMAIN),
        ("data/nlu.yml", NLU),
        ("data/stories.yml", STORIES),
    ])
}

/// The program in the project's folder, with nothing of this process's
/// surroundings.
fn command(bench: &Workbench, arguments: &[&str]) -> Command {
    let mut command = program(&bench.root(), bench.cache());
    command.args(arguments);
    command
}

#[track_caller]
fn run(bench: &Workbench, arguments: &[&str], code: i32) -> Output {
    let output = command(bench, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", err(&output));
    output
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Starts a training that does not end by itself, and waits until it trains.
#[cfg(unix)]
fn endless(bench: &Workbench, arguments: &[&str]) -> Child {
    bench.replace("config.yml", "epochs: 1", "epochs: 1000000");
    let mut child = command(bench, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("DIETClassifier") {
        line.clear();
        assert!(shown.read_line(&mut line).unwrap() > 0, "it never started");
    }
    child.stderr = Some(shown.into_inner());
    child
}

/// Presses Ctrl-C and returns the exit code.
#[cfg(unix)]
fn interrupt(mut child: Child) -> Option<i32> {
    let id = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &id]).status();
    assert!(kill.unwrap().success());
    let mut rest = String::new();
    let mut shown = child.stderr.take().unwrap();
    shown.read_to_string(&mut rest).unwrap();
    child.wait().unwrap().code()
}

/// Reads a stream of events, each of which must be as the schema says.
#[track_caller]
pub fn events(text: &str) -> Vec<Value> {
    let schema = Schema::open("events.schema.json");
    let lines = text.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(schema.refusal(&event), None, "{line}");
        event
    });
    let events: Vec<Value> = lines.collect();
    let times = events.iter().map(|event| event["us"].as_u64().unwrap());
    assert!(times.is_sorted());
    events
}

#[track_caller]
fn events_in(bench: &Workbench, file: &str) -> Vec<Value> {
    events(&bench.read(file))
}

fn names(events: &[Value]) -> Vec<&str> {
    let names = events.iter().map(|event| event["event"].as_str().unwrap());
    names.collect()
}

fn count(events: &[Value], name: &str) -> usize {
    names(events).iter().filter(|found| **found == name).count()
}

#[test]
fn a_stream_of_events_tells_the_whole_run() {
    let bench = bench();
    run(&bench, &["train", "--json-events", "events.jsonl"], 0);
    let first = events_in(&bench, "events.jsonl");
    assert_eq!(first[0]["event"], "run_started");
    assert_eq!(first[0]["options"]["config"], "config.yml");
    let planned = first.iter().find(|event| event["event"] == "planned");
    let planned = planned.unwrap()["tasks"].as_array().unwrap();
    assert_eq!(planned.len(), 7);
    for name in ["started", "finished", "stored"] {
        assert_eq!(count(&first, name), 7, "{name}");
    }
    let mut begun = first.iter().filter(|event| event["event"] == "started");
    assert!(begun.all(|event| event["worker"].as_u64() >= Some(1)));
    let last = first.last().unwrap();
    assert_eq!(
        (&last["event"], &last["code"]),
        (&"run_finished".into(), &0.into())
    );
    assert!(bench.root().join(last["model"].as_str().unwrap()).exists());

    run(&bench, &["train", "--json-events", "events.jsonl"], 0);
    let second = events_in(&bench, "events.jsonl");
    assert_eq!(
        (count(&second, "reused"), count(&second, "started")),
        (7, 0)
    );
}

/// What events tell of a run that has nothing to do.
fn nothing_changed(told: &[Value]) -> Vec<(Value, Value)> {
    let told = told
        .iter()
        .filter(|event| event["event"] == "nothing_changed");
    told.map(|event| (event["by"].clone(), event["tasks"].clone()))
        .collect()
}

#[test]
fn a_run_that_is_told_in_full_opens_no_file_either_when_nothing_changed() {
    let bench = bench();
    run(&bench, &["train"], 0);
    // The stamps of files that are this young prove nothing.
    let flags = [
        "train",
        "--json-events",
        "events.jsonl",
        "--trace",
        "trace.json",
        "--profile",
        "--json",
    ];
    run(&bench, &flags, 0);
    let first = events_in(&bench, "events.jsonl");
    let known = nothing_changed(&first);
    assert_eq!(known.len(), 1, "{first:#?}");
    let again = || {
        let output = run(&bench, &flags, 0);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        (told, events_in(&bench, "events.jsonl"))
    };
    // At rest for long enough.
    let since = std::time::Instant::now();
    let (told, second) = loop {
        let (told, second) = again();
        let is_late = since.elapsed() > std::time::Duration::from_secs(30);
        if nothing_changed(&second) == [("stamps".into(), 7.into())] || is_late {
            break (told, second);
        }
    };
    assert_eq!(
        nothing_changed(&second),
        [("stamps".into(), 7.into())],
        "{second:#?}"
    );
    for name in ["files_opened", "phase_started", "planned", "started"] {
        assert_eq!(count(&second, name), 0, "{name}");
    }
    assert_eq!(count(&second, "reused"), 7);
    let profile = &told["profile"];
    assert_eq!(
        (&profile["unread"], &profile["reused"], &profile["ran"]),
        (&1.into(), &7.into(), &0.into())
    );
    assert_eq!(profile["phases"], serde_json::json!({}));
    let schema = Schema::open("training.schema.json");
    assert_eq!(schema.refusal(&told), None, "{told:#}");
    let trace = trace(&bench);
    let known = |event: &&Value| event["name"].to_string().contains("nothing changed");
    assert_eq!(trace.iter().filter(known).count(), 1, "{trace:#?}");
    let text = err(&run(&bench, &["train", "--profile"], 0));
    assert!(
        text.contains("hit rate 100 %; nothing changed, so the project was not read\n"),
        "{text}"
    );

    bench.append("data/nlu.yml", "    - so long\n");
    run(&bench, &flags, 0);
    let changed = events_in(&bench, "events.jsonl");
    assert_eq!(nothing_changed(&changed), []);
    assert_eq!(count(&changed, "planned"), 1);
    run(&bench, &[&flags[..], &["--verify-inputs"]].concat(), 0);
    let verified = events_in(&bench, "events.jsonl");
    assert_eq!(nothing_changed(&verified), []);
}

#[test]
fn a_stream_on_standard_output_has_it_alone() {
    let bench = bench();
    let output = run(&bench, &["train", "--json-events", "-"], 0);
    let told = events(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(names(&told).last(), Some(&"run_finished"));
    assert!(err(&output).contains("trained models/"));
    run(&bench, &["train", "--json-events", "-", "--json"], 64);
}

#[test]
fn the_last_event_says_that_a_run_failed() {
    let bench = bench();
    bench.replace("config.yml", "RulePolicy", "RulePolcy");
    run(&bench, &["train", "--json-events", "events.jsonl"], 65);
    let told = events_in(&bench, "events.jsonl");
    let told_of = |event: &Value| event["diagnostics"].to_string().contains("RulePolcy");
    assert_eq!(told.iter().filter(|event| told_of(event)).count(), 1);
    let last = told.last().unwrap();
    assert_eq!(
        (&last["outcome"], &last["code"]),
        (&"failed".into(), &65.into())
    );
    assert!(last["error"].as_str().unwrap().contains("1 mistake"));
}

#[cfg(unix)]
#[test]
fn events_and_trace_are_whole_after_an_interruption() {
    let bench = bench();
    let flags = [
        "train",
        "--json-events",
        "events.jsonl",
        "--trace",
        "trace.json",
    ];
    assert_eq!(interrupt(endless(&bench, &flags)), Some(130));
    let told = events_in(&bench, "events.jsonl");
    let last = told.last().unwrap();
    assert_eq!(
        (&last["outcome"], &last["code"]),
        (&"interrupted".into(), &130.into())
    );
    let trace = trace(&bench);
    let stopped = |event: &&Value| event["args"]["stopped"] == true;
    assert_eq!(trace.iter().filter(stopped).count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_and_a_closed_pipe_are_one_warning() {
    let bench = bench();
    let flags = [
        "train",
        "--json-events",
        "/dev/full",
        "--trace",
        "/dev/full",
    ];
    let output = run(&bench, &flags, 0);
    let text = err(&output);
    assert_eq!(
        text.matches("nothing more is written to").count(),
        2,
        "{text}"
    );

    bench.append("data/nlu.yml", "    - so long\n");
    let mut child = command(&bench, &["train", "--json-events", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        err(&output).matches("nothing more is written to").count(),
        1
    );
    run(&bench, &["train", "--json-events", "no/such/folder"], 74);
}

/// Reads the trace, which must be an array of events.
#[track_caller]
fn trace(bench: &Workbench) -> Vec<Value> {
    let trace: Value = serde_json::from_str(&bench.read("trace.json")).unwrap();
    trace.as_array().unwrap().clone()
}

/// Start and end of a complete event, in microseconds.
fn span(event: &Value) -> (u64, u64) {
    let since = event["ts"].as_u64().unwrap();
    (since, since + event["dur"].as_u64().unwrap())
}

fn of_category<'a>(trace: &'a [Value], category: &str) -> Vec<&'a Value> {
    let complete = trace.iter().filter(|event| event["ph"] == "X");
    complete.filter(|event| event["cat"] == category).collect()
}

#[test]
fn the_spans_of_a_trace_nest_and_add_up() {
    let bench = bench();
    run(
        &bench,
        &["train", "--trace", "trace.json", "--jobs", "2"],
        0,
    );
    let trace = trace(&bench);
    let tasks = of_category(&trace, "task");
    assert_eq!(tasks.len(), 7);
    let phases = of_category(&trace, "phase");
    let named = |name: &str| span(phases.iter().find(|phase| phase["name"] == name).unwrap());
    let round = span(of_category(&trace, "round")[0]);
    let order = ["import", "plan", "run", "place"].map(named);
    assert!(
        order.windows(2).all(|pair| pair[0].1 <= pair[1].0),
        "{order:?}"
    );
    let whole: u64 = order.iter().map(|(since, until)| until - since).sum();
    assert!(whole <= round.1 - round.0);
    assert!(order[0].0 >= round.0 && order[3].1 <= round.1);

    for task in &tasks {
        let (since, until) = span(task);
        assert!(named("run").0 <= since && until <= named("run").1, "{task}");
        // The task's own time, in whole milliseconds, is within its span.
        assert!(
            task["args"]["ms"].as_u64().unwrap() * 1_000 <= until - since,
            "{task}"
        );
        assert!(!task["args"]["reasons"].as_array().unwrap().is_empty());
        assert_eq!(task["args"]["key"].as_str().unwrap().len(), 64);
        // A worker does one thing at a time.
        for other in &tasks {
            let (begin, end) = span(other);
            let is_apart = end <= since || until <= begin;
            assert!(
                is_apart || task["tid"] != other["tid"] || task == other,
                "{task} {other}"
            );
        }
    }
    let stored = of_category(&trace, "cache");
    let stored = stored
        .iter()
        .filter(|event| event["name"] == "write to the cache");
    let mut bytes = 0;
    for write in stored {
        let inside = |task: &&&Value| {
            let (write, task_span) = (span(write), span(task));
            task["tid"] == write_track(&trace, write)
                && task_span.0 <= write.0
                && write.1 <= task_span.1
        };
        assert_eq!(tasks.iter().filter(inside).count(), 1, "{write}");
        bytes += write["args"]["bytes"].as_u64().unwrap();
    }
    let mut counters = trace.iter().filter(|event| event["ph"] == "C");
    assert_eq!(counters.next_back().unwrap()["args"]["written"], bytes);
}

/// The track of the writing that takes `span`.
fn write_track(trace: &[Value], wanted: (u64, u64)) -> Value {
    let mut writes = of_category(trace, "cache").into_iter();
    writes.find(|event| span(event) == wanted).unwrap()["tid"].clone()
}

/// The chains of tasks from the first to the last.
const CHAINS: [&[&str]; 3] = [
    &[
        "nlu.0.WhitespaceTokenizer",
        "nlu.1.CountVectorsFeaturizer",
        "nlu.2.DIETClassifier",
        "package",
    ],
    &["core.trackers", "core.0.MemoizationPolicy", "package"],
    &["core.trackers", "core.1.RulePolicy", "package"],
];

#[test]
fn a_profile_tells_where_the_time_went() {
    let bench = bench();
    let schema = Schema::open("training.schema.json");
    let profile = || {
        let output = run(&bench, &["train", "--profile", "--json"], 0);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema.refusal(&told), None, "{told:#}");
        told["profile"].clone()
    };
    let first = profile();
    assert_eq!((&first["ran"], &first["reused"]), (&7.into(), &0.into()));
    let path = first["critical_path"].as_array().unwrap();
    let names: Vec<&str> = path
        .iter()
        .map(|timed| timed["task"].as_str().unwrap())
        .collect();
    // Which of the chains took longest is for the machine to say.
    assert!(CHAINS.contains(&names.as_slice()), "{names:?}");
    let longest: u64 = path.iter().map(|timed| timed["ms"].as_u64().unwrap()).sum();
    assert!(longest >= first["slowest"][0]["ms"].as_u64().unwrap());
    assert!(longest <= first["wall_ms"].as_u64().unwrap());
    assert_eq!(first["slowest"].as_array().unwrap().len(), 5);
    assert_eq!(first["writes"]["count"], 7);
    if cfg!(unix) {
        assert!(first["peak_bytes"].as_u64().unwrap() > 1_000_000);
        assert!(first["cpu_ms"].as_u64().is_some());
    }
    let second = profile();
    assert_eq!((&second["ran"], &second["reused"]), (&0.into(), &7.into()));
    assert_eq!(second["slowest"].as_array().unwrap().len(), 0);

    let text = err(&run(&bench, &["train", "--profile", "--force"], 0));
    assert!(
        text.contains("\n  tasks     7 ran, 0 reused, 0 spared: hit rate 0 %\n"),
        "{text}"
    );
    assert!(text.contains("\n  longest   "), "{text}");
}

#[test]
fn after_a_failure_what_does_not_depend_on_it_goes_on_if_wanted() {
    let bench = bench();
    bench.append("data/stories.yml", CONTRADICTION);
    let flags = ["train", "--skip-validation", "--jobs", "1"];
    let stopped = err(&run(&bench, &flags, 65));
    assert!(
        stopped.contains("error: `core.1.RulePolicy` failed: "),
        "{stopped}"
    );
    assert!(!stopped.contains("done   nlu.2.DIETClassifier"));

    let going = [&flags[..], &["-k"]].concat();
    let text = err(&run(&bench, &going, 65));
    assert!(text.contains("run    nlu.2.DIETClassifier"), "{text}");
    assert!(
        text.contains("error: 1 task failed, and 1 did not run for it\n"),
        "{text}"
    );
    assert!(text.contains("\n  failed  core.1.RulePolicy: "), "{text}");
    assert!(
        text.contains("\n  skipped package: `core.1.RulePolicy` failed"),
        "{text}"
    );
    assert!(!bench.root().join("models").exists());

    let output = run(&bench, &[&going[..], &["--json"]].concat(), 65);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        Schema::open("training.schema.json").refusal(&told),
        None,
        "{told:#}"
    );
    assert_eq!(told["failed"][0]["task"], "core.1.RulePolicy");
    assert_eq!(told["skipped"][0]["task"], "package");
}

#[test]
fn a_log_says_how_much_is_reused_and_has_no_bars() {
    let bench = bench();
    let first = err(&run(&bench, &["train"], 0));
    assert!(!first.contains("reuse "), "{first}");
    assert!(
        first
            .lines()
            .all(|line| line.starts_with("run    ") || line.starts_with("done   "))
    );
    bench.replace("domain.yml", "text: hi", "text: hello");
    let second = err(&run(&bench, &["train"], 0));
    assert!(
        second.starts_with("reuse  6 tasks\nrun    package: "),
        "{second}"
    );
    assert!(!second.contains('\u{1b}') && !second.contains('\r'));
    assert_eq!(err(&run(&bench, &["train"], 0)), "");
}

/// What a refusal says that a task needs, and what the program has beside it, in
/// MiB.
pub fn needed(text: &str) -> (f64, f64) {
    let number = |after: &str| {
        let (_, rest) = text.split_once(after).unwrap_or_else(|| panic!("{text}"));
        rest.split(' ').next().unwrap().parse::<f64>().unwrap()
    };
    (number("is estimated to need "), number(" MiB, beside "))
}

#[test]
fn what_is_estimated_above_the_memory_is_refused_before_anything_runs() {
    let bench = bench();
    let flags = ["train", "--json-events", "events.jsonl", "--max-memory"];
    let refused = [&flags[..], &["1MB"]].concat();
    let text = err(&run(&bench, &refused, 69));
    assert!(
        text.contains("`nlu.2.DIETClassifier` is estimated"),
        "{text}"
    );
    assert!(
        text.contains("more than the 1.0 MiB allowed; nothing was run"),
        "{text}"
    );
    assert_eq!(count(&events_in(&bench, "events.jsonl"), "started"), 0);
    let from_environment = command(&bench, &["train"])
        .env("TABELLA_MAX_MEMORY", "1MB")
        .output();
    assert_eq!(from_environment.unwrap().status.code(), Some(69));
    run(&bench, &[&flags[..], &["200MB"]].concat(), 0);
    // Nothing to do needs nothing.
    run(&bench, &refused, 0);
    run(&bench, &["train", "--max-memory", "7"], 64);
}

#[test]
fn networks_are_estimated_by_their_options_before_they_ever_ran() {
    let bench = bench();
    let estimate = |options: &str| {
        let small = "epochs: 1\n  transformer_size: 16\n";
        bench.write("config.yml", &CONFIG.replace(small, options));
        needed(&err(&run(&bench, &["train", "--max-memory", "1MB"], 69))).0
    };
    let usual = estimate("epochs: 1\n");
    let small = estimate("epochs: 1\n  transformer_size: 16\n");
    let wide = estimate("epochs: 1\n  transformer_size: 1024\n");
    let deep = estimate("epochs: 1\n  number_of_transformer_layers: 8\n");
    let hidden = estimate("epochs: 1\n  hidden_layers_sizes: {text: [4096, 1024]}\n");
    assert!(
        small < usual && usual < deep && deep < wide,
        "{small} {usual} {deep} {wide}"
    );
    assert!(usual + 30.0 < hidden, "{usual} {hidden}");
}

#[test]
fn what_may_be_spared_is_refused_only_when_it_must_run() {
    let bench = bench();
    run(&bench, &["train"], 0);
    let tight = |code| {
        let enough = needed(&err(&run(
            &bench,
            &["train", "--force", "--max-memory", "1MB"],
            69,
        )));
        let limit = format!("{}MiB", (enough.1 + 10.0).round());
        err(&run(&bench, &["train", "--max-memory", &limit], code))
    };
    bench.replace(
        "config.yml",
        "WhitespaceTokenizer",
        "WhitespaceTokenizer\n  intent_split_symbol: '+'",
    );
    tight(0);
}

#[test]
fn two_displays_that_write_to_one_place_are_refused_before_anything_is_lost() {
    let bench = bench();
    bench.write("kept.json", "mine");
    std::fs::create_dir(bench.root().join("there")).unwrap();
    let other = ["train", "--json-events", "kept.json", "--trace"];
    let text = err(&run(
        &bench,
        &[&other[..], &["there/../kept.json"]].concat(),
        64,
    ));
    assert!(
        text.contains("`--json-events` and `--trace` would both write to"),
        "{text}"
    );
    run(&bench, &["train", "--json-events", "-", "--trace", "-"], 64);
    run(
        &bench,
        &[
            "train",
            "--json",
            "--trace",
            "-",
            "--json-events",
            "kept.json",
        ],
        64,
    );
    assert_eq!(bench.read("kept.json"), "mine");
}

/// Runs what would write over `path`; returns what is said. Nothing may have changed.
#[track_caller]
fn refused(bench: &Workbench, arguments: &[&str], path: &str) -> String {
    let (project, cache) = (bench.files("."), bench.files("../cache"));
    let text = err(&run(bench, &[arguments, &[path]].concat(), 64));
    assert_eq!(bench.files("."), project, "{arguments:?} {path}");
    assert_eq!(bench.files("../cache"), cache, "{arguments:?} {path}");
    text
}

#[test]
fn a_product_never_takes_the_place_of_what_is_read_or_kept() {
    let bench = bench();
    bench.write("data/cities.txt", "Berlin\n");
    bench.write("endpoints.yml", "nlg: {}\n");
    bench.write("data/empty.yml", "");
    run(&bench, &["train", "--fixed-model-name", "m"], 0);
    let database = bench.cache().join("results.db");
    assert!(database.exists());
    let places = [
        "domain.yml",
        "data/../config.yml",
        "./data/nlu.yml",
        "data/cities.txt",
        "endpoints.yml",
        "data/empty.yml",
        "data/new.yml",
        "models/m.tar.gz",
        "models/new.tar.gz",
        database.to_str().unwrap(),
        "../cache/new",
    ];
    for path in places {
        for flag in ["--trace", "--json-events", "--depfile"] {
            let text = refused(&bench, &["train", flag], path);
            let name = path.rsplit('/').next().unwrap();
            assert!(text.contains(name), "{text}");
            assert!(text.contains("name another file"), "{text}");
        }
        refused(&bench, &["status", "--html"], path);
    }
    let text = refused(&bench, &["train", "--trace"], "./domain.yml");
    assert_eq!(
        text.trim_end(),
        "error: `--trace`: `./domain.yml` is there already and is no trace: name another file"
    );
}

#[cfg(unix)]
#[test]
fn a_link_is_no_way_around_that() {
    let bench = bench();
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, bench.root().join(name)).unwrap();
    };
    link("domain.yml", "trace.json");
    link("data", "elsewhere");
    std::fs::hard_link(bench.root().join("config.yml"), bench.root().join("hard")).unwrap();
    for path in [
        "trace.json",
        "elsewhere/nlu.yml",
        "elsewhere/new.yml",
        "hard",
    ] {
        refused(&bench, &["train", "--trace"], path);
    }
    let text = refused(&bench, &["train", "--trace"], "trace.json");
    assert!(text.contains("`trace.json` leads to `"), "{text}");
}

#[test]
fn a_product_takes_the_place_of_an_older_one_of_its_kind() {
    let bench = bench();
    let all = [
        "train",
        "--json-events",
        "events.jsonl",
        "--trace",
        "trace.json",
        "--depfile",
        "read.d",
    ];
    bench.write("trace.json", "");
    run(&bench, &all, 0);
    run(&bench, &all, 0);
    run(&bench, &["status", "--html", "page.html"], 0);
    run(&bench, &["status", "--html", "page.html"], 0);
    refused(&bench, &["train", "--trace"], "events.jsonl");
    refused(&bench, &["train", "--json-events"], "read.d");
}

#[cfg(unix)]
#[test]
fn one_who_waits_for_the_work_of_another_can_be_interrupted() {
    let bench = bench();
    let working = endless(&bench, &["train"]);
    let mut waiting = command(&bench, &["train"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("wait ") {
        line.clear();
        assert!(shown.read_line(&mut line).unwrap() > 0, "it never waited");
    }
    let id = waiting.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    let since = std::time::Instant::now();
    let is_early = || since.elapsed() < std::time::Duration::from_secs(20);
    while waiting.try_wait().unwrap().is_none() && is_early() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // One that has ended cannot be killed.
    let _ = waiting.kill();
    let code = waiting.wait().unwrap().code();
    assert_eq!(interrupt(working), Some(130));
    assert_eq!(code, Some(130));
}
