//! Results that were here before the server was known: they are uploaded in the
//! background, as far as it lacks them.
//!
//! It is asked for each as anybody would ask who looks for it: what lies in a store
//! of blobs says nothing of whether it is found.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use tokio::task::JoinSet;

use crate::digest::Digest;
use crate::remote::RemoteCache;
use crate::remote::action::ActionKey;
use crate::remote::cache::SIDE_BY_SIDE;
use crate::remote::line::Line;
use crate::remote::line::locked;
use crate::remote::uploads::Expected;
use crate::store::Offer;
use crate::store::RemoteStore;

/// Results that wait to be asked for. One thread does that for all who bring some, so
/// that a thousand assistants ask no more at a time than one.
#[derive(Default)]
pub(super) struct Seeding {
    waiting: Vec<Seeds>,
    /// Whether a thread is at it.
    is_under_way: bool,
    /// Keys that somebody brought in this run.
    brought: HashSet<Digest>,
}

/// Results that one training brings.
struct Seeds {
    keys: Vec<Digest>,
    offer: Box<dyn Fn(Digest) -> Option<Offer> + Send>,
    expected: Expected,
}

impl Seeding {
    /// Begins another run.
    pub(super) fn begin(&mut self) {
        self.brought.clear();
    }

    /// Returns what waits; nothing is under way any more if that is nothing.
    fn take(&mut self) -> Vec<Seeds> {
        self.is_under_way = !self.waiting.is_empty();
        std::mem::take(&mut self.waiting)
    }
}

impl RemoteCache {
    /// Uploads results that the server lacks, while other work goes on; `offer`
    /// returns one with its bytes, if it is still there. [`RemoteCache::finish`] waits
    /// for them as for others. What somebody else brings in the same run is left to
    /// them.
    pub fn seed(
        self: &Arc<Self>,
        keys: HashSet<Digest>,
        offer: impl Fn(Digest) -> Option<Offer> + Send + 'static,
    ) {
        if !self.takes_offers() {
            return;
        }
        let mut seeding = locked(&self.seeding);
        let keys: Vec<Digest> = keys
            .into_iter()
            .filter(|key| seeding.brought.insert(*key))
            .collect();
        if keys.is_empty() {
            return;
        }
        seeding.waiting.push(Seeds {
            expected: self.uploads.expect(keys.len()),
            keys,
            offer: Box::new(offer),
        });
        if std::mem::replace(&mut seeding.is_under_way, true) {
            return;
        }
        let remote = Arc::clone(self);
        let started = thread::Builder::new()
            .name("seeding".to_owned())
            .spawn(move || remote.seed_all());
        if started.is_err() {
            // Where the system gives no thread, they are not uploaded.
            seeding.take();
            seeding.is_under_way = false;
        }
    }

    /// Asks for what waits, and uploads what the server lacks, until nothing waits.
    fn seed_all(&self) {
        loop {
            let all = locked(&self.seeding).take();
            if all.is_empty() {
                return;
            }
            let line = Arc::clone(&self.line);
            let wanted = all.iter().flat_map(|seeds| &seeds.keys).copied();
            let wanted: Vec<Digest> = wanted.collect();
            let lacking = self.wait(async move { lacking(&line, wanted).await });
            // Without an answer they are left, as what is dropped here is.
            if let Some(Some(lacking)) = lacking {
                all.iter().for_each(|seeds| self.upload(seeds, &lacking));
            }
        }
    }

    fn upload(&self, seeds: &Seeds, lacking: &HashSet<Digest>) {
        let Seeds {
            keys,
            offer,
            expected,
        } = seeds;
        for key in keys {
            if !lacking.contains(key) {
                expected.are_settled(1);
                continue;
            }
            // Those that are read wait in memory: only a few at a time.
            while expected.must_wait() {
                if !self.takes_offers() || self.is_cancelled() {
                    return;
                }
            }
            if expected.is_over() {
                return;
            }
            // One that is gone by now is left.
            if let Some(offer) = offer(*key) {
                self.offer(offer);
                expected.are_settled(1);
            }
        }
    }
}

/// Returns those of `keys` that the server does not have; none if it does not say.
async fn lacking(line: &Arc<Line>, keys: Vec<Digest>) -> Option<HashSet<Digest>> {
    let mut lacking = HashSet::new();
    let mut calls = JoinSet::new();
    let mut keys = keys.into_iter();
    loop {
        while calls.len() < SIDE_BY_SIDE
            && let Some(key) = keys.next()
        {
            let line = Arc::clone(line);
            calls.spawn(async move { (key, line.has_action(&ActionKey::of(key)).await) });
        }
        match calls.join_next().await {
            Some(Ok((_, Some(true)))) => {}
            Some(Ok((key, Some(false)))) => {
                lacking.insert(key);
            }
            Some(_) => return None,
            None => return Some(lacking),
        }
    }
}
