//! Whatever happens around a training – disks that fill, processes that are
//! killed or run at once, clocks, names, folders that disappear – it ends with
//! the right model or says why not, and the next one is as good as any.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io::BufRead;
use std::io::BufReader;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
use std::time::SystemTime;

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = "\
recipe: default.v1
assistant_id: bot
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 1
  transformer_size: 16
policies:
- name: MemoizationPolicy
- name: RulePolicy
";

const DOMAIN: &str = "\
version: \"3.1\"
intents: [greet, bye]
responses:
  utter_greet: [{text: hi}]
  utter_bye: [{text: bye}]
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - good day
- intent: bye
  examples: |
    - goodbye
    - see you
";

const STORIES: &str = "\
version: \"3.1\"
stories:
- story: hello and goodbye
  steps:
  - intent: greet
  - action: utter_greet
  - intent: bye
  - action: utter_bye
rules:
- rule: say goodbye
  steps:
  - intent: bye
  - action: utter_bye
";

/// How many tasks the project has.
const TASKS: u64 = 7;

/// Where a project and its cache are; removed at the end.
struct Place {
    _root: TempDir,
    project: PathBuf,
    cache: PathBuf,
}

impl Place {
    fn new() -> Self {
        Self::with_names(OsStr::new("bot"), OsStr::new("cache"))
    }

    fn with_names(project: &OsStr, cache: &OsStr) -> Self {
        let root = TempDir::new().unwrap();
        let place = Self {
            project: root.path().join(project),
            cache: root.path().join(cache),
            _root: root,
        };
        place.write("config.yml", CONFIG);
        place.write("domain.yml", DOMAIN);
        place.write("data/nlu.yml", NLU);
        place.write("data/stories.yml", STORIES);
        place
    }

    fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.project.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The program in the project's folder, with nothing of our surroundings.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tabella"));
        command.args(arguments);
        self.at_home(command)
    }

    fn at_home(&self, mut command: Command) -> Command {
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TABELLA_CACHE_DIR", &self.cache)
            .current_dir(&self.project)
            .stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32) -> String {
        ended(self.command(arguments).output().unwrap(), code)
    }

    /// Trains with `--json`; how many tasks ran.
    #[track_caller]
    fn ran(&self) -> u64 {
        let output = self.command(&["train", "--json", "--quiet"]).output();
        ran(&output.unwrap())
    }

    /// The archive, by whatever name.
    fn model(&self) -> Vec<u8> {
        fs::read(only_model(&self.project.join("models")).unwrap()).unwrap()
    }
}

/// Returns the archive of a folder, in which nothing half-written may lie.
fn only_model(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    names.retain(|path| path.file_name().unwrap() != "latest.json");
    assert!(names.len() <= 1, "{names:?}");
    names.pop()
}

/// The archive of the project as it is given above, trained where all is well.
fn right_model() -> Vec<u8> {
    let place = Place::new();
    place.run(&["train", "--no-cache", "--quiet"], 0);
    place.model()
}

#[track_caller]
fn ended(output: Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!text.contains("bug"), "{text}");
    text
}

#[track_caller]
fn ran(output: &Output) -> u64 {
    let told = serde_json::from_slice::<Value>(&output.stdout);
    let told = told.unwrap_or_else(|_| panic!("{output:?}"));
    told["ran"].as_u64().unwrap()
}

#[test]
fn a_disk_that_is_full_at_any_write_costs_the_cache_or_an_honest_error() {
    let right = right_model();
    // No file may grow beyond the limit, as on a disk that is full just then: for
    // logs, databases, blobs and models it strikes at different writes.
    for limit in [0, 1, 8, 24, 32, 40, 64, 96, 160, 256] {
        let place = Place::new();
        let mut shell = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_tabella");
        shell.arg("-c").arg(format!(
            "trap '' XFSZ; ulimit -f {limit}; exec {program} train"
        ));
        let output = place.at_home(shell).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!text.contains("bug"), "limit {limit}: {text}");
        assert!(
            text.matches("warning").count() <= 1,
            "limit {limit}: {text}"
        );
        match output.status.code() {
            Some(0) => assert_eq!(place.model(), right, "limit {limit}"),
            Some(74) => assert_eq!(only_model(&place.project.join("models")), None),
            other => panic!("limit {limit}: {other:?}: {text}"),
        }
        place.run(&["cache", "verify"], 0);
        place.run(&["train", "--quiet"], 0);
        assert_eq!(place.model(), right, "limit {limit}");
        place.run(&["cache", "verify"], 0);
    }
}

#[test]
fn an_older_cache_on_a_full_disk_is_used_as_it_is() {
    for limit in [0, 8, 40, 72, 200] {
        let place = Place::new();
        assert_eq!(place.ran(), TASKS);
        let database = Connection::open(place.cache.join("results.db")).unwrap();
        let older = "DROP TRIGGER results_lost; DROP TABLE witness_tasks; DROP TABLE witnesses; \
             VACUUM; PRAGMA user_version = 1;";
        database.execute_batch(older).unwrap();
        drop(database);
        let mut shell = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_tabella");
        shell.arg("-c").arg(format!(
            "trap '' XFSZ; ulimit -f {limit}; exec {program} train --json --quiet"
        ));
        let output = place.at_home(shell).output().unwrap();
        assert_eq!(ran(&output), 0, "limit {limit}: {output:?}");
    }
}

/// A small disk in memory; none where mounting is not allowed.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mounted(at: &Path, kilobytes: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={kilobytes}k,mode=777");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        let is_there = mount.is_ok_and(|status| status.success());
        is_there.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_cache_on_a_disk_that_is_really_full_is_a_warning() {
    let right = right_model();
    for kilobytes in [4, 32, 64, 96, 128, 192] {
        let place = Place::new();
        let Some(_disk) = SmallDisk::mounted(&place.cache, kilobytes) else {
            eprintln!("skipped: this user may not mount");
            return;
        };
        let text = place.run(&["train"], 0);
        assert_eq!(text.matches("warning").count(), 1, "{kilobytes}: {text}");
        assert_eq!(place.model(), right);
        // What is there is sound, and the next run uses what it can.
        place.run(&["cache", "verify"], 0);
        place.run(&["train", "--quiet"], 0);
        assert_eq!(place.model(), right);
    }
}

#[test]
fn an_output_folder_on_a_full_disk_keeps_no_half_model_and_loses_no_work() {
    let right = right_model();
    let place = Place::new();
    let out = place.project.join("models");
    let Some(disk) = SmallDisk::mounted(&out, 8) else {
        eprintln!("skipped: this user may not mount");
        return;
    };
    let text = place.run(&["train"], 74);
    assert!(text.contains("cannot write"), "{text}");
    assert_eq!(only_model(&out), None);
    drop(disk);
    assert_eq!(place.ran(), 0);
    assert_eq!(place.model(), right);
}

#[test]
fn a_kill_after_any_step_leaves_a_cache_that_is_sound() {
    let right = right_model();
    let place = Place::new();
    for step in 0..TASKS {
        let mut child = place
            .command(&["train", "--jobs", "1"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        for _ in 0..=step {
            let _ = lines.next();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        only_model(&place.project.join("models"));
        // A kill before there is a database leaves nothing to check.
        place.run(&["cache", "verify"], 0);
    }
    place.run(&["train", "--quiet"], 0);
    assert_eq!(place.model(), right);
    place.run(&["cache", "verify", "--rerun", "100%", "--quiet"], 0);
}

#[test]
fn processes_at_once_do_the_work_once_and_give_the_same_model() {
    let right = right_model();
    for count in [2, 4, 8] {
        let places: Vec<Place> = (0..count).map(|_| Place::new()).collect();
        let cache = &places[0].cache;
        let spawn = |place: &Place| {
            place
                .command(&["train", "--json", "--jobs", "1"])
                .env("TABELLA_CACHE_DIR", cache)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let children: Vec<_> = places.iter().map(spawn).collect();
        let outputs = children.into_iter().map(|child| child.wait_with_output());
        let outputs: Vec<Output> = outputs.map(Result::unwrap).collect();
        let all: u64 = outputs.iter().map(ran).sum();
        assert_eq!(all, TASKS, "{count} processes: {outputs:#?}");
        for (place, output) in places.iter().zip(&outputs) {
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(!text.contains("warning"), "{text}");
            assert_eq!(place.model(), right);
        }
        places[0].run(&["cache", "verify"], 0);
    }
}

#[test]
fn different_projects_at_once_share_a_cache() {
    let places: Vec<Place> = (0..4).map(|_| Place::new()).collect();
    let nlu = |index: usize| NLU.replace("see you", &format!("see you {index}"));
    for (index, place) in places.iter().enumerate() {
        place.write("data/nlu.yml", &nlu(index));
    }
    let spawn = |place: &Place| {
        place
            .command(&["train"])
            .env("TABELLA_CACHE_DIR", &places[0].cache)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = places.iter().map(spawn).collect();
    for child in children {
        let text = ended(child.wait_with_output().unwrap(), 0);
        assert!(!text.contains("warning"), "{text}");
    }
    for (index, place) in places.iter().enumerate() {
        let alone = Place::new();
        alone.write("data/nlu.yml", &nlu(index));
        alone.run(&["train", "--no-cache", "--quiet"], 0);
        assert_eq!(place.model(), alone.model());
    }
    places[0].run(&["cache", "verify"], 0);
}

#[test]
fn an_edit_that_keeps_size_and_time_is_seen() {
    let place = Place::new();
    place.run(&["train", "--quiet"], 0);
    let path = place.project.join("data/nlu.yml");
    let before = fs::metadata(&path).unwrap();
    let text = NLU.replace("- hello", "- hallo");
    fs::write(&path, &text).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (after.len(), after.mtime_nsec(), after.ino()),
        (before.len(), before.mtime_nsec(), before.ino())
    );
    assert!(place.ran() > 0);
    let other = Place::new();
    other.write("data/nlu.yml", &text);
    other.run(&["train", "--quiet"], 0);
    let newest = fs::read_dir(place.project.join("models"))
        .unwrap()
        .flatten();
    let has_it = newest.map(|entry| fs::read(entry.path()).unwrap());
    assert!(has_it.into_iter().any(|bytes| bytes == other.model()));
}

#[test]
fn no_clock_makes_a_difference() {
    let place = Place::new();
    place.run(&["train", "--quiet"], 0);
    let model = place.model();
    // Files of the future and of 1970: times are not what is compared.
    let now = SystemTime::now();
    for time in [now + Duration::from_secs(1 << 30), SystemTime::UNIX_EPOCH] {
        for path in ["config.yml", "domain.yml", "data/nlu.yml"] {
            let file = File::options().write(true).open(place.project.join(path));
            file.unwrap().set_modified(time).unwrap();
        }
        assert_eq!(place.ran(), 0);
    }
    // A cache that was last used in the future, because the clock was set back.
    let sql = |sql: &str| {
        let connection = Connection::open(place.cache.join("results.db")).unwrap();
        connection.execute_batch(sql).unwrap();
    };
    sql(
        "UPDATE results SET used_day = 4000000; UPDATE runs SET started_ms = 1 << 60; \
         INSERT OR REPLACE INTO meta VALUES ('collected_day', '4000000')",
    );
    let text = place.run(&["cache", "gc"], 0);
    assert!(text.starts_with("nothing to drop"), "{text}");
    assert_eq!(place.ran(), 0);
    place.run(&["cache", "stats"], 0);
    place.write("domain.yml", &DOMAIN.replace("text: hi", "text: hello"));
    assert_eq!(place.ran(), 1);
    // And days that no clock has.
    sql("UPDATE results SET used_day = -1");
    let text = place.run(&["cache", "verify"], 65);
    assert!(text.contains("cannot be read"), "{text}");
    place.write("domain.yml", DOMAIN);
    place.run(&["train", "--quiet"], 0);
    place.run(&["train", "--quiet"], 0);
    let models = fs::read_dir(place.project.join("models"))
        .unwrap()
        .flatten();
    let mut models = models.map(|entry| fs::read(entry.path()).unwrap());
    assert!(models.any(|bytes| bytes == model));
}

#[test]
fn a_file_that_is_edited_during_a_training_poisons_nothing() {
    let place = Place::new();
    let mut child = place
        .command(&["train", "--jobs", "1"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The first task runs: everything has been read by now.
    assert!(lines.next().unwrap().unwrap().starts_with("run "));
    let edited = NLU.replace("- see you", "- see you soon");
    place.write("data/nlu.yml", &edited);
    for line in lines {
        let _ = line.unwrap();
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(place.model(), right_model());
    // What was learned stands under what was read, so the edit is stale.
    assert!(place.ran() > 0);
    place.run(&["cache", "verify", "--rerun", "100%", "--quiet"], 0);
    place.write("data/nlu.yml", NLU);
    assert_eq!(place.ran(), 0);
}

/// A library that refuses the locks that SQLite uses, as some disks do.
#[cfg(target_os = "linux")]
const NO_LOCKS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
static int refuse(const char *name, int fd, int command, void *argument) {
    if (command == F_SETLK || command == F_SETLKW || command == F_GETLK) {
        errno = ENOLCK;
        return -1;
    }
    int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
    return real(fd, command, argument);
}
#define LOCKLESS(name) \
    int name(int fd, int command, ...) { \
        va_list list; \
        va_start(list, command); \
        void *argument = va_arg(list, void *); \
        va_end(list); \
        return refuse(#name, fd, command, argument); \
    }
LOCKLESS(fcntl)
LOCKLESS(fcntl64)
"#;

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_refuses_locks_is_named_as_such() {
    let place = Place::new();
    let folder = TempDir::new().unwrap();
    let (source, library) = (folder.path().join("a.c"), folder.path().join("a.so"));
    fs::write(&source, NO_LOCKS).unwrap();
    // The compiler that makes SQLite makes this too.
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(made.unwrap().success());
    let train = || {
        let mut command = place.command(&["train"]);
        let output = command.env("LD_PRELOAD", &library).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let text = train();
    assert!(
        text.contains("cannot be locked (No record locks available)"),
        "{text}"
    );
    assert!(!text.contains("locked by other"), "{text}");
    assert_eq!(place.model(), right_model());
    // A cache that was made where locks work is told the same.
    place.run(&["train", "--quiet"], 0);
    assert!(train().contains("cannot be locked (No record locks available)"));
}

#[test]
fn dry_runs_beside_a_busy_writer_neither_lie_nor_warn() {
    let place = Place::new();
    let network = "DIETClassifier\n  epochs: 1\n  transformer_size: 16";
    place.write(
        "config.yml",
        &CONFIG.replace(network, "KeywordIntentClassifier"),
    );
    place.run(&["train", "--quiet"], 0);
    for _ in 0..4 {
        // It opens, writes, and brings its log into the file when it goes.
        let mut writer = place
            .command(&["train", "--force", "--quiet"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while writer.try_wait().unwrap().is_none() {
            let dry = place.command(&["train", "--dry-run"]).output().unwrap();
            assert_eq!(dry.status.code(), Some(0), "{dry:?}");
            let told = String::from_utf8(dry.stderr).unwrap();
            assert!(!told.contains("warning: "), "{told}");
        }
    }
}

#[test]
fn an_output_folder_that_is_gone_is_made_again() {
    let place = Place::new();
    place.run(&["train", "--quiet"], 0);
    let model = place.model();
    let out = place.project.join("models");
    fs::remove_dir_all(&out).unwrap();
    let text = place.run(&["train"], 0);
    assert!(text.contains("restored models/"), "{text}");
    assert_eq!(place.model(), model);

    // The same while a training runs.
    place.write("domain.yml", &DOMAIN.replace("text: hi", "text: hello"));
    let mut child = place
        .command(&["train"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let is_run = |line: std::io::Result<String>| line.unwrap().starts_with("run ");
    assert!(lines.by_ref().any(is_run));
    // It may have put the model there already: then this one is lost, and the
    // next training brings it back.
    let _ = fs::remove_dir_all(&out);
    for line in lines {
        let _ = line.unwrap();
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(place.ran(), 0);
    assert_ne!(place.model(), model);
}

#[test]
fn names_may_be_as_long_as_the_disk_takes_and_need_not_be_text() {
    let right = right_model();
    let long = "n".repeat(255);
    let odd = OsStr::from_bytes(b"b\xf6t \xff'\"\\");
    for (project, cache) in [
        (OsStr::new(&long), OsStr::new("cache")),
        (OsStr::new("bot"), OsStr::new(&long)),
        (odd, OsStr::new("cache")),
        (OsStr::new("bot"), odd),
    ] {
        let place = Place::with_names(project, cache);
        fs::rename(
            place.project.join("data/nlu.yml"),
            place
                .project
                .join("data")
                .join(format!("{}.yml", "d".repeat(251))),
        )
        .unwrap();
        fs::rename(
            place.project.join("data/stories.yml"),
            place
                .project
                .join("data")
                .join(OsStr::from_bytes(b"st\xf6ries.yml")),
        )
        .unwrap();
        assert_eq!(place.ran(), TASKS);
        assert_eq!(place.model(), right);
        assert_eq!(place.ran(), 0);
        for arguments in [
            &["cache", "stats", "--json"][..],
            &["cache", "verify", "--json"],
            &["cache", "gc", "--json"],
            &["cache", "export", "x", "--json"],
            &["cache", "import", "x", "--json"],
            &["verify", "--json"],
            &["train", "--dry-run", "--json"],
            &["cache", "clear", "--json"],
        ] {
            let text = place.run(arguments, 0);
            serde_json::from_str::<Value>(&text).unwrap();
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn paths_on_the_command_line_need_not_be_text() {
    let place = Place::new();
    for flags in [&["train"][..], &["train", "--json-events", "-"]] {
        for (flag, path, code) in [
            ("--config", &b"c\xff.yml"[..], 66),
            ("--data", b"d\xff", 66),
            ("--out", b"m\xff", 0),
        ] {
            let mut command = place.command(flags);
            command.arg(flag).arg(OsStr::from_bytes(path));
            ended(command.output().unwrap(), code);
        }
    }
}

#[test]
fn an_archive_may_have_the_longest_name_there_is() {
    let place = Place::new();
    let name = format!("models/{}.tar.gz", "m".repeat(255 - 7));
    place.run(&["train", "--quiet", "--out", &name], 0);
    assert_eq!(fs::read(place.project.join(&name)).unwrap(), right_model());
    place.run(&["verify", &name], 0);
    let export = "e".repeat(255);
    place.run(&["cache", "export", &export], 0);
    assert!(place.project.join(export).exists());
}

/// A user who owns nothing.
const NOBODY: u32 = 65_534;

/// Returns the command as a user who may not write to `folder`; none where the
/// tests' own user may, and cannot become another.
fn as_reader(mut command: Command, folder: &Path) -> Option<Command> {
    if fs::write(folder.join("probe"), b"").is_err() {
        return Some(command);
    }
    fs::remove_file(folder.join("probe")).unwrap();
    command.uid(NOBODY).gid(NOBODY);
    let mut probe = Command::new(env!("CARGO_BIN_EXE_tabella"));
    let probe = probe.arg("--version").uid(NOBODY).gid(NOBODY).output();
    let can = probe.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("skipped: this user may write everywhere and cannot become another");
    }
    can.then_some(command)
}

/// Lets everybody read what is below `folder`, and nobody write.
fn make_read_only(folder: &Path) {
    for entry in walkdir::WalkDir::new(folder).contents_first(true) {
        let entry = entry.unwrap();
        let mode = if entry.file_type().is_dir() {
            0o555
        } else {
            0o444
        };
        fs::set_permissions(entry.path(), Permissions::from_mode(mode)).unwrap();
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn without_a_home_all_is_trained_and_that_is_said_once() {
    let place = Place::new();
    let model = right_model();
    let run = |more: &[&str]| {
        let mut command = place.command(&[&["train"], more].concat());
        command.env_remove("TABELLA_CACHE_DIR");
        ended(command.output().unwrap(), 0)
    };
    let said = "no folder is known to keep results in";
    for _ in 0..2 {
        let text = run(&[]);
        assert_eq!(text.matches(said).count(), 1, "{text}");
        assert!(text.contains("run "), "{text}");
        assert_eq!(place.model(), model);
    }
    assert!(!run(&["--no-cache"]).contains(said));
}

#[test]
fn a_read_only_cache_is_used_and_not_complained_of_twice() {
    let place = Place::new();
    place.run(&["train", "--quiet"], 0);
    let model = place.model();
    set_mode(place.project.parent().unwrap(), 0o755);
    fs::remove_dir_all(place.project.join("models")).unwrap();
    fs::create_dir(place.project.join("models")).unwrap();
    set_mode(&place.project.join("models"), 0o777);
    make_read_only(&place.cache);
    let Some(mut command) = as_reader(place.command(&["train"]), &place.cache) else {
        return;
    };
    let text = ended(command.output().unwrap(), 0);
    assert!(text.contains("restored models/"), "{text}");
    assert_eq!(text.matches("warning").count(), 1, "{text}");
    assert_eq!(place.model(), model);
    for action in ["stats", "verify", "export"] {
        let file: &[&str] = if action == "export" {
            &["models/x.cache"]
        } else {
            &[]
        };
        let command = place.command(&[&["cache", action], file].concat());
        let mut command = as_reader(command, &place.cache).unwrap();
        ended(command.output().unwrap(), 0);
    }
    for arguments in [
        &["cache", "gc"][..],
        &["cache", "verify", "--repair"],
        &["cache", "clear"],
    ] {
        let mut command = as_reader(place.command(arguments), &place.cache).unwrap();
        ended(command.output().unwrap(), 74);
    }
    for entry in walkdir::WalkDir::new(&place.cache) {
        let entry = entry.unwrap();
        if entry.file_type().is_dir() {
            set_mode(entry.path(), 0o755);
        }
    }
}

#[test]
fn a_project_on_a_read_only_disk_is_trained_into_another_folder() {
    let right = right_model();
    let place = Place::new();
    let root = place.project.parent().unwrap();
    let out = root.join("out");
    fs::create_dir(&out).unwrap();
    fs::create_dir(&place.cache).unwrap();
    set_mode(root, 0o755);
    set_mode(&out, 0o777);
    set_mode(&place.cache, 0o777);
    make_read_only(&place.project);
    let train = place.command(&["train", "--out", out.to_str().unwrap()]);
    let here = as_reader(place.command(&["train"]), &place.project);
    if let (Some(mut train), Some(mut here)) = (as_reader(train, &place.project), here) {
        ended(train.output().unwrap(), 0);
        assert_eq!(fs::read(only_model(&out).unwrap()).unwrap(), right);
        // Without another folder it says so, and nothing was trained for nothing.
        let text = ended(here.output().unwrap(), 74);
        assert!(text.contains("cannot write `models/"), "{text}");
    }
    for path in [&place.project, &place.project.join("data")] {
        set_mode(path, 0o755);
    }
}
