//! Rules for Bazel: files in the user's tree, each assistant a target of its folder's
//! package.
//!
//! What the user wrote is never touched: only files that begin as ours do are
//! written again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::api::TrainOptions;
use crate::api::plain_path;
use crate::cli::replace::replace;
use crate::cli::rules::has_test_stories;
use crate::cli::rules::quote::in_starlark;

/// The rules themselves.
const DEFS: &str = include_str!("defs.bzl");
const EXTENSIONS: &str = include_str!("extensions.bzl");

/// Where they go, from the root of the Bazel workspace.
const FOLDER: &str = "tools/tabella";

/// What a file begins with that may be written again.
const MARK: &str = "# Written by `tabella rules bazel`";

/// What tells that a folder is the root of a Bazel workspace.
const ROOTS: [&str; 3] = ["MODULE.bazel", "WORKSPACE.bazel", "WORKSPACE"];

/// What to add to a workspace that does not know the program yet.
const HINT: &str = "\
Bazel does not know the program yet. In MODULE.bazel (Bazel 6 and newer):
    tabella = use_extension(\"//tools/tabella:extensions.bzl\", \"tabella\")
    use_repo(tabella, \"tabella\")
or in WORKSPACE:
    load(\"//tools/tabella:defs.bzl\", \"tabella_repository\")
    tabella_repository(name = \"tabella\")";

/// An assistant, as a target.
pub struct Assistant<'a> {
    /// The target's name.
    pub name: String,
    /// What it is trained from.
    pub options: &'a TrainOptions,
    /// Every file that its training opens.
    pub reads: Vec<PathBuf>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Written {
    /// Files that were written, from the current folder.
    pub files: Vec<PathBuf>,
    /// What the user has to do, if anything.
    pub advice: Vec<String>,
}

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub enum BazelError {
    /// A file is not in the Bazel workspace.
    #[error(
        "`{}` lies outside of the Bazel workspace `{}`, whose rules cannot read it",
        path.display(),
        root.display()
    )]
    Outside {
        /// The file or folder.
        path: PathBuf,
        /// The workspace's root.
        root: PathBuf,
    },
    /// A path is no text, which labels are.
    #[error("`{}` cannot be written as a label: it is not UTF-8", .0.display())]
    NoLabel(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Writes the rules and a package for each folder of an assistant.
pub fn write(assistants: &[Assistant<'_>], start: &Path) -> Result<Written, BazelError> {
    let root = root_above(start);
    let mut packages = Packages {
        root: &root,
        assistants: BTreeMap::new(),
        files: BTreeMap::new(),
        folders: BTreeSet::new(),
    };
    for assistant in assistants {
        packages.add(assistant)?;
    }
    let mut written = Written::default();
    for (name, text) in [("defs.bzl", DEFS), ("extensions.bzl", EXTENSIONS)] {
        put(&root.join(FOLDER).join(name), text, &mut written)?;
    }
    let own = format!("{MARK}.\nexports_files([\"defs.bzl\", \"extensions.bzl\"])\n");
    put_package(&root.join(FOLDER), &own, &mut written)?;
    for (folder, text) in packages.texts() {
        put_package(&root.join(folder), &text, &mut written)?;
    }
    let knows = |name: &&str| {
        let text = fs::read_to_string(root.join(name)).unwrap_or_default();
        text.contains(FOLDER)
    };
    if !ROOTS.iter().any(knows) {
        written.advice.push(HINT.to_owned());
    }
    Ok(written)
}

/// Returns the root of the Bazel workspace that `start` is in, or `start`.
fn root_above(start: &Path) -> PathBuf {
    let start = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
    let is_root = |folder: &&Path| ROOTS.iter().any(|name| folder.join(name).is_file());
    let root = start.ancestors().find(is_root).unwrap_or(&start);
    root.to_owned()
}

/// What is to stand in each package, by its folder from the root.
struct Packages<'a> {
    root: &'a Path,
    assistants: BTreeMap<PathBuf, Vec<String>>,
    /// Files that targets elsewhere read.
    files: BTreeMap<PathBuf, BTreeSet<String>>,
    /// Folders all of whose files targets elsewhere read.
    folders: BTreeSet<PathBuf>,
}

impl Packages<'_> {
    fn add(&mut self, assistant: &Assistant<'_>) -> Result<(), BazelError> {
        let options = assistant.options;
        let project = &options.run.project;
        let folder = self.below_root(project)?;
        let paths = |paths: &[PathBuf]| -> Vec<PathBuf> {
            paths.iter().map(|path| project.join(path)).collect()
        };
        let config = self.labels(&folder, &[project.join(&options.config)])?;
        let mut domain = paths(&options.domain);
        if let [path] = &domain[..]
            && !path.exists()
        {
            // As a training does, when nobody said where it is.
            domain = vec![project.join("domain")];
        }
        let given = domain;
        let domain = self.labels(&folder, &given)?;
        let data = self.labels(&folder, &paths(&options.training_files))?;
        let named = [project.join(&options.config)];
        let declared = paths(&options.training_files);
        let declared = [&named[..], &given[..], &declared[..]].concat();
        let files = self.beside(&declared, &assistant.reads)?;
        let files = match self.labels(&folder, &files)? {
            files if files.files.is_empty() => String::new(),
            files => format!("    files = {},\n", files.list()),
        };
        let name = in_starlark(&assistant.name);
        let mut text = format!(
            "rasa_assistant(\n    name = {name},\n    config = {},\n    data = {},\n    domain = {},\n{files}\
             \x20   visibility = [\"//visibility:public\"],\n)\n",
            config.single(),
            data.list(),
            domain.list()
        );
        if has_test_stories(&project.join("tests")) {
            let _ = write!(
                text,
                "\nrasa_core_test(\n    name = {},\n    assistant = {},\n    stories = glob([\"tests/**\"]),\n)\n",
                in_starlark(&format!("{}_core_test", assistant.name)),
                in_starlark(&format!(":{}", assistant.name)),
            );
        }
        self.assistants.entry(folder).or_default().push(text);
        Ok(())
    }

    /// Returns the files that are read and not declared, neither themselves nor by a
    /// folder above: what the configuration names.
    fn beside(&self, declared: &[PathBuf], reads: &[PathBuf]) -> Result<Vec<PathBuf>, BazelError> {
        let declared = declared.iter().map(|path| self.below_root(path));
        let declared = declared.collect::<Result<BTreeSet<PathBuf>, BazelError>>()?;
        let mut beside = Vec::new();
        for path in reads {
            let below = self.below_root(path)?;
            if !below.ancestors().any(|above| declared.contains(above)) {
                beside.push(path.clone());
            }
        }
        Ok(beside)
    }

    /// Returns a path from the root.
    fn below_root(&self, path: &Path) -> Result<PathBuf, BazelError> {
        let whole = plain_path(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        match whole.strip_prefix(self.root) {
            Ok(below) if below.to_str().is_some() => Ok(below.to_owned()),
            Ok(_) => Err(BazelError::NoLabel(path.to_owned())),
            Err(_) => Err(BazelError::Outside {
                path: path.to_owned(),
                root: self.root.to_owned(),
            }),
        }
    }

    /// Returns how the package in `folder` names files and folders; those that are
    /// not there are left out.
    fn labels(&mut self, folder: &Path, paths: &[PathBuf]) -> Result<Labels, BazelError> {
        let mut labels = Labels::default();
        for path in paths.iter().filter(|path| path.exists()) {
            let below = self.below_root(path)?;
            let text = |path: &Path| path.to_string_lossy().into_owned();
            match below.strip_prefix(folder) {
                Ok(own) if path.is_dir() && own.as_os_str().is_empty() => {
                    labels.globs.push("**".to_owned());
                }
                Ok(own) if path.is_dir() => labels.globs.push(format!("{}/**", text(own))),
                Ok(own) => labels.files.push(text(own)),
                Err(_) if path.is_dir() => {
                    labels.files.push(format!("//{}:files", text(&below)));
                    self.folders.insert(below);
                }
                Err(_) => {
                    let package = below.parent().unwrap_or(Path::new("")).to_owned();
                    let name = text(Path::new(below.file_name().unwrap_or_default()));
                    labels.files.push(format!("//{}:{name}", text(&package)));
                    self.files.entry(package).or_default().insert(name);
                }
            }
        }
        Ok(labels)
    }

    /// Returns the text of each package, by its folder from the root.
    fn texts(self) -> BTreeMap<PathBuf, String> {
        let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
        for (folder, assistants) in self.assistants {
            let has_tests = assistants
                .iter()
                .any(|text| text.contains("rasa_core_test("));
            let rules = match has_tests {
                true => "\"rasa_assistant\", \"rasa_core_test\"",
                false => "\"rasa_assistant\"",
            };
            let text = format!(
                "{MARK}; written again with it, so do not edit.\n\
                 load(\"//{FOLDER}:defs.bzl\", {rules})\n\n{}",
                assistants.join("\n")
            );
            texts.insert(folder, text);
        }
        let mut add = |folder: PathBuf, more: String| {
            let begin = || format!("{MARK}; written again with it, so do not edit.\n");
            let text = texts.entry(folder).or_insert_with(begin);
            let _ = write!(text, "\n{more}");
        };
        for (folder, names) in self.files {
            let names: Vec<String> = names.iter().map(|name| in_starlark(name)).collect();
            add(folder, format!("exports_files([{}])\n", names.join(", ")));
        }
        for folder in self.folders {
            add(
                folder,
                "filegroup(\n    name = \"files\",\n    srcs = glob(\n        [\"**\"],\n        \
                 exclude = [\"BUILD.bazel\"],\n    ),\n    visibility = [\"//visibility:public\"],\n)\n"
                    .to_owned(),
            );
        }
        texts
    }
}

/// Labels of files, and patterns of files in the package.
#[derive(Default)]
struct Labels {
    files: Vec<String>,
    globs: Vec<String>,
}

impl Labels {
    fn single(&self) -> String {
        self.files
            .first()
            .map_or_else(|| "None".to_owned(), |file| in_starlark(file))
    }

    fn list(&self) -> String {
        let quoted = |all: &[String]| {
            let all: Vec<String> = all.iter().map(|one| in_starlark(one)).collect();
            format!("[{}]", all.join(", "))
        };
        match (self.files.is_empty(), self.globs.is_empty()) {
            (_, true) => quoted(&self.files),
            (true, false) => format!("glob({})", quoted(&self.globs)),
            (false, false) => format!("{} + glob({})", quoted(&self.files), quoted(&self.globs)),
        }
    }
}

/// Writes the package file of a folder, unless the user has one there.
fn put_package(folder: &Path, text: &str, written: &mut Written) -> Result<(), BazelError> {
    let own = folder.join("BUILD");
    let ours = folder.join("BUILD.bazel");
    let users = [&ours, &own].into_iter().find(|path| is_users(path));
    match users {
        Some(path) => {
            written.advice.push(format!(
                "`{}` is yours and was left alone; it needs:\n\n{text}",
                path.display()
            ));
            Ok(())
        }
        None => put(&ours, text, written),
    }
}

/// Returns whether a file is there that we did not write.
fn is_users(path: &Path) -> bool {
    match fs::read_to_string(path) {
        Ok(text) => !text.starts_with(MARK),
        Err(error) => error.kind() != io::ErrorKind::NotFound && path.is_file(),
    }
}

/// Writes a file, if it is not there as it should be.
fn put(path: &Path, text: &str, written: &mut Written) -> Result<(), BazelError> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let make = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        replace(path, text.as_bytes())
    };
    make().map_err(|source| BazelError::Write {
        path: path.to_owned(),
        source,
    })?;
    written.files.push(path.to_owned());
    Ok(())
}
