//! A witness as bytes.
//!
//! Numbers are little-endian. A *text* is its length (`u32`) and its bytes. A
//! *path* is one byte and a text: 0 for a path that starts at the project's
//! folder, 1 for an absolute one.
//!
//! ```text
//! version       1 byte
//! outcome       tasks u32 · warnings u32 · archive path · count u32 · sentences, a text each
//! variables     count u32 · (name text · digest of the value)…
//! blobs         count u32 · (digest · size u64)…
//! links         count u32 · (path · digest)…
//! looks         count u32 · (path · kind 1 byte · contents)…
//! contents      of kinds 4 and 5 alone: digest · clock i64 · has stamp 1 byte · stamp
//! stamp         size u64 · mtime i64 · ctime i64 · inode u64 · device u64
//! ```
//!
//! Digests have 32 bytes; times are nanoseconds since 1970. What cannot be read
//! is no witness.

use std::path::Path;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::import::FileStamp;
use crate::import::Look;
use crate::import::Looks;
use crate::import::Seen;
use crate::store::OutputRef;

const VERSION: u8 = 2;

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
    /// The environment variables that the files name, with digests of their
    /// values.
    pub variables: Vec<(String, Digest)>,
    /// Blobs that are files of the cache.
    pub blobs: Vec<OutputRef>,
    /// Everything that was looked at, the archive and its pointer too.
    pub looks: Looks,
}

impl Testimony {
    /// Packs it; `root` is the project's folder.
    pub fn packed(&self, root: &Path) -> Vec<u8> {
        let mut out = Writer {
            bytes: vec![VERSION],
            root,
        };
        let outcome = &self.outcome;
        out.number(outcome.task_count);
        out.number(outcome.warning_count);
        out.path(&outcome.model);
        out.count(outcome.said.len());
        for sentence in &outcome.said {
            out.text(sentence.as_bytes());
        }
        out.count(self.variables.len());
        for (name, value) in &self.variables {
            out.text(name.as_bytes());
            out.digest(value);
        }
        out.count(self.blobs.len());
        for blob in &self.blobs {
            out.digest(&blob.digest);
            out.bytes.extend(blob.size.to_le_bytes());
        }
        out.count(self.looks.links.len());
        for (path, real) in &self.looks.links {
            out.path(path);
            out.digest(real);
        }
        out.count(self.looks.seen.len());
        for (path, look) in &self.looks.seen {
            out.path(path);
            out.look(look);
        }
        out.bytes
    }
}

struct Writer<'a> {
    bytes: Vec<u8>,
    root: &'a Path,
}

impl Writer<'_> {
    fn number(&mut self, number: u32) {
        self.bytes.extend(number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(u32::try_from(count).expect("counts fit into 32 bits"));
    }

    fn text(&mut self, text: &[u8]) {
        self.count(text.len());
        self.bytes.extend(text);
    }

    fn digest(&mut self, digest: &Digest) {
        self.bytes.extend(digest.as_bytes());
    }

    fn path(&mut self, path: &Path) {
        let below = path.strip_prefix(self.root).ok();
        let here = Path::new(".");
        let below = below.or_else(|| (self.root == here && path.is_relative()).then_some(path));
        let absolute = match below {
            Some(_) => path.to_owned(),
            None => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        };
        self.bytes.push(u8::from(below.is_none()));
        let path = below.unwrap_or(&absolute);
        self.text(path.as_os_str().as_encoded_bytes());
    }

    fn look(&mut self, look: &Look) {
        let (kind, digest) = match look.seen {
            Seen::Nothing => (0, None),
            Seen::File => (1, None),
            Seen::Folder => (2, None),
            Seen::Other => (3, None),
            Seen::Bytes(digest) => (4, Some(digest)),
            Seen::Entries(digest) => (5, Some(digest)),
        };
        self.bytes.push(kind);
        let Some(digest) = digest else {
            return;
        };
        self.digest(&digest);
        self.bytes.extend(look.since_ns.to_le_bytes());
        self.bytes.push(u8::from(look.stamp.is_some()));
        if let Some(stamp) = look.stamp {
            self.bytes.extend(stamp.size.to_le_bytes());
            self.bytes.extend(stamp.mtime_ns.to_le_bytes());
            self.bytes.extend(stamp.ctime_ns.to_le_bytes());
            self.bytes.extend(stamp.inode.to_le_bytes());
            self.bytes.extend(stamp.device.to_le_bytes());
        }
    }
}

/// Reads a packed witness from front to back: its parts in the order in which
/// they were packed. Nothing is copied that need not be.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    root: &'a Path,
}

impl<'a> Reader<'a> {
    /// Returns a reader of `bytes`; none if they are of another version.
    pub fn new(bytes: &'a [u8], root: &'a Path) -> Option<Self> {
        let mut reader = Self { rest: bytes, root };
        let [version] = reader.take()?;
        (version == VERSION).then_some(reader)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    /// Reads a count of things that follow.
    pub fn count(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// Reads a digest.
    pub fn digest(&mut self) -> Option<Digest> {
        self.take().map(Digest::from_bytes)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.count()? as usize;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(text)
    }

    fn utf8(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.text()?).ok()
    }

    /// Reads a path; one that starts at the project's folder is joined to it.
    fn path(&mut self) -> Option<PathBuf> {
        let [base] = self.take()?;
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
            task_count: self.count()?,
            warning_count: self.count()?,
            model: self.path()?,
            said: Vec::new(),
        };
        for _ in 0..self.count()? {
            outcome.said.push(self.utf8()?.to_owned());
        }
        Some(outcome)
    }

    /// Reads a variable and the digest of its value.
    pub fn variable(&mut self) -> Option<(&'a str, Digest)> {
        Some((self.utf8()?, self.digest()?))
    }

    /// Reads a blob that is a file of the cache.
    pub fn blob(&mut self) -> Option<OutputRef> {
        Some(OutputRef {
            digest: self.digest()?,
            size: u64::from_le_bytes(self.take()?),
        })
    }

    /// Reads a path and where it leads.
    pub fn link(&mut self) -> Option<(PathBuf, Digest)> {
        Some((self.path()?, self.digest()?))
    }

    /// Reads a look.
    pub fn look(&mut self) -> Option<(PathBuf, Look)> {
        let path = self.path()?;
        let [kind] = self.take()?;
        let seen = match kind {
            0 => Seen::Nothing,
            1 => Seen::File,
            2 => Seen::Folder,
            3 => Seen::Other,
            4 => Seen::Bytes(self.digest()?),
            5 => Seen::Entries(self.digest()?),
            _ => return None,
        };
        let mut look = Look {
            seen,
            stamp: None,
            since_ns: 0,
        };
        if matches!(seen, Seen::Bytes(_) | Seen::Entries(_)) {
            look.since_ns = i64::from_le_bytes(self.take()?);
            let [has_stamp] = self.take()?;
            if has_stamp == 1 {
                look.stamp = Some(self.stamp()?);
            }
        }
        Some((path, look))
    }

    fn stamp(&mut self) -> Option<FileStamp> {
        Some(FileStamp {
            size: u64::from_le_bytes(self.take()?),
            mtime_ns: i64::from_le_bytes(self.take()?),
            ctime_ns: i64::from_le_bytes(self.take()?),
            inode: u64::from_le_bytes(self.take()?),
            device: u64::from_le_bytes(self.take()?),
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
            variables: Vec::new(),
            blobs: Vec::new(),
            looks: Looks::default(),
        };
        for _ in 0..self.count()? {
            let (name, value) = self.variable()?;
            testimony.variables.push((name.to_owned(), value));
        }
        for _ in 0..self.count()? {
            testimony.blobs.push(self.blob()?);
        }
        for _ in 0..self.count()? {
            let (path, real) = self.link()?;
            testimony.looks.add_link(path, real);
        }
        for _ in 0..self.count()? {
            let (path, look) = self.look()?;
            testimony.looks.add(path, look);
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
        let kinds = [
            ("a", Seen::Nothing, None),
            ("b", Seen::File, None),
            ("c", Seen::Folder, None),
            ("d", Seen::Other, None),
            ("e/ü", Seen::Bytes(Digest::of(b"e")), Some(stamp)),
            ("f", Seen::Entries(Digest::of(b"f")), None),
        ];
        for (path, seen, stamp) in kinds {
            let since_ns = i64::from(matches!(seen, Seen::Bytes(_) | Seen::Entries(_)));
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
            variables: vec![("HOME".to_owned(), Digest::of(b"home"))],
            blobs: vec![OutputRef::of(b"blob")],
            looks,
        }
    }

    #[track_caller]
    fn is_same(a: &Testimony, b: &Testimony) {
        assert_eq!(a.outcome, b.outcome);
        assert_eq!(a.variables, b.variables);
        assert_eq!(a.blobs, b.blobs);
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
