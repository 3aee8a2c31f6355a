//! Data files to data files: older formats to YAML 3.1.
//!
//! ```text
//!   import ──▶ kinds of files ──▶ [convert] ──▶ the same project, in files of 3.1
//! ```
//!
//! YAML is edited as text: what need not change stays as it is, letter by letter.
//! Markdown and JSON are written anew. Nothing is written to disk here.

mod source;
mod emit;
mod lines;
mod notes;
mod names;
mod written;
mod rest;
mod rules;
mod domain;
mod data;
mod config;
mod markdown;
mod annotated;
mod json;
mod split;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::convert::domain::Triggers;
use crate::convert::markdown::Content;
use crate::convert::markdown::Tables;
use crate::convert::notes::Notes;
use crate::convert::rest::Rest;
use crate::convert::rules::Rule;
use crate::convert::source::Edits;
use crate::convert::source::Source;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::SourceMap;
use crate::diagnostic::arrange;
use crate::diagnostic::has_errors;
use crate::import::FileKind;
use crate::import::ImportError;
use crate::import::Imported;
use crate::import::InputFile;
use crate::import::Sources;
use crate::import::import_project;

pub use split::Split;
pub use split::SplitOptions;
pub use split::split_nlu;
pub use split::split_stories;

/// A converted project.
#[derive(Clone, Debug, Default)]
pub struct Conversion {
    /// All files of the project, sorted by path.
    pub outputs: Vec<Output>,
    /// What could not be kept, and which files could not be converted.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that diagnostics point into.
    pub sources: SourceMap,
    taken: BTreeSet<PathBuf>,
}

/// A file of a converted project.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The file that it was made of; none if it is new.
    pub source: Option<PathBuf>,
    /// Its path; like the source's, it starts with the project's folder.
    pub path: PathBuf,
    /// What it was read as, sorted.
    pub kinds: Vec<FileKind>,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Whether path or content are others than the source's.
    pub is_changed: bool,
}

/// Converts the files of a project to YAML 3.1.
///
/// # Errors
///
/// Only if a file or folder that exists cannot be read.
pub fn convert(sources: &Sources) -> Result<Conversion, ImportError> {
    let imported = import_project(sources)?;
    let sources = &in_language(sources, &imported);
    let mut project = Project::open(sources, &imported)?;
    let rules = project.config();
    let triggers = match project.has_mapping {
        true => Triggers::Take,
        false => Triggers::Keep,
    };
    let triggered = project.domain(triggers);
    project.data();
    let mut rules: Vec<Rule> = rules;
    rules.extend(
        triggered
            .iter()
            .map(|(intent, action)| Rule::answer(intent, action)),
    );
    let mut conversion = project.finish(imported);
    if !rules.is_empty() {
        let folder = sources.data.first();
        let folder = folder.map_or(Path::new(""), |path| {
            match sources.root.join(path).is_dir() {
                true => path,
                false => path.parent().unwrap_or(Path::new("")),
            }
        });
        conversion.add(
            None,
            sources.root.join(folder).join("rules.yml"),
            rules::text(&rules).into_bytes(),
        );
    }
    conversion.outputs.sort_by(|a, b| a.path.cmp(&b.path));
    arrange(&mut conversion.diagnostics);
    Ok(conversion)
}

/// A file while it is converted.
struct File {
    input: InputFile,
    work: Work,
    /// What stays in JSON.
    rest: Rest,
    notes: Notes,
}

/// What becomes of a file.
enum Work {
    /// It is edited.
    Edit(Source, Edits),
    /// It is written anew.
    Write(String),
    /// It stays as it is.
    Keep(Vec<u8>),
    /// It holds nothing that could be written, as half of an export of Dialogflow.
    Leave,
    /// It cannot be converted.
    Refuse,
}

/// The files of a project, and what converting one needs to know of others.
struct Project {
    files: Vec<File>,
    retrieval: BTreeSet<String>,
    has_mapping: bool,
}

impl Project {
    fn open(sources: &Sources, imported: &Imported) -> Result<Self, ImportError> {
        let examples = imported.project.nlu.examples.iter();
        let retrieval = examples.filter(|example| example.intent_response_key.is_some());
        let retrieval = retrieval
            .filter_map(|example| example.intent.clone())
            .collect();
        let mut project = Self {
            files: Vec::new(),
            retrieval,
            has_mapping: false,
        };
        let broken = broken(imported);
        let skipped = skipped(imported);
        for input in &imported.files {
            // Decided before it is read: reading a pipe may never end.
            let is_broken = broken.contains(&input.shown);
            if input.kinds.is_empty() && !is_broken && !is_config(&input.path) {
                continue;
            }
            let mut notes = Notes::on(input.shown.clone());
            let mut rest = Rest::default();
            let work = match is_broken {
                true => Work::Refuse,
                false if skipped.contains(&input.shown) => Work::Keep(read(&input.path)?),
                false => project.start(sources, input, &mut rest, &mut notes)?,
            };
            rest.tell_kept(&mut notes);
            if matches!(work, Work::Refuse) {
                notes.say("E602", 0, "the file cannot be converted");
            }
            project.files.push(File {
                input: input.clone(),
                work,
                rest,
                notes,
            });
        }
        Ok(project)
    }

    /// Opens what is edited, and writes anew what is not YAML, but for the `rest`.
    fn start(
        &self,
        sources: &Sources,
        input: &InputFile,
        rest: &mut Rest,
        notes: &mut Notes,
    ) -> Result<Work, ImportError> {
        let bytes = read(&input.path)?;
        let is_no_data = |kind: &FileKind| matches!(kind, FileKind::Lookup | FileKind::Component);
        if input.kinds.iter().all(is_no_data) {
            return Ok(Work::Keep(bytes));
        }
        Ok(match format(&input.path, &bytes) {
            Format::Yaml => match Source::read(bytes) {
                Some(source) => Work::Edit(source, Edits::default()),
                None => Work::Refuse,
            },
            Format::Json => {
                let file;
                (file, *rest) = json::nlu(sources, &input.path, notes)?;
                match () {
                    () if has_errors(&notes.diagnostics) => Work::Refuse,
                    () if file.entries.is_empty() && !rest.is_empty() => Work::Keep(bytes),
                    () if file.entries.is_empty() => Work::Leave,
                    () => Work::Write(file.text()),
                }
            }
            Format::Markdown(kind) => {
                let text = markdown::text(&bytes);
                Work::Write(match kind {
                    Content::Nlu => {
                        let tables = Tables::new(&sources.root, &input.path);
                        markdown::nlu(&text, &tables, rest, notes).text()
                    }
                    Content::Responses => markdown::responses(&text, notes).text(),
                    Content::Stories => markdown::stories(&text, &self.retrieval, notes).text(),
                })
            }
        })
    }

    /// Calls a converter on each file of a kind that is edited.
    fn each(&mut self, kinds: &[FileKind], mut edit: impl FnMut(&Source, &mut Notes) -> Edits) {
        for file in &mut self.files {
            if let Work::Edit(source, edits) = &mut file.work
                && kinds.iter().any(|kind| file.input.kinds.contains(kind))
            {
                edits.extend(edit(source, &mut file.notes));
            }
        }
    }

    fn config(&mut self) -> Vec<Rule> {
        let mut rules = Vec::new();
        let mut has_mapping = false;
        self.each(&[FileKind::Config], |source, notes| {
            let migrated = config::migrate(source, notes);
            rules.extend(migrated.rules);
            has_mapping |= migrated.has_mapping;
            migrated.edits
        });
        self.has_mapping = has_mapping;
        rules
    }

    /// Migrates the domain; returns the triggers that were taken out of it.
    fn domain(&mut self, triggers: Triggers) -> Vec<(String, String)> {
        let is_domain = |file: &File| file.input.kinds.contains(&FileKind::Domain);
        let sources = self.files.iter().filter(|file| is_domain(file));
        let sources: Vec<&Source> = sources.filter_map(File::edited).collect();
        let migrated = domain::migrate(&sources, &self.retrieval, triggers);
        let mut files = migrated.edits.into_iter().zip(migrated.notes);
        self.each(&[FileKind::Domain], |_, notes| {
            let (edits, added) = files.next().unwrap_or_default();
            for (line, what) in added {
                notes.say("W601", line, what);
                notes.help("give it the type that its values have");
            }
            edits
        });
        migrated.triggers
    }

    fn data(&mut self) {
        let retrieval = std::mem::take(&mut self.retrieval);
        self.each(&[FileKind::Stories, FileKind::TestStories], |source, _| {
            data::upgrade(source, &retrieval)
        });
        let kinds = [
            FileKind::Domain,
            FileKind::Nlu,
            FileKind::Stories,
            FileKind::TestStories,
        ];
        self.each(&kinds, |source, _| {
            let mut edits = Edits::default();
            lines::set_version(source, &mut edits);
            edits
        });
    }

    fn finish(self, imported: Imported) -> Conversion {
        let mut lost = broken(&imported);
        lost.extend(skipped(&imported));
        let mut conversion = Conversion {
            sources: imported.sources,
            ..Conversion::default()
        };
        // What is written anew makes room for what was there.
        let paths = imported.files.iter().map(|file| file.path.clone());
        conversion.taken = paths.collect();
        for file in self.files {
            let (path, kinds) = (file.input.path, file.input.kinds);
            conversion.diagnostics.extend(file.notes.diagnostics);
            if !file.rest.is_empty() && matches!(file.work, Work::Write(_)) {
                conversion.add_rest(&path, &kinds, &file.rest);
            }
            let (new_path, bytes, is_changed) = match file.work {
                Work::Edit(source, edits) => (path.clone(), source.with(&edits), !edits.is_empty()),
                Work::Write(text) => (path.with_extension("yml"), text.into_bytes(), true),
                Work::Keep(bytes) => (path.clone(), bytes, false),
                Work::Leave => continue,
                Work::Refuse => {
                    lost.insert(file.input.shown);
                    continue;
                }
            };
            if new_path == path {
                conversion.taken.remove(&path);
            }
            conversion.add(Some(path), new_path, bytes);
            if let Some(output) = conversion.outputs.last_mut() {
                output.kinds = kinds;
                output.is_changed = is_changed;
            }
        }
        let about_lost = imported.diagnostics.into_iter();
        let about_lost = about_lost.filter(|d| lost.contains(&d.place.file));
        conversion.diagnostics.extend(about_lost);
        conversion
    }
}

/// Returns what is to be read, with the language of the project.
fn in_language(sources: &Sources, imported: &Imported) -> Sources {
    let language = sources.language.clone();
    Sources {
        language: language.or_else(|| imported.project.config.language.clone()),
        ..sources.clone()
    }
}

/// Returns the files that could not be read as they are meant: what is not
/// understood cannot be kept.
///
/// Mistakes about components and variables that are not set do not count: configs
/// are edited as text, and some of those mistakes are what is converted.
fn broken(imported: &Imported) -> BTreeSet<Arc<str>> {
    let errors = imported.diagnostics.iter();
    let errors = errors.filter(|d| d.severity == Severity::Error);
    let errors = errors.filter(|d| !d.code.starts_with("E1") && d.code != "E011");
    errors.map(|d| d.place.file.clone()).collect()
}

/// Returns the files of newer versions, which are not read: they stay as they are.
fn skipped(imported: &Imported) -> BTreeSet<Arc<str>> {
    let newer = imported.diagnostics.iter().filter(|d| d.code == "W017");
    newer.map(|d| d.place.file.clone()).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, ImportError> {
    fs::read(path).map_err(|source| ImportError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Returns whether a file is a config by its name: those of imported projects stay,
/// as they train nothing, but name what else is imported.
fn is_config(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    matches!(name, Some("config.yml" | "config.yaml"))
}

/// The format of a file that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Yaml,
    Json,
    Markdown(Content),
}

/// Returns the format of a file that was read.
fn format(path: &Path, bytes: &[u8]) -> Format {
    let suffix = path.extension().and_then(|suffix| suffix.to_str());
    let is_yaml = matches!(suffix, Some("yml" | "yaml"));
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = bytes.trim_ascii_start().first();
    match first {
        Some(b'{' | b'[') if !is_yaml => Format::Json,
        _ if is_yaml => Format::Yaml,
        _ => Format::Markdown(markdown::content(&markdown::text(bytes))),
    }
}

impl File {
    fn edited(&self) -> Option<&Source> {
        match &self.work {
            Work::Edit(source, _) => Some(source),
            _ => None,
        }
    }
}

impl Conversion {
    /// Adds a file of what stays in JSON, beside the one that it was in.
    fn add_rest(&mut self, path: &Path, kinds: &[FileKind], rest: &Rest) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!("{stem}_rest.json"));
        self.add(None, beside, rest.text().into_bytes());
        if let Some(output) = self.outputs.last_mut() {
            output.kinds = kinds.to_vec();
        }
    }

    /// Adds a file; one whose path is taken gets `_converted` in its name, as
    /// Rasa names what it converts.
    fn add(&mut self, source: Option<PathBuf>, path: PathBuf, bytes: Vec<u8>) {
        let mut free = path.clone();
        let mut count = 1;
        while !self.taken.insert(free.clone()) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let suffix = path.extension().unwrap_or_default().to_string_lossy();
            let number = if count > 1 {
                count.to_string()
            } else {
                String::new()
            };
            free = path.with_file_name(format!("{stem}_converted{number}.{suffix}"));
            count += 1;
        }
        self.outputs.push(Output {
            source,
            path: free,
            kinds: vec![FileKind::Stories],
            bytes,
            is_changed: true,
        });
    }
}
