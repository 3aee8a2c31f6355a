//! Where the folders of language models are that archives name and do not hold.

use std::path::Path;
use std::path::PathBuf;

/// The environment variable that names [`ModelFolders::instead`].
pub const MODEL_FOLDERS_VARIABLE: &str = "TABELLA_LANGUAGE_MODELS";

/// Where to look for the folder of a language model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFolders {
    /// The project's folder: paths in archives start here.
    pub project: PathBuf,
    /// A folder that is looked into first, by the last name of the path.
    pub instead: Option<PathBuf>,
}

impl ModelFolders {
    /// Returns where the folder is that is called `written`.
    pub fn find(&self, written: &str) -> PathBuf {
        let last = Path::new(written).file_name();
        let instead = self.instead.as_ref().zip(last);
        let instead = instead.map(|(folder, last)| folder.join(last));
        let instead = instead.filter(|folder| folder.is_dir());
        instead.unwrap_or_else(|| self.project.join(written))
    }
}
