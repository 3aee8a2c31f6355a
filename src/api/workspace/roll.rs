//! Calls the roll: which assistants of a workspace have nothing to do, as their
//! witnesses say.
//!
//! One scan of the cache gives all witnesses, a few threads compare stamps, one
//! transaction keeps what is new. So an assistant that has nothing to do costs little
//! more than one look at each of its files; the others are left to the crew.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
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

/// So many assistants are looked up in the cache one by one; for more of them all
/// that lie in the workspace are read.
const FEW: usize = 16;

/// An assistant that has nothing to do.
pub struct Present {
    /// Its place among the assistants.
    pub at: usize,
    /// What its witness says.
    pub heard: Heard,
    /// The keys of the results that this stands on.
    pub results: Vec<Digest>,
}

/// Returns the assistants that have nothing to do, in order; none where no witness
/// may be asked.
pub fn call_roll(
    folders: &Folders<'_>,
    members: &[Arc<Member>],
    all: &TrainOptions,
    store: &Store,
) -> Option<Vec<Present>> {
    let is_asked = matches!(all.run.witness, WitnessSettings::Ask { .. })
        && matches!(all.run.cache, CacheSettings::Folder(_))
        && !all.force_training
        && all.model_to_finetune.is_none();
    if !is_asked {
        return None;
    }
    let roll = Roll {
        folders,
        members,
        all,
        store,
        witnesses: witnesses(folders, members, store),
        stem: KeyStem::of(&training(all, Want::All))?,
        next: AtomicUsize::new(0),
    };
    let mut found = roll.call();
    found.sort_unstable_by_key(|(at, ..)| *at);
    if !all.dry_run {
        let today = store.today();
        let renewals = found.iter_mut();
        let renewals = renewals.filter_map(|(_, witness, heard)| heard.renewal(witness, today));
        let renewals: Vec<Renewal<'_>> = renewals.collect();
        store.renew_witnesses(&renewals);
    }
    let present = found.into_iter().map(|(at, witness, heard)| Present {
        at,
        heard,
        results: witness.results(),
    });
    Some(present.collect())
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
    let stem = KeyStem::of(&training(all, Want::All)).filter(|_| is_asked);
    let Some(stem) = stem else {
        return known;
    };
    let roll = Roll {
        folders,
        members,
        all,
        store,
        witnesses: witnesses(folders, members, store),
        stem,
        next: AtomicUsize::new(0),
    };
    for (at, witness, _) in roll.call() {
        let root = MemberPaths::new(folders, &members[at]).project;
        let testimony = Reader::new(witness.looks(), &root).and_then(Reader::testimony);
        known[at] = testimony.map(|testimony| {
            let mut looks = testimony.looks;
            let model = testimony.outcome.model;
            looks.seen.remove(&pointer(&model).0);
            looks.seen.remove(&model);
            looks
        });
    }
    known
}

/// Returns the witnesses of all projects in the workspace, by name; none where they
/// are few enough to be looked up one by one.
fn witnesses(
    folders: &Folders<'_>,
    members: &[Arc<Member>],
    store: &Store,
) -> Option<HashMap<String, Witness>> {
    if members.len() <= FEW {
        return None;
    }
    let first = format!("{}/", folders.real_root().display());
    let last = format!("{first}{}", char::MAX);
    let found = store.witnesses(&first, &last).into_iter();
    Some(found.map(|one| (one.project.clone(), one)).collect())
}

/// What threads share that ask for assistants.
struct Roll<'a> {
    folders: &'a Folders<'a>,
    members: &'a [Arc<Member>],
    all: &'a TrainOptions,
    store: &'a Store,
    witnesses: Option<HashMap<String, Witness>>,
    stem: KeyStem,
    /// The assistant that the next free thread asks for.
    next: AtomicUsize,
}

/// An assistant by its place, its witness, and what that says.
type Found<'r> = (usize, Cow<'r, Witness>, Heard);

impl Roll<'_> {
    /// Asks for all, on this thread and as many others as are worth it.
    fn call(&self) -> Vec<Found<'_>> {
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = self.all.run.jobs.unwrap_or_else(cores);
        let chunks = self.members.len().div_ceil(CHUNK);
        let others = threads.min(chunks).saturating_sub(1);
        thread::scope(|scope| {
            let start = |_| thread::Builder::new().spawn_scoped(scope, || self.ask_in_turn());
            let started: Vec<_> = (0..others).map_while(|at| start(at).ok()).collect();
            let mut found = self.ask_in_turn();
            for thread in started {
                found.extend(thread.join().unwrap_or_default());
            }
            found
        })
    }

    /// Asks for some assistants after the other until there are none left.
    fn ask_in_turn(&self) -> Vec<Found<'_>> {
        let disks = Disks::new(self.all.run.stamps_prove);
        let mut found = Vec::new();
        loop {
            let from = self.next.fetch_add(CHUNK, Ordering::Relaxed);
            let chunk = self.members.iter().enumerate().skip(from).take(CHUNK);
            if chunk.len() == 0 || self.all.run.cancel.is_set() {
                return found;
            }
            for (at, member) in chunk {
                // A bug met here would be met in the training, too, and told there.
                let heard = guarded(|| Ok(self.ask(member, &disks)));
                found.extend(heard.ok().flatten().map(|(one, heard)| (at, one, heard)));
            }
        }
    }

    /// Returns the witness of an assistant, and what it says, if that has nothing
    /// to do.
    fn ask<'r>(&'r self, member: &Member, disks: &Disks) -> Option<(Cow<'r, Witness>, Heard)> {
        let paths = MemberPaths::new(self.folders, member);
        let name = project_name(&paths.real, &paths.config, Want::All);
        let key = self
            .stem
            .key([&paths.domain, &paths.data], [&paths.config, &paths.output]);
        let witness = self.witness(&paths.real, &name)?;
        (witness.key == key).then_some(())?;
        let heard = self.question(&paths.project, disks).hear(&witness)?;
        Some((witness, heard))
    }

    /// Returns the witness of the project in the folder `real`. One that a link leads
    /// to, out of the workspace, is not among those that were read.
    fn witness(&self, real: &Path, name: &str) -> Option<Cow<'_, Witness>> {
        let root = self.folders.real_root();
        match &self.witnesses {
            Some(witnesses) if real != root && real.starts_with(root) => {
                witnesses.get(name).map(Cow::Borrowed)
            }
            _ => self.store.witness(name).map(Cow::Owned),
        }
    }

    fn question<'q>(&'q self, root: &'q Path, disks: &'q Disks) -> Question<'q> {
        Question {
            root,
            environment: &self.all.run.environment,
            store: self.store,
            times: Times {
                now_ns: clock_ns(),
                rest_ns: self.all.run.rest_ns,
                disks,
            },
        }
    }
}
