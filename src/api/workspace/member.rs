//! An assistant of a workspace as the options of a training in its folder.

use std::collections::HashMap;
use std::fs;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::api::TrainOptions;
use crate::api::workspace::OpenWorkspace;
use crate::data::Member;

/// The domain of an assistant that names none.
pub const DOMAIN_FILE: &str = "domain.yml";

/// The folder that stands for [`DOMAIN_FILE`] if there is no such file.
pub const DOMAIN_FOLDER: &str = "domain";

/// Returns the options that train an assistant as if it were alone in its folder;
/// what is not about its files is taken from `all`.
pub fn member_options(folders: &Folders<'_>, member: &Member, all: &TrainOptions) -> TrainOptions {
    let paths = MemberPaths::new(folders, member);
    let mut options = TrainOptions {
        config: paths.config,
        domain: paths.domain,
        training_files: paths.data,
        output: paths.output,
        ..all.clone()
    };
    options.run.project = paths.project;
    options
}

impl OpenWorkspace {
    /// Returns the options that train each of `members` as if it were alone in its
    /// folder; what is not about its files is a default.
    pub fn options_of(&self, members: &[Arc<Member>]) -> Vec<TrainOptions> {
        let folders = Folders::new(&self.root);
        let all = TrainOptions::default();
        let options = members.iter();
        options
            .map(|member| member_options(&folders, member, &all))
            .collect()
    }
}

/// Where an assistant lies, and its paths as they are written from its folder.
pub struct MemberPaths {
    /// The folder, from where the user is.
    pub project: PathBuf,
    /// The folder's real path.
    pub real: PathBuf,
    /// The configuration file.
    pub config: PathBuf,
    /// Domain files and folders.
    pub domain: Vec<PathBuf>,
    /// Data files and folders.
    pub data: Vec<PathBuf>,
    /// Folder or file of the archive.
    pub output: PathBuf,
}

impl MemberPaths {
    /// Returns the paths of an assistant.
    pub fn new(folders: &Folders<'_>, member: &Member) -> Self {
        let near = Near::new(folders, &member.folder, member.is_listed);
        Self {
            config: near.path(&member.config),
            domain: near.paths(&member.domain, DOMAIN_FILE, Some(DOMAIN_FOLDER)),
            data: near.paths(&member.data, "data", None),
            output: near.path(&member.out),
            real: near.real(),
            project: near.project,
        }
    }
}

/// The folders of a workspace. What many assistants have in common is looked up
/// once; threads may share it.
pub struct Folders<'a> {
    /// The workspace's folder, from where the user is.
    root: &'a Path,
    real_root: Option<PathBuf>,
    /// Which folders between the workspace's and an assistant's are plain.
    between: Mutex<HashMap<PathBuf, bool>>,
}

impl<'a> Folders<'a> {
    /// Returns the folders of the workspace in the folder `root`.
    pub fn new(root: &'a Path) -> Self {
        Self {
            root,
            real_root: fs::canonicalize(root).ok(),
            between: Mutex::default(),
        }
    }

    /// Returns the real path of the workspace's folder, or else its path.
    pub fn real_root(&self) -> &Path {
        self.real_root.as_deref().unwrap_or(self.root)
    }

    /// Returns whether a folder lies where its path says: no link leads there. One
    /// that `is_listed` as a folder need not be looked at again.
    fn is_plain(&self, folder: &Path, is_listed: bool) -> bool {
        let is_below = folder
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let between = folder.parent().unwrap_or(Path::new(""));
        self.real_root.is_some()
            && is_below
            && (folder.as_os_str().is_empty()
                || self.is_plain_between(between) && (is_listed || self.is_folder(folder)))
    }

    fn is_plain_between(&self, folder: &Path) -> bool {
        let mut known = self.between.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(is_plain) = known.get(folder) {
            return *is_plain;
        }
        let above = folder.ancestors().filter(|up| !up.as_os_str().is_empty());
        let is_plain = above.into_iter().all(|up| self.is_folder(up));
        known.insert(folder.to_owned(), is_plain);
        is_plain
    }

    /// Returns whether there is a folder, and no link to one.
    fn is_folder(&self, folder: &Path) -> bool {
        fs::symlink_metadata(self.root.join(folder)).is_ok_and(|found| found.is_dir())
    }
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
    folders: &'a Folders<'a>,
    folder: &'a Path,
    /// The folder, from where the user is.
    project: PathBuf,
    /// Whether the workspace's folder is `..`, so many times, seen from here: not
    /// if a link leads here.
    is_plain: bool,
}

impl<'a> Near<'a> {
    fn new(folders: &'a Folders<'a>, folder: &'a Path, is_listed: bool) -> Self {
        let root = folders.root;
        let project = match (root == Path::new("."), folder.as_os_str().is_empty()) {
            (_, true) => root.to_owned(),
            (true, false) => folder.to_owned(),
            (false, false) => root.join(folder),
        };
        Self {
            folders,
            folder,
            project,
            is_plain: folders.is_plain(folder, is_listed),
        }
    }

    /// Returns the real path of the folder.
    fn real(&self) -> PathBuf {
        match self.is_plain {
            true if self.folder.as_os_str().is_empty() => self.folders.real_root().to_owned(),
            true => self.folders.real_root().join(self.folder),
            false => fs::canonicalize(&self.project).unwrap_or_else(|_| self.project.clone()),
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
        match self.is_plain {
            true => {
                let up = self.folder.components().map(|_| "..");
                up.collect::<PathBuf>().join(path)
            }
            false => self.folders.real_root().join(path),
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
        let folders = Folders::new(root.path());
        let near = Near::new(&folders, Path::new(folder), false);
        let real = fs::canonicalize(root.path().join(folder)).unwrap();
        assert_eq!(near.real(), real);
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
        fs::create_dir(root.path().join("bot/sub")).unwrap();
        let folders = Folders::new(root.path());
        for (folder, there) in [("bot", "there/deep"), ("bot/sub", "there/deep/sub")] {
            let near = Near::new(&folders, Path::new(folder), false);
            let data = Path::new(folder).join("data");
            assert_eq!(near.path(&data), Path::new("data"));
            assert_eq!(near.path(Path::new("shared")), real.join("shared"));
            assert_eq!(near.real(), real.join(there));
        }
    }
}
