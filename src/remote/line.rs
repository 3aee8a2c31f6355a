//! The line to a server: calls again what may pass, hangs up on what does not get
//! better, and says so once.
//!
//! ```text
//!             passing, thrice             slow, refused, lasting; nonsense, often
//!   call ──▶ ─────────────────▶ again    ───────────────────────────────────────▶ down
//! ```

use std::collections::BTreeSet;
use std::mem;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2::ActionResult;
use tokio::time::Instant;
use tokio::time::sleep;

use crate::remote::action::ActionKey;
use crate::remote::action::Blob;
use crate::remote::action::Name;
use crate::remote::execute::Job;
use crate::remote::fault::Fault;
use crate::remote::headers::Headers;
use crate::remote::pace::seconds;
use crate::remote::patience::Patience;
use crate::remote::wire::Wire;
use crate::store::Warning;

/// Pauses before a call is made again, in milliseconds.
const PAUSES_MS: [u64; 3] = [50, 200, 800];

/// Answers that make no sense before the server is not asked again.
const WRONG_MAX: u32 = 8;

/// A server that is asked for things as long as it is worth it.
pub(super) struct Line {
    wire: Wire,
    /// The server's address, as messages name it.
    shown: String,
    headers: Headers,
    timeout: Duration,
    is_down: AtomicBool,
    /// Whether that was asked for.
    may_upload: bool,
    takes_uploads: AtomicBool,
    executes: AtomicBool,
    wrong_count: AtomicU32,
    /// For what look-ups and fetches take beyond what is usual.
    patience: Patience,
    warnings: Mutex<Warnings>,
}

/// Warnings that nobody has taken yet, and kinds of those that were said.
#[derive(Default)]
struct Warnings {
    waiting: Vec<Warning>,
    said: BTreeSet<String>,
}

/// What a call is for: what a failure means depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Read,
    Write,
}

impl Line {
    /// Returns a line on which nothing was asked yet.
    pub(super) fn new(
        wire: Wire,
        shown: String,
        headers: Headers,
        timeout: Duration,
        takes_uploads: bool,
    ) -> Self {
        Self {
            wire,
            shown,
            headers,
            timeout,
            is_down: AtomicBool::new(false),
            may_upload: takes_uploads,
            takes_uploads: AtomicBool::new(takes_uploads),
            executes: AtomicBool::new(true),
            wrong_count: AtomicU32::new(0),
            patience: Patience::new(timeout),
            warnings: Mutex::default(),
        }
    }

    /// Returns whether the server is not asked any more.
    pub(super) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    /// Returns whether results can be uploaded.
    pub(super) fn takes_uploads(&self) -> bool {
        !self.is_down() && self.takes_uploads.load(Ordering::Relaxed)
    }

    /// Returns whether jobs can be run, as far as is known.
    pub(super) fn executes(&self) -> bool {
        !self.is_down() && self.executes.load(Ordering::Relaxed)
    }

    /// Returns whether jobs run there, or are being cancelled.
    pub(super) fn has_jobs(&self) -> bool {
        self.wire.has_jobs()
    }

    /// Runs no more jobs, and says why.
    pub(super) fn stop_executing(&self, why: &str) {
        if self.executes.swap(false, Ordering::Relaxed) && !self.is_down() {
            let shown = &self.shown;
            self.warn(
                "execution",
                format!("`{shown}` does not run tasks ({why}), going on without it"),
            );
        }
    }

    /// Says once which tasks are not sent, and why.
    pub(super) fn keep_here(&self, why: String) {
        self.warn(&why.clone(), why);
    }

    /// Returns the server's address, as messages name it.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Begins a new run: what was wrong in the last one may be right now.
    pub(super) fn begin(&self) {
        self.is_down.store(false, Ordering::Relaxed);
        self.takes_uploads.store(self.may_upload, Ordering::Relaxed);
        self.executes.store(true, Ordering::Relaxed);
        self.wrong_count.store(0, Ordering::Relaxed);
        self.patience.renew();
        locked(&self.warnings).said.clear();
    }

    /// Returns the warnings that came up since the last call.
    pub(super) fn take_warnings(&self) -> Vec<Warning> {
        mem::take(&mut locked(&self.warnings).waiting)
    }

    /// Waits for look-ups or fetches that usually take no longer than `usual`. A
    /// server that has used up all patience is not asked again.
    pub(super) async fn patiently<T>(
        &self,
        usual: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let done = self.patience.wait(usual, work).await;
        if done.is_none() {
            self.hang_up(format!(
                "`{}` has kept this run waiting for {} in all, going on without it",
                self.shown,
                seconds(self.timeout)
            ));
        }
        done
    }

    /// Returns the description of a result, if there is one.
    pub(super) async fn action(&self, key: &ActionKey) -> Option<ActionResult> {
        let mut tries = self.tries(Purpose::Read);
        loop {
            match self.wire.action(key).await {
                Ok(found) => return found,
                Err(fault) => tries.after(fault).await?,
            }
        }
    }

    /// Returns whether there is a result, for one who would store it; none if the
    /// server does not say.
    pub(super) async fn has_action(&self, key: &ActionKey) -> Option<bool> {
        let mut tries = self.tries(Purpose::Write);
        while self.takes_uploads() {
            match self.wire.action(key).await {
                Ok(found) => return Some(found.is_some()),
                // It is stored anew.
                Err(Fault::Wrong(_)) => return Some(false),
                Err(fault) => tries.after(fault).await?,
            }
        }
        None
    }

    /// Returns the bytes of blobs in their order, each as its name says; none if
    /// one cannot be had.
    pub(super) async fn read(&self, names: &[Name]) -> Option<Vec<Vec<u8>>> {
        let sizes: Vec<u64> = names.iter().map(|name| name.size).collect();
        let mut blobs = vec![Vec::new(); names.len()];
        for group in self.groups(&sizes, Purpose::Read).await? {
            let some: Vec<Name> = group.iter().map(|&index| names[index]).collect();
            for (index, bytes) in group.into_iter().zip(self.read_group(&some).await?) {
                blobs[index] = bytes;
            }
        }
        Some(blobs)
    }

    async fn read_group(&self, names: &[Name]) -> Option<Vec<Vec<u8>>> {
        let mut tries = self.tries(Purpose::Read);
        let blobs = loop {
            match self.wire.read(names).await {
                Ok(found) => break found,
                Err(fault) => tries.after(fault).await?,
            }
        };
        let mut checked = Vec::with_capacity(blobs.len());
        for (name, bytes) in names.iter().zip(blobs) {
            let bytes = bytes?;
            if Name::of(&bytes) != *name {
                let text = format!("the bytes of blob {} are others", name.sha256);
                self.judge(&Fault::Wrong(text), Purpose::Read);
                return None;
            }
            checked.push(bytes);
        }
        Some(checked)
    }

    /// Stores blobs that the server does not have; returns how many bytes that
    /// were, and none if it did not work.
    pub(super) async fn write(&self, blobs: &[Blob]) -> Option<u64> {
        let names: Vec<Name> = blobs.iter().map(|(name, _)| *name).collect();
        let mut tries = self.tries(Purpose::Write);
        let missing = loop {
            match self.wire.missing(&names).await {
                Ok(missing) => break missing,
                Err(fault) => tries.after(fault).await?,
            }
        };
        let is_missing = |blob: &&Blob| missing.contains(&blob.0);
        let blobs: Vec<Blob> = blobs.iter().filter(is_missing).cloned().collect();
        let sizes: Vec<u64> = blobs.iter().map(|(name, _)| name.size).collect();
        for group in self.groups(&sizes, Purpose::Write).await? {
            let some: Vec<Blob> = group.iter().map(|&index| blobs[index].clone()).collect();
            let mut tries = self.tries(Purpose::Write);
            while let Err(fault) = self.wire.write(&some).await {
                tries.after(fault).await?;
            }
        }
        Some(sizes.iter().sum())
    }

    /// Stores the description of a result, whose blobs must be there.
    pub(super) async fn put_action(&self, key: &ActionKey, result: &ActionResult) -> Option<()> {
        let mut tries = self.tries(Purpose::Write);
        while let Err(fault) = self.wire.put_action(key, result).await {
            tries.after(fault).await?;
        }
        Some(())
    }

    /// Runs a job; returns the bytes of the file that it writes, or what went
    /// wrong, in words. The cache of the same server is another matter.
    pub(super) async fn execute(&self, job: &Job) -> Result<Vec<u8>, String> {
        let mut count = 0;
        loop {
            let fault = match self.wire.execute(job).await {
                Ok(bytes) => return Ok(bytes),
                Err(fault) => fault,
            };
            match PAUSES_MS.get(count).filter(|_| fault.may_pass()) {
                Some(ms) => sleep(Duration::from_millis(*ms)).await,
                None => return Err(self.headers.harmless(fault.text())),
            }
            count += 1;
        }
    }

    async fn groups(&self, sizes: &[u64], purpose: Purpose) -> Option<Vec<Vec<usize>>> {
        let mut tries = self.tries(purpose);
        loop {
            match self.wire.groups(sizes).await {
                Ok(groups) => return Some(groups),
                Err(fault) => tries.after(fault).await?,
            }
        }
    }

    fn tries(&self, purpose: Purpose) -> Tries<'_> {
        Tries {
            line: self,
            purpose,
            since: Instant::now(),
            count: 0,
        }
    }

    /// Says that a result is not what it should be.
    pub(super) fn refuse(&self, what: &str) {
        self.judge(&Fault::Wrong(what.to_owned()), Purpose::Read);
    }

    /// Draws the consequences of a fault that is there to stay.
    fn judge(&self, fault: &Fault, purpose: Purpose) {
        let told = self.headers.harmless(fault.text());
        let shown = &self.shown;
        match fault {
            Fault::Slow | Fault::Passing(_) if purpose == Purpose::Write => {
                self.stop_uploads(format!(
                    "`{shown}` does not take results at the moment ({told}), nothing more is uploaded"
                ));
            }
            Fault::Slow => self.hang_up(format!(
                "`{shown}` did not answer within {}, going on without it",
                seconds(self.timeout)
            )),
            Fault::Refused(_) if purpose == Purpose::Read => self.hang_up(format!(
                "`{shown}` refuses access ({told}), going on without it; {}",
                self.where_to_look()
            )),
            Fault::Refused(_) => self.stop_uploads(format!(
                "`{shown}` takes no results ({told}), nothing more is uploaded; {}",
                self.where_to_look()
            )),
            Fault::NotTaken(_) => self.stop_uploads(format!(
                "`{shown}` takes no results ({told}), nothing more is uploaded; `read` is the \
                 mode for it"
            )),
            Fault::Wrong(_) => self.count_wrong(&told),
            Fault::Lasting(_) if purpose == Purpose::Write => self.stop_uploads(format!(
                "`{shown}` takes no results ({told}), nothing more is uploaded"
            )),
            Fault::Passing(_) | Fault::Lasting(_) => self.hang_up(format!(
                "`{shown}` cannot be used ({told}), going on without it"
            )),
        }
    }

    fn count_wrong(&self, told: &str) {
        let shown = &self.shown;
        self.warn(
            "wrong",
            format!("`{shown}` gave something that is not used: {told}"),
        );
        if self.wrong_count.fetch_add(1, Ordering::Relaxed) + 1 >= WRONG_MAX {
            self.hang_up(format!(
                "`{shown}` keeps giving what cannot be used, going on without it"
            ));
        }
    }

    fn where_to_look(&self) -> String {
        match &self.headers.place {
            Some(place) => format!("it was asked with the headers of {place}"),
            None => "headers with a token are read from the file that `--remote-header-file` \
                     names, or from TABELLA_REMOTE_HEADERS"
                .to_owned(),
        }
    }

    fn hang_up(&self, told: String) {
        if !self.is_down.swap(true, Ordering::Relaxed) {
            self.warn("down", told);
        }
    }

    fn stop_uploads(&self, told: String) {
        if self.takes_uploads.swap(false, Ordering::Relaxed) && !self.is_down() {
            self.warn("uploads", told);
        }
    }

    /// Says something of a kind, once in a run.
    fn warn(&self, kind: &str, cause: String) {
        let mut warnings = locked(&self.warnings);
        if warnings.said.insert(kind.to_owned()) {
            warnings.waiting.push(Warning::Remote { cause });
        }
    }
}

/// The tries of one call.
struct Tries<'a> {
    line: &'a Line,
    purpose: Purpose,
    since: Instant,
    count: usize,
}

impl Tries<'_> {
    /// Waits until the call is worth making again; none if it is not.
    async fn after(&mut self, fault: Fault) -> Option<()> {
        if self.line.is_down() {
            return None;
        }
        let pause = PAUSES_MS.get(self.count).filter(|_| fault.may_pass());
        let pause = pause.map(|ms| Duration::from_millis(*ms));
        let in_time = |pause: &Duration| self.since.elapsed() + *pause < self.line.timeout;
        let Some(pause) = pause.filter(in_time) else {
            self.line.judge(&fault, self.purpose);
            return None;
        };
        self.count += 1;
        sleep(pause).await;
        (!self.line.is_down()).then_some(())
    }
}

/// Locks `mutex`, whoever panicked with it.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
