//! Runs small graphs against a store in memory and looks at the events.

mod reasons;
mod runs;
mod memory;
mod elsewhere;
mod random;

use std::sync::Arc;

use expect_test::Expect;
use serde_json::Value;
use serde_json::json;

use crate::digest::Digest;
use crate::engine::EventLog;
use crate::engine::Graph;
use crate::engine::Input;
use crate::engine::Item;
use crate::engine::Items;
use crate::engine::Leaf;
use crate::engine::OnFailure;
use crate::engine::Outputs;
use crate::engine::PlanSettings;
use crate::engine::Results;
use crate::engine::Settings;
use crate::engine::Task;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::TaskPlaces;
use crate::engine::Turn;
use crate::engine::execute;
use crate::engine::plan;
use crate::store::Store;

/// Returns a task that joins its inputs and options to the output `out`.
fn task(name: &str, inputs: Vec<Input>) -> Task {
    Task {
        project: "p".into(),
        name: name.to_owned(),
        stage: "test".to_owned(),
        kind: "join",
        version: 1,
        options: Value::Null,
        inputs,
        turn: Turn::Usual,
        places: TaskPlaces::default(),
        run: Box::new(join),
    }
}

fn join(context: &TaskContext<'_>) -> Result<Outputs, TaskError> {
    let mut out = Vec::new();
    for role in context.roles() {
        out.extend(role.as_bytes());
        out.push(b'=');
        out.extend(context.bytes(role)?);
        out.push(b';');
    }
    Ok(Outputs::from([("out".to_owned(), out)]))
}

fn leaf(role: &str, text: &str) -> Input {
    Input::leaf(role, Leaf::of_bytes(Arc::new(text.as_bytes().to_vec())))
}

/// Returns a leaf of lines, each a piece of its own.
fn lines(role: &str, text: &str) -> Input {
    let item = |(index, line): (usize, &str)| {
        let (label, contents) = line.split_once(':').unwrap_or((line, ""));
        let digest = Digest::of(contents.as_bytes());
        Item::new(format!("`{label}`"), digest, format!("f.yml:{}", index + 1))
    };
    let items = Items(text.lines().enumerate().map(item).collect());
    let leaf = Leaf::of_bytes(Arc::new(text.as_bytes().to_vec()));
    Input::leaf(role, leaf.with_items(move || items.clone()))
}

/// The knobs of the test graph: a tokenizer-like `upper` that ignores case,
/// two readers of it, and a last task that reads both.
#[derive(Clone)]
struct Knobs {
    text: String,
    rate: Value,
    version: u32,
    name: &'static str,
    kind: &'static str,
    third: Option<&'static str>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            text: "hello:a\nbye:b".to_owned(),
            rate: json!(0.5),
            version: 1,
            name: "left",
            kind: "join",
            third: None,
        }
    }
}

fn graph(knobs: &Knobs) -> Graph {
    let mut graph = Graph::new();
    let mut upper = task("upper", vec![lines("text", &knobs.text)]);
    upper.kind = "upper";
    upper.run = Box::new(|context| {
        let out = context.bytes("text")?.to_ascii_uppercase();
        Ok(Outputs::from([("out".to_owned(), out)]))
    });
    let upper = graph.add(upper);
    let mut left = task(knobs.name, vec![Input::output("text", upper, "out")]);
    left.kind = knobs.kind;
    left.version = knobs.version;
    left.options = json!({"rate": knobs.rate, "seed": 1});
    left.inputs
        .extend(knobs.third.map(|third| leaf("third", third)));
    let left = graph.add(left);
    let right = graph.add(task("right", vec![Input::output("letters", upper, "out")]));
    let both = vec![
        Input::output("left", left, "out"),
        Input::output("right", right, "out"),
    ];
    graph.add(task("pack", both));
    graph
}

/// Plans and executes with the default settings.
fn run<'a>(
    graph: &'a Graph,
    store: &'a Store,
    log: &'a (dyn Fn(crate::engine::Event) + Sync),
) -> Results<'a> {
    let settings = Settings {
        on_failure: OnFailure::KeepGoing,
        ..Settings::default()
    };
    let plan = plan(graph, store, PlanSettings::default());
    execute(graph, &plan, store, &settings, log)
}

/// Runs the graph and compares its events.
#[track_caller]
fn check(graph: &Graph, store: &Store, want: Expect) {
    let log = EventLog::new();
    run(graph, store, &|event| log.push(event));
    want.assert_eq(&log.text());
}

/// Compares the plan of the graph, one task a line.
#[track_caller]
fn check_plan(graph: &Graph, store: &Store, want: Expect) {
    let mut text = String::new();
    for planned in plan(graph, store, PlanSettings::default()).tasks() {
        let name = &graph.task(planned.id).name;
        let reasons: Vec<String> = planned.reasons().iter().map(ToString::to_string).collect();
        let state = serde_json::to_value(&planned.state).unwrap();
        let state = state["state"].as_str().unwrap().to_owned();
        text.push_str(format!("{state} {name}: {}", reasons.join("; ")).trim_end_matches(": "));
        text.push('\n');
    }
    want.assert_eq(&text);
}
