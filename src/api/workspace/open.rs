//! Finds the workspace file and reads it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::Findings;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::TrainError;
use crate::api::workspace::WorkspaceError;
use crate::data::Member;
use crate::data::Remote;
use crate::data::Workspace;
use crate::diagnostic::has_errors;
use crate::import::import_workspace;

/// What a workspace file is called.
pub const WORKSPACE_FILE: &str = "tabella.yml";

/// A workspace file that was read and is sound.
#[derive(Clone, Debug)]
pub struct OpenWorkspace {
    /// The file.
    pub file: PathBuf,
    /// Its folder, in which all paths start.
    pub root: PathBuf,
    /// What it says.
    pub workspace: Workspace,
}

impl OpenWorkspace {
    /// Returns all assistants and their variants, sorted by name.
    pub fn members(&self) -> &[Arc<Member>] {
        &self.workspace.members
    }

    /// Returns the folder that results are kept in, if the file names one.
    pub fn cache(&self) -> Option<PathBuf> {
        let cache = self.workspace.cache.as_ref()?;
        let root = fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        Some(root.join(cache))
    }

    /// Returns the remote cache that the file names, if it names one; its paths
    /// are those of the folder.
    pub fn remote(&self) -> Option<Remote> {
        self.workspace.remote.clone()
    }
}

/// Reads the workspace file `file`, or else the `tabella.yml` of the folder `from`
/// or the nearest one above it. What is remarkable is told.
///
/// # Errors
///
/// If there is none, it cannot be read, or holds mistakes.
pub fn open_workspace(
    file: Option<&Path>,
    from: &Path,
    environment: &BTreeMap<String, String>,
    observer: &Observer,
) -> Result<OpenWorkspace, TrainError> {
    let file = match file {
        Some(file) => file.to_owned(),
        None => find(from)?,
    };
    let imported = import_workspace(&file, environment)?;
    if !imported.diagnostics.is_empty() {
        let is_refused = has_errors(&imported.diagnostics);
        let findings = Arc::new(Findings {
            diagnostics: imported.diagnostics,
            sources: imported.sources,
        });
        observer.tell(Notice::Diagnosed(Arc::clone(&findings)));
        if is_refused {
            return Err(TrainError::Mistakes(findings));
        }
    }
    let root = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok(OpenWorkspace {
        file,
        root,
        workspace: imported.workspace,
    })
}

/// Returns the workspace file of a folder or of the nearest folder above it.
fn find(from: &Path) -> Result<PathBuf, TrainError> {
    // What is here is named as from here.
    let here = match from == Path::new(".") {
        true => PathBuf::from(WORKSPACE_FILE),
        false => from.join(WORKSPACE_FILE),
    };
    if here.is_file() {
        return Ok(here);
    }
    let real = fs::canonicalize(from).unwrap_or_else(|_| from.to_owned());
    let mut above = real.ancestors().skip(1).map(|up| up.join(WORKSPACE_FILE));
    match above.find(|file| file.is_file()) {
        Some(file) => Ok(file),
        None => Err(WorkspaceError::NoFile { from: real }.into()),
    }
}
