//! Which assistants changed files affect: those that read one of them, or would
//! if it was there.
//!
//! | changed | affects an assistant if |
//! |---|---|
//! | a file | it was read, or looked for in vain |
//! | a file that is new or gone | it lies in a folder that was searched for data |
//! | a link, or a submodule | something that was read lies behind it |
//! | the workspace file | it says something else of the assistant now |
//!
//! Nothing is looked up in the cache: the answer is the same on a machine that
//! never trained anything.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;

use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::chain;
use crate::api::train::training;
use crate::api::workspace::Changes;
use crate::api::workspace::OpenWorkspace;
use crate::api::workspace::changes::Changed;
use crate::api::workspace::changes::RealPaths;
use crate::api::workspace::changes::absolute;
use crate::api::workspace::member::member_options;
use crate::api::workspace::member::shown_path;
use crate::data::Member;
use crate::import::Looks;
use crate::import::Seen;
use crate::import::Want;

/// The version of the report's JSON form (`schemas/affected.schema.json`).
pub const AFFECTED_REPORT_VERSION: u32 = 1;

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
    /// if they lie below it.
    pub files: Vec<String>,
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
    members: &[Member],
    changes: &Changes,
    all: &TrainOptions,
) -> Result<AffectedReport, TrainError> {
    let since = Instant::now();
    let changed = changes.find(workspace, &all.run.environment)?;
    let index = Index::new(workspace, &changed);
    let affected = members.par_iter().map(|member| match index.is_empty() {
        true => None,
        false => index.affected(workspace, member, all),
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

/// Changed files, by where they are and by where they lie.
struct Index<'a> {
    changed: &'a Changed,
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
        let mut index = Self {
            changed,
            shown: Vec::with_capacity(changed.paths.len()),
            at: HashMap::new(),
            below: HashMap::new(),
            workspace_file: None,
        };
        let mut real_paths = RealPaths::default();
        let root = absolute(&workspace.root);
        let real_root = real_paths.of(&root);
        let file = real_paths.of(&absolute(&workspace.file));
        for (place, path) in changed.paths.iter().enumerate() {
            let real = real_paths.of(path);
            if real == file {
                index.workspace_file = Some(place);
            }
            let below = path.strip_prefix(&root).or(path.strip_prefix(&real_root));
            let shown = below.unwrap_or(path).to_string_lossy();
            index.shown.push(shown.into_owned());
            let could_be_data = could_be_data(path);
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

    fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Returns the assistant if it is affected.
    fn affected(
        &self,
        workspace: &OpenWorkspace,
        member: &Member,
        all: &TrainOptions,
    ) -> Option<AffectedMember> {
        let options = member_options(&workspace.root, member, all);
        let mut places = BTreeSet::new();
        let mut error = None;
        let mut reads = Reads::named(workspace, member);
        match training(&options, Want::All).looks() {
            Ok(looks) => reads.add(&looks),
            Err(failure) => error = Some(chain(&failure)),
        }
        self.add_read(reads, &mut places);
        if let Some(place) = self
            .workspace_file
            .filter(|_| self.is_told_otherwise(member))
        {
            places.insert(place);
        }
        if places.is_empty() && error.is_none() {
            return None;
        }
        let mut files: Vec<String> = places.iter().map(|at| self.shown[*at].clone()).collect();
        files.sort();
        Some(AffectedMember {
            name: member.name.clone(),
            folder: shown_path(&member.folder),
            config: shown_path(&member.config),
            files,
            error,
        })
    }

    /// Returns whether the workspace file told something else of an assistant.
    fn is_told_otherwise(&self, member: &Member) -> bool {
        let before = self.changed.members_before.as_ref();
        let Some(before) = before.and_then(|before| before.get(&member.name)) else {
            return true;
        };
        let now = Member {
            place: before.place.clone(),
            ..member.clone()
        };
        now != *before
    }

    /// Adds the places of changed files that an assistant reads.
    fn add_read(&self, reads: Reads, places: &mut BTreeSet<usize>) {
        let mut real_paths = RealPaths::default();
        for (path, is_searched) in reads.0 {
            let real = real_paths.of(&path);
            for path in BTreeSet::from([&path, &real]) {
                // A link or submodule on the way counts as much as the end.
                for above in path.ancestors() {
                    places.extend(self.at.get(above).into_iter().flatten());
                }
                if is_searched {
                    places.extend(self.below.get(path.as_path()).into_iter().flatten());
                }
            }
        }
    }
}

/// What an assistant reads: absolute paths, and whether what lies below counts,
/// as it does of folders that are searched and of what is not there.
struct Reads(BTreeMap<PathBuf, bool>);

impl Reads {
    /// Returns the paths that the workspace names, which a training does not look
    /// at if they are defaults that are not there.
    fn named(workspace: &OpenWorkspace, member: &Member) -> Self {
        let named = member.domain.iter().chain(&member.data);
        let named = named.chain([&member.config]);
        let paths = named.map(|path| {
            let path = absolute(&workspace.root.join(path));
            let is_missing = !path.exists();
            (path, is_missing)
        });
        Self(paths.collect())
    }

    /// Adds what an import looked at.
    fn add(&mut self, looks: &Looks) {
        for (path, look) in &looks.seen {
            let is_searched = matches!(look.seen, Seen::Entries(_) | Seen::Nothing);
            *self.0.entry(absolute(path)).or_default() |= is_searched;
        }
        for path in looks.links.keys() {
            self.0.entry(absolute(path)).or_default();
        }
    }
}

/// Returns whether a changed path could be a file of a folder with data, or a
/// link or folder there.
fn could_be_data(path: &Path) -> bool {
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some(suffix) => ["yml", "yaml", "json", "md"].contains(&suffix) || path.is_dir(),
        None => !path.is_file(),
    }
}
