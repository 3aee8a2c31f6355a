//! Which files changed: those of a list, or what git says since a revision.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::real_path;
use crate::api::workspace::OpenWorkspace;
use crate::api::workspace::WorkspaceError;
use crate::api::workspace::git::Git;
use crate::data::Member;

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
    /// The files.
    pub paths: Vec<ChangedPath>,
    /// The assistants as the workspace file told of them before, by name; none if
    /// that is not known.
    pub members_before: Option<BTreeMap<String, Arc<Member>>>,
    /// What git tells nothing of; none if it was not asked.
    pub untold: Option<Untold>,
}

/// A file that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedPath {
    /// Where it is, absolute, as it was told.
    pub path: PathBuf,
    /// Whether it is or may have been something else than a plain file: a link,
    /// a submodule, a folder.
    pub may_lead_on: bool,
}

/// Files that git tells nothing of when they change.
#[derive(Debug)]
pub struct Untold {
    /// The top folder of the repository: it knows nothing of what is outside.
    pub top: PathBuf,
    /// Files and folders that it ignores.
    pub ignored: BTreeSet<PathBuf>,
}

impl Untold {
    /// Returns whether git tells nothing of what is at a path, which really leads
    /// to `real`.
    pub fn has(&self, path: &Path, real: &Path) -> bool {
        // What lies in an ignored folder is read itself.
        let is_untold =
            |real: &Path| !real.starts_with(&self.top) || self.ignores(real) && !real.is_dir();
        is_untold(real) || path != real && self.ignores_link(path, real)
    }

    /// Returns whether it is a link that git ignores, wherever it leads.
    fn ignores_link(&self, path: &Path, real: &Path) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return false;
        };
        let link = real_path(folder).join(name);
        link != real && self.ignores(&link)
    }

    fn ignores(&self, real: &Path) -> bool {
        let mut above = real.ancestors();
        above.any(|path| self.ignored.contains(path))
    }
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
                    .map(|path| ChangedPath::told(absolute(&from.join(path))))
                    .collect(),
                ..Changed::default()
            }),
            Self::Since(revision) => {
                let git = Git::at(&workspace.root)?;
                let commit = git.commit(revision)?;
                Ok(Changed {
                    paths: git.changed(&commit)?,
                    members_before: git.members(&commit, workspace, environment),
                    untold: Some(git.untold()?),
                })
            }
        }
    }
}

impl Changes {
    /// Returns what is odd about a list: paths that start elsewhere.
    pub fn warning(&self) -> Option<String> {
        let Self::Listed { from, paths } = self else {
            return None;
        };
        let is_nowhere = |path: &&PathBuf| {
            let path = absolute(&from.join(path));
            let folder = path.parent().unwrap_or(&path);
            fs::symlink_metadata(&path).is_err() && !folder.exists()
        };
        let mut nowhere = paths.iter().filter(is_nowhere);
        let first = nowhere.next()?.display();
        let more = match nowhere.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!(
            "`{first}`{more} of the changed files: neither it nor its folder is there; paths start \
             in `{}` (git's start in its top folder: ask it with `--relative`, or use `--since`)",
            from.display()
        ))
    }
}

impl ChangedPath {
    /// Returns a path of which nothing is told but that it changed: what is gone
    /// may have been anything.
    pub fn told(path: PathBuf) -> Self {
        let may_lead_on = !fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file());
        Self { path, may_lead_on }
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
