//! Many assistants at once: who is meant, that shared work is done once, what is
//! told and in which order, and how the program ends.

#![allow(clippy::unwrap_used)] // Test helpers may fail as tests do.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::sync::Arc;
use std::sync::Mutex;

use expect_test::Expect;
use expect_test::expect;
use serde_json::Value;
use tabella::api;
use tabella::api::CacheSettings;
use tabella::api::MemberNotice;
use tabella::api::MemberObserver;
use tabella::api::Notice;
use tabella::api::Observer;
use tabella::api::TrainOptions;
use tabella::api::WorkspaceOptions;
use tabella::api::WorkspaceReport;
use tempfile::TempDir;

use crate::json_schema::Schema;
use crate::workbench::program;

pub const SMALL: &str = "\
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 1
  transformer_size: 16
policies:
- name: MemoizationPolicy
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

pub const DOMAIN: &str = "\
intents: [greet, bye]
responses:
  utter_greet: [{text: hi}]
  utter_bye: [{text: bye}]
";

/// Two assistants that share domain, config and NLU data, and differ in their
/// stories; and one that stands alone.
pub const WORKSPACE: &str = "\
version: 1
domain: shared/domain.yml
data: shared/nlu.yml
matrix: {config: shared/small.yml}
assistants: [bots/*]
";

/// A workspace in a folder of its own, with a cache beside it.
pub struct Place {
    pub folder: TempDir,
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new(workspace: &str) -> Self {
        let place = Self {
            folder: TempDir::new().unwrap(),
        };
        place.write("tabella.yml", workspace);
        place.write("shared/small.yml", SMALL);
        place.write("shared/nlu.yml", NLU);
        place.write("shared/domain.yml", DOMAIN);
        for (bot, answer) in [("lemon", "utter_greet"), ("plum", "utter_bye")] {
            place.write(&format!("bots/{bot}/domain.yml"), "intents: []\n");
            let story = format!(
                "stories:\n- story: one\n  steps:\n  - intent: greet\n  - action: {answer}\n"
            );
            place.write(&format!("bots/{bot}/data/stories.yml"), &story);
        }
        place
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("ws")
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(old), "`{old}` in {text}");
        self.write(path, &text.replace(old, new));
    }

    /// The program, with nothing of this process's surroundings but `PATH`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(&self.root(), &self.folder.path().join("cache"));
        command
            .args(arguments)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    pub fn run_in(&self, folder: &str, arguments: &[&str]) -> Run {
        let mut command = self.command(arguments);
        Run::of(command.current_dir(self.path(folder)).output().unwrap())
    }

    /// Trains all assistants in this process; returns the report and every event
    /// with the assistant that it is about.
    fn train(&self, jobs: usize, cache: CacheSettings) -> (WorkspaceReport, Vec<String>) {
        let environment = BTreeMap::new();
        let nobody = Observer::default();
        let opened = api::open_workspace(None, &self.root(), &environment, &nobody).unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = Arc::clone(&log);
        let mut options = WorkspaceOptions {
            all: TrainOptions::default(),
            observer: MemberObserver::new(move |member, notice| {
                if let MemberNotice::Told(Notice::Task(event)) = notice {
                    lines
                        .lock()
                        .unwrap()
                        .push(format!("{} {event}", member.name));
                }
            }),
            ..WorkspaceOptions::default()
        };
        options.all.run.jobs = Some(jobs);
        options.all.run.cache = cache;
        let members = opened.select(&[]).unwrap();
        let report = api::train_members(&opened, &members, &options);
        let log = log.lock().unwrap().clone();
        (report, log)
    }

    fn cache(&self) -> CacheSettings {
        CacheSettings::Folder(self.folder.path().join("cache"))
    }
}

impl Run {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn says(self, piece: &str) -> Self {
        assert!(self.err.contains(piece), "`{piece}` in {}", self.err);
        self
    }

    /// Standard output, with times and names of archives replaced.
    #[track_caller]
    pub fn prints(self, want: Expect) -> Self {
        want.assert_eq(&masked(&self.out));
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Returns text without what is another one each time.
fn masked(text: &str) -> String {
    let time = regex::Regex::new(r"\d+(\.\d)? (ms|s)\b").unwrap();
    let archive = regex::Regex::new(r"[0-9a-f]{16}").unwrap();
    archive
        .replace_all(&time.replace_all(text, "TIME"), "NAME")
        .into_owned()
}

fn bytes(report: &WorkspaceReport) -> Vec<Vec<u8>> {
    let models = report
        .assistants
        .iter()
        .map(|one| one.model.as_ref().unwrap());
    models.map(|path| fs::read(path).unwrap()).collect()
}

/// How many assistants ran a task.
fn ran(log: &[String], task: &str) -> usize {
    let started = format!(" run     {task}:");
    log.iter().filter(|line| line.contains(&started)).count()
}

#[test]
fn what_assistants_share_is_trained_once_also_side_by_side() {
    for jobs in [1, 4] {
        let place = Place::new(WORKSPACE);
        place.write("bots/fig/domain.yml", "intents: []\n");
        place.write("bots/fig/data/stories.yml", "stories: []\n");
        let (report, log) = place.train(jobs, place.cache());
        assert_eq!(report.assistants.len(), 3);
        assert_eq!(ran(&log, "nlu.2.DIETClassifier"), 1, "{log:#?}");
        assert_eq!(ran(&log, "nlu.0.WhitespaceTokenizer"), 1, "{log:#?}");
        assert_eq!(ran(&log, "core.0.MemoizationPolicy"), 2, "{log:#?}");
    }
}

#[test]
fn an_assistant_is_what_it_is_alone() {
    let place = Place::new(WORKSPACE);
    let (report, _) = place.train(4, place.cache());
    let together = bytes(&report);
    let elsewhere = TempDir::new().unwrap();
    let mut options = TrainOptions {
        config: "../../shared/small.yml".into(),
        domain: vec!["domain.yml".into(), "../../shared/domain.yml".into()],
        training_files: vec!["data".into(), "../../shared/nlu.yml".into()],
        output: elsewhere.path().to_owned(),
        ..TrainOptions::default()
    };
    for (bot, want) in ["lemon", "plum"].iter().zip(together) {
        options.run.project = place.path(&format!("bots/{bot}"));
        let model = api::train(&options).unwrap().model.unwrap();
        assert!(fs::read(model).unwrap() == want, "{bot}");
    }
}

#[test]
fn without_a_cache_nothing_is_shared() {
    let place = Place::new(WORKSPACE);
    let (_, log) = place.train(1, CacheSettings::Off);
    assert_eq!(ran(&log, "nlu.2.DIETClassifier"), 2, "{log:#?}");
}

#[test]
fn what_is_told_of_each_assistant_stands_together_in_the_order_of_the_workspace() {
    let place = Place::new(WORKSPACE);
    for bot in ["fig", "kiwi", "pear"] {
        place.write(&format!("bots/{bot}/domain.yml"), "intents: []\n");
        let story =
            format!("stories:\n- story: {bot}\n  steps:\n  - intent: bye\n  - action: utter_bye\n");
        place.write(&format!("bots/{bot}/data/stories.yml"), &story);
    }
    let (report, log) = place.train(4, place.cache());
    let mut names: Vec<&str> = log
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    names.dedup();
    assert_eq!(names, ["fig", "kiwi", "lemon", "pear", "plum"], "{log:#?}");
    let names = report.assistants.iter().map(|one| one.name.as_str());
    assert!(names.eq(["fig", "kiwi", "lemon", "pear", "plum"]));
}

#[test]
fn all_are_trained_from_anywhere_in_the_workspace() {
    let place = Place::new(WORKSPACE);
    place
        .run(&["train", "--all", "--jobs", "1"])
        .ends(0)
        .says("lemon in bots/lemon:\n")
        .says("run    nlu.2.DIETClassifier: never run before\n")
        .prints(expect![[r#"
            lemon: trained bots/lemon/models/NAME.tar.gz: 6 of 6 tasks in TIME
            plum: trained bots/plum/models/NAME.tar.gz: 3 of 6 tasks in TIME
            2 assistants in TIME: 2 trained
        "#]]);
    let again = place.run_in("bots/lemon/data", &["train", "--all"]).ends(0);
    assert_eq!(again.err, "");
    let root = fs::canonicalize(place.root()).unwrap();
    let out = again.out.replace(root.to_str().unwrap(), "[ROOT]");
    expect![[r#"
        lemon: nothing to do: [ROOT]/bots/lemon/models/NAME.tar.gz is up to date (6 tasks, TIME)
        plum: nothing to do: [ROOT]/bots/plum/models/NAME.tar.gz is up to date (6 tasks, TIME)
        2 assistants in TIME: 2 up to date
    "#]]
    .assert_eq(&masked(&out));
    let elsewhere = ["train", "--workspace", "ws/tabella.yml", "lemon", "--quiet"];
    let run = place.run_in("..", &elsewhere).ends(0);
    assert!(run.out.starts_with("ws/bots/lemon/models/"), "{run:?}");
    assert_eq!(run.out.lines().count(), 1);
}

#[test]
fn a_word_means_an_assistant_a_variant_or_what_a_pattern_takes() {
    let place = Place::new(
        "\
version: 1
domain: shared/domain.yml
data: shared/nlu.yml
assistants:
- path: bots/lemon
  config: {small: ../../shared/small.yml, large: ../../shared/large.yml}
- path: bots/plum
  config: ../../shared/small.yml
",
    );
    place.write("shared/large.yml", &SMALL.replace("epochs: 1", "epochs: 2"));
    let names = |words: &[&str]| {
        let run = place.run(&[&["status", "--json"], words].concat()).ends(0);
        let report = run.json();
        let all = report["assistants"].as_array().unwrap().iter();
        let names: Vec<&str> = all.map(|one| one["name"].as_str().unwrap()).collect();
        names.join(" ")
    };
    assert_eq!(names(&["--all"]), "lemon@large lemon@small plum");
    assert_eq!(names(&["lemon"]), "lemon@large lemon@small");
    assert_eq!(names(&["plum", "lemon@small"]), "lemon@small plum");
    assert_eq!(names(&["*@large", "p*", "plum"]), "lemon@large plum");
    place.run(&["train", "--all", "--quiet"]).ends(0);
    for folder in [
        "bots/lemon/models/small",
        "bots/lemon/models/large",
        "bots/plum/models",
    ] {
        assert!(place.path(folder).join("latest.json").is_file(), "{folder}");
    }
}

#[test]
fn words_that_mean_nobody_end_with_64_and_name_who_was_meant() {
    let place = Place::new(WORKSPACE);
    place
        .run(&["train", "lemmon", "plum", "x*"])
        .ends(64)
        .says("no assistant `lemmon` (did you mean `lemon`?), `x*`; there are `lemon`, `plum`");
    let run = place.run(&["status", "plumm", "--json"]).ends(64);
    let error = "the workspace has no assistant `plumm` (did you mean `plum`?)";
    assert_eq!(run.json()["error"], error);
    place
        .run(&["train", "--all", "nlu"])
        .ends(64)
        .says("a half is trained of one project");
    for flag in [
        "--config",
        "--domain",
        "--data",
        "--out",
        "--fixed-model-name",
    ] {
        place
            .run(&["train", "--all", flag, "x"])
            .ends(64)
            .says("cannot be used with");
    }
    place
        .run(&["status", "--all", "--dot"])
        .ends(64)
        .says("cannot be used with");
    place
        .run(&["train", "--all", "lemon"])
        .ends(64)
        .says("cannot be used with");
    place
        .run(&["train", "--workspace", "tabella.yml"])
        .ends(64)
        .says("needs names");
    place
        .run(&["train", "--fail-fast"])
        .ends(64)
        .says("`--fail-fast` is about several assistants");
    assert!(!place.path("bots/lemon/models").exists());
}

#[test]
fn a_workspace_that_is_not_there_ends_with_66_and_a_wrong_one_with_65() {
    let place = Place::new(WORKSPACE);
    place
        .run_in("..", &["train", "--all"])
        .ends(66)
        .says("there is no `tabella.yml` in `");
    place
        .run(&["train", "--all", "--workspace", "x.yml"])
        .ends(66)
        .says("`x.yml`");
    place.replace(
        "tabella.yml",
        "[bots/*]",
        "[{path: bots/lemon, out: ../m}, {path: bots/plum, out: ../m}]",
    );
    place
        .run(&["train", "--all"])
        .ends(65)
        .says("tabella.yml:5:45")
        .says("E711");
    // Two names in one folder have one `latest.json`.
    for (old, new) in [
        ("lemon, out: ../m", "lemon, out: ../m/a.tar.gz"),
        ("plum, out: ../m}", "plum, out: ../m/b.tar.gz}"),
    ] {
        place.replace("tabella.yml", old, new);
        place.run(&["train", "--all"]).ends(65).says("E711");
    }
    assert!(!place.folder.path().join("cache").exists());
}

#[test]
fn a_failure_keeps_no_other_assistant_from_being_trained() {
    let place = Place::new(WORKSPACE);
    place.replace("bots/lemon/domain.yml", "intents: []", "intents: {}");
    let run = place
        .run(&["train", "--all"])
        .ends(65)
        .says("lemon in bots/lemon:\nerror[E010]")
        .says("error: lemon: 1 mistake in the project's files; nothing was done\n")
        .prints(expect![[r#"
            plum: trained bots/plum/models/NAME.tar.gz: 6 of 6 tasks in TIME
            2 assistants in TIME: 1 trained, 1 failed
        "#]]);
    assert!(!run.err.contains("error: plum"));
    // Else it would be known to have nothing to do before anything fails.
    place.write("bots/plum/data/more.yml", "version: \"3.1\"\n");
    place
        .run(&["train", "--all", "--fail-fast", "--jobs", "1"])
        .ends(65)
        .prints(expect![[r#"
            plum: not started
            2 assistants in TIME: 1 failed, 1 not started
        "#]]);
    // The worse of two failures decides: 66 for what is missing, 65 for mistakes.
    place.write("bots/plum/data/stories.yml", "");
    fs::remove_file(place.path("shared/small.yml")).unwrap();
    place.write(
        "tabella.yml",
        &WORKSPACE.replace("matrix: {config: shared/small.yml}\n", ""),
    );
    place.replace("bots/lemon/domain.yml", "intents: {}", "intents: []");
    place.run(&["train", "--all"]).ends(66);
    place.replace("bots/lemon/domain.yml", "intents: []", "intents: {}");
    place.run(&["train", "--all"]).ends(65);
}

#[test]
fn a_dry_run_of_all_ends_with_the_sum_of_what_is_stale() {
    let place = Place::new(WORKSPACE);
    place.run(&["train", "--all", "--quiet"]).ends(0);
    place.run(&["train", "--all", "--dry-run"]).ends(0);
    place.replace("bots/lemon/data/stories.yml", "utter_greet", "utter_bye");
    place.write(
        "bots/plum/domain.yml",
        "responses:\n  utter_bye: [{text: so long}]\n",
    );
    let run = place.run(&["train", "--all", "--dry-run"]).ends(5);
    run.prints(expect![[r#"
        lemon: all results are in the cache, but no such model is in the output folder
        plum: 1 of 6 tasks are stale or may be, about TIME
          package  `responses` changed: changed response `utter_bye` (text: bye → so long, domain.yml:2)
        2 assistants in TIME: 2 stale
    "#]]);
    place.run(&["status", "--all"]).ends(0);
    place
        .run(&["status", "plum"])
        .ends(0)
        .prints(expect![[r#"
            plum: 1 of 6 tasks are stale or may be, about TIME
              package  `responses` changed: changed response `utter_bye` (text: bye → so long, domain.yml:2)
            1 assistant in TIME: 1 stale
        "#]]);
    place
        .run(&["train", "--all", "--dry-run", "--force"])
        .ends(8);
}

#[test]
fn a_project_of_the_workspace_is_still_a_project() {
    let place = Place::new("version: 1\nassistants: [bots/*]\n");
    for bot in ["lemon", "plum"] {
        place.write(&format!("bots/{bot}/config.yml"), SMALL);
        place.write(&format!("bots/{bot}/domain.yml"), DOMAIN);
        place.write(&format!("bots/{bot}/data/nlu.yml"), NLU);
    }
    place.run(&["train", "--all"]).ends(0);
    let alone = place.run_in("bots/lemon", &["train"]).ends(0);
    assert!(alone.out.starts_with("nothing to do: models/"), "{alone:?}");
    place.run_in("bots/lemon", &["train", "--dry-run"]).ends(0);
}

#[test]
fn reports_are_as_their_schema_says() {
    let place = Place::new(WORKSPACE);
    let schema = Schema::open("workspace-report.schema.json");
    let check = |arguments: &[&str], code| {
        let report = place
            .run(&[arguments, &["--json"]].concat())
            .ends(code)
            .json();
        assert_eq!(schema.refusal(&report), None, "{report:#}");
        report
    };
    let state = |report: &Value, at: usize| report["assistants"][at]["state"].clone();
    let stale = check(&["status", "--all"], 0);
    assert_eq!(
        (state(&stale, 0), &stale["code"]),
        ("stale".into(), &7.into())
    );
    let trained = check(&["train", "--all"], 0);
    assert_eq!(trained["counts"], serde_json::json!({"trained": 2}));
    assert!(
        !trained["assistants"][0]["tasks"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(state(&check(&["train", "--all"], 0), 1), "up_to_date");
    assert_eq!(state(&check(&["status", "--all"], 0), 1), "fresh");
    fs::remove_dir_all(place.path("bots/plum/models")).unwrap();
    assert_eq!(state(&check(&["train", "--all"], 0), 1), "restored");
    place.replace("bots/lemon/domain.yml", "intents: []", "intents: {}");
    place.write("bots/plum/data/more.yml", "version: \"3.1\"\n");
    let failed = check(&["train", "--all", "--fail-fast", "--jobs", "1"], 65);
    assert_eq!(
        failed["counts"],
        serde_json::json!({"failed": 1, "not_started": 1})
    );
    assert_eq!(failed["assistants"][0]["diagnostics"][0]["code"], "E010");
}

#[test]
fn the_cache_that_the_workspace_names_is_used_unless_another_is_given() {
    let place = Place::new(&format!("cache: .kept\n{WORKSPACE}"));
    let mut command = place.command(&["train", "--all", "--quiet"]);
    let in_bot = command
        .env_remove("TABELLA_CACHE_DIR")
        .current_dir(place.path("bots/plum"));
    Run::of(in_bot.output().unwrap()).ends(0);
    assert!(place.path(".kept/results.db").is_file());
    place.run(&["train", "--all", "--quiet"]).ends(0);
    assert!(Path::new(&place.folder.path().join("cache/results.db")).is_file());
}

#[test]
fn the_folder_of_the_workspace_file_can_be_an_assistant() {
    let place = Place::new("version: 1\nassistants: [{path: ., name: alone}]\n");
    place.write("config.yml", SMALL);
    place.write("domain.yml", DOMAIN);
    place.write("data/nlu.yml", NLU);
    let run = place.run(&["train", "--all", "--skip-validation"]).ends(0);
    assert!(run.out.contains("alone: trained models/"), "{}", run.out);
    let run = place.run(&["status", "alone"]).ends(0);
    assert!(run.out.contains("1 assistant"), "{}", run.out);
}
