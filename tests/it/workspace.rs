//! The workspace file: which assistants it lists, and what is said of mistakes.

#![allow(clippy::unwrap_used)] // Test helpers may fail as tests do.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use expect_test::Expect;
use expect_test::expect;
use tabella::diagnostic::Paint;
use tabella::diagnostic::render;
use tabella::import::ImportedWorkspace;
use tabella::import::import_workspace;

/// Reads a workspace file among empty files.
fn import(workspace: &str, files: &[&str]) -> ImportedWorkspace {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let path = root.path().join("tabella.yml");
    fs::write(&path, workspace).unwrap();
    import_workspace(&path, &BTreeMap::new()).unwrap()
}

/// Two assistants, and a folder that is none.
const BOTS: &[&str] = &[
    "bots/lemon/config.yml",
    "bots/plum/domain.yml",
    "bots/readme/README.md",
    "bots/.hidden/config.yml",
    "shared/domain.yml",
    "shared/light.yml",
    "shared/heavy.yml",
];

#[track_caller]
fn check(workspace: &str, want: Expect) {
    let imported = import(workspace, BOTS);
    assert_eq!(imported.diagnostics, []);
    let mut text = String::new();
    let list = |paths: &[PathBuf]| {
        let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        paths.join(" ")
    };
    for member in &imported.workspace.members {
        let _ = writeln!(
            text,
            "{} in {}\n  config {}\n  domain {}\n  data {}\n  out {}",
            member.name,
            member.folder.display(),
            member.config.display(),
            list(&member.domain),
            list(&member.data),
            member.out.display(),
        );
    }
    want.assert_eq(&text);
}

#[track_caller]
fn check_mistakes(workspace: &str, want: Expect) {
    let more = [
        "bots/light.yml",
        "more/pear/a.yml",
        "more/fig/a.yml",
        "more/kiwi/a.yml",
    ];
    let imported = import(workspace, &[BOTS, &more].concat());
    let text = render(&imported.diagnostics, &imported.sources, Paint::Plain);
    want.assert_eq(&text);
}

#[test]
fn a_pattern_lists_the_folders_that_hold_an_assistant() {
    check(
        "version: 1\nassistants: [bots/*]\n",
        expect![[r#"
        lemon in bots/lemon
          config bots/lemon/config.yml
          domain bots/lemon/domain.yml
          data bots/lemon/data
          out bots/lemon/models
        plum in bots/plum
          config bots/plum/config.yml
          domain bots/plum/domain.yml
          data bots/plum/data
          out bots/plum/models
    "#]],
    );
    check(
        "version: 1\nassistants: ['**/p?um']\n",
        expect![[r#"
        plum in bots/plum
          config bots/plum/config.yml
          domain bots/plum/domain.yml
          data bots/plum/data
          out bots/plum/models
    "#]],
    );
}

#[test]
fn what_is_shared_stands_behind_what_an_assistant_has_itself() {
    check(
        "version: 1\ncache: .cache\ndomain: shared/domain.yml\nmatrix: {config: [shared/light.yml, shared/heavy.yml]}\nassistants:\n- bots/plum\n- {path: ./bots/../bots/lemon, name: sour, config: config.yml, out: ../trained}\n",
        expect![[r#"
            plum@heavy in bots/plum
              config shared/heavy.yml
              domain bots/plum/domain.yml shared/domain.yml
              data bots/plum/data
              out bots/plum/models/heavy
            plum@light in bots/plum
              config shared/light.yml
              domain bots/plum/domain.yml shared/domain.yml
              data bots/plum/data
              out bots/plum/models/light
            sour in bots/lemon
              config bots/lemon/config.yml
              domain bots/lemon/domain.yml shared/domain.yml
              data bots/lemon/data
              out bots/trained
        "#]],
    );
}

#[test]
fn each_config_gives_a_variant_with_a_name_and_a_place_of_its_own() {
    check(
        "version: 1
assistants:
- {path: bots/lemon, config: {small: ../../shared/light.yml, large: ../../shared/heavy.yml}, out: out}
- {path: bots/plum, config: {only: ../../shared/light.yml}, out: out/plum.tar.gz}
",
        expect![[r#"
            lemon@large in bots/lemon
              config shared/heavy.yml
              domain bots/lemon/domain.yml
              data bots/lemon/data
              out bots/lemon/out/large
            lemon@small in bots/lemon
              config shared/light.yml
              domain bots/lemon/domain.yml
              data bots/lemon/data
              out bots/lemon/out/small
            plum@only in bots/plum
              config shared/light.yml
              domain bots/plum/domain.yml
              data bots/plum/data
              out bots/plum/out/only/plum.tar.gz
        "#]],
    );
}

#[test]
fn names_that_cannot_be_typed_and_shared_places_are_refused() {
    check_mistakes(
        "\
version: 1
matrix: {config: [shared/light.yml, bots/light.yml]}
assistants:
- {path: bots/lemon, name: nlu, out: ../models, config: config.yml}
- {path: bots/plum, name: a@b, out: ../models, config: {'*': ../../shared/heavy.yml}}
- {path: more/pear, out: ../models/*}
- {path: more/fig, config: ../../shared/light.yml, out: ../models}
- {path: more/kiwi, config: ../../shared/light.yml, out: ../models}
",
        expect![[r#"
            error[E710]: `nlu` cannot be a name: `tabella train nlu` trains one half
              ──▶ tabella.yml:4:3
               │
             4 │ - {path: bots/lemon, name: nlu, out: ../models, config: config.yml}
               │   ^
               = help: give it another one: `- {path: bots/bot, name: helper}`

            error[E710]: `a@b` cannot be a name: it has '@' in it
              ──▶ tabella.yml:5:3
               │
             5 │ - {path: bots/plum, name: a@b, out: ../models, config: {'*': ../../shared/heavy.yml}}
               │   ^
               = help: give it another one: `- {path: bots/bot, name: helper}`

            error[E710]: `*` cannot be a name: it has '*' in it
              ──▶ tabella.yml:5:57
               │
             5 │ - {path: bots/plum, name: a@b, out: ../models, config: {'*': ../../shared/heavy.yml}}
               │                                                         ^
               = help: give it another one: `- {path: bots/bot, name: helper}`

            error[E709]: two variants of `pear` are called `light`
              ──▶ tabella.yml:6:3
               │
             6 │ - {path: more/pear, out: ../models/*}
               │   ^
               = note: `shared/light.yml` and `bots/light.yml`
               = help: name them: `config: {small: one.yml, large: another.yml}`

            error[E711]: `fig` and `kiwi` write their models to the same folder, `more/models`
              ──▶ tabella.yml:8:3
               │
             8 │ - {path: more/kiwi, config: ../../shared/light.yml, out: ../models}
               │   ^
               = help: give one of them another `out`
        "#]],
    );
}

#[test]
fn a_folder_that_is_listed_itself_wins_over_a_pattern() {
    check(
        "version: 1\nassistants:\n- bots/*\n- {path: bots/plum, name: prune}\n",
        expect![[r#"
            lemon in bots/lemon
              config bots/lemon/config.yml
              domain bots/lemon/domain.yml
              data bots/lemon/data
              out bots/lemon/models
            prune in bots/plum
              config bots/plum/config.yml
              domain bots/plum/domain.yml
              data bots/plum/data
              out bots/plum/models
        "#]],
    );
}

#[test]
fn mistakes_are_named_all_at_once() {
    check_mistakes(
        "\
versio: 1
domain: shared/domian.yml
assistants:
- bots/lemmon
- bots/pear*
- {path: bots/lemon, confg: config.yml}
- {name: lemon}
- bots/lemon
- {path: bots/plum, name: lemon}
",
        expect![[r#"
            error[E701]: a workspace without `version`
              ──▶ tabella.yml:1:1
               │
             1 │ versio: 1
               │ ^
               = help: write `version: 1`

            error[E706]: unknown key `versio`
              ──▶ tabella.yml:1:1
               │
             1 │ versio: 1
               │ ^^^^^^
               = help: did you mean `version`?

            error[E702]: file or folder `shared/domian.yml` does not exist
              ──▶ tabella.yml:2:9
               │
             2 │ domain: shared/domian.yml
               │         ^^^^^^^^^^^^^^^^^
               = help: did you mean `domain.yml`?

            error[E702]: folder `bots/lemmon` does not exist
              ──▶ tabella.yml:4:3
               │
             4 │ - bots/lemmon
               │   ^^^^^^^^^^^
               = help: did you mean `lemon`?

            warning[W703]: `bots/pear*` finds no folder with a `config.yml` or `domain.yml`
              ──▶ tabella.yml:5:3
               │
             5 │ - bots/pear*
               │   ^^^^^^^^^^

            error[E706]: unknown key `confg`
              ──▶ tabella.yml:6:22
               │
             6 │ - {path: bots/lemon, confg: config.yml}
               │                      ^^^^^
               = help: did you mean `config`?

            error[E707]: an assistant is a folder, or a map with `path`
              ──▶ tabella.yml:7:3
               │
             7 │ - {name: lemon}
               │   ^
               = help: write `- bots/name` or `- path: bots/name`

            error[E704]: assistant `bots/lemon` is listed twice
              ──▶ tabella.yml:8:3
               │
             8 │ - bots/lemon
               │   ^
               = note: first at tabella.yml:6:3

            error[E705]: two assistants are called `lemon`
              ──▶ tabella.yml:9:3
               │
             9 │ - {path: bots/plum, name: lemon}
               │   ^
               = note: `bots/lemon` and `bots/plum`
               = help: give one another `name`
        "#]],
    );
}

#[test]
fn a_file_that_is_no_map_is_refused() {
    check_mistakes(
        "- bots/lemon\n",
        expect![[r#"
        error[E009]: a workspace is a map of sections, this is a list
          ──▶ tabella.yml:1:1
           │
         1 │ - bots/lemon
           │ ^
    "#]],
    );
    check_mistakes(
        "version: 1\nassistants: {}\n",
        expect![[r#"
            error[E010]: `assistants` must be a list, not a map
              ──▶ tabella.yml:2:13
               │
             2 │ assistants: {}
               │             ^
               = help: put `- ` before each item, on a line of its own
        "#]],
    );
    check_mistakes(
        "version: [1\n",
        expect![[r#"
        error[E004]: not valid YAML: while parsing a flow sequence, expected ',' or ']'
          ──▶ tabella.yml:2:1
           │
         2 │
           │ ^
           = help: a comma or a closing bracket is missing, here or above; text with brackets is put into quotes
    "#]],
    );
}

#[test]
fn a_pattern_with_settings_of_its_own_is_told_where_those_belong() {
    check_mistakes(
        "version: 1\nassistants:\n- {path: bots/*, data: data}\n",
        expect![[r#"
        error[E702]: folder `bots/*` does not exist
          ──▶ tabella.yml:3:10
           │
         3 │ - {path: bots/*, data: data}
           │          ^^^^^^
           = help: a pattern of folders is an entry of its own, such as `- bots/*`; what all assistants share stands at the top of the file
    "#]],
    );
}
