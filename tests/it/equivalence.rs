//! Incremental equals clean: after any edits, whatever the cache holds by then,
//! the archive is the one that an empty cache gives, and training runs what the
//! dry run announced.
//!
//! A project of a few examples and stories is edited at random: [`edits`] change
//! what it says, [`layouts`] only how that is written, and after the latter
//! nothing is stale. Each edit says what it makes stale when made alone.
//!
//! `TABELLA_EDITS=500 cargo test --release --test it equivalence` tries more
//! edits than usual, and `TABELLA_EDITS_SEED=7` others.

mod edits;
mod layouts;
mod project;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use tabella::api;
use tabella::api::CacheSettings;
use tabella::api::TrainOptions;
use tabella::archive::Limits;
use tabella::archive::unpack;
use tabella::recipe::TaskState;
use tempfile::TempDir;

use crate::workbench::Workbench;
use crate::workbench::mistakes;

use edits::EDITS;
use edits::REFUSED;
use layouts::Files;
use layouts::LAYOUTS;
use project::FILES;

/// Edits of how training is called: the data go into the archive, and stories
/// are not glued.
const CALLS: [&str; 2] = ["persist", "no augmentation"];

/// Numbers that look random, from a counter.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    /// Turns one to three switches.
    fn turn(&mut self, switches: &mut [bool]) {
        for _ in 0..=self.below(3) {
            let switch = self.below(switches.len());
            switches[switch] = !switches[switch];
        }
    }
}

/// Which edits are in force.
struct Present {
    /// Those of [`EDITS`], then [`CALLS`].
    contents: Vec<bool>,
    /// Those of [`LAYOUTS`].
    layouts: Vec<bool>,
}

impl Present {
    /// No edit at all.
    fn none() -> Self {
        Self {
            contents: vec![false; EDITS.len() + CALLS.len()],
            layouts: vec![false; LAYOUTS.len()],
        }
    }

    fn files(&self) -> Files {
        let base = FILES.iter();
        let mut files: Files = base
            .map(|(path, text)| ((*path).into(), (*text).into()))
            .collect();
        for (edit, _) in EDITS.iter().zip(&self.contents).filter(|(_, on)| **on) {
            if edit.old.is_empty() {
                files.insert(edit.file.into(), edit.new.into());
                continue;
            }
            let text = files.get_mut(edit.file).unwrap();
            assert_eq!(
                text.matches(edit.old).count(),
                1,
                "`{}` in:\n{text}",
                edit.old
            );
            *text = text.replace(edit.old, edit.new);
        }
        files.retain(|_, text| !text.is_empty());
        for ((_, change), _) in LAYOUTS.iter().zip(&self.layouts).filter(|(_, on)| **on) {
            change(&mut files);
        }
        files
    }

    /// Writes the project with these edits.
    fn write(&self, bench: &Workbench) {
        let mut old = bench.files("");
        old.retain(|path, _| !path.starts_with("models"));
        let files = self.files().into_iter();
        let new = files.map(|(path, text)| (PathBuf::from(path), text.into_bytes()));
        bench.put(&old, &new.collect());
    }

    fn options(&self, bench: &Workbench, cache: &Path) -> TrainOptions {
        let mut options = bench.options();
        options.run.cache = CacheSettings::Folder(cache.to_owned());
        options.persist_nlu_training_data = self.contents[EDITS.len()];
        if self.contents[EDITS.len() + 1] {
            options.core_additional_arguments.augmentation_factor = 0;
        }
        options
    }

    fn names(&self) -> Vec<&str> {
        let contents = EDITS
            .iter()
            .map(|edit| edit.old)
            .chain(CALLS)
            .zip(&self.contents);
        let layouts = LAYOUTS.iter().map(|(name, _)| *name).zip(&self.layouts);
        let named = contents.chain(layouts);
        named.filter(|(_, on)| **on).map(|(name, _)| name).collect()
    }
}

/// What a training gave, mistakes included.
fn outcome(options: &TrainOptions) -> Result<Vec<u8>, String> {
    let result = api::train(options).map_err(|error| mistakes(&error))?;
    Ok(fs::read(result.model.expect("a training gives a model")).unwrap())
}

/// The files in which two archives differ, or the mistakes.
fn difference(one: &Result<Vec<u8>, String>, other: &Result<Vec<u8>, String>) -> Vec<String> {
    let (one, other) = match (one, other) {
        (Ok(one), Ok(other)) => (files(one), files(other)),
        _ => {
            let shown = |outcome: &Result<Vec<u8>, String>| format!("{:?}", outcome.as_ref().err());
            return vec![shown(one), shown(other)];
        }
    };
    let paths: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differing = paths
        .into_iter()
        .filter(|path| one.get(*path) != other.get(*path));
    differing.cloned().collect()
}

fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let model = unpack(archive, archive.len() as u64, &Limits::default()).unwrap();
    let core = model
        .core
        .into_iter()
        .map(|(path, bytes)| (format!("core/{path}"), bytes));
    let nlu = model
        .nlu
        .into_iter()
        .map(|(path, bytes)| (format!("nlu/{path}"), bytes));
    let mut files: BTreeMap<String, Vec<u8>> = core.chain(nlu).collect();
    files.insert(
        "metadata.json".into(),
        serde_json::to_vec(&model.metadata).unwrap(),
    );
    files.insert(
        "fingerprint.json".into(),
        serde_json::to_vec(&model.fingerprint).unwrap(),
    );
    files
}

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Trains with the warm cache as the dry run says, and with an empty one. Returns
/// the archive; none if some edits contradict each other.
#[track_caller]
fn check(bench: &Workbench, present: &Present) -> Option<Vec<u8>> {
    let warm = present.options(bench, bench.cache());
    let mut dry = warm.clone();
    dry.dry_run = true;
    let report = api::train(&dry);
    let before = bench.log().lines().count();
    let incremental = outcome(&warm);
    let elsewhere = TempDir::new().unwrap();
    let mut clean = present.options(bench, &elsewhere.path().join("cache"));
    clean.run.observer = Default::default();
    clean.output = elsewhere.path().join("models");
    let names = present.names();
    let clean = outcome(&clean);
    if incremental != clean {
        panic!(
            "not what an empty cache gives: {:?}\nwith {names:#?}",
            difference(&incremental, &clean)
        );
    }
    let Ok(archive) = incremental else {
        return None;
    };
    let log = bench.log();
    let ran: Vec<&str> = log
        .lines()
        .skip(before)
        .filter_map(|line| line.strip_prefix("run "))
        .filter_map(|line| line.trim_start().split(':').next())
        .collect();
    for task in report.unwrap().dry_run_results.unwrap().tasks {
        let has_run = ran.contains(&task.name.as_str());
        match task.state {
            TaskState::Fresh | TaskState::Remote => {
                assert!(!has_run, "{} ran: {names:#?}", task.name)
            }
            // Of two that do the same work one runs.
            TaskState::Stale => assert!(
                has_run || ran.iter().any(|other| kind(other) == kind(&task.name)),
                "{} did not run: {names:#?}",
                task.name
            ),
            TaskState::MayBeSpared => {}
        }
    }
    assert_eq!(api::train(&dry).unwrap().code, 0, "{names:#?}");
    Some(archive)
}

/// A workbench with the project before all edits, trained; with its archive.
fn trained() -> (Workbench, Vec<u8>) {
    let bench = Workbench::new(&[]);
    let present = Present::none();
    present.write(&bench);
    let archive = check(&bench, &present).unwrap();
    (bench, archive)
}

/// What a task's name says without its place.
fn kind(task: &str) -> &str {
    task.rsplit('.').next().unwrap_or(task)
}

#[test]
fn after_any_edits_the_archive_is_the_clean_one() {
    let bench = Workbench::new(&[]);
    let mut draws = Draws(number("TABELLA_EDITS_SEED", 1));
    let mut present = Present::none();
    let (count, mut archive_count, mut neutral_count) = (number("TABELLA_EDITS", 24), 0, 0);
    let mut last = None;
    for _ in 0..count {
        // One edit or a few at a time; often one is taken back.
        let changes_contents = last.is_none() || draws.below(3) > 0;
        if changes_contents {
            draws.turn(&mut present.contents);
        }
        if !changes_contents || draws.below(2) == 0 {
            draws.turn(&mut present.layouts);
        }
        present.write(&bench);
        let (code, stale) = told(&bench, &present);
        let archive = check(&bench, &present);
        if !changes_contents {
            neutral_count += 1;
            let is_same = archive == last && code == 0;
            assert!(
                is_same,
                "code {code} after {:#?}: {stale:#?}",
                present.names()
            );
        }
        archive_count += u64::from(archive.is_some());
        last = archive;
    }
    println!("{count} edits, {neutral_count} of them of layout alone; {archive_count} archives");
    assert!(
        archive_count * 2 >= count,
        "{archive_count} of {count} gave an archive"
    );
}

#[test]
fn each_edit_makes_stale_what_it_says_and_the_archive_is_the_clean_one() {
    let (bench, archive) = trained();
    let mut present = Present::none();
    let mut wrong = Vec::new();
    // A tenth of the archives is compared, all of them when asked to.
    let stride = if number("TABELLA_EDITS", 0) > 0 {
        1
    } else {
        10
    };
    for (index, edit) in EDITS.iter().enumerate() {
        present.contents[index] = true;
        present.write(&bench);
        let (code, stale) = told(&bench, &present);
        if code != edit.code {
            wrong.push(format!(
                "code {code} after `{}` in {}: {stale:#?}",
                edit.old, edit.file
            ));
        }
        if code == 0 || index % stride == 0 {
            let new = check(&bench, &present);
            let is_same = new.as_ref() == Some(&archive);
            assert_eq!(is_same, code == 0, "`{}` in {}", edit.old, edit.file);
        }
        present.contents[index] = false;
        present.write(&bench);
        assert!(outcome(&present.options(&bench, bench.cache())) == Ok(archive.clone()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_stale_after_the_same_contents_are_written_otherwise() {
    let (bench, archive) = trained();
    let mut present = Present::none();
    let mut wrong = Vec::new();
    for (index, (name, _)) in LAYOUTS.iter().enumerate() {
        present.layouts[index] = true;
        assert!(present.files() != Present::none().files(), "{name}");
        present.write(&bench);
        let (code, stale) = told(&bench, &present);
        if code != 0 {
            wrong.push(format!("code {code} after {name}: {stale:#?}"));
        } else if check(&bench, &present).as_ref() != Some(&archive) {
            wrong.push(format!("another archive after {name}"));
        }
        present.layouts[index] = false;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The code of a dry run, with what is stale and why.
fn told(bench: &Workbench, present: &Present) -> (u8, Vec<String>) {
    let mut dry = present.options(bench, bench.cache());
    dry.dry_run = true;
    let result = match api::train(&dry) {
        Ok(result) => result,
        Err(error) => return (REFUSED, vec![mistakes(&error)]),
    };
    let tasks = result.dry_run_results.unwrap().tasks.into_iter();
    let stale = tasks.filter(|task| task.state == TaskState::Stale);
    let told = stale.map(|task| format!("{}: {}", task.name, task.why.join("; ")));
    (result.code, told.collect())
}

#[test]
fn a_featurizer_that_is_called_otherwise_trains_nothing() {
    let bench = Workbench::new(&[]);
    let present = Present::none();
    present.write(&bench);
    let config = |name: &str, list: &str| {
        let alias = format!("- name: CountVectorsFeaturizer\n  alias: {name}\n- name");
        let classifier = format!("- name: DIETClassifier\n  featurizers: {list}\n");
        let selector = format!("- name: ResponseSelector\n  featurizers: {list}\n");
        let files = present.files();
        files["config.yml"]
            .replace("- name: CountVectorsFeaturizer\n- name", &alias)
            .replace("- name: DIETClassifier\n", &classifier)
            .replace("- name: ResponseSelector\n", &selector)
    };
    bench.write("config.yml", &config("words", "[words]"));
    assert!(check(&bench, &present).is_some());
    bench.write("config.yml", &config("tokens", "[tokens, tokens]"));
    assert!(check(&bench, &present).is_some());
    let result = api::train(&present.options(&bench, bench.cache())).unwrap();
    assert_eq!(result.ran, 0);
}
