//! Many assistants, of which few have something to do: those are found, the others
//! are known without reading, and all are told as if each had been asked alone.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tabella::api;
use tabella::api::CacheSettings;
use tabella::api::MemberNotice;
use tabella::api::MemberObserver;
use tabella::api::MemberState;
use tabella::api::Notice;
use tabella::api::Observer;
use tabella::api::TrainOptions;
use tabella::api::WitnessSettings;
use tabella::api::WorkspaceOptions;
use tabella::api::WorkspaceReport;
use tabella::digest::Digest;
use tempfile::TempDir;

const CONFIG: &str = "\
language: en
pipeline:
- name: WhitespaceTokenizer
- name: KeywordIntentClassifier
policies:
- name: RulePolicy
";

/// An intent is not used: worth a word, by which it is known that files were read.
const DOMAIN: &str = "\
intents: [greet, unused]
responses:
  utter_greet: [{text: hi}]
";

const RULES: &str = "\
rules:
- rule: greet
  steps:
  - intent: greet
  - action: utter_greet
";

/// More than are looked up in the cache one by one, and than a thread takes at once.
const MANY: usize = 40;

/// More than any clock of a file system ticks, and little enough to wait for it.
const REST: Duration = Duration::from_millis(20);

/// A workspace with assistants `bot-00`, `bot-01`, ….
struct Place {
    folder: TempDir,
}

/// What a run told.
#[derive(Debug)]
struct Told {
    report: WorkspaceReport,
    /// Of whom the end was told, in order.
    over: Vec<String>,
    /// Whose files were read.
    read: Vec<String>,
}

impl Place {
    fn new(count: usize) -> Self {
        let place = Self {
            folder: TempDir::new().unwrap(),
        };
        for number in 0..count {
            place.write_bot(&format!("bots/bot-{number:02}"), number);
        }
        place.write("tabella.yml", "version: 1\nassistants: [bots/*]\n");
        place
    }

    /// One in which nothing is left to do, and all has been at rest.
    fn rested(count: usize) -> Self {
        let place = Self::new(count);
        for _ in 0..2 {
            place.train(&[]);
            thread::sleep(REST * 2);
        }
        assert_eq!(place.train(&[]).read, [""; 0]);
        place
    }

    fn write_bot(&self, folder: &str, number: usize) {
        let nlu = format!("nlu:\n- intent: greet\n  examples: |\n    - hello {number}\n");
        self.write(&format!("{folder}/config.yml"), CONFIG);
        self.write(&format!("{folder}/domain.yml"), DOMAIN);
        self.write(&format!("{folder}/data/nlu.yml"), &nlu);
        self.write(&format!("{folder}/data/rules.yml"), RULES);
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("workspace").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn train(&self, names: &[&str]) -> Told {
        self.run(names, false, true)
    }

    fn run(&self, names: &[&str], dry_run: bool, is_asked: bool) -> Told {
        let nobody = Observer::default();
        let root = self.path("");
        let opened = api::open_workspace(None, &root, &Default::default(), &nobody).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let members = opened.select(&names).unwrap();
        let log: Arc<Mutex<[Vec<String>; 3]>> = Arc::default();
        let told = Arc::clone(&log);
        let observer = MemberObserver::new(move |member, notice| {
            let mut told = told.lock().unwrap();
            match notice {
                MemberNotice::Over(_) => told[0].push(member.name.clone()),
                MemberNotice::Told(Notice::Diagnosed(_)) => told[1].push(member.name.clone()),
                MemberNotice::Told(Notice::AsBefore { .. }) => told[2].push(member.name.clone()),
                _ => {}
            }
        });
        let mut all = TrainOptions {
            dry_run,
            ..TrainOptions::default()
        };
        let program = Digest::of(b"this program");
        all.run.cache = CacheSettings::Folder(self.cache());
        all.run.rest_ns = REST.as_nanos() as i64;
        if is_asked {
            all.run.witness = WitnessSettings::Ask { program };
        }
        let options = WorkspaceOptions {
            all,
            observer,
            ..WorkspaceOptions::default()
        };
        let report = api::train_members(&opened, &members, &options);
        let [over, read, as_before] = log.lock().unwrap().clone();
        assert_eq!(read.len() + as_before.len(), over.len());
        Told { report, over, read }
    }

    fn sql(&self, sql: &str) -> u32 {
        let connection = Connection::open(self.cache().join("results.db")).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        rows.next().unwrap().map_or(0, |row| row.get(0).unwrap())
    }
}

impl Told {
    fn count(&self, state: MemberState) -> usize {
        self.report.counts.get(&state).copied().unwrap_or(0)
    }

    /// The report but for times, as JSON.
    fn timeless(&self) -> serde_json::Value {
        let mut report = serde_json::to_value(&self.report).unwrap();
        report["ms"] = 0.into();
        for assistant in report["assistants"].as_array_mut().unwrap() {
            assistant["ms"] = 0.into();
        }
        report
    }
}

#[test]
fn of_many_assistants_only_those_are_read_that_changed() {
    let place = Place::rested(MANY);
    place.write("bots/bot-07/data/more.yml", "nlu: []\n");
    fs::remove_dir_all(place.path("bots/bot-21/models")).unwrap();
    place.write_bot("bots/bot-33", 99);
    for dry_run in [true, false] {
        let told = place.run(&[], dry_run, true);
        assert_eq!(told.read, ["bot-07", "bot-21", "bot-33"]);
        assert!(told.over.is_sorted() && told.over.len() == MANY);
        match dry_run {
            true => {
                let read = place.run(&[], true, false);
                assert_eq!(told.timeless(), read.timeless());
                assert_eq!(told.count(MemberState::Stale), 2);
            }
            false => {
                assert_eq!(told.count(MemberState::Trained), 1);
                assert_eq!(told.count(MemberState::Restored), 1);
                assert_eq!(told.count(MemberState::UpToDate), MANY - 2);
            }
        }
    }
    thread::sleep(REST * 2);
    assert_eq!(place.train(&[]).read, [""; 0]);
}

#[test]
fn few_of_many_are_known_as_well() {
    let place = Place::rested(MANY);
    place.write_bot("bots/bot-33", 99);
    assert_eq!(place.train(&["bot-05", "bot-33"]).read, ["bot-33"]);
    assert_eq!(place.train(&["bot-0*"]).over.len(), 10);
}

#[test]
fn another_folder_in_the_place_of_one_is_read_until_it_is_known() {
    let place = Place::rested(MANY);
    for elsewhere in ["elsewhere/other", "../outside/other"] {
        place.write_bot(elsewhere, 99);
        fs::rename(place.path("bots/bot-11"), place.path("before")).unwrap();
        symlink(place.path(elsewhere), place.path("bots/bot-11")).unwrap();
        assert_eq!(place.train(&[]).read, ["bot-11"], "{elsewhere}");
        thread::sleep(REST * 2);
        assert_eq!(place.train(&[]).read, [""; 0], "{elsewhere}");
        fs::remove_file(place.path("bots/bot-11")).unwrap();
        fs::rename(place.path("before"), place.path("bots/bot-11")).unwrap();
        assert_eq!(place.train(&[]).read, [""; 0], "{elsewhere}");
    }
}

#[test]
fn what_all_stand_on_counts_as_used() {
    let place = Place::rested(MANY);
    place.sql("UPDATE results SET used_day = 5");
    place.sql("UPDATE witnesses SET used_day = 5");
    assert_eq!(place.train(&[]).read, [""; 0]);
    assert_ne!(place.sql("SELECT min(used_day) FROM results"), 5);
    assert_ne!(place.sql("SELECT min(used_day) FROM witnesses"), 5);
}

#[test]
fn stamps_that_are_too_young_are_settled_for_all() {
    let place = Place::new(MANY);
    place.train(&[]);
    for number in 0..MANY {
        place.write_bot(&format!("bots/bot-{number:02}"), number);
    }
    place.write_bot("bots/bot-02", 99);
    assert_eq!(place.run(&[], true, true).read, ["bot-02"]);
    assert_eq!(place.train(&[]).read, ["bot-02"]);
}
