//! Reads `tabella.yml`, the list of a workspace's assistants.
//!
//! The format is `schemas/workspace.schema.json`. Paths at the top level start at
//! the file's folder, those of an assistant at its own folder. No file of an
//! assistant is opened here.

mod exec;
mod pattern;
mod remote;
mod variants;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::data::Member;
use crate::data::Workspace;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::diagnostic::arrange;
use crate::import::ImportError;
use crate::import::reading::Reading;
use crate::import::workspace::variants::Listed;
use crate::import::workspace::variants::NamedConfig;
use crate::import::yaml;
use crate::import::yaml::Environment;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// What came of reading a workspace file.
#[derive(Clone, Debug, Default)]
pub struct ImportedWorkspace {
    /// The workspace, as far as it could be read.
    pub workspace: Workspace,
    /// All mistakes, sorted by line.
    pub diagnostics: Vec<Diagnostic>,
    /// The text that diagnostics point into.
    pub sources: SourceMap,
}

/// Reads a workspace file; `environment` is what `${NAME}` is looked up in.
///
/// # Errors
///
/// If the file, or a folder that a pattern goes through, cannot be read.
pub fn import_workspace(
    path: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<ImportedWorkspace, ImportError> {
    let bytes = fs::read(path).map_err(|source| ImportError::Read {
        path: path.to_owned(),
        source,
    })?;
    import_workspace_text(path, &bytes, environment)
}

/// Reads the bytes of a workspace file as if they stood at `path`: its folders
/// and patterns are those of the disk.
///
/// # Errors
///
/// If a folder that a pattern goes through cannot be read.
pub fn import_workspace_text(
    path: &Path,
    bytes: &[u8],
    environment: &BTreeMap<String, String>,
) -> Result<ImportedWorkspace, ImportError> {
    let shown = path.file_name().unwrap_or_default().to_string_lossy();
    let mut reading = Reading::new(shown.as_ref().into());
    let mut imported = ImportedWorkspace::default();
    let mut environment = Environment::new(environment);
    let text = yaml::text::decode(bytes);
    let text = text.unwrap_or_else(|mistake| {
        reading.say_mistake(mistake);
        String::new()
    });
    let text = Arc::new(text);
    if reading.diagnostics.is_empty() {
        let parsed = yaml::parse(&text, &mut environment);
        let kept = text.as_str().into();
        imported.sources.insert(reading.file.clone(), kept);
        match parsed {
            Ok(root) => {
                let root_folder = path.parent().unwrap_or(Path::new(""));
                let mut reader = Reader::new(root_folder, &mut reading);
                imported.workspace = reader.workspace(&root)?;
            }
            Err(mistakes) => mistakes.into_iter().for_each(|m| reading.say_mistake(m)),
        }
    }
    imported.diagnostics = reading.diagnostics;
    arrange(&mut imported.diagnostics);
    Ok(imported)
}

/// Keys of the file and of an assistant.
const KEYS: &[&str] = &[
    "version",
    "cache",
    "remote",
    "data",
    "domain",
    "matrix",
    "assistants",
];
const MATRIX_KEYS: &[&str] = &["config"];
const MEMBER_KEYS: &[&str] = &["path", "name", "config", "domain", "data", "out"];

/// What all assistants share.
#[derive(Default)]
struct Shared {
    configs: Vec<NamedConfig>,
    domain: Vec<PathBuf>,
    data: Vec<PathBuf>,
}

struct Reader<'r> {
    root: &'r Path,
    reading: &'r mut Reading,
}

impl<'r> Reader<'r> {
    fn new(root: &'r Path, reading: &'r mut Reading) -> Self {
        Self { root, reading }
    }

    fn workspace(&mut self, root: &Node) -> Result<Workspace, ImportError> {
        if !matches!(root.yaml, Yaml::Map(_)) {
            let what = format!("a workspace is a map of sections, this is {}", root.kind());
            self.reading.say("E009", root, what);
            return Ok(Workspace::default());
        }
        self.check_keys(root, KEYS);
        self.check_version(root);
        let here = Path::new("");
        let cache = root.get("cache").filter(|node| !node.is_null());
        let cache = cache.and_then(|node| self.path(node, "`cache`"));
        let remote = self.remote(root.get("remote"));
        let matrix = root.get("matrix");
        if let Some(matrix) = matrix {
            self.reading.expect_map(matrix, "`matrix`");
            self.check_keys(matrix, MATRIX_KEYS);
        }
        let shared = Shared {
            configs: self.configs(matrix.and_then(|m| m.get("config")), here),
            domain: self.paths(root.get("domain"), "`domain`", here),
            data: self.paths(root.get("data"), "`data`", here),
        };
        let mut listed = Vec::new();
        match root.get("assistants").filter(|node| !node.is_null()) {
            Some(node) => {
                for item in self.reading.list(node, "`assistants`") {
                    self.entry(item, &shared, &mut listed)?;
                }
                if matches!(&node.yaml, Yaml::List(items) if items.is_empty()) {
                    self.no_assistants(node);
                }
            }
            None => self.no_assistants(root),
        }
        let listed = self.distinct(listed);
        Ok(Workspace {
            cache,
            remote,
            members: self.variants(listed).into_iter().map(Arc::new).collect(),
        })
    }

    fn no_assistants(&mut self, node: &Node) {
        let about = self
            .reading
            .about("E708", node, "a workspace without assistants")
            .help("list their folders: `assistants: [bots/*]`");
        self.reading.diagnostics.push(about);
    }

    fn check_version(&mut self, root: &Node) {
        let (node, what) = match root.get("version") {
            Some(node) if node.to_json() == json!(1) => return,
            Some(node) => (node, "`version` of a workspace is 1".to_owned()),
            None => (root, "a workspace without `version`".to_owned()),
        };
        let about = self
            .reading
            .about("E701", node, what)
            .help("write `version: 1`");
        self.reading.diagnostics.push(about);
    }

    /// Reports keys that mean nothing here.
    fn check_keys(&mut self, node: &Node, known: &[&str]) {
        for entry in node.entries() {
            if !known.contains(&entry.key.as_str()) {
                let what = format!("unknown key `{}`", entry.key);
                let about = self
                    .reading
                    .about("E706", &entry.at, what)
                    .help(format!("one of {}", known.join(", ")))
                    .suggest(&entry.key, known.iter().copied());
                self.reading.diagnostics.push(about);
            }
        }
    }

    /// Reads an item of `assistants`: a folder, a pattern of folders, or a map.
    fn entry(
        &mut self,
        item: &Node,
        shared: &Shared,
        listed: &mut Vec<Listed>,
    ) -> Result<(), ImportError> {
        let is_map = matches!(item.yaml, Yaml::Map(_));
        let path_node = if is_map { item.get("path") } else { Some(item) };
        let path = path_node.and_then(Node::text).filter(|p| !p.is_empty());
        let (Some(path), Some(path_node)) = (path, path_node) else {
            let about = self
                .reading
                .about(
                    "E707",
                    item,
                    "an assistant is a folder, or a map with `path`",
                )
                .help("write `- bots/name` or `- path: bots/name`");
            self.reading.diagnostics.push(about);
            return Ok(());
        };
        if is_map {
            self.check_keys(item, MEMBER_KEYS);
        }
        if !is_map && pattern::is_pattern(path) {
            let folders = self.matching(path)?;
            if folders.is_empty() {
                let what = format!("`{path}` finds no folder with a `config.yml` or `domain.yml`");
                self.reading.say("W703", path_node, what);
            }
            for pattern::Found { path, is_listed } in folders {
                let mut found = self.listed(item, path, shared);
                found.by_pattern = true;
                found.member.is_listed = is_listed;
                listed.push(found);
            }
            return Ok(());
        }
        let folder = normal(Path::new(path));
        match self.there(&folder).is_dir() {
            true => listed.push(self.listed(item, folder, shared)),
            false => self.missing(path_node, "folder", path),
        }
        Ok(())
    }

    /// Returns the assistants' folders that a pattern means.
    fn matching(&self, path: &str) -> Result<Vec<pattern::Found>, ImportError> {
        let folders = pattern::folders(self.root, path).map_err(|source| ImportError::Read {
            path: self.root.join(path),
            source,
        })?;
        let marks = ["config.yml", "config.yaml", "domain.yml", "domain.yaml"];
        let is_assistant = |folder: &pattern::Found| {
            let folder = self.root.join(&folder.path);
            marks.iter().any(|mark| folder.join(mark).is_file())
        };
        Ok(folders.into_iter().filter(is_assistant).collect())
    }

    /// Returns the assistant of a folder; `item` has what differs from defaults.
    fn listed(&mut self, item: &Node, folder: PathBuf, shared: &Shared) -> Listed {
        let name = self.reading.text_or_null(item.get("name"), "`name`");
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| {
            let last = folder.components().next_back();
            let last = last.map(|part| part.as_os_str().to_string_lossy().into_owned());
            last.unwrap_or_else(|| "assistant".to_owned())
        });
        let mut configs = self.configs(item.get("config"), &folder);
        if configs.is_empty() {
            configs.clone_from(&shared.configs);
        }
        if configs.is_empty() {
            configs.push(NamedConfig::unnamed(folder.join("config.yml")));
        }
        let own = |paths: Vec<PathBuf>, default: &str, shared: &[PathBuf]| {
            let mut paths = paths;
            if paths.is_empty() {
                paths.push(folder.join(default));
            }
            paths.extend(shared.iter().cloned());
            paths
        };
        let domain = self.paths(item.get("domain"), "`domain`", &folder);
        let data = self.paths(item.get("data"), "`data`", &folder);
        let out = item.get("out").filter(|node| !node.is_null());
        let out = out.and_then(|node| self.path(node, "`out`"));
        let member = Member {
            assistant: name.clone(),
            name,
            config: PathBuf::new(),
            domain: own(domain, "domain.yml", &shared.domain),
            data: own(data, "data", &shared.data),
            out: normal(&folder.join(out.unwrap_or_else(|| PathBuf::from("models")))),
            folder,
            is_listed: false,
            place: self.reading.place(item),
        };
        Listed {
            member,
            configs,
            by_pattern: false,
        }
    }

    /// Returns one path.
    fn path(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        match self.reading.text(node, what)? {
            "" => {
                self.reading.wrong(node, what, "a path");
                None
            }
            path => Some(normal(Path::new(path))),
        }
    }

    /// Returns one or several paths that start at `folder` and exist.
    fn paths(&mut self, node: Option<&Node>, what: &str, folder: &Path) -> Vec<PathBuf> {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        let items = match &node.yaml {
            Yaml::List(items) => items,
            _ => std::slice::from_ref(node),
        };
        let mut paths = Vec::new();
        for item in items {
            paths.extend(self.existing_path(item, what, folder));
        }
        paths
    }

    /// Returns where a path of the file leads; that of its own folder may be empty.
    fn there(&self, path: &Path) -> PathBuf {
        Path::new(".").join(self.root.join(path))
    }

    /// Returns a path that starts at `folder` and exists.
    fn existing_path(&mut self, node: &Node, what: &str, folder: &Path) -> Option<PathBuf> {
        let path = normal(&folder.join(self.path(node, what)?));
        if !self.there(&path).exists() {
            self.missing(node, "file or folder", &path.to_string_lossy());
        }
        Some(path)
    }

    fn missing(&mut self, node: &Node, kind: &str, path: &str) {
        let what = format!("{kind} `{path}` does not exist");
        let parent = Path::new(path).parent().unwrap_or(Path::new(""));
        let beside = names(&self.root.join(parent));
        let name = Path::new(path).file_name().unwrap_or_default();
        let about = self.reading.about("E702", node, what);
        let about = match path.contains(['*', '?']) {
            true => about.help(
                "a pattern of folders is an entry of its own, such as `- bots/*`; what all \
                 assistants share stands at the top of the file",
            ),
            false => about.suggest(&name.to_string_lossy(), beside.iter().map(String::as_str)),
        };
        self.reading.diagnostics.push(about);
    }

    /// Returns each assistant once. One that is listed itself wins over one that a
    /// pattern finds as well.
    fn distinct(&mut self, listed: Vec<Listed>) -> Vec<Listed> {
        let mut by_folder: HashMap<PathBuf, usize> = HashMap::new();
        let mut kept: Vec<Listed> = Vec::new();
        for new in listed {
            let Some(&at) = by_folder.get(&new.member.folder) else {
                by_folder.insert(new.member.folder.clone(), kept.len());
                kept.push(new);
                continue;
            };
            if !new.by_pattern && !kept[at].by_pattern {
                let folder = new.member.folder.display();
                let what = format!("assistant `{folder}` is listed twice");
                let about = Diagnostic::new("E704", new.member.place, what)
                    .note(format!("first at {}", kept[at].member.place));
                self.reading.diagnostics.push(about);
            } else if !new.by_pattern {
                kept[at] = new;
            }
        }
        self.check_names(&kept);
        kept
    }

    /// Refuses two assistants of one name.
    fn check_names(&mut self, listed: &[Listed]) {
        let mut members: Vec<&Member> = listed.iter().map(|listed| &listed.member).collect();
        members.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
        for pair in members.windows(2) {
            if pair[0].name == pair[1].name {
                let what = format!("two assistants are called `{}`", pair[1].name);
                let [a, b] = [&pair[0].folder, &pair[1].folder].map(|f| f.display());
                let about = Diagnostic::new("E705", pair[1].place.clone(), what)
                    .note(format!("`{a}` and `{b}`"))
                    .help("give one another `name`");
                self.reading.diagnostics.push(about);
            }
        }
    }
}

/// Returns a path without `.` and without `name/..`.
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
            _ => normal.push(part),
        }
    }
    normal
}

/// Returns the names in a folder; none if it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    });
    let names = entries.into_iter().flatten().flatten();
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
