//! `train --watch`: every change is trained, mistakes end nothing, Ctrl-C ends it.

#![cfg(unix)]

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use crate::json_schema::Schema;
use crate::workbench::Workbench;

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
  examples: data/cities.txt
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
struct Watching {
    child: Child,
    events: BufReader<ChildStdout>,
}

impl Watching {
    fn start(bench: &Workbench) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tabella"))
            .args(["train", "--watch", "--json-events", "-"])
            .env_clear()
            .env("TABELLA_CACHE_DIR", bench.cache())
            .current_dir(bench.root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Self { child, events }
    }

    /// Returns the next event, if there is one.
    fn next(&mut self) -> Option<Value> {
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
    fn until(&mut self, name: &str) -> Value {
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
    fn round(&mut self) -> Value {
        let end = self.until("run_finished");
        assert!(
            self.until("told")["text"]
                .as_str()
                .unwrap()
                .starts_with("watching ")
        );
        end
    }

    /// Presses Ctrl-C; returns the exit code and the last event.
    fn interrupt(mut self) -> (Option<i32>, Value) {
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
