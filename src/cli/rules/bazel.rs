//! Rules for Bazel: files in the user's tree, each assistant a target of its folder's
//! package.
//!
//! What the user wrote is never touched: only files that begin as ours do are
//! written again. A file that lies elsewhere belongs to the nearest package above it;
//! where there is none, its topmost folder becomes one, so that packages of ours do
//! not cut each other's globs.

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

/// The rules themselves, which the example has in its tree as a user would.
const DEFS: &str = include_str!("../../../examples/bazel/tools/tabella/defs.bzl");
const EXTENSIONS: &str = include_str!("../../../examples/bazel/tools/tabella/extensions.bzl");

/// Where they go, from the root of the Bazel workspace.
const FOLDER: &str = "tools/tabella";

/// What a file begins with that may be written again.
const MARK: &str = "# Written by `tabella rules bazel`";

/// How packages go on.
const OWNED: &str = "; written again with it. Without this line the file is yours.";

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
    /// Every file that its training opens, and whether a component names it.
    pub reads: Vec<(PathBuf, bool)>,
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
        texts: BTreeMap::new(),
        exported: BTreeMap::new(),
        written: Written::default(),
    };
    for assistant in assistants {
        let folder = packages.below_root(&assistant.options.run.project)?;
        packages.texts.insert(folder, Vec::new());
    }
    for assistant in assistants {
        packages.add(assistant)?;
    }
    let (texts, mut written) = packages.finish();
    for (name, text) in [("defs.bzl", DEFS), ("extensions.bzl", EXTENSIONS)] {
        let path = root.join(FOLDER).join(name);
        match is_users(&path) {
            true => written.leave_alone(&path, text),
            false => put(&path, text, &mut written)?,
        }
    }
    let names = ["defs.bzl", "extensions.bzl"].map(str::to_owned);
    let own = format!("{MARK}.\nexports_files({})\n", listed(&names, ""));
    put_package(&root.join(FOLDER), &own, &mut written)?;
    for (folder, text) in texts {
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
    /// Targets of the packages that are written: of assistants, and of what they share.
    texts: BTreeMap<PathBuf, Vec<String>>,
    /// What packages must let targets elsewhere read: files, and folders with an end
    /// of `/`.
    exported: BTreeMap<PathBuf, BTreeSet<String>>,
    written: Written,
}

impl Packages<'_> {
    fn add(&mut self, assistant: &Assistant<'_>) -> Result<(), BazelError> {
        let options = assistant.options;
        let project = &options.run.project;
        let folder = self.below_root(project)?;
        let within = |paths: &[PathBuf]| -> Vec<PathBuf> {
            paths.iter().map(|path| project.join(path)).collect()
        };
        let config = within(std::slice::from_ref(&options.config));
        let mut domain = within(&options.domain);
        if let [path] = &domain[..]
            && !path.exists()
        {
            // As a training does, when nobody said where it is.
            domain = vec![project.join("domain")];
        }
        let data = within(&options.training_files);
        let declared = [&config[..], &domain[..], &data[..]].concat();
        let imports = self.undeclared(&declared, &assistant.reads)?;
        let named = assistant.reads.iter().filter(|(_, is_named)| *is_named);
        let named: Vec<PathBuf> = named.map(|(path, _)| path.clone()).collect();
        let mut text = format!(
            "rasa_assistant(\n    name = {},\n    config = {},\n",
            in_starlark(&assistant.name),
            self.labels(&folder, &config)?.single()
        );
        for (attribute, paths) in [
            ("data", &data),
            ("domain", &domain),
            ("files", &named),
            ("imports", &imports),
        ] {
            let labels = self.labels(&folder, paths)?;
            if !labels.0.is_empty() || attribute == "data" {
                let _ = writeln!(text, "    {attribute} = {},", labels.list());
            }
        }
        text.push_str("    visibility = [\"//visibility:public\"],\n)\n");
        if has_test_stories(&project.join("tests")) {
            text.push_str(&core_test(&assistant.name));
        }
        self.texts.entry(folder).or_default().push(text);
        Ok(())
    }

    /// Returns the files that are read and not declared, neither themselves nor by a
    /// folder above, and that no component names: what importers find elsewhere.
    fn undeclared(
        &self,
        declared: &[PathBuf],
        reads: &[(PathBuf, bool)],
    ) -> Result<Vec<PathBuf>, BazelError> {
        let declared = declared.iter().map(|path| self.below_root(path));
        let declared = declared.collect::<Result<BTreeSet<PathBuf>, BazelError>>()?;
        let mut undeclared = Vec::new();
        for (path, is_named) in reads {
            let below = self.below_root(path)?;
            if !is_named && !below.ancestors().any(|above| declared.contains(above)) {
                undeclared.push(path.clone());
            }
        }
        Ok(undeclared)
    }

    /// Returns a path from the root.
    fn below_root(&self, path: &Path) -> Result<PathBuf, BazelError> {
        let whole = plain_path(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        let below = whole.strip_prefix(self.root);
        let below = below.map_err(|_| BazelError::Outside {
            path: path.to_owned(),
            root: self.root.to_owned(),
        })?;
        // In a label these are more than themselves.
        let is_label = |text: &str| !text.contains([':', '*', '?', '[', '\\']);
        match below.to_str().is_some_and(is_label) {
            true => Ok(below.to_owned()),
            false => Err(BazelError::NoLabel(path.to_owned())),
        }
    }

    /// Returns how the package in `folder` names files and folders, in their order;
    /// those that are not there are left out.
    fn labels(&mut self, folder: &Path, paths: &[PathBuf]) -> Result<Labels, BazelError> {
        let mut labels = Labels::default();
        for path in paths.iter().filter(|path| path.exists()) {
            let below = self.below_root(path)?;
            let is_folder = path.is_dir();
            if is_folder {
                self.tell_cuts(&below);
            }
            let package = self.package_of(&below, is_folder);
            let rest = below.strip_prefix(&package).unwrap_or(&below);
            let rest = rest.to_string_lossy().into_owned();
            let within = |name: &str| match rest.is_empty() {
                true => name.to_owned(),
                false => format!("{rest}/{name}"),
            };
            labels.0.push(match (package == folder, is_folder) {
                (true, true) => Label::Glob(within("**")),
                // `@` begins the name of a repository.
                (true, false) if rest.starts_with('@') => Label::File(format!(":{rest}")),
                (true, false) => Label::File(rest),
                (false, _) => {
                    let name = if is_folder {
                        within("files")
                    } else {
                        rest.clone()
                    };
                    let label = format!("//{}:{name}", package.to_string_lossy());
                    let exported = if is_folder { within("") } else { rest };
                    let exported = if exported.is_empty() {
                        "/".to_owned()
                    } else {
                        exported
                    };
                    self.exported.entry(package).or_default().insert(exported);
                    Label::File(label)
                }
            });
        }
        Ok(labels)
    }

    /// Returns the package that a path belongs to: the nearest above it of those that
    /// are written and those that the user has; else its topmost folder, which becomes
    /// one.
    fn package_of(&mut self, below: &Path, is_folder: bool) -> PathBuf {
        let above = below.ancestors().skip(usize::from(!is_folder));
        let is_package = |folder: &&Path| {
            self.texts.contains_key(*folder) || users_package(&self.root.join(folder)).is_some()
        };
        let nearest = above
            .filter(|folder| !folder.as_os_str().is_empty())
            .find(is_package);
        if let Some(nearest) = nearest {
            return nearest.to_owned();
        }
        let mut parts = below.components();
        let top = parts.next().map(|part| PathBuf::from(part.as_os_str()));
        let has_more = is_folder || parts.next().is_some();
        let package = top.filter(|_| has_more).unwrap_or_default();
        self.texts.entry(package.clone()).or_default();
        package
    }

    /// Tells of packages within a folder whose files a glob would have to find.
    fn tell_cuts(&mut self, folder: &Path) {
        let whole = self.root.join(folder);
        let entries = walkdir::WalkDir::new(&whole)
            .min_depth(1)
            .into_iter()
            .flatten();
        let folders = entries.filter(|entry| entry.file_type().is_dir());
        for entry in folders {
            let below = entry.path().strip_prefix(self.root).unwrap_or(entry.path());
            let has_file = ["BUILD", "BUILD.bazel"]
                .iter()
                .any(|name| entry.path().join(name).is_file());
            if has_file || self.texts.contains_key(below) {
                let (package, folder) = (below.display(), folder.display());
                let text = format!(
                    "`{package}` is a package of its own: Bazel leaves its files out where all of `{folder}` is \
                     read; list them, or remove its BUILD file"
                );
                if !self.written.advice.contains(&text) {
                    self.written.advice.push(text);
                }
            }
        }
    }

    /// Returns the text of each package, by its folder from the root.
    fn finish(self) -> (BTreeMap<PathBuf, String>, Written) {
        let mut texts = BTreeMap::new();
        let mut folders: BTreeSet<PathBuf> = self.texts.keys().cloned().collect();
        folders.extend(self.exported.keys().cloned());
        for folder in folders {
            let targets = self.texts.get(&folder).map_or(&[][..], Vec::as_slice);
            let mut text = format!("{MARK}{OWNED}\n");
            let rules = ["rasa_assistant", "rasa_core_test"].map(str::to_owned);
            let is_used = |rule: &&String| {
                let call = format!("{rule}(");
                targets.iter().any(|target| target.contains(&call))
            };
            let rules: Vec<String> = rules
                .iter()
                .filter(is_used)
                .map(|rule| in_starlark(rule))
                .collect();
            if !rules.is_empty() {
                let _ = writeln!(text, "load(\"//{FOLDER}:defs.bzl\", {})", rules.join(", "));
            }
            for target in targets {
                let _ = write!(text, "\n{target}");
            }
            if let Some(exported) = self.exported.get(&folder) {
                text.push_str(&exports(exported));
            }
            texts.insert(folder, text);
        }
        (texts, self.written)
    }
}

fn core_test(name: &str) -> String {
    format!(
        "\nrasa_core_test(\n    name = {},\n    assistant = {},\n    stories = glob(\n        [\n            \
         \"tests/**/*.yml\",\n            \"tests/**/*.yaml\",\n            \"tests/**/*.md\",\n        ],\n        \
         allow_empty = True,\n    ),\n)\n",
        in_starlark(&format!("{name}_core_test")),
        in_starlark(&format!(":{name}")),
    )
}

/// Returns the targets by which others read files of a package.
fn exports(exported: &BTreeSet<String>) -> String {
    let files: Vec<String> = exported
        .iter()
        .filter(|one| !one.ends_with('/'))
        .cloned()
        .collect();
    let mut text = String::new();
    if !files.is_empty() {
        let _ = write!(text, "\nexports_files({})\n", listed(&files, ""));
    }
    for folder in exported.iter().filter_map(|one| one.strip_suffix('/')) {
        let within = |name: &str| match folder.is_empty() {
            true => name.to_owned(),
            false => format!("{folder}/{name}"),
        };
        let _ = write!(
            text,
            "\nfilegroup(\n    name = {},\n    srcs = glob(\n        [{}],\n        allow_empty = True,\n        \
             exclude = [\"**/BUILD.bazel\"],\n    ),\n    visibility = [\"//visibility:public\"],\n)\n",
            in_starlark(&within("files")),
            in_starlark(&within("**")),
        );
    }
    text
}

/// How a package names something.
enum Label {
    File(String),
    Glob(String),
}

/// Labels in the order in which what they name is read.
#[derive(Default)]
struct Labels(Vec<Label>);

impl Labels {
    fn single(&self) -> String {
        match self.0.first() {
            Some(Label::File(label)) => in_starlark(label),
            _ => "None".to_owned(),
        }
    }

    /// Returns an expression for all of them.
    fn list(&self) -> String {
        let mut parts = Vec::new();
        let runs = self
            .0
            .chunk_by(|a, b| matches!((a, b), (Label::File(_), Label::File(_))));
        for run in runs {
            let files = run.iter().filter_map(|label| match label {
                Label::File(file) => Some(file.clone()),
                Label::Glob(_) => None,
            });
            let files: Vec<String> = files.collect();
            parts.push(match run {
                [Label::Glob(pattern)] => format!(
                    "glob(\n        [{}],\n        allow_empty = True,\n    )",
                    in_starlark(pattern)
                ),
                _ => listed(&files, "    "),
            });
        }
        match parts.is_empty() {
            true => "[]".to_owned(),
            false => parts.join(" + "),
        }
    }
}

/// Returns a list of texts as Starlark has it in a line with this indent: several stand
/// below each other.
fn listed(texts: &[String], indent: &str) -> String {
    match texts {
        [] => "[]".to_owned(),
        [one] => format!("[{}]", in_starlark(one)),
        several => {
            let line = |text: &String| format!("{indent}    {},\n", in_starlark(text));
            let lines: String = several.iter().map(line).collect();
            format!("[\n{lines}{indent}]")
        }
    }
}

impl Written {
    /// Says what a file of the user's needs.
    fn leave_alone(&mut self, path: &Path, text: &str) {
        self.advice.push(format!(
            "`{}` is yours and was left alone; it needs:\n\n{text}",
            path.display()
        ));
    }
}

/// Writes the package file of a folder, unless the user has one there.
fn put_package(folder: &Path, text: &str, written: &mut Written) -> Result<(), BazelError> {
    match users_package(folder) {
        Some(path) => {
            written.leave_alone(&path, text);
            Ok(())
        }
        None => put(&folder.join("BUILD.bazel"), text, written),
    }
}

/// Returns the package file that the user has in a folder.
fn users_package(folder: &Path) -> Option<PathBuf> {
    let files = ["BUILD.bazel", "BUILD"].map(|name| folder.join(name));
    files.into_iter().find(|path| is_users(path))
}

/// Returns whether something is there that we did not write.
fn is_users(path: &Path) -> bool {
    match fs::read_to_string(path) {
        Ok(text) => !text.starts_with(MARK),
        Err(_) => fs::symlink_metadata(path).is_ok_and(|there| !there.is_dir()),
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
