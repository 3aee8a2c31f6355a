//! The cache cannot break or poison a build: each fault gives a warning or a
//! miss, and what is stored afterwards is right.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use expect_test::Expect;
use expect_test::expect;
use rusqlite::Connection;
use tabella::digest::Digest;
use tabella::engine::Event;
use tabella::engine::EventLog;
use tabella::engine::Graph;
use tabella::engine::Input;
use tabella::engine::Leaf;
use tabella::engine::Outputs;
use tabella::engine::PlanSettings;
use tabella::engine::Settings;
use tabella::engine::Task;
use tabella::engine::TaskPlaces;
use tabella::engine::Turn;
use tabella::engine::execute;
use tabella::engine::plan;
use tabella::store::Access;
use tabella::store::Locked;
use tabella::store::NewResult;
use tabella::store::Store;
use tabella::store::StoreSettings;
use tempfile::TempDir;

/// How often the first task's function was called, for tests that share it.
type Calls = Arc<AtomicUsize>;

/// Two tasks: the first makes one big output, kept as a file, and a small one,
/// kept in the database; the second counts the bytes of both.
fn graph(text: &str, calls: &Calls) -> Graph {
    let calls = calls.clone();
    let mut graph = Graph::new();
    let leaf = Leaf::of_bytes(Arc::new(text.as_bytes().to_vec()));
    let make = graph.add(Task {
        project: "p".into(),
        name: "make".to_owned(),
        stage: "s".to_owned(),
        kind: "make",
        version: 1,
        turn: Turn::Usual,
        places: TaskPlaces::default(),
        options: serde_json::Value::Null,
        inputs: vec![Input::leaf("text", leaf)],
        run: Box::new(move |context| {
            calls.fetch_add(1, Ordering::SeqCst);
            let text = context.bytes("text")?;
            let big = text.repeat(100_000 / text.len());
            Ok(Outputs::from([
                ("big".to_owned(), big),
                ("small".to_owned(), text.to_vec()),
            ]))
        }),
    });
    graph.add(Task {
        project: "p".into(),
        name: "count".to_owned(),
        stage: "s".to_owned(),
        kind: "count",
        version: 1,
        turn: Turn::Usual,
        places: TaskPlaces::default(),
        options: serde_json::Value::Null,
        inputs: vec![
            Input::output("big", make, "big"),
            Input::output("small", make, "small"),
        ],
        run: Box::new(|context| {
            let sum = context.bytes("big")?.len() + context.bytes("small")?.len();
            Ok(Outputs::from([(
                "sum".to_owned(),
                sum.to_string().into_bytes(),
            )]))
        }),
    });
    graph
}

struct Cache {
    root: TempDir,
}

impl Cache {
    fn new() -> Self {
        Self {
            root: TempDir::new().unwrap(),
        }
    }

    /// Returns a cache in which the graph of `hello` has run.
    fn warm() -> Self {
        let cache = Self::new();
        cache.run("hello");
        cache
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("cache")
    }

    fn database(&self) -> PathBuf {
        self.folder().join("results.db")
    }

    fn settings(&self, access: Access) -> StoreSettings {
        StoreSettings {
            busy_timeout_ms: 50,
            ..StoreSettings::new(self.folder(), access)
        }
    }

    fn open(&self) -> Store {
        Store::open(&self.settings(Access::ReadWrite))
    }

    /// Runs the graph, checks its last output and returns the events.
    fn run(&self, text: &str) -> String {
        self.run_on(&self.open(), text)
    }

    fn run_on(&self, store: &Store, text: &str) -> String {
        let graph = graph(text, &Calls::default());
        let log = EventLog::new();
        let on_event = |event| log.push(event);
        let plan = plan(&graph, store, PlanSettings::default());
        let results = execute(&graph, &plan, store, &Settings::default(), &on_event);
        assert!(results.is_success());
        let last = graph.ids().next_back().unwrap();
        let sum = 100_000 / text.len() * text.len() + text.len();
        assert_eq!(
            *results.output(last, "sum").unwrap(),
            sum.to_string().into_bytes()
        );
        drop(results);
        let root = self.root.path().display().to_string();
        log.text().replace(&root, "[ROOT]")
    }

    #[track_caller]
    fn check(&self, text: &str, want: Expect) {
        want.assert_eq(&self.run(text));
    }

    /// Runs SQL on the database as another program would.
    fn sql(&self, sql: &str) {
        let connection = Connection::open(self.database()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// Returns the only blob that is a file.
    fn blob_file(&self) -> PathBuf {
        let files = files(&self.folder().join("blobs"));
        assert_eq!(files.len(), 1, "{files:?}");
        self.folder()
            .join("blobs")
            .join(files.keys().next().unwrap())
    }
}

/// Returns all files below `folder` with contents and times.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let entries = walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok);
    let file = |entry: walkdir::DirEntry| {
        let metadata = entry.metadata().unwrap();
        let contents = if metadata.is_file() {
            fs::read(entry.path()).unwrap()
        } else {
            Vec::new()
        };
        let path = entry.path().strip_prefix(folder).unwrap().to_owned();
        (metadata.is_file() || folder.ends_with("cache"))
            .then(|| (path, (contents, metadata.modified().unwrap())))
    };
    entries.filter_map(file).collect()
}

fn overwrite(path: &Path, bytes: &[u8]) {
    if path.exists() {
        fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_second_run_reuses_everything() {
    Cache::warm().check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn a_missing_blob_is_a_reason_to_run() {
    let cache = Cache::warm();
    fs::remove_file(cache.blob_file()).unwrap();
    cache.check(
        "hello",
        expect![[r#"
        run     make: its output `big` was lost
        done    make
        spare   count
    "#]],
    );
    cache.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn a_truncated_blob_is_a_reason_to_run() {
    let cache = Cache::warm();
    overwrite(&cache.blob_file(), b"hello");
    cache.check(
        "hello",
        expect![[r#"
        run     make: its output `big` was lost
        done    make
        spare   count
    "#]],
    );
    cache.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn an_altered_blob_is_removed_and_made_again_when_it_is_read() {
    let cache = Cache::warm();
    let file = cache.blob_file();
    let mut bytes = fs::read(&file).unwrap();
    bytes[70_000] ^= 1;
    overwrite(&file, &bytes);
    // Make its reader run: its result goes, the altered blob stays.
    cache.sql("DELETE FROM results WHERE kind = 'count'");
    cache.check("hello", expect![[r#"
        warning a damaged entry of the cache was removed: `812fb26a6cd883115496362da0ea2999d6fecbb33a53808a7a017b867f2209fd`
        reuse   make
        lost    make: `big`
        run     make: its output `big` was lost
        done    make
        run     count: its result is no longer in the cache
        done    count
    "#]]);
    assert_eq!(
        Digest::of(&fs::read(&file).unwrap()).to_string(),
        file.file_name().unwrap().to_str().unwrap()
    );
    cache.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn an_altered_small_blob_is_made_again_too() {
    let cache = Cache::warm();
    cache.sql("UPDATE blobs SET bytes = CAST('hallo' AS BLOB) WHERE CAST(bytes AS TEXT) = 'hello'");
    cache.sql("DELETE FROM results WHERE kind = 'count'");
    cache.check("hello", expect![[r#"
        warning a damaged entry of the cache was removed: `ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f`
        reuse   make
        lost    make: `small`
        run     make: its output `small` was lost
        done    make
        run     count: its result is no longer in the cache
        done    count
    "#]]);
    cache.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn a_row_without_its_blob_row_is_a_miss() {
    let cache = Cache::warm();
    cache.sql("DELETE FROM blobs");
    cache.check(
        "hello",
        expect![[r#"
        run     make: its output `small` was lost
        done    make
        run     count: its result is no longer in the cache; depends on `make`
        done    count
    "#]],
    );
    cache.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn a_blob_without_its_row_is_used_when_the_task_runs_again() {
    // What a process leaves behind that is killed between the two.
    let cache = Cache::warm();
    cache.sql("DELETE FROM results; DELETE FROM blobs; DELETE FROM run_tasks");
    fs::write(cache.blob_file().with_file_name("tmp-1-0"), b"half a bl").unwrap();
    cache.check(
        "hello",
        expect![[r#"
        run     make: never run before
        done    make
        run     count: never run before; depends on `make`
        done    count
    "#]],
    );
    cache.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn a_file_that_is_no_database_is_put_aside() {
    let cache = Cache::warm();
    overwrite(&cache.database(), &b"no database at all ".repeat(1_000));
    cache.check("hello", expect![[r#"
        warning the cache was damaged (file is not a database) and starts anew; the old one is `[ROOT]/cache/results.db.damaged-0`
        run     make: never run before
        done    make
        run     count: never run before; depends on `make`
        done    count
    "#]]);
    cache.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn a_truncated_database_is_put_aside() {
    let cache = Cache::warm();
    let bytes = fs::read(cache.database()).unwrap();
    overwrite(&cache.database(), &bytes[..bytes.len() / 2 + 100]);
    cache.run("hello");
    cache.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn any_single_damaged_page_leaves_the_build_alone() {
    let cache = Cache::warm();
    let whole = fs::read(cache.database()).unwrap();
    for page in 0..whole.len() / 4096 {
        let mut bytes = whole.clone();
        bytes[page * 4096..][..4096].fill(0x5a);
        overwrite(&cache.database(), &bytes);
        cache.run("hello");
        cache.run("other");
    }
}

#[test]
fn an_empty_database_file_is_filled() {
    let cache = Cache::new();
    fs::create_dir_all(cache.folder()).unwrap();
    fs::write(cache.database(), b"").unwrap();
    cache.run("hello");
    cache.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn a_newer_cache_is_left_alone() {
    let cache = Cache::warm();
    cache.sql("PRAGMA user_version = 7");
    let before = fs::read(cache.database()).unwrap();
    cache.check("hello", expect![[r#"
        warning the cache `[ROOT]/cache` was made by a newer version (its format is 7, known up to 3), going on without it
        run     make: never run before
        done    make
        run     count: never run before; depends on `make`
        done    count
    "#]]);
    assert_eq!(fs::read(cache.database()).unwrap(), before);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let cache = Cache::new();
    fs::create_dir_all(cache.folder()).unwrap();
    cache.sql("CREATE TABLE customers (name)");
    let before = fs::read(cache.database()).unwrap();
    cache.check(
        "hello",
        expect![[r#"
        warning `[ROOT]/cache/results.db` was not made by this program, going on without a cache
        run     make: never run before
        done    make
        run     count: never run before; depends on `make`
        done    count
    "#]],
    );
    assert_eq!(fs::read(cache.database()).unwrap(), before);
}

#[test]
fn a_locked_database_is_done_without() {
    let cache = Cache::warm();
    let other = Connection::open(cache.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    cache.check(
        "other",
        expect![[r#"
        warning results of this run are not kept: database is locked
        run     make: `text` changed
        done    make
        run     count: depends on `make`
        done    count
    "#]],
    );
    other.execute_batch("ROLLBACK").unwrap();
    cache.run("other");
    cache.check(
        "other",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_done_without() {
    let cache = Cache::new();
    fs::write(cache.folder(), b"a file").unwrap();
    let events = cache.run("hello");
    assert!(
        events.starts_with("warning the cache `[ROOT]/cache` cannot be used"),
        "{events}"
    );
}

#[test]
fn a_full_disk_stops_the_keeping_and_nothing_else() {
    // A folder where a file must go fails as a full disk does: at the write.
    let cache = Cache::new();
    let store = cache.open();
    fs::remove_dir(cache.folder().join("blobs")).unwrap();
    fs::write(cache.folder().join("blobs"), b"in the way").unwrap();
    let events = cache.run_on(&store, "hello");
    assert!(
        events.starts_with("warning results of this run are not kept: "),
        "{events}"
    );
    assert_eq!(events.matches("warning").count(), 1);
    assert!(!store.is_writable());
}

#[test]
fn a_database_that_cannot_grow_stops_the_keeping_and_nothing_else() {
    let cache = Cache::warm();
    let store = cache.open();
    // What SQLite does when the disk is full, seen from the same connection.
    let other = Connection::open(cache.database()).unwrap();
    other.execute_batch("CREATE TRIGGER full BEFORE INSERT ON results BEGIN SELECT RAISE(FAIL, 'disk full'); END").unwrap();
    drop(other);
    expect![[r#"
        warning results of this run are not kept: disk full
        run     make: `text` changed
        done    make
        run     count: depends on `make`
        done    count
    "#]]
    .assert_eq(&cache.run_on(&store, "other"));
}

#[test]
fn a_dry_run_creates_and_changes_nothing() {
    let cache = Cache::new();
    let calls = Calls::default();
    let dry = || {
        let store = Store::open(&cache.settings(Access::ReadOnly));
        let plan = plan(&graph("hello", &calls), &store, PlanSettings::default());
        assert_eq!(store.take_warnings(), []);
        plan.stale().count()
    };
    assert_eq!(dry(), 2);
    assert!(!cache.folder().exists());
    cache.run("hello");
    let before = files(&cache.folder());
    assert_eq!(dry(), 0);
    assert_eq!(files(&cache.folder()), before);
    // The same while another process has the cache open and its log is not empty.
    let store = cache.open();
    cache.run_on(&store, "other");
    let before = files(&cache.folder());
    assert!(before.keys().any(|path| path.ends_with("results.db-wal")));
    assert_eq!(dry(), 0);
    assert_eq!(files(&cache.folder()), before);
}

#[test]
fn a_log_left_behind_by_a_killed_process_is_read_and_used() {
    let cache = Cache::new();
    let store = cache.open();
    cache.run_on(&store, "hello");
    let killed = Cache::new();
    fs::create_dir_all(killed.folder()).unwrap();
    for (path, (bytes, _)) in files(&cache.folder()) {
        let target = killed.folder().join(&path);
        if cache.folder().join(&path).is_dir() {
            fs::create_dir_all(target).unwrap();
        } else {
            fs::write(target, bytes).unwrap();
        }
    }
    let before = files(&killed.folder());
    let dry = Store::open(&killed.settings(Access::ReadOnly));
    let stale = plan(
        &graph("hello", &Calls::default()),
        &dry,
        PlanSettings::default(),
    );
    assert_eq!(stale.stale().count(), 0);
    drop(dry);
    assert_eq!(files(&killed.folder()), before);
    killed.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
}

#[test]
fn two_stores_at_once_do_the_work_once() {
    let cache = Cache::new();
    let calls = Calls::default();
    let settings = StoreSettings::new(cache.folder(), Access::ReadWrite);
    let start = Barrier::new(6);
    let logs: Vec<String> = thread::scope(|scope| {
        let run = || {
            let graph = graph("hello", &calls);
            let log = EventLog::new();
            let on_event = |event: Event| log.push(event);
            start.wait();
            let store = Store::open(&settings);
            let plan = plan(&graph, &store, PlanSettings::default());
            assert!(execute(&graph, &plan, &store, &Settings::default(), &on_event).is_success());
            log.text()
        };
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1, "{logs:#?}");
    assert!(logs.iter().all(|log| !log.contains("warning")), "{logs:#?}");
    assert_eq!(
        fs::read_dir(cache.folder().join("locks")).unwrap().count(),
        2
    );
}

#[test]
fn a_second_process_waits_and_says_for_whom() {
    let cache = Cache::warm();
    let (first, second) = (cache.open(), cache.open());
    let key = Digest::of(b"key");
    let held = first.lock(key, &|_| (), &|| false);
    assert!(matches!(held, Locked::AtOnce(_)));
    let holders = std::sync::Mutex::new(Vec::new());
    let on_wait = |holder: &str| holders.lock().unwrap().push(holder.to_owned());
    // It gives up when it is told to.
    assert!(matches!(
        second.lock(key, &on_wait, &|| true),
        Locked::Cancelled
    ));
    assert_eq!(
        *holders.lock().unwrap(),
        [format!("process {}", std::process::id())]
    );
    thread::scope(|scope| {
        let waiting = scope.spawn(|| second.lock(key, &on_wait, &|| false));
        while holders.lock().unwrap().len() < 2 {
            thread::yield_now();
        }
        drop(held);
        assert!(matches!(waiting.join().unwrap(), Locked::AfterWaiting(_)));
    });
}

#[test]
fn nothing_is_recorded_when_an_output_cannot_be_kept() {
    let cache = Cache::new();
    let store = cache.open();
    fs::remove_dir(cache.folder().join("blobs")).unwrap();
    fs::write(cache.folder().join("blobs"), b"in the way").unwrap();
    let outputs = Outputs::from([
        ("a".to_owned(), b"small".to_vec()),
        ("b".to_owned(), vec![7; 100_000]),
    ]);
    let key = Digest::of(b"key");
    let result = NewResult {
        key,
        kind: "k",
        outputs: &outputs,
        manifest: &BTreeMap::new(),
        cost_ms: 1,
    };
    assert!(!store.record(&result));
    drop(store);
    assert_eq!(cache.open().result(key), None);
}

#[test]
fn a_read_only_folder_is_read_and_left_alone() {
    let cache = Cache::warm();
    let set = |mode| fs::set_permissions(cache.folder(), Permissions::from_mode(mode)).unwrap();
    fs::set_permissions(cache.database(), Permissions::from_mode(0o444)).unwrap();
    set(0o555);
    if fs::write(cache.folder().join("probe"), b"").is_ok() {
        eprintln!("skipped: this user may write to read-only folders");
        set(0o755);
        return;
    }
    let before = files(&cache.folder());
    let (same, other) = (cache.run("hello"), cache.run("other"));
    assert_eq!(files(&cache.folder()), before);
    set(0o755);
    expect![[r#"
        warning the cache `[ROOT]/cache` is read-only: nothing new is kept in it
        reuse   make
        reuse   count
    "#]]
    .assert_eq(&same);
    expect![[r#"
        warning the cache `[ROOT]/cache` is read-only: nothing new is kept in it
        run     make: `text` changed
        done    make
        run     count: depends on `make`
        done    count
    "#]]
    .assert_eq(&other);
}

/// Returns a cache with the files of another one; the log ends after `log_size`
/// bytes, as if the process that wrote it had been killed there.
fn killed(files: &BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)>, log_size: usize) -> Cache {
    let killed = Cache::new();
    for (path, (bytes, _)) in files {
        let target = killed.folder().join(path);
        let is_lock = path.parent() == Some(Path::new("locks"));
        if bytes.is_empty() && path.extension().is_none() && !is_lock {
            fs::create_dir_all(target).unwrap();
            continue;
        }
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let is_log = path.ends_with("results.db-wal");
        let size = if is_log { log_size } else { bytes.len() };
        // The index of the log is made again from the log.
        if !path.ends_with("results.db-shm") {
            fs::write(target, &bytes[..size]).unwrap();
        }
    }
    killed
}

#[test]
fn a_kill_at_any_write_of_the_log_leaves_a_miss_or_a_hit() {
    let cache = Cache::new();
    let store = cache.open();
    cache.run_on(&store, "hello");
    let before = files(&cache.folder());
    let log = before[Path::new("results.db-wal")].0.len();
    // A header of 32 bytes; then frames of 24 bytes and a page. At the end of
    // each, in its middle and after its header.
    let frames = (log - 32) / (24 + 4096);
    assert!(frames > 10, "{frames}");
    let mut hits = 0;
    for frame in 0..=frames {
        for part in [0, 24, 2_000] {
            let size = (32 + frame * (24 + 4096) + part).min(log);
            let killed = killed(&before, size);
            let events = killed.run("hello");
            assert!(!events.contains("warning"), "{size}: {events}");
            hits += usize::from(!events.contains("run "));
            let settings = tabella::store::CheckSettings {
                key_of: &|row| Some(row.key),
                is_cancelled: &|| false,
            };
            let found = killed.open().check(&settings).unwrap();
            assert_eq!(found.problems, [], "{size}");
        }
    }
    assert!(hits > 0 && hits < 3 * frames, "{hits}");
}

#[test]
fn a_cache_on_a_disk_without_locks_works() {
    // A lock's file that cannot be opened is granted, as one that cannot be locked.
    let cache = Cache::warm();
    let locks = cache.folder().join("locks");
    fs::remove_dir_all(&locks).unwrap();
    for name in ["users", "creation"] {
        fs::create_dir_all(locks.join(name)).unwrap();
    }
    cache.check(
        "hello",
        expect![[r#"
        reuse   make
        reuse   count
    "#]],
    );
    cache.check(
        "other",
        expect![[r#"
        run     make: `text` changed
        done    make
        run     count: depends on `make`
        done    count
    "#]],
    );
    let store = cache.open();
    let alone = store.alone().unwrap();
    assert!(!alone.is_sure());
    // A file that another process may be about to name is left alone.
    let young = cache.folder().join("blobs/aa/tmp-7-0");
    fs::create_dir_all(young.parent().unwrap()).unwrap();
    fs::write(&young, b"half a bl").unwrap();
    let nothing = std::collections::BTreeSet::new();
    let limits = tabella::store::CacheLimits {
        max_bytes: Some(0),
        max_age_days: None,
    };
    let told = store.collect(&alone, &limits, &nothing).unwrap();
    assert_eq!((told.too_much, told.orphans), (4, 0));
    assert!(young.exists());
}

/// Records a result of nobody's; returns its key.
fn put(store: &Store, name: &str) -> Digest {
    let key = Digest::of(name.as_bytes());
    let recorded = store.record(&NewResult {
        key,
        kind: "test",
        outputs: &BTreeMap::from([("out".to_owned(), name.as_bytes().to_vec())]),
        manifest: &BTreeMap::new(),
        cost_ms: 1,
    });
    assert!(recorded);
    key
}

#[test]
fn a_dry_run_sees_what_others_write_after_it_opened() {
    let cache = Cache::warm();
    let dry = Store::open(&cache.settings(Access::ReadOnly));
    assert!(dry.result(Digest::of(b"during")).is_none());
    // While the other is at work, what it wrote is in the log alone.
    let other = cache.open();
    let key = put(&other, "during");
    assert!(dry.result(key).is_some());
    drop(other);
    assert!(dry.result(key).is_some());

    // And one that came and went leaves a file with other pages.
    let dry = Store::open(&cache.settings(Access::ReadOnly));
    assert!(dry.result(key).is_some());
    let key = put(&cache.open(), "come and gone");
    assert!(dry.result(key).is_some());
    assert_eq!(dry.take_warnings(), []);
}
