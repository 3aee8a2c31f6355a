//! Patterns of folders, such as `bots/*` or `teams/**/bot?`.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// Folders that `**` goes down at most.
const DEPTH_LIMIT: usize = 16;

/// Returns whether a path is a pattern.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?'])
}

/// A folder that a pattern means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its path, relative to where the pattern starts.
    pub path: PathBuf,
    /// Whether the folder that it is in lists it as a folder, not as a link.
    pub is_listed: bool,
}

impl Found {
    fn new(path: PathBuf, is_listed: bool) -> Self {
        Self { path, is_listed }
    }
}

/// Returns the folders below `root` that a pattern means, sorted, relative to
/// `root`.
///
/// `*` stands for any letters of one name, `?` for one letter, and a part `**`
/// for any number of folders. Hidden folders are meant only by a part that
/// starts with a dot, and links are not followed by `**`.
///
/// # Errors
///
/// If a folder on the way cannot be read.
pub fn folders(root: &Path, pattern: &str) -> io::Result<Vec<Found>> {
    let start = match pattern.starts_with('/') {
        true => PathBuf::from("/"),
        false => PathBuf::new(),
    };
    let mut found = vec![Found::new(start, false)];
    for part in pattern.split('/').filter(|part| !matches!(*part, "" | ".")) {
        let mut next = Vec::new();
        for folder in found {
            match part {
                "**" => descend(root, folder, DEPTH_LIMIT, &mut next)?,
                ".." => next.push(Found::new(folder.path.join(".."), false)),
                _ => next.extend(matching(root, &folder.path, part)?),
            }
        }
        next.sort();
        next.dedup_by(|later, earlier| later.path == earlier.path);
        found = next;
    }
    Ok(found)
}

/// Returns the folders in `folder` whose names fit.
fn matching(root: &Path, folder: &Path, part: &str) -> io::Result<Vec<Found>> {
    if !is_pattern(part) {
        let path = folder.join(part);
        let found = root.join(&path).is_dir().then(|| Found::new(path, false));
        return Ok(found.into_iter().collect());
    }
    let names = names(root, folder)?.into_iter();
    let fitting = names.filter(|(name, _)| fits(part, name));
    let found = fitting.map(|(name, is_link)| Found::new(folder.join(name), !is_link));
    Ok(found.collect())
}

/// Adds a folder and all below it.
fn descend(root: &Path, folder: Found, depth: usize, all: &mut Vec<Found>) -> io::Result<()> {
    if depth > 0 {
        for (name, is_link) in names(root, &folder.path)? {
            if !is_link && !name.starts_with('.') {
                let below = Found::new(folder.path.join(name), true);
                descend(root, below, depth - 1, all)?;
            }
        }
    }
    all.push(folder);
    Ok(())
}

/// Returns the names of the folders in a folder, and whether each is a link.
fn names(root: &Path, folder: &Path) -> io::Result<Vec<(String, bool)>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let is_link = kind.is_symlink();
        if kind.is_dir() || is_link && entry.path().is_dir() {
            names.extend(entry.file_name().into_string().map(|name| (name, is_link)));
        }
    }
    Ok(names)
}

/// Returns whether a name fits a part of a pattern. The time is at most the
/// product of both lengths.
fn fits(part: &str, name: &str) -> bool {
    if name.starts_with('.') && !part.starts_with('.') {
        return false;
    }
    let (part, name): (Vec<char>, Vec<char>) = (part.chars().collect(), name.chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        if at < part.len() && part[at] == '*' {
            star = Some((at, from));
            at += 1;
        } else if at < part.len() && (part[at] == '?' || part[at] == name[from]) {
            at += 1;
            from += 1;
        } else if let Some((star_at, taken)) = star {
            star = Some((star_at, taken + 1));
            at = star_at + 1;
            from = taken + 1;
        } else {
            return false;
        }
    }
    part[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_letters_and_question_marks_for_one() {
        for (part, name, want) in [
            ("*", "bot", true),
            ("*", ".git", false),
            (".*", ".git", true),
            ("b*t", "bot", true),
            ("b*t", "boats", false),
            ("b?t", "bot", true),
            ("b?t", "bt", false),
            ("*a*b", "xaybab", true),
            ("é*", "école", true),
        ] {
            assert_eq!(fits(part, name), want, "{part} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        assert!(!fits(&"*a".repeat(200), &"a".repeat(199)));
    }
}
