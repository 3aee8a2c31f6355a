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
use crate::remote::uploads::Expected;
use crate::store::Offer;
use crate::store::RemoteStore;

impl RemoteCache {
    /// Uploads results that the server lacks, while other work goes on; `offer`
    /// returns one with its bytes, if it is still there. [`RemoteCache::finish`] waits
    /// for them as for others.
    pub fn seed(
        self: &Arc<Self>,
        keys: HashSet<Digest>,
        offer: impl Fn(Digest) -> Option<Offer> + Send + 'static,
    ) {
        if keys.is_empty() || !self.takes_offers() {
            return;
        }
        let expected = self.uploads.expect(keys.len());
        let remote = Arc::clone(self);
        // Where the system gives no thread, they are not uploaded.
        let _ = thread::Builder::new()
            .name("seeding".to_owned())
            .spawn(move || remote.seed_all(keys, &offer, &expected));
    }

    fn seed_all(
        &self,
        keys: HashSet<Digest>,
        offer: &dyn Fn(Digest) -> Option<Offer>,
        expected: &Expected,
    ) {
        let line = Arc::clone(&self.line);
        let wanted: Vec<Digest> = keys.iter().copied().collect();
        let Some(Some(lacking)) = self.wait(async move { lacking(&line, wanted).await }) else {
            return;
        };
        expected.are_settled(keys.len() - lacking.len());
        for key in lacking {
            // Those that are read wait in memory: only a few at a time.
            while expected.must_wait() {
                if !self.takes_offers() || self.is_cancelled() {
                    return;
                }
            }
            if expected.is_over() {
                return;
            }
            if let Some(offer) = offer(key) {
                self.offer(offer);
            }
            expected.are_settled(1);
        }
    }
}

/// Returns those of `keys` that the server does not have; none if it does not say.
async fn lacking(line: &Arc<Line>, keys: Vec<Digest>) -> Option<Vec<Digest>> {
    let mut lacking = Vec::new();
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
            Some(Ok((key, Some(false)))) => lacking.push(key),
            Some(_) => return None,
            None => return Some(lacking),
        }
    }
}
