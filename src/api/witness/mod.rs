//! Knows that there is nothing to do without opening a file.
//!
//! ```text
//!   train ──▶ … ──▶ archive in place ──▶ plan again: all fresh ──▶ [witness] ──▶ cache
//!   train ──▶ [witness]: all as it was? ─ yes ─▶ nothing to do
//!                             └─ no ─▶ import, plan, …
//! ```
//!
//! A witness is kept of the last run of each project that left nothing to do. It
//! says what decided that outcome, so that the same can be said again as long as
//! all of it is the same:
//!
//! | what decides | how it is compared |
//! |---|---|
//! | the program: algorithms, readers, messages | its identity, in the key |
//! | options, as far as they reach the outcome | in the key |
//! | the project's folder, its config, which half is wanted | whose witness it is |
//! | variables of the environment that the files name | digests of their values |
//! | files, folders, links and empty places of the project | [`Looks`](crate::import::Looks) |
//! | the archive, and the pointer beside it | looks, too |
//! | results in the cache | who removes one removes its witnesses |
//! | the remote cache that results are handed to | whether all of them were, which is noted when a run is over |
//!
//! Stamps that prove nothing – after a `touch`, a checkout, an edit a moment
//! before – are settled by contents, and the witness is kept with the new stamps.
//! So are those of disks on which no stamp proves anything, in every run
//! ([`Disks`](crate::import::Disks)). Two paths that are one file are a case for the
//! readers: there stamps must agree. Threads, jobs and limits of the cache reach no
//! outcome and are not in the key. A dry run asks the witness too, and writes
//! nothing, as ever.
//!
//! Files of the cache are not looked at. A run that has nothing to do reads none of
//! them, and three looks for each assistant were a quarter of its time; who takes one
//! away behind the cache's back finds out in the first run that needs it, which makes
//! it again.
//!
//! What is told is what the run would have told: warnings about the files were
//! shown when they were trained, so that their number is enough
//! ([`Notice::AsBefore`](crate::api::Notice::AsBefore)).
//!
//! Refused: a table of files with their digests, from which keys of a tree of
//! parse tasks are looked up. It spares the parsing of unchanged files when one
//! has changed; but the readers take 3 ms for a small project, while the graph,
//! its plan and their parts would still be made in every run.

mod packed;
mod key;
mod handed;
mod training;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

use crate::api::KnownBy;
use crate::digest::Digest;
use crate::import::FileStamp;
use crate::import::Looks;
use crate::import::Times;
use crate::import::Verdict;
use crate::import::destination;
use crate::recipe::REPORT_VERSION;
use crate::recipe::Report;
use crate::recipe::TaskReport;
use crate::recipe::TaskState;
use crate::recipe::code_and_texts;
use crate::store::Renewal;
use crate::store::Witness;

pub use handed::PutWitness;
pub use handed::handed;
pub use handed::note_handed;
pub use key::KeyStem;
pub use packed::Outcome;
pub use packed::Reader;
pub use packed::Testimony;

/// Whether a run may find out from a witness that there is nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WitnessSettings {
    /// Asks none and keeps none: the files are read in every run.
    #[default]
    Off,
    /// Asks, and keeps.
    Ask {
        /// The identity of the program: any change of it must change this.
        program: Digest,
    },
    /// Asks none, since it was asked before, and keeps a new one.
    Asked {
        /// As above.
        program: Digest,
    },
    /// Asks none, and keeps a new one: everything is read, whatever stamps say.
    Renew {
        /// As above.
        program: Digest,
    },
}

/// What a witness is asked with.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The project's folder.
    pub root: &'a Path,
    /// The environment.
    pub environment: &'a BTreeMap<String, String>,
    /// What stamps are judged by.
    pub times: Times<'a>,
    /// The remote cache that all results must have been handed to, if there is one.
    pub handed_to: Option<Digest>,
}

/// What a witness says.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The outcome.
    pub outcome: Outcome,
    /// Whether contents must settle it.
    pub is_unsure: bool,
}

/// What a witness says when all is settled.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The outcome.
    pub outcome: Outcome,
    /// How it is known.
    pub by: KnownBy,
    /// What was looked at, where contents settled something and the stamps of now
    /// are worth keeping.
    pub looks: Option<Vec<u8>>,
}

impl Heard {
    /// Returns what is to be kept of a witness that was heard, if anything is.
    pub fn renewal<'w>(&mut self, witness: &'w Witness, today: u32) -> Option<Renewal<'w>> {
        let looks = self.looks.take();
        (looks.is_some() || witness.used_day != today).then_some((witness, looks))
    }
}

impl Question<'_> {
    /// Hears a witness: what it says, and where stamps leave that open, what the
    /// contents say. None if something is not as it was.
    pub fn hear(&self, witness: &Witness) -> Option<Heard> {
        let Answer { outcome, is_unsure } = self.ask(witness.looks())?;
        let settle = || Some(self.settle(witness.looks())?.packed(self.root));
        let looks = if is_unsure { Some(settle()?) } else { None };
        Some(Heard {
            outcome,
            by: match is_unsure {
                true => KnownBy::Contents,
                false => KnownBy::Stamps,
            },
            looks: looks.filter(|looks| looks != witness.looks()),
        })
    }

    /// Asks a packed witness, which looks at stamps alone; none if something is
    /// not as it was.
    pub fn ask(&self, packed: &[u8]) -> Option<Answer> {
        let mut reader = Reader::new(packed, self.root)?;
        let mut answer = Answer {
            outcome: reader.outcome()?,
            is_unsure: false,
        };
        let handed_to = reader.handed_to()?;
        (self.handed_to.is_none() || handed_to == self.handed_to).then_some(())?;
        for _ in 0..reader.count()? {
            let (name, value) = reader.variable()?;
            let now = self.environment.get(name);
            (value_digest(now.map(String::as_str)) == value).then_some(())?;
        }
        for _ in 0..reader.count()? {
            let (path, real) = reader.link()?;
            (destination(&path) == real).then_some(())?;
        }
        for _ in 0..reader.look_count()? {
            let (path, look) = reader.look()?;
            match look.verdict(path, &self.times) {
                Verdict::Same => {}
                Verdict::Unsure => answer.is_unsure = true,
                Verdict::Changed => return None,
            }
        }
        reader.is_at_end().then_some(answer)
    }

    /// Settles by contents what stamps left open: the witness with the stamps of
    /// now, if all is as it was. Stamps of disks where they prove nothing stay.
    pub fn settle(&self, packed: &[u8]) -> Option<Testimony> {
        let mut testimony = Reader::new(packed, self.root)?.testimony()?;
        let were_apart = are_apart(&testimony.looks);
        for (path, look) in &mut testimony.looks.seen {
            match look.verdict(path, &self.times) {
                Verdict::Same => {}
                Verdict::Unsure => {
                    let again = look.again(path)?;
                    let trusts = |stamp: FileStamp| self.times.disks.is_trusted(stamp.device, path);
                    if again.stamp.is_some_and(trusts) {
                        *look = again;
                    }
                }
                Verdict::Changed => return None,
            }
        }
        (were_apart && are_apart(&testimony.looks)).then_some(testimony)
    }
}

/// Returns whether no two paths are one file.
fn are_apart(looks: &Looks) -> bool {
    let mut known = HashSet::new();
    let stamps = looks.seen.values().filter_map(|look| look.stamp);
    let mut places = stamps.map(|stamp| (stamp.device, stamp.inode));
    places.all(|place| known.insert(place))
}

/// Returns the digest of a variable's value; that of an unset one is of its own.
pub fn value_digest(value: Option<&str>) -> Digest {
    Digest::of_value(&value)
}

/// A task whose result is in the cache, as a dry run tells of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct FreshTask {
    name: String,
    stage: String,
    kind: String,
    key: Digest,
    reads: Vec<String>,
    last_ms: Option<u64>,
}

/// Returns what there is to tell of a report in which nothing is stale.
fn told(report: &Report) -> Option<Vec<u8>> {
    let fresh = |task: &TaskReport| {
        Some(FreshTask {
            name: task.name.clone(),
            stage: task.stage.clone(),
            kind: task.kind.clone(),
            key: task.key?,
            reads: task.reads.clone(),
            last_ms: task.last_ms,
        })
    };
    let tasks: Option<Vec<FreshTask>> = report.tasks.iter().map(fresh).collect();
    serde_json::to_vec(&tasks?).ok()
}

/// Returns the report of a dry run that finds nothing stale, with the times that
/// the cache knows now.
fn report(told: &[u8], costs: &HashMap<Digest, u64>) -> Option<Report> {
    let tasks: Vec<FreshTask> = serde_json::from_slice(told).ok()?;
    let tasks = tasks.into_iter().map(|task| TaskReport {
        last_ms: costs.get(&task.key).copied().or(task.last_ms),
        name: task.name,
        stage: task.stage,
        kind: task.kind,
        key: Some(task.key),
        reads: task.reads,
        state: TaskState::Fresh,
        why: Vec::new(),
        reasons: Vec::new(),
        fetch_size: None,
        runs: None,
    });
    Some(fresh(tasks.collect()))
}

/// Returns the report of these tasks, all of them fresh.
fn fresh(tasks: Vec<TaskReport>) -> Report {
    let (code, texts) = code_and_texts(&Default::default(), false);
    Report {
        report_version: REPORT_VERSION,
        code,
        parts: Vec::new(),
        texts,
        stale_count: 0,
        estimate_ms: None,
        tasks,
    }
}
