//! A witness never says that there is nothing to do when there is: whatever
//! happens to files, archive, cache, environment and options, a run that asks one
//! ends as a run that reads everything. It does not miss what somebody takes out of
//! the cache by hand, as long as it needs none of it.
//!
//! `TABELLA_EDITS=500 cargo test --release witness` tries more edits than usual,
//! and `TABELLA_EDITS_SEED=7` others.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::fs::File;
use std::fs::FileTimes;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use std::time::SystemTime;

use rusqlite::Connection;
use tabella::api;
use tabella::api::CacheSettings;
use tabella::api::Notice;
use tabella::api::Observer;
use tabella::api::TrainError;
use tabella::api::TrainOptions;
use tabella::api::TrainingResult;
use tabella::api::WitnessSettings;
use tabella::diagnostic::Severity;
use tabella::digest::Digest;
use tabella::engine::Event;
use tabella::import::REST_NS;
use tabella::import::StampsProve;
use tabella::import::stamps_prove;
use tabella::store::Access;
use tabella::store::CacheLimits;
use tabella::store::CheckSettings;
use tabella::store::NewWitness;
use tabella::store::Problem;
use tabella::store::Store;
use tabella::store::StoreSettings;
use tempfile::TempDir;

use crate::workbench::Workbench;

const DOMAIN: &str = "\
version: \"3.1\"
intents: [greet, leave, unused]
responses:
  utter_greet: [{text: Good day!}]
  utter_leave:
  - text: See you, ${NAME}.
";

const CONFIG: &str = "\
recipe: default.v1
assistant_id: counter
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: CountVectorsFeaturizer
- name: KeywordIntentClassifier
policies:
- name: MemoizationPolicy
- name: RulePolicy
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - good morning
- intent: leave
  examples: |
    - bye
    - see you
- lookup: dish
  examples: |
    - data/dishes.txt
";

const STORIES: &str = "\
version: \"3.1\"
stories:
- story: short
  steps:
  - intent: greet
  - action: utter_greet
  - intent: leave
  - action: utter_leave
";

/// More than any clock of a file system ticks, and little enough to wait for it.
const SHORT_REST: Duration = Duration::from_millis(20);

/// A project that may ask witnesses, and what its runs told.
struct Place {
    bench: Workbench,
    elsewhere: TempDir,
    name: String,
    cache: PathBuf,
    augmentation: usize,
    rest: Duration,
    stamps_prove: StampsProve,
    told: Arc<Mutex<Vec<Notice>>>,
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Witness,
    Read,
}

impl Place {
    fn new() -> Self {
        let bench = Workbench::new(&[
            ("domain.yml", DOMAIN),
            ("config.yml", CONFIG),
            ("data/nlu.yml", NLU),
            ("data/stories.yml", STORIES),
            ("data/dishes.txt", "soup\nbread\n"),
        ]);
        let cache = bench.cache().to_owned();
        Self {
            bench,
            elsewhere: TempDir::new().unwrap(),
            name: "friend".to_owned(),
            cache,
            augmentation: 50,
            rest: Duration::from_nanos(REST_NS as u64),
            stamps_prove: |_| true,
            told: Arc::default(),
        }
    }

    /// A place whose next run could be told by a witness.
    fn trained() -> Self {
        let place = Self::new();
        assert_eq!(place.train().1, Way::Read);
        place
    }

    /// One whose next run looks at stamps alone.
    fn rested() -> Self {
        let mut place = Self::new();
        place.rest = SHORT_REST;
        for way in [Way::Read, Way::Witness] {
            place.wait();
            assert_eq!(place.train().1, way);
        }
        place
    }

    /// Lets files come to rest, if that is not for long.
    fn wait(&self) {
        if self.rest == SHORT_REST {
            thread::sleep(SHORT_REST * 2);
        }
    }

    fn options(&self, is_dry: bool, is_asked: bool) -> TrainOptions {
        let mut options = self.bench.options();
        let program = Digest::of(b"this program");
        options.dry_run = is_dry;
        options.core_additional_arguments.augmentation_factor = self.augmentation;
        options.run.cache = CacheSettings::Folder(self.cache.clone());
        options.run.rest_ns = self.rest.as_nanos() as i64;
        options.run.stamps_prove = self.stamps_prove;
        options.run.environment = [("NAME".to_owned(), self.name.clone())].into();
        options.run.witness = match is_asked {
            true => WitnessSettings::Ask { program },
            false => WitnessSettings::Off,
        };
        let told = Arc::clone(&self.told);
        options.run.observer = Observer::new(move |notice| told.lock().unwrap().push(notice));
        options
    }

    /// Runs; the domain has a warning, which is how the way is known.
    fn run(&self, options: &TrainOptions) -> (TrainingResult, Way) {
        self.told.lock().unwrap().clear();
        let result = api::train(options).unwrap();
        let told = self.told.lock().unwrap();
        let as_before = told
            .iter()
            .any(|notice| matches!(notice, Notice::AsBefore { .. }));
        let is_read = told
            .iter()
            .any(|notice| matches!(notice, Notice::Diagnosed(_)));
        assert_ne!(as_before, is_read, "{told:?}");
        let way = if as_before { Way::Witness } else { Way::Read };
        (result, way)
    }

    fn train(&self) -> (TrainingResult, Way) {
        self.run(&self.options(false, true))
    }

    /// A dry run that asks must give what one gives that reads everything.
    #[track_caller]
    fn dry_run(&self) -> (u8, Way) {
        let (asked, way) = self.run(&self.options(true, true));
        let (read, _) = self.run(&self.options(true, false));
        assert_eq!(asked.dry_run_results, read.dry_run_results);
        assert_eq!((asked.code, asked.tasks), (read.code, read.tasks));
        (asked.code, way)
    }

    /// What a training without cache and witness gives.
    fn clean_archive(&self) -> Vec<u8> {
        let mut options = self.options(false, false);
        options.run.cache = CacheSettings::Off;
        options.output = self.elsewhere.path().join("clean");
        fs::read(api::train(&options).unwrap().model.unwrap()).unwrap()
    }

    /// After anything: the dry run is right, the training gives the clean archive
    /// and leaves nothing to do, and that is known without reading.
    #[track_caller]
    fn check(&self) -> (u8, Way) {
        self.wait();
        let announced = self.dry_run();
        let (result, way) = self.train();
        assert_eq!(announced.1, way);
        let model = result.model.unwrap();
        assert!(fs::read(&model).unwrap() == self.clean_archive());
        let pointer = fs::read_to_string(model.with_file_name("latest.json")).unwrap();
        assert!(pointer.contains(model.file_name().unwrap().to_str().unwrap()));
        if way == Way::Witness {
            assert_eq!((result.ran, result.is_new), (0, false));
        }
        let again = self.train();
        assert_eq!((again.0.ran, again.1), (0, Way::Witness));
        assert_eq!(self.dry_run(), (0, Way::Witness));
        announced
    }

    fn path(&self, path: &str) -> PathBuf {
        self.bench.root().join(path)
    }

    fn model(&self) -> PathBuf {
        let files = fs::read_dir(self.path("models")).unwrap();
        let mut files = files.map(|entry| entry.unwrap().path());
        files
            .find(|path| path.extension().unwrap() == "gz")
            .unwrap()
    }

    /// Writes bytes of the same length and sets the modification time back.
    fn edit_secretly(&self, path: &str, old: &str, new: &str) {
        assert_eq!(old.len(), new.len());
        let before = fs::metadata(self.path(path)).unwrap();
        self.bench.replace(path, old, new);
        let file = File::options().write(true).open(self.path(path)).unwrap();
        let times = FileTimes::new().set_modified(before.modified().unwrap());
        file.set_times(times).unwrap();
    }

    fn store(&self) -> Store {
        Store::open(&StoreSettings::new(&self.cache, Access::ReadWrite))
    }

    fn sql(&self, sql: &str) {
        let connection = Connection::open(self.cache.join("results.db")).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// A column of the only witness.
    fn column<T: rusqlite::types::FromSql>(&self, name: &str) -> T {
        let connection = Connection::open(self.cache.join("results.db")).unwrap();
        let sql = format!("SELECT {name} FROM witnesses");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    /// Makes the database one of version 1.
    fn age_cache(&self) {
        self.sql(
            "DROP TRIGGER results_lost;
             DROP TABLE witness_tasks;
             DROP TABLE witnesses;
             CREATE TABLE files (root TEXT PRIMARY KEY NOT NULL, packed BLOB NOT NULL)
                 STRICT, WITHOUT ROWID;
             PRAGMA user_version = 1;",
        );
    }
}

fn touch(path: &PathBuf) {
    let file = File::options().append(true).open(path).unwrap();
    let times = FileTimes::new().set_modified(SystemTime::now() + Duration::from_secs(60));
    file.set_times(times).unwrap();
}

/// What happened must be found by reading; the code of the dry run after it.
#[track_caller]
fn is_read(happen: impl Fn(&mut Place)) -> u8 {
    let [young, rested] = [Place::trained(), Place::rested()].map(|mut place| {
        happen(&mut place);
        let (code, way) = place.check();
        assert_eq!(way, Way::Read, "rest of {:?}", place.rest);
        code
    });
    assert_eq!(young, rested);
    young
}

/// What happened means nothing, and a witness knows.
#[track_caller]
fn is_nothing(happen: impl Fn(&mut Place)) {
    for mut place in [Place::trained(), Place::rested()] {
        happen(&mut place);
        let found = place.check();
        assert_eq!(found, (0, Way::Witness), "rest of {:?}", place.rest);
    }
}

#[test]
fn a_run_after_a_training_is_told_by_a_witness() {
    is_nothing(|_| {});
}

#[test]
fn stamps_are_trusted_when_files_were_at_rest_and_contents_else() {
    let settles = |place: &Place| {
        let before: Vec<u8> = place.column("looks");
        assert_eq!(place.train().1, Way::Witness);
        before != place.column::<Vec<u8>>("looks")
    };
    assert!(settles(&Place::trained()));
    let place = Place::rested();
    assert!(!settles(&place));
    touch(&place.path("domain.yml"));
    assert!(settles(&place));
}

#[test]
fn files_on_a_disk_whose_stamps_prove_nothing_are_read_in_every_run() {
    let mut place = Place::rested();
    place.stamps_prove = |_| false;
    let kept: Vec<u8> = place.column("looks");
    for _ in 0..2 {
        // By contents, and nothing new is worth keeping.
        assert_eq!(place.check(), (0, Way::Witness));
        assert_eq!(place.column::<Vec<u8>>("looks"), kept);
    }
    touch(&place.path("domain.yml"));
    assert_eq!(place.check(), (0, Way::Witness));
    place.edit_secretly("data/nlu.yml", "hello", "hallo");
    assert_ne!(place.check().0, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn the_disk_of_temporary_files_is_one_that_is_trusted() {
    let mut place = Place::rested();
    place.stamps_prove = stamps_prove;
    let kept: Vec<u8> = place.column("looks");
    assert_eq!(place.check(), (0, Way::Witness));
    assert_eq!(place.column::<Vec<u8>>("looks"), kept);
}

#[test]
fn every_kind_of_edit_is_seen() {
    let edits: [fn(&mut Place); 12] = [
        |place| place.bench.replace("data/nlu.yml", "hello", "hello there"),
        |place| place.edit_secretly("data/nlu.yml", "hello", "hallo"),
        |place| place.edit_secretly("domain.yml", "Good day!", "Good eve!"),
        |place| place.edit_secretly("data/dishes.txt", "soup", "stew"),
        |place| {
            place
                .bench
                .append("config.yml", "  core_fallback_threshold: 0.4\n")
        },
        |place| place.bench.write("data/deep/more.yml", NLU),
        |place| {
            place
                .bench
                .write("data/more.md", "## intent:leave\n- so long\n")
        },
        |place| place.bench.remove("data/dishes.txt"),
        |place| place.bench.remove("data/stories.yml"),
        |place| {
            place
                .bench
                .write("kept.yml", &NLU.replace("hello", "hallo"));
            place.bench.remove("data/nlu.yml");
            symlink("../kept.yml", place.path("data/nlu.yml")).unwrap();
        },
        |place| {
            fs::rename(place.path("data"), place.path("old")).unwrap();
            place.bench.write("new/nlu.yml", NLU);
            place.bench.write("new/stories.yml", STORIES);
            symlink("new", place.path("data")).unwrap();
        },
        |place| place.name = "stranger".to_owned(),
    ];
    for (index, edit) in edits.iter().enumerate() {
        assert_ne!(is_read(edit), 0, "edit {index}");
    }
}

#[test]
fn what_means_nothing_may_need_a_second_look_but_no_training() {
    // Files that say the same in other bytes are read.
    assert_eq!(
        is_read(|place| place.bench.append("domain.yml", "# x\n")),
        0
    );
    assert_eq!(is_read(|place| place.bench.write("data/empty.yml", "")), 0);
    // Those of the same bytes are not.
    is_nothing(|place| touch(&place.path("data/nlu.yml")));
    is_nothing(|place| place.bench.write("data/nlu.yml", NLU));
    is_nothing(|place| place.bench.write("data/.nlu.yml.swp", "x"));
    is_nothing(|place| {
        place.bench.remove("data/nlu.yml");
        place.bench.write("data/nlu.yml", NLU);
    });
}

#[test]
fn what_happens_to_the_archive_is_seen() {
    is_nothing(|place| touch(&place.model()));
    assert_ne!(is_read(|place| fs::remove_file(place.model()).unwrap()), 0);
    assert_ne!(
        is_read(|place| fs::remove_dir_all(place.path("models")).unwrap()),
        0
    );
    let altered = |place: &mut Place| {
        let mut bytes = fs::read(place.model()).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(place.model(), bytes).unwrap();
    };
    assert_ne!(is_read(altered), 0);
    let pointed = |place: &mut Place| {
        fs::copy(place.model(), place.path("models/other.tar.gz")).unwrap();
        let pointer = "{\"archive\":\"other.tar.gz\"}";
        fs::write(place.path("models/latest.json"), pointer).unwrap();
    };
    assert_eq!(is_read(pointed), 0);
    assert_eq!(is_read(|place| place.bench.remove("models/latest.json")), 0);
}

#[test]
fn what_happens_to_the_cache_is_seen() {
    assert_ne!(
        is_read(|place| fs::remove_dir_all(&place.cache).unwrap()),
        0
    );
    assert_ne!(
        is_read(|place| place.cache = place.elsewhere.path().join("cache")),
        0
    );
    let collected = |place: &mut Place| {
        let store = place.store();
        let limits = CacheLimits {
            max_bytes: Some(0),
            max_age_days: None,
        };
        let alone = store.alone().unwrap();
        store.collect(&alone, &limits, &Default::default()).unwrap();
    };
    assert_ne!(is_read(collected), 0);
    let forgotten = |place: &mut Place| {
        let store = place.store();
        let keys = store.last_keys(&|_| true);
        assert!(store.forget(&keys[..1]));
    };
    assert_ne!(is_read(forgotten), 0);
    // By somebody who knows no witnesses.
    for some in ["", "WHERE key = (SELECT max(key) FROM results)"] {
        let delete = format!("DELETE FROM results {some}");
        assert_ne!(is_read(|place| place.sql(&delete)), 0, "{delete}");
    }
}

#[test]
fn a_file_that_the_cache_has_lost_is_made_again_by_the_run_that_needs_it() {
    let mut place = Place::new();
    place.rest = SHORT_REST;
    let examples: String = (0..1_000).map(|at| format!("    - dish {at}\n")).collect();
    let order = format!("- intent: unused\n  examples: |\n{examples}");
    place
        .bench
        .write("data/order.yml", &format!("nlu:\n{order}"));
    place.wait();
    assert_eq!(place.train().1, Way::Read);
    let lost = fs::read_dir(place.cache.join("blobs")).unwrap();
    let lost: Vec<PathBuf> = lost.map(|entry| entry.unwrap().path()).collect();
    assert!(!lost.is_empty());
    lost.iter()
        .for_each(|path| fs::remove_dir_all(path).unwrap());
    place.wait();
    // Nothing is needed of them as long as all else is as it was.
    let (result, way) = place.train();
    assert_eq!((result.ran, way), (0, Way::Witness));
    place.bench.replace("data/nlu.yml", "- bye", "- goodbye");
    place.check();
}

#[test]
fn results_that_went_meanwhile_have_no_witness() {
    let place = Place::trained();
    let project: String = place.column("project");
    let (ours, other) = (place.store(), place.store());
    let found = ours.witness(&project).unwrap();
    let witness = NewWitness {
        key: found.key,
        results: found.results(),
        looks: found.looks().to_vec(),
        told: ours.told(&found).unwrap(),
    };
    ours.put_witness(&project, &witness);
    assert_eq!(ours.witness(&project).as_ref(), Some(&found));
    assert!(other.forget(&witness.results[..1]));
    ours.put_witness(&project, &witness);
    ours.renew_witnesses(&[(&found, Some(b"new".to_vec()))]);
    assert_eq!(ours.witness(&project), None);
}

#[test]
fn a_witness_of_a_project_that_is_gone_leaves_the_cache() {
    let place = Place::trained();
    place.sql(
        "INSERT INTO witnesses (project, key, results, used_day, looks)
         SELECT 'gone', key, results, 5, looks FROM witnesses;
         INSERT INTO witness_tasks SELECT 'gone', told FROM witness_tasks",
    );
    let store = place.store();
    let told = store
        .collectable(&CacheLimits::default(), &Default::default())
        .unwrap();
    assert_eq!(told.witnesses, 1);
    assert!(told.witness_bytes > 1_000, "{told:?}");
    let alone = store.alone().unwrap();
    let collected = store.collect(&alone, &CacheLimits::default(), &Default::default());
    assert_eq!(collected, Some(told));
    assert_eq!(store.witness("gone"), None);
    drop(alone);
    drop(store);
    assert_eq!(place.check(), (0, Way::Witness));
}

#[test]
fn contradictions_that_were_let_pass_fail_where_warnings_do() {
    let place = Place::new();
    place.bench.replace("domain.yml", ", unused", "");
    place.bench.write(
        "data/rules.yml",
        "rules:\n- rule: leave\n  steps:\n  - intent: leave\n  - action: utter_leave\n",
    );
    let refused_for = |fail_on_warnings| {
        let mut options = place.options(false, true);
        options.validation.fail_on_warnings = fail_on_warnings;
        match api::train(&options) {
            Ok(_) => String::new(),
            Err(TrainError::Mistakes(findings)) => {
                let codes = findings.diagnostics.iter().map(|one| one.code);
                codes.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(refused_for(true), "");
    place.bench.append(
        "data/stories.yml",
        "- story: other\n  steps:\n  - intent: greet\n  - action: utter_leave\n",
    );
    for _ in 0..2 {
        assert_eq!(refused_for(true), "W451");
        assert_eq!(refused_for(false), "");
    }
}

#[test]
fn options_that_reach_the_outcome_are_asked_for() {
    assert_ne!(is_read(|place| place.augmentation = 0), 0);
    let place = Place::trained();
    let changes: [fn(&mut TrainOptions); 7] = [
        |options| options.output = "other".into(),
        |options| options.fixed_model_name = Some("named".to_owned()),
        |options| options.persist_nlu_training_data = true,
        |options| options.validation.skip = true,
        |options| options.domain = vec!["domain.yml".into(), "data".into()],
        |options| options.force_training = true,
        |options| {
            options.run.witness = WitnessSettings::Ask {
                program: Digest::of(b"another"),
            }
        },
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut options = place.options(true, true);
        change(&mut options);
        place.told.lock().unwrap().clear();
        api::train(&options).unwrap();
        let told = place.told.lock().unwrap();
        let is_asked = told
            .iter()
            .any(|notice| matches!(notice, Notice::AsBefore { .. }));
        assert!(!is_asked, "change {index}");
    }
    let mut options = place.options(true, true);
    options.run.jobs = Some(7);
    options.nlu_additional_arguments.num_threads = Some(3);
    assert_eq!(place.run(&options).1, Way::Witness);
    options.run.witness = WitnessSettings::Renew {
        program: Digest::of(b"this program"),
    };
    assert_eq!(place.run(&options).1, Way::Read, "--verify-inputs reads");
}

#[test]
fn a_damaged_witness_is_none() {
    for (table, column) in [
        ("witnesses", "looks"),
        ("witness_tasks", "told"),
        ("witnesses", "results"),
        ("witnesses", "key"),
    ] {
        let place = Place::trained();
        // Every byte in turn would take long; the last one stands for all.
        place.sql(&format!(
            "UPDATE {table} SET {column} = CAST(substr({column}, 1, length({column}) - 1) \
             || x'07' AS BLOB)"
        ));
        let found = place.store().check(&CheckSettings {
            key_of: &|row| Some(row.key),
            is_cancelled: &|| false,
        });
        let problems = found.unwrap().problems;
        let is_named = matches!(problems[..], [Problem::Witness { .. }]);
        assert!(is_named, "{column}: {problems:?}");
        assert_eq!(place.dry_run(), (0, Way::Read), "{column}");
        assert_eq!(place.check(), (0, Way::Read), "{column}");
    }
}

#[test]
fn an_older_cache_gets_its_witnesses() {
    let place = Place::trained();
    place.age_cache();
    assert_eq!(place.dry_run(), (0, Way::Read));
    assert_eq!(place.check(), (0, Way::Read));
}

#[test]
fn a_reader_sees_witnesses_when_another_brings_its_cache_up_to_date() {
    let place = Place::trained();
    let project: String = place.column("project");
    place.age_cache();
    let reader = Store::open(&StoreSettings::new(&place.cache, Access::ReadOnly));
    assert_eq!(reader.witness(&project), None);
    assert_eq!(place.train().1, Way::Read);
    let keys = reader.last_keys(&|_| true);
    assert_eq!(reader.costs(&keys).len(), keys.len());
    assert!(reader.witness(&project).is_some());
}

#[test]
fn a_failed_run_between_two_of_the_same_state_is_not_forgotten() {
    let place = Place::trained();
    place.bench.replace("data/nlu.yml", "hello", "hallo");
    place.bench.append("data/stories.yml", "- story: [\n");
    assert!(api::train(&place.options(false, true)).is_err());
    place.bench.write("data/nlu.yml", NLU);
    place.bench.write("data/stories.yml", STORIES);
    assert_eq!(place.check(), (0, Way::Witness));
}

#[test]
fn a_folder_that_a_component_names_is_watched_in_full() {
    let place = Place::new();
    let named = "JiebaTokenizer\n  dictionary_path: words";
    place
        .bench
        .replace("config.yml", "WhitespaceTokenizer", named);
    place.bench.write("words/a.txt", "good_morning 5 n\n");
    place.train();
    assert_eq!(place.check(), (0, Way::Witness));
    touch(&place.path("words/a.txt"));
    assert_eq!(place.check(), (0, Way::Witness));
    place.bench.write("words/b.txt", "see_you 5 n\n");
    assert_eq!(place.check(), (2, Way::Read));
    place.bench.remove("words/a.txt");
    assert_eq!(place.check(), (2, Way::Read));
}

#[test]
fn a_config_outside_of_the_project_is_looked_at_by_one_path() {
    let place = Place::new();
    place.bench.write("../shared/config.yml", CONFIG);
    place.bench.remove("config.yml");
    let mut options = place.options(false, true);
    options.config = "../shared/config.yml".into();
    assert_eq!(place.run(&options).1, Way::Read);
    touch(&place.path("../shared/config.yml"));
    assert_eq!(place.run(&options).1, Way::Witness);
}

#[test]
fn a_witness_tells_what_the_run_would_have_told() {
    let place = Place::new();
    place.bench.remove("data/stories.yml");
    place.train();
    let tell = |is_asked| {
        place.run(&place.options(false, is_asked));
        let told = place.told.lock().unwrap();
        // How a run came to its end is not told to a person.
        let text = |notice: &Notice| match notice {
            Notice::Began(_) | Notice::Ended(_) | Notice::Opened(_) => None,
            Notice::Task(Event::Loaded { .. }) => None,
            Notice::Diagnosed(findings) => {
                let all = findings.diagnostics.iter();
                let warnings = all.filter(|one| one.severity == Severity::Warning);
                Some(format!("{} warnings", warnings.count()))
            }
            Notice::AsBefore { warnings, .. } => Some(format!("{warnings} warnings")),
            Notice::Warning(text) => Some(text.clone()),
            Notice::Task(Event::Reused { task }) => Some(format!("reuse {task:?}")),
            other => Some(format!("{other:?}")),
        };
        let mut texts: Vec<String> = told.iter().filter_map(text).collect();
        texts.sort();
        texts
    };
    let read = tell(false);
    assert!(
        read.iter()
            .any(|text| text.starts_with("there are no stories")),
        "{read:?}"
    );
    assert_eq!(tell(true), read);
}

#[test]
fn results_that_a_witness_stands_on_count_as_used() {
    let place = Place::trained();
    place.sql("UPDATE results SET used_day = 5; UPDATE witnesses SET used_day = 5;");
    assert_eq!(place.train().1, Way::Witness);
    let connection = Connection::open(place.cache.join("results.db")).unwrap();
    for table in ["results", "witnesses"] {
        let sql = format!("SELECT min(used_day) FROM {table}");
        let day: u32 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(day, place.store().today(), "{table}");
    }
}

/// A sequence of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}

/// Sets a file to one of several texts, in one of several ways.
fn edit(place: &mut Place, numbers: &mut Numbers) {
    let files: [(&str, &[&str]); 6] = [
        ("data/nlu.yml", &["hello", "hallo", "howdy"]),
        ("data/stories.yml", &["short", "other"]),
        ("domain.yml", &["Good day!", "Good eve!"]),
        ("config.yml", &["counter", "bankers"]),
        ("data/dishes.txt", &["soup", "stew"]),
        ("data/more/nlu.yml", &["gone", "here"]),
    ];
    let (path, words) = files[numbers.below(files.len())];
    let word = words[numbers.below(words.len())];
    let texts = [NLU, STORIES, DOMAIN, CONFIG, "soup\nbread\n"];
    let base = texts.iter().find(|text| text.contains(words[0])).copied();
    if path.ends_with("more/nlu.yml") && word == "gone" {
        let _ = fs::remove_file(place.path(path));
        return;
    }
    let text = base.unwrap_or(NLU).replace(words[0], word);
    let target = place.path(path);
    match numbers.below(4) {
        0 => place.bench.write(path, &text),
        1 => {
            // By another name first, as editors do.
            place.bench.write("new.tmp", &text);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::rename(place.path("new.tmp"), target).unwrap();
        }
        2 => {
            let kept = format!("kept-{word}.yml");
            place.bench.write(&kept, &text);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            let _ = fs::remove_file(&target);
            symlink(place.path(&kept), target).unwrap();
        }
        _ => {
            let modified = fs::metadata(&target).and_then(|file| file.modified());
            place.bench.write(path, &text);
            let file = File::options().write(true).open(&target).unwrap();
            let modified = modified.unwrap_or(SystemTime::UNIX_EPOCH);
            file.set_times(FileTimes::new().set_modified(modified))
                .unwrap();
        }
    }
}

/// Does something beside the files.
fn disturb(place: &mut Place, numbers: &mut Numbers) {
    match numbers.below(8) {
        0 => place.name = ["friend", "stranger"][numbers.below(2)].to_owned(),
        1 => place.augmentation = [50, 0][numbers.below(2)],
        2 => drop(fs::remove_file(place.model())),
        3 => touch(&place.path("config.yml")),
        4 => drop(fs::remove_file(place.path("models/latest.json"))),
        5 => {
            let keys = place.store().last_keys(&|_| true);
            place
                .store()
                .forget(&keys[numbers.below(keys.len())..][..1]);
        }
        6 => fs::write(place.model(), "no archive").unwrap(),
        _ => {}
    }
}

#[test]
fn random_edits_end_the_same_with_and_without_a_witness() {
    edit_at_random(Place::trained());
}

#[test]
fn random_edits_end_the_same_when_stamps_are_trusted() {
    edit_at_random(Place::rested());
}

fn edit_at_random(mut place: Place) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let count = number("TABELLA_EDITS").unwrap_or(40);
    let mut numbers = Numbers(number("TABELLA_EDITS_SEED").unwrap_or(1));
    let mut witnessed = 0;
    for _ in 0..count {
        for _ in 0..numbers.below(3) {
            edit(&mut place, &mut numbers);
        }
        if numbers.below(3) == 0 {
            disturb(&mut place, &mut numbers);
        }
        let (_, way) = place.check();
        witnessed += u32::from(way == Way::Witness);
    }
    assert!(witnessed > 0, "some edits mean nothing");
}
