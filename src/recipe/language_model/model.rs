//! The model as tasks depend on it: by the digests of its files.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::data::Component;
use crate::digest::Digest;
use crate::engine::Item;
use crate::engine::Items;
use crate::engine::Leaf;
use crate::engine::TaskError;
use crate::features::language_model;
use crate::features::language_model::Architecture;
use crate::features::language_model::Encoder;
use crate::features::language_model::ModelFile;
use crate::features::language_model::Parts;
use crate::features::language_model::Splitter;
use crate::features::language_model::Wanted;
use crate::recipe::language_model::name;
use crate::recipe::options::with_causes;

/// The files of a folder by name.
type Files = BTreeMap<String, ModelFile>;

/// The files of a folder that are read; the weights once they are needed, for all parts.
pub struct Model {
    files: Files,
    architecture: Architecture,
    encoder: Mutex<Option<Arc<Encoder>>>,
}

impl Model {
    /// Returns the model with these files of the component's folder.
    pub fn new(component: &Component, parts: &Parts, architecture: Architecture) -> Self {
        let names = parts.names();
        let read = component.files.iter();
        let read = read.filter(|file| names.contains(name(file)));
        let files = read.map(|file| {
            let own = ModelFile {
                path: file.path.clone(),
                digest: file.digest,
            };
            (name(file).to_owned(), own)
        });
        Self {
            files: files.collect(),
            architecture,
            encoder: Mutex::default(),
        }
    }

    /// Returns the names of all files that are read.
    pub fn names(&self) -> BTreeSet<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// Returns the model as something that depends on these of its files.
    pub fn leaf(self: &Arc<Self>, component: &Component, names: &BTreeSet<&str>) -> Leaf {
        let files = component.files.iter();
        let files = files.filter(|file| names.contains(name(file)));
        let items: Vec<Item> = files
            .map(|file| Item::new(file.name.clone(), file.digest, ""))
            .collect();
        let digest = Digest::of_value(&self.wanted(names));
        let value: Arc<Self> = Arc::clone(self);
        Leaf::with_digest(digest, value).with_items(move || Items(items.clone()))
    }

    /// Returns what these of its files must be.
    pub fn wanted(&self, names: &BTreeSet<&str>) -> Wanted {
        let files = self.files.iter();
        let files = files.filter(|(name, _)| names.contains(name.as_str()));
        Wanted {
            files: files
                .map(|(name, file)| (name.clone(), file.digest))
                .collect(),
        }
    }

    /// Returns what texts are split with.
    pub fn splitter(&self) -> Result<Splitter, TaskError> {
        let opened = language_model::open_splitter(&self.files, self.architecture);
        opened.map_err(|error| TaskError::message(with_causes(&error)))
    }

    /// Returns the weights, which are read once for all parts.
    pub fn encoder(&self) -> Result<Arc<Encoder>, TaskError> {
        let mut known = self.known();
        if let Some(encoder) = &*known {
            return Ok(Arc::clone(encoder));
        }
        let opened = language_model::open_encoder(&self.files, self.architecture);
        let opened = opened.map_err(|error| TaskError::message(with_causes(&error)))?;
        Ok(Arc::clone(known.insert(Arc::new(opened))))
    }

    /// Lets the weights go.
    pub fn close(&self) {
        *self.known() = None;
    }

    fn known(&self) -> MutexGuard<'_, Option<Arc<Encoder>>> {
        self.encoder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
