//! A witness as bytes.
//!
//! Numbers are written seven bits a byte, the lowest first; the highest bit of a
//! byte says that another follows. A *time* is nanoseconds since 1970, eight bytes,
//! little-endian. A *text* is its length and its bytes. A *path* is one byte and a
//! text: 0 for a path that starts at the project's folder, 1 for an absolute one.
//!
//! ```text
//! version       1 byte
//! outcome       tasks · warnings · archive path · count · sentences, a text each
//! handed        1 byte: 1 if the digest of a remote cache follows
//! variables     count · (name text · digest of the value)…
//! links         count · (path · digest)…
//! clock         the latest of all looks, a time
//! devices       count · numbers…
//! looks         count · (place · kind 1 byte · contents)…
//! place         1 byte as in a path · how many bytes are those of the place before · text of the others
//! contents      of kinds 4 to 6 alone: digest · how long before the clock · has stamp 1 byte · stamp
//! stamp         size · mtime time · ctime − mtime · inode · which device
//! ```
//!
//! Digests have 32 bytes; a difference is written as twice its amount, less one if
//! it is negative. Most files of a project lie beside each other on one device,
//! were looked at in one run and have the change time of their contents, so that a
//! look takes some 60 bytes, of which 32 are the digest. What cannot be read is no
//! witness.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::MAIN_SEPARATOR;
use std::path::Path;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::import::FileStamp;
use crate::import::Look;
use crate::import::Looks;
use crate::import::Seen;

const VERSION: u8 = 5;

/// What the outcome was, and what to tell of it in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many tasks there are.
    pub task_count: u32,
    /// How many warnings about the project's files there were.
    pub warning_count: u32,
    /// The archive.
    pub model: PathBuf,
    /// Warnings without a place in a file.
    pub said: Vec<String>,
}

/// A witness to be packed.
#[derive(Clone, Debug)]
pub struct Testimony {
    /// The outcome.
    pub outcome: Outcome,
    /// The remote cache that all results were handed to, if there was one.
    pub handed_to: Option<Digest>,
    /// The environment variables that the files name, with digests of their
    /// values.
    pub variables: Vec<(String, Digest)>,
    /// Everything that was looked at, the archive and its pointer too.
    pub looks: Looks,
}

impl Testimony {
    /// Packs it; `root` is the project's folder.
    pub fn packed(&self, root: &Path) -> Vec<u8> {
        let mut out = Writer {
            bytes: vec![VERSION],
            root,
            clock_ns: 0,
            devices: BTreeSet::new(),
        };
        let outcome = &self.outcome;
        out.number(outcome.task_count.into());
        out.number(outcome.warning_count.into());
        out.path(&outcome.model);
        out.count(outcome.said.len());
        for sentence in &outcome.said {
            out.text(sentence.as_bytes());
        }
        out.bytes.push(u8::from(self.handed_to.is_some()));
        if let Some(remote) = &self.handed_to {
            out.digest(remote);
        }
        out.count(self.variables.len());
        for (name, value) in &self.variables {
            out.text(name.as_bytes());
            out.digest(value);
        }
        out.count(self.looks.links.len());
        for (path, real) in &self.looks.links {
            out.path(path);
            out.digest(real);
        }
        out.looks(&self.looks);
        out.bytes
    }
}

struct Writer<'a> {
    bytes: Vec<u8>,
    root: &'a Path,
    clock_ns: i64,
    devices: BTreeSet<u64>,
}

impl Writer<'_> {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn difference(&mut self, from: i64, to: i64) {
        let difference = to.wrapping_sub(from);
        self.number(((difference << 1) ^ (difference >> 63)) as u64);
    }

    fn text(&mut self, text: &[u8]) {
        self.count(text.len());
        self.bytes.extend(text);
    }

    fn digest(&mut self, digest: &Digest) {
        self.bytes.extend(digest.as_bytes());
    }

    fn time(&mut self, time: i64) {
        self.bytes.extend(time.to_le_bytes());
    }

    /// Returns a path as it is written, and whether it is absolute.
    fn written<'p>(&self, path: &'p Path) -> (Cow<'p, Path>, bool) {
        let below = path.strip_prefix(self.root).ok();
        let here = Path::new(".");
        let below = below.or_else(|| (self.root == here && path.is_relative()).then_some(path));
        match below {
            Some(below) => (below.into(), false),
            None => match std::path::absolute(path) {
                Ok(absolute) => (absolute.into(), true),
                Err(_) => (path.into(), true),
            },
        }
    }

    fn path(&mut self, path: &Path) {
        let (path, is_absolute) = self.written(path);
        self.bytes.push(u8::from(is_absolute));
        self.text(path.as_os_str().as_encoded_bytes());
    }

    fn looks(&mut self, looks: &Looks) {
        let has_contents = |look: &&Look| has_contents(look.seen);
        let read = || looks.seen.values().filter(has_contents);
        self.clock_ns = read().map(|look| look.since_ns).max().unwrap_or(0);
        self.devices = read().filter_map(|look| Some(look.stamp?.device)).collect();
        self.time(self.clock_ns);
        self.count(self.devices.len());
        for device in self.devices.clone() {
            self.number(device);
        }
        self.count(looks.seen.len());
        let mut before: (Cow<'_, Path>, bool) = (Path::new("").into(), false);
        for (path, look) in &looks.seen {
            let place = self.written(path);
            self.place(&before, &place);
            self.look(look);
            before = place;
        }
    }

    fn place(&mut self, before: &(Cow<'_, Path>, bool), place: &(Cow<'_, Path>, bool)) {
        let text = place.0.as_os_str().as_encoded_bytes();
        let known = match before.1 == place.1 {
            true => before.0.as_os_str().as_encoded_bytes(),
            false => b"",
        };
        let pairs = known.iter().zip(text);
        let shared = pairs.take_while(|(a, b)| a == b).count();
        self.bytes.push(u8::from(place.1));
        self.count(shared);
        self.text(&text[shared..]);
    }

    fn look(&mut self, look: &Look) {
        let (kind, digest) = match look.seen {
            Seen::Nothing => (0, None),
            Seen::File => (1, None),
            Seen::Folder => (2, None),
            Seen::Other => (3, None),
            Seen::Bytes(digest) => (4, Some(digest)),
            Seen::Entries(digest) => (5, Some(digest)),
            Seen::Names(digest) => (6, Some(digest)),
        };
        self.bytes.push(kind);
        let Some(digest) = digest else {
            return;
        };
        self.digest(&digest);
        self.number(self.clock_ns.wrapping_sub(look.since_ns) as u64);
        self.bytes.push(u8::from(look.stamp.is_some()));
        if let Some(stamp) = look.stamp {
            self.number(stamp.size);
            self.time(stamp.mtime_ns);
            self.difference(stamp.mtime_ns, stamp.ctime_ns);
            self.number(stamp.inode);
            self.count(self.devices.range(..stamp.device).count());
        }
    }
}

/// Whether contents were looked at, which have a digest and a stamp.
fn has_contents(seen: Seen) -> bool {
    matches!(seen, Seen::Bytes(_) | Seen::Entries(_) | Seen::Names(_))
}

/// Reads a packed witness from front to back: its parts in the order in which
/// they were packed. Nothing is copied that need not be.
pub struct Reader<'a> {
    rest: &'a [u8],
    root: &'a Path,
    clock_ns: i64,
    devices: Vec<u64>,
    /// The path of the last look.
    place: Vec<u8>,
    /// How many bytes of it lead to the project's folder; none if it is absolute.
    root_size: Option<usize>,
}

impl<'a> Reader<'a> {
    /// Returns a reader of `bytes`; none if they are of another version.
    pub fn new(bytes: &'a [u8], root: &'a Path) -> Option<Self> {
        let mut reader = Self {
            rest: bytes,
            root,
            clock_ns: 0,
            devices: Vec::new(),
            place: Vec::new(),
            root_size: None,
        };
        (reader.byte()? == VERSION).then_some(reader)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        let (head, tail) = self.rest.split_first()?;
        self.rest = tail;
        Some(*head)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// Reads a count of things that follow.
    pub fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn difference(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn digest(&mut self) -> Option<Digest> {
        self.take().map(Digest::from_bytes)
    }

    fn time(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.count()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(text)
    }

    fn utf8(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.text()?).ok()
    }

    /// Reads a path; one that starts at the project's folder is joined to it.
    fn path(&mut self) -> Option<PathBuf> {
        let base = self.byte()?;
        let path = path_of(self.text()?)?;
        match base {
            0 if self.root == Path::new(".") => Some(path.to_owned()),
            0 => Some(self.root.join(path)),
            1 => Some(path.to_owned()),
            _ => None,
        }
    }

    /// Reads what the outcome was.
    pub fn outcome(&mut self) -> Option<Outcome> {
        let mut outcome = Outcome {
            task_count: u32::try_from(self.number()?).ok()?,
            warning_count: u32::try_from(self.number()?).ok()?,
            model: self.path()?,
            said: Vec::new(),
        };
        for _ in 0..self.count()? {
            outcome.said.push(self.utf8()?.to_owned());
        }
        Some(outcome)
    }

    /// Reads which remote cache all results were handed to, if there was one.
    pub fn handed_to(&mut self) -> Option<Option<Digest>> {
        match self.byte()? {
            0 => Some(None),
            1 => Some(Some(self.digest()?)),
            _ => None,
        }
    }

    /// Reads a variable and the digest of its value.
    pub fn variable(&mut self) -> Option<(&'a str, Digest)> {
        Some((self.utf8()?, self.digest()?))
    }

    /// Reads a path and where it leads.
    pub fn link(&mut self) -> Option<(PathBuf, Digest)> {
        Some((self.path()?, self.digest()?))
    }

    /// Reads how many looks follow, and what they have in common.
    pub fn look_count(&mut self) -> Option<usize> {
        self.clock_ns = self.time()?;
        for _ in 0..self.count()? {
            let device = self.number()?;
            self.devices.push(device);
        }
        self.begin_at_root();
        self.count()
    }

    /// Sets the path of the last look to the project's folder.
    fn begin_at_root(&mut self) {
        self.place.clear();
        if self.root != Path::new(".") {
            let root = self.root.as_os_str().as_encoded_bytes();
            self.place.extend(root);
            let needs_mark = !root.is_empty() && root.last() != Some(&(MAIN_SEPARATOR as u8));
            self.place
                .extend(needs_mark.then_some(MAIN_SEPARATOR as u8));
        }
        self.root_size = Some(self.place.len());
    }

    /// Reads a look, and its path.
    pub fn look(&mut self) -> Option<(&Path, Look)> {
        self.read_place()?;
        let look = self.read_look()?;
        Some((path_of(&self.place)?, look))
    }

    fn read_place(&mut self) -> Option<()> {
        let is_absolute = match self.byte()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        match (is_absolute, self.root_size) {
            (false, None) => self.begin_at_root(),
            (true, Some(_)) => {
                self.place.clear();
                self.root_size = None;
            }
            _ => {}
        }
        let shared = self.root_size.unwrap_or(0).checked_add(self.count()?)?;
        (shared <= self.place.len()).then(|| self.place.truncate(shared))?;
        let text = self.text()?;
        self.place.extend(text);
        Some(())
    }

    fn read_look(&mut self) -> Option<Look> {
        let seen = match self.byte()? {
            0 => Seen::Nothing,
            1 => Seen::File,
            2 => Seen::Folder,
            3 => Seen::Other,
            4 => Seen::Bytes(self.digest()?),
            5 => Seen::Entries(self.digest()?),
            6 => Seen::Names(self.digest()?),
            _ => return None,
        };
        let mut look = Look {
            seen,
            stamp: None,
            since_ns: 0,
        };
        if has_contents(seen) {
            look.since_ns = self.clock_ns.wrapping_sub(self.number()? as i64);
            if self.byte()? == 1 {
                look.stamp = Some(self.stamp()?);
            }
        }
        Some(look)
    }

    fn stamp(&mut self) -> Option<FileStamp> {
        let size = self.number()?;
        let mtime_ns = self.time()?;
        Some(FileStamp {
            size,
            mtime_ns,
            ctime_ns: mtime_ns.wrapping_add(self.difference()?),
            inode: self.number()?,
            device: {
                let device = self.count()?;
                *self.devices.get(device)?
            },
        })
    }

    /// Returns whether everything was read.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads a whole witness.
    pub fn testimony(mut self) -> Option<Testimony> {
        let mut testimony = Testimony {
            outcome: self.outcome()?,
            handed_to: self.handed_to()?,
            variables: Vec::new(),
            looks: Looks::default(),
        };
        for _ in 0..self.count()? {
            let (name, value) = self.variable()?;
            testimony.variables.push((name.to_owned(), value));
        }
        for _ in 0..self.count()? {
            let (path, real) = self.link()?;
            testimony.looks.add_link(path, real);
        }
        for _ in 0..self.look_count()? {
            let (path, look) = self.look()?;
            testimony.looks.add(path.to_owned(), look);
        }
        self.is_at_end().then_some(testimony)
    }
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> Option<&Path> {
    use std::os::unix::ffi::OsStrExt;
    Some(Path::new(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> Option<&Path> {
    std::str::from_utf8(bytes).ok().map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn testimony(root: &Path) -> Testimony {
        let mut looks = Looks::default();
        let stamp = FileStamp {
            size: 1,
            mtime_ns: -2,
            ctime_ns: 3,
            inode: u64::MAX,
            device: 5,
        };
        let late = FileStamp {
            size: u64::MAX,
            mtime_ns: i64::MAX,
            ctime_ns: i64::MIN,
            inode: 0,
            device: u64::MAX,
        };
        let kinds = [
            ("a", Seen::Nothing, None),
            ("b", Seen::File, None),
            ("c", Seen::Folder, None),
            ("d", Seen::Other, None),
            ("e/ü", Seen::Bytes(Digest::of(b"e")), Some(stamp)),
            ("e/üb", Seen::Bytes(Digest::of(b"b")), Some(stamp)),
            ("e/ý", Seen::Bytes(Digest::of(b"y")), Some(late)),
            ("f", Seen::Entries(Digest::of(b"f")), None),
            ("fa", Seen::Names(Digest::of(b"fa")), Some(stamp)),
            ("../g", Seen::File, None),
            ("/h/i", Seen::Bytes(Digest::of(b"i")), Some(late)),
            ("/h/k", Seen::Bytes(Digest::of(b"k")), Some(stamp)),
        ];
        for (path, seen, stamp) in kinds {
            let since_ns = if has_contents(seen) {
                path.len() as i64
            } else {
                0
            };
            let look = Look {
                seen,
                stamp,
                since_ns,
            };
            looks.add(root.join(path), look);
        }
        looks.add_link(root.join("l"), Digest::of(b"l"));
        looks.add_link("/elsewhere".into(), Digest::of(b"m"));
        Testimony {
            outcome: Outcome {
                task_count: 7,
                warning_count: 2,
                model: root.join("models/x.tar.gz"),
                said: vec!["no stories".to_owned()],
            },
            handed_to: Some(Digest::of(b"remote")),
            variables: vec![("HOME".to_owned(), Digest::of(b"home"))],
            looks,
        }
    }

    #[track_caller]
    fn is_same(a: &Testimony, b: &Testimony) {
        assert_eq!(a.outcome, b.outcome);
        assert_eq!(a.variables, b.variables);
        assert_eq!(a.looks.seen, b.looks.seen);
        assert_eq!(a.looks.links, b.looks.links);
    }

    #[test]
    fn a_packed_witness_comes_back() {
        for root in [Path::new("/bots/one"), Path::new("bots/one")] {
            let packed = testimony(root).packed(root);
            let back = Reader::new(&packed, root).unwrap().testimony().unwrap();
            is_same(&back, &testimony(root));
        }
    }

    #[test]
    fn a_witness_moves_with_the_spelling_of_its_folder() {
        let packed = testimony(Path::new("bots/one")).packed(Path::new("bots/one"));
        let other = Path::new("../one");
        let back = Reader::new(&packed, other).unwrap().testimony().unwrap();
        is_same(&back, &testimony(other));
    }

    #[test]
    fn a_truncated_witness_is_none() {
        let root = Path::new("/bots/one");
        let packed = testimony(root).packed(root);
        for length in 0..packed.len() {
            let reader = Reader::new(&packed[..length], root);
            assert!(reader.and_then(Reader::testimony).is_none(), "{length}");
        }
    }
}
