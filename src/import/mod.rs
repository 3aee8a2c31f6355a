//! Files to [`data`](crate::data), all mistakes at once.
//!
//! ```text
//!   paths ──▶ files ──▶ yaml ──▶ config, domain, nlu, stories ──▶ sync, check ──▶ Project
//! ```
//!
//! Every file is read once and parsed once, in parallel; each reader takes its
//! sections out of the same tree, which is dropped then: the domain's files come
//! first, for stories are read by what it says. What the user got wrong becomes a
//! `Diagnostic`; an [`ImportError`] means that the world failed. Everything
//! is brought into canonical order, so that neither the order nor the names of
//! files can be seen in the result. One reader stands for one format; those of
//! Markdown and JSON make the same values as those of YAML.

pub(crate) mod yaml;
mod disks;
mod looks;
mod walk;
mod shelf;
mod found;
mod files;
mod reading;
mod importers;
mod config;
mod dialect;
mod responses;
mod domain;
mod earlier;
pub(crate) mod annotation;
mod nlu;
mod lookups;
mod named;
mod unread;
mod stories;
pub(crate) mod json;
pub(crate) mod markdown;
mod format;
mod blocks;
mod retrieval;
mod check;
mod extent;
mod names;
mod counts;
mod workspace;
mod repeats;
mod written;
mod sections;
mod reader;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::data::Domain;
use crate::data::NluData;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::digest::Digest;
use crate::import::found::Candidate;
use crate::import::found::Role;
use crate::import::importers::Added;
use crate::import::reader::Reader;
use crate::import::shelf::Shelf;
use crate::import::stories::Purpose;

pub use counts::Counts;
pub use counts::DomainCounts;
pub use counts::NluCounts;
pub use counts::StoryCounts;
pub use dialect::Dialect;
pub use disks::Disks;
pub use disks::StampsProve;
pub use disks::stamps_prove;
pub use earlier::Earlier;
pub use extent::Extent;
pub use extent::Extents;
pub use looks::Eyes;
pub use looks::FileStamp;
pub use looks::Look;
pub use looks::Looks;
pub use looks::REST_NS;
pub use looks::Seen;
pub use looks::Times;
pub use looks::Verdict;
pub use looks::clock_ns;
pub use looks::destination;
pub use named::component_file;
pub use names::DEFAULT_ACTIONS;
pub use names::DEFAULT_INTENTS;
pub use names::DEFAULT_SLOTS;
pub use walk::Names;
pub use walk::listing;
pub use walk::suffix as data_suffix;
pub use workspace::ImportedWorkspace;
pub use workspace::import_workspace;
pub use workspace::import_workspace_text;

/// The language of Dialogflow's examples, unless configured.
const DEFAULT_LANGUAGE: &str = "en";

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The project's folder. Relative paths are relative to it, and paths are
    /// shown relative to it.
    pub root: PathBuf,
    /// The config file; an empty path for none.
    pub config: PathBuf,
    /// Domain files and folders; where two define the same, the earlier wins.
    /// Which file of one folder does, [`Dialect`] says.
    pub domain: Vec<PathBuf>,
    /// Training data files and folders; their order has no meaning.
    pub data: Vec<PathBuf>,
    /// Which parts to read.
    pub want: Want,
    /// The language of Dialogflow's examples; that of the config if none.
    pub language: Option<String>,
    /// The environment that `${NAME}` is looked up in.
    pub environment: BTreeMap<String, String>,
    /// What an import before saw in large files.
    pub earlier: Earlier,
}

/// Which parts of a project to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Want {
    /// Everything.
    #[default]
    All,
    /// Config and NLU data. The domain stays empty and nothing is compared
    /// with it, as when Rasa trains NLU alone; only its responses of retrieval
    /// intents are taken.
    Nlu,
    /// Everything too: the retrieval intents of the NLU data belong to the
    /// domain that Core is trained with.
    Core,
}

/// What a file was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// The config.
    Config,
    /// A domain or a part of one.
    Domain,
    /// NLU data: `nlu` or `responses`.
    Nlu,
    /// Stories or rules.
    Stories,
    /// Test stories.
    TestStories,
    /// Phrases of a lookup table.
    Lookup,
    /// What a component of the pipeline names.
    Component,
}

/// A file that was opened. One with no kinds was looked at and is no input yet,
/// but could become one by an edit.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// Where it is.
    pub path: PathBuf,
    /// The path as shown, with `/`.
    pub shown: Arc<str>,
    /// The digest of its bytes.
    pub digest: Digest,
    /// What it was read as, sorted.
    pub kinds: Vec<FileKind>,
}

/// What came of reading a project.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The project, as far as it could be read.
    pub project: Project,
    /// Every file that was opened, sorted by path.
    pub files: Vec<InputFile>,
    /// All mistakes, sorted by file and line.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that diagnostics point into.
    pub sources: SourceMap,
    /// The version of Rasa whose rules the files were merged by.
    pub dialect: Dialect,
    /// How much of each part was read.
    pub extents: Extents,
    /// Environment variables that files name, with their values if set: part
    /// of the input as much as the files.
    pub environment: BTreeMap<String, Option<String>>,
    /// Everything that was looked at.
    pub looks: Looks,
}

/// A project that cannot be read. Mistakes *inside* the files, and paths that
/// do not exist, are [`Diagnostic`]s: all of them are reported at once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file or folder is there but could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads a project.
///
/// # Errors
///
/// Only if a file or folder that exists cannot be read.
pub fn import_project(sources: &Sources) -> Result<Imported, ImportError> {
    let eyes = Eyes::with_earlier(sources.earlier.clone());
    let mut candidates = Candidate::empty(&sources.root, &eyes);
    if !sources.config.as_os_str().is_empty() {
        candidates.add(&sources.config, Role::Config)?;
    }
    for path in &sources.domain {
        candidates.add(path, Role::Domain)?;
    }
    for path in &sources.data {
        candidates.add(path, Role::Data)?;
    }
    let mut added = Added::default();
    if !sources.config.as_os_str().is_empty() {
        let (root, config) = (&sources.root, &sources.config);
        let environment = &sources.environment;
        let shelf = Shelf::Disk(&eyes);
        added = importers::add_projects(&mut candidates, root, config, environment, shelf)?;
    }
    let mut reader = Reader::open(candidates, Shelf::Disk(&eyes), &sources.environment)?;
    reader.say(added.said);
    let language = sources.language.as_deref();
    let mut imported = reader.project(&sources.root, sources.want, language)?;
    imported.environment.extend(added.environment);
    imported.looks = eyes.looks();
    Ok(imported)
}

/// Reads a project whose files are in memory, given as path and bytes; nothing
/// else is opened.
///
/// As in a project's folder, `config.yml` is the config, `domain.yml` and the
/// files below `domain/` are the domain; what lies in projects that the config
/// imports is theirs, and all others are training data or tables that it names.
/// Environment variables are not set.
///
/// # Errors
///
/// None: it can only fail where [`import_project`] does.
pub fn import_texts(files: &[(&str, &[u8])]) -> Result<Imported, ImportError> {
    let eyes = Eyes::default();
    let mut candidates = Candidate::empty(Path::new(""), &eyes);
    let in_memory = files
        .iter()
        .map(|(name, bytes)| (PathBuf::from(name), *bytes));
    let in_memory: BTreeMap<PathBuf, &[u8]> = in_memory.collect();
    let shelf = Shelf::Memory(&in_memory);
    let role = |name: &str| match name {
        "config.yml" => Some(Role::Config),
        "domain.yml" => Some(Role::Domain),
        _ if Path::new(name).starts_with("domain") => Some(Role::Domain),
        _ if Path::new(name).starts_with("data") => Some(Role::Data),
        _ => None,
    };
    let root = Path::new("");
    for (name, _) in files {
        if let Some(role) = role(name) {
            candidates.add_in_memory(Path::new(name), role, *name == "domain.yml");
        }
    }
    let environment = BTreeMap::new();
    let config = Path::new("config.yml");
    let mut added = importers::Added::default();
    if shelf.has_file(config) {
        added = importers::add_projects(&mut candidates, root, config, &environment, shelf)?;
    }
    for (name, _) in files {
        if !candidates.has_in_memory(Path::new(name)) {
            candidates.add_in_memory(Path::new(name), Role::Data, false);
        }
    }
    let mut reader = Reader::open(candidates, shelf, &environment)?;
    reader.say(added.said);
    let mut imported = reader.project(root, Want::All, None)?;
    imported.environment.extend(added.environment);
    Ok(imported)
}

/// Reads NLU data alone, for testing: `project.nlu` holds it.
///
/// # Errors
///
/// As [`import_project`].
pub fn import_nlu_files(root: &Path, paths: &[PathBuf]) -> Result<Imported, ImportError> {
    import_project(&Sources {
        root: root.to_owned(),
        data: paths.to_vec(),
        want: Want::Nlu,
        ..Sources::default()
    })
}

/// Reads test stories: `project.stories` holds them, sorted by content.
///
/// Texts, full names of retrieval intents and entities of annotated texts are
/// kept, and an `or` stays one [`Event::Or`](crate::data::Event::Or).
///
/// # Errors
///
/// As [`import_project`].
pub fn import_test_stories(
    root: &Path,
    paths: &[PathBuf],
    domain: &Domain,
) -> Result<Imported, ImportError> {
    let eyes = Eyes::default();
    let mut candidates = Candidate::empty(root, &eyes);
    for path in paths {
        candidates.add(path, Role::Test)?;
    }
    let environment = BTreeMap::new();
    let mut reader = Reader::open(candidates, Shelf::Disk(&eyes), &environment)?;
    let names = stories::Names::new(domain, check::HasDomain::Yes);
    let (_, blocks) = reader.data(Want::Core, &names, Purpose::Test);
    let stories = reader.stories(blocks);
    // Names come from the model alone, whatever of the tests was lost.
    let extents = Extents {
        stories: reader.extents().stories,
        ..Extents::default()
    };
    // What is odd about the model's domain was said when it was trained.
    let mut said = check::check(
        domain,
        &nlu::NluPart::default(),
        &stories,
        check::HasDomain::Yes,
        extents,
        &SourceMap::default(),
    );
    said.retain(|diagnostic| !diagnostic.place.file.is_empty());
    reader.say(said);
    let project = Project {
        stories,
        ..Project::default()
    };
    Ok(reader.finish(project))
}

/// Returns whether NLU data holds nothing at all.
pub fn is_empty(nlu: &NluData) -> bool {
    nlu.examples.is_empty()
        && nlu.synonyms.is_empty()
        && nlu.patterns.is_empty()
        && nlu.lookups.is_empty()
}
