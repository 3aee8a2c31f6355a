//! Advisory locks between processes: one a task, so that a second process
//! waits for the first and then finds its result.
//!
//! A lock is a file in `locks/`, held by the operating system for as long as
//! the file is open, so that a killed process holds none. The file's text says
//! who holds it, for messages only. Files are opened close-on-exec: no child
//! keeps a lock alive.

use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::Duration;

use crate::digest::Digest;
use crate::store::Access;
use crate::store::Store;

/// The right to do the work of one key. Dropping it lets the next one in.
#[derive(Debug)]
pub struct TaskLock {
    /// None when the store has no locks: then everybody has the right.
    held: Option<(File, PathBuf)>,
}

/// What asking for a lock gave.
#[derive(Debug)]
pub enum Locked {
    /// The lock, at once.
    AtOnce(TaskLock),
    /// The lock, after another process had let go of it: its result may be
    /// there now.
    AfterWaiting(TaskLock),
    /// Waiting was cancelled.
    Cancelled,
}

/// How long to sleep between two attempts.
const PAUSE_MS: [u64; 5] = [5, 10, 20, 50, 100];

impl Store {
    /// Waits for the right to do the work of `key`.
    ///
    /// `on_wait` is called once, with the holder's description of itself, when
    /// another process is at it; `is_cancelled` is asked between attempts. A
    /// store without working locks grants everything.
    pub fn lock(
        &self,
        key: Digest,
        on_wait: &dyn Fn(&str),
        is_cancelled: &dyn Fn() -> bool,
    ) -> Locked {
        let Some(folder) = self.folder().filter(|_| self.is_writable()) else {
            return Locked::AtOnce(TaskLock { held: None });
        };
        let path = folder.join("locks").join(key.to_string());
        let mut attempts = 0;
        loop {
            match attempt(&path) {
                Ok(Some(file)) => {
                    let lock = TaskLock {
                        held: Some((file, path)),
                    };
                    return if attempts == 0 {
                        Locked::AtOnce(lock)
                    } else {
                        Locked::AfterWaiting(lock)
                    };
                }
                Ok(None) => {}
                Err(_) => return Locked::AtOnce(TaskLock { held: None }),
            }
            if attempts == 0 {
                on_wait(&holder(&path));
            }
            if is_cancelled() {
                return Locked::Cancelled;
            }
            thread::sleep(Duration::from_millis(
                PAUSE_MS[attempts.min(PAUSE_MS.len() - 1)],
            ));
            attempts += 1;
        }
    }
}

impl Drop for TaskLock {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.held {
            // Removed while held: who opened it before sees that it is gone.
            let _ = fs::remove_file(path);
        }
    }
}

/// Locks the file at `path`; none if another process has it.
fn attempt(path: &Path) -> io::Result<Option<File>> {
    loop {
        let mut file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if is_at(&file, path) {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "process {}", process::id())?;
            return Ok(Some(file));
        }
        // The last holder removed the file between opening and locking.
    }
}

/// Opens a lock's file, and makes it if it is not there.
pub(super) fn open(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Returns whether `file` is still the one that `path` names.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(found)) => held.ino() == found.ino() && held.dev() == found.dev(),
        _ => false,
    }
}

/// Elsewhere an open file cannot be removed, so it is always the same one.
#[cfg(not(unix))]
pub(super) fn is_at(_: &File, _: &Path) -> bool {
    true
}

fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(200).read_to_string(&mut text));
    match read {
        Ok(size) if size > 0 => text,
        _ => "another process".to_owned(),
    }
}

/// Returns why no file in the folder can be locked in the way that SQLite does it;
/// none if it can be, or if that cannot be found out.
#[cfg(unix)]
pub(super) fn refusal(folder: &Path, access: Access) -> Option<String> {
    use nix::errno::Errno;
    use nix::fcntl::FcntlArg;
    use nix::fcntl::fcntl;
    let path = folder.join("locks").join("creation");
    let file = match access {
        Access::ReadWrite => open(&path).ok()?,
        Access::ReadOnly => File::options().read(true).write(true).open(path).ok()?,
    };
    let range = nix::libc::flock {
        l_type: nix::libc::F_WRLCK as nix::libc::c_short,
        l_whence: nix::libc::SEEK_SET as nix::libc::c_short,
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    };
    match fcntl(&file, FcntlArg::F_SETLK(&range)) {
        // Closing the file lets go of it.
        Ok(_) => None,
        // Somebody has it, so locks work.
        Err(Errno::EACCES | Errno::EAGAIN | Errno::EINTR) => None,
        Err(error) => Some(error.desc().to_owned()),
    }
}

/// Returns nothing: locks work elsewhere, or are said to.
#[cfg(not(unix))]
pub(super) fn refusal(_: &Path, _: Access) -> Option<String> {
    None
}

/// Waits for the lock under which databases are created and put aside; none
/// where locks do not work.
pub(super) fn creation(folder: &Path) -> Option<File> {
    let file = open(&folder.join("locks").join("creation")).ok()?;
    file.lock().ok()?;
    Some(file)
}
