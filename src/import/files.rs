//! Reads each file of a project once and says what it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::import::FileKind;
use crate::import::ImportError;
use crate::import::InputFile;
use crate::import::format;
use crate::import::format::Format;
use crate::import::format::Other;
use crate::import::found::Found;
use crate::import::json;
use crate::import::json::Examples;
use crate::import::markdown;
use crate::import::reading::Reading;
use crate::import::shelf;
use crate::import::shelf::Shelf;
use crate::import::shelf::Whole;
use crate::import::unread;
use crate::import::walk::suffix;
use crate::import::yaml;
use crate::import::yaml::Environment;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;
use crate::import::yaml::text::Undecoded;

/// Bytes of a text up to which it may be kept when all was read that is of use.
const SHORT: usize = 64 << 10;

/// Bytes of texts that are kept of all files together: those of most projects.
pub const KEPT: usize = 1 << 20;

/// A file that was read and, if it is of use, is or will be parsed.
#[derive(Debug)]
pub struct ReadFile {
    /// What it is.
    pub input: InputFile,
    /// Its text while it is read; empty if it was not parsed.
    pub text: Arc<String>,
    /// Whether it has a text, which diagnostics can point into.
    pub has_text: bool,
    /// Whether it was parsed and nothing could be read.
    pub is_lost: bool,
    /// YAML of use that was not parsed yet.
    unparsed: Option<(Vec<u8>, Found)>,
    /// Its tree, if it is JSON, or YAML and not newer than we are.
    pub root: Option<Node>,
    /// Its format.
    pub format: Format,
    /// What belongs to it, if it is a file of Dialogflow.
    pub examples: Option<Examples>,
    /// Its place among domain files.
    pub domain_rank: usize,
    /// Index of the path, among those named as domains, that it was found by.
    pub domain_group: usize,
    /// Environment variables that it names.
    pub environment: BTreeMap<String, Option<String>>,
    /// What was said about it.
    pub diagnostics: Vec<Diagnostic>,
}

impl ReadFile {
    /// Returns whether the file is of this kind.
    pub fn is(&self, kind: FileKind) -> bool {
        self.input.kinds.contains(&kind)
    }
}

/// Top-level keys of which any makes a file in a domain folder a domain.
const DOMAIN_KEYS: &[&str] = &[
    "slots",
    "forms",
    "actions",
    "entities",
    "intents",
    "responses",
    "e2e_actions",
    "session_config",
];

/// Reads a file and decides what it is, or may be: that shows when it is parsed.
/// Trees are larger than what is read out of them, so YAML is parsed when its
/// turn comes.
///
/// # Errors
///
/// If the file cannot be read.
pub fn read(found: Found, shelf: Shelf<'_>) -> Result<ReadFile, ImportError> {
    let loaded = shelf.load(&found.path, &found.shown, shelf::FILE_LIMIT)?;
    let (whole, refused) = match loaded {
        Ok(whole) => (whole, None),
        Err(diagnostic) => (Whole::of(Vec::new()), Some(diagnostic)),
    };
    let Whole { bytes, digest } = whole;
    let kinds = kinds(&found, &bytes);
    let mut read = ReadFile {
        input: InputFile {
            digest,
            path: found.path.clone(),
            shown: found.shown.clone(),
            kinds,
        },
        text: Arc::default(),
        has_text: false,
        is_lost: false,
        unparsed: None,
        root: None,
        format: Format::Yaml,
        examples: None,
        domain_rank: found.domain.unwrap_or(usize::MAX),
        domain_group: found.domain_group,
        environment: BTreeMap::new(),
        diagnostics: Vec::new(),
    };
    let mut reading = Reading::new(found.shown.clone());
    let is_data = found.data || found.test;
    let other = match is_data && !found.config && !found.domain_named {
        true => format::recognise(&found.path, &bytes, &mut reading),
        false => None,
    };
    if let Some(diagnostic) = refused {
        reading.diagnostics.push(diagnostic);
        read.input.kinds.clear();
    } else if let Some(other) = other {
        take(other, &mut read, &mut reading, &found);
    } else if !read.input.kinds.is_empty() {
        read.unparsed = Some((bytes, found));
    } else if let Some(about) = unread(&found, &bytes, &reading) {
        reading.diagnostics.push(about);
    } else if found.data_named && is_data {
        let place = reading.at(0, 0);
        let what = format!("`{}` holds no training data", found.shown);
        reading
            .diagnostics
            .push(Diagnostic::new("W024", place, what));
    }
    read.diagnostics = reading.diagnostics;
    Ok(read)
}

/// Returns what to say of a file that no reader takes, if it was meant for one.
fn unread(found: &Found, bytes: &[u8], reading: &Reading) -> Option<Diagnostic> {
    let suffix = suffix(&found.path).filter(|_| found.data)?;
    match suffix {
        "yml" | "yaml" => unread::look_at_yaml(bytes, reading),
        "json" => unread::look_at_text(bytes, reading),
        _ => None,
    }
}

/// Takes over a file that is not YAML, with a note if its format is an old one.
fn take(other: Other, read: &mut ReadFile, reading: &mut Reading, found: &Found) {
    read.format = other.format;
    read.keep_text(other.text);
    read.root = other.root;
    read.input.kinds = other_kinds(other.format, found);
    let is_read = !read.input.kinds.is_empty();
    if let Some(name) = other.format.old_name().filter(|_| is_read) {
        let what = format!("{name}: an older format, which is read all the same");
        let about = Diagnostic::new("N022", reading.at(0, 0), what)
            .help("`tabella data convert` writes it as YAML");
        reading.diagnostics.push(about);
    }
}

/// Returns what a file that is not YAML is read as.
///
/// Rasa 2.8: Markdown stories are tests if `tests` is part of their folder's
/// path. Differs from Rasa: or if the file itself was named as one.
fn other_kinds(format: Format, found: &Found) -> Vec<FileKind> {
    let mut kinds = Vec::new();
    match format {
        Format::Markdown(markdown::Kind::Stories) => {
            let folder = found
                .shown
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            if found.data {
                kinds.push(FileKind::Stories);
            }
            if found.test && (found.data_named || folder.contains("tests")) {
                kinds.push(FileKind::TestStories);
            }
        }
        Format::Json(json::Kind::DialogflowExamples | json::Kind::DialogflowOther) => {}
        Format::Markdown(_) | Format::Json(_) if found.data => kinds.push(FileKind::Nlu),
        _ => {}
    }
    kinds
}

/// Reads a file of Dialogflow that belongs to another one.
///
/// # Errors
///
/// If the file cannot be read.
pub fn read_beside(path: &Path, root: &Path, shelf: Shelf<'_>) -> Result<ReadFile, ImportError> {
    read(Found::beside(path, root), shelf)
}

impl ReadFile {
    /// Returns whether the file is of use and was not parsed yet.
    pub fn is_unparsed(&self) -> bool {
        self.unparsed.is_some()
    }

    /// Parses a file that is to be, and was not yet.
    pub fn parse(&mut self, environment: &BTreeMap<String, String>) {
        let Some((bytes, found)) = self.unparsed.take() else {
            return;
        };
        let mut reading = Reading::new(self.input.shown.clone());
        parse(self, &mut reading, &found, bytes, environment);
        self.is_lost = self.root.is_none();
        self.diagnostics.append(&mut reading.diagnostics);
    }

    fn keep_text(&mut self, text: Arc<String>) {
        self.has_text = !text.is_empty();
        self.text = text;
    }

    /// Drops the tree and a long text: all was read that is of use.
    pub fn close(&mut self) {
        self.root = None;
        self.examples = None;
        if self.text.len() > SHORT {
            self.text = Arc::default();
        }
    }

    /// Moves the text of a file to those that diagnostics point into, if there is
    /// `room` for it. Another one that is on the disk is read again when somebody
    /// wants to see it, if it is still there as it was.
    pub fn move_source(&mut self, shelf: Shelf<'_>, room: &mut usize, sources: &mut SourceMap) {
        let text = std::mem::take(&mut self.text);
        let InputFile {
            path,
            shown,
            digest,
            ..
        } = &self.input;
        let format = self.format;
        match shelf {
            _ if !self.has_text => {}
            _ if !text.is_empty() && text.len() <= *room => {
                *room -= text.len();
                sources.insert(shown.clone(), text.as_str().into());
            }
            Shelf::Memory(files) => {
                let bytes = files.get(path).copied().unwrap_or_default();
                let text = format::text_of(bytes.to_vec(), format);
                sources.insert(shown.clone(), text.into());
            }
            Shelf::Disk(_) => {
                let (path, digest) = (path.clone(), *digest);
                sources.insert_fetched(shown.clone(), move || {
                    let bytes = shelf::bytes_again(&path, digest)?;
                    Some(format::text_of(bytes, format))
                });
            }
        }
    }
}

/// Runs a reader over files, in parallel, and returns what it gives in the order
/// of the files.
///
/// The largest file is read by this thread. Memory that its tree took is used
/// again by what this thread does afterwards; that of a thread which has nothing
/// more to do would lie idle.
pub fn each<T: Send>(
    files: Vec<&mut ReadFile>,
    read: impl Fn(&mut ReadFile) -> T + Sync,
) -> Vec<T> {
    let size = |file: &ReadFile| file.unparsed.as_ref().map_or(0, |(bytes, _)| bytes.len());
    let sizes = files.iter().enumerate().map(|(at, file)| (size(file), at));
    let largest = sizes.max().map(|(_, at)| at);
    let mut given: Vec<Option<T>> = files.iter().map(|_| None).collect();
    let mut own = None;
    rayon::in_place_scope(|scope| {
        for (at, (file, given)) in files.into_iter().zip(&mut given).enumerate() {
            match Some(at) == largest {
                true => own = Some((file, given)),
                false => scope.spawn(|_| *given = Some(read(file))),
            }
        }
        if let Some((file, given)) = own {
            *given = Some(read(file));
        }
    });
    given.into_iter().flatten().collect()
}

/// Parses a file of use and takes back kinds that it turns out not to be.
fn parse(
    read: &mut ReadFile,
    reading: &mut Reading,
    found: &Found,
    bytes: Vec<u8>,
    environment: &BTreeMap<String, String>,
) {
    let mut environment = Environment::new(environment);
    let parsed = match yaml::text::decode_owned(bytes) {
        Ok(text) => {
            read.keep_text(Arc::new(text));
            yaml::parse(&read.text, &mut environment)
        }
        Err(Undecoded { mistake, shown }) => {
            read.keep_text(Arc::new(shown));
            Err(vec![mistake])
        }
    };
    read.environment = environment.used;
    let root = match parsed {
        Ok(root) => root,
        Err(mistakes) => {
            for mistake in mistakes {
                reading.say_mistake(mistake);
            }
            return;
        }
    };
    if !matches!(root.yaml, Yaml::Map(_)) {
        let what = format!("a file is a map of sections, this is {}", root.kind());
        reading.say("E009", &root, what);
        return;
    }
    if !found.domain_named && !DOMAIN_KEYS.iter().any(|key| root.get(key).is_some()) {
        read.input.kinds.retain(|kind| *kind != FileKind::Domain);
    }
    if found.project {
        one_kind(&mut read.input, &root, reading);
    }
    if is_readable_version(&root, reading) {
        read.root = Some(root);
    }
}

/// Leaves a file of another project the one kind that counts.
///
/// Rasa's `MultiProjectImporter`: a file is test stories by its name, else a
/// domain, else NLU data, else stories. Differs from Rasa: sections that are
/// lost by that are named.
fn one_kind(input: &mut InputFile, root: &Node, reading: &mut Reading) {
    let name = input.shown.rsplit('/').next().unwrap_or_default();
    let is_stories = input.kinds.contains(&FileKind::Stories);
    if name.starts_with("test_") && is_stories {
        input.kinds.clear();
        return;
    }
    let order = [FileKind::Domain, FileKind::Nlu, FileKind::Stories];
    let Some(kind) = order.into_iter().find(|kind| input.kinds.contains(kind)) else {
        return;
    };
    input.kinds = vec![kind];
    let (what, lost): (&str, &[&str]) = match kind {
        FileKind::Domain => ("a domain", &["nlu", "stories", "rules"]),
        FileKind::Nlu => ("NLU data", &["stories", "rules"]),
        _ => return,
    };
    for entry in root.entries() {
        if lost.contains(&&*entry.key) {
            let what = format!(
                "`{}` is not read: an imported file is {what} alone",
                entry.key
            );
            let about = reading
                .about("W121", &entry.at, what)
                .help("move the section to a file of its own");
            reading.diagnostics.push(about);
        }
    }
}

/// Returns what a file is, judged by why it was found and by its lines.
///
/// Rasa 3.6 judges by lines too: one that starts, after blanks, with the name of
/// a section makes the file one with that section.
fn kinds(found: &Found, bytes: &[u8]) -> Vec<FileKind> {
    let is_yaml = matches!(suffix(&found.path), Some("yml" | "yaml"));
    let mut kinds = Vec::new();
    if found.config {
        kinds.push(FileKind::Config);
    }
    if found.domain_named || (found.domain.is_some() && is_yaml && starts(bytes, DOMAIN_KEYS)) {
        kinds.push(FileKind::Domain);
    }
    if found.data && is_yaml && starts(bytes, &["nlu", "responses"]) {
        kinds.push(FileKind::Nlu);
    }
    if found.data && is_yaml && starts(bytes, &["stories", "rules"]) {
        kinds.push(FileKind::Stories);
    }
    if found.test && is_yaml && starts(bytes, &["stories", "rules"]) {
        kinds.push(FileKind::TestStories);
    }
    kinds
}

/// Returns whether some line starts, after blanks, with one of the keys and a
/// colon.
fn starts(bytes: &[u8], keys: &[&str]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.split(|b| *b == b'\n' || *b == b'\r').any(|line| {
        let line = line.trim_ascii_start();
        keys.iter().any(|key| {
            line.strip_prefix(key.as_bytes())
                .is_some_and(|rest| rest.first() == Some(&b':'))
        })
    })
}

/// Returns whether a file's `version` is one that is read.
///
/// Rasa 3.6: a version that is not text is overlooked with a warning, and a file
/// of a newer version is skipped with one.
fn is_readable_version(root: &Node, reading: &mut Reading) -> bool {
    let Some(version) = root.get("version").filter(|node| !node.is_null()) else {
        return true;
    };
    let Some(text) = version.text() else {
        let about = reading
            .about("W016", version, "`version` is not text")
            .help("put it in quotes: `version: \"3.1\"`");
        reading.diagnostics.push(about);
        return true;
    };
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok());
    let mut parts = text.split('.');
    let version_read = (number(parts.next()), number(parts.next()).unwrap_or(0));
    match version_read {
        (Some(major), minor) if (major, minor) > (3, 1) => {
            let what = format!("version `{text}` is newer than 3.1: the file is skipped");
            let about = reading
                .about("W017", version, what)
                .help("if it holds nothing that is newer, write `version: \"3.1\"`");
            reading.diagnostics.push(about);
            false
        }
        _ => true,
    }
}
