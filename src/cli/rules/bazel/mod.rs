//! Rules for Bazel: files in the user's tree, each assistant a target of its folder's
//! package.
//!
//! What the user wrote is never touched: only files that begin as ours do are
//! written again. A file that lies elsewhere belongs to the nearest package above it;
//! where there is none, its topmost folder becomes one, so that packages of ours do
//! not cut each other's globs.

mod packages;

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::api::TrainOptions;
use crate::cli::replace::replace;
use crate::cli::rules::bazel::packages::listed;
use crate::cli::rules::bazel::packages::packages;

/// The rules themselves, which the example has in its tree as a user would.
const DEFS: &str = include_str!("../../../../examples/bazel/tools/tabella/defs.bzl");
const EXTENSIONS: &str = include_str!("../../../../examples/bazel/tools/tabella/extensions.bzl");

/// Where they go, from the root of the Bazel workspace.
const FOLDER: &str = "tools/tabella";

/// What a file begins with that may be written again.
const MARK: &str = "# Written by `tabella rules bazel`";

/// How packages go on.
const OWNED: &str = "; written again with it. Without this line the file is yours.";

/// What tells that a folder is the root of a Bazel workspace.
const ROOTS: [&str; 3] = ["MODULE.bazel", "WORKSPACE.bazel", "WORKSPACE"];

/// What to add to a workspace that does not know the program yet.
const HINT: &str = "\
Bazel does not know the program yet. In MODULE.bazel (Bazel 6 and newer):
    tabella = use_extension(\"//tools/tabella:extensions.bzl\", \"tabella\")
    use_repo(tabella, \"tabella\")
or in WORKSPACE:
    load(\"//tools/tabella:defs.bzl\", \"tabella_repository\")
    tabella_repository(name = \"tabella\")";

/// An assistant, as a target.
pub struct Assistant<'a> {
    /// The target's name.
    pub name: String,
    /// What it is trained from.
    pub options: &'a TrainOptions,
    /// Every file that its training opens, and whether a component names it.
    pub reads: Vec<(PathBuf, bool)>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Written {
    /// Files that were written, from the current folder.
    pub files: Vec<PathBuf>,
    /// What the user has to do, if anything.
    pub advice: Vec<String>,
}

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub enum BazelError {
    /// A file is not in the Bazel workspace.
    #[error(
        "`{}` lies outside of the Bazel workspace `{}`, whose rules cannot read it",
        path.display(),
        root.display()
    )]
    Outside {
        /// The file or folder.
        path: PathBuf,
        /// The workspace's root.
        root: PathBuf,
    },
    /// A path has letters that labels cannot have.
    #[error(
        "`{}` cannot be written as a label: it is not UTF-8, or has one of `:*?[\\`; name it otherwise",
        .0.display()
    )]
    NoLabel(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Writes the rules and a package for each folder of an assistant.
pub fn write(assistants: &[Assistant<'_>], start: &Path) -> Result<Written, BazelError> {
    let root = root_above(start);
    let (texts, mut written) = packages(assistants, &root)?;
    for (name, text) in [("defs.bzl", DEFS), ("extensions.bzl", EXTENSIONS)] {
        let path = root.join(FOLDER).join(name);
        match is_users(&path) {
            true => written.leave_alone(&path, text),
            false => put(&path, text, &mut written)?,
        }
    }
    let names = ["defs.bzl", "extensions.bzl"].map(str::to_owned);
    let own = format!("{MARK}.\nexports_files({})\n", listed(&names, ""));
    put_package(&root.join(FOLDER), &own, &mut written)?;
    for (folder, text) in texts {
        put_package(&root.join(folder), &text, &mut written)?;
    }
    let knows = |name: &&str| {
        let text = fs::read_to_string(root.join(name)).unwrap_or_default();
        text.contains(FOLDER)
    };
    if !ROOTS.iter().any(knows) {
        written.advice.push(HINT.to_owned());
    }
    Ok(written)
}

/// Returns the root of the Bazel workspace that `start` is in, or `start`.
fn root_above(start: &Path) -> PathBuf {
    let start = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
    let is_root = |folder: &&Path| ROOTS.iter().any(|name| folder.join(name).is_file());
    let root = start.ancestors().find(is_root).unwrap_or(&start);
    root.to_owned()
}

impl Written {
    /// Says what a file of the user's needs.
    fn leave_alone(&mut self, path: &Path, text: &str) {
        self.advice.push(format!(
            "`{}` is yours and was left alone; it needs:\n\n{text}",
            path.display()
        ));
    }
}

/// Writes the package file of a folder, unless the user has one there.
fn put_package(folder: &Path, text: &str, written: &mut Written) -> Result<(), BazelError> {
    match users_package(folder) {
        Some(path) => {
            written.leave_alone(&path, text);
            Ok(())
        }
        None => put(&folder.join("BUILD.bazel"), text, written),
    }
}

/// Returns the package file that the user has in a folder.
fn users_package(folder: &Path) -> Option<PathBuf> {
    let files = ["BUILD.bazel", "BUILD"].map(|name| folder.join(name));
    files.into_iter().find(|path| is_users(path))
}

/// Returns whether something is there that we did not write.
fn is_users(path: &Path) -> bool {
    match fs::read_to_string(path) {
        Ok(text) => !text.starts_with(MARK),
        Err(_) => fs::symlink_metadata(path).is_ok_and(|there| !there.is_dir()),
    }
}

/// Writes a file, if it is not there as it should be.
fn put(path: &Path, text: &str, written: &mut Written) -> Result<(), BazelError> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let make = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        replace(path, text.as_bytes())
    };
    make().map_err(|source| BazelError::Write {
        path: path.to_owned(),
        source,
    })?;
    written.files.push(path.to_owned());
    Ok(())
}
