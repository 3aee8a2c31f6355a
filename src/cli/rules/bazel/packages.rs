//! What stands in each package: the targets of assistants, and what others read of it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::api::DEFAULT_AUGMENTATION;
use crate::api::TrainOptions;
use crate::api::plain_path;
use crate::cli::rules::bazel::Assistant;
use crate::cli::rules::bazel::BazelError;
use crate::cli::rules::bazel::FOLDER;
use crate::cli::rules::bazel::MARK;
use crate::cli::rules::bazel::OWNED;
use crate::cli::rules::bazel::Written;
use crate::cli::rules::bazel::users_package;
use crate::cli::rules::has_test_stories;
use crate::cli::rules::quote::in_starlark;

/// Returns the text of each package of these assistants and of what they share, by its
/// folder from the root; and what the user has to know.
pub fn packages(
    assistants: &[Assistant<'_>],
    root: &Path,
) -> Result<(BTreeMap<PathBuf, String>, Written), BazelError> {
    let mut packages = Packages {
        root,
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
    Ok(packages.finish())
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
        manner(options, &mut text);
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
            labels.0.push(self.label(folder, &below, is_folder));
        }
        Ok(labels)
    }

    /// Returns how the package in `folder` names a path from the root.
    fn label(&mut self, folder: &Path, below: &Path, is_folder: bool) -> Label {
        let package = self.package_of(below, is_folder);
        let rest = below.strip_prefix(&package).unwrap_or(below);
        let rest = rest.to_string_lossy().into_owned();
        if package == folder {
            return match is_folder {
                true => Label::Glob(within(&rest, "**")),
                // `@` begins the name of a repository.
                false if rest.starts_with('@') => Label::File(format!(":{rest}")),
                false => Label::File(rest),
            };
        }
        let name = match is_folder {
            true => within(&rest, "files"),
            false => rest.clone(),
        };
        let label = format!("//{}:{name}", package.to_string_lossy());
        let exported = match is_folder {
            true => format!("{rest}/"),
            false => rest,
        };
        self.exported.entry(package).or_default().insert(exported);
        Label::File(label)
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

/// Returns a path below a folder of a package, which may be the package's own.
fn within(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
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
        let _ = write!(
            text,
            "\nfilegroup(\n    name = {},\n    srcs = glob(\n        [{}],\n        allow_empty = True,\n        \
             exclude = [\"**/BUILD.bazel\"],\n    ),\n    visibility = [\"//visibility:public\"],\n)\n",
            in_starlark(&within(folder, "files")),
            in_starlark(&within(folder, "**")),
        );
    }
    text
}

/// Writes attributes that are not as the rule has them by default.
fn manner(options: &TrainOptions, text: &mut String) {
    let augmentation = options.core_additional_arguments.augmentation_factor;
    if augmentation != DEFAULT_AUGMENTATION {
        let _ = writeln!(text, "    augmentation = {augmentation},");
    }
    for (attribute, is_set) in [
        ("persist_nlu_data", options.persist_nlu_training_data),
        ("fail_on_warnings", options.validation.fail_on_warnings),
        ("skip_validation", options.validation.skip),
    ] {
        if is_set {
            let _ = writeln!(text, "    {attribute} = True,");
        }
    }
    if let Some(turns) = options.validation.max_history {
        let _ = writeln!(text, "    validation_max_history = {turns},");
    }
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
pub fn listed(texts: &[String], indent: &str) -> String {
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
