//! Where the folders of language models are that archives name and do not hold.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// The environment variable that names [`ModelFolders::instead`].
pub const MODEL_FOLDERS_VARIABLE: &str = "TABELLA_LANGUAGE_MODELS";

/// Where to look for the folder of a language model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFolders {
    /// The project's folder: paths in archives start here.
    pub project: PathBuf,
    /// A folder that is looked into first: by the path, then by its last name.
    pub instead: Option<PathBuf>,
    /// Whether no folder is looked for: who checks an archive that he does not trust
    /// opens no file that it names.
    pub is_closed: bool,
}

impl ModelFolders {
    /// Returns what finds no folder.
    pub fn closed() -> Self {
        Self {
            is_closed: true,
            ..Self::default()
        }
    }

    /// Returns where the folder is that is called `written`.
    pub fn find(&self, written: &str) -> PathBuf {
        let path = Path::new(written);
        let below = |folder: &PathBuf| {
            let is_plain = path
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            let whole = is_plain.then(|| folder.join(path));
            let last = path.file_name().map(|last| folder.join(last));
            whole.into_iter().chain(last).find(|path| path.is_dir())
        };
        let instead = self.instead.as_ref().and_then(below);
        instead.unwrap_or_else(|| self.project.join(written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_path_comes_before_a_last_name() {
        let home = tempfile::tempdir().unwrap();
        let below = |path: &str| home.path().join(path);
        for folder in ["bert/base", "base"] {
            std::fs::create_dir_all(below(folder)).unwrap();
        }
        let folders = ModelFolders {
            project: PathBuf::from("project"),
            instead: Some(home.path().to_owned()),
            is_closed: false,
        };
        assert_eq!(folders.find("bert/base"), below("bert/base"));
        assert_eq!(folders.find("roberta/base"), below("base"));
        assert_eq!(folders.find("../bert/base"), below("base"));
        assert_eq!(folders.find("LaBSE"), Path::new("project/LaBSE"));
    }
}
