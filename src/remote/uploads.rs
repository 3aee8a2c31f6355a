//! Uploads in the background: bounded in number and in bytes.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::remote::action::ActionKey;
use crate::remote::action::Blob;
use crate::remote::action::Name;
use crate::remote::action::action_result;
use crate::remote::line::Line;
use crate::remote::line::locked;
use crate::remote::wire::blob;
use crate::store::Offer;

/// Results that wait or are under way.
const RESULTS_MAX: usize = 1_000;

/// Bytes that these have.
const BYTES_MAX: u64 = 512 << 20;

/// Results under way, and bytes that these have, with which no more are read only
/// to be uploaded.
const READ_MAX: usize = 2 * SIDE_BY_SIDE;
const READ_BYTES_MAX: u64 = 64 << 20;

/// Uploads at the same time.
const SIDE_BY_SIDE: usize = 4;

/// How often one who waits looks whether to go on.
const PAUSE: Duration = Duration::from_millis(20);

/// What became of the results of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uploaded {
    /// Results that others can find now.
    pub results: usize,
    /// Bytes that were sent for them: what the server had already was not.
    pub bytes: u64,
    /// Results that were not uploaded.
    pub left: usize,
}

/// The results that wait, and those that are under way.
pub(super) struct Uploads {
    count: Mutex<Count>,
    changed: Condvar,
    places: Semaphore,
}

#[derive(Default)]
struct Count {
    pending: usize,
    bytes: u64,
    /// Results of which it is not settled yet whether they are uploaded.
    expected: usize,
    uploaded: Uploaded,
    /// How many runs are over.
    runs: usize,
}

/// Results of a run of which it is not settled yet whether they are uploaded.
pub(super) struct Expected {
    uploads: Arc<Uploads>,
    run: usize,
    /// How many are left.
    rest: AtomicUsize,
}

impl Drop for Expected {
    /// Those that are left then are not uploaded.
    fn drop(&mut self) {
        let rest = *self.rest.get_mut();
        let mut all = locked(&self.uploads.count);
        if all.runs == self.run {
            all.expected -= rest;
            all.uploaded.left += rest;
        }
        drop(all);
        self.uploads.changed.notify_all();
    }
}

impl Expected {
    /// Notes that so many are on their way, or need not be.
    pub(super) fn are_settled(&self, count: usize) {
        self.rest.fetch_sub(count, Ordering::Relaxed);
        let mut all = locked(&self.uploads.count);
        if all.runs == self.run {
            all.expected -= count;
        }
        drop(all);
        self.uploads.changed.notify_all();
    }

    /// Returns whether nobody waits for them any more.
    pub(super) fn is_over(&self) -> bool {
        locked(&self.uploads.count).runs != self.run
    }

    /// Returns whether enough is under way; waits for a moment if it is.
    pub(super) fn must_wait(&self) -> bool {
        let is_enough = |count: &Count| {
            count.runs == self.run && (count.pending >= READ_MAX || count.bytes >= READ_BYTES_MAX)
        };
        let count = locked(&self.uploads.count);
        if !is_enough(&count) {
            return false;
        }
        let waited = self.uploads.changed.wait_timeout(count, PAUSE);
        is_enough(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Uploads {
    pub(super) fn new() -> Self {
        Self {
            count: Mutex::default(),
            changed: Condvar::new(),
            places: Semaphore::new(SIDE_BY_SIDE),
        }
    }

    /// Notes that it will turn out of so many results whether they are uploaded.
    pub(super) fn expect(self: &Arc<Self>, count: usize) -> Expected {
        let mut all = locked(&self.count);
        all.expected += count;
        Expected {
            uploads: Arc::clone(self),
            run: all.runs,
            rest: AtomicUsize::new(count),
        }
    }

    /// Takes a result, if there is room for it.
    pub(super) fn take(self: &Arc<Self>, line: &Arc<Line>, offer: Offer, runtime: &Handle) {
        let bytes = offer.bytes.values().map(|bytes| bytes.len() as u64).sum();
        {
            let mut count = locked(&self.count);
            let has_room = count.pending == 0
                || (count.pending < RESULTS_MAX && count.bytes + bytes <= BYTES_MAX);
            if !has_room || !line.takes_uploads() {
                count.uploaded.left += 1;
                return;
            }
            count.pending += 1;
            count.bytes += bytes;
        }
        let uploads = Arc::clone(self);
        let line = Arc::clone(line);
        runtime.spawn(async move {
            let place = uploads.places.acquire().await;
            let sent = upload(&line, &offer).await;
            drop(place);
            drop(offer);
            uploads.done(bytes, sent);
        });
    }

    fn done(&self, bytes: u64, sent: Option<u64>) {
        let mut count = locked(&self.count);
        count.pending -= 1;
        count.bytes -= bytes;
        match sent {
            Some(sent) => {
                count.uploaded.results += 1;
                count.uploaded.bytes += sent;
            }
            None => count.uploaded.left += 1,
        }
        drop(count);
        self.changed.notify_all();
    }

    /// Waits until all is uploaded, for as long as `wait` at most; `is_over` says
    /// that waiting is of no use. Returns what became of results since the last
    /// call; those that are under way then count as left.
    pub(super) fn finish(&self, wait: Duration, is_over: &dyn Fn() -> bool) -> Uploaded {
        let end = Instant::now() + wait;
        let mut count = locked(&self.count);
        while count.pending + count.expected > 0 && Instant::now() < end && !is_over() {
            let waited = self.changed.wait_timeout(count, PAUSE);
            count = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let left = count.pending + std::mem::take(&mut count.expected);
        count.runs += 1;
        let mut uploaded = std::mem::take(&mut count.uploaded);
        uploaded.left += left;
        uploaded
    }
}

/// Uploads a result: blobs first, what names them last, so that whoever finds the
/// result finds the blobs. Returns how many bytes were sent.
async fn upload(line: &Line, offer: &Offer) -> Option<u64> {
    if !line.takes_uploads() {
        return None;
    }
    let key = ActionKey::of(offer.key);
    let mut blobs: Vec<Blob> = key.blobs().into();
    for named in offer.result.blobs() {
        let bytes = offer.bytes.get(&named.output.digest)?;
        blobs.push(blob(Name::from(&named), bytes));
    }
    let sent = line.write(&blobs).await?;
    line.put_action(&key, &action_result(offer)).await?;
    Some(sent)
}
