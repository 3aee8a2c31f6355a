//! What trainings that run side by side share: the cache, opened once, and the
//! threads that they compute with.

use std::collections::BTreeSet;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rayon::ThreadPool;
use rayon::ThreadPoolBuilder;

use crate::api::CacheSettings;
use crate::api::MemoryLimit;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::RunSettings;
use crate::api::TrainError;
use crate::api::in_project;
use crate::api::remote::note_all_handed;
use crate::api::run_tasks::places;
use crate::api::witness::PutWitness;
use crate::digest::Digest;
use crate::engine::Budget;
use crate::engine::Places;
use crate::store::Access;
use crate::store::CacheLimits;
use crate::store::RemoteStore;
use crate::store::Store;
use crate::store::StoreSettings;

/// How long a glance waits for another process, in milliseconds.
const GLANCE_MS: u32 = 50;

/// The cache and the threads of several trainings.
///
/// A cache that is off is not shared: without one, nothing that one training did
/// may serve another.
pub struct Shared {
    /// The cache, opened for all.
    pub store: Option<Arc<Store>>,
    /// How many threads for numeric work; none for one a core.
    num_threads: Option<usize>,
    /// These threads, once somebody needs them.
    pool: Mutex<Option<Arc<ThreadPool>>>,
    /// Places for tasks of all trainings, if some are on other machines.
    pub places: Option<Arc<Places>>,
    /// What tasks of all trainings take memory from, if there is a limit.
    pub memory: Option<SharedMemory>,
    /// Keys of results that a training used or made.
    needed: Mutex<Vec<Digest>>,
    /// Witnesses that were put.
    witnesses: Mutex<Vec<PutWitness>>,
}

/// Memory that the tasks of several trainings take from.
#[derive(Clone)]
pub struct SharedMemory {
    /// What they take from.
    pub budget: Arc<Budget>,
    /// What the process had before any of them began, in bytes.
    pub in_use: u64,
}

impl SharedMemory {
    fn new(limit: MemoryLimit) -> Self {
        let in_use = (limit.in_use)();
        let left = limit.max_bytes.saturating_sub(in_use);
        Self {
            budget: Arc::new(Budget::new(left)),
            in_use,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// Opens the cache of `run`. Threads will be as many as it has jobs where their
    /// number is not given, and one a core where neither is.
    pub fn open(run: &RunSettings, access: Access, num_threads: Option<usize>) -> Self {
        let store = match &run.cache {
            CacheSettings::Off => None,
            CacheSettings::Folder(_) => Some(Arc::new(open_store(run, access))),
        };
        Self {
            store,
            num_threads: num_threads.or(run.jobs),
            places: places(run),
            pool: Mutex::default(),
            memory: run.memory.map(SharedMemory::new),
            needed: Mutex::default(),
            witnesses: Mutex::default(),
        }
    }

    /// Returns the threads for numeric work.
    ///
    /// # Errors
    ///
    /// If none can be started.
    pub fn pool(&self) -> Result<Arc<ThreadPool>, TrainError> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = &*pool {
            return Ok(Arc::clone(pool));
        }
        let started = threads(self.num_threads)?;
        *pool = Some(Arc::clone(&started));
        Ok(started)
    }

    /// Notes what a training needs of the cache until all are over.
    pub fn keep(&self, keys: impl IntoIterator<Item = Digest>) {
        let mut needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        needed.extend(keys);
    }

    /// Notes a witness that was put.
    pub fn keep_witness(&self, put: PutWitness) {
        self.witnesses().push(put);
    }

    /// Notes that the remote cache has all results that the witnesses stand on.
    pub fn note_handed(&self, run: &RunSettings) {
        let put = mem::take(&mut *self.witnesses());
        if let Some(store) = &self.store {
            note_all_handed(run, store, &put);
        }
    }

    fn witnesses(&self) -> MutexGuard<'_, Vec<PutWitness>> {
        self.witnesses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the cache within its limits when all trainings are over.
    pub fn tidy(&self, limits: &CacheLimits, observer: &Observer) {
        let Some(store) = &self.store else {
            return;
        };
        let mut needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = mem::take(&mut *needed).into_iter().collect();
        tidy(store, limits, &needed, observer);
    }
}

/// Opens the cache that a run asks for.
pub fn open_store(run: &RunSettings, access: Access) -> Store {
    let store = match &run.cache {
        CacheSettings::Off => Store::in_memory(),
        CacheSettings::Folder(folder) => {
            let folder = in_project(&run.project, folder);
            Store::open(&StoreSettings::new(folder, access))
        }
    };
    tell_warnings(&store, None, &run.observer);
    store
}

/// Opens the cache of `run` for a glance at its witnesses: for reading alone, which
/// costs half, and without a word; none if there is no cache yet. Who finds warnings
/// in it, or more to do than that, opens it as a run does.
pub fn glance(run: &RunSettings) -> Option<Store> {
    let CacheSettings::Folder(folder) = &run.cache else {
        return None;
    };
    let folder = in_project(&run.project, folder);
    Store::is_in(&folder).then(|| {
        Store::open(&StoreSettings {
            busy_timeout_ms: GLANCE_MS,
            ..StoreSettings::new(folder, Access::ReadOnly)
        })
    })
}

/// Starts threads for numeric work, one a core by default.
///
/// # Errors
///
/// If the system gives none.
pub fn threads(count: Option<usize>) -> Result<Arc<ThreadPool>, TrainError> {
    let builder = ThreadPoolBuilder::new().num_threads(count.unwrap_or(0));
    builder.build().map(Arc::new).map_err(TrainError::Threads)
}

/// Keeps the cache within its limits: at most once a day, when archives are in
/// their places, and only if no other process uses the cache.
pub fn tidy(store: &Store, limits: &CacheLimits, needed: &BTreeSet<Digest>, observer: &Observer) {
    if store.folder().is_none() || !store.is_collection_due() {
        return;
    }
    let Some(alone) = store.alone() else {
        return;
    };
    let collected = store.collect(&alone, limits, needed);
    let dropped = collected.map_or(0, |told| told.too_old + told.too_much);
    if dropped > 0 {
        let text = format!("results that were old or too much left the cache: {dropped}");
        observer.tell(Notice::Info(text));
    }
    drop(alone);
    tell_warnings(store, None, observer);
}

/// Tells what is wrong with the cache and with the remote one, once.
pub fn tell_warnings(store: &Store, remote: Option<&dyn RemoteStore>, observer: &Observer) {
    let of_remote = remote.map(|remote| remote.take_warnings());
    let warnings = store.take_warnings().into_iter();
    for warning in warnings.chain(of_remote.unwrap_or_default()) {
        observer.tell(Notice::Warning(warning.to_string()));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_as_many_as_jobs_unless_they_are_given_apart() {
        let count = |jobs, num_threads| {
            let run = RunSettings {
                jobs,
                ..RunSettings::default()
            };
            let shared = Shared::open(&run, Access::ReadOnly, num_threads);
            shared.pool().unwrap().current_num_threads()
        };
        assert_eq!(count(Some(1), None), 1);
        assert_eq!(count(Some(3), None), 3);
        assert_eq!(count(Some(1), Some(2)), 2);
    }
}
