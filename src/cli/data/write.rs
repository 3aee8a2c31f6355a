//! Writes files that nothing may be overwritten by: none if one is in the way.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::replace::fresh_file;

/// A file to be written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Where the file that is there, or that it was made of, is kept.
    pub backup: Option<Backup>,
}

/// An original that makes room.
#[derive(Clone, Debug)]
pub struct Backup {
    /// The original.
    pub from: PathBuf,
    /// Where it is kept.
    pub to: PathBuf,
}

/// Why nothing was written, or not all.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Files would be overwritten.
    #[error("nothing is written: {} is there already", shown(.0))]
    Exists(Vec<PathBuf>),
    /// A file could not be written, after `count` others that were.
    #[error("cannot write `{}`, {}", path.display(), before(*count))]
    Write {
        path: PathBuf,
        source: io::Error,
        count: usize,
    },
}

/// Says what was written before a file that could not be.
fn before(count: usize) -> String {
    match count {
        0 => "and nothing is changed".to_owned(),
        1 => "after 1 file that is written and stays".to_owned(),
        _ => format!("after {count} files that are written and stay"),
    }
}

/// Returns some paths for a sentence.
fn shown(paths: &[PathBuf]) -> String {
    let more = paths.len().saturating_sub(3);
    let paths = paths.iter().take(3);
    let mut paths: Vec<String> = paths.map(|path| format!("`{}`", path.display())).collect();
    if more > 0 {
        paths.push(format!("{more} more"));
    }
    paths.join(", ")
}

/// Writes files: all of them, or, as long as the disk does what it says, none.
///
/// All are written beside their places first, and originals are kept; only then
/// is one after the other renamed, which hardly fails any more.
///
/// # Errors
///
/// Before anything is written, if a file is there already that nobody keeps. If
/// a file cannot be written, nothing has changed but for the `count` that the
/// error tells.
pub fn write(files: &[Written]) -> Result<(), WriteError> {
    check(files)?;
    let mut staged: Vec<Staged<'_>> = Vec::new();
    for file in files {
        let failed = |source| WriteError::Write {
            path: file.path.clone(),
            source,
            count: 0,
        };
        staged.push(Staged::new(file).map_err(failed)?);
    }
    for (count, one) in staged.iter_mut().enumerate() {
        one.rename().map_err(|source| WriteError::Write {
            path: one.file.path.clone(),
            source,
            count,
        })?;
    }
    Ok(())
}

/// Looks whether files could be written.
///
/// # Errors
///
/// If a file is there already that nobody keeps.
pub fn check(files: &[Written]) -> Result<(), WriteError> {
    let mut there: Vec<PathBuf> = Vec::new();
    for file in files {
        let is_kept = file.backup.as_ref().is_some_and(|b| b.from == file.path);
        let backup = file.backup.as_ref().map(|backup| &backup.to);
        let taken = [Some(&file.path).filter(|_| !is_kept), backup];
        let taken = taken.into_iter().flatten();
        there.extend(
            taken
                .filter(|path| path.symlink_metadata().is_ok())
                .cloned(),
        );
    }
    match there.is_empty() {
        true => Ok(()),
        false => Err(WriteError::Exists(there)),
    }
}

/// A file that is written beside its place, its original kept. Unless it gets
/// there, all that is taken back.
struct Staged<'f> {
    file: &'f Written,
    /// Where it goes: a link that is written to stays one.
    path: PathBuf,
    new: PathBuf,
    /// A copy of the original that is of use only beside the new file.
    copy: Option<&'f Path>,
}

impl<'f> Staged<'f> {
    fn new(file: &'f Written) -> io::Result<Self> {
        let path = match file.path.is_symlink() {
            true => fs::canonicalize(&file.path)?,
            false => file.path.clone(),
        };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let (new, mut handle) = fresh_file(folder)?;
        let mut staged = Self {
            file,
            path,
            new,
            copy: None,
        };
        handle.write_all(&file.bytes)?;
        handle.sync_all()?;
        staged.keep_original()?;
        Ok(staged)
    }

    /// Copies an original that stays until the new file takes its place.
    fn keep_original(&mut self) -> io::Result<()> {
        let backup = self.file.backup.as_ref();
        let Some(backup) = backup.filter(|backup| backup.from == self.file.path) else {
            return Ok(());
        };
        self.copy = Some(&backup.to);
        let permissions = fs::metadata(&backup.from)?.permissions();
        fs::copy(&backup.from, &backup.to)?;
        fs::set_permissions(&self.new, permissions)
    }

    /// Puts the file in its place, and an original of another name out of it.
    fn rename(&mut self) -> io::Result<()> {
        fs::rename(&self.new, &self.path)?;
        self.new = PathBuf::new();
        match &self.file.backup {
            Some(backup) if backup.from != self.file.path => {
                fs::rename(&backup.from, &backup.to).inspect_err(|_| {
                    // One of both has to go, or both would be read.
                    let _ = fs::remove_file(&self.path);
                })
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if self.new.as_os_str().is_empty() {
            return;
        }
        // What is half there is no use; that it stays is no second failure.
        let _ = fs::remove_file(&self.new);
        if let Some(copy) = self.copy {
            let _ = fs::remove_file(copy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lies in a folder and its folders: names and contents, sorted.
    fn content(folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
        found.sort();
        found
    }

    fn in_place(folder: &Path, name: &str, text: &str) -> Written {
        let path = folder.join(name);
        Written {
            backup: Some(Backup {
                from: path.clone(),
                to: folder.join(format!("{name}.bak")),
            }),
            path,
            bytes: text.into(),
        }
    }

    #[test]
    fn all_files_are_replaced_and_their_originals_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "old").unwrap();
        fs::write(folder.path().join("b.md"), "older").unwrap();
        let mut other = in_place(folder.path(), "b.md", "new");
        other.path = folder.path().join("b.yml");
        write(&[in_place(folder.path(), "a", "new"), other]).unwrap();
        let want = [
            ("a", "new"),
            ("a.bak", "old"),
            ("b.md.bak", "older"),
            ("b.yml", "new"),
        ];
        let want = want.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(content(folder.path()), want);
    }

    #[test]
    fn where_one_file_cannot_be_written_nothing_changes() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "old").unwrap();
        fs::write(folder.path().join("b"), "old").unwrap();
        let before = content(folder.path());
        let files = [
            in_place(folder.path(), "a", "new"),
            Written {
                path: folder.path().join("b/inside"),
                bytes: Vec::new(),
                backup: None,
            },
        ];
        let error = write(&files).unwrap_err();
        assert!(
            matches!(error, WriteError::Write { count: 0, .. }),
            "{error}"
        );
        assert_eq!(content(folder.path()), before);
    }

    #[test]
    fn where_an_original_cannot_make_room_the_files_before_it_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "old").unwrap();
        let mut gone = in_place(folder.path(), "b.md", "new");
        gone.path = folder.path().join("b.yml");
        let files = [in_place(folder.path(), "a", "new"), gone];
        let error = write(&files).unwrap_err();
        assert!(
            matches!(error, WriteError::Write { count: 1, .. }),
            "{error}"
        );
        let want = [("a", "new"), ("a.bak", "old")];
        let want = want.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(content(folder.path()), want);
    }
}
