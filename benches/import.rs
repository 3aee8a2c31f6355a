//! How fast, and in how much memory, is a project read? A made-up one of 15,000
//! examples, 5,000 stories, 10,000 responses (6 MB) and a lookup table of a million
//! entries; twice, ten or a hundred times as much on demand.
//!
//! ```sh
//! cargo bench --bench import                     # 1x: one file of each kind, then many
//! cargo bench --bench import -- 1 10 100         # growth
//! cargo bench --bench import -- 10 --keep P      # leaves the projects in folder P
//! ```
//!
//! Every figure is the median of some runs, each in a process of its own: CPU
//! seconds of user and system, and the peak of resident memory.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used)]

mod measuring;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::BufWriter;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use measuring::Draw;
use tabella::api::TrainOptions;
use tabella::api::train;
use tabella::digest::Digest;
use tabella::import::Sources;
use tabella::import::import_project;

/// What is measured, each one more than the one before.
const STAGES: &[(&str, &str)] = &[
    ("read", "reading the bytes"),
    ("hash", "reading and BLAKE3: the floor"),
    ("parse", "reading, BLAKE3 and the YAML trees"),
    ("import", "the whole import with all checks"),
    ("keys", "`train --dry-run`: import, slices, keys, plan"),
];

/// Makes [`parse`](STAGES) stop after the trees: files of a version from the
/// future are passed over when they have been parsed.
const FUTURE: &str = "9.9";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("--stage") => stage(&arguments[1], Path::new(&arguments[2])),
        _ => compare(&arguments),
    }
}

// ---- Measuring ------------------------------------------------------------

/// Makes the projects and prints a table for each.
fn compare(arguments: &[String]) {
    let keep = arguments.iter().position(|argument| argument == "--keep");
    let keep = keep.and_then(|at| arguments.get(at + 1)).map(PathBuf::from);
    let mut scales: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    if scales.is_empty() {
        scales.push(1);
    }
    let temporary = tempfile::tempdir().unwrap();
    let home = keep.as_deref().unwrap_or(temporary.path());
    for scale in scales {
        for layout in [Layout::OneFile, Layout::ManyFiles] {
            let folder = home.join(format!("{layout:?}-{scale}"));
            let future = home.join(format!("{layout:?}-{scale}-future"));
            if !folder.exists() {
                write_project(&folder, scale, layout, "3.1");
                write_project(&future, scale, layout, FUTURE);
            }
            table(&folder, &future, scale, layout);
            if keep.is_none() {
                fs::remove_dir_all(&folder).unwrap();
                fs::remove_dir_all(&future).unwrap();
            }
        }
    }
}

fn table(folder: &Path, future: &Path, scale: usize, layout: Layout) {
    let sizes: Vec<u64> = files(folder)
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .collect();
    let size_mb = sizes.iter().sum::<u64>() as f64 / 1e6;
    println!(
        "\n{scale}x, {layout:?}: {} files, {size_mb:.1} MB",
        sizes.len()
    );
    println!("| what | CPU s | wall s | MB / CPU s | peak MB | peak / size |");
    println!("|---|---|---|---|---|---|");
    let runs = if scale >= 100 { 1 } else { 3 };
    for (name, words) in STAGES {
        let project = if *name == "parse" { future } else { folder };
        let mut seen: Vec<Figures> = (0..runs).map(|_| run(name, project)).collect();
        seen.sort_by(|a, b| a.cpu_s.total_cmp(&b.cpu_s));
        let Figures {
            cpu_s,
            wall_s,
            peak_mb,
        } = seen[seen.len() / 2];
        let rate = size_mb / cpu_s.max(0.01);
        let multiple = peak_mb / size_mb;
        println!(
            "| {words} | {cpu_s:.2} | {wall_s:.2} | {rate:.0} | {peak_mb:.0} | {multiple:.1} |"
        );
    }
}

#[derive(Clone, Copy)]
struct Figures {
    cpu_s: f64,
    wall_s: f64,
    peak_mb: f64,
}

/// Runs one stage in a process of its own.
fn run(stage: &str, folder: &Path) -> Figures {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--stage", stage])
        .arg(folder)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    assert_eq!(
        numbers.len(),
        3,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Figures {
        cpu_s: numbers[0],
        wall_s: numbers[1],
        peak_mb: numbers[2],
    }
}

/// Does what a stage does and prints CPU seconds, wall seconds and peak MB.
fn stage(name: &str, folder: &Path) {
    let start = Instant::now();
    match name {
        "read" => {
            let size: usize = files(folder)
                .iter()
                .map(|f| fs::read(f).unwrap().len())
                .sum();
            assert!(size > 0);
        }
        "hash" => {
            for file in files(folder) {
                std::hint::black_box(Digest::of(&fs::read(file).unwrap()));
            }
        }
        "parse" | "import" => {
            let imported = import_project(&Sources {
                root: folder.to_owned(),
                config: "config.yml".into(),
                domain: vec!["domain".into()],
                data: vec!["data".into()],
                environment: BTreeMap::new(),
                ..Sources::default()
            })
            .unwrap();
            let examples = imported.project.nlu.examples.len();
            eprintln!(
                "{} diagnostics, {examples} examples",
                imported.diagnostics.len()
            );
            assert_eq!(examples > 0, name == "import");
            println!("{} ", cost(start));
            std::process::exit(0);
        }
        "keys" => {
            let mut options = TrainOptions {
                dry_run: true,
                domain: vec!["domain".into()],
                ..TrainOptions::default()
            };
            options.run.project = folder.to_owned();
            train(&options).unwrap();
        }
        _ => panic!("no stage {name}"),
    }
    println!("{}", cost(start));
}

/// Returns CPU seconds, wall seconds since `start`, and peak memory in MB.
fn cost(start: Instant) -> String {
    let wall_s = start.elapsed().as_secs_f64();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // Clock ticks of user and system time; Linux has 100 a second.
    let ticks: f64 = fields[11..13]
        .iter()
        .map(|f| f.parse::<f64>().unwrap())
        .sum();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: f64 = peak
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    format!("{} {wall_s} {}", ticks / 100.0, peak / 1e3)
}

/// Returns all files of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name();
    let files = entries.into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    files.map(|entry| entry.into_path()).collect()
}

// ---- The made-up project --------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    /// One file for each of NLU data, stories, domain.
    OneFile,
    /// 64 files for each.
    ManyFiles,
}

impl Draw {
    fn word(&mut self) -> String {
        const SYLLABLES: &[&str] = &[
            "ba", "lo", "mi", "ter", "an", "ko", "sé", "ri", "un", "pa", "vel", "do", "ig", "nu",
            "st", "ö", "fa", "gre", "ty", "wen",
        ];
        let count = 1 + self.below(3);
        (0..count)
            .map(|_| SYLLABLES[self.below(SYLLABLES.len())])
            .collect()
    }

    fn words(&mut self, count: usize) -> String {
        let words: Vec<String> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }
}

const INTENTS: usize = 150;
const ENTITIES: usize = 20;
const FILES: usize = 64;

/// Writes a project; the same numbers give the same bytes.
fn write_project(folder: &Path, scale: usize, layout: Layout, version: &str) {
    fs::create_dir_all(folder.join("data/lookups")).unwrap();
    fs::create_dir_all(folder.join("domain")).unwrap();
    let config = "recipe: default.v1\nlanguage: en\npipeline:\n- name: WhitespaceTokenizer\n\
                  - name: RegexFeaturizer\n- name: CountVectorsFeaturizer\n- name: DIETClassifier\n  \
                  epochs: 1\npolicies:\n- name: MemoizationPolicy\n- name: RulePolicy\n";
    fs::write(folder.join("config.yml"), config).unwrap();
    let file_count = match layout {
        Layout::OneFile => 1,
        Layout::ManyFiles => FILES,
    };
    let responses = 10_000 * scale;
    for file in 0..file_count {
        let part = |total: usize| total * file / file_count..total * (file + 1) / file_count;
        let mut draw = Draw(file as u64);
        let out = |name: String| {
            let mut out = BufWriter::new(fs::File::create(folder.join(name)).unwrap());
            writeln!(out, "version: \"{version}\"").unwrap();
            out
        };
        let mut nlu = out(format!("data/nlu{file}.yml"));
        write_nlu(&mut nlu, &mut draw, part(15_000 * scale).len(), file == 0);
        let mut stories = out(format!("data/stories{file}.yml"));
        write_stories(&mut stories, &mut draw, part(5_000 * scale), responses);
        let mut domain = out(format!("domain/domain{file}.yml"));
        write_domain(&mut domain, &mut draw, part(responses), file == 0);
    }
    let mut draw = Draw(77);
    let mut cities =
        BufWriter::new(fs::File::create(folder.join("data/lookups/city.txt")).unwrap());
    for _ in 0..1_000_000 * scale {
        let count = 1 + draw.below(3);
        writeln!(cities, "{}", draw.words(count)).unwrap();
    }
}

fn write_nlu(out: &mut impl Write, draw: &mut Draw, examples: usize, first: bool) {
    writeln!(out, "nlu:").unwrap();
    for intent in 0..INTENTS {
        writeln!(out, "- intent: intent_{intent}\n  examples: |").unwrap();
        for _ in 0..(examples * (intent + 1) / INTENTS - examples * intent / INTENTS) {
            let mut line = draw.words(7);
            match draw.below(4) {
                0 => write!(line, " [{}](entity_{})", draw.word(), draw.below(ENTITIES)).unwrap(),
                1 => {
                    let (word, entity) = (draw.word(), draw.below(ENTITIES));
                    let value = draw.word();
                    let map =
                        format!("{{\"entity\": \"entity_{entity}\", \"value\": \"{value}\"}}");
                    write!(line, " [{word}]{map} {}", draw.word()).unwrap();
                }
                _ => {}
            }
            writeln!(out, "    - {line}").unwrap();
        }
    }
    if first {
        writeln!(
            out,
            "- lookup: city\n  examples: |\n    - data/lookups/city.txt"
        )
        .unwrap();
    }
}

fn write_stories(
    out: &mut impl Write,
    draw: &mut Draw,
    stories: std::ops::Range<usize>,
    responses: usize,
) {
    writeln!(out, "stories:").unwrap();
    for story in stories {
        writeln!(out, "- story: path number {story}\n  steps:").unwrap();
        for turn in 0..4 + draw.below(4) {
            writeln!(out, "  - intent: intent_{}", draw.below(INTENTS)).unwrap();
            if draw.below(3) == 0 {
                let (entity, word) = (draw.below(ENTITIES), draw.word());
                writeln!(out, "    entities:\n    - entity_{entity}: {word}").unwrap();
            }
            if turn == 1 {
                writeln!(
                    out,
                    "  - slot_was_set:\n    - entity_{}: x",
                    draw.below(ENTITIES)
                )
                .unwrap();
            }
            writeln!(out, "  - action: utter_{}", draw.below(responses)).unwrap();
        }
    }
}

fn write_domain(
    out: &mut impl Write,
    draw: &mut Draw,
    responses: std::ops::Range<usize>,
    first: bool,
) {
    if first {
        writeln!(out, "intents:").unwrap();
        for intent in 0..INTENTS {
            writeln!(out, "- intent_{intent}").unwrap();
        }
        writeln!(out, "entities:").unwrap();
        for entity in 0..ENTITIES {
            writeln!(out, "- entity_{entity}").unwrap();
        }
        writeln!(out, "slots:").unwrap();
        for entity in 0..ENTITIES {
            writeln!(out, "  entity_{entity}:\n    type: text\n    mappings:").unwrap();
            writeln!(
                out,
                "    - type: from_entity\n      entity: entity_{entity}"
            )
            .unwrap();
        }
    }
    writeln!(out, "responses:").unwrap();
    for response in responses {
        writeln!(out, "  utter_{response}:").unwrap();
        for variation in 0..2 {
            let count = 28 + draw.below(24);
            let words = draw.words(count);
            match draw.below(3) {
                0 => writeln!(out, "  - text: \"{words}!\"").unwrap(),
                1 => writeln!(out, "  - text: {words}").unwrap(),
                _ => writeln!(out, "  - text: |\n      {words}\n      {}", draw.words(6)).unwrap(),
            }
            if variation == 1 && draw.below(2) == 0 {
                writeln!(out, "    buttons:").unwrap();
                for _ in 0..3 {
                    let (title, intent) = (draw.words(2), draw.below(INTENTS));
                    writeln!(out, "    - title: \"{title}\"").unwrap();
                    writeln!(out, "      payload: /intent_{intent}").unwrap();
                }
            }
        }
    }
}
