//! What a user of the program sees: text, JSON, exit codes.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

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
version: \"3.1\"
intents:
- greet
- bye
responses:
  utter_greet:
  - text: hi
  utter_bye:
  - text: bye
";

const NLU: &str = "\
version: \"3.1\"
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
version: \"3.1\"
stories:
- story: hello and goodbye
  steps:
  - intent: greet
  - action: utter_greet
  - intent: bye
  - action: utter_bye
rules:
- rule: goodbye
  steps:
  - intent: bye
  - action: utter_bye
";

/// A tiny project in a folder of its own, with a cache beside it.
struct Place {
    folder: TempDir,
}

/// What a run printed and how it ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: TempDir::new().unwrap(),
        };
        place.write("config.yml", CONFIG);
        place.write("domain.yml", DOMAIN);
        place.write("data/nlu.yml", NLU);
        place.write("data/stories.yml", STORIES);
        place
    }

    fn trained() -> Self {
        let place = Self::new();
        place.run(&["train"]).ends(0);
        place
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("bot").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn replace(&self, path: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(old), "`{old}` in {text}");
        self.write(path, &text.replace(old, new));
    }

    /// Runs the program with this as its standard input.
    fn fed(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input).unwrap();
        file.rewind().unwrap();
        let output = self.command(arguments).stdin(file).output();
        Run::of(output.unwrap())
    }

    /// The program, with nothing of this process's surroundings.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(&self.path(""), &self.folder.path().join("cache"));
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    /// Names of everything in the output folder.
    fn models(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("models")) else {
            return Vec::new();
        };
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    #[track_caller]
    fn says(self, piece: &str) -> Self {
        assert!(self.err.contains(piece), "`{piece}` in {}", self.err);
        self
    }

    #[track_caller]
    fn prints(self, piece: &str) -> Self {
        assert!(self.out.contains(piece), "`{piece}` in {}", self.out);
        self
    }

    /// Standard output as the one JSON value that it is.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

#[test]
fn a_second_training_is_one_line() {
    let place = Place::new();
    let first = place.run(&["train"]).ends(0).prints("trained models/");
    assert!(
        first
            .err
            .contains("run    nlu.2.DIETClassifier: never run before\n"),
        "{first:?}"
    );
    let second = place
        .run(&["train"])
        .ends(0)
        .prints("nothing to do: models/");
    assert_eq!((second.out.lines().count(), second.err.as_str()), (1, ""));
    assert!(
        place
            .run(&["train", "--quiet", "--force"])
            .ends(0)
            .err
            .is_empty()
    );
}

#[test]
fn the_printed_model_can_be_used_from_where_one_is() {
    let place = Place::new();
    let above = place.folder.path();
    let train = place
        .command(&["train", "--project", "bot", "--quiet"])
        .current_dir(above)
        .output()
        .unwrap();
    let model = Run::of(train).ends(0).out.trim().to_owned();
    assert!(model.starts_with("bot/models/"), "{model}");
    assert!(above.join(&model).exists());
    let parse = place
        .command(&["parse", "--model", &model, "hello"])
        .current_dir(above)
        .output()
        .unwrap();
    Run::of(parse).ends(0).prints("\"text\":\"hello\"");
}

#[test]
fn notes_are_shown_only_when_something_is_done() {
    let place = Place::new();
    let without = CONFIG.split("policies:").next().unwrap();
    place.write(
        "config.yml",
        &format!("{without}policies:\n- name: RulePolicy\n"),
    );
    place.replace("config.yml", "  epochs: 1\n", "");
    place
        .run(&["train", "--dry-run"])
        .ends(7)
        .says("note[N109]");
    place.run(&["train"]).ends(0).says("note[N109]");
    assert!(place.run(&["train"]).ends(0).err.is_empty());
    assert!(place.run(&["train", "--dry-run"]).ends(0).err.is_empty());
}

#[test]
fn what_is_stale_is_told_with_its_reason_and_code() {
    let place = Place::trained();
    place
        .run(&["train", "--dry-run"])
        .ends(0)
        .prints("nothing is stale");
    place.replace("domain.yml", "text: hi", "text: hello!");
    place
        .run(&["train", "--dry-run"])
        .ends(4)
        .prints("responses in the domain");
    place.replace("data/nlu.yml", "- good day", "- good day\n    - morning");
    let run = place.run(&["train", "--dry-run"]).ends(6).prints("morning");
    assert!(run.out.contains("data/nlu.yml:7"), "{}", run.out);
    place.run(&["train", "--dry-run", "--force"]).ends(8);
}

#[test]
fn a_report_without_a_model_says_that_the_cache_has_all() {
    let place = Place::trained();
    place
        .run(&["train", "--dry-run", "--out", "elsewhere"])
        .ends(7)
        .prints("all results are in the cache");
    assert!(!place.path("elsewhere").exists());
}

#[test]
fn wrong_command_lines_end_with_64() {
    let place = Place::new();
    place.run(&[]).ends(64).says("Usage");
    place.run(&["train", "--bogus"]).ends(64).says("--bogus");
    place
        .run(&["train", "--jobs", "0"])
        .ends(64)
        .says("at least 1");
    place
        .run(&["train", "--finetune"])
        .ends(64)
        .says("finetuning is not there yet");
    let outside = ["train", "--fixed-model-name", "../x"];
    place.run(&outside).ends(64).says("`../x`");
    let run = place.run(&["train", "--json", "--bogus"]).ends(64);
    assert!(run.json()["error"].as_str().unwrap().contains("--bogus"));
    assert!(place.models().is_empty());
}

#[test]
fn help_and_version_end_with_0() {
    let place = Place::new();
    place.run(&["--help"]).ends(0).prints("Exit codes");
    place.run(&["train", "--help"]).ends(0).prints("--dry-run");
    place.run(&["--version"]).ends(0).prints("tabella ");
}

#[test]
fn files_that_are_not_there_end_with_66() {
    let place = Place::new();
    for flag in ["--data", "--domain", "--config"] {
        place
            .run(&["train", flag, "nix"])
            .ends(66)
            .says("`nix` does not exist");
    }
    let no_model = place.run(&["parse", "hi"]).ends(66).says("models");
    no_model.says("help: train a model first (`tabella train`)");
    place
        .run(&["parse", "--model", "nix.tar.gz", "hi"])
        .ends(66)
        .says("nix.tar.gz");
    place.run(&["inspect", "data"]).ends(66).says("no model");
    place
        .run(&["train", "--project", "nix"])
        .ends(66)
        .says("cannot read `nix`");
}

#[test]
fn mistakes_end_with_65_and_are_all_shown() {
    let place = Place::new();
    place.replace("config.yml", "epochs: 1", "epochs: many");
    place.replace("config.yml", "RulePolicy", "RulePolcy");
    place
        .run(&["train"])
        .ends(65)
        .says("config.yml:7:11")
        .says("^^^^\n")
        .says("did you mean `RulePolicy`?")
        .says("2 mistakes in the project's files");
    let run = place.run(&["train", "--json"]).ends(65);
    let all = run.json()["diagnostics"].as_array().unwrap().clone();
    let errors = all.iter().filter(|found| found["severity"] == "error");
    assert_eq!(errors.count(), 2);
    assert!(place.models().is_empty());
}

#[test]
fn a_folder_is_no_configuration() {
    let place = Place::new();
    place
        .run(&["train", "--config", "data"])
        .ends(65)
        .says("E021");
}

#[test]
fn a_broken_domain_is_not_reported_as_unknown_intents() {
    let place = Place::new();
    place.write("domain.yml", "intents:\n\t- greet\n");
    let run = place.run(&["train"]).ends(65).says("domain.yml:2:1");
    assert!(!run.err.contains("is not in the domain"), "{}", run.err);
}

#[test]
fn a_contradiction_between_rules_and_stories_names_both() {
    let place = Place::new();
    place.replace(
        "data/stories.yml",
        "  - intent: bye\n  - action: utter_bye\nrules",
        "  - intent: bye\n  - action: utter_greet\nrules",
    );
    let run = place
        .run(&["train", "--jobs", "1"])
        .ends(65)
        .says("`hello and goodbye`")
        .says("`goodbye`");
    assert_eq!(run.err.matches("E452").count(), 1, "{}", run.err);
    assert!(!run.err.contains("run    "), "{}", run.err);
    assert!(place.models().is_empty());
}

#[test]
fn a_task_finds_the_contradiction_that_nobody_looked_for() {
    let place = Place::new();
    place.replace(
        "data/stories.yml",
        "  - intent: bye\n  - action: utter_bye\nrules",
        "  - intent: bye\n  - action: utter_greet\nrules",
    );
    let run = place.run(&["train", "--jobs", "1", "--skip-validation"]);
    let run = run.ends(65).says("`hello and goodbye`");
    let said = run.err.matches("contradict each other").count();
    assert_eq!(said, 1, "{}", run.err);
}

#[test]
fn lines_of_input_are_messages_whatever_they_are() {
    let place = Place::trained();
    let run = place
        .fed(&["parse"], b"hello\r\n\r\n\xff\xfehi\nlast")
        .ends(0);
    let texts: Vec<Value> = run
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["text"].clone())
        .collect();
    assert_eq!(texts, ["hello", "", "\u{fffd}\u{fffd}hi", "last"]);
}

#[test]
fn a_line_is_answered_before_the_next_one_comes() {
    let place = Place::trained();
    let mut child = place
        .command(&["parse"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for text in ["hello", "bye"] {
        writeln!(input, "{text}").unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.contains(&format!("\"text\":\"{text}\"")), "{answer}");
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn lines_that_come_together_are_answered_in_their_order() {
    let place = Place::trained();
    let texts: Vec<String> = (0..9_000).map(|number| format!("hello {number}")).collect();
    let run = place.fed(&["parse"], texts.join("\n").as_bytes()).ends(0);
    assert_eq!(run.out.lines().count(), texts.len());
    for (line, text) in run.out.lines().zip(&texts) {
        assert!(line.contains(&format!("\"text\":\"{text}\"")), "{line}");
    }
}

#[test]
fn a_line_of_input_that_does_not_end_is_refused_before_it_fills_the_memory() {
    let place = Place::trained();
    let mut child = place
        .command(&["parse"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"hello\n").unwrap();
    // Nobody reads on when the first of it was refused.
    while input.write_all(&[b'a'; 1 << 16]).is_ok() {}
    let run = Run::of(child.wait_with_output().unwrap()).ends(65);
    assert!(run.out.contains("\"text\":\"hello\""), "{}", run.out);
    run.says("at most 16384");
}

#[test]
fn nothing_behind_a_line_is_lost_whatever_its_end_looks_like() {
    let place = Place::trained();
    let mut line = vec![b'a'; 16_384];
    line.extend_from_slice(b"\r\r\r\nsecond\n");
    let run = place.fed(&["parse"], &line).ends(0);
    assert!(run.out.contains("\"text\":\"second\""));
    let mut line = b"hello".to_vec();
    line.extend_from_slice(&[b'\r'; 200_000]);
    line.extend_from_slice(b"\nsecond\n");
    place.fed(&["parse"], &line).ends(65).says("at most 16384");
}

#[test]
fn a_message_that_is_too_long_is_refused() {
    let place = Place::trained();
    let long = "hello there ".repeat(8_000);
    place.run(&["parse", &long]).ends(65).says("at most 16384");
}

#[test]
fn a_model_that_is_none_ends_with_65() {
    let place = Place::trained();
    place.write("models/cut.tar.gz", "not gzip");
    place
        .run(&["inspect", "models/cut.tar.gz"])
        .ends(65)
        .says("cut.tar.gz");
    let run = place
        .run(&["inspect", "--json", "models/cut.tar.gz"])
        .ends(65);
    assert!(run.json()["error"].is_string());
    let archive = place.models().remove(0);
    let bytes = fs::read(place.path("models").join(&archive)).unwrap();
    fs::write(place.path("models/cut.tar.gz"), &bytes[..bytes.len() / 2]).unwrap();
    place
        .run(&["parse", "--model", "models/cut.tar.gz", "hi"])
        .ends(65);
}

#[test]
fn scores_are_one_json_object() {
    let place = Place::trained();
    place.write(
        "tests/stories.yml",
        "stories:\n- story: bye\n  steps:\n  - intent: bye\n  - action: utter_bye\n",
    );
    let core = place.run(&["test", "core", "--json"]).ends(0).json();
    assert_eq!(core["story"]["accuracy"], 1.0);
    let nlu = ["test", "nlu", "--nlu", "data/nlu.yml", "--json"];
    assert!(place.run(&nlu).ends(0).json()["intent"]["accuracy"].is_number());
    let missing = place
        .run(&["test", "core", "--json", "--stories", "nix"])
        .ends(66);
    assert!(missing.json()["error"].is_string());
}

#[test]
fn a_retrieval_intent_with_its_key_is_answered_in_test_stories() {
    let place = Place::new();
    place.write(
        "data/faq.yml",
        "nlu:\n- intent: faq/hours\n  examples: |\n    - when?\n    - which hours?\n\
         responses:\n  utter_faq/hours:\n  - text: always\n\
         rules:\n- rule: faq\n  steps:\n  - intent: faq\n  - action: utter_faq\n",
    );
    place.replace("domain.yml", "- bye\n", "- bye\n- faq\n");
    place.run(&["train", "core"]).ends(0);
    place.write(
        "tests/stories.yml",
        "stories:\n- story: hours\n  steps:\n  - intent: faq/hours\n    user: when?\n  - action: utter_faq\n",
    );
    place
        .run(&["test", "core"])
        .ends(0)
        .prints("1 of 1 stories");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_ends_with_74() {
    let place = Place::trained();
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    for arguments in [
        &["inspect", "models"][..],
        &["train", "--dry-run", "--json"],
        &["parse", "hello"],
        &["test", "nlu", "--nlu", "data"],
    ] {
        let output = place.command(arguments).stdout(full()).output().unwrap();
        Run::of(output).ends(74).says("No space left");
    }
    let silent = place.command(&["train", "--force"]).stderr(full()).output();
    Run::of(silent.unwrap()).ends(0).prints("trained");
}

#[cfg(unix)]
#[test]
fn a_reader_who_has_had_enough_is_no_failure() {
    let place = Place::trained();
    for arguments in [&["inspect", "models"][..], &["parse", "hello", "bye"]] {
        let mut child = place
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        Run::of(child.wait_with_output().unwrap()).ends(0);
    }
}

#[test]
fn an_output_folder_that_is_a_file_ends_with_74() {
    let place = Place::new();
    place.write("models", "a file");
    place.run(&["train"]).ends(74).says("models");
}

#[test]
fn a_cache_that_cannot_be_used_is_a_warning() {
    let place = Place::new();
    place.write("cache", "a file");
    place
        .run(&["train", "--cache-dir", "cache"])
        .ends(0)
        .says("warning: ")
        .prints("trained");
}

#[test]
fn without_a_home_there_is_no_cache() {
    let place = Place::new();
    let train = || {
        let output = place
            .command(&["train"])
            .env_remove("TABELLA_CACHE_DIR")
            .output();
        Run::of(output.unwrap()).ends(0)
    };
    let all = place.run(&["train", "--json", "--no-cache"]).json()["tasks"].to_string();
    let again = format!("{all} of {all} tasks");
    assert!(train().out.contains(&again));
    assert!(train().out.contains(&again));
}

#[test]
fn folders_may_be_links_and_names_may_be_of_any_script() {
    let place = Place::new();
    fs::rename(place.path("data"), place.folder.path().join("данные")).unwrap();
    link(&place.folder.path().join("данные"), &place.path("data"));
    place
        .run(&["train", "--out", "モデル"])
        .ends(0)
        .prints("trained モデル/");
    place.run(&["parse", "--model", "モデル", "hi"]).ends(0);
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) {
    std::os::unix::fs::symlink(to, at).unwrap();
}

#[cfg(not(unix))]
fn link(to: &Path, at: &Path) {
    fs::rename(to, at).unwrap();
}

#[test]
fn inputs_are_never_written_to() {
    let place = Place::new();
    place.write("config.yml", "language: en\n");
    place.replace("data/nlu.yml", "- see you", "- see you\n");
    let before = snapshot(&place.path(""));
    place
        .run(&["train", "core", "--out", "../models", "--dry-run"])
        .ends(5);
    assert_eq!(snapshot(&place.path("")), before);
}

/// All files below a folder with their contents.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter();
    files
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn no_bars_and_no_colours_where_nobody_watches() {
    let place = Place::new();
    place.replace(
        "data/stories.yml",
        "action: utter_greet",
        "action: utter_gret",
    );
    let run = place.run(&["train"]).ends(0).says("did you mean");
    assert!(
        !run.err.contains('\u{1b}') && !run.err.contains('\r'),
        "{run:?}"
    );
}

#[test]
fn test_stories_are_checked_without_repeating_what_is_odd_in_the_domain() {
    let place = Place::new();
    place.replace(
        "domain.yml",
        "responses:",
        "entities: [city]\nslots:\n  place:\n    type: text\n    mappings:\n    \
         - type: from_entity\n      entity: town\nresponses:",
    );
    place.run(&["train"]).ends(0).says("W215");
    place.write(
        "tests/stories.yml",
        "stories:\n- story: bye\n  steps:\n  - intent: by\n  - action: utter_bye\n",
    );
    let run = place.run(&["test", "core"]).ends(0);
    let run = run.says("tests/stories.yml:4:13");
    assert!(!run.err.contains("W215"), "{}", run.err);
}

#[test]
fn what_a_broken_file_of_test_stories_may_say_is_not_missed() {
    let place = Place::new();
    place.run(&["train"]).ends(0);
    let stories = "stories:\n- story: bye\n  steps:\n  - intent: by\n  - checkpoint: later\n";
    place.write("tests/stories.yml", stories);
    place.write(
        "tests/more.yml",
        "stories:\n- story: later\n  steps:\n  - checkpoint: later\n",
    );
    let run = place.run(&["test", "core"]).says("W404");
    assert!(!run.err.contains("W462"), "{}", run.err);
    place.write("tests/more.yml", "stories: [\n");
    let run = place.run(&["test", "core"]).ends(65).says("E004");
    let run = run.says("W404");
    assert!(!run.err.contains("W462"), "{}", run.err);
}

#[test]
fn the_built_in_loop_needs_no_form() {
    let place = Place::new();
    place.write(
        "data/fallback.yml",
        "rules:\n- rule: ask again\n  steps:\n  - intent: nlu_fallback\n  \
         - action: action_two_stage_fallback\n  - active_loop: action_two_stage_fallback\n",
    );
    let run = place.run(&["train"]).ends(0);
    assert!(!run.err.contains("W415"), "{}", run.err);
}

#[test]
fn a_report_names_few_reasons_and_counts_the_rest() {
    let place = Place::trained();
    place.replace("config.yml", "- name: WhitespaceTokenizer\n", "- name: WhitespaceTokenizer\n- name: LexicalSyntacticFeaturizer\n- name: RegexFeaturizer\n");
    let run = place
        .run(&["train", "--dry-run"])
        .ends(2)
        .prints(" more reasons");
    assert!(run.out.lines().count() < 30, "{}", run.out);
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_130_and_leaves_no_model() {
    let place = Place::new();
    place.replace("config.yml", "epochs: 1", "epochs: 1000000");
    let mut child = place
        .command(&["train"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("DIETClassifier") {
        line.clear();
        assert!(shown.read_line(&mut line).unwrap() > 0, "it never started");
    }
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let mut rest = String::new();
    shown.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("error: interrupted"), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(place.models().is_empty());
    place.replace("config.yml", "epochs: 1000000", "epochs: 1");
    place.run(&["train"]).ends(0);
}

#[cfg(unix)]
#[test]
fn after_a_kill_the_next_training_is_as_good_as_any() {
    let place = Place::new();
    place.replace("config.yml", "epochs: 1", "epochs: 1000000");
    let mut child = place
        .command(&["train"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("DIETClassifier") {
        line.clear();
        assert!(shown.read_line(&mut line).unwrap() > 0, "it never started");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.models().is_empty());
    place.replace("config.yml", "epochs: 1000000", "epochs: 1");
    place.run(&["train"]).ends(0);
    let fresh = Place::trained();
    let bytes = |place: &Place| {
        let name = place.models().remove(0);
        fs::read(place.path("models").join(name)).unwrap()
    };
    assert!(bytes(&place) == bytes(&fresh));
}
