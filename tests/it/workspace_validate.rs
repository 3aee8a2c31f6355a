//! `data validate` on assistants of a workspace: one report, in which what is wrong
//! in a shared file stands once.

use expect_test::expect;
use serde_json::Value;

use crate::json_schema::Schema;
use crate::workspace_commands::Place;
use crate::workspace_commands::WORKSPACE;

/// A workspace in whose shared file something is wrong for both, and something for
/// one alone, beside a mistake of its own.
fn place() -> Place {
    let place = Place::new(WORKSPACE);
    place.replace(
        "shared/nlu.yml",
        "- intent: bye",
        "- intent: bye\n  exmples: |\n    - x",
    );
    place.write("bots/plum/domain.yml", "intents: [order]\n");
    place.replace(
        "bots/lemon/data/stories.yml",
        "intent: greet",
        "intent: grete",
    );
    place
}

#[test]
fn what_is_wrong_in_a_shared_file_stands_once() {
    let place = place();
    let schema = Schema::open("workspace-validation.schema.json");
    let report = place
        .run(&["data", "validate", "--all", "--json"])
        .ends(65)
        .json();
    assert_eq!(schema.refusal(&report), None, "{report:#}");
    let found = report["diagnostics"].as_array().unwrap();
    let of = |file: &str, severity: &str| {
        let all = found.iter().filter(|one| one["file"] == file);
        let all = all.filter(|one| one["severity"] == severity);
        all.map(|one| one["assistants"].clone())
            .collect::<Vec<Value>>()
    };
    let both = serde_json::json!(["lemon", "plum"]);
    assert_eq!(of("shared/nlu.yml", "error"), [both]);
    let errors = of("bots/lemon/data/stories.yml", "error");
    assert_eq!(errors, [serde_json::json!(["lemon"])], "{report:#}");
    let counted = |at: usize| report["assistants"][at]["errors"].as_u64().unwrap();
    assert_eq!((counted(0), counted(1)), (2, 1));
    assert_eq!(report["errors"], 2);
}

#[test]
fn a_person_is_told_whose_each_mistake_is() {
    let place = place();
    place
        .run(&["data", "validate", "--all", "--quiet"])
        .ends(65)
        .prints(expect![[r#"
            error[W404]: intent `grete` is not in the domain
              ──▶ bots/lemon/data/stories.yml:4:13
               │
             4 │   - intent: grete
               │             ^^^^^
               = help: did you mean `greet`?

            error[E314]: an entry of kind `intent` has no `exmples`
              ──▶ shared/nlu.yml:7:3
               │
             7 │   exmples: |
               │   ^^^^^^^
               = note: so for every assistant
               = help: did you mean `examples`?

            2 errors; `tabella explain-code CODE` says more
        "#]]);
    let run = place.run(&["data", "validate", "plum", "--quiet"]).ends(65);
    assert!(!run.out.contains("grete"), "{run:?}");
    let text = place.run(&["data", "validate", "--all"]).ends(65).out;
    assert!(text.contains("\nlemon: 2 errors"), "{text}");
}

#[test]
fn a_log_for_code_hosts_names_files_from_the_workspace() {
    let place = place();
    let log: Value = place
        .run(&["data", "validate", "lemon", "pl*", "--sarif"])
        .ends(65)
        .json();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let uri = |one: &Value| {
        let place = &one["locations"][0]["physicalLocation"]["artifactLocation"];
        place["uri"].as_str().unwrap_or_default().to_owned()
    };
    let shared: Vec<&Value> = results
        .iter()
        .filter(|one| uri(one) == "shared/nlu.yml" && one["level"] == "error")
        .collect();
    assert_eq!(shared.len(), 1, "{log:#}");
    let both = serde_json::json!(["lemon", "plum"]);
    assert_eq!(shared[0]["properties"]["assistants"], both);
    assert!(
        results
            .iter()
            .any(|one| uri(one) == "bots/lemon/data/stories.yml")
    );
}

#[test]
fn the_exit_code_is_that_of_the_worst() {
    let place = Place::new(WORKSPACE);
    place.run(&["data", "validate", "--all"]).ends(0);
    place
        .run(&["data", "validate", "--all", "--fail-on-warnings"])
        .ends(65);
    place
        .run(&["data", "validate", "lemmon"])
        .ends(64)
        .says("did you mean `lemon`?");
    place
        .run(&["data", "validate", "--all", "--config", "x"])
        .ends(64);
    place
        .run(&["data", "validate", "--workspace", "tabella.yml"])
        .ends(64);
    place
        .run_in("..", &["data", "validate", "--all"])
        .ends(66)
        .says("there is no `tabella.yml`");
    place.replace("tabella.yml", "version: 1", "version: 2");
    place
        .run(&["data", "validate", "--all"])
        .ends(65)
        .says("E701");
}
