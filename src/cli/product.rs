//! Files that flags ask for beside the archive, and where they may not be put.
//!
//! A path has many spellings, and which files a project reads is known only when it
//! was read. So a product never takes the place of anything but a product of its
//! kind: a file that is there has to be empty, or to begin as this program begins
//! such files. That keeps domains, lookup tables, models and the cache, and notes
//! that nobody reads. Where nothing is there yet, the place tells.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use crate::api::CacheSettings;
use crate::api::Observer;
use crate::api::in_project;
use crate::api::open_workspace;
use crate::api::real_path;
use crate::cli::args::PlaceArguments;
use crate::cli::cache_dir::cache_settings;
use crate::cli::environment::environment;
use crate::import::data_suffix;

/// How much of a file is looked at.
const HEAD_BYTES: u64 = 4096;

/// A kind of file that a flag asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// `--json-events`.
    Events,
    /// `--trace`.
    Trace,
    /// `--depfile`.
    Rule,
    /// `--html`.
    Page,
}

impl Product {
    /// Returns the flag that asks for it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Events => "--json-events",
            Self::Trace => "--trace",
            Self::Rule => "--depfile",
            Self::Page => "--html",
        }
    }

    /// Returns whether a file that begins so is one of its kind, or holds nothing.
    fn wrote(self, head: &[u8]) -> bool {
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or(head);
        let more = head.get(line.len() + 1..).unwrap_or_default();
        head.is_empty()
            || match self {
                Self::Events => line.starts_with(br#"{"us":"#),
                Self::Trace => {
                    let event = more.split(|byte| *byte == b'\n').next().unwrap_or(more);
                    let is_event = event.windows(5).any(|part| part == br#""ph":"#);
                    line == b"[" && (is_event || event == b"]")
                }
                Self::Rule => line.ends_with(b": \\") && more.starts_with(b"  "),
                Self::Page => line == b"<!DOCTYPE html>",
            }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Events => "stream of events",
            Self::Trace => "trace",
            Self::Rule => "list of what a training read",
            Self::Page => "status page",
        })
    }
}

/// Where no product may be put, whether something is there or not.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    cache: Option<PathBuf>,
    /// Files and folders that a project reads.
    read: Vec<PathBuf>,
}

impl Kept {
    /// Returns the cache and what else is named: files and folders that the project
    /// reads, relative to its folder.
    pub fn of<'a>(place: &PlaceArguments, named: impl IntoIterator<Item = &'a Path>) -> Self {
        let real = |path: &Path| real_path(&in_project(&place.project, path));
        let cache = match cache_settings(place) {
            CacheSettings::Folder(folder) => Some(real(&folder)),
            CacheSettings::Off => None,
        };
        Self {
            cache,
            read: named.into_iter().map(real).collect(),
        }
    }

    /// Adds a workspace: its cache, unless another is asked for, and what its
    /// assistants read. One that cannot be read is told of by the run.
    pub fn with_workspace(mut self, place: &PlaceArguments, file: Option<&Path>) -> Self {
        let nobody = Observer::default();
        let opened = open_workspace(file, &place.project, &environment(), &nobody);
        let Ok(workspace) = opened else {
            return self;
        };
        let is_asked = place.cache_dir.is_none() && !place.no_cache;
        if let Some(folder) = workspace.cache().filter(|_| is_asked) {
            self.cache = Some(real_path(&folder));
        }
        self.read.push(real_path(&workspace.file));
        for options in workspace.options_of(workspace.members()) {
            let named = options.domain.iter().chain(&options.training_files);
            let named = named.chain([&options.config]);
            let real = |path: &PathBuf| real_path(&in_project(&options.run.project, path));
            self.read.extend(named.map(real));
        }
        self.read.sort_unstable();
        self.read.dedup();
        self
    }

    /// Returns why a product may not be put at `path`: it would take the place of
    /// something else, or be taken for it.
    pub fn refusal(&self, product: Product, path: &Path) -> Option<String> {
        let flag = product.flag();
        let real = real_path(path);
        let shown = match path.is_symlink() {
            true => format!("`{}` leads to `{}`, which", path.display(), real.display()),
            false => format!("`{}`", path.display()),
        };
        let why = self.why(product, &real)?;
        Some(format!("`{flag}`: {shown} {why}: name another file"))
    }

    fn why(&self, product: Product, real: &Path) -> Option<String> {
        if real.is_file() && !begins_as(product, real) {
            return Some(format!("is there already and is no {product}"));
        }
        let is_file = !real.exists() || real.is_file();
        if !is_file {
            // Devices and pipes keep nothing, and folders cannot be written.
            return None;
        }
        if self
            .cache
            .as_ref()
            .is_some_and(|cache| real.starts_with(cache))
        {
            return Some("lies in the cache".to_owned());
        }
        let name = real.file_name().unwrap_or_default();
        if name.to_string_lossy().ends_with(".tar.gz") {
            return Some("has the name of a model".to_owned());
        }
        let is_read = |named: &PathBuf| {
            real == named || data_suffix(real).is_some() && real.starts_with(named)
        };
        let is_read = self.read.iter().any(is_read);
        is_read.then(|| "would be read as a file of the project".to_owned())
    }
}

/// Returns whether a file begins as a product does; one that cannot be read does not.
fn begins_as(product: Product, path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && product.wrote(&head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_project_reads_passes_for_a_product() {
        let all = [
            Product::Events,
            Product::Trace,
            Product::Rule,
            Product::Page,
        ];
        for text in [
            "intents:\n  - greet\n",
            "version: \"3.1\"\nnlu: \\\n",
            "{\"rasa_nlu_data\": {\"common_examples\": []}}",
            "[\n  {\"text\": \"hi\"}\n]",
            "[]",
            "## intent:greet\n- hi\n",
            "Berlin\nParis\n",
            "\u{feff}endpoints:\n",
            "\n",
            "\0SQLite format 3",
        ] {
            for product in all {
                assert!(!product.wrote(text.as_bytes()), "{text:?} as a {product}");
            }
        }
        assert!(all.iter().all(|product| product.wrote(b"")));
    }
}
