//! Which files changed, as it was typed: a revision, files, or a list on standard
//! input.

use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use crate::api::Changes;
use crate::api::TrainError;
use crate::cli::workspace::MemberArguments;
use crate::import::ImportError;

/// Returns where it is said what changed; relative files start at `from`.
pub fn changes(arguments: &MemberArguments, from: &Path) -> Result<Changes, TrainError> {
    if let Some(revision) = &arguments.since {
        return Ok(Changes::Since(revision.clone()));
    }
    let mut paths = Vec::new();
    for path in &arguments.changed {
        if path.as_os_str() != "-" {
            paths.push(path.clone());
            continue;
        }
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|source| ImportError::Read {
            path: "-".into(),
            source,
        })?;
        paths.extend(list(&bytes));
    }
    Ok(Changes::Listed {
        from: from.to_owned(),
        paths,
    })
}

/// Returns the paths of a list: parted by NUL if there is one, as `-z` of git and
/// `-print0` of find write it, else one a line.
fn list(bytes: &[u8]) -> Vec<PathBuf> {
    if bytes.contains(&0) {
        let names = bytes
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty());
        return names.map(|name| path(name.to_vec())).collect();
    }
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(|line| path(unquoted(line))).collect()
}

/// Returns a name without the quotes that git puts around one with letters that
/// are not ASCII: `"b\303\266t"`.
fn unquoted(line: &[u8]) -> Vec<u8> {
    let inside = line
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let Some(mut rest) = inside else {
        return line.to_vec();
    };
    let mut name = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            name.push(*first);
            continue;
        }
        let digits = rest
            .iter()
            .take(3)
            .take_while(|byte| (b'0'..=b'7').contains(byte));
        match (digits.count(), rest) {
            (3, [a, b, c, after @ ..]) => {
                let number = digit(*a) << 6 | digit(*b) << 3 | digit(*c);
                name.push(number as u8);
                rest = after;
            }
            (_, [letter, after @ ..]) => {
                name.push(escaped(*letter));
                rest = after;
            }
            (_, []) => name.push(b'\\'),
        }
    }
    name
}

fn digit(byte: u8) -> u16 {
    u16::from(byte - b'0')
}

fn escaped(letter: u8) -> u8 {
    match letter {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        other => other,
    }
}

/// Returns the path that these bytes are.
#[cfg(unix)]
fn path(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

/// Returns the path that these bytes are, read as UTF-8.
#[cfg(not(unix))]
fn path(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], want: &[&str]) {
        let want: Vec<PathBuf> = want.iter().map(PathBuf::from).collect();
        assert_eq!(list(bytes), want);
    }

    #[test]
    fn lists_are_lines_or_parted_by_nul() {
        check(b"", &[]);
        check(b"a b.yml\r\n\nc.yml", &["a b.yml", "c.yml"]);
        check(b"a\nb\0c\0", &["a\nb", "c"]);
    }

    #[test]
    fn names_that_git_quotes_are_read() {
        check(b"\"b\\303\\266t/\\\"x\\\".yml\"\n", &["b\u{f6}t/\"x\".yml"]);
        check(b"\"a\\\\\"\n", &["a\\"]);
    }
}
