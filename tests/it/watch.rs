//! `train --watch`: every change is trained, mistakes end nothing, Ctrl-C ends it.

#![cfg(unix)]

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::json_schema::Schema;
use crate::workbench::Workbench;
use crate::workbench::program;

const CONFIG: &str = "\
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 1
  transformer_size: 16
policies:
- name: MemoizationPolicy
";

const DOMAIN: &str = "\
intents: [greet, bye]
responses:
  utter_greet: [{text: hi}]
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
- lookup: city
  examples: |
    - data/cities.txt
";

const STORIES: &str = "\
stories:
- story: hello
  steps:
  - intent: greet
  - action: utter_greet
";

fn bench() -> Workbench {
    Workbench::new(&[
        ("config.yml", CONFIG),
        ("domain.yml", DOMAIN),
        ("data/nlu.yml", NLU),
        ("data/stories.yml", STORIES),
        ("data/cities.txt", "Rome\nOslo\n"),
    ])
}

/// A program that watches, and the events that it tells.
pub struct Watching {
    pub child: Child,
    pub events: BufReader<ChildStdout>,
}

impl Watching {
    fn start(bench: &Workbench) -> Self {
        Self::start_with(bench, bench.cache(), &[])
    }

    fn start_with(bench: &Workbench, cache: &Path, more: &[&str]) -> Self {
        let mut command = program(&bench.root(), cache);
        command.args(["train", "--watch", "--json-events", "-"]);
        command.args(more);
        Self::of(command)
    }

    /// Starts a program that tells its events on standard output.
    pub fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Self { child, events }
    }

    /// Returns the next event, if there is one.
    pub fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        if self.events.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(Schema::open("events.schema.json").refusal(&event), None);
        Some(event)
    }

    /// Returns the next event of this name.
    #[track_caller]
    pub fn until(&mut self, name: &str) -> Value {
        loop {
            let event = self
                .next()
                .unwrap_or_else(|| panic!("it ended before `{name}`"));
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Waits for the end of a round, and until files are watched again.
    #[track_caller]
    pub fn round(&mut self) -> Value {
        let end = self.until("run_finished");
        assert!(
            self.until("told")["text"]
                .as_str()
                .unwrap()
                .starts_with("watching ")
        );
        end
    }

    /// Waits for what has changed, and for the round that follows.
    #[track_caller]
    fn change(&mut self) -> (String, Value) {
        let told = self.until("told");
        (told["text"].as_str().unwrap().to_owned(), self.round())
    }

    /// Presses Ctrl-C; returns the exit code and the last event.
    pub fn interrupt(mut self) -> (Option<i32>, Value) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        let mut last = Value::Null;
        while let Some(event) = self.next() {
            last = event;
        }
        (self.child.wait().unwrap().code(), last)
    }
}

#[test]
fn every_change_is_trained_and_a_mistake_ends_nothing() {
    let bench = bench();
    let mut watching = Watching::start(&bench);
    let first = watching.round();
    assert_eq!(
        (&first["round"], &first["outcome"]),
        (&1.into(), &"done".into())
    );

    bench.append("data/nlu.yml", "- intent: [\n");
    let broken = watching.round();
    assert_eq!((&broken["round"], &broken["code"]), (&2.into(), &65.into()));

    // As editors save: into another file that is then renamed over the first.
    let better = NLU.replace("- see you", "- see you soon");
    bench.write("data/.nlu.yml.swp", &better);
    fs::rename(
        bench.root().join("data/.nlu.yml.swp"),
        bench.root().join("data/nlu.yml"),
    )
    .unwrap();
    let mended = watching.round();
    assert_eq!(
        (&mended["round"], &mended["outcome"]),
        (&3.into(), &"done".into())
    );
    assert_ne!(mended["model"], first["model"]);

    // What is read beside the data, and what is new.
    bench.append("data/cities.txt", "Lima\n");
    assert_eq!(watching.round()["round"], 4);
    bench.write(
        "data/more/nlu.yml",
        "nlu:\n- intent: bye\n  examples: |\n    - so long\n",
    );
    let more = watching.round();
    assert!(more["ran"].as_u64().unwrap() > 0);
    assert_ne!(more["model"], mended["model"]);

    let (code, last) = watching.interrupt();
    assert_eq!(
        (code, &last["event"]),
        (Some(130), &"watch_finished".into())
    );
    assert_eq!(bench.archive(), bench.clean_archive());
}

#[test]
fn what_is_edited_while_it_trains_is_trained_next() {
    let bench = bench();
    bench.replace("config.yml", "epochs: 1", "epochs: 30");
    let mut watching = Watching::start(&bench);
    watching.until("progress");
    bench.replace("data/nlu.yml", "- see you", "- see you soon");
    let first = watching.until("run_finished");
    let second = watching.until("run_finished");
    assert_eq!((&first["round"], &second["round"]), (&1.into(), &2.into()));
    assert_ne!(first["model"], second["model"]);
    assert_eq!(watching.interrupt().0, Some(130));
    assert_eq!(bench.archive(), bench.clean_archive());
}

#[test]
fn an_interruption_of_a_watched_training_leaves_nothing_behind() {
    let bench = bench();
    bench.replace("config.yml", "epochs: 1", "epochs: 1000000");
    let mut watching = Watching::start(&bench);
    watching.until("progress");
    let (code, last) = watching.interrupt();
    assert_eq!((code, &last["code"]), (Some(130), &130.into()));
    assert!(!bench.root().join("models").exists());
}

/// Longer than it takes to see a change.
const LONG: Duration = Duration::from_millis(1500);

#[test]
fn what_is_written_below_the_data_and_is_no_data_trains_nothing() {
    let bench = bench();
    // The same folders as in the flags, spelled otherwise.
    let cache = bench.root().join("cc");
    let mut watching = Watching::start_with(&bench, &cache, &["--data", "."]);
    watching.round();
    bench.write(".git/index", "new");
    bench.write("data/.nlu.yml.swp", "half");
    bench.write("run.log", "a line");
    thread::sleep(LONG);
    bench.append("data/nlu.yml", "# more\n");
    let (text, second) = watching.change();
    assert_eq!(text, "changed data/nlu.yml");
    assert_eq!(second["round"], 2);
    assert_eq!(watching.interrupt().0, Some(130));
}

#[test]
fn a_file_that_is_missed_is_watched_until_it_is_there() {
    let bench = bench();
    bench.replace("data/nlu.yml", "data/cities.txt", "tables/cities.txt");
    let mut watching = Watching::start(&bench);
    watching.round();
    bench.write("tables/cities.txt", "Rome\n");
    let (text, second) = watching.change();
    assert_eq!(text, "changed tables/cities.txt");
    assert_eq!(second["round"], 2);
    assert_eq!(watching.interrupt().0, Some(130));
}

#[test]
fn a_new_file_of_an_imported_project_is_trained() {
    let bench = bench();
    let config = format!("importers: [{{name: MultiProjectImporter}}]\nimports: [more]\n{CONFIG}");
    bench.write("config.yml", &config);
    bench.write("more/data/nlu.yml", "nlu: []\n");
    let mut watching = Watching::start(&bench);
    watching.round();
    bench.write(
        "more/data/bye.yml",
        "nlu:\n- intent: bye\n  examples: |\n    - so long\n",
    );
    let second = watching.change().1;
    assert!(second["ran"].as_u64().unwrap() > 0, "{second}");
    assert_eq!(watching.interrupt().0, Some(130));
}

#[test]
fn all_is_forced_once_as_soon_as_it_can_be_read() {
    let bench = bench();
    bench.train().unwrap();
    bench.write("data/broken.yml", "nlu: [\n");
    let mut watching = Watching::start_with(&bench, bench.cache(), &["--force"]);
    assert_eq!(watching.round()["code"], 65);
    bench.remove("data/broken.yml");
    let second = watching.change().1;
    assert_eq!(second["ran"], second["tasks"]);
    bench.append("data/nlu.yml", "# more\n");
    assert_eq!(watching.change().1["ran"], 0);
    assert_eq!(watching.interrupt().0, Some(130));
}

#[test]
fn a_watch_is_over_when_nobody_reads_its_events() {
    let bench = bench();
    let mut watching = Watching::start(&bench);
    watching.round();
    let Watching { child, events } = watching;
    drop(events);
    // Nothing changes, so there is nothing to be told.
    assert_eq!(ended(child), Some(0));
}

/// Waits for a program to end by itself; returns its exit code.
#[track_caller]
pub fn ended(mut child: Child) -> Option<i32> {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if since.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it goes on");
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_watch_is_over_when_the_reader_of_either_output_has_left() {
    for is_output in [true, false] {
        let bench = bench();
        let mut command = program(&bench.root(), bench.cache());
        command.args(["train", "--watch", "--json-events", "events"]);
        let (out, err) = match is_output {
            true => (Stdio::piped(), Stdio::null()),
            false => (Stdio::null(), Stdio::piped()),
        };
        let mut child = command.stdout(out).stderr(err).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(ended(child), Some(0), "{is_output}");
        assert!(bench.read("events").contains("watch_finished"));
    }
}

#[test]
fn a_watch_goes_on_while_a_pipe_of_events_is_read_and_no_longer() {
    let bench = bench();
    let pipe = bench.root().join("events");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let mut child = program(&bench.root(), bench.cache())
        .args(["train", "--watch", "--json-events", "events"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(fs::File::open(&pipe).unwrap());
    let mut line = String::new();
    while !line.contains("watching ") {
        line.clear();
        assert!(events.read_line(&mut line).unwrap() > 0);
    }
    thread::sleep(LONG);
    assert!(child.try_wait().unwrap().is_none());
    drop(events);
    assert_eq!(ended(child), Some(0));
}

#[test]
fn a_watch_that_is_refused_says_that_it_is_over() {
    let bench = bench();
    let mut watching = Watching::start_with(&bench, bench.cache(), &["--finetune", "models"]);
    assert_eq!(watching.until("run_finished")["code"], 64);
    assert_eq!(watching.until("watch_finished")["code"], 64);
    assert!(watching.next().is_none());
    assert_eq!(watching.child.wait().unwrap().code(), Some(64));
}
