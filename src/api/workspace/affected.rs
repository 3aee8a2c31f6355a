//! Which assistants changed files affect: those that read one of them, or would
//! if it was there.
//!
//! | changed | affects an assistant if |
//! |---|---|
//! | a file | it was read, or looked for in vain |
//! | a file that is new or gone | it lies in a folder that was searched for data |
//! | a link, or a submodule | something that was read lies behind it, or it lies in such a folder |
//! | the workspace file | it says something else of the assistant now |
//!
//! What git tells nothing of, because it is outside the repository or ignored,
//! may have changed: it affects those that read it, always. One such file that is
//! gone was read by nobody who is asked now: of that nothing is known.
//!
//! What an assistant reads is found by reading it, or told by the witness of its last
//! training, if all is as it was then. So the cache makes the answer quick, and it is
//! the same on a machine that never trained anything.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;

use crate::api::CacheSettings;
use crate::api::Notice;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::chain;
use crate::api::in_project;
use crate::api::real_path;
use crate::api::shared::open_store;
use crate::api::train::training;
use crate::api::workspace::Changes;
use crate::api::workspace::OpenWorkspace;
use crate::api::workspace::changes::Changed;
use crate::api::workspace::changes::ChangedPath;
use crate::api::workspace::changes::absolute;
use crate::api::workspace::guard::guarded;
use crate::api::workspace::member::Folders;
use crate::api::workspace::member::member_options;
use crate::api::workspace::member::shown_path;
use crate::api::workspace::reads::Reads;
use crate::api::workspace::roll::known_looks;
use crate::data::Member;
use crate::import::Looks;
use crate::import::Want;
use crate::import::data_suffix;
use crate::store::Access;
use crate::store::Store;

/// The version of the report's JSON form (`schemas/affected.schema.json`).
pub const AFFECTED_REPORT_VERSION: u32 = 1;

/// How many files are told of each assistant, of each kind.
pub const FILES_TOLD: usize = 100;

/// Which assistants are affected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AffectedReport {
    /// [`AFFECTED_REPORT_VERSION`].
    pub report_version: u32,
    /// The workspace file.
    pub workspace: String,
    /// The revision of git that was compared with, if one was.
    pub since: Option<String>,
    /// How many files changed.
    pub changed_count: usize,
    /// How many assistants were looked at.
    pub assistant_count: usize,
    /// Names of the affected assistants, in the order of the workspace.
    pub affected: Vec<String>,
    /// The affected assistants, in the same order.
    pub assistants: Vec<AffectedMember>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// An affected assistant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AffectedMember {
    /// Its name.
    pub name: String,
    /// Its folder, from that of the workspace.
    pub folder: String,
    /// Its config, from the folder of the workspace.
    pub config: String,
    /// The changed files that affect it, sorted; from the folder of the workspace
    /// if they lie below it. The first hundred.
    pub files: Vec<String>,
    /// How many changed files affect it.
    pub file_count: usize,
    /// Files that it reads and git tells nothing of, so that they may have
    /// changed, shown likewise; the first hundred.
    pub untold: Vec<String>,
    /// How many such files it reads.
    pub untold_count: usize,
    /// Why its files could not be read, so that nothing is known of them.
    pub error: Option<String>,
}

/// Returns which of these assistants are affected by changes; `all` is what their
/// trainings have in common.
///
/// # Errors
///
/// If it cannot be found out what changed.
pub fn affected_members(
    workspace: &OpenWorkspace,
    members: &[Arc<Member>],
    changes: &Changes,
    all: &TrainOptions,
) -> Result<AffectedReport, TrainError> {
    let since = Instant::now();
    let changed = changes.find(workspace, &all.run.environment)?;
    if let Some(warning) = changes.warning() {
        all.run.observer.tell(Notice::Warning(warning));
    }
    let index = Index::new(workspace, &changed);
    let folders = Folders::new(&workspace.root);
    let known = match index.is_empty() {
        true => members.iter().map(|_| None).collect(),
        false => known(&folders, members, all),
    };
    let asked = members.par_iter().zip(known);
    let affected = asked.map(|(member, known)| match index.is_empty() {
        true => None,
        false => index.affected(workspace, &folders, member, (all, known)),
    });
    let affected: Vec<Option<AffectedMember>> = affected.collect();
    let assistants: Vec<AffectedMember> = affected.into_iter().flatten().collect();
    Ok(AffectedReport {
        report_version: AFFECTED_REPORT_VERSION,
        workspace: workspace.file.to_string_lossy().into_owned(),
        since: match changes {
            Changes::Since(revision) => Some(revision.clone()),
            Changes::Listed { .. } => None,
        },
        changed_count: changed.paths.len(),
        assistant_count: members.len(),
        affected: assistants.iter().map(|one| one.name.clone()).collect(),
        assistants,
        ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Returns what each assistant reads, as far as the cache knows.
fn known(folders: &Folders<'_>, members: &[Arc<Member>], all: &TrainOptions) -> Vec<Option<Looks>> {
    let is_there = match &all.run.cache {
        CacheSettings::Folder(folder) => Store::is_in(&in_project(&all.run.project, folder)),
        CacheSettings::Off => false,
    };
    match is_there {
        true => {
            let store = open_store(&all.run, Access::ReadOnly);
            known_looks(folders, members, all, &store)
        }
        false => members.iter().map(|_| None).collect(),
    }
}

/// Changed files, by where they are and by where they lie.
struct Index<'a> {
    changed: &'a Changed,
    /// The workspace's folder, as it is called and as it really is.
    roots: [PathBuf; 2],
    /// How each is shown.
    shown: Vec<String>,
    /// Places in the list, by path as told and as it really leads.
    at: HashMap<PathBuf, BTreeSet<usize>>,
    /// Places of those that could be data, by each folder above.
    below: HashMap<PathBuf, BTreeSet<usize>>,
    /// Whether the workspace file itself changed.
    workspace_file: Option<usize>,
}

impl<'a> Index<'a> {
    fn new(workspace: &OpenWorkspace, changed: &'a Changed) -> Self {
        let root = absolute(&workspace.root);
        let mut index = Self {
            changed,
            roots: [real_path(&root), root],
            shown: Vec::with_capacity(changed.paths.len()),
            at: HashMap::new(),
            below: HashMap::new(),
            workspace_file: None,
        };
        let file = real_path(&absolute(&workspace.file));
        for (place, ChangedPath { path, may_lead_on }) in changed.paths.iter().enumerate() {
            let real = real_path(path);
            if real == file {
                index.workspace_file = Some(place);
            }
            index.shown.push(index.shown_path(path));
            let could_be_data = *may_lead_on || data_suffix(path).is_some();
            for path in BTreeSet::from([path, &real]) {
                index.at.entry(path.clone()).or_default().insert(place);
                for folder in path.ancestors().skip(1).filter(|_| could_be_data) {
                    let below = index.below.entry(folder.to_owned()).or_default();
                    below.insert(place);
                }
            }
        }
        index
    }

    /// Returns whether nobody can be affected.
    fn is_empty(&self) -> bool {
        self.at.is_empty() && self.changed.untold.is_none()
    }

    /// Returns a path as it is shown.
    fn shown_path(&self, path: &Path) -> String {
        let below = self
            .roots
            .iter()
            .find_map(|root| path.strip_prefix(root).ok());
        below.unwrap_or(path).to_string_lossy().into_owned()
    }

    /// Returns the assistant if it is affected; what it reads may be known.
    fn affected(
        &self,
        workspace: &OpenWorkspace,
        folders: &Folders<'_>,
        member: &Member,
        (all, known): (&TrainOptions, Option<Looks>),
    ) -> Option<AffectedMember> {
        let mut error = None;
        let mut reads = Reads::named(workspace, member);
        let looked_at = || {
            let options = member_options(folders, member, all);
            training(&options, Want::All).looks()
        };
        match known.map_or_else(|| guarded(looked_at), Ok) {
            Ok(looks) => reads.add(&looks),
            Err(failure) => error = Some(chain(&failure)),
        }
        let mut hits = self.hits(reads);
        if let Some(place) = self.workspace_file
            && self.is_told_otherwise(member)
        {
            hits.places.insert(place);
        }
        if hits.places.is_empty() && hits.untold.is_empty() && error.is_none() {
            return None;
        }
        let files = hits.places.iter().map(|at| &self.shown[*at]).collect();
        Some(AffectedMember {
            name: member.name.clone(),
            folder: shown_path(&member.folder),
            config: shown_path(&member.config),
            files: first(files),
            file_count: hits.places.len(),
            untold: first(hits.untold.iter().collect()),
            untold_count: hits.untold.len(),
            error,
        })
    }

    /// Returns whether the workspace file told something else of an assistant.
    fn is_told_otherwise(&self, member: &Member) -> bool {
        let before = self.changed.members_before.as_ref();
        let Some(before) = before.and_then(|before| before.get(&member.name)) else {
            return true;
        };
        !member.is_told_as(before)
    }

    /// Returns which changed files an assistant reads.
    fn hits(&self, reads: Reads) -> Hits {
        let mut hits = Hits::default();
        for (path, is_searched) in reads.0 {
            let real = real_path(&path);
            for path in BTreeSet::from([&path, &real]) {
                // A link or submodule on the way counts as much as the end.
                for above in path.ancestors() {
                    hits.places.extend(self.at.get(above).into_iter().flatten());
                }
                if is_searched {
                    let below = self.below.get(path.as_path());
                    hits.places.extend(below.into_iter().flatten());
                }
            }
            let untold = self.changed.untold.as_ref();
            if untold.is_some_and(|untold| untold.has(&path, &real)) {
                hits.untold.insert(self.shown_path(&path));
            }
        }
        hits
    }
}

/// What affects an assistant.
#[derive(Default)]
struct Hits {
    /// Places of changed files in the list.
    places: BTreeSet<usize>,
    /// Files that git tells nothing of.
    untold: BTreeSet<String>,
}

/// Returns the first of some files, by name.
fn first(mut files: Vec<&String>) -> Vec<String> {
    files.sort();
    files.into_iter().take(FILES_TOLD).cloned().collect()
}
