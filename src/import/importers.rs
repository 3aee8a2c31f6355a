//! Reads `importers` and `imports` of a config: which files a project has
//! besides those that were named.
//!
//! ```text
//!   config ──▶ importers ──▶ imports: folders, configs ──▶ their files, their imports, …
//! ```
//!
//! `MultiProjectImporter` brings in whole projects. Of each only the training
//! data and the domain count: pipeline and policies are those of the main
//! config. Its tests, configs and whatever else lies there are passed over.

use std::collections::BTreeMap;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::import::ImportError;
use crate::import::found::Candidate;
use crate::import::found::Role;
use crate::import::found::shown;
use crate::import::looks::Seen;
use crate::import::reading::Reading;
use crate::import::shelf::FILE_LIMIT;
use crate::import::shelf::Shelf;
use crate::import::shelf::below;
use crate::import::walk::suffix;
use crate::import::walk::walk;
use crate::import::yaml;
use crate::import::yaml::Environment;
use crate::import::yaml::Node;

/// Importers that can be named, and what they are.
const IMPORTERS: &[(&str, Importer)] = &[
    ("RasaFileImporter", Importer::Files),
    ("MultiProjectImporter", Importer::Projects),
    ("E2EImporter", Importer::Always),
    ("ResponsesSyncImporter", Importer::Always),
    ("CombinedDataImporter", Importer::Always),
    ("NluDataImporter", Importer::Always),
];

/// What an importer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Importer {
    /// Reads the files that were named.
    Files,
    /// Reads them and the projects below `imports`.
    Projects,
    /// Does what is done in any case.
    Always,
}

/// Returns the importer that an entry of `importers` names, with or without its
/// Python module.
fn importer(item: &Node) -> Option<Importer> {
    let name = item.get("name").and_then(Node::text)?;
    let class = match name.rsplit_once('.') {
        Some((module, class)) if module.starts_with("rasa.") => class,
        Some(_) => return None,
        None => name,
    };
    let known = IMPORTERS.iter().find(|(known, _)| *known == class);
    known.map(|(_, importer)| *importer)
}

/// Returns whether a config asks for the projects of its `imports`.
fn brings_projects(root: &Node) -> bool {
    let importers = root.get("importers").map(items).unwrap_or_default();
    importers
        .iter()
        .any(|item| importer(item) == Some(Importer::Projects))
}

fn items(node: &Node) -> &[Node] {
    match &node.yaml {
        yaml::Yaml::List(items) => items,
        _ => &[],
    }
}

/// Reports importers that are not known, and `imports` that nobody reads.
///
/// Rasa: an importer that is not found is left out; when none is left, the files
/// that were named are read.
pub fn check(root: &Node, reading: &mut Reading) {
    let list = root
        .get("importers")
        .map(|node| reading.list(node, "`importers`"));
    for item in list.unwrap_or_default() {
        let name = item.get("name").and_then(Node::text).unwrap_or_default();
        match importer(item) {
            Some(Importer::Always) => {
                let what = format!("`{name}` is always there and need not be named");
                reading.say("N122", item, what);
            }
            Some(_) => {}
            None => {
                let what = format!("importer `{name}` is not known: it is left out");
                let about = reading
                    .about("W118", item, what)
                    .note("what it would bring in from elsewhere is not trained on")
                    .help("write its data to files, and name them with `--data` and `--domain`")
                    .suggest(name, IMPORTERS.iter().map(|(known, _)| *known));
                reading.diagnostics.push(about);
            }
        }
    }
    if let Some(imports) = root.get("imports").filter(|node| !items(node).is_empty())
        && !brings_projects(root)
    {
        let about = reading
            .about("W120", imports, "`imports` are not read")
            .help("write `importers: [{name: MultiProjectImporter}]` to bring them in");
        reading.diagnostics.push(about);
    }
}

/// Adds the files of all projects that a config imports, and of those that their
/// configs import in turn. Each is visited once.
///
/// # Errors
///
/// If something is there but cannot be read.
pub fn add_projects(
    candidates: &mut Candidate<'_>,
    root: &Path,
    config: &Path,
    environment: &BTreeMap<String, String>,
    shelf: Shelf<'_>,
) -> Result<Added, ImportError> {
    // By the path by which it is read: of a file with two paths nobody could say
    // later that it is the same after a `touch`.
    let config = root.join(config);
    let mut walk = Walk {
        candidates,
        root,
        environment,
        shelf,
        imported: Vec::new(),
        added: Added::default(),
    };
    // What is wrong with the main config is said when it is read.
    if let Ok(Some(node)) = walk.peek(&config)
        && brings_projects(&node)
    {
        walk.imports(&normal(&config), &node)?;
    }
    Ok(walk.added)
}

/// What was met on the way.
#[derive(Debug, Default)]
pub struct Added {
    /// What is to be said about configs.
    pub said: Vec<Diagnostic>,
    /// Environment variables that they name, with their values if set.
    pub environment: BTreeMap<String, Option<String>>,
}

/// A walk through imported projects.
struct Walk<'a, 'e> {
    candidates: &'a mut Candidate<'e>,
    root: &'a Path,
    environment: &'a BTreeMap<String, String>,
    shelf: Shelf<'a>,
    /// Folders and configs that were visited.
    imported: Vec<PathBuf>,
    added: Added,
}

impl Walk<'_, '_> {
    /// Reads a config that may import something; another one is not parsed. What
    /// cannot be opened is reported when all files are read.
    fn peek(&mut self, config: &Path) -> Result<Option<Node>, Vec<yaml::Mistake>> {
        let shown = shown(self.root, config);
        let Ok(Ok(whole)) = self.shelf.load(config, &shown, FILE_LIMIT) else {
            if let Shelf::Disk(eyes) = self.shelf {
                eyes.distrust();
            }
            return Ok(None);
        };
        let bytes = whole.bytes;
        if !bytes.windows(7).any(|word| word == b"imports") {
            return Ok(None);
        }
        let text = yaml::text::decode(&bytes).map_err(|mistake| vec![mistake])?;
        let text = Arc::new(text);
        let mut environment = Environment::new(self.environment);
        let parsed = yaml::parse(&text, &mut environment);
        self.added.environment.extend(environment.used);
        parsed.map(Some)
    }

    /// Visits what a config imports.
    fn imports(&mut self, config: &Path, node: &Node) -> Result<(), ImportError> {
        let folder = config.parent().unwrap_or(Path::new(""));
        let mut reading = Reading::new(shown(self.root, config));
        let list = node
            .get("imports")
            .map(|node| reading.list(node, "`imports`"));
        let mut found = Vec::new();
        for item in list.unwrap_or_default() {
            let Some(path) = reading.text(item, "an import") else {
                continue;
            };
            let full = normal(&folder.join(path));
            if self.imported.iter().any(|known| full.starts_with(known)) {
                continue;
            }
            if self.shelf.kind(&full) != Seen::Folder && !is_config(self.shelf, &full) {
                let what = format!("`{path}` is neither a folder nor a config that is there");
                let about = reading
                    .about("W119", item, what)
                    .note("it is left out")
                    .help("paths of `imports` start at the folder of this config");
                reading.diagnostics.push(about);
                continue;
            }
            self.imported.push(full.clone());
            found.push(full);
        }
        self.added.said.append(&mut reading.diagnostics);
        found.iter().try_for_each(|path| self.project(path))
    }

    /// Adds a folder with all that lies in it, or the imports of a config.
    fn project(&mut self, path: &Path) -> Result<(), ImportError> {
        if self.shelf.kind(path) != Seen::Folder {
            return self.config(path);
        }
        let files = self.add_folder(path)?;
        let shelf = self.shelf;
        let mut configs = files.iter().filter(|path| is_config(shelf, path));
        configs.try_for_each(|config| self.config(config))
    }

    /// Adds a folder with all that lies in it; returns that.
    fn add_folder(&mut self, path: &Path) -> Result<Vec<PathBuf>, ImportError> {
        match self.shelf {
            Shelf::Disk(eyes) => {
                let named = path.strip_prefix(self.root).unwrap_or(path);
                self.candidates.add(named, Role::Project)?;
                let entries = walk(path, eyes).into_iter().filter_map(Result::ok);
                Ok(entries.map(walkdir::DirEntry::into_path).collect())
            }
            Shelf::Memory(files) => {
                let files: Vec<PathBuf> = below(files, path).cloned().collect();
                for file in files.iter().filter(|file| suffix(file).is_some()) {
                    self.candidates.add_in_memory(file, Role::Project, false);
                }
                Ok(files)
            }
        }
    }

    /// Visits what the config of an imported project imports.
    fn config(&mut self, config: &Path) -> Result<(), ImportError> {
        match self.peek(config) {
            Ok(Some(node)) => self.imports(config, &node),
            Ok(None) => Ok(()),
            Err(mistakes) => {
                let mut reading = Reading::new(shown(self.root, config));
                for mistake in mistakes {
                    reading.say_mistake(mistake);
                }
                self.added.said.append(&mut reading.diagnostics);
                Ok(())
            }
        }
    }
}

/// Returns whether a file is a config by its name.
fn is_config(shelf: Shelf<'_>, path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    matches!(name, Some("config.yml" | "config.yaml")) && shelf.has_file(path)
}

/// Returns a path without `.` and, where that needs no look at the disk, `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(normal.components().next_back(), Some(Component::Normal(_))) =>
            {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}
