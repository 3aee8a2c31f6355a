//! Where paths really lead, also those at which nothing is.

use std::ffi::OsString;
use std::fs;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// How many links are followed, as the systems do it.
const LINKS_FOLLOWED: usize = 40;

/// Returns where a path leads, without links and dots and in the letters that the
/// disk has it in; of one that leads nowhere, where there would have to be
/// something. The same place is the same path, however it is spelled.
pub fn real_path(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let absolute = std::path::absolute(path);
        by_hand(absolute.as_deref().unwrap_or(path))
    })
}

/// Follows links also when their targets are gone, as git names those.
fn by_hand(path: &Path) -> PathBuf {
    let mut links_left = LINKS_FOLLOWED;
    let mut real = PathBuf::new();
    // What is still to go, the next last.
    let mut rest: Vec<OsString> = backwards(path);
    while let Some(part) = rest.pop() {
        match Path::new(&part).components().next() {
            Some(Component::Normal(name)) => real.push(name),
            Some(Component::ParentDir) => {
                real.pop();
                continue;
            }
            Some(Component::CurDir) | None => continue,
            Some(Component::RootDir | Component::Prefix(_)) => {
                real.push(part);
                continue;
            }
        }
        if links_left > 0
            && let Ok(target) = fs::read_link(&real)
        {
            links_left -= 1;
            real.pop();
            rest.extend(backwards(&target));
        }
    }
    real
}

/// Returns the parts of a path, the last first.
fn backwards(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_to_what_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(top.join("a/deep")).unwrap();
        symlink("a/deep", top.join("link")).unwrap();
        symlink("link/../gone/x.yml", top.join("dangling")).unwrap();
        symlink(top.join("dangling"), top.join("again")).unwrap();
        symlink("a/none", top.join("folder")).unwrap();
        for (path, want) in [
            ("a/deep", "a/deep"),
            ("link/x.yml", "a/deep/x.yml"),
            ("link/../b", "a/b"),
            ("dangling", "a/gone/x.yml"),
            ("again", "a/gone/x.yml"),
            ("folder/n.yml", "a/none/n.yml"),
            ("none/../b/./c", "b/c"),
        ] {
            assert_eq!(real_path(&top.join(path)), top.join(want), "{path}");
        }
    }

    #[test]
    fn links_that_lead_in_circles_end() {
        let folder = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(folder.path()).unwrap();
        symlink("b", top.join("a")).unwrap();
        symlink("a", top.join("b")).unwrap();
        symlink("deep/x/deep", top.join("deep")).unwrap();
        assert!(real_path(&top.join("a")).starts_with(&top));
        assert!(real_path(&top.join("deep/y")).ends_with("y"));
    }
}

/// Returns a path without `.`, and without `..` where a name stands before it: what it
/// means where no folder is a link.
pub fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        let follows_name = matches!(plain.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::CurDir => {}
            Component::ParentDir if follows_name => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
