//! Compares the cache with itself: every blob with its digest, every result
//! with its blobs, every file with the database; and drops what is bad.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use rusqlite::Connection;
use serde::Serialize;

use crate::digest::Digest;
use crate::store::BlobRow;
use crate::store::CacheError;
use crate::store::Census;
use crate::store::ResultRow;
use crate::store::Store;
use crate::store::Warning;
use crate::store::blobs::blob_path;
use crate::store::blobs::inline_bytes;
use crate::store::folder::Role;
use crate::store::folder::listing;
use crate::store::folder::lossy;
use crate::store::witnesses::forget_all_witnesses;
use crate::store::witnesses::forget_witness;
use crate::store::witnesses::remove_results;

/// Something in the cache that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// The database itself is damaged.
    Database {
        /// What SQLite says.
        cause: String,
    },
    /// The file of a blob is not there.
    BlobMissing {
        /// Its digest.
        digest: Digest,
    },
    /// A blob has another size than the database says.
    BlobSize {
        /// Its digest.
        digest: Digest,
        /// The size it should have, in bytes.
        expected: u64,
        /// The size it has, in bytes.
        found: u64,
    },
    /// A blob has other bytes than those it was stored with.
    BlobAltered {
        /// The digest it should have.
        digest: Digest,
        /// The digest it has.
        found: Digest,
    },
    /// A blob cannot be read.
    BlobUnreadable {
        /// Its digest.
        digest: Digest,
        /// Why not.
        cause: String,
    },
    /// The row of a result cannot be read.
    ResultUnreadable {
        /// The key it stands under.
        key: Digest,
    },
    /// An output of a result is missing, damaged or of another size.
    OutputLost {
        /// The result's key.
        key: Digest,
        /// The kind of task.
        kind: String,
        /// The output's name.
        output: String,
        /// Its digest.
        digest: Digest,
    },
    /// What a result's key was made of is missing or damaged. The result can be
    /// used, but not explained.
    ExplanationLost {
        /// The result's key.
        key: Digest,
        /// The kind of task.
        kind: String,
        /// What of it, by the name it is stored under.
        name: String,
    },
    /// A result stands under a key that its own description does not give.
    WrongKey {
        /// The key it stands under.
        key: Digest,
        /// The kind of task.
        kind: String,
        /// The key that its description gives; none if that cannot be read.
        found: Option<Digest>,
    },
    /// The witness of a project's last run is damaged. It is made again by itself.
    Witness {
        /// The project.
        project: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database { cause } => write!(f, "the database is damaged: {cause}"),
            Self::BlobMissing { digest } => write!(f, "a blob's file is gone: `{digest}`"),
            Self::BlobSize {
                digest,
                expected,
                found,
            } => write!(
                f,
                "a blob has {found} bytes instead of {expected}: `{digest}`"
            ),
            Self::BlobAltered { digest, found } => {
                write!(f, "a blob was altered: `{digest}` has the digest `{found}`")
            }
            Self::BlobUnreadable { digest, cause } => {
                write!(f, "a blob cannot be read ({cause}): `{digest}`")
            }
            Self::ResultUnreadable { key } => {
                write!(f, "the row of a result cannot be read: `{key}`")
            }
            Self::OutputLost {
                key, kind, output, ..
            } => write!(f, "output `{output}` of `{kind}` is lost: result `{key}`"),
            Self::ExplanationLost { key, kind, name } => write!(
                f,
                "what the key of `{kind}` was made of is lost (`{name}`): result `{key}`"
            ),
            Self::WrongKey {
                key,
                kind,
                found: Some(found),
            } => write!(
                f,
                "a result of `{kind}` stands under the wrong key: `{key}` instead of `{found}`"
            ),
            Self::WrongKey { key, kind, .. } => write!(
                f,
                "a result of `{kind}` does not say what its key was made of: `{key}`"
            ),
            Self::Witness { project } => {
                write!(f, "the witness of the last run of `{project}` is damaged")
            }
        }
    }
}

/// What lies in the cache and is of no use: no mistake, `gc` removes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Leftovers {
    /// Blobs that no result names.
    pub blobs: usize,
    /// Files that the database does not list, and databases put aside.
    pub files: usize,
    /// The size of both, in bytes.
    pub bytes: u64,
    /// Files that are not the cache's and that nothing here touches.
    #[serde(serialize_with = "lossy")]
    pub unknown: Vec<PathBuf>,
}

/// What a check of the cache found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How many results were looked at.
    pub results: usize,
    /// How many blobs were read.
    pub blobs: usize,
    /// How many bytes were read.
    pub bytes: u64,
    /// What is bad.
    pub problems: Vec<Problem>,
    /// What is of no use.
    pub leftovers: Leftovers,
}

/// How to check a cache.
pub struct CheckSettings<'a> {
    /// Returns the key that a result's own description gives; none if the
    /// description cannot be read. What is in one is the caller's business.
    pub key_of: &'a dyn Fn(&ResultRow) -> Option<Digest>,
    /// Asked between blobs whether to stop.
    pub is_cancelled: &'a dyn Fn() -> bool,
}

impl Store {
    /// Checks everything. Nothing is changed; a check that was cancelled tells
    /// what it found so far.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn check(&self, settings: &CheckSettings<'_>) -> Result<Verification, CacheError> {
        let mut verification = Verification::default();
        let faults = self.read(integrity);
        let census = faults.is_some().then(|| self.census()).flatten();
        for cause in faults.into_iter().flatten() {
            verification.problems.push(Problem::Database { cause });
        }
        let Some(census) = census else {
            verification.problems.push(self.refusal());
            return Ok(verification);
        };
        let bad = self.check_blobs(&census, settings, &mut verification);
        self.check_results(&census, &bad, settings, &mut verification);
        let damaged = self.damaged_witnesses().into_iter();
        let damaged = damaged.map(|project| Problem::Witness { project });
        verification.problems.extend(damaged);
        if let Some(folder) = self.folder() {
            verification.leftovers =
                leftovers(folder, &census).map_err(|source| CacheError::Read {
                    path: folder.to_owned(),
                    source,
                })?;
        }
        Ok(verification)
    }

    /// Returns why the database refused.
    fn refusal(&self) -> Problem {
        let warnings = self.take_warnings();
        let cause = warnings.into_iter().find_map(|warning| match warning {
            Warning::Damaged { cause, .. } | Warning::NotStored { cause } => Some(cause),
            _ => None,
        });
        Problem::Database {
            cause: cause.unwrap_or_else(|| "it cannot be read".to_owned()),
        }
    }

    /// Reads every blob; returns the bad ones.
    fn check_blobs(
        &self,
        census: &Census,
        settings: &CheckSettings<'_>,
        verification: &mut Verification,
    ) -> BTreeSet<Digest> {
        let mut bad = BTreeSet::new();
        for (digest, row) in &census.blobs {
            if (settings.is_cancelled)() {
                break;
            }
            verification.blobs += 1;
            verification.bytes += row.size;
            if let Some(problem) = self.check_blob(*digest, row) {
                verification.problems.push(problem);
                bad.insert(*digest);
            }
        }
        bad
    }

    fn check_blob(&self, digest: Digest, row: &BlobRow) -> Option<Problem> {
        let size_is = |found| {
            (found != row.size).then_some(Problem::BlobSize {
                digest,
                expected: row.size,
                found,
            })
        };
        let found = if row.is_inline {
            let read = self.read(|connection| inline_bytes(connection, digest));
            let bytes = read.flatten().unwrap_or_default();
            if let Some(problem) = size_is(bytes.len() as u64) {
                return Some(problem);
            }
            Digest::of(&bytes)
        } else {
            let path = blob_path(self.folder()?, digest);
            let cause = |cause: String| Some(Problem::BlobUnreadable { digest, cause });
            match fs::symlink_metadata(&path) {
                Ok(file) if !file.is_file() => return cause("not a regular file".to_owned()),
                Ok(file) if file.len() != row.size => return size_is(file.len()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Some(Problem::BlobMissing { digest });
                }
                Err(error) => return cause(error.to_string()),
            }
            let mut hasher = blake3::Hasher::new();
            match File::open(&path).and_then(|file| hasher.update_reader(file).map(drop)) {
                Ok(()) => Digest::from_bytes(*hasher.finalize().as_bytes()),
                Err(error) => return cause(error.to_string()),
            }
        };
        (found != digest).then_some(Problem::BlobAltered { digest, found })
    }

    fn check_results(
        &self,
        census: &Census,
        bad: &BTreeSet<Digest>,
        settings: &CheckSettings<'_>,
        verification: &mut Verification,
    ) {
        verification.results = census.results.len() + census.unreadable.len();
        let problems = &mut verification.problems;
        let unreadable = census.unreadable.iter();
        problems.extend(unreadable.map(|&key| Problem::ResultUnreadable { key }));
        let is_sound = |digest| census.blobs.contains_key(digest) && !bad.contains(digest);
        for row in &census.results {
            let before = problems.len();
            for (name, output) in &row.outputs {
                let listed = census.blobs.get(&output.digest);
                let is_right = listed.is_some_and(|blob| blob.size == output.size);
                if !is_right || !is_sound(&output.digest) {
                    problems.push(Problem::OutputLost {
                        key: row.key,
                        kind: row.kind.clone(),
                        output: name.clone(),
                        digest: output.digest,
                    });
                }
            }
            for (name, digest) in &row.manifest {
                if !is_sound(digest) {
                    problems.push(Problem::ExplanationLost {
                        key: row.key,
                        kind: row.kind.clone(),
                        name: name.clone(),
                    });
                }
            }
            if problems.len() > before || row.manifest.is_empty() || (settings.is_cancelled)() {
                continue;
            }
            let found = (settings.key_of)(row);
            if found != Some(row.key) {
                problems.push(Problem::WrongKey {
                    key: row.key,
                    kind: row.kind.clone(),
                    found,
                });
            }
        }
    }

    /// Drops what a check found bad, and returns whether all of it is gone: bad
    /// blobs with their files, results that lost an output or stand under a wrong
    /// key. A result that cannot be explained any more is kept. A damaged
    /// database is put aside.
    pub fn repair(&self, problems: &[Problem]) -> bool {
        let database = problems.iter().find_map(|problem| match problem {
            Problem::Database { cause } => Some(cause),
            _ => None,
        });
        if let Some(cause) = database {
            // Unless it was put aside when it was opened.
            if self.folder().is_some() {
                self.put_aside(cause);
            }
            return true;
        }
        let dropped = self.write(|connection| {
            let mut files = Vec::new();
            // Anybody may stand on what goes.
            forget_all_witnesses(connection)?;
            for problem in problems {
                files.extend(drop_bad(connection, problem)?);
            }
            Ok(files)
        });
        let Some(files) = dropped else {
            return false;
        };
        let Some(folder) = self.folder() else {
            return false;
        };
        let mut are_gone = true;
        for digest in files {
            let removed = fs::remove_file(blob_path(folder, digest));
            are_gone &=
                removed.map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true);
        }
        are_gone
    }

    /// Drops the results under `keys`; returns whether that was possible.
    pub fn forget(&self, keys: &[Digest]) -> bool {
        let dropped =
            self.write(|connection| remove_results(connection, &keys.iter().copied().collect()));
        dropped.is_some()
    }
}

/// Drops the rows of one problem; returns the blob whose file has to go too.
fn drop_bad(connection: &Connection, problem: &Problem) -> rusqlite::Result<Option<Digest>> {
    const BLOB: &str = "DELETE FROM blobs WHERE digest = ?1";
    const RESULT: &str = "DELETE FROM results WHERE key = ?1";
    match problem {
        Problem::Database { .. } => {}
        Problem::BlobMissing { digest }
        | Problem::BlobSize { digest, .. }
        | Problem::BlobAltered { digest, .. }
        | Problem::BlobUnreadable { digest, .. } => {
            delete(connection, BLOB, *digest)?;
            return Ok(Some(*digest));
        }
        Problem::ResultUnreadable { key }
        | Problem::OutputLost { key, .. }
        | Problem::WrongKey { key, .. } => delete(connection, RESULT, *key)?,
        Problem::ExplanationLost { key, name, .. } => forget_explanation(connection, *key, name)?,
        Problem::Witness { project } => forget_witness(connection, project)?,
    }
    Ok(None)
}

fn delete(connection: &Connection, sql: &str, digest: Digest) -> rusqlite::Result<()> {
    connection
        .prepare_cached(sql)?
        .execute([digest.as_bytes()])?;
    Ok(())
}

/// Takes one entry out of a result's manifest.
fn forget_explanation(connection: &Connection, key: Digest, name: &str) -> rusqlite::Result<()> {
    let sql = "SELECT manifest FROM results WHERE key = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([key.as_bytes()])?;
    let Some(row) = rows.next()? else {
        return Ok(());
    };
    let text: String = row.get(0)?;
    let mut manifest: BTreeMap<String, Digest> = serde_json::from_str(&text).unwrap_or_default();
    manifest.remove(name);
    let text = serde_json::to_string(&manifest).expect("names and digests are JSON");
    let sql = "UPDATE results SET manifest = ?2 WHERE key = ?1";
    connection
        .prepare_cached(sql)?
        .execute((key.as_bytes(), text))?;
    Ok(())
}

/// Returns what SQLite finds wrong with the database; empty if nothing.
fn integrity(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA integrity_check(10)")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let lines: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

/// Finds what is of no use.
fn leftovers(folder: &std::path::Path, census: &Census) -> io::Result<Leftovers> {
    let named: BTreeSet<Digest> = census.results.iter().flat_map(ResultRow::blobs).collect();
    let unnamed = census
        .blobs
        .iter()
        .filter(|(digest, _)| !named.contains(digest));
    let mut leftovers = Leftovers::default();
    for (_, row) in unnamed {
        leftovers.blobs += 1;
        leftovers.bytes += row.size;
    }
    let listing = listing(folder)?;
    for file in listing.files {
        let is_of_no_use = match file.role {
            Role::Blob(digest) => census.blobs.get(&digest).is_none_or(|row| row.is_inline),
            Role::Temporary | Role::Aside => true,
            Role::Database | Role::Log | Role::Lock | Role::TaskLock => false,
        };
        if is_of_no_use {
            leftovers.files += 1;
            leftovers.bytes += file.size;
        }
    }
    leftovers.unknown = listing.unknown;
    Ok(leftovers)
}
