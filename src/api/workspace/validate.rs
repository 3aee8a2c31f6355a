//! What is wrong in the files of several assistants, each mistake told once.
//!
//! A shared file is read for each assistant, as what is wrong in it can depend on
//! the others' files; what is said of it for several is one finding with their
//! names.

use std::collections::BTreeMap;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use crate::api::Subject;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::ValidateOptions;
use crate::api::Validated;
use crate::api::validate;
use crate::api::workspace::OpenWorkspace;
use crate::api::workspace::guard::guarded;
use crate::api::workspace::member::Folders;
use crate::api::workspace::member::member_options;
use crate::api::workspace::member::shown_path;
use crate::data::Member;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::diagnostic::arrange;
use crate::import::Counts;

/// How assistants are looked at.
#[derive(Clone, Debug, Default)]
pub struct MemberValidation {
    /// What to look at.
    pub subject: Subject,
    /// How many turns stories are compared over; all if `None`.
    pub max_history: Option<usize>,
    /// The environment that `${NAME}` in files is looked up in.
    pub environment: BTreeMap<String, String>,
}

/// What was found in assistants.
#[derive(Debug, Default)]
pub struct ValidatedMembers {
    /// The workspace file.
    pub workspace: PathBuf,
    /// The assistants, in the order of the workspace.
    pub members: Vec<ValidatedMember>,
    /// What is wrong or remarkable, in the order of files and lines. Files are named
    /// from the folder of the workspace.
    pub findings: Vec<SharedFinding>,
    /// The files' texts, to show lines of.
    pub sources: SourceMap,
}

/// An assistant that was looked at.
#[derive(Debug)]
pub struct ValidatedMember {
    /// Its name.
    pub name: String,
    /// Its folder, from that of the workspace.
    pub folder: String,
    /// Its config, from the folder of the workspace.
    pub config: String,
    /// How much of it was read, as far as it could be.
    pub counts: Counts,
    /// Why its files could not be looked at.
    pub failure: Option<TrainError>,
}

/// Something that is wrong for one assistant or for several.
#[derive(Clone, Debug)]
pub struct SharedFinding {
    /// What it is.
    pub diagnostic: Diagnostic,
    /// Places of the assistants among the members, ascending.
    pub members: Vec<usize>,
}

/// Returns all that is wrong or remarkable in the files of these assistants, as
/// [`validate`] does for each. One that cannot be read keeps no other from being
/// looked at.
pub fn validate_members(
    workspace: &OpenWorkspace,
    members: &[Arc<Member>],
    how: &MemberValidation,
) -> ValidatedMembers {
    let folders = Folders::new(&workspace.root);
    let validated = members.par_iter().map(|member| {
        let options = options(&folders, member, how);
        let found = guarded(|| validate(&options));
        found.map(|validated| from_workspace(validated, member))
    });
    let validated: Vec<Result<Validated, TrainError>> = validated.collect();
    let mut all = ValidatedMembers {
        workspace: workspace.file.clone(),
        ..ValidatedMembers::default()
    };
    let mut merged = Merged::default();
    for (at, (member, validated)) in members.iter().zip(validated).enumerate() {
        let (validated, failure) = match validated {
            Ok(validated) => (validated, None),
            Err(failure) => (Validated::default(), Some(failure)),
        };
        all.members.push(ValidatedMember {
            name: member.name.clone(),
            folder: shown_path(&member.folder),
            config: shown_path(&member.config),
            counts: validated.counts,
            failure,
        });
        all.sources.extend(validated.findings.sources);
        merged.add(at, validated.findings.diagnostics);
    }
    all.findings = merged.findings();
    all
}

/// Returns how an assistant is looked at as if it were alone in its folder.
fn options(folders: &Folders<'_>, member: &Member, how: &MemberValidation) -> ValidateOptions {
    let options = member_options(folders, member, &TrainOptions::default());
    ValidateOptions {
        project: options.run.project,
        domain: options.domain,
        config: options.config,
        data: options.training_files,
        subject: how.subject,
        max_history: how.max_history,
        environment: how.environment.clone(),
    }
}

/// Returns what was found with files named from the folder of the workspace.
fn from_workspace(mut validated: Validated, member: &Member) -> Validated {
    let findings = &mut validated.findings;
    let mut sources = SourceMap::default();
    let mut names: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    for diagnostic in &mut findings.diagnostics {
        let file = &diagnostic.place.file;
        if file.is_empty() {
            continue;
        }
        let name = names.entry(Arc::clone(file)).or_insert_with(|| {
            let name: Arc<str> = named(&member.folder, file).into();
            // Of the other files nothing is shown.
            if let Some(text) = findings.sources.text(file) {
                sources.insert(Arc::clone(&name), text.into());
            }
            name
        });
        diagnostic.place.file = Arc::clone(name);
    }
    findings.sources = sources;
    validated
}

/// Returns a file of an assistant as it is named from the folder of the workspace.
fn named(folder: &Path, file: &str) -> String {
    let mut named = PathBuf::new();
    for part in folder.join(file).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(named.components().next_back(), Some(Component::Normal(_))) =>
            {
                named.pop();
            }
            part => named.push(part),
        }
    }
    named.to_string_lossy().into_owned()
}

/// Findings of several assistants, the same ones together.
#[derive(Default)]
struct Merged {
    by_what: BTreeMap<String, SharedFinding>,
}

impl Merged {
    fn add(&mut self, at: usize, diagnostics: Vec<Diagnostic>) {
        for diagnostic in diagnostics {
            // All of it, the place included.
            let what = serde_json::to_string(&diagnostic).expect("diagnostics are plain values");
            let finding = self.by_what.entry(what).or_insert_with(|| SharedFinding {
                diagnostic,
                members: Vec::new(),
            });
            if finding.members.last() != Some(&at) {
                finding.members.push(at);
            }
        }
    }

    /// Returns them in the order of files and lines.
    fn findings(self) -> Vec<SharedFinding> {
        let mut order: Vec<Diagnostic> = self
            .by_what
            .values()
            .map(|finding| finding.diagnostic.clone())
            .collect();
        arrange(&mut order);
        let mut by_what = self.by_what;
        let taken = order.iter().filter_map(|diagnostic| {
            let what = serde_json::to_string(diagnostic).expect("diagnostics are plain values");
            by_what.remove(&what)
        });
        taken.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_workspace() {
        let named = |folder: &str, file: &str| named(Path::new(folder), file);
        assert_eq!(named("bots/a", "../../shared/nlu.yml"), "shared/nlu.yml");
        assert_eq!(named("bots/a", "data/./nlu.yml"), "bots/a/data/nlu.yml");
        assert_eq!(named("", "data/nlu.yml"), "data/nlu.yml");
        assert_eq!(named("../a", "x.yml"), "../a/x.yml");
        assert_eq!(named("a", "/x/y.yml"), "/x/y.yml");
    }
}
