//! Goes through a folder and its folders, and notes what each of them holds.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use walkdir::DirEntry;
use walkdir::WalkDir;

use crate::digest::Digest;
use crate::import::looks::Eyes;
use crate::import::looks::FileStamp;
use crate::import::looks::Look;
use crate::import::looks::Seen;
use crate::import::looks::clock_ns;

/// Returns what lies in a folder and its folders, in order of names. Links are
/// followed, and a folder that several of them lead to is visited once.
pub fn walk(folder: &Path, eyes: &Eyes) -> Vec<walkdir::Result<DirEntry>> {
    let since_ns = clock_ns();
    let mut visited = HashSet::new();
    let mut listings: BTreeMap<PathBuf, Listing> = BTreeMap::new();
    let entries = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    let entries = entries.into_iter().filter_entry(|entry| {
        note(entry, &mut listings, eyes);
        if !entry.file_type().is_dir() {
            return true;
        }
        let is_new = fs::canonicalize(entry.path()).map_or(true, |real| visited.insert(real));
        if is_new {
            listings.entry(entry.path().to_owned()).or_default();
        }
        is_new
    });
    let entries: Vec<_> = entries.collect();
    for path in entries
        .iter()
        .filter_map(|entry| entry.as_ref().err()?.path())
    {
        eyes.add_link(path);
    }
    for (path, listing) in listings {
        // A stamp that is younger than the walk proves nothing, which is why it
        // can be taken afterwards.
        let stamp = fs::metadata(&path).ok().and_then(|now| FileStamp::of(&now));
        let seen = Seen::Entries(listing.digest());
        eyes.add(
            &path,
            Look {
                seen,
                stamp,
                since_ns,
            },
        );
    }
    entries
}

/// Notes an entry in the listing of its folder.
fn note(entry: &DirEntry, listings: &mut BTreeMap<PathBuf, Listing>, eyes: &Eyes) {
    if entry.depth() == 0 {
        return;
    }
    if entry.path_is_symlink() {
        eyes.add_link(entry.path());
    }
    let folder = entry.path().parent().unwrap_or(Path::new(""));
    let listing = match listings.get_mut(folder) {
        Some(listing) => listing,
        None => listings.entry(folder.to_owned()).or_default(),
    };
    listing.add(entry.path(), entry.file_type(), entry.path_is_symlink());
}

/// Which names in a folder matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Those of folders, of links, and of files with the suffixes of data.
    #[default]
    OfData,
    /// All.
    All,
}

/// What a folder holds, as far as it can matter.
#[derive(Default)]
struct Listing {
    names: Names,
    kinds: BTreeMap<Vec<u8>, u8>,
}

impl Listing {
    /// Adds an entry of this type, which is that of where it leads.
    fn add(&mut self, path: &Path, leads_to: fs::FileType, is_link: bool) {
        let kind = match (leads_to.is_dir(), leads_to.is_file()) {
            (true, _) => b'd',
            (_, true) if self.names == Names::All || is_link || suffix(path).is_some() => b'f',
            (_, true) => return,
            _ => b'o',
        };
        let name = path.file_name().unwrap_or(OsStr::new(""));
        let kind = if is_link {
            kind.to_ascii_uppercase()
        } else {
            kind
        };
        self.kinds.insert(name.as_encoded_bytes().to_vec(), kind);
    }

    fn digest(&self) -> Digest {
        let mut bytes = Vec::new();
        for (name, kind) in &self.kinds {
            bytes.push(*kind);
            bytes.extend((name.len() as u64).to_le_bytes());
            bytes.extend(name);
        }
        Digest::of(&bytes)
    }
}

/// Returns the digest of what a folder holds, as a walk through it notes it. Links to
/// nothing are left out there too.
///
/// # Errors
///
/// If the folder cannot be listed.
pub fn listing(folder: &Path, names: Names) -> io::Result<Digest> {
    let mut listing = Listing {
        names,
        ..Listing::default()
    };
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let own = entry.file_type()?;
        let path = entry.path();
        if !own.is_symlink() {
            listing.add(&path, own, false);
        } else if let Ok(target) = fs::metadata(&path) {
            listing.add(&path, target.file_type(), true);
        }
    }
    Ok(listing.digest())
}

/// Returns the suffix of a data file.
pub fn suffix(path: &Path) -> Option<&str> {
    let suffix = path.extension()?.to_str()?;
    ["yml", "yaml", "json", "md"]
        .contains(&suffix)
        .then_some(suffix)
}
