//! Assistants with very many components: each has a task, a seed and a place in
//! the archive of its own. How long that takes is in `benches/README.md`.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::workbench::Workbench;

const DOMAIN: &str = "intents: [greet, bye]\nactions: [utter_hi]\n";
const NLU: &str =
    "nlu:\n- intent: greet\n  examples: '- hi there'\n- intent: bye\n  examples: '- see you'\n";
const STORIES: &str = "stories:\n- story: s\n  steps:\n  - intent: greet\n  - action: utter_hi\n";

/// A project with so many components of a few names, and so many policies.
fn project(components: usize, policies: usize) -> Workbench {
    let mut config = "language: en\npipeline:\n- name: WhitespaceTokenizer\n".to_owned();
    for index in 0..components {
        let name = ["KeywordIntentClassifier", "RegexFeaturizer"][index % 2];
        writeln!(config, "- name: {name}").unwrap();
    }
    config.push_str("policies:\n");
    for index in 0..policies {
        writeln!(config, "- name: MemoizationPolicy\n  priority: {index}").unwrap();
    }
    Workbench::new(&[
        ("config.yml", &config),
        ("domain.yml", DOMAIN),
        ("data/nlu.yml", NLU),
        ("data/stories.yml", STORIES),
    ])
}

#[test]
fn ten_thousand_components_and_policies_are_as_many_tasks() {
    let report = project(10_000, 10_000).dry_run().dry_run_results.unwrap();
    let names: BTreeSet<&str> = report.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names.len(), report.tasks.len());
    // The tokenizer, the conversations and the package are three more.
    assert_eq!(names.len(), 20_003);
}

#[test]
fn the_archive_has_a_place_for_each_of_many_components() {
    let bench = project(5_000, 1);
    let model = bench.train().unwrap().model.unwrap();
    let model = tabella::archive::read_model(&model).unwrap();
    assert_eq!(model.metadata.pipeline.len(), 5_001);
    assert_eq!(model.nlu.len(), 5_000);
}
