//! How do time and memory of NLU training grow with the number of examples, and how
//! fast is a trained model asked?
//!
//! ```sh
//! cargo bench --bench learning -- growth 1000 10000 100000   # two epochs of each
//! cargo bench --bench learning -- parse                      # start, one by one, in bulk
//! ```
//!
//! The data are made up: 77 intents of 5 to 14 words out of 3,000, of which each
//! intent prefers its own 15; every third example has an entity of one of 8 kinds.
//! The pipeline is that of Rasa's defaults. Every command runs in a process of its
//! own; the figures are its CPU seconds of user and system and its peak of resident
//! memory.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used)]

mod measuring;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use measuring::Draw;
use measuring::cpu_ms;
use measuring::peak_mb;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tabella");

/// Messages that are asked in bulk.
const MESSAGES: usize = 20_000;

/// Starts that are timed.
const STARTS: usize = 21;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.split_first() {
        Some((what, sizes)) if what == "growth" => growth(sizes),
        Some((what, _)) if what == "parse" => parse(),
        Some((what, command)) if what == "measure" => measure(command),
        _ => println!("say `growth` with some numbers of examples, or `parse`"),
    }
}

// ---- What is measured -----------------------------------------------------

fn growth(sizes: &[String]) {
    println!("| examples | CPU s | ms an example and epoch | peak MB | model MB |");
    println!("|---|---|---|---|---|");
    for size in sizes.iter().filter_map(|size| size.parse().ok()) {
        let folder = tempfile::tempdir().unwrap();
        write_project(folder.path(), size, 2);
        let figures = run(folder.path(), &["train", "nlu", "--jobs", "1"], None);
        let archive = fs::metadata(folder.path().join("models/m.tar.gz")).unwrap();
        println!(
            "| {size} | {:.1} | {:.2} | {:.0} | {:.1} |",
            figures.cpu,
            figures.cpu * 1e3 / (2 * size) as f64,
            figures.peak_mb,
            archive.len() as f64 / 1e6,
        );
    }
}

fn parse() {
    println!(
        "| examples | start to first answer, ms | CPU ms | peak MB | a second, one core | a second, all cores |"
    );
    println!("|---|---|---|---|---|---|");
    for size in [300, 10_000] {
        let folder = tempfile::tempdir().unwrap();
        write_project(folder.path(), size, 2);
        run(folder.path(), &["train", "nlu"], None);
        let message = ["parse", "ko mari tasu"];
        let mut starts: Vec<Figures> = (0..STARTS)
            .map(|_| run(folder.path(), &message, None))
            .collect();
        starts.sort_by(|a, b| a.wall.total_cmp(&b.wall));
        let start = &starts[STARTS / 2];
        let mut text = String::new();
        let mut draw = Draw(7);
        for _ in 0..MESSAGES {
            let intent = draw.below(INTENTS);
            writeln!(text, "{}", words(&mut draw, intent).join(" ")).unwrap();
        }
        fs::write(folder.path().join("messages.txt"), text).unwrap();
        let rate = |threads: Option<&str>| {
            let figures = run(folder.path(), &["parse"], Some(threads));
            MESSAGES as f64 / (figures.wall - start.wall)
        };
        println!(
            "| {size} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            start.wall * 1e3,
            start.cpu * 1e3,
            start.peak_mb,
            rate(Some("1")),
            rate(None),
        );
    }
}

struct Figures {
    wall: f64,
    cpu: f64,
    peak_mb: f64,
}

/// Runs the program in a project; `Some` reads the messages there, with so many
/// threads.
fn run(folder: &Path, arguments: &[&str], input: Option<Option<&str>>) -> Figures {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .arg("measure")
        .args(arguments)
        .arg("--project")
        .arg(folder)
        .env("TABELLA_CACHE_DIR", folder.join("cache"));
    if arguments[0] == "train" {
        command.args(["--fixed-model-name", "m"]);
    }
    if let Some(threads) = input {
        command.stdin(File::open(folder.join("messages.txt")).unwrap());
        if let Some(threads) = threads {
            command.env("RAYON_NUM_THREADS", threads);
        }
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect();
    match numbers[..] {
        [wall, cpu, peak_mb] => Figures { wall, cpu, peak_mb },
        _ => panic!("{text}"),
    }
}

/// Runs the program once, and prints seconds, CPU seconds and megabytes.
fn measure(arguments: &[String]) {
    let begin = Instant::now();
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    let wall = begin.elapsed().as_secs_f64();
    println!("{wall} {} {}", cpu_ms() / 1e3, peak_mb());
}

// ---- What is learnt -------------------------------------------------------

const INTENTS: usize = 77;
const KINDS: [&str; 8] = [
    "city", "date", "dish", "name", "room", "sum", "team", "time",
];

fn write_project(folder: &Path, examples: usize, epochs: usize) {
    let config = format!(
        "recipe: default.v1\nassistant_id: made_up\nlanguage: en\npipeline:\n\
         - name: WhitespaceTokenizer\n- name: RegexFeaturizer\n\
         - name: LexicalSyntacticFeaturizer\n- name: CountVectorsFeaturizer\n\
         - name: CountVectorsFeaturizer\n  analyzer: char_wb\n  min_ngram: 1\n  max_ngram: 4\n\
         - name: DIETClassifier\n  epochs: {epochs}\n  random_seed: 1\n  constrain_similarities: true\n\
         policies: []\n"
    );
    fs::write(folder.join("config.yml"), config).unwrap();
    fs::create_dir(folder.join("data")).unwrap();
    let mut draw = Draw(1);
    let mut text = "version: \"3.1\"\nnlu:\n".to_owned();
    for intent in 0..INTENTS {
        writeln!(text, "- intent: intent_{intent}\n  examples: |").unwrap();
        for number in (intent..examples).step_by(INTENTS) {
            let mut words = words(&mut draw, intent);
            if number % 3 == 0 {
                let at = draw.below(words.len());
                let kind = KINDS[draw.below(KINDS.len())];
                words[at] = format!("[{}]({kind})", words[at]);
            }
            writeln!(text, "    - {}", words.join(" ")).unwrap();
        }
    }
    fs::write(folder.join("data/nlu.yml"), text).unwrap();
}

/// Returns the words of a message: every other one is of the intent's own.
fn words(draw: &mut Draw, intent: usize) -> Vec<String> {
    let count = 5 + draw.below(10);
    let number = |draw: &mut Draw, place: usize| match place % 2 {
        0 => intent * 15 + draw.below(15),
        _ => draw.below(3_000),
    };
    (0..count).map(|place| word(number(draw, place))).collect()
}

/// Returns a word of two or three syllables.
fn word(number: usize) -> String {
    let syllable = |number: usize| {
        let consonant = b"bdfgklmnprstvz"[number % 14] as char;
        let vowel = b"aeiou"[number / 14 % 5] as char;
        format!("{consonant}{vowel}")
    };
    let (first, second, third) = (number % 70, number / 70 % 70, number * 31 % 97);
    let word = syllable(first) + &syllable(second);
    if third < 70 {
        word + &syllable(third)
    } else {
        word
    }
}
