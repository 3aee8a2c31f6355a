//! Puts an archive into its folder, whole or not at all.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::archive::ArchiveError;
use crate::archive::Packed;
use crate::archive::archive_path;
use crate::archive::latest::point_to;
use crate::digest::Digest;

/// Where an archive is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The archive, as a path of the kind that `out` was (relative or not).
    pub path: PathBuf,
    /// Whether the file had to be written; if not, it is untouched, its
    /// modification time included.
    pub is_new: bool,
}

/// Writes `packed` below `out` (see [`archive_path`] for its name) and points
/// the folder's `latest.json` to it.
///
/// The file appears under its name complete or not at all: it is written under
/// a temporary name in the same folder, flushed to the disk and renamed. A file
/// that already has these bytes is left untouched; one with other bytes is
/// replaced.
///
/// # Errors
///
/// If the name is not allowed or something cannot be written. The temporary
/// file is removed then.
pub fn place(
    packed: &Packed,
    out: &Path,
    fixed_name: Option<&str>,
) -> Result<Placed, ArchiveError> {
    let path = archive_path(out, fixed_name, packed.training_type, &packed.digest)?;
    let is_new = write_if_changed(&path, &packed.bytes)?;
    point_to(&path)?;
    Ok(Placed { path, is_new })
}

/// Returns whether the file at `path` is there and its bytes have this digest:
/// then an archive need not be packed again to know that it is in its place.
pub fn holds(path: &Path, file_digest: &Digest) -> bool {
    let mut hasher = blake3::Hasher::new();
    let read = File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
    read.is_ok() && Digest::from_bytes(*hasher.finalize().as_bytes()) == *file_digest
}

/// Writes a file in one step unless it has these bytes already; returns whether
/// it was written.
///
/// # Errors
///
/// If it cannot be written; then it is as it was.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool, ArchiveError> {
    if fs::metadata(path).is_ok_and(|there| there.len() == bytes.len() as u64)
        && holds(path, &Digest::of(bytes))
    {
        return Ok(false);
    }
    write_whole(path, bytes).map_err(|source| ArchiveError::Write {
        path: path.to_owned(),
        source,
    })?;
    Ok(true)
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut temporary = Temporary::beside(path)?;
    temporary.file.write_all(bytes)?;
    temporary.file.sync_all()?;
    fs::rename(&temporary.path, path)?;
    // The rename is atomic either way; this makes it last through a power cut,
    // where the system lets a folder be opened.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Characters of a name that its temporary name begins with.
const SHOWN_CHARS: usize = 40;

/// A file under a name that nobody looks for. Removed when dropped, unless it
/// was renamed.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    /// Creates one in the folder of `path`: `.<name>.<process>-<number>.tmp`, with
    /// the beginning of the name.
    fn beside(path: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = path
            .file_name()
            .ok_or(io::ErrorKind::InvalidInput)?
            .to_string_lossy();
        // The name may be as long as the disk takes already.
        let name: String = name.chars().take(SHOWN_CHARS).collect();
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let temporary = format!(".{name}.{}-{number}.tmp", process::id());
            let path = path.with_file_name(temporary);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { path, file }),
                // Left behind by a process that was killed and had our number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is nothing to remove, and that is as it should be.
        let _ = fs::remove_file(&self.path);
    }
}
