//! Who uses a cache folder: all who may write share a lock, and whoever removes
//! things must have it alone.
//!
//! The lock is the file `locks/users`, held by the operating system for as long
//! as the store lives. While it is shared, nothing that a run has found in the
//! cache can be taken away from it. Where locks do not work everybody counts as
//! alone, and only what has been lying about for long is removed.

use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::store::Store;
use crate::store::database::locked;
use crate::store::lock::is_at;
use crate::store::lock::open;

/// How long to sleep between two attempts, in milliseconds.
const PAUSE_MS: u64 = 20;

/// The right to remove things from the cache: no other process uses it until
/// this is dropped.
pub struct Alone<'a> {
    store: &'a Store,
    is_sure: bool,
}

impl Alone<'_> {
    /// Returns whether the lock is really held; false where locks do not work.
    pub fn is_sure(&self) -> bool {
        self.is_sure
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Some(file) = &*locked(&self.store.presence) {
            let _ = file.unlock();
            let _ = file.try_lock_shared();
        }
    }
}

impl Store {
    /// Returns the right to remove things; none while another process uses the
    /// cache.
    pub fn alone(&self) -> Option<Alone<'_>> {
        let presence = locked(&self.presence);
        let Some(file) = &*presence else {
            return Some(Alone {
                store: self,
                is_sure: false,
            });
        };
        let _ = file.unlock();
        let is_sure = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::Error(_)) => false,
            Err(TryLockError::WouldBlock) => {
                // Somebody who is alone has it for a moment only.
                let _ = file.lock_shared();
                return None;
            }
        };
        Some(Alone {
            store: self,
            is_sure,
        })
    }
}

/// Joins the users of a cache folder; none where that is not possible. Waits at
/// most `wait_ms` for one who is alone in it.
pub(super) fn join(folder: &Path, wait_ms: u32) -> Option<File> {
    let path = folder.join("locks").join("users");
    let mut waited_ms = 0;
    loop {
        fs::create_dir_all(folder.join("locks")).ok()?;
        let file = open(&path).ok()?;
        match file.try_lock_shared() {
            Ok(()) if is_at(&file, &path) => return Some(file),
            // The folder was cleared between opening and locking.
            Ok(()) => {}
            Err(TryLockError::Error(_)) => return None,
            Err(TryLockError::WouldBlock) if waited_ms >= u64::from(wait_ms) => return Some(file),
            Err(TryLockError::WouldBlock) => {
                thread::sleep(Duration::from_millis(PAUSE_MS));
                waited_ms += PAUSE_MS;
            }
        }
    }
}

/// Takes the lock of a folder alone, without a store; none while it is used.
/// The outer `Ok` holds no file where locks do not work.
pub(super) fn take_alone(folder: &Path) -> Option<Option<File>> {
    let path = folder.join("locks").join("users");
    let Ok(file) = File::options().read(true).write(true).open(&path) else {
        // Nobody has ever joined.
        return Some(None);
    };
    match file.try_lock() {
        Ok(()) => Some(Some(file)),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(_)) => Some(None),
    }
}
