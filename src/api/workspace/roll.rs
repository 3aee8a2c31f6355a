//! Calls the roll: which assistants of a workspace have nothing to do, as their
//! witnesses say.
//!
//! A few threads take some assistants after the other, in the order in which the
//! cache has their witnesses: one short scan gives those, one look at each file says
//! whether they still hold, and then they are let go. So an assistant that has
//! nothing to do costs little more than those looks, and no memory for its files;
//! the others are left to the crew. Nothing is written: what is new is handed over,
//! to be kept in one transaction.

use std::collections::HashMap;
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use crate::api::CacheSettings;
use crate::api::TrainOptions;
use crate::api::WitnessSettings;
use crate::api::train::training;
use crate::api::training::project_name;
use crate::api::witness::Heard;
use crate::api::witness::KeyStem;
use crate::api::witness::Question;
use crate::api::witness::Reader;
use crate::api::workspace::guard::guarded;
use crate::api::workspace::member::Folders;
use crate::api::workspace::member::MemberPaths;
use crate::archive::pointer;
use crate::data::Member;
use crate::digest::Digest;
use crate::import::Disks;
use crate::import::Looks;
use crate::import::Times;
use crate::import::Want;
use crate::import::clock_ns;
use crate::store::Renewal;
use crate::store::Store;
use crate::store::Witness;

/// Assistants that a thread asks for in one go.
const CHUNK: usize = 16;

/// So many assistants are looked up in the cache one by one; of more of them all
/// that lie between them are read.
const FEW: usize = 16;

/// An assistant that has nothing to do.
pub struct Present {
    /// Its place among the assistants.
    pub at: usize,
    /// What its witness says.
    pub heard: Heard,
}

/// The assistants that have nothing to do, and what that stands on.
#[derive(Default)]
pub struct Called {
    /// They, in order.
    pub present: Vec<Present>,
    /// The keys of results.
    pub results: HashSet<Digest>,
    /// Witnesses that are to be kept anew, with what was looked at if that is new;
    /// none in a dry run.
    renewed: Vec<(Witness, Option<Vec<u8>>)>,
}

impl Called {
    /// Returns whether there is something to keep anew.
    pub fn has_renewals(&self) -> bool {
        !self.renewed.is_empty()
    }

    /// Keeps anew what is to be kept anew, in one transaction.
    pub fn renew(&mut self, store: &Store) {
        let renewals = self.renewed.iter_mut();
        let renewals: Vec<Renewal<'_>> = renewals.map(|(old, new)| (&*old, new.take())).collect();
        store.renew_witnesses(&renewals);
        self.renewed.clear();
    }
}

/// Returns whether a training may ask witnesses at all.
pub fn may_call_roll(all: &TrainOptions) -> bool {
    matches!(all.run.witness, WitnessSettings::Ask { .. })
        && matches!(all.run.cache, CacheSettings::Folder(_))
        && !all.force_training
        && all.model_to_finetune.is_none()
}

/// Returns the assistants that have nothing to do; none when no witness is asked.
/// Writes nothing.
pub fn call_roll(
    folders: &Folders<'_>,
    members: &[Arc<Member>],
    all: &TrainOptions,
    store: &Store,
) -> Option<Called> {
    let roll = Roll::new(folders, members, all, store)?;
    let today = store.today();
    let parts = roll.call(|part: &mut Called, asked: Asked, mut heard: Heard| {
        let Asked { at, witness, .. } = asked;
        part.results.extend(witness.results());
        let looks = heard.looks.take();
        if !all.dry_run && (looks.is_some() || witness.used_day != today) {
            part.renewed.push((witness, looks));
        }
        part.present.push(Present { at, heard });
    });
    let mut called = Called::default();
    for part in parts {
        called.present.extend(part.present);
        called.results.extend(part.results);
        called.renewed.extend(part.renewed);
    }
    called.present.sort_unstable_by_key(|one| one.at);
    Some(called)
}

/// Returns what the import of each assistant would look at, where a witness knows
/// that all of it is as it was; none where it is not known. The archive, which a
/// witness looks at too, is left out. Writes nothing.
pub fn known_looks(
    folders: &Folders<'_>,
    members: &[Arc<Member>],
    all: &TrainOptions,
    store: &Store,
) -> Vec<Option<Looks>> {
    let mut known: Vec<Option<Looks>> = members.iter().map(|_| None).collect();
    let is_asked = matches!(all.run.witness, WitnessSettings::Ask { .. });
    let roll = Roll::new(folders, members, all, store).filter(|_| is_asked);
    let Some(roll) = roll else {
        return known;
    };
    let parts = roll.call(|part: &mut Vec<(usize, Looks)>, asked, _| {
        let reader = Reader::new(asked.witness.looks(), &asked.paths.project);
        let testimony = reader.and_then(Reader::testimony);
        part.extend(testimony.map(|testimony| {
            let mut looks = testimony.looks;
            let model = testimony.outcome.model;
            looks.seen.remove(&pointer(&model).0);
            looks.seen.remove(&model);
            (asked.at, looks)
        }));
    });
    for (at, looks) in parts.into_iter().flatten() {
        known[at] = Some(looks);
    }
    known
}

/// What threads share that ask for assistants.
struct Roll<'a> {
    folders: &'a Folders<'a>,
    members: &'a [Arc<Member>],
    /// The places of all assistants, in the order of their folders.
    order: Vec<usize>,
    all: &'a TrainOptions,
    store: &'a Store,
    stem: KeyStem,
    /// Where in the order the next free thread goes on.
    next: AtomicUsize,
}

/// An assistant whose witness is asked.
struct Asked {
    at: usize,
    paths: MemberPaths,
    witness: Witness,
}

impl<'a> Roll<'a> {
    /// Returns the roll of these assistants; none when no witness is asked.
    fn new(
        folders: &'a Folders<'a>,
        members: &'a [Arc<Member>],
        all: &'a TrainOptions,
        store: &'a Store,
    ) -> Option<Self> {
        let mut order: Vec<usize> = (0..members.len()).collect();
        // As names of projects begin: what lies between some of them is little.
        order.sort_by_cached_key(|at| format!("{}|", members[*at].folder.display()));
        Some(Self {
            folders,
            members,
            order,
            all,
            store,
            stem: KeyStem::of(&training(all, Want::All))?,
            next: AtomicUsize::new(0),
        })
    }

    /// Asks for all, on this thread and as many others as are worth it; each gives
    /// what `take` makes of those that have nothing to do.
    fn call<T: Default + Send>(&self, take: impl Fn(&mut T, Asked, Heard) + Sync) -> Vec<T> {
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = self.all.run.jobs.unwrap_or_else(cores);
        let chunks = self.members.len().div_ceil(CHUNK);
        let others = threads.min(chunks).saturating_sub(1);
        thread::scope(|scope| {
            let start = |_| thread::Builder::new().spawn_scoped(scope, || self.ask_in_turn(&take));
            let started: Vec<_> = (0..others).map_while(|at| start(at).ok()).collect();
            let mut found = vec![self.ask_in_turn(&take)];
            found.extend(started.into_iter().filter_map(|thread| thread.join().ok()));
            found
        })
    }

    /// Asks for some assistants after the other until there are none left.
    fn ask_in_turn<T: Default>(&self, take: &impl Fn(&mut T, Asked, Heard)) -> T {
        let disks = Disks::new(self.all.run.stamps_prove);
        let mut found = T::default();
        loop {
            let from = self.next.fetch_add(CHUNK, Ordering::Relaxed);
            let chunk = self.order.get(from..).unwrap_or_default();
            let chunk = &chunk[..chunk.len().min(CHUNK)];
            if chunk.is_empty() || self.all.run.cancel.is_set() {
                return found;
            }
            // A bug met here would be met in the training, too, and told there.
            let asked = guarded(|| Ok(self.asked(chunk))).unwrap_or_default();
            for asked in asked {
                let heard = guarded(|| Ok(self.hear(&asked, &disks)));
                if let Some(heard) = heard.ok().flatten() {
                    take(&mut found, asked, heard);
                }
            }
        }
    }

    /// Returns the assistants among these that have a witness of such a run. One
    /// that a link leads to, out of the workspace, is looked up by itself.
    fn asked(&self, chunk: &[usize]) -> Vec<Asked> {
        let root = self.folders.real_root();
        let is_inside = |real: &PathBuf| real != root && real.starts_with(root);
        let named = chunk.iter().map(|&at| {
            let paths = MemberPaths::new(self.folders, &self.members[at]);
            let name = project_name(&paths.real, &paths.config, Want::All);
            (at, name, paths)
        });
        let named: Vec<(usize, String, MemberPaths)> = named.collect();
        let is_scanned = |paths: &MemberPaths| self.members.len() > FEW && is_inside(&paths.real);
        let scanned = || {
            let names = named.iter().filter(|(.., paths)| is_scanned(paths));
            names.map(|(_, name, _)| name.as_str())
        };
        let mut witnesses: HashMap<String, Witness> = HashMap::new();
        if let (Some(first), Some(last)) = (scanned().min(), scanned().max()) {
            let found = self.store.witnesses(first, last).into_iter();
            witnesses.extend(found.map(|one| (one.project.clone(), one)));
        }
        let mut asked = Vec::with_capacity(named.len());
        for (at, name, paths) in named {
            let witness = match is_scanned(&paths) {
                true => witnesses.remove(&name),
                false => self.store.witness(&name),
            };
            asked.extend(witness.map(|witness| Asked { at, paths, witness }));
        }
        asked.retain(|asked| asked.witness.key == self.key(&asked.paths));
        asked
    }

    fn key(&self, paths: &MemberPaths) -> Digest {
        let lists: [&[PathBuf]; 2] = [&paths.domain, &paths.data];
        self.stem.key(lists, [&paths.config, &paths.output])
    }

    /// Returns what the witness of an assistant says, if that has nothing to do.
    fn hear(&self, asked: &Asked, disks: &Disks) -> Option<Heard> {
        let question = Question {
            root: &asked.paths.project,
            environment: &self.all.run.environment,
            times: Times {
                now_ns: clock_ns(),
                rest_ns: self.all.run.rest_ns,
                disks,
            },
            handed_to: self.all.run.handed_to().filter(|_| !self.all.dry_run),
        };
        question.hear(&asked.witness)
    }
}
