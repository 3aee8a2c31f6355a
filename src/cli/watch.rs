//! `tabella train --watch`: trains, waits until something that is read changes,
//! and trains again.
//!
//! Files are looked at twice a second; nothing is asked of the system to be told.
//! That works in containers and on network disks, where notifications do not, and
//! a look costs two microseconds a file. What an editor does to save – write
//! another file and rename it, delete and create – is over when two looks in a row
//! find the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use walkdir::WalkDir;

use crate::cli::output::locked;
use crate::engine::CancelFlag;

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Time between two looks while something changes.
const SETTLE: Duration = Duration::from_millis(150);

/// The longest sleep, so that Ctrl-C ends soon.
const NAP: Duration = Duration::from_millis(50);

/// Looking takes at most this part of the time, however many files there are.
const SHARE: u32 = 50;

/// What is known of a file without reading it: size, times and number.
type Stamp = [i128; 4];

/// The files that were found, and what is known of them.
pub type Look = BTreeMap<PathBuf, Stamp>;

/// The files of a project, to be looked at again and again.
pub struct Watcher {
    /// Files and folders that were named: all below them is read, also what is
    /// not there yet.
    roots: Vec<PathBuf>,
    /// What is written while training, and so is no reason to train.
    own: Vec<PathBuf>,
    /// What the last training read beside them, such as tables of phrases and
    /// imported projects.
    others: Mutex<Look>,
}

impl Watcher {
    /// Returns a watcher of `roots`; what is below `own` does not count.
    pub fn new(roots: Vec<PathBuf>, mut own: Vec<PathBuf>) -> Self {
        // An output folder around the data hides nothing.
        own.retain(|own| !roots.iter().any(|root| root.starts_with(own)));
        Self {
            roots,
            own,
            others: Mutex::default(),
        }
    }

    /// Notes the files that a training is reading: those outside of the roots are
    /// looked at from now on.
    pub fn opened(&self, files: &[PathBuf]) {
        let is_outside = |file: &&PathBuf| !self.roots.iter().any(|root| file.starts_with(root));
        let mut others = Look::new();
        for file in files.iter().filter(is_outside) {
            let known = locked(&self.others).get(file).copied();
            if let Some(stamp) = known.or_else(|| stamp(file)) {
                others.insert(file.clone(), stamp);
            }
        }
        *locked(&self.others) = others;
    }

    /// Looks at all files. Called before a training, it finds later what was
    /// changed during it.
    pub fn look(&self) -> Look {
        let mut look = Look::new();
        for root in &self.roots {
            // A link to a folder is read like the folder.
            for entry in WalkDir::new(root).follow_links(true).into_iter().flatten() {
                if !entry.file_type().is_dir() {
                    self.add(&mut look, entry.into_path());
                }
            }
        }
        let others: Vec<PathBuf> = locked(&self.others).keys().cloned().collect();
        for file in others {
            self.add(&mut look, file);
        }
        look
    }

    /// Returns how many files are looked at: those of `look` and the others.
    pub fn count(&self, look: &Look) -> usize {
        let others = locked(&self.others);
        look.len()
            + others
                .keys()
                .filter(|path| !look.contains_key(*path))
                .count()
    }

    fn add(&self, look: &mut Look, path: PathBuf) {
        if self.own.iter().any(|own| path.starts_with(own)) {
            return;
        }
        if let Some(stamp) = stamp(&path) {
            look.insert(path, stamp);
        }
    }

    /// Waits until the files are other than in `before`, which was taken before the
    /// last training, and until they stay as they are. Returns the paths that
    /// differ; none when `cancel` was set.
    pub fn wait(&self, mut before: Look, cancel: &CancelFlag) -> Option<Vec<PathBuf>> {
        for (path, stamp) in &*locked(&self.others) {
            before.entry(path.clone()).or_insert(*stamp);
        }
        loop {
            let since = Instant::now();
            let now = self.look();
            let cost = since.elapsed();
            if now != before {
                let now = self.settled(now, cancel)?;
                let changed = changed(&before, &now);
                // What was saved twice may be what it was.
                if !changed.is_empty() {
                    return Some(changed);
                }
            }
            sleep(PAUSE.max(cost * SHARE), cancel)?;
        }
    }

    /// Looks until nothing changes any more.
    fn settled(&self, mut last: Look, cancel: &CancelFlag) -> Option<Look> {
        loop {
            sleep(SETTLE, cancel)?;
            let now = self.look();
            if now == last {
                return Some(now);
            }
            last = now;
        }
    }
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

/// Returns what is known of a file; none if it is not there.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(stamp_of(&metadata))
}

#[cfg(unix)]
fn stamp_of(metadata: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    [
        metadata.size().into(),
        ns(metadata.mtime(), metadata.mtime_nsec()),
        // An edit that sets the time back still shows here.
        ns(metadata.ctime(), metadata.ctime_nsec()),
        metadata.ino().into(),
    ]
}

#[cfg(not(unix))]
fn stamp_of(metadata: &fs::Metadata) -> Stamp {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    [
        metadata.len().into(),
        since.map_or(0, |time| time.as_nanos() as i128),
        0,
        0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watcher of a folder with one file, and what it found.
    fn watched(folder: &Path) -> (Watcher, Look) {
        fs::write(folder.join("a.yml"), "a").unwrap();
        let watcher = Watcher::new(vec![folder.to_owned()], vec![folder.join("out")]);
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
    fn files_that_were_read_elsewhere_count() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (watcher, before) = watched(folder.path());
        let table = elsewhere.path().join("cities.txt");
        fs::write(&table, "Rome").unwrap();
        watcher.opened(&[folder.path().join("a.yml"), table.clone()]);
        fs::write(&table, "Rome\nOslo").unwrap();
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
