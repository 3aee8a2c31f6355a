//! A status as a graph in the languages of Graphviz and Mermaid.
//!
//! What a task's state is can be told by its words and its shape as well as by
//! its colour.

use std::collections::HashMap;
use std::fmt::Write;

use crate::cli::report::by_stage;
use crate::cli::report::state_word;
use crate::cli::screen::duration;
use crate::cli::screen::told;
use crate::recipe::Report;
use crate::recipe::TaskReport;
use crate::recipe::TaskState;

/// Returns for each task the indices of those it reads.
pub fn edges(report: &Report) -> Vec<Vec<usize>> {
    let names = report.tasks.iter().enumerate();
    let index: HashMap<&str, usize> = names.map(|(index, t)| (t.name.as_str(), index)).collect();
    let reads = |task: &TaskReport| {
        let reads = task.reads.iter();
        reads
            .filter_map(|name| index.get(name.as_str()).copied())
            .collect()
    };
    report.tasks.iter().map(reads).collect()
}

/// State and time in one line: `stale, 1.4 s`.
pub fn subtitle(task: &TaskReport) -> String {
    match task.last_ms {
        Some(ms) => format!("{}, {}", state_word(task.state), duration(ms)),
        None => state_word(task.state).to_owned(),
    }
}

/// Why, in one text.
pub fn why(task: &TaskReport) -> String {
    let reasons = told(&task.reasons).into_iter();
    let reasons: Vec<String> = reasons.map(ToString::to_string).collect();
    reasons.join("; ")
}

/// Returns the graph in Graphviz's language.
pub fn dot(report: &Report) -> String {
    let mut text = String::from(
        "digraph tabella {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=11];\n",
    );
    let ids = ids(report);
    for (index, (stage, tasks)) in by_stage(report).iter().enumerate() {
        let _ = writeln!(text, "  subgraph cluster_{index} {{");
        let _ = writeln!(text, "    label={};", dot_text(stage));
        for task in tasks {
            let look = match task.state {
                TaskState::Fresh => "shape=box, style=rounded",
                TaskState::Remote => "shape=box, style=\"filled,rounded\", fillcolor=\"#d5e4f5\"",
                TaskState::Stale => "shape=octagon, style=\"filled,bold\", fillcolor=\"#f3b49f\"",
                TaskState::MayBeSpared => {
                    "shape=box, style=\"filled,dashed\", fillcolor=\"#fbe6a8\""
                }
            };
            let label = dot_text(&format!("{}\n{}", task.name, subtitle(task)));
            let tooltip = dot_text(&why(task));
            let id = ids[task.name.as_str()];
            let _ = writeln!(
                text,
                "    t{id} [label={label}, tooltip={tooltip}, {look}];"
            );
        }
        text.push_str("  }\n");
    }
    for (to, reads) in edges(report).iter().enumerate() {
        for from in reads {
            let _ = writeln!(text, "  t{from} -> t{to};");
        }
    }
    text + "}\n"
}

fn ids(report: &Report) -> HashMap<&str, usize> {
    let names = report.tasks.iter().map(|task| task.name.as_str());
    names.zip(0..).collect()
}

/// Returns a quoted string of Graphviz's language.
fn dot_text(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}

/// Returns the graph as a Mermaid flowchart.
pub fn mermaid(report: &Report) -> String {
    let mut text = String::from("flowchart LR\n");
    let ids = ids(report);
    for (index, (stage, tasks)) in by_stage(report).iter().enumerate() {
        let _ = writeln!(text, "  subgraph s{index}[\"{}\"]", mermaid_text(stage));
        for task in tasks {
            let (open, close, class) = match task.state {
                TaskState::Fresh => ("(", ")", "fresh"),
                TaskState::Remote => ("([", "])", "fetch"),
                TaskState::Stale => ("{{", "}}", "stale"),
                TaskState::MayBeSpared => ("[/", "/]", "maybe"),
            };
            let name = mermaid_text(&task.name);
            let below = mermaid_text(&subtitle(task));
            let id = ids[task.name.as_str()];
            let _ = writeln!(
                text,
                "    t{id}{open}\"{name}<br/>{below}\"{close}:::{class}"
            );
        }
        text.push_str("  end\n");
    }
    for (to, reads) in edges(report).iter().enumerate() {
        for from in reads {
            let _ = writeln!(text, "  t{from} --> t{to}");
        }
    }
    text.push_str(
        "  classDef stale fill:#f3b49f,stroke:#8a2c0d,stroke-width:3px,color:#000\n  \
         classDef maybe fill:#fbe6a8,stroke:#7a5b00,stroke-dasharray:5 3,color:#000\n  \
         classDef fetch fill:#d5e4f5,stroke:#2b5580,color:#000\n  \
         classDef fresh fill:#e3eee3,stroke:#4a6b4a,color:#000\n",
    );
    text
}

/// Returns text for between Mermaid's quotes, in which `#` starts a character's
/// code.
fn mermaid_text(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '#' | '<' | '>' | '&' | ';' | '`' | '\\' => {
                let _ = write!(plain, "#{};", u32::from(character));
            }
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}
