//! Which files changed: those of a list, or what git says since a revision.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::env;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use crate::api::workspace::OpenWorkspace;
use crate::api::workspace::WorkspaceError;
use crate::data::Member;
use crate::import::import_workspace_text;

/// Where it is said which files changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// In git: all that differs from this revision, committed or not, and files
    /// that git does not know and does not ignore. `REV...` means the commit in
    /// which `REV` and the present one parted.
    Since(String),
    /// In a list of files and folders; relative ones start at the folder.
    Listed {
        /// The folder.
        from: PathBuf,
        /// The files and folders; those that are gone count, too.
        paths: Vec<PathBuf>,
    },
}

/// Files that changed.
#[derive(Debug, Default)]
pub struct Changed {
    /// The files, absolute, as they were told.
    pub paths: Vec<PathBuf>,
    /// The assistants as the workspace file told of them before, by name; none if
    /// that is not known.
    pub members_before: Option<BTreeMap<String, Member>>,
}

impl Changes {
    /// Returns the files that changed.
    ///
    /// # Errors
    ///
    /// If git is not there, does not know the revision, or fails.
    pub fn find(
        &self,
        workspace: &OpenWorkspace,
        environment: &BTreeMap<String, String>,
    ) -> Result<Changed, WorkspaceError> {
        match self {
            Self::Listed { from, paths } => Ok(Changed {
                paths: paths
                    .iter()
                    .map(|path| absolute(&from.join(path)))
                    .collect(),
                members_before: None,
            }),
            Self::Since(revision) => {
                let git = Git::at(&workspace.root)?;
                let commit = git.commit(revision)?;
                Ok(Changed {
                    paths: git.changed(&commit)?,
                    members_before: git.members(&commit, workspace, environment),
                })
            }
        }
    }
}

/// Returns a path that starts at the root, without `.` and `..`.
pub fn absolute(path: &Path) -> PathBuf {
    let whole = match path.is_absolute() {
        true => path.to_owned(),
        false => env::current_dir().unwrap_or_default().join(path),
    };
    let mut normal = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// Finds out where paths lead, looking at each folder once.
#[derive(Debug, Default)]
pub struct RealPaths(HashMap<PathBuf, PathBuf>);

impl RealPaths {
    /// Returns where an absolute path leads; of one that is not there, where it
    /// would.
    pub fn of(&mut self, path: &Path) -> PathBuf {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return path.to_owned();
        };
        if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())
            && let Ok(real) = fs::canonicalize(path)
        {
            return real;
        }
        self.folder(folder).join(name)
    }

    fn folder(&mut self, folder: &Path) -> PathBuf {
        if let Some(real) = self.0.get(folder) {
            return real.clone();
        }
        let real = match (
            fs::canonicalize(folder),
            folder.parent(),
            folder.file_name(),
        ) {
            (Ok(real), ..) => real,
            (Err(_), Some(above), Some(name)) => self.folder(above).join(name),
            _ => folder.to_owned(),
        };
        self.0.insert(folder.to_owned(), real.clone());
        real
    }
}

/// The program `git` in a repository.
struct Git {
    top: PathBuf,
}

impl Git {
    /// Finds the repository of a folder.
    fn at(folder: &Path) -> Result<Self, WorkspaceError> {
        let found = git(folder, &["rev-parse", "--show-toplevel"].map(OsStr::new));
        let mut top = found.map_err(|error| match error {
            WorkspaceError::GitFailed { said } => WorkspaceError::NoRepository {
                folder: folder.to_owned(),
                said,
            },
            error => error,
        })?;
        // A path may end in a line end of its own; this one is git's.
        if top.last() == Some(&b'\n') {
            top.pop();
        }
        Ok(Self { top: path(top) })
    }

    fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Vec<u8>, WorkspaceError> {
        git(&self.top, arguments)
    }

    /// Returns the commit that a revision names.
    fn commit(&self, revision: &str) -> Result<String, WorkspaceError> {
        let unknown = || WorkspaceError::UnknownRevision {
            revision: revision.to_owned(),
        };
        let (name, parted) = match revision.strip_suffix("...") {
            Some(name) => (name, true),
            None => (revision, false),
        };
        // What starts with a dash would be an option.
        if name.is_empty() || name.starts_with('-') {
            return Err(unknown());
        }
        let is_failure = |error: &WorkspaceError| matches!(error, WorkspaceError::GitFailed { .. });
        let answer = |arguments: &[&str]| match self.run(arguments) {
            Err(error) if is_failure(&error) => Err(unknown()),
            answer => Ok(String::from_utf8_lossy(&answer?).trim().to_owned()),
        };
        let commit = answer(&[
            "rev-parse",
            "--verify",
            "--quiet",
            &format!("{name}^{{commit}}"),
        ])?;
        match parted {
            true => answer(&["merge-base", &commit, "HEAD"]),
            false => Ok(commit),
        }
    }

    /// Returns all that differs from a commit.
    fn changed(&self, commit: &str) -> Result<Vec<PathBuf>, WorkspaceError> {
        let diff = [
            "diff",
            "--name-only",
            "-z",
            // Of a renamed file both names count.
            "--no-renames",
            "--no-ext-diff",
            commit,
            "--",
        ];
        let others = [
            "ls-files",
            "--others",
            "--exclude-standard",
            "-z",
            "--full-name",
        ];
        let mut listed = self.run(&diff)?;
        listed.extend(self.run(&others)?);
        let names = listed
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty());
        Ok(names
            .map(|name| self.top.join(path(name.to_vec())))
            .collect())
    }

    /// Returns the assistants as the workspace file told of them in a commit.
    fn members(
        &self,
        commit: &str,
        workspace: &OpenWorkspace,
        environment: &BTreeMap<String, String>,
    ) -> Option<BTreeMap<String, Member>> {
        let file = fs::canonicalize(&workspace.file).ok()?;
        let top = fs::canonicalize(&self.top).ok()?;
        let mut object = OsString::from(format!("{commit}:"));
        object.push(file.strip_prefix(top).ok()?);
        let text = self.run(&[OsStr::new("show"), &object]).ok()?;
        let before = import_workspace_text(&workspace.file, &text, environment).ok()?;
        let members = before.workspace.members.into_iter();
        Some(
            members
                .map(|member| (member.name.clone(), member))
                .collect(),
        )
    }
}

/// Runs git in a folder; it writes nothing there, and asks nothing.
fn git<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Result<Vec<u8>, WorkspaceError> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    let output = command.output().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => WorkspaceError::NoGit,
        _ => WorkspaceError::Git { source },
    })?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or("it says nothing");
            Err(WorkspaceError::GitFailed {
                said: said.trim_start_matches("fatal: ").to_owned(),
            })
        }
    }
}

/// Returns the path that these bytes are.
#[cfg(unix)]
fn path(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes).into()
}

/// Returns the path that these bytes are; git writes UTF-8.
#[cfg(not(unix))]
fn path(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
