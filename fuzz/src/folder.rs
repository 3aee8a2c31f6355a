//! A project's folder on the disk, written anew for each input.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use tabella::import::Sources;

/// A folder below the system's folder for temporary files (`TMPDIR`), which this
/// process alone has.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
}

impl Folder {
    /// Writes files below an empty folder of this name.
    ///
    /// # Panics
    ///
    /// If the disk refuses.
    pub fn new<'f>(name: &str, files: impl IntoIterator<Item = (&'f Path, &'f [u8])>) -> Self {
        let own = format!("tabella-fuzz-{}", std::process::id());
        let path = std::env::temp_dir().join(own).join(name);
        if path.exists() {
            fs::remove_dir_all(&path).expect("an own folder can be removed");
        }
        fs::create_dir_all(&path).expect("a folder can be made");
        for (file, bytes) in files {
            let file = path.join(file);
            let around = file.parent().expect("a file is in a folder");
            fs::create_dir_all(around).expect("a folder can be made");
            fs::write(file, bytes).expect("a file can be written");
        }
        Self { path }
    }

    /// Returns the usual files of a project, those that are there.
    pub fn sources(&self) -> Sources {
        let there = |names: &[&str]| -> Vec<PathBuf> {
            let names = names.iter().map(PathBuf::from);
            names.filter(|name| self.path.join(name).exists()).collect()
        };
        Sources {
            root: self.path.clone(),
            config: there(&["config.yml"]).pop().unwrap_or_default(),
            domain: there(&["domain.yml"]),
            data: there(&["data"]),
            ..Sources::default()
        }
    }
}
