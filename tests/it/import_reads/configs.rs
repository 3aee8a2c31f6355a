//! What a config says: languages, recipe, components of old, and the projects
//! that it brings in.

use std::path::Path;

use expect_test::expect;
use serde_json::json;
use tabella::diagnostic::Paint;
use tabella::diagnostic::render;
use tabella::import::FileKind;
use tabella::import::Imported;
use tabella::import::Sources;
use tabella::import::import_project;

use super::folder;

fn read(root: &Path, domain: &[&str], data: &[&str]) -> Imported {
    import_project(&Sources {
        root: root.to_owned(),
        config: "config.yml".into(),
        domain: domain.iter().map(Into::into).collect(),
        data: data.iter().map(Into::into).collect(),
        ..Sources::default()
    })
    .unwrap()
}

fn config(text: &str) -> Imported {
    read(folder(&[("config.yml", text)]).path(), &[], &[])
}

fn said(imported: &Imported) -> String {
    render(&imported.diagnostics, &imported.sources, Paint::Plain)
}

const EMPTY: &str = "pipeline: []\npolicies: []\n";

#[test]
fn of_several_languages_the_first_is_trained() {
    let imported = config(&format!("language: [de, en, fr]\n{EMPTY}"));
    let config = &imported.project.config;
    assert_eq!(config.language.as_deref(), Some("de"));
    assert_eq!(config.other["additional_languages"], json!(["en", "fr"]));
    expect![[r#"
        note[N114]: of several languages the first one, `de`, is trained
          ──▶ config.yml:1:11
           │
         1 │ language: [de, en, fr]
           │           ^
           = help: train a model for each other language, with a config of its own
    "#]]
    .assert_eq(&said(&imported));
}

#[test]
fn a_config_of_rasa_1_is_told_what_to_write_today() {
    let imported = config(
        "\
recipe: graph.v1
assistant_id: placeholder_default
language: en
pipeline: supervised_embeddings
policies: rules
importers:
- name: E2EImporter
- name: MultiProjectImportr
- name: my.own.Importer
imports: [other]
",
    );
    expect![[r#"
        error[E103]: recipe `graph.v1` cannot be trained
          ──▶ config.yml:1:9
           │
         1 │ recipe: graph.v1
           │         ^^^^^^^^
           = note: it describes a graph of Python classes; Tabella makes its own graph
           = help: write `recipe: default.v1`, and the components of `train_schema` under `pipeline` and `policies`

        warning[W115]: `assistant_id` is still the one of the template
          ──▶ config.yml:2:15
           │
         2 │ assistant_id: placeholder_default
           │               ^^^^^^^^^^^^^^^^^^^
           = help: write a name of your own: it tells this assistant's messages from others'

        error[E116]: `supervised_embeddings` is a pipeline of Rasa 1 by its name
          ──▶ config.yml:4:11
           │
         4 │ pipeline: supervised_embeddings
           │           ^^^^^^^^^^^^^^^^^^^^^
           = help: list its components, each as `- name: …`: WhitespaceTokenizer, RegexFeaturizer, LexicalSyntacticFeaturizer, CountVectorsFeaturizer, CountVectorsFeaturizer with `analyzer: char_wb`, `min_ngram: 1` and `max_ngram: 4`, DIETClassifier, EntitySynonymMapper

        error[E116]: `policies` is a list of components, not a name
          ──▶ config.yml:5:11
           │
         5 │ policies: rules
           │           ^^^^^
           = help: write each as `- name: …`

        note[N122]: `E2EImporter` is always there and need not be named
          ──▶ config.yml:7:3
           │
         7 │ - name: E2EImporter
           │   ^

        warning[W118]: importer `MultiProjectImportr` is not known: it is left out
          ──▶ config.yml:8:3
           │
         8 │ - name: MultiProjectImportr
           │   ^
           = note: what it would bring in from elsewhere is not trained on
           = help: did you mean `MultiProjectImporter`?

        warning[W118]: importer `my.own.Importer` is not known: it is left out
          ──▶ config.yml:9:3
           │
         9 │ - name: my.own.Importer
           │   ^
           = note: what it would bring in from elsewhere is not trained on
           = help: write its data to files, and name them with `--data` and `--domain`

        warning[W120]: `imports` are not read
           ──▶ config.yml:10:10
            │
         10 │ imports: [other]
            │          ^
            = help: write `importers: [{name: MultiProjectImporter}]` to bring them in
    "#]].assert_eq(&said(&imported));
}

#[test]
fn what_is_missing_is_filled_in_memory_and_never_in_the_file() {
    let root = folder(&[("config.yml", "language: en\npolicies: []\n")]);
    let config = read(root.path(), &[], &[]).project.config;
    assert!(config.pipeline_is_default && !config.policies_are_default);
    assert_eq!(config.pipeline.len(), 9);
    assert!(config.policies.is_empty());
    let text = std::fs::read_to_string(root.path().join("config.yml")).unwrap();
    assert_eq!(text, "language: en\npolicies: []\n");
}

/// A main project that imports one folder, whose config imports another.
const PROJECTS: &[(&str, &str)] = &[
    (
        "config.yml",
        "\
language: en
pipeline: [{name: KeywordIntentClassifier}]
policies: [{name: RulePolicy}]
importers: [{name: MultiProjectImporter}]
imports: [projects/one, projects/none, projects/one/deep]
",
    ),
    (
        "domain.yml",
        "version: '3.1'\nintents: [main]\nresponses: {utter_a: [{text: main}]}\n",
    ),
    (
        "data/nlu.yml",
        "nlu:\n- intent: main\n  examples: |\n    - main\n",
    ),
    (
        "projects/nlu.yml",
        "nlu:\n- intent: beside\n  examples: |\n    - beside\n",
    ),
    (
        "projects/one/config.yml",
        "pipeline: [{name: WhitespaceTokenizer}]\nimports: [../two]\n",
    ),
    (
        "projects/one/domain.yml",
        "intents: [one]\nresponses: {utter_a: [{text: one}], utter_b: [{text: one}]}\n",
    ),
    (
        "projects/one/deep/nlu.yml",
        "nlu:\n- intent: one\n  examples: |\n    - one\n",
    ),
    (
        "projects/one/test_stories.yml",
        "stories:\n- story: test\n  steps:\n  - intent: one\n",
    ),
    (
        "projects/two/all.yml",
        "\
nlu:
- intent: two
  examples: |
    - two
stories:
- story: lost
  steps:
  - intent: two
",
    ),
    (
        "projects/two/stories.yml",
        "stories:\n- story: two\n  steps:\n  - intent: one\n  - action: utter_b\n",
    ),
];

#[test]
fn imported_projects_bring_their_domain_and_data() {
    let root = folder(PROJECTS);
    let imported = read(root.path(), &["domain.yml"], &["data"]);
    let project = &imported.project;
    let intents: Vec<&str> = project.domain.intents.iter().map(|i| &*i.name).collect();
    assert_eq!(intents, ["main", "one"]);
    assert_eq!(
        project.domain.responses["utter_a"][0]
            .get("text")
            .and_then(|text| text.as_str()),
        Some("main")
    );
    assert_eq!(
        project.domain.responses["utter_b"][0]
            .get("text")
            .and_then(|text| text.as_str()),
        Some("one")
    );
    let texts: Vec<&str> = project.nlu.examples.iter().map(|e| &*e.text).collect();
    assert_eq!(texts, ["main", "one", "two"]);
    let stories: Vec<&str> = project
        .stories
        .steps
        .iter()
        .map(|s| &*s.block_name)
        .collect();
    assert_eq!(stories, ["two"]);
    assert_eq!(project.config.pipeline[0].name, "KeywordIntentClassifier");
    expect![[r#"
        warning[W119]: `projects/none` is neither a folder nor a config that is there
          ──▶ config.yml:5:25
           │
         5 │ imports: [projects/one, projects/none, projects/one/deep]
           │                         ^^^^^^^^^^^^^
           = note: it is left out
           = help: paths of `imports` start at the folder of this config

        warning[W212]: response `utter_a` is defined in two files: the first one counts
          ──▶ projects/one/domain.yml:2:13
           │
         2 │ responses: {utter_a: [{text: one}], utter_b: [{text: one}]}
           │             ^^^^^^^
           = note: first at domain.yml:3:13

        warning[W309]: intent `two` is not in the domain
          ──▶ projects/two/all.yml:2:11
           │
         2 │ - intent: two
           │           ^^^

        warning[W121]: `stories` is not read: an imported file is NLU data alone
          ──▶ projects/two/all.yml:5:1
           │
         5 │ stories:
           │ ^^^^^^^
           = help: move the section to a file of its own
    "#]]
    .assert_eq(&said(&imported));
}

#[test]
fn imported_projects_are_read_from_memory_as_from_the_disk() {
    // What lies beside them is training data in memory, where no folder is named.
    let files = PROJECTS
        .iter()
        .filter(|(name, _)| *name != "projects/nlu.yml");
    let files: Vec<(&str, &[u8])> = files.map(|(name, text)| (*name, text.as_bytes())).collect();
    let in_memory = tabella::import::import_texts(&files).unwrap();
    let root = folder(PROJECTS);
    let on_disk = read(root.path(), &["domain.yml"], &["data"]);
    assert_eq!(said(&in_memory), said(&on_disk));
    let (a, b) = (&in_memory.project, &on_disk.project);
    assert_eq!((&a.domain, &a.nlu), (&b.domain, &b.nlu));
    assert_eq!(a.stories, b.stories);
}

#[test]
fn configs_and_tests_of_imported_projects_are_watched_but_no_input() {
    let root = folder(PROJECTS);
    let imported = read(root.path(), &["domain.yml"], &["data"]);
    let kinds = |name: &str| -> Vec<FileKind> {
        let file = imported.files.iter().find(|file| &*file.shown == name);
        file.unwrap().kinds.clone()
    };
    assert_eq!(kinds("config.yml"), [FileKind::Config]);
    assert_eq!(kinds("projects/one/config.yml"), []);
    assert_eq!(kinds("projects/one/test_stories.yml"), []);
    assert_eq!(kinds("projects/two/all.yml"), [FileKind::Nlu]);
}

#[test]
fn projects_that_import_each_other_are_read_once() {
    let importers = "importers: [{name: MultiProjectImporter}]\n";
    let root = folder(&[
        ("config.yml", &format!("{EMPTY}{importers}imports: [a]\n")),
        ("a/config.yml", "\"imports\": [../b, .]\n"),
        ("b/config.yml", "imports : [../a, ../config.yml]\n"),
        ("b/nlu.yml", "nlu:\n- intent: x\n  examples: |\n    - x\n"),
    ]);
    let imported = read(root.path(), &[], &[]);
    assert_eq!(imported.project.nlu.examples.len(), 1);
    assert_eq!(said(&imported), "");
}
