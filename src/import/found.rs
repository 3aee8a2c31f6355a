//! Finds the files of a project: those that were named, and those of folders.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::data::Place;
use crate::diagnostic::Diagnostic;
use crate::import::ImportError;
use crate::import::looks::Eyes;
use crate::import::walk::suffix;
use crate::import::walk::walk;

/// What a path was named as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The config file.
    Config,
    /// A domain file or folder.
    Domain,
    /// A training data file or folder.
    Data,
    /// A file or folder of test stories.
    Test,
    /// A folder of another project: its domain and training data.
    Project,
}

/// A file to be read, and why.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// The path as shown.
    pub shown: Arc<str>,
    /// Whether it is the config.
    pub config: bool,
    /// Place in the list of domain files, for those that are looked at as one.
    pub domain: Option<usize>,
    /// Index of the path, among those named as domains, that it was found by.
    pub domain_group: usize,
    /// Whether the user named the file itself as a domain.
    pub domain_named: bool,
    /// Whether it may be training data.
    pub data: bool,
    /// Whether it may be test stories.
    pub test: bool,
    /// Whether it counts as one kind of file alone, being of another project.
    pub project: bool,
    /// Whether the user named the file itself as training data or tests.
    pub data_named: bool,
}

impl Found {
    /// Returns a file that belongs to another one of training data.
    pub fn beside(path: &Path, root: &Path) -> Self {
        Self {
            path: path.to_owned(),
            shown: shown(root, path),
            config: false,
            domain: None,
            domain_group: 0,
            domain_named: false,
            data: true,
            test: false,
            project: false,
            data_named: false,
        }
    }
}

/// Collects the files to read.
#[derive(Debug)]
pub struct Candidate<'e> {
    eyes: &'e Eyes,
    root: PathBuf,
    found: Vec<Found>,
    /// Index in `found` by real path, so that a file given twice counts once.
    known: HashMap<PathBuf, usize>,
    domain_count: usize,
    domain_groups: usize,
    diagnostics: Vec<Diagnostic>,
}

impl<'e> Candidate<'e> {
    /// Returns a collection without files; `eyes` look for them.
    pub fn empty(root: &Path, eyes: &'e Eyes) -> Self {
        Self {
            eyes,
            root: root.to_owned(),
            found: Vec::new(),
            known: HashMap::new(),
            domain_count: 0,
            domain_groups: 0,
            diagnostics: Vec::new(),
        }
    }

    /// Adds a file, or the files of a folder and its folders.
    ///
    /// As in Rasa, links are followed, hidden files count, and in folders only
    /// files with the suffixes `.yml`, `.yaml`, `.json` and (Rasa 2) `.md` do. A
    /// folder that links back into itself is visited once.
    ///
    /// # Errors
    ///
    /// If something is there but cannot be read.
    pub fn add(&mut self, path: &Path, role: Role) -> Result<(), ImportError> {
        let full = self.root.join(path);
        self.domain_groups += usize::from(role == Role::Domain);
        let place = Place {
            file: shown(&self.root, &full),
            ..Place::default()
        };
        self.note_detour(&full);
        match self.eyes.metadata(&full).0 {
            Ok(meta) if meta.is_dir() && matches!(role, Role::Config) => {
                let what = format!(
                    "`{}` is a folder, and the configuration is one file",
                    place.file
                );
                self.diagnostics.push(Diagnostic::new("E021", place, what));
                return Ok(());
            }
            Ok(meta) if meta.is_dir() => return self.add_folder(&full, role),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let what = format!("`{}` does not exist", place.file);
                self.diagnostics.push(Diagnostic::new("E003", place, what));
                return Ok(());
            }
            Err(source) => return Err(ImportError::Read { path: full, source }),
        }
        if suffix(&full).is_none() && matches!(role, Role::Data | Role::Test) {
            let what = format!("`{}` is not a training data file", place.file);
            let help = "training data is in `.yml`, `.yaml`, `.md` or `.json` files";
            self.diagnostics
                .push(Diagnostic::new("W019", place, what).help(help));
            return Ok(());
        }
        self.add_file(full, role, true);
        Ok(())
    }

    /// Notes where a path leads, if that is not where it seems to: by a link, or
    /// by `..`. The same files may then be found by another path too.
    fn note_detour(&self, full: &Path) {
        let real = fs::canonicalize(full).ok();
        let root = fs::canonicalize(&self.root).ok();
        let below = full.strip_prefix(&self.root).unwrap_or(full);
        if real.is_none() || real != root.map(|root| root.join(below)) {
            self.eyes.add_link(full);
        }
    }

    fn add_folder(&mut self, folder: &Path, role: Role) -> Result<(), ImportError> {
        for entry in walk(folder, self.eyes) {
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    if suffix(entry.path()).is_some() {
                        self.add_file(entry.into_path(), role, false);
                    }
                }
                Ok(_) => {}
                Err(error) if error.loop_ancestor().is_some() => {
                    let path = error.path().unwrap_or(folder);
                    let place = Place {
                        file: shown(&self.root, path),
                        ..Place::default()
                    };
                    let what = format!("`{}` links back to a folder that holds it", place.file);
                    self.diagnostics.push(Diagnostic::new("W020", place, what));
                }
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    // A link to nothing is not a file of the project.
                    match leads_nowhere(&error) {
                        true => self.say_of_link(&path),
                        false => {
                            let source = io::Error::from(error);
                            return Err(ImportError::Read { path, source });
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Warns of a link to nothing that has a data file's name. Hidden ones are marks
    /// of editors.
    fn say_of_link(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || suffix(path).is_none() || !path.is_symlink() {
            return;
        }
        let place = Place {
            file: shown(&self.root, path),
            ..Place::default()
        };
        let what = format!("`{}` is a link that leads nowhere", place.file);
        let about = Diagnostic::new("W046", place, what);
        let about = about.help("let it lead to a file, or take it away");
        self.diagnostics.push(about);
    }

    fn add_file(&mut self, path: PathBuf, role: Role, named: bool) {
        let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        self.add_found(path, real, role, named);
    }

    fn add_found(&mut self, path: PathBuf, real: PathBuf, role: Role, named: bool) {
        let next = self.found.len();
        let index = *self.known.entry(real).or_insert(next);
        if index == next {
            self.found.push(Found {
                shown: shown(&self.root, &path),
                path,
                config: false,
                domain: None,
                domain_group: self.domain_groups,
                domain_named: false,
                data: false,
                test: false,
                project: role == Role::Project,
                data_named: false,
            });
        }
        let found = &mut self.found[index];
        match role {
            Role::Config => found.config = true,
            Role::Domain => {
                if found.domain.is_none() {
                    found.domain_group = self.domain_groups;
                }
                found.domain.get_or_insert(self.domain_count);
                found.domain_named |= named;
                self.domain_count += 1;
            }
            Role::Data => {
                found.data = true;
                found.project = false;
                found.data_named |= named;
            }
            Role::Project => {
                // Each domain file of a project is merged by itself.
                self.domain_groups += 1;
                found.data = true;
                if found.domain.is_none() {
                    found.domain_group = self.domain_groups;
                    found.domain = Some(self.domain_count);
                    self.domain_count += 1;
                }
            }
            Role::Test => {
                found.test = true;
                found.data_named |= named;
            }
        }
    }

    /// Adds a file that is in memory; all domain files are one group.
    pub fn add_in_memory(&mut self, path: &Path, role: Role, named: bool) {
        self.add_found(path.to_owned(), path.to_owned(), role, named);
    }

    /// Returns whether a file in memory was added.
    pub fn has_in_memory(&self, path: &Path) -> bool {
        self.known.contains_key(path)
    }

    /// Returns the files, sorted by path, and what was said on the way.
    pub fn finish(mut self) -> (Vec<Found>, Vec<Diagnostic>) {
        self.found.sort_by(|a, b| a.path.cmp(&b.path));
        (self.found, self.diagnostics)
    }
}

/// Whether nothing is at a path, or a link that leads back to itself.
fn leads_nowhere(error: &walkdir::Error) -> bool {
    #[cfg(unix)]
    let is_loop = |error: &io::Error| error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32);
    #[cfg(not(unix))]
    let is_loop = |_: &io::Error| false;
    let error = error.io_error();
    error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound || is_loop(error))
}

/// Returns a path as it is shown: relative to the root, with `/`.
pub fn shown(root: &Path, path: &Path) -> Arc<str> {
    let path = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<String> = path
        .components()
        .filter(|part| !matches!(part, std::path::Component::CurDir))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    parts.join("/").replacen("//", "/", 1).into()
}
