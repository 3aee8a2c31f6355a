//! What an import looked at decides what it gives: as long as every look would
//! be the same, another import gives the same.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tabella::import::Disks;
use tabella::import::Imported;
use tabella::import::Looks;
use tabella::import::REST_NS;
use tabella::import::Sources;
use tabella::import::Times;
use tabella::import::Verdict;
use tabella::import::clock_ns;
use tabella::import::destination;
use tabella::import::import_project;
use tempfile::TempDir;

const FILES: &[(&str, &str)] = &[
    (
        "config.yml",
        "importers: [{name: MultiProjectImporter}]\nimports: [other, gone, more/config.yml]\n",
    ),
    ("other/config.yml", "imports:\n- ../${PLACE}\n"),
    (
        "other/nlu.yml",
        "nlu:\n- intent: a\n  examples: |\n    - other\n",
    ),
    (
        "deep/nlu.yml",
        "nlu:\n- intent: a\n  examples: |\n    - deep\n",
    ),
    ("more/config.yml", "imports: []\n"),
    ("domain/one.yml", "intents: [a]\n"),
    ("domain/deeper/two.yml", "intents: [b]\n"),
    (
        "data/nlu.yml",
        "nlu:\n- intent: a\n  examples: |\n    - hello\n- lookup: l\n  examples: |\n    - data/words.txt\n- lookup: m\n  examples: |\n    - data/none.txt\n",
    ),
    ("data/words.txt", "one\ntwo\n"),
    ("data/agent.json", "{\"id\": \"x\"}"),
    (
        "elsewhere/linked.yml",
        "nlu:\n- intent: b\n  examples: |\n    - linked\n",
    ),
];

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in FILES {
        write(folder.path(), path, text);
    }
    symlink("../elsewhere", folder.path().join("data/link")).unwrap();
    symlink("nowhere", folder.path().join("data/dangling.yml")).unwrap();
    folder
}

fn import(root: &Path) -> Imported {
    import_project(&Sources {
        root: root.to_owned(),
        config: "config.yml".into(),
        domain: vec!["domain".into()],
        data: vec!["data".into()],
        environment: BTreeMap::from([("PLACE".to_owned(), "deep".to_owned())]),
        ..Sources::default()
    })
    .unwrap()
}

/// Whether all is as it was, by stamps or by contents.
fn hold(looks: &Looks) -> bool {
    let times = Times {
        now_ns: clock_ns(),
        rest_ns: REST_NS,
        disks: &Disks::new(|_| true),
    };
    let is_same = |(path, look): (&std::path::PathBuf, &tabella::import::Look)| match look
        .verdict(path, &times)
    {
        Verdict::Same => true,
        Verdict::Unsure => look.again(path).is_some(),
        Verdict::Changed => false,
    };
    looks.seen.iter().all(is_same)
        && looks
            .links
            .iter()
            .all(|(path, real)| destination(path) == *real)
}

#[track_caller]
fn is_seen(change: impl Fn(&Path)) {
    let folder = project();
    let imported = import(folder.path());
    assert!(!imported.looks.is_torn);
    assert!(hold(&imported.looks), "nothing has changed yet");
    change(folder.path());
    assert!(!hold(&imported.looks), "the change is not seen");
}

#[test]
fn every_file_that_was_read_is_looked_at() {
    for (path, text) in FILES {
        if *path != "elsewhere/linked.yml" {
            is_seen(|root| write(root, path, &format!("{text} ")));
            is_seen(|root| fs::remove_file(root.join(path)).unwrap());
        }
    }
    is_seen(|root| write(root, "elsewhere/linked.yml", "nlu: []\n"));
}

#[test]
fn files_and_folders_that_come_and_go_are_seen() {
    for path in [
        "domain/three.yml",
        "domain/deeper/three.yml",
        "data/new/three.md",
        "data/.hidden.json",
        "elsewhere/three.yaml",
        "other/three.yml",
        "deep/three.yml",
        "data/none.txt",
        "gone/nlu.yml",
        "data/nowhere",
    ] {
        is_seen(|root| write(root, path, "x: y\n"));
    }
    is_seen(|root| fs::rename(root.join("data/nlu.yml"), root.join("data/nlu2.yml")).unwrap());
    is_seen(|root| fs::remove_dir_all(root.join("domain/deeper")).unwrap());
}

#[test]
fn links_that_lead_elsewhere_are_seen() {
    is_seen(|root| {
        fs::remove_file(root.join("data/link")).unwrap();
        symlink("../other", root.join("data/link")).unwrap();
    });
    is_seen(|root| {
        // The same bytes in a file of its own.
        let bytes = fs::read(root.join("data/nlu.yml")).unwrap();
        fs::rename(root.join("data/nlu.yml"), root.join("kept.yml")).unwrap();
        symlink("../kept.yml", root.join("data/nlu.yml")).unwrap();
        assert_eq!(fs::read(root.join("data/nlu.yml")).unwrap(), bytes);
    });
    is_seen(|root| {
        fs::rename(root.join("data"), root.join("kept")).unwrap();
        fs::create_dir(root.join("data")).unwrap();
        symlink("../kept/nlu.yml", root.join("data/nlu.yml")).unwrap();
    });
}

#[test]
fn what_cannot_matter_is_not_looked_at() {
    let folder = project();
    let imported = import(folder.path());
    write(folder.path(), "data/notes.txt", "x");
    write(folder.path(), "models/x.tar.gz", "x");
    write(folder.path(), "README.md", "x");
    assert!(hold(&imported.looks));
}

#[test]
fn environment_variables_of_imported_configs_are_told() {
    let folder = project();
    let imported = import(folder.path());
    assert_eq!(imported.environment["PLACE"].as_deref(), Some("deep"));
    let texts: Vec<&str> = imported
        .project
        .nlu
        .examples
        .iter()
        .map(|example| example.text.as_str())
        .collect();
    assert!(
        texts.contains(&"deep") && texts.contains(&"linked"),
        "{texts:?}"
    );
}
