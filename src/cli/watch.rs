//! `tabella train --watch`: trains, waits until something that is read changes,
//! and trains again. Of several assistants each is trained that reads it.
//!
//! Files are looked at twice a second, less often where there are many; nothing is
//! asked of the system to be told. That works in containers and on network disks,
//! where notifications do not, and a look costs four microseconds a file. What an editor does to save – write
//! another file and rename it, delete and create – is over when two looks in a row
//! find the same.
//!
//! | what | is looked at |
//! |---|---|
//! | the files and folders that were named | files with the suffixes of data |
//! | what the last import looked at beside them: tables of phrases, imported projects, places where nothing was | as the import saw it |
//! | what is written while training | not at all |

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::fs::Metadata;
use std::mem;
use std::path::Component;
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
use crate::import::Names;
use crate::import::Seen;
use crate::import::data_suffix;
use crate::import::listing;

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Time between two looks while something changes.
const SETTLE: Duration = Duration::from_millis(150);

/// The longest sleep, so that Ctrl-C ends soon.
const NAP: Duration = Duration::from_millis(50);

/// Looking takes at most one part of so many of the time, however many files there are.
const SHARE: u32 = 200;

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
    /// A folder that is listed: which names matter, and their digest.
    Folder(Names, Digest),
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
            (Seen::Entries(digest), _) => Self::Folder(Names::OfData, digest),
            (Seen::Names(digest), _) => Self::Folder(Names::All, digest),
            (kind, _) => Self::Kind(kind),
        }
    }

    /// Returns what is at `path` now.
    fn again(self, path: &Path) -> Self {
        match self {
            Self::File(_) => Self::of_file(path),
            Self::Folder(names, _) => match listing(path, names) {
                Ok(digest) => Self::Folder(names, digest),
                Err(_) => Self::Kind(Seen::Nothing),
            },
            Self::Kind(_) => Self::Kind(Seen::kind(&fs::metadata(path))),
        }
    }
}

/// What was found, by path.
pub type Look = BTreeMap<PathBuf, State>;

/// What is watched.
#[derive(Default)]
pub struct Watched {
    /// Files and folders that were named: all data below them is read, also what
    /// is not there yet. By the names of the assistants that read them; a single
    /// project has none.
    pub roots: BTreeMap<PathBuf, BTreeSet<String>>,
    /// Folders in which something may turn up: only their own entries count.
    pub listed: BTreeSet<PathBuf>,
    /// What is written while training, and so is no reason to train.
    pub own: Vec<PathBuf>,
}

/// What ended the waiting.
pub enum Waited {
    /// These paths differ; all that is watched is now so.
    Changed(Vec<PathBuf>, Look),
    /// It was cancelled.
    Cancelled,
    /// A reader of what is told has left.
    Unread,
}

/// Whether to go on waiting; asked before each look.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    /// Set when it is over.
    pub cancel: &'a CancelFlag,
    /// Tells whether a reader has left.
    pub is_unread: &'a dyn Fn() -> bool,
}

/// The files of a project, or of several assistants, to be looked at again and
/// again. A file that several read is looked at once.
pub struct Watcher {
    roots: BTreeMap<PathBuf, BTreeSet<String>>,
    listed: BTreeSet<PathBuf>,
    /// Where the roots are, and where that is which is written while training, both
    /// without links.
    real_roots: HashSet<PathBuf>,
    own: HashSet<PathBuf>,
    own_names: HashSet<OsString>,
    /// What the last import of each assistant looked at beside the roots.
    others: Mutex<BTreeMap<String, Look>>,
}

impl Watcher {
    /// Returns a watcher.
    pub fn new(watched: Watched) -> Self {
        let roots = watched.roots.into_iter();
        let roots: BTreeMap<_, _> = roots.map(|(root, who)| (plain(&root), who)).collect();
        let real_roots: HashSet<PathBuf> = roots.keys().map(|root| real_path(root)).collect();
        let around = real_roots.iter().flat_map(|root| root.ancestors());
        let around: HashSet<&Path> = around.collect();
        let own = watched.own.iter().map(|own| real_path(own));
        // An output folder around the data hides nothing.
        let own: HashSet<PathBuf> = own.filter(|own| !around.contains(&**own)).collect();
        let own_names = own.iter().filter_map(|own| own.file_name());
        Self {
            own_names: own_names.map(OsString::from).collect(),
            own,
            roots,
            real_roots,
            listed: watched.listed.iter().map(|path| plain(path)).collect(),
            others: Mutex::default(),
        }
    }

    /// Returns a watcher of something else that knows what imports looked at, as
    /// far as they are of those in `who`.
    pub fn instead(&self, watched: Watched, who: &BTreeSet<String>) -> Self {
        let mut others = mem::take(&mut *locked(&self.others));
        others.retain(|name, _| who.contains(name));
        Self {
            others: Mutex::new(others),
            ..Self::new(watched)
        }
    }

    /// Notes what the import of an assistant looked at: all that the roots do not
    /// cover is looked at from now on, and is compared with what the import saw.
    pub fn read(&self, who: &str, looks: &Looks) {
        let is_other = |path: &Path, seen| match seen {
            Seen::Bytes(_) if data_suffix(path).is_some() => {
                !folders_of(path).any(|above| self.roots.contains_key(above))
            }
            Seen::Entries(_) => !is_below(&real_path(path), &self.real_roots),
            _ => true,
        };
        let mut others = Look::new();
        for (path, look) in &looks.seen {
            let path = plain(path);
            if is_other(&path, look.seen) && !is_below(&real_path(&path), &self.own) {
                let state = State::seen(&path, look);
                others.insert(path, state);
            }
        }
        locked(&self.others).insert(who.to_owned(), others);
    }

    /// Returns whether a path is a folder in which something may turn up.
    pub fn lists(&self, path: &Path) -> bool {
        self.listed.contains(path)
    }

    /// Returns who reads what is at a path.
    pub fn readers(&self, path: &Path) -> BTreeSet<String> {
        let roots = folders_of(path).filter_map(|above| self.roots.get(above));
        let mut readers: BTreeSet<String> = roots.flatten().cloned().collect();
        for (who, look) in &*locked(&self.others) {
            if look.contains_key(path) {
                readers.insert(who.clone());
            }
        }
        readers
    }

    /// Looks at all files. Called before a training, it finds later what was
    /// changed during it.
    pub fn look(&self) -> Look {
        self.now(&self.seen())
    }

    /// Looks at all files, for one who knows how they were for an earlier watcher:
    /// what has changed since is not missed.
    pub fn look_since(&self, earlier: &Look) -> Look {
        let mut look = self.look();
        let known = earlier.iter().filter(|(path, _)| self.is_looked_at(path));
        look.extend(known.map(|(path, state)| (path.clone(), *state)));
        look
    }

    /// Returns how many files are looked at.
    pub fn count(&self, look: &Look) -> usize {
        let is_file = |state: &&State| matches!(state, State::File(_));
        let others = self.seen();
        let others = others.iter().filter(|(path, _)| !look.contains_key(*path));
        let more = others.filter(|(_, state)| is_file(state)).count();
        look.values().filter(is_file).count() + more
    }

    /// Returns what imports saw beside the roots.
    fn seen(&self) -> Look {
        let others = locked(&self.others);
        let all = others.values().flatten();
        all.map(|(path, state)| (path.clone(), *state)).collect()
    }

    fn below_roots(&self) -> Look {
        let mut look = Look::new();
        for folder in &self.listed {
            let state = State::Folder(Names::OfData, Digest::of(b"")).again(folder);
            look.insert(folder.clone(), state);
        }
        for root in self.roots.keys() {
            let mut visited = HashSet::new();
            // A link to a folder is read like the folder, and like it but once.
            let entries = WalkDir::new(root).follow_links(true).into_iter();
            let entries = entries.filter_entry(|entry| self.is_read(entry, &mut visited));
            for entry in entries.flatten() {
                let is_data = entry.depth() == 0 || data_suffix(entry.path()).is_some();
                if is_data && !entry.file_type().is_dir() {
                    let state = State::of_file(entry.path());
                    let path = entry.path().strip_prefix(".").unwrap_or(entry.path());
                    look.insert(path.to_owned(), state);
                }
            }
        }
        look
    }

    /// Returns whether an entry is none of our own, and no folder that was visited.
    fn is_read(&self, entry: &DirEntry, visited: &mut HashSet<PathBuf>) -> bool {
        let name = entry.file_name();
        let is_folder = entry.file_type().is_dir();
        // Where a file is that is no link says its folder.
        let is_plain = !is_folder && !entry.path_is_symlink();
        if is_plain && !self.own_names.contains(name) {
            return true;
        }
        let real = real_path(entry.path());
        !is_below(&real, &self.own) && (!is_folder || visited.insert(real))
    }

    /// Waits until the files are other than in `before`, which was taken before the
    /// last training, or than its import saw them, and until they stay as they are.
    pub fn wait(&self, mut before: Look, patience: Patience<'_>) -> Waited {
        let others = self.seen();
        for (path, state) in &others {
            // What was looked at likewise was so before the import.
            let earlier = before.entry(path.clone()).or_insert(*state);
            if mem::discriminant(earlier) != mem::discriminant(state) {
                *earlier = *state;
            }
        }
        // What nobody reads any more has changed for nobody.
        before.retain(|path, _| others.contains_key(path) || self.is_looked_at(path));
        self.until_changed(&before, &others, patience)
            .unwrap_or_else(|ended| ended)
    }

    /// Does that; an error is what ended it before.
    fn until_changed(
        &self,
        before: &Look,
        others: &Look,
        patience: Patience<'_>,
    ) -> Result<Waited, Waited> {
        loop {
            let since = Instant::now();
            let now = self.now(others);
            let cost = since.elapsed();
            if now != *before {
                let now = self.settled(now, others, patience)?;
                let changed = changed(before, &now);
                // What was saved twice may be what it was.
                if !changed.is_empty() {
                    return Ok(Waited::Changed(changed, now));
                }
            }
            patience.sleep(PAUSE.max(cost * SHARE))?;
        }
    }

    /// Returns whether a path is a root, below one, or a folder that is listed.
    fn is_looked_at(&self, path: &Path) -> bool {
        self.listed.contains(path) || folders_of(path).any(|above| self.roots.contains_key(above))
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
    fn settled(
        &self,
        mut last: Look,
        others: &Look,
        patience: Patience<'_>,
    ) -> Result<Look, Waited> {
        loop {
            patience.sleep(SETTLE)?;
            let now = self.now(others);
            if now == last {
                return Ok(now);
            }
            last = now;
        }
    }
}

impl Patience<'_> {
    /// Sleeps; an error as soon as there is no reason to go on.
    fn sleep(self, time: Duration) -> Result<(), Waited> {
        let since = Instant::now();
        loop {
            if self.cancel.is_set() {
                return Err(Waited::Cancelled);
            }
            let left = time.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            thread::sleep(left.min(NAP));
        }
        match (self.is_unread)() {
            true => Err(Waited::Unread),
            false => Ok(()),
        }
    }
}

/// Returns a plain path and all folders above it; the last one is `.` where the
/// path starts there.
fn folders_of(path: &Path) -> impl Iterator<Item = &Path> {
    let is_above = path.starts_with("..");
    path.ancestors().filter_map(move |above| {
        let is_here = above.as_os_str().is_empty();
        match is_here {
            true => (!is_above).then_some(Path::new(".")),
            false => Some(above),
        }
    })
}

fn is_below(path: &Path, folders: &HashSet<PathBuf>) -> bool {
    path.ancestors().any(|above| folders.contains(above))
}

/// Returns a path without `.` and `..`, so that what several assistants read has
/// one name; as it is, if a link on the way makes that another place.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    let mut goes_up = false;
    for part in path.components() {
        let is_normal =
            |path: &Path| matches!(path.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::CurDir => {}
            Component::ParentDir if is_normal(&plain) => {
                goes_up = true;
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    if plain.as_os_str().is_empty() {
        plain.push(".");
    }
    match goes_up && real_path(&plain) != real_path(path) {
        true => path.to_owned(),
        false => plain,
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

    /// A watcher of a root, with own files.
    fn watcher(root: PathBuf, own: Vec<PathBuf>) -> Watcher {
        Watcher::new(Watched {
            roots: BTreeMap::from([(root, BTreeSet::new())]),
            own,
            ..Watched::default()
        })
    }

    /// A watcher of a folder with one file, and what it found.
    fn watched(folder: &Path) -> (Watcher, Look) {
        fs::write(folder.join("a.yml"), "a").unwrap();
        let watcher = watcher(folder.to_owned(), vec![folder.join("out")]);
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
        let own = vec![inner.join("events.json"), root.join("../data/cache")];
        let watcher = watcher(root, own);
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

    /// Patience that nothing ends but `cancel`.
    fn patience(cancel: &CancelFlag) -> Patience<'_> {
        Patience {
            cancel,
            is_unread: &|| false,
        }
    }

    #[test]
    fn files_that_were_read_elsewhere_count_for_those_who_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (watcher, before) = watched(folder.path());
        let table = real_path(elsewhere.path()).join("cities.txt");
        fs::write(&table, "Rome").unwrap();
        let mut looks = Looks::default();
        looks.add(table.clone(), import::Look::at_file(&table).unwrap());
        // After it was read, and before anybody is told so.
        fs::write(&table, "Rome\nOslo").unwrap();
        watcher.read("lemon", &looks);
        let Waited::Changed(paths, _) = watcher.wait(before, patience(&CancelFlag::new())) else {
            panic!("it has changed");
        };
        assert_eq!(paths, std::slice::from_ref(&table));
        assert_eq!(
            watcher.readers(&table),
            BTreeSet::from(["lemon".to_owned()])
        );
    }

    #[test]
    fn waiting_ends_when_it_is_cancelled_or_nobody_reads() {
        let folder = tempfile::tempdir().unwrap();
        let (watcher, before) = watched(folder.path());
        let cancel = CancelFlag::new();
        let unread = Patience {
            cancel: &cancel,
            is_unread: &|| true,
        };
        assert!(matches!(
            watcher.wait(before.clone(), unread),
            Waited::Unread
        ));
        cancel.set();
        let waited = watcher.wait(before, patience(&cancel));
        assert!(matches!(waited, Waited::Cancelled));
    }

    #[test]
    fn a_file_that_several_read_has_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = real_path(folder.path());
        fs::create_dir_all(root.join("bots/a")).unwrap();
        fs::create_dir_all(root.join("shared")).unwrap();
        let shared = root.join("shared/nlu.yml");
        fs::write(&shared, "nlu: []").unwrap();
        assert_eq!(plain(&root.join("bots/a/../../shared/./nlu.yml")), shared);
        assert_eq!(plain(Path::new("./a/../../b")), Path::new("../b"));
        assert_eq!(plain(Path::new("./.")), Path::new("."));
    }

    #[cfg(unix)]
    #[test]
    fn what_lies_behind_a_link_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = real_path(folder.path());
        fs::create_dir_all(root.join("deep/there")).unwrap();
        fs::write(root.join("deep/x.yml"), "x").unwrap();
        std::os::unix::fs::symlink("deep/there", root.join("link")).unwrap();
        let through = root.join("link/../x.yml");
        assert_eq!(plain(&through), through);
    }
}
