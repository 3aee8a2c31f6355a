//! Assistants in Bazel: the real program, offline, with rules that `tabella rules
//! bazel` wrote.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use tabella::api;

use crate::workbench::Workbench;

/// Repositories that Bazel 4.2 would download although nothing here needs them.
const OFFLINE: [(&str, &str); 2] = [
    ("offline/remote_coverage_tools/WORKSPACE", ""),
    (
        "offline/remote_coverage_tools/BUILD",
        "filegroup(name = \"coverage_report_generator\", visibility = [\"//visibility:public\"])\n",
    ),
];

/// A copy of the example, and a Bazel of its own.
struct Build {
    bench: Workbench,
    /// What Bazel writes, beside the project.
    root: PathBuf,
}

impl Build {
    /// Returns none, having said so, where there is no Bazel.
    fn new() -> Option<Self> {
        if Command::new("bazel").arg("--help").output().is_err() {
            let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!is_ci, "there is no `bazel`");
            eprintln!("skipped: there is no `bazel`");
            return None;
        }
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bazel");
        let bench = Workbench::copy_of(&example);
        for (path, text) in OFFLINE {
            bench.write(path, text);
        }
        bench.write(".bazelignore", "offline\n");
        bench.append(
            "WORKSPACE",
            "\nlocal_repository(name = \"remote_coverage_tools\", path = \"offline/remote_coverage_tools\")\n",
        );
        let root = bench.root().with_file_name("bazel");
        Some(Self { bench, root })
    }

    /// Runs Bazel without a home and without any variable but the program's path.
    fn bazel(&self, words: &[&str]) -> Output {
        Command::new("bazel")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TABELLA", env!("CARGO_BIN_EXE_tabella"))
            .current_dir(self.bench.root())
            .arg(format!("--output_user_root={}", self.root.display()))
            .args(words)
            .output()
            .unwrap()
    }

    /// Builds or tests; returns what Bazel says.
    #[track_caller]
    fn said(&self, command: &str, flags: &[&str]) -> String {
        let mut words = vec![command, "//bots/...", "--nosandbox_debug", "--subcommands"];
        words.push("--noshow_progress");
        words.extend(flags);
        let output = self.bazel(&words);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        text
    }

    /// Builds or tests; returns the actions that were needed, such as `Training nlu of
    /// kitchen`.
    #[track_caller]
    fn ran(&self, command: &str, flags: &[&str]) -> BTreeSet<String> {
        self.said(command, flags)
            .lines()
            .filter_map(action)
            .collect()
    }

    fn model(&self, name: &str) -> Vec<u8> {
        let path = format!("bazel-bin/bots/{name}/{name}.tar.gz");
        fs::read(self.bench.root().join(path)).unwrap()
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        // A server runs on after each command.
        self.bazel(&["shutdown"]);
        // Outputs are read-only, and so are the folders of some.
        let _ = Command::new("chmod")
            .arg("-R")
            .arg("u+w")
            .arg(&self.root)
            .status();
    }
}

/// Returns the action of a line such as `SUBCOMMAND: # //bots/a:a [action 'Training
/// nlu of //bots/a:a', configuration: …]`.
fn action(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("SUBCOMMAND: # ")?;
    let (_, rest) = rest.split_once("[action '")?;
    let (what, _) = rest.split_once('\'')?;
    let (words, label) = what.rsplit_once(' ')?;
    let (_, name) = label.split_once(':')?;
    Some(format!("{words} {name}"))
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn an_edit_runs_the_actions_that_could_notice_it_and_what_was_made_once_is_reused() {
    let Some(build) = Build::new() else {
        return;
    };
    let disk = build.root.with_file_name("disk");
    let disk = format!("--disk_cache={}", disk.display());
    let everything = set(&[
        "Packaging assistant kitchen",
        "Packaging assistant reception",
        "Reading assistant kitchen",
        "Reading assistant reception",
        "Training core of kitchen",
        "Training core of reception",
        "Training nlu of kitchen",
        "Training nlu of reception",
    ]);
    assert_eq!(build.ran("build", &[&disk]), everything);
    assert_eq!(build.ran("build", &[&disk]), set(&[]), "nothing to do");
    let first = (build.model("kitchen"), build.model("reception"));

    // The archives are those of a training.
    for (name, model) in [("kitchen", &first.0), ("reception", &first.1)] {
        let mut options = build.bench.options();
        options.run.project = build.bench.root().join("bots").join(name);
        options.run.cache = api::CacheSettings::Off;
        options.config = "../../shared/config.yml".into();
        options.domain.push("../../shared/domain.yml".into());
        options
            .training_files
            .push("../../shared/smalltalk.yml".into());
        options.output = build.bench.root().join("models");
        let trained = api::train(&options).unwrap().model.unwrap();
        assert_eq!(&fs::read(trained).unwrap(), model, "{name}");
    }

    // The text of a response: two actions, none of them trains.
    build
        .bench
        .replace("bots/kitchen/domain.yml", "coming up", "at once");
    assert_eq!(
        build.ran("build", &[&disk]),
        set(&["Packaging assistant kitchen", "Reading assistant kitchen"])
    );
    // A new example: Core does not run.
    build.bench.replace(
        "bots/kitchen/data/nlu.yml",
        "    - show me the menu\n",
        "    - show me the menu\n    - the menu please\n",
    );
    assert_eq!(
        build.ran("build", &[&disk]),
        set(&[
            "Packaging assistant kitchen",
            "Reading assistant kitchen",
            "Training nlu of kitchen",
        ])
    );
    // A comment: the file is read, and that is all.
    build
        .bench
        .append("shared/smalltalk.yml", "# that is all\n");
    assert_eq!(
        build.ran("build", &[&disk]),
        set(&["Reading assistant kitchen", "Reading assistant reception"])
    );

    // Files that the configuration names, across folders: declared by `rules bazel`,
    // and read in the sandbox, which has no folders but those of declared files.
    let config = build.bench.read("shared/config.yml");
    let packages = ["kitchen", "reception"].map(|name| format!("bots/{name}/BUILD.bazel"));
    let texts = packages.each_ref().map(|path| build.bench.read(path));
    build
        .bench
        .write("vectors/words.vec", "menu 1 0\ndinner 0 1\n");
    build.bench.replace(
        "shared/config.yml",
        "- name: CountVectorsFeaturizer\n  analyzer",
        "- name: WordVectorsFeaturizer\n  vectors: ../../vectors/words.vec\n- name: CountVectorsFeaturizer\n  analyzer",
    );
    let mut rules = Command::new(env!("CARGO_BIN_EXE_tabella"));
    let rules = rules
        .current_dir(build.bench.root())
        .args(["rules", "bazel", "--all"]);
    assert!(rules.output().unwrap().status.success());
    build.ran("build", &[&disk]);
    build.bench.append("vectors/words.vec", "cake 1 1\n");
    assert!(
        build
            .ran("build", &[&disk])
            .contains("Training nlu of kitchen")
    );
    build.bench.write("shared/config.yml", &config);
    for (path, text) in packages.iter().zip(&texts) {
        build.bench.write(path, text);
    }

    // As it was: everything comes out of the cache.
    build
        .bench
        .replace("bots/kitchen/domain.yml", "at once", "coming up");
    build
        .bench
        .replace("bots/kitchen/data/nlu.yml", "    - the menu please\n", "");
    build
        .bench
        .replace("shared/smalltalk.yml", "# that is all\n", "");
    build.bazel(&["clean"]);
    let said = build.said("build", &[&disk]);
    let hits = ["8 remote cache hit", "8 disk cache hit"];
    assert!(hits.iter().any(|hit| said.contains(hit)), "{said}");
    assert_eq!(first, (build.model("kitchen"), build.model("reception")));

    // Without any cache the same bytes are made again.
    build.bazel(&["clean"]);
    assert_eq!(build.ran("build", &[]), everything);
    assert_eq!(first, (build.model("kitchen"), build.model("reception")));
}

#[test]
fn test_stories_are_a_test_and_mistakes_stop_the_build_with_their_place() {
    let Some(build) = Build::new() else {
        return;
    };
    build.bench.append(
        "bots/kitchen/BUILD.bazel",
        "
load(\"//tools/tabella:defs.bzl\", \"rasa_nlu_test\")

rasa_nlu_test(
    name = \"kitchen_nlu_test\",
    assistant = \":kitchen\",
    data = [\"data/nlu.yml\"],
    gates = [\"intent.accuracy>=0.99\"],
)
",
    );
    build.ran("test", &[]);
    let log = build
        .bench
        .root()
        .join("bazel-testlogs/bots/kitchen/kitchen_nlu_test");
    let outputs = fs::read(log.join("test.outputs/outputs.zip")).unwrap();
    assert!(
        !outputs.is_empty(),
        "reports are kept as outputs of the test"
    );

    // A story that the model does not follow.
    build.bench.replace(
        "bots/reception/tests/test_stories.yml",
        "action: utter_welcome",
        "action: utter_greet",
    );
    let output = build.bazel(&["test", "//bots/reception/...", "--nosandbox_debug"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("0 of 1 stories are right"), "{text}");

    // A gate that is not reached.
    build.bench.replace(
        "bots/kitchen/BUILD.bazel",
        "accuracy>=0.99",
        "accuracy>=1.01",
    );
    let output = build.bazel(&["test", "//bots/kitchen/...", "--nosandbox_debug"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");

    build
        .bench
        .append("bots/kitchen/data/nlu.yml", "- intent: [\n");
    let output = build.bazel(&["build", "//bots/kitchen", "--nosandbox_debug"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("data/nlu.yml:"), "{text}");
}

#[test]
fn files_that_lie_anywhere_are_read_in_the_order_of_a_training() {
    let Some(build) = Build::new() else {
        return;
    };
    let bench = &build.bench;
    // A domain that is a folder and disagrees with the shared one, data of another
    // assistant, and a shared folder within a shared folder.
    let domain = bench.read("bots/reception/domain.yml");
    bench.remove("bots/reception/domain.yml");
    bench.write("bots/reception/domain/own.yml", &domain);
    bench.append(
        "bots/reception/domain/own.yml",
        "  utter_greet:\n  - text: Welcome to the desk.\n",
    );
    bench.write(
        "shared/data/deep/more.yml",
        "version: \"3.1\"\nnlu:\n- synonym: soup\n  examples: |\n    - broth\n",
    );
    bench.replace(
        "tabella.yml",
        "data: shared/smalltalk.yml",
        "data: [shared/smalltalk.yml, shared/data]",
    );
    bench.replace(
        "tabella.yml",
        "- path: bots/reception\n",
        "- path: bots/reception\n  data: [data, ../kitchen/data/nlu.yml]\n",
    );
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tabella"));
        let output = command
            .current_dir(bench.root())
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&["rules", "bazel", "--all"]);
    run(&["train", "--all", "--no-cache", "--skip-validation"]);
    build.said("build", &[]);
    for name in ["kitchen", "reception"] {
        let trained = bench.files(&format!("bots/{name}/models"));
        let is_archive = |path: &&PathBuf| path.extension().is_some_and(|end| end == "gz");
        let archive = trained.keys().find(is_archive).unwrap();
        assert_eq!(trained[archive], build.model(name), "{name}");
    }
}

#[test]
fn packages_are_written_beside_what_the_user_wrote_and_never_over_it() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bazel");
    let bench = Workbench::copy_of(&example);
    let rules = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tabella"));
        command.env_clear().current_dir(bench.root());
        let output = command
            .args(["rules", "bazel"])
            .args(words)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    // The example is as the program writes it.
    let written = (
        Some(0),
        "all files are as they should be\n".to_owned(),
        String::new(),
    );
    assert_eq!(rules(&["--all"]), written);

    bench.remove("bots/kitchen/BUILD.bazel");
    bench.write("bots/kitchen/BUILD", "# mine\n");
    bench.remove("tools");
    bench.remove("WORKSPACE");
    bench.write("WORKSPACE", "");
    bench.remove("MODULE.bazel");
    let (code, told, advice) = rules(&["--all"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        told,
        "wrote tools/tabella/defs.bzl\nwrote tools/tabella/extensions.bzl\nwrote tools/tabella/BUILD.bazel\n"
    );
    assert!(
        advice.contains("bots/kitchen/BUILD` is yours and was left alone; it needs:"),
        "{advice}"
    );
    assert!(advice.contains("name = \"kitchen\""), "{advice}");
    assert!(
        advice.contains("tabella_repository(name = \"tabella\")"),
        "{advice}"
    );
    assert_eq!(bench.read("bots/kitchen/BUILD"), "# mine\n");

    // What the configuration names is declared, too, wherever it lies.
    bench.write("vectors/words.vec", "menu 1 0\ndinner 0 1\n");
    bench.append(
        "shared/config.yml",
        "importers:\n- name: RasaFileImporter\n- name: MultiProjectImporter\nimports:\n- ../../lobby\n",
    );
    bench.write("lobby/data/more.yml", "version: \"3.1\"\nnlu: []\n");
    bench.replace(
        "shared/config.yml",
        "- name: CountVectorsFeaturizer\n  analyzer",
        "- name: WordVectorsFeaturizer\n  vectors: ../../vectors/words.vec\n- name: CountVectorsFeaturizer\n  analyzer",
    );
    rules(&["--all"]);
    let package = bench.read("bots/reception/BUILD.bazel");
    assert!(package.contains("\"//vectors:words.vec\""), "{package}");
    let package = bench.read("vectors/BUILD.bazel");
    assert!(
        package.contains("exports_files([\"words.vec\"])"),
        "{package}"
    );

    // What a user wrote in place of ours stays, and single assistants are no tree.
    bench.write("tools/tabella/defs.bzl", "# my own macros\n");
    let (_, _, advice) = rules(&["--all"]);
    assert!(
        advice.contains("defs.bzl` is yours and was left alone"),
        "{advice}"
    );
    assert_eq!(bench.read("tools/tabella/defs.bzl"), "# my own macros\n");
    let (code, _, told) = rules(&["kitchen"]);
    assert_eq!(code, Some(64), "{told}");

    // Files outside of the workspace cannot be named.
    bench.write("bots/kitchen/WORKSPACE", "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tabella"));
    let folder = bench.root().join("bots/kitchen");
    let output = command
        .env_clear()
        .current_dir(folder)
        .args(["rules", "bazel", "--all"])
        .output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{text}");
    assert!(
        text.contains("lies outside of the Bazel workspace"),
        "{text}"
    );
}
