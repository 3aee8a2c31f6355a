//! An assistant of a workspace as the options of a training in its folder.

use std::fs;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use crate::api::TrainOptions;
use crate::data::Member;

/// The domain of an assistant that names none.
pub const DOMAIN_FILE: &str = "domain.yml";

/// The folder that stands for [`DOMAIN_FILE`] if there is no such file.
pub const DOMAIN_FOLDER: &str = "domain";

/// Returns the options that train an assistant as if it were alone in its folder;
/// what is not about its files is taken from `all`.
///
/// `root` is the workspace's folder.
pub fn member_options(root: &Path, member: &Member, all: &TrainOptions) -> TrainOptions {
    let near = Near::new(root, &member.folder);
    let mut options = TrainOptions {
        config: near.path(&member.config),
        domain: near.paths(&member.domain, DOMAIN_FILE, Some(DOMAIN_FOLDER)),
        training_files: near.paths(&member.data, "data", None),
        output: near.path(&member.out),
        ..all.clone()
    };
    options.run.project = near.project;
    options
}

/// Returns a path of the workspace as it is shown.
pub fn shown_path(path: &Path) -> String {
    match path.as_os_str().is_empty() {
        true => ".".to_owned(),
        false => path.to_string_lossy().into_owned(),
    }
}

/// Paths of a workspace as they are written from an assistant's folder.
struct Near<'a> {
    root: &'a Path,
    folder: &'a Path,
    /// The folder, from where the user is.
    project: PathBuf,
    /// What leads from the folder to the workspace's; none if that is not to be
    /// said by `..`, as when a link leads to the folder.
    up: Option<PathBuf>,
}

impl<'a> Near<'a> {
    fn new(root: &'a Path, folder: &'a Path) -> Self {
        let project = match (root == Path::new("."), folder.as_os_str().is_empty()) {
            (_, true) => root.to_owned(),
            (true, false) => folder.to_owned(),
            (false, false) => root.join(folder),
        };
        let is_below = folder
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let real = |path: &Path| fs::canonicalize(path).ok();
        let is_plain = is_below && real(&project) == real(root).map(|root| root.join(folder));
        let up = is_plain.then(|| folder.components().map(|_| "..").collect());
        Self {
            root,
            folder,
            project,
            up,
        }
    }

    /// Returns a path as it is written from the folder.
    fn path(&self, path: &Path) -> PathBuf {
        if path.is_absolute() {
            return path.to_owned();
        }
        if let Ok(below) = path.strip_prefix(self.folder)
            && !self.folder.as_os_str().is_empty()
        {
            return below.to_owned();
        }
        match &self.up {
            Some(up) => up.join(path),
            None => {
                let root = fs::canonicalize(self.root);
                root.unwrap_or_else(|_| self.root.to_owned()).join(path)
            }
        }
    }

    /// Returns paths as they are written from the folder. The default need not
    /// exist: then `instead` stands for it, or nothing.
    fn paths(&self, paths: &[PathBuf], default: &str, instead: Option<&str>) -> Vec<PathBuf> {
        let is_alone = paths.len() == 1;
        let mut near = Vec::with_capacity(paths.len());
        for path in paths {
            let path = self.path(path);
            let is_default = path == Path::new(default);
            if !is_default || is_alone || self.project.join(&path).exists() {
                near.push(path);
            } else if let Some(instead) = instead
                && self.project.join(instead).is_dir()
            {
                near.push(instead.into());
            }
        }
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How paths of a workspace are written from the folder of an assistant.
    #[track_caller]
    fn check(folder: &str, paths: [(&str, &str); 3]) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(folder)).unwrap();
        let near = Near::new(root.path(), Path::new(folder));
        for (path, want) in paths {
            assert_eq!(near.path(Path::new(path)), Path::new(want), "{path}");
        }
    }

    #[test]
    fn paths_start_at_the_assistants_folder() {
        check(
            "bots/a",
            [
                ("bots/a/domain.yml", "domain.yml"),
                ("shared/nlu.yml", "../../shared/nlu.yml"),
                ("/x/y", "/x/y"),
            ],
        );
        check("", [("data", "data"), ("bots/a", "bots/a"), ("/x", "/x")]);
    }

    #[cfg(unix)]
    #[test]
    fn paths_from_a_folder_that_is_a_link_are_absolute() {
        let root = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(root.path()).unwrap();
        fs::create_dir_all(root.path().join("there/deep")).unwrap();
        std::os::unix::fs::symlink("there/deep", root.path().join("bot")).unwrap();
        let near = Near::new(root.path(), Path::new("bot"));
        assert_eq!(near.path(Path::new("bot/data")), Path::new("data"));
        assert_eq!(near.path(Path::new("shared")), real.join("shared"));
    }
}
