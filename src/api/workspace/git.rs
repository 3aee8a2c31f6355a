//! What git says: which files differ from a commit, which it says nothing of, and
//! what the workspace file was.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;

use crate::api::workspace::OpenWorkspace;
use crate::api::workspace::WorkspaceError;
use crate::api::workspace::changes::ChangedPath;
use crate::api::workspace::changes::Untold;
use crate::data::Member;
use crate::import::import_workspace_text;

/// How git writes that something is a link, or a submodule.
const LEADS_ON: [&[u8]; 2] = [b"120000", b"160000"];

/// The program `git` in a repository.
pub struct Git {
    top: PathBuf,
}

impl Git {
    /// Finds the repository of a folder.
    pub fn at(folder: &Path) -> Result<Self, WorkspaceError> {
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
    pub fn commit(&self, revision: &str) -> Result<String, WorkspaceError> {
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
    pub fn changed(&self, commit: &str) -> Result<Vec<ChangedPath>, WorkspaceError> {
        let differing = self.run(&[
            "diff",
            // With what each was and is.
            "--raw",
            "-z",
            // Of a renamed file both names count.
            "--no-renames",
            "--no-ext-diff",
            // Whatever the repository's settings say.
            "--ignore-submodules=none",
            commit,
            "--",
        ])?;
        let mut changed = Vec::new();
        let mut fields = names(&differing);
        while let (Some(modes), Some(name)) = (fields.next(), fields.next()) {
            let modes = modes.split(|byte| b": ".contains(byte));
            changed.push(ChangedPath {
                path: self.path(name),
                may_lead_on: modes.take(3).any(|mode| LEADS_ON.contains(&mode)),
            });
        }
        let others = self.others(&["--full-name"])?;
        let others = names(&others).map(|name| ChangedPath::told(self.path(name)));
        changed.extend(others);
        Ok(changed)
    }

    /// Returns what git tells nothing of.
    pub fn untold(&self) -> Result<Untold, WorkspaceError> {
        let top = fs::canonicalize(&self.top).unwrap_or_else(|_| self.top.clone());
        // Of a folder that is ignored as a whole, only its name.
        let ignored = self.others(&["--ignored", "--directory"])?;
        let ignored = names(&ignored).map(|name| top.join(path(name.to_vec())));
        let ignored: BTreeSet<PathBuf> = ignored.collect();
        Ok(Untold { top, ignored })
    }

    /// Lists files that git does not know.
    fn others(&self, how: &[&str]) -> Result<Vec<u8>, WorkspaceError> {
        let all = ["ls-files", "--others", "--exclude-standard", "-z"];
        self.run(&[&all, how].concat())
    }

    fn path(&self, name: &[u8]) -> PathBuf {
        self.top.join(path(name.to_vec()))
    }

    /// Returns the assistants as the workspace file told of them in a commit.
    pub fn members(
        &self,
        commit: &str,
        workspace: &OpenWorkspace,
        environment: &BTreeMap<String, String>,
    ) -> Option<BTreeMap<String, Arc<Member>>> {
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

/// Returns the fields of a list that `-z` wrote.
fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
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
