//! What is watched of assistants, and which of them a change makes due.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::OpenWorkspace;
use crate::cli::train::what_changed;
use crate::cli::watch::Watched;
use crate::cli::watch::Watcher;
use crate::data::Member;

/// Assistants that are named as due; the rest is counted.
const NAMES_SHOWN: usize = 5;

/// Returns what is watched: all that the workspace names of the assistants, its own
/// file, and the folders that further assistants may turn up in. `own` is written
/// while training.
pub fn watched(
    workspace: &OpenWorkspace,
    members: &[Arc<Member>],
    mut own: Vec<PathBuf>,
) -> Watched {
    let mut roots: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    let root = |path: &Path| workspace.root.join(path);
    roots.insert(workspace.file.clone(), BTreeSet::new());
    for member in members {
        let named = member.domain.iter().chain(&member.data);
        let mut paths: Vec<PathBuf> = named.chain([&member.config]).cloned().collect();
        // Where there is no such file, a folder stands for it.
        if member.domain.contains(&member.folder.join("domain.yml")) {
            paths.push(member.folder.join("domain"));
        }
        for path in paths {
            let readers = roots.entry(root(&path)).or_default();
            readers.insert(member.name.clone());
        }
        own.push(root(&member.out));
    }
    Watched {
        roots,
        listed: neighbourhood(workspace),
        own,
    }
}

/// Returns the folders around the assistants', and those beside them that are none
/// yet.
fn neighbourhood(workspace: &OpenWorkspace) -> BTreeSet<PathBuf> {
    let folders = workspace.members().iter().map(|member| &member.folder);
    let folders: BTreeSet<&PathBuf> = folders.collect();
    let around: BTreeSet<&Path> = folders
        .iter()
        .filter_map(|folder| folder.parent())
        .collect();
    let mut listed = BTreeSet::new();
    for folder in around {
        let Ok(entries) = fs::read_dir(workspace.root.join(folder)) else {
            continue;
        };
        listed.insert(workspace.root.join(folder));
        for entry in entries.flatten() {
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let is_folder = entry.file_type().is_ok_and(|kind| !kind.is_file());
            if is_folder && !is_hidden && !folders.contains(&folder.join(entry.file_name())) {
                listed.insert(entry.path());
            }
        }
    }
    listed
}

/// The assistants that are to be trained again.
#[derive(Default)]
pub struct Due(BTreeSet<String>);

impl Due {
    /// Returns those that read what changed.
    pub fn of(changed: &[PathBuf], watcher: &Watcher) -> Self {
        let readers = changed.iter().map(|path| watcher.readers(path));
        Self(readers.flatten().collect())
    }

    /// Adds those of which the workspace file tells something else than before.
    pub fn add_changed(&mut self, before: &[Arc<Member>], now: &[Arc<Member>]) {
        let before: BTreeMap<&str, &Member> = before
            .iter()
            .map(|one| (one.name.as_str(), &**one))
            .collect();
        for member in now {
            let before = before.get(member.name.as_str());
            if !before.is_some_and(|before| member.is_told_as(before)) {
                self.0.insert(member.name.clone());
            }
        }
    }

    /// Returns whether something changed beside what assistants read: folders in
    /// which others may turn up.
    pub fn may_bring_others(changed: &[PathBuf], watcher: &Watcher) -> bool {
        changed.iter().any(|path| watcher.lists(path))
    }

    /// Returns the assistants, in the order of the workspace.
    pub fn of_team(&self, members: &[Arc<Member>]) -> Vec<Arc<Member>> {
        let due = members.iter().filter(|one| self.0.contains(&one.name));
        due.cloned().collect()
    }

    /// Tells what changed and for whom.
    pub fn text(&self, changed: &[PathBuf], members: &[Arc<Member>]) -> String {
        let shown = members
            .iter()
            .take(NAMES_SHOWN)
            .map(|one| one.name.as_str());
        let shown: Vec<&str> = shown.collect();
        let more = match members.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{}: {}{more}", what_changed(changed), shown.join(", "))
    }
}
