//! How long a run takes that has nothing to do, and a dry run that finds nothing
//! stale, in workspaces of growing size: beside ninja, and beside the floor,
//! which is one look at each file's metadata and one read of the database.
//!
//! ```sh
//! cargo bench --bench nothing -- 1 100 1000 10000       # assistants of ten files each
//! cargo bench --bench nothing -- --read 10 100 1000     # all is read and planned, too
//! cargo bench --bench nothing -- --builds 100           # below make, ninja and Bazel, too
//! sudo cargo bench --bench nothing -- --cold 1 100 1000 # the system forgets all metadata before
//! ```
//!
//! Each program runs in a process of its own below one that does nothing else, so
//! that CPU time (user and system) and peak memory are its own. Medians of
//! [`RUNS`] runs. Files have come to rest before.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod measuring;

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use measuring::cpu_ms;
use measuring::median;
use measuring::peak_mb;

/// Runs of each program.
const RUNS: usize = 7;

/// What a file of the made-up assistants weighs, in lines.
const LINES: usize = 60;

/// How many assistants differ from each other: those after them have the contents of
/// an earlier one, which spares their training and nothing else.
const DIFFERENT: usize = 1_000;

/// The program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_tabella");

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|one| one != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("measure") => measure(&arguments[1..]),
        Some("floor") => floor(Path::new(&arguments[1])),
        _ => table(&arguments),
    }
}

fn table(arguments: &[String]) {
    let is_given = |flag| arguments.iter().any(|one| one == flag);
    let is_cold = is_given("--cold");
    let counts = arguments.iter().filter_map(|one| one.parse().ok());
    println!("assistants  files  what              wall ms  CPU ms  peak MB");
    for count in counts {
        let place = Place::new(count);
        let mut commands = place.commands();
        if is_given("--read") {
            let command = place.tabella(&["--dry-run", "--verify-inputs"]);
            commands.push(("reading all", command));
        }
        let show = |(what, command): (&str, Vec<String>)| {
            let [wall, cpu, peak] = measured(&place.root, &command, is_cold);
            println!(
                "{count:>10} {:>6}  {what:16} {wall:>8.1} {cpu:>7.1} {peak:>8.1}",
                count * 10
            );
        };
        commands.into_iter().for_each(show);
        // Last: builds put models of other names into the same folders.
        if is_given("--builds") {
            place.builds().into_iter().for_each(show);
        }
    }
}

/// A workspace that was trained and built.
struct Place {
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl Place {
    fn new(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("workspace");
        let mut files = Vec::new();
        for assistant in 0..count {
            write_assistant(&root, assistant, &mut files);
        }
        let list: String = files.iter().map(|path| format!("{path}\n")).collect();
        fs::write(root.join("files.txt"), list).unwrap();
        fs::write(
            root.join("tabella.yml"),
            "version: 1\ncache: ../cache\nassistants: [bots/*]\n",
        )
        .unwrap();
        fs::write(root.join("build.ninja"), ninja_file(&files)).unwrap();
        let place = Self { folder, root };
        let begin = Instant::now();
        place.succeed(&place.tabella(&[]));
        println!(
            "{count:>10} trained in {:.1} s",
            begin.elapsed().as_secs_f64()
        );
        place.succeed(&["ninja".to_owned(), "--quiet".to_owned()]);
        // Stamps of what has just changed prove nothing.
        thread::sleep(Duration::from_millis(2_500));
        place.succeed(&place.tabella(&[]));
        place
    }

    fn commands(&self) -> Vec<(&'static str, Vec<String>)> {
        let this = env::current_exe().unwrap().to_string_lossy().into_owned();
        vec![
            ("--help", vec![PROGRAM.to_owned(), "--help".to_owned()]),
            ("train", self.tabella(&[])),
            ("train --dry-run", self.tabella(&["--dry-run"])),
            ("ninja", vec!["ninja".to_owned(), "--quiet".to_owned()]),
            ("ninja -n", vec!["ninja".to_owned(), "-n".to_owned()]),
            ("floor", vec![this, "floor".to_owned(), self.cache()]),
        ]
    }

    /// Returns the builds that train all assistants by rules of the program, each having
    /// built once. The server that Bazel keeps is another process: its CPU time is not
    /// counted.
    fn builds(&self) -> Vec<(&'static str, Vec<String>)> {
        for (tool, file) in [("make", "tabella.mk"), ("ninja", "tabella.ninja")] {
            let mut rules = Command::new(PROGRAM);
            rules.args(["rules", tool, "--all", "--program", PROGRAM]);
            let output = rules.current_dir(&self.root).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            fs::write(self.root.join(file), output.stdout).unwrap();
        }
        self.succeed(&[PROGRAM, "rules", "bazel", "--all"].map(str::to_owned));
        let write = |file: &str, text: &str| fs::write(self.root.join(file), text).unwrap();
        write("rules.ninja", "include tabella.ninja\ndefault tabella\n");
        let repository = format!("tabella_repository(name = \"tabella\", path = \"{PROGRAM}\")\n");
        let load = "load(\"//tools/tabella:defs.bzl\", \"tabella_repository\")\n";
        write("WORKSPACE", &(load.to_owned() + &repository));
        let servers = self.folder.path().join("bazel");
        let servers = format!("--output_user_root={}", servers.display());
        let builds = [
            (
                "make, rules",
                vec!["make", "-s", "-f", "tabella.mk", "tabella"],
            ),
            (
                "ninja, rules",
                vec!["ninja", "-f", "rules.ninja", "--quiet"],
            ),
            (
                "bazel, rules",
                vec!["bazel", &servers, "build", "//bots/..."],
            ),
        ];
        let builds = builds.map(|(what, words)| {
            let command: Vec<String> = words.into_iter().map(str::to_owned).collect();
            self.succeed(&command);
            (what, command)
        });
        // Stamps of what has just changed prove nothing.
        thread::sleep(Duration::from_millis(2_500));
        for (_, command) in &builds {
            self.succeed(command);
        }
        builds.into()
    }

    fn cache(&self) -> String {
        self.folder
            .path()
            .join("cache")
            .to_string_lossy()
            .into_owned()
    }

    fn tabella(&self, more: &[&str]) -> Vec<String> {
        let cache = self.cache();
        let given = [PROGRAM, "train", "--all", "--cache-dir", &cache];
        let given = given.iter().chain(more).map(|part| (*part).to_owned());
        given.collect()
    }

    fn succeed(&self, command: &[String]) {
        let mut run = Command::new(&command[0]);
        run.args(&command[1..]).current_dir(&self.root);
        let output = run.output().unwrap();
        assert!(output.status.success(), "{command:?}: {output:?}");
    }
}

/// Writes an assistant of ten files; adds their paths.
fn write_assistant(root: &Path, number: usize, files: &mut Vec<String>) {
    let folder = format!("bots/bot-{number:05}");
    let number = number % DIFFERENT;
    let mut write = |path: &str, text: String| {
        let path = format!("{folder}/{path}");
        let target = root.join(&path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, text).unwrap();
        files.push(path);
    };
    let config = "language: en\npipeline:\n- name: WhitespaceTokenizer\n\
        - name: KeywordIntentClassifier\npolicies:\n- name: MemoizationPolicy\n\
        - name: RulePolicy\n";
    write("config.yml", config.to_owned());
    let intents: String = (0..7).map(|at| format!("- intent_{at}\n")).collect();
    let responses: String = (0..7)
        .map(|at| format!("  utter_{at}:\n  - text: answer {at} of {number}\n"))
        .collect();
    write(
        "domain.yml",
        format!("version: \"3.1\"\nintents:\n{intents}responses:\n{responses}"),
    );
    for at in 0..7 {
        let examples: String = (0..LINES)
            .map(|line| format!("    - example {line} of intent {at} and bot {number}\n"))
            .collect();
        let text =
            format!("version: \"3.1\"\nnlu:\n- intent: intent_{at}\n  examples: |\n{examples}");
        write(&format!("data/nlu-{at}.yml"), text);
    }
    let rules: String = (0..7)
        .map(|at| {
            format!(
                "- rule: rule {at}\n  steps:\n  - intent: intent_{at}\n  - action: utter_{at}\n"
            )
        })
        .collect();
    write(
        "data/rules.yml",
        format!("version: \"3.1\"\nrules:\n{rules}"),
    );
}

/// Returns a build file with one target for ten inputs.
fn ninja_file(files: &[String]) -> String {
    let mut text = "rule join\n  command = cat $in > $out\n".to_owned();
    for (at, inputs) in files.chunks(10).enumerate() {
        text.push_str(&format!("build out/{at}: join {}\n", inputs.join(" ")));
    }
    text
}

/// Runs `command` several times below a process of its own: the medians of wall
/// and CPU time in milliseconds, and the peak memory in MB.
fn measured(folder: &Path, command: &[String], is_cold: bool) -> [f64; 3] {
    let mut measure = Command::new(env::current_exe().unwrap());
    measure
        .arg("measure")
        .arg(if is_cold { "cold" } else { "warm" });
    let output = measure.args(command).current_dir(folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .map(|one| one.parse().unwrap())
        .collect();
    numbers
        .try_into()
        .unwrap_or_else(|_| panic!("{text} {:?}", output.stderr))
}

fn measure(arguments: &[String]) {
    let is_cold = arguments[0] == "cold";
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    for run in 0..=RUNS {
        if is_cold {
            fs::write("/proc/sys/vm/drop_caches", "2").expect("needs the rights of root");
        }
        let cpu_before = cpu_ms();
        let begin = Instant::now();
        let mut command = Command::new(&arguments[1]);
        command
            .args(&arguments[2..])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(command.status().unwrap().success());
        if run > 0 {
            walls.push(begin.elapsed().as_secs_f64() * 1e3);
            cpus.push(cpu_ms() - cpu_before);
        }
    }
    println!("{} {} {}", median(walls), median(cpus), peak_mb());
}

/// Looks at the metadata of every file of the list, and reads the database.
fn floor(cache: &Path) {
    let list = fs::read_to_string("files.txt").unwrap();
    let bytes: u64 = list
        .lines()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(cache.join("results.db"), flags).unwrap();
    let sql = "SELECT sum(length(looks)) FROM witnesses";
    let read: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(bytes > 0 && read > 0);
}
