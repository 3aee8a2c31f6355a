//! What an import looked at: each file that it read, each folder that it
//! listed, each link that it followed, and each path at which it found nothing.
//!
//! As long as all of that is the same, another import would give the same, and
//! need not be done. Whether it is, stamps alone say in most cases:
//!
//! | seen | is the same when |
//! |---|---|
//! | nothing, or something that was not opened | it is of the same kind |
//! | a file's bytes | it has the same stamp, or else the same digest |
//! | a folder's entries, or all its names | the same, of names and kinds that can matter |
//! | where a path leads | it leads there |
//!
//! A stamp proves something only when it had come to rest: its change time must
//! lie [`REST_NS`] before the looking began. An edit that keeps the size and
//! sets the modification time back still changes the change time, which programs
//! cannot set; and an edit within the same tick of a coarse clock is too young to
//! be trusted. A clock that was set back since makes no stamp a proof.
//!
//! Not every file system is that good: on those that are not ([`Disks`]), stamps
//! prove nothing.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::SystemTime;

use crate::digest::Digest;
use crate::import::Disks;
use crate::import::Earlier;
use crate::import::walk::Names;
use crate::import::walk::listing;

/// How long a file must have been at rest before it was looked at, in
/// nanoseconds: two seconds, the coarsest clock of the file systems in use.
pub const REST_NS: i64 = 2_000_000_000;

/// What the file system says about a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    /// Size in bytes.
    pub size: u64,
    /// Last change of the contents, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Last change of contents or attributes, nanoseconds since 1970.
    pub ctime_ns: i64,
    /// The file's number on its device.
    pub inode: u64,
    /// The device.
    pub device: u64,
}

impl FileStamp {
    /// Returns the stamp of a file; none where the system does not say enough
    /// to rely on.
    #[cfg(unix)]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let ns =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Some(Self {
            size: metadata.size(),
            mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        })
    }

    /// Returns the stamp of a file; none where the system does not say enough
    /// to rely on.
    #[cfg(not(unix))]
    pub fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

/// What was at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing that can be looked at.
    Nothing,
    /// A file that was not opened.
    File,
    /// A folder that was not listed.
    Folder,
    /// A pipe, device or socket.
    Other,
    /// A file whose bytes have this digest.
    Bytes(Digest),
    /// A folder whose entries have this digest, as far as they can be data.
    Entries(Digest),
    /// A folder all of whose entries have this digest.
    Names(Digest),
}

impl Seen {
    /// Returns what is at a path, without opening it.
    pub fn kind(metadata: &io::Result<Metadata>) -> Self {
        match metadata {
            Ok(metadata) if metadata.is_file() => Self::File,
            Ok(metadata) if metadata.is_dir() => Self::Folder,
            Ok(_) => Self::Other,
            Err(_) => Self::Nothing,
        }
    }

    /// Returns the same without its contents.
    fn without_contents(self) -> Self {
        match self {
            Self::Bytes(_) => Self::File,
            Self::Entries(_) | Self::Names(_) => Self::Folder,
            other => other,
        }
    }
}

/// One look at one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// What was there.
    pub seen: Seen,
    /// The stamp that it had before its contents were read or, if it is a
    /// folder, when they had been.
    pub stamp: Option<FileStamp>,
    /// The clock when the looking began, nanoseconds since 1970.
    pub since_ns: i64,
}

/// Whether a path is what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Same,
    /// Only its contents can tell.
    Unsure,
    /// It is not.
    Changed,
}

/// What stamps are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Times<'a> {
    /// The clock, nanoseconds since 1970.
    pub now_ns: i64,
    /// How long a file must have been at rest when it was looked at, in nanoseconds:
    /// [`REST_NS`] as a rule.
    pub rest_ns: i64,
    /// The disks that files lie on.
    pub disks: &'a Disks,
}

impl Look {
    /// Judges a path by its stamp alone.
    pub fn verdict(&self, path: &Path, times: &Times<'_>) -> Verdict {
        let metadata = fs::metadata(path);
        if Seen::kind(&metadata) != self.seen.without_contents() {
            return Verdict::Changed;
        }
        if self.seen == self.seen.without_contents() {
            return Verdict::Same;
        }
        let now = metadata.ok().and_then(|metadata| FileStamp::of(&metadata));
        let (Some(then), Some(now)) = (self.stamp, now) else {
            return Verdict::Unsure;
        };
        let was_at_rest = then.ctime_ns.saturating_add(times.rest_ns) < self.since_ns;
        let is_proof = was_at_rest && self.since_ns <= times.now_ns;
        let is_file = matches!(self.seen, Seen::Bytes(_));
        match then == now {
            true if is_proof && times.disks.is_trusted(now.device, path) => Verdict::Same,
            false if is_file && then.size != now.size => Verdict::Changed,
            _ => Verdict::Unsure,
        }
    }

    /// Looks at the contents again: a look with the present stamp, if they are
    /// the same.
    pub fn again(&self, path: &Path) -> Option<Self> {
        let again = match self.seen {
            Seen::Bytes(_) => Self::at_file(path),
            Seen::Entries(_) => Self::at_folder(path, Names::OfData),
            Seen::Names(_) => Self::at_folder(path, Names::All),
            _ => return None,
        };
        again.ok().filter(|again| again.seen == self.seen)
    }

    /// Looks at a file and what is in it.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn at_file(path: &Path) -> io::Result<Self> {
        let since_ns = clock_ns();
        if !fs::metadata(path)?.is_file() {
            // Opening a pipe may never end.
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let file = File::open(path)?;
        let stamp = FileStamp::of(&file.metadata()?);
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file)?;
        let digest = Digest::from_bytes(*hasher.finalize().as_bytes());
        Ok(Self {
            seen: Seen::Bytes(digest),
            stamp,
            since_ns,
        })
    }

    /// Looks at a folder and these names in it.
    ///
    /// # Errors
    ///
    /// If it cannot be listed.
    pub fn at_folder(path: &Path, names: Names) -> io::Result<Self> {
        let since_ns = clock_ns();
        let stamp = FileStamp::of(&fs::metadata(path)?);
        let digest = listing(path, names)?;
        Ok(Self {
            seen: match names {
                Names::OfData => Seen::Entries(digest),
                Names::All => Seen::Names(digest),
            },
            stamp,
            since_ns,
        })
    }
}

/// Everything that was looked at, by path as it was named.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    /// What was where.
    pub seen: BTreeMap<PathBuf, Look>,
    /// The digest of where each of these paths leads.
    pub links: BTreeMap<PathBuf, Digest>,
    /// Whether something was looked at twice and was not the same, or could not
    /// be looked at: then nobody can know later whether all is the same.
    pub is_torn: bool,
}

impl Looks {
    /// Adds a look. Of two at the same path, the one that knows the contents
    /// counts.
    pub fn add(&mut self, path: PathBuf, look: Look) {
        let Some(known) = self.seen.get_mut(&path) else {
            self.seen.insert(path, look);
            return;
        };
        let has_contents = |look: &Look| look.seen != look.seen.without_contents();
        self.is_torn |= known.seen.without_contents() != look.seen.without_contents();
        self.is_torn |= has_contents(known) && has_contents(&look) && known.seen != look.seen;
        if !has_contents(known) {
            *known = look;
        }
    }

    /// Adds where a path leads.
    pub fn add_link(&mut self, path: PathBuf, real: Digest) {
        let known = self.links.insert(path, real);
        self.is_torn |= known.is_some_and(|known| known != real);
    }

    /// Adds what others looked at.
    pub fn add_all(&mut self, others: Self) {
        self.is_torn |= others.is_torn;
        for (path, look) in others.seen {
            self.add(path, look);
        }
        for (path, real) in others.links {
            self.add_link(path, real);
        }
    }
}

/// Looks at the disk, and remembers what it saw. Threads may share it.
#[derive(Debug, Default)]
pub struct Eyes {
    looks: Mutex<Looks>,
    earlier: Earlier,
}

impl Eyes {
    /// Returns eyes that may take the word of an earlier import for large files.
    pub fn with_earlier(earlier: Earlier) -> Self {
        Self {
            earlier,
            ..Self::default()
        }
    }

    /// Returns what an earlier import saw in a file, if it is as it was then.
    pub fn seen_earlier(&self, path: &Path) -> Option<Look> {
        self.earlier.look(path)
    }

    /// Returns what is at a path, links followed, without opening it.
    pub fn kind(&self, path: &Path) -> Seen {
        self.metadata(path).1
    }

    /// Returns what the file system says of a path, links followed.
    pub fn metadata(&self, path: &Path) -> (io::Result<Metadata>, Seen) {
        let since_ns = clock_ns();
        let metadata = fs::metadata(path);
        let seen = Seen::kind(&metadata);
        let stamp = None;
        self.add(
            path,
            Look {
                seen,
                stamp,
                since_ns,
            },
        );
        (metadata, seen)
    }

    /// Notes a look.
    pub fn add(&self, path: &Path, look: Look) {
        self.with(|looks| looks.add(path.to_owned(), look));
    }

    /// Notes that a path leads where it does.
    pub fn add_link(&self, path: &Path) {
        self.with(|looks| looks.add_link(path.to_owned(), destination(path)));
    }

    /// Notes that something could not be looked at: whether it changes will not
    /// be known.
    pub fn distrust(&self) {
        self.with(|looks| looks.is_torn = true);
    }

    /// Returns what was looked at.
    pub fn looks(self) -> Looks {
        self.looks
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, change: impl FnOnce(&mut Looks)) {
        change(&mut self.looks.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Returns the digest of where a path leads, and of what is there.
pub fn destination(path: &Path) -> Digest {
    let mut said = match Seen::kind(&fs::metadata(path)) {
        Seen::Nothing => return Digest::of(b"nothing"),
        Seen::File | Seen::Bytes(_) => b"file ".to_vec(),
        Seen::Folder | Seen::Entries(_) | Seen::Names(_) => b"folder ".to_vec(),
        Seen::Other => b"other ".to_vec(),
    };
    let real = fs::canonicalize(path).unwrap_or_default();
    said.extend(real.as_os_str().as_encoded_bytes());
    Digest::of(&said)
}

/// Returns the clock, in nanoseconds since 1970.
pub fn clock_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[cfg(unix)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::FileTimes;

    use tempfile::TempDir;

    use super::*;
    use crate::import::StampsProve;

    const HOUR_NS: i64 = 3_600_000_000_000;

    /// A look at a file or folder that has been at rest for an hour.
    fn rested(path: &Path) -> Look {
        let look = match path.is_dir() {
            true => Look::at_folder(path, Names::OfData),
            false => Look::at_file(path),
        };
        let mut look = look.unwrap();
        look.since_ns += HOUR_NS;
        look
    }

    /// A verdict at the time of the look.
    fn verdict(look: &Look, path: &Path) -> Verdict {
        verdict_at(look, path, look.since_ns, |_| true)
    }

    fn verdict_at(look: &Look, path: &Path, now_ns: i64, stamps_prove: StampsProve) -> Verdict {
        let times = Times {
            now_ns,
            rest_ns: REST_NS,
            disks: &Disks::new(stamps_prove),
        };
        look.verdict(path, &times)
    }

    fn file(folder: &TempDir) -> PathBuf {
        let path = folder.path().join("nlu.yml");
        fs::write(&path, "hello").unwrap();
        path
    }

    /// Writes until the file system's clock has ticked.
    fn overwrite(path: &Path, text: &str, modified: SystemTime) {
        let ctime = |path| {
            FileStamp::of(&fs::metadata(path).unwrap())
                .unwrap()
                .ctime_ns
        };
        let before = ctime(path);
        while ctime(path) == before {
            fs::write(path, text).unwrap();
            let file = File::options().write(true).open(path).unwrap();
            file.set_times(FileTimes::new().set_modified(modified))
                .unwrap();
        }
    }

    #[test]
    fn a_file_that_was_left_alone_is_the_same() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder);
        assert_eq!(verdict(&rested(&path), &path), Verdict::Same);
    }

    #[test]
    fn an_edit_that_keeps_size_and_modification_time_is_seen() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder);
        let look = rested(&path);
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        overwrite(&path, "hullo", modified);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
        assert_eq!(verdict(&look, &path), Verdict::Unsure);
        assert_eq!(look.again(&path), None);
    }

    #[test]
    fn a_touched_file_has_its_old_contents() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder);
        let look = rested(&path);
        overwrite(&path, "hello", SystemTime::UNIX_EPOCH);
        assert_eq!(verdict(&look, &path), Verdict::Unsure);
        let again = look.again(&path).unwrap();
        assert_eq!(again.seen, look.seen);
        assert_ne!(again.stamp, look.stamp);
    }

    #[test]
    fn what_was_looked_at_soon_after_its_change_is_read_again() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder);
        let mut look = rested(&path);
        let ctime_ns = look.stamp.unwrap().ctime_ns;
        look.since_ns = ctime_ns + REST_NS;
        assert_eq!(verdict(&look, &path), Verdict::Unsure);
        look.since_ns += 1;
        assert_eq!(verdict(&look, &path), Verdict::Same);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_stamp_a_proof() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder);
        let look = rested(&path);
        let earlier = verdict_at(&look, &path, look.since_ns - 1, |_| true);
        assert_eq!(earlier, Verdict::Unsure);
        // A file from the future has never been at rest.
        let mut early = look;
        early.since_ns = look.stamp.unwrap().ctime_ns - HOUR_NS;
        let late = verdict_at(&early, &path, look.since_ns, |_| true);
        assert_eq!(late, Verdict::Unsure);
    }

    #[test]
    fn a_disk_whose_stamps_prove_nothing_is_read() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder);
        let mut look = rested(&path);
        // As on a disk without a time of changes: size and times are set back.
        fs::write(&path, "hullo").unwrap();
        look.stamp = FileStamp::of(&fs::metadata(&path).unwrap());
        assert_eq!(verdict(&look, &path), Verdict::Same, "believed elsewhere");
        let doubted = verdict_at(&look, &path, look.since_ns, |_| false);
        assert_eq!(doubted, Verdict::Unsure);
        assert_eq!(look.again(&path), None);
    }

    #[test]
    fn every_field_of_a_stamp_counts() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder);
        let look = rested(&path);
        let changes: [fn(&mut FileStamp); 4] = [
            |stamp| stamp.mtime_ns -= 1,
            |stamp| stamp.ctime_ns -= 1,
            |stamp| stamp.inode += 1,
            |stamp| stamp.device += 1,
        ];
        for change in changes {
            let mut other = look;
            change(other.stamp.as_mut().unwrap());
            assert_eq!(verdict(&other, &path), Verdict::Unsure, "{other:?}");
        }
        let mut other = look;
        other.stamp.as_mut().unwrap().size += 1;
        assert_eq!(verdict(&other, &path), Verdict::Changed);
        other.stamp = None;
        assert_eq!(verdict(&other, &path), Verdict::Unsure);
    }

    #[test]
    fn another_kind_of_thing_is_a_change() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder);
        let kind = |path: &Path| Look {
            seen: Seen::kind(&fs::metadata(path)),
            stamp: None,
            since_ns: 0,
        };
        let (as_file, read) = (kind(&path), rested(&path));
        let nothing = kind(&folder.path().join("gone.yml"));
        assert_eq!(verdict(&as_file, &path), Verdict::Same);
        assert_eq!(verdict(&nothing, &path), Verdict::Changed);
        fs::remove_file(&path).unwrap();
        assert_eq!(verdict(&nothing, &path), Verdict::Same);
        fs::create_dir(&path).unwrap();
        for look in [as_file, read, nothing] {
            assert_eq!(verdict(&look, &path), Verdict::Changed);
        }
    }

    #[test]
    fn a_folder_is_the_same_while_what_can_matter_in_it_is() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder);
        let look = rested(folder.path());
        assert_eq!(verdict(&look, folder.path()), Verdict::Same);
        fs::write(folder.path().join(".nlu.yml.swp"), "x").unwrap();
        assert!(look.again(folder.path()).is_some());
        fs::write(folder.path().join("more.yml"), "x").unwrap();
        assert!(look.again(folder.path()).is_none());
        fs::remove_file(folder.path().join("more.yml")).unwrap();
        assert!(look.again(folder.path()).is_some());
        let real = folder.path().join("real");
        fs::rename(&path, &real).unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        assert!(look.again(folder.path()).is_none(), "a link is no file");
    }

    #[test]
    fn looks_that_disagree_are_torn() {
        let seen = |seen| Look {
            seen,
            stamp: None,
            since_ns: 0,
        };
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let is_torn = |one, two| {
            let mut looks = Looks::default();
            looks.add("x".into(), seen(one));
            looks.add("x".into(), seen(two));
            looks.is_torn
        };
        assert!(!is_torn(Seen::File, Seen::Bytes(a)));
        assert!(!is_torn(Seen::Bytes(a), Seen::File));
        assert!(!is_torn(Seen::Bytes(a), Seen::Bytes(a)));
        assert!(is_torn(Seen::Bytes(a), Seen::Bytes(b)));
        assert!(is_torn(Seen::Nothing, Seen::File));
        assert!(is_torn(Seen::Folder, Seen::Bytes(a)));
    }
}
