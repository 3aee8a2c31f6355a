//! What is told of several assistants beside lines: a stream of events with their
//! names, a trace with a group for each, one summary of all.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::displays::events;
use crate::displays::needed;
use crate::json_schema::Schema;
use crate::workspace_commands::Place;
use crate::workspace_commands::Run;
use crate::workspace_commands::SMALL;
use crate::workspace_commands::WORKSPACE;

/// The events of a run that writes them to a file.
fn told(place: &Place, arguments: &[&str], code: i32) -> Vec<Value> {
    let flags = ["--json-events", "events.jsonl"];
    place.run(&[arguments, &flags].concat()).ends(code);
    events(&std::fs::read_to_string(place.path("events.jsonl")).unwrap())
}

/// The events of this name about an assistant.
fn of<'a>(told: &'a [Value], assistant: &str, name: &str) -> Vec<&'a Value> {
    let of = told.iter().filter(|event| event["assistant"] == assistant);
    of.filter(|event| event["event"] == name).collect()
}

/// Does something again until all it tells of is known without being read: files
/// must have been at rest for some time.
fn when_at_rest<T>(told: impl Fn() -> T, is_known: impl Fn(&T) -> bool) -> T {
    let since = Instant::now();
    loop {
        let told = told();
        if is_known(&told) || since.elapsed() > Duration::from_secs(30) {
            return told;
        }
    }
}

#[test]
fn no_display_takes_a_place_that_an_assistant_reads() {
    let place = Place::new(&format!("{WORKSPACE}cache: kept\n"));
    for path in [
        "bots/plum/data/new.json",
        "bots/lemon/data/../data/new.yml",
        "bots/plum/domain.yml",
        "shared/small.yml",
        "tabella.yml",
        "kept/new",
    ] {
        for flag in ["--trace", "--json-events"] {
            // Of all assistants, named or not: another run reads what is left there.
            let mut command = place.command(&["train", "lemon", flag, path]);
            let run = Run::of(command.env_remove("TABELLA_CACHE_DIR").output().unwrap());
            let run = run.ends(64);
            assert!(run.err.contains("name another file"), "{path}: {}", run.err);
            assert!(!place.path("bots/plum/data/new.json").exists());
        }
    }
    place
        .run(&["train", "--all", "--trace", "bots/plum/trace.json"])
        .ends(0);
}

#[test]
fn events_of_several_assistants_have_their_names() {
    let place = Place::new(WORKSPACE);
    let first = told(&place, &["train", "--all", "--jobs", "2"], 0);
    assert_eq!(first[0]["event"], "run_started");
    let names = serde_json::json!(["lemon", "plum"]);
    assert_eq!(first[0]["options"]["assistants"], names);
    for name in ["lemon", "plum"] {
        assert_eq!(of(&first, name, "assistant_started").len(), 1, "{name}");
        let planned = of(&first, name, "planned");
        assert_eq!(planned[0]["tasks"].as_array().unwrap().len(), 6);
        let mut all = first.iter().filter(|event| event["assistant"] == name);
        let last = all.next_back().unwrap();
        assert_eq!(last["event"], "assistant_finished");
        assert_eq!(last["state"], "trained");
        assert_eq!(
            last["ran"],
            of(&first, name, "finished").len(),
            "{first:#?}"
        );
        assert!(place.path(last["model"].as_str().unwrap()).is_file());
    }
    let last = first.last().unwrap();
    assert_eq!(
        (&last["event"], &last["outcome"], &last["tasks"]),
        (&"run_finished".into(), &"done".into(), &12.into())
    );
    let finished = first.iter().filter(|event| event["event"] == "finished");
    assert_eq!(last["ran"], finished.count());

    let second = when_at_rest(
        || told(&place, &["train", "--all"], 0),
        |told| {
            let known = told
                .iter()
                .filter(|event| event["event"] == "nothing_changed");
            known.count() == 2
        },
    );
    for name in ["lemon", "plum"] {
        let known = of(&second, name, "nothing_changed");
        assert_eq!(known.len(), 1, "{second:#?}");
        assert_eq!(known[0]["tasks"], 6);
        let end = of(&second, name, "assistant_finished");
        assert_eq!(end[0]["state"], "up_to_date");
        assert_eq!(of(&second, name, "files_opened").len(), 0);
    }
}

#[test]
fn events_say_who_failed_and_who_did_not_start() {
    let place = Place::new(WORKSPACE);
    place.replace("bots/lemon/domain.yml", "intents: []", "intents: {}");
    let flags = ["train", "--all", "--fail-fast", "--jobs", "1"];
    let told = told(&place, &flags, 65);
    assert!(
        of(&told, "lemon", "diagnosed")[0]
            .to_string()
            .contains("E010")
    );
    let end = |name| of(&told, name, "assistant_finished")[0].clone();
    assert_eq!(end("lemon")["state"], "failed");
    assert_eq!(of(&told, "plum", "assistant_started").len(), 0);
    assert_eq!(end("plum")["state"], "not_started");
    let last = told.last().unwrap();
    assert_eq!(
        (&last["outcome"], &last["code"], &last["error"]),
        (
            &"failed".into(),
            &65.into(),
            &"1 of 2 assistants failed".into()
        )
    );
}

#[test]
fn events_on_standard_output_have_it_alone() {
    let place = Place::new(WORKSPACE);
    let run = place
        .run(&["train", "lemon", "--json-events", "-"])
        .ends(0)
        .says("lemon: trained bots/lemon/models/")
        .says("1 assistant in ");
    let told = events(&run.out);
    assert_eq!(told.last().unwrap()["event"], "run_finished");
    place
        .run(&["train", "--all", "--json-events", "-", "--json"])
        .ends(64);
    place
        .run(&["train", "--all", "--trace", "x", "--json-events", "x"])
        .ends(64)
        .says("would both write to");
    place
        .run(&["train", "--all", "--json-events", "no/such/folder"])
        .ends(74);
}

/// Start and end of a complete event, in microseconds.
fn span(event: &Value) -> (u64, u64) {
    let since = event["ts"].as_u64().unwrap();
    (since, since + event["dur"].as_u64().unwrap())
}

#[test]
fn each_assistant_has_a_group_in_the_trace() {
    let place = Place::new(WORKSPACE);
    place
        .run(&["train", "--all", "--jobs", "2", "--trace", "trace.json"])
        .ends(0);
    let text = std::fs::read_to_string(place.path("trace.json")).unwrap();
    let trace: Vec<Value> = serde_json::from_str(&text).unwrap();
    let number = |name: &str| {
        let named =
            |event: &&Value| event["name"] == "process_name" && event["args"]["name"] == name;
        let found: Vec<&Value> = trace.iter().filter(named).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0]["pid"].clone()
    };
    let (lemon, plum) = (number("lemon"), number("plum"));
    assert_ne!(lemon, plum);
    let of = |category: &str, group: &Value| {
        let all = trace.iter().filter(|event| event["cat"] == category);
        let own = all.filter(|event| event["pid"] == *group);
        own.cloned().collect::<Vec<Value>>()
    };
    let mut ran = 0;
    for group in [&lemon, &plum] {
        let whole = of("assistant", group);
        assert_eq!(whole.len(), 1);
        let (since, until) = span(&whole[0]);
        assert_eq!(of("phase", group).len(), 4);
        for part in of("phase", group).iter().chain(&of("task", group)) {
            let (begin, end) = span(part);
            assert!(since <= begin && end <= until, "{part}");
        }
        ran += of("task", group).len();
    }
    let tasks = trace.iter().filter(|event| event["cat"] == "task").count();
    assert_eq!(ran, tasks);
    // Where nothing is shared but what both need.
    assert!((7..=12).contains(&ran), "{ran}");
}

#[test]
fn one_profile_tells_of_all_and_of_each() {
    let place = Place::new(WORKSPACE);
    let schema = Schema::open("workspace-report.schema.json");
    let profile = |arguments: &[&str]| {
        let flags = ["train", "--profile", "--json", "--jobs", "1"];
        let report = place.run(&[&flags[..], arguments].concat()).ends(0).json();
        assert_eq!(schema.refusal(&report), None, "{report:#}");
        report["profile"].clone()
    };
    let first = profile(&["--all"]);
    let each = first["assistants"].as_array().unwrap();
    let told = |at: usize| {
        let one = &each[at];
        (
            one["name"].as_str().unwrap(),
            one["ran"].as_u64().unwrap(),
            one["reused"].as_u64().unwrap(),
        )
    };
    assert_eq!((told(0), told(1)), (("lemon", 6, 0), ("plum", 3, 3)));
    assert_eq!((&first["ran"], &first["reused"]), (&9.into(), &3.into()));
    // Which of them took longest, the machine says.
    let longest = first["critical_path"][0]["assistant"].as_str().unwrap();
    assert!(["lemon", "plum"].contains(&longest), "{longest}");
    let whole: u64 = each.iter().map(|one| one["ms"].as_u64().unwrap()).sum();
    // One after the other.
    assert!(whole <= first["wall_ms"].as_u64().unwrap());

    let second = when_at_rest(|| profile(&["--all"]), |told| told["unread"] == 2);
    assert_eq!(
        (&second["ran"], &second["reused"], &second["unread"]),
        (&0.into(), &12.into(), &2.into())
    );
    place.replace("bots/plum/data/stories.yml", "greet", "bye");
    place
        .run(&["train", "--all", "--profile"])
        .ends(0)
        .says("; nothing changed in 1 of 2 assistants, which were not read\n")
        .says(" in a chain of plum: ")
        .says("\n  by name   ");
}

#[test]
fn memory_is_limited_for_all_assistants_together() {
    let place = Place::new(
        "\
version: 1
domain: shared/domain.yml
data: shared/nlu.yml
assistants:
- path: bots/lemon
  config: ../../shared/small.yml
- path: bots/plum
  config: ../../shared/other.yml
",
    );
    let long = SMALL.replace("epochs: 1", "epochs: 20");
    place.write("shared/small.yml", &long);
    // Another network, so that both train.
    place.write("shared/other.yml", &long.replace("size: 16", "size: 20"));
    let flags = ["train", "--all", "--jobs", "2", "--max-memory"];
    let refused = place.run(&[&flags[..], &["1MB"]].concat()).ends(69);
    assert!(refused.err.contains("nothing was run"), "{refused:?}");
    let (estimate, in_use) = needed(&refused.err);
    // Enough for one and not for two.
    let limit = format!("{}MiB", (in_use + 1.6 * estimate).round());
    let told = told(&place, &[&flags[..], &[limit.as_str()]].concat(), 0);
    let networks = told.iter().filter(|event| {
        event["task"]["name"] == "nlu.2.DIETClassifier"
            && (event["event"] == "started" || event["event"] == "finished")
    });
    let order: Vec<&str> = networks
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(order, ["started", "finished", "started", "finished"]);
}
