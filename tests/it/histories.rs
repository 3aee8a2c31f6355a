//! The recorded histories of edits: a state of a real bot, and the patches that
//! its authors made one after the other.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::shared::shared;

/// A bot's history.
pub struct History {
    /// The folder with the first state.
    pub base: PathBuf,
    /// What followed.
    pub patches: Vec<Patch>,
}

/// One commit.
pub struct Patch {
    /// Its number and the start of its hash, such as `07-32a3c0a6`.
    pub name: String,
    diff: String,
}

/// A file that a patch changes.
pub struct Touched {
    /// Its path in the project.
    pub path: String,
    /// Lines that come.
    pub added: usize,
    /// Lines that go.
    pub removed: usize,
}

/// Returns the history of a bot, unless there is no shared folder.
pub fn history(name: &str) -> Option<History> {
    let series = shared(&format!("edit-series/{name}"))?;
    let mut paths: Vec<PathBuf> = fs::read_dir(&series)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "patch"))
        .collect();
    paths.sort();
    let patch = |path: PathBuf| Patch {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        diff: fs::read_to_string(&path).unwrap(),
    };
    Some(History {
        base: series.join("base"),
        patches: paths.into_iter().map(patch).collect(),
    })
}

impl Patch {
    /// Applies it to the files in `root`: a unified diff of text files, as `git
    /// diff` writes them.
    ///
    /// # Panics
    ///
    /// If a line that it removes or keeps is not there.
    pub fn apply(&self, root: &Path) {
        for file in self.files() {
            let path = root.join(file.path);
            if file.is_removed {
                fs::remove_file(&path).unwrap();
                continue;
            }
            let old = fs::read_to_string(&path).unwrap_or_default();
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, patched(&old, file.diff)).unwrap();
        }
    }

    /// Returns the files that it changes.
    pub fn touched(&self) -> Vec<Touched> {
        let count = |diff: &str, mark: &str| {
            let hunks = diff.lines().skip_while(|line| !line.starts_with("@@ "));
            hunks.filter(|line| line.starts_with(mark)).count()
        };
        let touched = |file: FileDiff<'_>| Touched {
            path: file.path.to_owned(),
            added: count(file.diff, "+"),
            removed: count(file.diff, "-"),
        };
        self.files().into_iter().map(touched).collect()
    }

    fn files(&self) -> Vec<FileDiff<'_>> {
        let after_line = |(at, _)| at + 1;
        let starts = self.diff.match_indices("\ndiff --git ").map(after_line);
        let starts: Vec<usize> = std::iter::once(0).chain(starts).collect();
        let ends = starts.iter().skip(1).copied().chain([self.diff.len()]);
        let diffs = starts.iter().zip(ends);
        let diffs = diffs.map(|(start, end)| &self.diff[*start..end]);
        diffs.filter_map(FileDiff::new).collect()
    }
}

/// The part of a patch that is about one file.
struct FileDiff<'a> {
    path: &'a str,
    is_removed: bool,
    diff: &'a str,
}

impl<'a> FileDiff<'a> {
    /// Reads the header; `None` if no contents change.
    fn new(diff: &'a str) -> Option<Self> {
        let header = |mark: &str| {
            let line = diff.lines().find(|line| line.starts_with(mark))?;
            line[mark.len()..]
                .strip_prefix(['a', 'b'])?
                .strip_prefix('/')
        };
        let new = header("+++ ");
        Some(Self {
            path: new.or(header("--- "))?,
            is_removed: new.is_none(),
            diff,
        })
    }
}

/// Returns a text after the hunks of a diff.
fn patched(old: &str, diff: &str) -> String {
    let lines: Vec<&str> = old.split_inclusive('\n').collect();
    let mut new = String::new();
    let mut at = 0;
    let mut in_hunk = false;
    let mut last = ' ';
    for line in diff.split_inclusive('\n') {
        if let Some(head) = line.strip_prefix("@@ -") {
            let start = head.split([',', ' ']).next().unwrap();
            let start = start.parse::<usize>().unwrap().saturating_sub(1).max(at);
            new.extend(lines[at..start].iter().copied());
            (at, in_hunk) = (start, true);
        } else if in_hunk && line.starts_with('\\') {
            // "No newline at end of file", of the line before.
            if last == '+' {
                new.truncate(new.trim_end_matches('\n').len());
            }
        } else if in_hunk && let Some(added) = line.strip_prefix('+') {
            new.push_str(added);
        } else if in_hunk && line.starts_with([' ', '-']) {
            assert_eq!(lines[at].trim_end(), line[1..].trim_end(), "line {at}");
            if line.starts_with(' ') {
                new.push_str(lines[at]);
            }
            at += 1;
        }
        last = line.chars().next().unwrap_or(' ');
    }
    new.extend(lines[at..].iter().copied());
    new
}
