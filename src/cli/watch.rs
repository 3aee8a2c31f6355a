//! `tabella train --watch`: trains, waits until something that is read changes,
//! and trains again.
//!
//! Files are looked at twice a second; nothing is asked of the system to be told.
//! That works in containers and on network disks, where notifications do not, and
//! a look costs two microseconds a file. What an editor does to save – write
//! another file and rename it, delete and create – is over when two looks in a row
//! find the same.
//!
//! | what | is looked at |
//! |---|---|
//! | the files and folders that were named | files with the suffixes of data |
//! | what the last import looked at beside them: tables of phrases, imported projects, places where nothing was | as the import saw it |
//! | what is written while training | not at all |

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;
use std::fs::Metadata;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use walkdir::DirEntry;
use walkdir::WalkDir;

use crate::api::real_path;
use crate::cli::output::locked;
use crate::digest::Digest;
use crate::engine::CancelFlag;
use crate::import;
use crate::import::FileStamp;
use crate::import::Looks;
use crate::import::Seen;
use crate::import::data_suffix;
use crate::import::listing;

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Time between two looks while something changes.
const SETTLE: Duration = Duration::from_millis(150);

/// The longest sleep, so that Ctrl-C ends soon.
const NAP: Duration = Duration::from_millis(50);

/// Looking takes at most this part of the time, however many files there are.
const SHARE: u32 = 50;

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// All that can be relied on.
    Whole(FileStamp),
    /// Size and time, where the system says no more.
    Part(u64, Option<SystemTime>),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        match FileStamp::of(metadata) {
            Some(stamp) => Self::Whole(stamp),
            None => Self::Part(metadata.len(), metadata.modified().ok()),
        }
    }
}

/// What is at a path, as far as it matters there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A file that is read.
    File(Stamp),
    /// A folder that is listed: the digest of what it holds.
    Folder(Digest),
    /// Something of this kind, or nothing.
    Kind(Seen),
}

impl State {
    fn of_file(path: &Path) -> Self {
        let metadata = fs::metadata(path);
        match &metadata {
            Ok(metadata) => Self::File(Stamp::of(metadata)),
            Err(_) => Self::Kind(Seen::Nothing),
        }
    }

    /// Returns what an import saw at `path`, before it read what is there.
    fn seen(path: &Path, look: &import::Look) -> Self {
        match (look.seen, look.stamp) {
            (Seen::Bytes(_), Some(stamp)) => Self::File(Stamp::Whole(stamp)),
            (Seen::Bytes(_), None) => Self::of_file(path),
            (Seen::Entries(digest), _) => Self::Folder(digest),
            (kind, _) => Self::Kind(kind),
        }
    }

    /// Returns what is at `path` now.
    fn again(self, path: &Path) -> Self {
        match self {
            Self::File(_) => Self::of_file(path),
            Self::Folder(_) => listing(path).map_or(Self::Kind(Seen::Nothing), Self::Folder),
            Self::Kind(_) => Self::Kind(Seen::kind(&fs::metadata(path))),
        }
    }
}

/// What was found, by path.
pub type Look = BTreeMap<PathBuf, State>;

/// The files of a project, to be looked at again and again.
pub struct Watcher {
    /// Files and folders that were named: all data below them is read, also what
    /// is not there yet.
    roots: Vec<PathBuf>,
    /// Where the same are, and where that is which is written while training, and
    /// so is no reason to train. Both without links.
    real_roots: Vec<PathBuf>,
    own: Vec<PathBuf>,
    /// What the last import looked at beside the roots.
    others: Mutex<Look>,
}

impl Watcher {
    /// Returns a watcher of `roots`; what is below `own` does not count.
    pub fn new(roots: Vec<PathBuf>, own: impl Iterator<Item = PathBuf>) -> Self {
        let real_roots: Vec<PathBuf> = roots.iter().map(|root| real_path(root)).collect();
        let own = own.map(|own| real_path(&own));
        // An output folder around the data hides nothing.
        let hides_none = |own: &PathBuf| !real_roots.iter().any(|root| root.starts_with(own));
        Self {
            own: own.filter(hides_none).collect(),
            roots,
            real_roots,
            others: Mutex::default(),
        }
    }

    /// Notes what an import looked at: all that the roots do not cover is looked at
    /// from now on, and is compared with what the import saw.
    pub fn read(&self, looks: &Looks) {
        let is_other = |path: &Path, seen| match seen {
            Seen::Bytes(_) if data_suffix(path).is_some() => !is_below(path, &self.roots),
            Seen::Entries(_) => !is_below(&real_path(path), &self.real_roots),
            _ => true,
        };
        let mut others = Look::new();
        for (path, look) in &looks.seen {
            if is_other(path, look.seen) && !is_below(&real_path(path), &self.own) {
                others.insert(path.clone(), State::seen(path, look));
            }
        }
        *locked(&self.others) = others;
    }

    /// Looks at all files. Called before a training, it finds later what was
    /// changed during it.
    pub fn look(&self) -> Look {
        let mut others = locked(&self.others);
        for (path, state) in &mut *others {
            *state = state.again(path);
        }
        drop(others);
        self.below_roots()
    }

    /// Returns how many files are looked at: those of `look` and the others.
    pub fn count(&self, look: &Look) -> usize {
        let others = locked(&self.others);
        let is_more = |(path, state): &(&PathBuf, &State)| {
            matches!(state, State::File(_)) && !look.contains_key(*path)
        };
        look.len() + others.iter().filter(is_more).count()
    }

    fn below_roots(&self) -> Look {
        let mut look = Look::new();
        for root in &self.roots {
            let mut visited = HashSet::new();
            // A link to a folder is read like the folder, and like it but once.
            let entries = WalkDir::new(root).follow_links(true).into_iter();
            let entries = entries.filter_entry(|entry| self.is_read(entry, &mut visited));
            for entry in entries.flatten() {
                let is_data = entry.depth() == 0 || data_suffix(entry.path()).is_some();
                if is_data && !entry.file_type().is_dir() {
                    let state = State::of_file(entry.path());
                    look.insert(entry.into_path(), state);
                }
            }
        }
        look
    }

    /// Returns whether an entry is none of our own, and no folder that was visited.
    fn is_read(&self, entry: &DirEntry, visited: &mut HashSet<PathBuf>) -> bool {
        let name = Some(entry.file_name());
        let is_folder = entry.file_type().is_dir();
        // Where a file is that is no link says its folder.
        let is_plain = !is_folder && !entry.path_is_symlink();
        if is_plain && self.own.iter().all(|own| own.file_name() != name) {
            return true;
        }
        let real = real_path(entry.path());
        !is_below(&real, &self.own) && (!is_folder || visited.insert(real))
    }

    /// Waits until the files are other than in `before`, which was taken before the
    /// last training, or than its import saw them, and until they stay as they are.
    /// Returns the paths that differ; none when `cancel` was set.
    pub fn wait(&self, mut before: Look, cancel: &CancelFlag) -> Option<Vec<PathBuf>> {
        let others = locked(&self.others).clone();
        for (path, state) in &others {
            before.entry(path.clone()).or_insert(*state);
        }
        loop {
            let since = Instant::now();
            let now = self.now(&others);
            let cost = since.elapsed();
            if now != before {
                let now = self.settled(now, &others, cancel)?;
                let changed = changed(&before, &now);
                // What was saved twice may be what it was.
                if !changed.is_empty() {
                    return Some(changed);
                }
            }
            sleep(PAUSE.max(cost * SHARE), cancel)?;
        }
    }

    /// Looks at all files and at what else an import saw.
    fn now(&self, others: &Look) -> Look {
        let mut look = self.below_roots();
        for (path, state) in others {
            look.entry(path.clone())
                .or_insert_with(|| state.again(path));
        }
        look
    }

    /// Looks until nothing changes any more.
    fn settled(&self, mut last: Look, others: &Look, cancel: &CancelFlag) -> Option<Look> {
        loop {
            sleep(SETTLE, cancel)?;
            let now = self.now(others);
            if now == last {
                return Some(now);
            }
            last = now;
        }
    }
}

fn is_below(path: &Path, folders: &[PathBuf]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

/// Sleeps; none as soon as `cancel` is set.
fn sleep(time: Duration, cancel: &CancelFlag) -> Option<()> {
    let since = Instant::now();
    loop {
        if cancel.is_set() {
            return None;
        }
        let left = time.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Some(());
        }
        thread::sleep(left.min(NAP));
    }
}

/// Returns the paths that are in one of the two alone, or in both differently.
fn changed(before: &Look, now: &Look) -> Vec<PathBuf> {
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    let other = now
        .iter()
        .filter(|(path, stamp)| before.get(*path) != Some(*stamp));
    let mut paths: Vec<PathBuf> = gone.chain(other.map(|(path, _)| path)).cloned().collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watcher of a folder with one file, and what it found.
    fn watched(folder: &Path) -> (Watcher, Look) {
        fs::write(folder.join("a.yml"), "a").unwrap();
        let watcher = Watcher::new(vec![folder.to_owned()], [folder.join("out")].into_iter());
        let look = watcher.look();
        (watcher, look)
    }

    #[test]
    fn saving_by_rename_and_by_delete_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let (watcher, before) = watched(folder.path());
        let file = folder.path().join("a.yml");
        fs::write(folder.path().join("a.yml~"), "b").unwrap();
        fs::rename(folder.path().join("a.yml~"), &file).unwrap();
        let renamed = watcher.look();
        assert_eq!(changed(&before, &renamed), std::slice::from_ref(&file));
        fs::remove_file(&file).unwrap();
        fs::write(&file, "b").unwrap();
        assert_eq!(changed(&renamed, &watcher.look()), [file]);
    }

    #[test]
    fn new_files_count_and_what_is_written_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (watcher, before) = watched(folder.path());
        fs::create_dir_all(folder.path().join("out")).unwrap();
        fs::write(folder.path().join("out/model.tar.gz"), "m").unwrap();
        assert_eq!(watcher.look(), before);
        fs::create_dir_all(folder.path().join("more")).unwrap();
        let new = folder.path().join("more/b.yml");
        fs::write(&new, "b").unwrap();
        assert_eq!(changed(&before, &watcher.look()), [new]);
    }

    #[test]
    fn own_files_are_known_however_they_are_spelled() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("data");
        fs::create_dir(&inner).unwrap();
        let root = inner.join("../data/.");
        let own = [inner.join("events.json"), root.join("../data/cache")];
        let watcher = Watcher::new(vec![root], own.into_iter());
        let before = watcher.look();
        fs::create_dir(inner.join("cache")).unwrap();
        for file in [
            "events.json",
            "cache/a.json",
            "index",
            ".a.yml.swp",
            "run.log",
        ] {
            fs::write(inner.join(file), "x").unwrap();
        }
        assert_eq!(watcher.look(), before);
    }

    #[test]
    fn files_that_were_read_elsewhere_count() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (watcher, before) = watched(folder.path());
        let table = elsewhere.path().join("cities.txt");
        fs::write(&table, "Rome").unwrap();
        let mut looks = Looks::default();
        looks.add(table.clone(), import::Look::at_file(&table).unwrap());
        // After it was read, and before anybody is told so.
        fs::write(&table, "Rome\nOslo").unwrap();
        watcher.read(&looks);
        let paths = watcher.wait(before, &CancelFlag::new());
        assert_eq!(paths, Some(vec![table]));
    }

    #[test]
    fn waiting_ends_when_it_is_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        let (watcher, before) = watched(folder.path());
        let cancel = CancelFlag::new();
        cancel.set();
        assert_eq!(watcher.wait(before, &cancel), None);
    }
}
