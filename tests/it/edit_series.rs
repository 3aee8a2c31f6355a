//! Real histories of edits, commit by commit: training with the cache that all
//! commits before have left gives the archive that an empty cache gives, and what
//! is stale after each commit is recorded, to be checked against its patch.
//!
//! The three histories have 82 commits. Every state is trained three times: as
//! the dry run says with the warm cache, with an empty one, and told once more to
//! see that nothing is left to do. `edit_series/quick_config.rs` says how the
//! configurations are made quick; stories are not glued to each other.
//!
//! A record, `edit_series/*.txt`, has for each commit the files of its patch with
//! lines added and removed; the code of the dry run; the pieces that changed, by
//! what reads them; and the tasks with what was announced, what happened and why.

mod quick_config;
mod record;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;

use expect_test::ExpectFile;
use expect_test::expect_file;
use tabella::api;
use tabella::api::CacheSettings;
use tabella::api::TrainError;
use tabella::api::TrainOptions;
use tabella::recipe::Report;
use tabella::recipe::TaskState;
use tempfile::TempDir;

use crate::histories::Touched;
use crate::histories::history;
use crate::workbench::Workbench;
use crate::workbench::mistakes;

/// The configuration that is trained, made from the bot's own.
const QUICK: &str = "quick-config.yml";

/// A bot on its way through its history.
struct Bot {
    bench: Workbench,
    /// Paths that changed since the last state without mistakes.
    touched: Vec<String>,
    /// The last state without mistakes.
    good: BTreeMap<PathBuf, Vec<u8>>,
    record: String,
}

impl Bot {
    fn options(&self) -> TrainOptions {
        let mut options = self.bench.options();
        options.config = QUICK.into();
        options.core_additional_arguments.augmentation_factor = 0;
        options
    }

    fn dry(&self) -> TrainOptions {
        TrainOptions {
            dry_run: true,
            ..self.options()
        }
    }

    /// Trains the present state with the warm and with an empty cache.
    fn visit(&mut self, name: &str, touched: &[Touched]) {
        self.record += &record::heading(name, touched);
        self.touched
            .extend(touched.iter().map(|file| file.path.clone()));
        let config = quick_config::quick(&self.bench.read("config.yml"));
        self.bench.write(QUICK, &config);
        let archives = self.bench.files("models");
        let planned = api::train(&self.dry());
        let (warm, clean) = thread::scope(|scope| {
            let clean = scope.spawn(|| clean(self.options()));
            let warm = outcome(|options| self.bench.train_with(options), &self.options());
            (warm, clean.join().unwrap())
        });
        let same = warm == clean;
        assert!(
            same,
            "{name}: not what an empty cache gives: {:?}, {:?}",
            warm.err(),
            clean.err()
        );
        match warm {
            Ok(_) => self.went_well(name, &planned.unwrap().dry_run_results.unwrap()),
            Err(mistakes) => {
                assert_eq!(
                    self.bench.files("models"),
                    archives,
                    "{name}: models are kept"
                );
                self.went_wrong(name, &mistakes);
            }
        }
    }

    fn went_well(&mut self, name: &str, report: &Report) {
        let log = record::Log::new(&self.bench.log());
        self.record += &record::tasks(report, &log);
        for task in &report.tasks {
            match task.state {
                TaskState::Fresh | TaskState::Remote => {
                    assert!(!log.ran(&task.name), "{name}: {} ran", task.name)
                }
                TaskState::Stale => {
                    assert!(log.ran(&task.name), "{name}: {} did not run", task.name)
                }
                TaskState::MayBeSpared => {}
            }
        }
        assert_eq!(
            api::train(&self.dry()).unwrap().code,
            0,
            "{name}: nothing is left to do"
        );
        if !self.good.is_empty() {
            check_parts(name, &self.touched, report);
        }
        self.touched.clear();
        self.good = self.bench.files("");
        self.good.retain(|path, _| !path.starts_with("models"));
    }

    /// After a state with mistakes, nothing of the state before it is lost.
    fn went_wrong(&mut self, name: &str, mistakes: &str) {
        self.record += &record::mistakes(mistakes);
        if self.good.is_empty() {
            return;
        }
        let mut bad = self.bench.files("");
        bad.retain(|path, _| !path.starts_with("models"));
        self.bench.put(&bad, &self.good);
        assert_eq!(
            api::train(&self.dry()).unwrap().code,
            0,
            "{name}: the state before is kept"
        );
        self.bench.put(&self.good, &bad);
    }
}

/// What of a bot can be stale, going by the names of the files that changed.
fn check_parts(name: &str, touched: &[String], report: &Report) {
    let no = |part: &str| {
        let mut tasks = report.tasks.iter();
        let stale =
            tasks.find(|task| task.name.starts_with(part) && task.state != TaskState::Fresh);
        assert_eq!(stale.map(|task| &task.name), None, "{name}: {touched:?}");
    };
    let only = |is: &dyn Fn(&str) -> bool| {
        touched
            .iter()
            .all(|path| path.starts_with("tests/") || is(path))
    };
    if only(&|_| false) {
        assert_eq!(report.code, 0, "{name}: tests are not trained on");
    }
    if only(&|path| path.contains("nlu")) {
        no("core.");
    }
    if only(&|path| path.contains("stories") || path.contains("rules")) {
        no("nlu.");
    }
}

/// Trains with an empty cache into a folder of its own.
fn clean(mut options: TrainOptions) -> Result<Vec<u8>, String> {
    let elsewhere = TempDir::new().unwrap();
    options.run.cache = CacheSettings::Folder(elsewhere.path().join("cache"));
    options.run.observer = Default::default();
    options.output = elsewhere.path().join("models");
    outcome(api::train, &options)
}

/// Returns the archive, or the mistakes.
fn outcome(
    train: impl Fn(&TrainOptions) -> Result<api::TrainingResult, TrainError>,
    options: &TrainOptions,
) -> Result<Vec<u8>, String> {
    let result = train(options).map_err(|error| mistakes(&error))?;
    Ok(fs::read(result.model.expect("a training gives a model")).unwrap())
}

/// Goes through the history of a bot.
fn check(name: &str, commit_count: usize, want: ExpectFile) {
    let Some(history) = history(name) else {
        return;
    };
    let mut bot = Bot {
        bench: Workbench::copy_of(&history.base),
        touched: Vec::new(),
        good: BTreeMap::new(),
        record: String::new(),
    };
    bot.visit("base", &[]);
    for patch in &history.patches {
        patch.apply(&bot.bench.root());
        bot.visit(&patch.name, &patch.touched());
    }
    assert_eq!(history.patches.len(), commit_count);
    want.assert_eq(&bot.record);
}

#[test]
fn every_commit_of_financial_demo_gives_the_clean_archive() {
    check(
        "financial-demo",
        30,
        expect_file!["./edit_series/financial-demo.txt"],
    );
}

#[test]
fn every_commit_of_helpdesk_assistant_gives_the_clean_archive() {
    check(
        "helpdesk-assistant",
        22,
        expect_file!["./edit_series/helpdesk-assistant.txt"],
    );
}

#[test]
fn every_commit_of_repair_strategies_bot_gives_the_clean_archive() {
    check(
        "repair-strategies-bot",
        30,
        expect_file!["./edit_series/repair-strategies-bot.txt"],
    );
}
