//! Assistants in make, ninja and just: the real programs, with rules that
//! `tabella rules` wrote.

use std::fs;
use std::process::Command;
use std::process::Output;
use std::thread;
use std::time::Duration;

use crate::workbench::Workbench;

const CONFIG: &str = "\
recipe: default.v1
assistant_id: test
language: en
pipeline:
- name: WhitespaceTokenizer
- name: KeywordIntentClassifier
policies:
- name: MemoizationPolicy
";

const DOMAIN: &str = "\
version: \"3.1\"
intents: [greet]
responses:
  utter_greet:
  - text: Hi
";

const DATA: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hi
    - hello
stories:
- story: greet
  steps:
  - intent: greet
  - action: utter_greet
";

const TESTS: &str = "\
version: \"3.1\"
stories:
- story: greet
  steps:
  - user: hi
    intent: greet
  - action: utter_greet
";

const WORKSPACE: &str = "\
version: 1
assistants:
- path: bots/a
- path: bots/b
";

/// Two assistants in a workspace, with a build that copies their archives.
fn bench(tool: &str, file: &str, build: &str) -> Workbench {
    let mut files = vec![("tabella.yml", WORKSPACE), (file, build)];
    for (path, text) in [
        ("bots/a/config.yml", CONFIG),
        ("bots/a/domain.yml", DOMAIN),
        ("bots/a/data/all.yml", DATA),
        ("bots/a/tests/test_stories.yml", TESTS),
        ("bots/b/config.yml", CONFIG),
        ("bots/b/domain.yml", DOMAIN),
        ("bots/b/data/all.yml", DATA),
    ] {
        files.push((path, text));
    }
    let bench = Workbench::oddly_named(&files);
    let program = env!("CARGO_BIN_EXE_tabella");
    let rules = run(
        &bench,
        program,
        &["rules", tool, "--all", "--program", program],
    );
    assert!(rules.status.success(), "{rules:?}");
    let name = match tool {
        "make" => "tabella.mk",
        "ninja" => "tabella.ninja",
        _ => "tabella.just",
    };
    bench.write(name, &text(&rules.stdout));
    bench
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(bench: &Workbench, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(bench.root())
        .env("TABELLA_CACHE_DIR", bench.cache())
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL");
    command.output().unwrap()
}

/// Builds, which must succeed; returns what was printed.
#[track_caller]
fn build(bench: &Workbench, tool: &[&str]) -> String {
    // Make's clock must have gone on since the last build.
    thread::sleep(Duration::from_millis(20));
    let output = run(bench, tool[0], &tool[1..]);
    let told = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{told}");
    told
}

/// Whether a program is there. Where tests must not be skipped, it has to be.
pub fn is_there(tool: &str) -> bool {
    let is_there = Command::new(tool).arg("--version").output().is_ok();
    let is_ci = std::env::var_os("CI").is_some();
    assert!(is_there || !is_ci, "{tool} is not installed");
    if !is_there {
        eprintln!("SKIPPED: {tool} is not installed");
    }
    is_there
}

/// How often the copy of an archive was made, by lines of a log.
fn copies(bench: &Workbench, name: &str) -> usize {
    let log = bench.root().join(format!("{name}.log"));
    fs::read_to_string(log).unwrap_or_default().lines().count()
}

/// Builds again and again, and looks at what is made.
fn check(bench: &Workbench, tool: &[&str]) {
    let counts = || (copies(bench, "a"), copies(bench, "b"));
    build(bench, tool);
    assert_eq!(counts(), (1, 1));
    let told = build(bench, tool);
    assert_eq!(counts(), (1, 1), "{told}");
    assert!(!told.contains("train"), "{told}");

    // What is merely touched is the same archive, and nothing to talk about.
    bench.write("bots/a/data/all.yml", DATA);
    let told = build(bench, tool);
    assert!(!told.contains("a.tar.gz"), "{told}");
    assert_eq!(counts(), (1, 1));
    assert!(!build(bench, tool).contains("train"));

    // A response is in one archive.
    bench.replace("bots/b/domain.yml", "text: Hi", "text: Hello");
    build(bench, tool);
    assert_eq!(counts(), (1, 2));

    // A file that comes, is edited and goes.
    let more = DATA
        .replace("greet", "greet2")
        .replace("- hi\n", "- hi there\n");
    bench.replace(
        "bots/a/domain.yml",
        "intents: [greet]",
        "intents: [greet, greet2]",
    );
    bench.replace(
        "bots/a/domain.yml",
        "  utter_greet:\n",
        "  utter_greet2:\n  - text: Ho\n  utter_greet:\n",
    );
    build(bench, tool);
    assert_eq!(counts(), (2, 2));
    bench.write("bots/a/data/more.yml", &more);
    build(bench, tool);
    assert_eq!(counts(), (3, 2));
    bench.replace("bots/a/data/more.yml", "- hi there\n", "- ho there\n");
    build(bench, tool);
    assert_eq!(counts(), (4, 2));
    fs::remove_file(bench.root().join("bots/a/data/more.yml")).unwrap();
    build(bench, tool);
    assert_eq!(counts(), (5, 2));

    // An archive that is lost comes back from the cache.
    fs::remove_file(bench.root().join("bots/b/models/b.tar.gz")).unwrap();
    build(bench, tool);
    assert!(bench.root().join("bots/b/models/b.tar.gz").exists());
    assert!(!build(bench, tool).contains("train"));
}

const MAKEFILE: &str = "\
all: a.copy b.copy
include tabella.mk
%.copy:
	@cp $< $@ && echo made >> $*.log
a.copy: bots/a/models/a.tar.gz
b.copy: bots/b/models/b.tar.gz
";

#[test]
fn make_makes_again_only_what_is_another_archive() {
    if !is_there("make") {
        return;
    }
    let bench = bench("make", "Makefile", MAKEFILE);
    check(&bench, &["make", "-j2", "--no-print-directory"]);
    let told = build(&bench, &["make", "tabella-test"]);
    assert!(told.contains("1 of 1 stories are right"), "{told}");
    let told = build(&bench, &["make", "tabella-status"]);
    assert_eq!(told.matches("tasks are fresh").count(), 2, "{told}");
}

#[test]
fn names_of_files_are_names_and_nothing_else() {
    for tool in ["make", "ninja"] {
        if !is_there(tool) {
            continue;
        }
        let build_file = "include tabella.ninja\ndefault tabella\n";
        let bench = match tool {
            "make" => bench("make", "Makefile", "include tabella.mk\n"),
            _ => bench("ninja", "build.ninja", build_file),
        };
        let command = match tool {
            "make" => vec!["make", "tabella"],
            _ => vec!["ninja", "-v"],
        };
        let lookup = "version: \"3.1\"\nnlu:\n- synonym: one\n  examples: |\n    - uno\n";
        for name in ["with space.yml", "gr\u{f6}\u{df}e.yml", "c#$d.yml"] {
            bench.write(&format!("bots/a/data/{name}"), lookup);
        }
        build(&bench, &command);
        let told = build(&bench, &command);
        assert!(!told.contains(" train "), "{told}");
        // These would be a command, a pattern and two names.
        for name in [
            "b!=touch PWNED;x.yml",
            "w*.yml",
            "a|b.yml",
            "e[1].yml",
            "h'i.yml",
        ] {
            bench.write(&format!("bots/a/data/{name}"), lookup);
        }
        build(&bench, &command);
        build(&bench, &command);
        bench.append("bots/a/data/b!=touch PWNED;x.yml", "    - eins\n");
        build(&bench, &command);
        let program = env!("CARGO_BIN_EXE_tabella");
        let stale = ["train", "a", "--dry-run", "--workspace", "tabella.yml"];
        assert!(run(&bench, program, &stale).status.success());
        assert!(!bench.root().join("PWNED").exists());
    }
}

#[test]
fn without_the_list_of_what_was_read_make_asks() {
    if !is_there("make") {
        return;
    }
    let bench = bench("make", "Makefile", MAKEFILE);
    build(&bench, &["make"]);
    fs::remove_file(bench.root().join("bots/a/models/.a.d")).unwrap();
    bench.replace("bots/a/domain.yml", "text: Hi", "text: Hello");
    build(&bench, &["make"]);
    assert_eq!((copies(&bench, "a"), copies(&bench, "b")), (2, 1));
    assert!(
        build(&bench, &["make", "-d"])
            .contains("No need to remake target 'bots/a/models/.a.stamp'")
    );
}

#[test]
fn make_tells_what_is_wrong_and_ends_with_it() {
    if !is_there("make") {
        return;
    }
    let bench = bench("make", "Makefile", MAKEFILE);
    build(&bench, &["make"]);
    bench.replace("bots/a/config.yml", "pipeline:", "pipeline: [");
    let output = run(&bench, "make", &["-k"]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(
        told.contains("config.yml:5:1") && told.contains("Error 65"),
        "{told}"
    );
    bench.replace("bots/a/config.yml", "pipeline: [", "pipeline:");
    build(&bench, &["make"]);
    assert_eq!((copies(&bench, "a"), copies(&bench, "b")), (1, 1));
}

#[test]
fn ninja_makes_again_only_what_is_another_archive() {
    if !is_there("ninja") {
        return;
    }
    let build_file = "\
include tabella.ninja
rule copy
  command = cp $in $out && echo made >> $log
build a.copy: copy bots/a/models/a.tar.gz
  log = a.log
build b.copy: copy bots/b/models/b.tar.gz
  log = b.log
default a.copy b.copy
";
    let bench = bench("ninja", "build.ninja", build_file);
    check(&bench, &["ninja"]);
    assert!(build(&bench, &["ninja"]).contains("no work to do"));
    let told = build(&bench, &["ninja", "tabella-test", "tabella-status"]);
    assert!(told.contains("1 of 1 stories are right"), "{told}");
    assert_eq!(told.matches("tasks are fresh").count(), 2, "{told}");
}

#[test]
fn just_trains_and_tests() {
    if !is_there("just") {
        return;
    }
    let bench = bench("just", "justfile", "import 'tabella.just'\n");
    let told = build(&bench, &["just", "tabella", "tabella-test"]);
    assert!(told.contains("1 of 1 stories are right"), "{told}");
    for name in ["a", "b"] {
        assert!(
            bench
                .root()
                .join(format!("bots/{name}/models/{name}.tar.gz"))
                .exists()
        );
    }
    assert_eq!(build(&bench, &["just", "tabella"]), "");
    let told = build(&bench, &["just", "tabella-status"]);
    assert_eq!(told.matches("tasks are fresh").count(), 2, "{told}");
}

#[test]
fn the_cache_of_a_workspace_is_used_from_rules_too() {
    if !is_there("make") {
        return;
    }
    let bench = bench("make", "Makefile", MAKEFILE);
    bench.append("tabella.yml", "cache: .kept here\n");
    let program = env!("CARGO_BIN_EXE_tabella");
    let rules = run(
        &bench,
        program,
        &["rules", "make", "--all", "--program", program],
    );
    bench.write("tabella.mk", &text(&rules.stdout));
    build(&bench, &["make"]);
    assert!(bench.root().join(".kept here").is_dir());
    assert!(!bench.cache().exists());
}

/// A project whose files have names of their own, with rules for it that have these
/// flags beside.
fn own_names(tool: &str, file: &str, build: &str, more: &[&str]) -> Workbench {
    let bench = Workbench::oddly_named(&[
        (file, build),
        ("bot/settings/small one.yml", CONFIG),
        ("bot/what/domain.yml", DOMAIN),
        ("bot/texts/all.yml", DATA),
    ]);
    write_rules(&bench, tool, more);
    bench
}

/// Writes the rules of that project.
fn write_rules(bench: &Workbench, tool: &str, more: &[&str]) {
    let program = env!("CARGO_BIN_EXE_tabella");
    let flags = [
        "rules",
        tool,
        "--program",
        program,
        "--project",
        "bot",
        "--config",
        "settings/small one.yml",
        "--domain",
        "what",
        "--data",
        "texts",
        "--out",
        "out",
        "--fixed-model-name",
        "own",
    ];
    let rules = run(bench, program, &[&flags[..], more].concat());
    assert!(rules.status.success(), "{rules:?}");
    let name = match tool {
        "make" => "tabella.mk",
        "ninja" => "tabella.ninja",
        _ => "tabella.just",
    };
    bench.write(name, &text(&rules.stdout));
}

#[test]
fn a_project_whose_files_have_other_names_is_trained_from_them() {
    for (tool, file, build_file) in [
        ("make", "Makefile", "include tabella.mk\n"),
        ("ninja", "build.ninja", "include tabella.ninja\n"),
        ("just", "justfile", "import 'tabella.just'\n"),
    ] {
        if !is_there(tool) {
            continue;
        }
        let bench = own_names(tool, file, build_file, &[]);
        build(&bench, &[tool, "tabella"]);
        let archive = bench.root().join("bot/out/own.tar.gz");
        let first = fs::read(&archive).unwrap();
        let told = build(&bench, &[tool, "tabella"]);
        assert!(!told.contains("train"), "{told}");
        bench.replace("bot/what/domain.yml", "text: Hi", "text: Hello");
        build(&bench, &[tool, "tabella"]);
        assert_ne!(fs::read(&archive).unwrap(), first, "{tool}");
        let told = build(&bench, &[tool, "tabella-status"]);
        assert_eq!(told.matches("tasks are fresh").count(), 1, "{told}");
    }
}

#[test]
fn rules_with_other_flags_train_anew() {
    for (tool, file, build_file) in [
        ("make", "Makefile", "include tabella.mk\n"),
        ("ninja", "build.ninja", "include tabella.ninja\n"),
        ("just", "justfile", "import 'tabella.just'\n"),
    ] {
        if !is_there(tool) {
            continue;
        }
        let bench = own_names(tool, file, build_file, &[]);
        build(&bench, &[tool, "tabella"]);
        let archive = bench.root().join("bot/out/own.tar.gz");
        let first = fs::read(&archive).unwrap();
        write_rules(&bench, tool, &["--persist-nlu-data", "--augmentation", "0"]);
        build(&bench, &[tool, "tabella"]);
        assert_ne!(fs::read(&archive).unwrap(), first, "{tool}");
        let told = build(&bench, &[tool, "tabella-status"]);
        assert_eq!(told.matches("tasks are fresh").count(), 1, "{told}");
        assert!(!build(&bench, &[tool, "tabella"]).contains("train"));

        // What is checked is what the rules say.
        bench.replace("bot/what/domain.yml", "[greet]", "[greet, unused]");
        write_rules(&bench, tool, &["--fail-on-validation-warnings"]);
        assert!(!run(&bench, tool, &["tabella"]).status.success());
        write_rules(&bench, tool, &["--skip-validation"]);
        build(&bench, &[tool, "tabella"]);
    }
}

#[test]
fn flags_become_attributes_for_bazel() {
    let bench = Workbench::new(&[
        ("WORKSPACE", ""),
        ("bot/settings/one.yml", CONFIG),
        ("bot/what/domain.yml", DOMAIN),
        ("bot/texts/all.yml", DATA),
    ]);
    let program = env!("CARGO_BIN_EXE_tabella");
    let flags = "rules bazel --project bot --config settings/one.yml --domain what --data texts \
                 --augmentation 7 --persist-nlu-data --fail-on-validation-warnings \
                 --validation-max-history 3";
    let words: Vec<&str> = flags.split_whitespace().collect();
    let written = run(&bench, program, &words);
    assert!(written.status.success(), "{written:?}");
    let package = bench.read("bot/BUILD.bazel");
    for line in [
        "    name = \"model\",\n",
        "    config = \"settings/one.yml\",\n",
        "\"what/**\"",
        "\"texts/**\"",
        "    augmentation = 7,\n",
        "    persist_nlu_data = True,\n",
        "    fail_on_warnings = True,\n",
        "    validation_max_history = 3,\n",
    ] {
        assert!(package.contains(line), "{line}: {package}");
    }
    assert!(!package.contains("skip_validation"), "{package}");
}

#[test]
fn flags_that_a_workspace_says_itself_are_refused_beside_it() {
    let bench = bench("make", "Makefile", MAKEFILE);
    let program = env!("CARGO_BIN_EXE_tabella");
    for flags in [
        &["--config", "config.yml"][..],
        &["--domain", "domain.yml"],
        &["--data", "data"],
        &["--out", "models"],
        &["--fixed-model-name", "x"],
    ] {
        let refused = run(
            &bench,
            program,
            &[&["rules", "make", "--all"], flags].concat(),
        );
        assert_eq!(refused.status.code(), Some(64), "{flags:?}");
    }
    let all = ["rules", "make", "--all", "--augmentation", "7"];
    let rules = text(&run(&bench, program, &all).stdout);
    assert_eq!(rules.matches("--augmentation 7").count(), 6, "{rules}");
}

#[test]
fn a_name_that_rules_cannot_have_is_refused() {
    let bench = Workbench::new(&[("config.yml", CONFIG)]);
    let program = env!("CARGO_BIN_EXE_tabella");
    let refused = run(
        &bench,
        program,
        &["rules", "make", "--fixed-model-name", "a b"],
    );
    assert_eq!(refused.status.code(), Some(64));
    assert!(text(&refused.stderr).contains("rules cannot name `a b`"));
    let alone = run(
        &bench,
        program,
        &["rules", "make", "--fixed-model-name", "ab"],
    );
    assert!(text(&alone.stdout).contains("models/ab.tar.gz: models/.ab.stamp\n"));
}

#[test]
fn a_depfile_names_what_was_read_and_is_not_written_without_success() {
    let bench = bench("make", "Makefile", MAKEFILE);
    let program = env!("CARGO_BIN_EXE_tabella");
    let train = ["train", "--project", "bots/a", "--depfile", "a.d"];
    assert!(
        run(&bench, program, &[&train[..], &["--dry-run"]].concat())
            .status
            .code()
            > Some(0)
    );
    assert!(!bench.root().join("a.d").exists());
    assert!(run(&bench, program, &train).status.success());
    let depfile = bench.read("a.d");
    for name in [
        "bots/a/config.yml",
        "bots/a/domain.yml",
        "bots/a/data",
        "bots/a/data/all.yml",
    ] {
        assert!(depfile.contains(&format!(" \\\n  {name}")), "{depfile}");
        assert!(depfile.contains(&format!("\n{name}:\n")), "{depfile}");
    }
    bench.write("bots/a/config.yml", "pipeline: [\n");
    assert!(!run(&bench, program, &train).status.success());
    assert_eq!(bench.read("a.d"), depfile);
    for refused in [
        &["train", "--all", "--depfile", "a.d"][..],
        &["train", "--project", "bots/a", "--depfile", "no/such/a.d"],
    ] {
        assert_eq!(run(&bench, program, refused).status.code(), Some(64));
    }
    bench.write("bots/a/config.yml", CONFIG);
    let own = [
        "train",
        "--project",
        "bots/a",
        "--depfile",
        "bots/a/config.yml",
    ];
    assert_eq!(run(&bench, program, &own).status.code(), Some(64));
    assert_eq!(bench.read("bots/a/config.yml"), CONFIG);
}

#[test]
fn a_path_that_ends_a_line_is_in_no_rule() {
    let bench = bench("make", "Makefile", MAKEFILE);
    for tool in ["make", "ninja", "just"] {
        let data = "data\nall: ; touch hostile";
        let flags = ["rules", tool, "--project", "bots/a", "--data", data];
        let refused = run(&bench, env!("CARGO_BIN_EXE_tabella"), &flags);
        assert_eq!(refused.status.code(), Some(64), "{tool}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("a path with a line end in it"), "{said}");
        assert!(refused.stdout.is_empty());
    }
}
