//! Which assistants a change affects: none that reads what changed is left out.

#![allow(clippy::unwrap_used)] // Test helpers may fail as tests do.

use std::fs;
use std::io::Write;
use std::process::Command;
use std::process::Stdio;

use expect_test::expect;

use crate::json_schema::Schema;
use crate::workspace_commands::DOMAIN;
use crate::workspace_commands::Place;
use crate::workspace_commands::Run;
use crate::workspace_commands::SMALL;
use crate::workspace_commands::WORKSPACE;

/// A workspace in a repository of git with one commit.
fn repository(workspace: &str) -> Place {
    let place = Place::new(workspace);
    place.write(".gitignore", "models/\n");
    committed(place)
}

/// The same of what is there.
fn committed(place: Place) -> Place {
    place.git(&["init", "--quiet"]);
    place.git(&["config", "user.email", "a@b.c"]);
    place.git(&["config", "user.name", "a"]);
    place.commit();
    place
}

impl Place {
    #[track_caller]
    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        let output = git.arg("-C").arg(self.root()).args(arguments).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "x"]);
    }

    /// The names of assistants that are affected since the last commit.
    #[track_caller]
    fn affected(&self) -> String {
        self.affected_with(&["--since", "HEAD"])
    }

    #[track_caller]
    fn affected_with(&self, arguments: &[&str]) -> String {
        let run = self
            .run(&[&["status", "--quiet"], arguments].concat())
            .ends(0);
        run.out.trim_end().replace('\n', " ")
    }

    /// Changes something, looks who is affected, and takes the change back.
    #[track_caller]
    fn check_affected(&self, what: &str, change: impl Fn(&Self), want: &str) {
        change(self);
        assert_eq!(self.affected(), want, "{what}");
        self.git(&["reset", "--quiet", "--hard"]);
        self.git(&["clean", "--quiet", "-d", "--force"]);
        assert_eq!(self.affected(), "", "after {what}");
    }
}

#[test]
fn an_assistant_is_affected_by_what_it_reads() {
    let place = repository(WORKSPACE);
    place.write("bots/lemon/data/table.txt", "one\n");
    place.write(
        "bots/lemon/data/nlu.yml",
        "nlu:\n- lookup: kind\n  examples: |\n    - data/table.txt\n- lookup: size\n  examples: |\n    - data/none.txt\n",
    );
    place.write("bots/plum/data/old.yml", "stories: []\n");
    place.write("README.md", "x\n");
    place.commit();
    let remove =
        |path: &'static str| move |place: &Place| fs::remove_file(place.path(path)).unwrap();
    let write = |path: &'static str| move |place: &Place| place.write(path, "stories: []\n");
    let rename = |from: &'static str, to: &'static str| {
        move |place: &Place| fs::rename(place.path(from), place.path(to)).unwrap()
    };
    for (what, change, want) in [
        (
            "a shared config",
            &write("shared/small.yml") as &dyn Fn(&Place),
            "lemon plum",
        ),
        ("a shared data file", &write("shared/nlu.yml"), "lemon plum"),
        ("a domain", &write("bots/plum/domain.yml"), "plum"),
        ("a data file", &write("bots/plum/data/stories.yml"), "plum"),
        (
            "a lookup file",
            &write("bots/lemon/data/table.txt"),
            "lemon",
        ),
        (
            "a lookup file that was missing",
            &write("bots/lemon/data/none.txt"),
            "lemon",
        ),
        (
            "a new data file",
            &write("bots/lemon/data/deep/new.yml"),
            "lemon",
        ),
        (
            "a data file that is gone",
            &remove("bots/plum/data/old.yml"),
            "plum",
        ),
        (
            "a data file that moves",
            &rename("bots/plum/data/old.yml", "bots/lemon/data/new.yml"),
            "lemon plum",
        ),
        (
            "a data file that leaves",
            &rename("bots/plum/data/old.yml", "old.yml"),
            "plum",
        ),
        ("what nobody reads", &write("README.md"), ""),
        (
            "no data among data",
            &write("bots/lemon/data/notes.txt"),
            "",
        ),
        ("an archive", &write("bots/lemon/models/x.tar.gz"), ""),
    ] {
        place.check_affected(what, change, want);
    }
}

#[test]
fn an_assistant_is_affected_by_what_the_workspace_says_of_it() {
    let place = repository(WORKSPACE);
    place.check_affected(
        "a comment",
        |place| place.write("tabella.yml", &format!("# x\n{WORKSPACE}")),
        "",
    );
    place.check_affected(
        "what is shared",
        |place| place.replace("tabella.yml", "data: shared/nlu.yml", "data: shared"),
        "lemon plum",
    );
    place.check_affected(
        "one entry",
        |place| {
            place.replace(
                "tabella.yml",
                "[bots/*]",
                "[bots/*, {path: bots/plum, out: out}]",
            )
        },
        "plum",
    );
    // A list says nothing of what the file was.
    assert_eq!(
        place.affected_with(&["--changed", "tabella.yml"]),
        "lemon plum"
    );
}

#[cfg(unix)]
#[test]
fn an_assistant_is_affected_by_what_lies_behind_links() {
    let place = Place::new(WORKSPACE);
    place.write("elsewhere/more.yml", "stories: []\n");
    let link = place.path("bots/plum/data/more");
    std::os::unix::fs::symlink("../../../elsewhere", link).unwrap();
    for path in [
        "elsewhere/more.yml",
        "elsewhere/new.yml",
        "bots/plum/data/more",
    ] {
        assert_eq!(place.affected_with(&["--changed", path]), "plum", "{path}");
    }
}

#[test]
fn imported_projects_and_missing_defaults_affect_too() {
    let place = Place::new(WORKSPACE);
    let config =
        format!("{SMALL}importers: [{{name: MultiProjectImporter}}]\nimports: [../more]\n");
    place.write("shared/small.yml", &config);
    place.write("more/data/stories.yml", "stories: []\n");
    place.write("shared/only.yml", DOMAIN);
    fs::remove_file(place.path("bots/plum/domain.yml")).unwrap();
    place.write("bots/plum/config.yml", "");
    assert_eq!(
        place.affected_with(&["--changed", "more/data/new.yml"]),
        "lemon plum"
    );
    assert_eq!(
        place.affected_with(&["--changed", "bots/plum/domain.yml"]),
        "plum"
    );
    assert_eq!(place.affected_with(&["--changed", "bots/plum"]), "plum");
    assert_eq!(
        place.affected_with(&["lem*", "--changed", "more/data/new.yml"]),
        "lemon"
    );
}

#[test]
fn a_list_of_changes_is_read_from_standard_input() {
    let place = Place::new(WORKSPACE);
    place.write("bots/plum/data/b\u{f6}t.yml", "stories: []\n");
    for list in [
        "README.md\r\nbots/plum/domain.yml\r\n",
        "README.md\0bots/plum/domain.yml\0",
        "\"bots/plum/data/b\\303\\266t.yml\"\n",
    ] {
        let mut command = place.command(&["status", "--changed", "-", "--quiet"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(list.as_bytes())
            .unwrap();
        let run = Run::of(child.wait_with_output().unwrap()).ends(0);
        assert_eq!(run.out, "plum\n", "{list:?}");
    }
}

#[test]
fn a_branch_is_compared_with_where_it_parted() {
    let place = repository(WORKSPACE);
    place.git(&["branch", "other"]);
    place.write("bots/lemon/domain.yml", "intents: [one]\n");
    place.commit();
    place.git(&["checkout", "--quiet", "other"]);
    place.write("bots/plum/domain.yml", "intents: [two]\n");
    place.commit();
    place.git(&["branch", "--move", "mine"]);
    place.git(&["branch", "main", "mine~1"]);
    place.git(&["checkout", "--quiet", "main"]);
    place.write("bots/lemon/domain.yml", "intents: [three]\n");
    place.commit();
    place.git(&["checkout", "--quiet", "mine"]);
    assert_eq!(place.affected_with(&["--since", "main"]), "lemon plum");
    assert_eq!(place.affected_with(&["--since", "main..."]), "plum");
}

#[test]
fn what_git_cannot_tell_is_an_error() {
    let place = repository(WORKSPACE);
    for revision in ["nix", "--output=x", "", "...", "HEAD..HEAD"] {
        let since = format!("--since={revision}");
        place
            .run(&["status", &since])
            .ends(64)
            .says(&format!("git knows no revision `{revision}` here"));
    }
    let mut command = place.command(&["status", "--since", "HEAD", "--json"]);
    let without = Run::of(command.env("PATH", "").output().unwrap()).ends(66);
    let error = without.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("there is no program `git`"), "{error}");
    fs::remove_dir_all(place.path(".git")).unwrap();
    let mut command = place.command(&["status", "--since", "HEAD"]);
    let ceiling = place.folder.path().to_owned();
    let run = Run::of(
        command
            .env("GIT_CEILING_DIRECTORIES", ceiling)
            .output()
            .unwrap(),
    );
    run.ends(66).says("git finds no repository in `.`");
}

#[test]
fn only_affected_assistants_are_trained_with_since() {
    let place = repository(WORKSPACE);
    place.replace("bots/plum/data/stories.yml", "utter_bye", "utter_greet");
    place
        .run(&["train", "--since", "HEAD"])
        .ends(0)
        .prints(expect![[r#"
            plum: trained bots/plum/models/NAME.tar.gz: 6 of 6 tasks in TIME
            1 assistant in TIME: 1 trained
        "#]]);
    place.commit();
    place
        .run(&["train", "--since", "HEAD"])
        .ends(0)
        .prints(expect![[r#"
            nothing to do: no assistant is affected
        "#]]);
    let report = place
        .run(&["train", "--since", "HEAD", "--json"])
        .ends(0)
        .json();
    assert_eq!(report["assistants"], serde_json::json!([]));
}

#[test]
fn who_is_affected_is_told_as_its_schema_says() {
    let place = repository(WORKSPACE);
    place.write("bots/plum/data/new.yml", "stories: []\n");
    let schema = Schema::open("affected.schema.json");
    let run = place.run(&["status", "--since", "HEAD", "--json"]).ends(0);
    assert_eq!(
        run.out.lines().count(),
        1,
        "one line, as GITHUB_OUTPUT takes it"
    );
    let report = run.json();
    assert_eq!(schema.refusal(&report), None, "{report:#}");
    assert_eq!(report["affected"], serde_json::json!(["plum"]));
    assert_eq!(
        report["assistants"][0]["files"][0],
        "bots/plum/data/new.yml"
    );
    let none = place
        .run(&["status", "--changed", "x", "--json"])
        .ends(0)
        .json();
    assert_eq!(schema.refusal(&none), None, "{none:#}");
    assert_eq!(none["affected"], serde_json::json!([]));
    place
        .run(&["status", "--since", "HEAD"])
        .ends(0)
        .prints(expect![[r#"
            plum: bots/plum/data/new.yml
            1 of 2 assistants are affected by 1 changed file since HEAD
        "#]]);
}

#[cfg(unix)]
#[test]
fn links_to_what_is_gone_are_followed() {
    let place = Place::new(WORKSPACE);
    place.write("elsewhere/deep/n.yml", "stories: []\n");
    place.write("bots/lemon/data/keep.txt", "");
    let link = |target: &str, at: &str| {
        std::os::unix::fs::symlink(target, place.path(at)).unwrap();
    };
    link("../../../elsewhere/deep/n.yml", "bots/plum/data/x.yml");
    link("../../../elsewhere/deep", "bots/lemon/data/pack-2.8");
    let place = committed(place);
    let remove = |place: &Place| fs::remove_dir_all(place.path("elsewhere")).unwrap();
    place.check_affected("a link's target", remove, "lemon plum");
    let remove = |place: &Place| fs::remove_file(place.path("bots/lemon/data/pack-2.8")).unwrap();
    place.check_affected("a link that looks like a file", remove, "lemon");
    let replace = |place: &Place| {
        remove(place);
        place.write("bots/lemon/data/pack-2.8", "x");
    };
    place.check_affected("a link that becomes a file", replace, "lemon");
}

#[test]
fn a_domain_folder_that_is_gone_affects() {
    let place = Place::new(WORKSPACE);
    fs::remove_file(place.path("bots/plum/domain.yml")).unwrap();
    place.write("bots/plum/config.yml", "");
    place.write("bots/plum/domain/own.yml", "intents: []\n");
    let place = committed(place);
    let remove = |place: &Place| fs::remove_dir_all(place.path("bots/plum/domain")).unwrap();
    place.check_affected("a domain folder", remove, "plum");
}

#[test]
fn submodules_count_whatever_the_settings_say() {
    let place = Place::new(WORKSPACE);
    let inside = place.path("bots/plum/data/sub");
    place.write("bots/plum/data/sub/n.yml", "stories: []\n");
    for arguments in [
        &["init", "--quiet"] as &[&str],
        &["add", "--all"],
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b.c",
            "commit",
            "--quiet",
            "-m",
            "x",
        ],
    ] {
        let git = Command::new("git")
            .arg("-C")
            .arg(&inside)
            .args(arguments)
            .output();
        assert!(git.unwrap().status.success());
    }
    let place = committed(place);
    place.git(&["config", "diff.ignoreSubmodules", "all"]);
    assert_eq!(place.affected(), "");
    place.write("bots/plum/data/sub/n.yml", "# x\nstories: []\n");
    assert_eq!(place.affected(), "plum");
}

#[test]
fn what_git_tells_nothing_of_may_have_changed() {
    let place = Place::new(WORKSPACE);
    place.write(".gitignore", "models/\ngenerated*\n");
    let place = committed(place);
    place.write("bots/lemon/data/generated.txt", "x");
    assert_eq!(place.affected(), "", "not read");
    place.write("bots/lemon/data/generated/n.yml", "stories: []\n");
    let run = place.run(&["status", "--since", "HEAD"]).ends(0);
    run.prints(expect![[r#"
        lemon: it may be, git tells nothing of bots/lemon/data/generated/n.yml
        1 of 2 assistants are affected by 0 changed files since HEAD
    "#]]);
    let report = place.run(&["status", "--since", "HEAD", "--json"]).json();
    assert_eq!(Schema::open("affected.schema.json").refusal(&report), None);
    assert_eq!(
        report["assistants"][0]["untold"],
        serde_json::json!(["bots/lemon/data/generated/n.yml"])
    );
    place.git(&["add", "--force", "bots/lemon/data/generated/n.yml"]);
    place.git(&["commit", "--quiet", "--message", "x"]);
    assert_eq!(place.affected(), "", "git knows it");
    place.write("../outside/n.yml", "stories: []\n");
    place.replace(
        "tabella.yml",
        "data: shared/nlu.yml",
        "data: [shared/nlu.yml, ../outside]",
    );
    place.commit();
    assert_eq!(place.affected(), "lemon plum");
}

#[test]
fn paths_of_a_list_that_start_elsewhere_are_told() {
    let place = Place::new(WORKSPACE);
    let arguments = [
        "status",
        "--changed",
        "bots/plum/domain.yml",
        "shared/x.yml",
    ];
    let run = place.run_in("bots", &arguments).ends(0);
    run.says("warning: `bots/plum/domain.yml` and 1 more of the changed files: neither it nor its folder is there");
    let run = place
        .run(&["status", "--changed", "bots/plum/gone.yml"])
        .ends(0);
    assert_eq!(run.err, "");
}

#[test]
fn of_many_changed_files_the_first_are_told() {
    let place = repository(WORKSPACE);
    for number in 0..120 {
        place.write(&format!("bots/plum/data/{number:03}.yml"), "stories: []\n");
    }
    let run = place.run(&["status", "--since", "HEAD", "--json"]).ends(0);
    let plum = &run.json()["assistants"][0];
    assert_eq!(plum["file_count"], 120);
    let files = plum["files"].as_array().unwrap();
    assert_eq!(
        (files.len(), &files[99]),
        (100, &"bots/plum/data/099.yml".into())
    );
    let run = place.run(&["status", "--since", "HEAD"]).ends(0);
    assert!(run.out.contains("004.yml and 115 more\n"), "{run:?}");
}

#[cfg(unix)]
#[test]
fn a_link_that_git_ignores_may_have_led_elsewhere() {
    let place = Place::new(WORKSPACE);
    place.write(".gitignore", "models/\ngenerated*\n");
    place.write("elsewhere/n.yml", "stories: []\n");
    place.write("elsewhere/known/m.yml", "stories: []\n");
    let link = |place: &Place, target: &str, at: &str| {
        std::os::unix::fs::symlink(target, place.path(at)).unwrap();
    };
    link(&place, "../../../elsewhere/known", "bots/lemon/data/known");
    let place = committed(place);
    assert_eq!(place.affected(), "");
    link(&place, "../../../elsewhere", "bots/plum/data/generated");
    assert_eq!(place.affected(), "plum");
    link(
        &place,
        "../../../elsewhere/n.yml",
        "bots/lemon/data/generated.yml",
    );
    assert_eq!(place.affected(), "lemon plum");
}

/// Trains all until each assistant has nothing to do and that is known without
/// reading it.
fn at_rest(place: &Place) {
    let since = std::time::Instant::now();
    while since.elapsed() < std::time::Duration::from_secs(30) {
        let run = place.run(&["train", "--all", "--json-events", "-"]).ends(0);
        if run.out.matches("\"by\":\"stamps\"").count() == 2 {
            return;
        }
    }
    panic!("it was never known");
}

#[test]
fn the_cache_makes_no_difference_to_who_is_affected() {
    let place = repository(WORKSPACE);
    at_rest(&place);
    let both = |what: &str| {
        let told = |more: &[&str]| {
            let flags = ["status", "--since", "HEAD", "--json"];
            let mut report = place.run(&[&flags[..], more].concat()).ends(0).json();
            report["ms"] = 0.into();
            report
        };
        let known = told(&[]);
        assert_eq!(known, told(&["--no-cache"]), "{what}");
        known["affected"].as_array().unwrap().len()
    };
    assert_eq!(both("nothing"), 0);
    place.write("bots/lemon/data/more.rst", "no data\n");
    assert_eq!(both("a file that nobody reads"), 0);
    place.write("bots/plum/data/more.yml", "nlu: []\n");
    assert_eq!(both("a new file of one"), 1);
    place.replace("shared/nlu.yml", "see you", "see you soon");
    assert_eq!(both("a shared file"), 2);
    place.write(".gitignore", "models/\nsecret.yml\n");
    place.write("bots/lemon/data/secret.yml", "nlu: []\n");
    place.commit();
    at_rest(&place);
    // What git ignores may have changed, and models, which it ignores too, do not
    // count.
    assert_eq!(both("a file that git ignores"), 1);
}
