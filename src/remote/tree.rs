//! The folder where a job runs, as messages: each names its files, and the folders
//! in it, by their digests.

use std::collections::BTreeMap;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use prost::Message;

use crate::remote::action::Name;

/// A folder. Its parts are in the order of their names, as the API wants: it is the
/// one order in which a folder can be written.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<String, Name>,
    folders: BTreeMap<String, Tree>,
}

impl Tree {
    /// Returns a folder with these files; `/` in a path stands between folders.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = (&'a str, Name)>) -> Self {
        let mut root = Self::default();
        for (path, name) in files {
            let mut folder = &mut root;
            let mut rest = path;
            while let Some((first, below)) = rest.split_once('/') {
                folder = folder.folders.entry(first.to_owned()).or_default();
                rest = below;
            }
            folder.files.insert(rest.to_owned(), name);
        }
        root
    }

    /// Returns the messages of all folders in it, then its own.
    pub(super) fn messages(&self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let mut directories = Vec::with_capacity(self.folders.len());
        for (name, folder) in &self.folders {
            let below = folder.messages();
            directories.push(api::DirectoryNode {
                name: name.clone(),
                digest: below.last().map(|own| Name::of(own).digest()),
            });
            messages.extend(below);
        }
        let files = self.files.iter().map(|(name, file)| api::FileNode {
            name: name.clone(),
            digest: Some(file.digest()),
            // One of them is the program, and it harms no other.
            is_executable: true,
            ..api::FileNode::default()
        });
        let own = api::Directory {
            files: files.collect(),
            directories,
            ..api::Directory::default()
        };
        messages.push(own.encode_to_vec());
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_by_what_is_in_them() {
        let name = Name::of(b"x");
        let tree = Tree::of([("b/c/d", name), ("a", name), ("b/e", name)]);
        let messages = tree.messages();
        let read = |at: usize| api::Directory::decode(messages[at].as_slice()).unwrap();
        let (inner, middle, root) = (read(0), read(1), read(2));
        assert_eq!(messages.len(), 3);
        assert_eq!(inner.files[0].name, "d");
        assert_eq!(
            (&*middle.files[0].name, &*middle.directories[0].name),
            ("e", "c")
        );
        assert_eq!(
            (&*root.files[0].name, &*root.directories[0].name),
            ("a", "b")
        );
        let named = |folder: &api::Directory| folder.directories[0].digest.clone();
        assert_eq!(named(&root), Some(Name::of(&messages[1]).digest()));
        assert_eq!(named(&middle), Some(Name::of(&messages[0]).digest()));
        assert_eq!(root.files[0].digest, Some(name.digest()));
        let other = Tree::of([("b/e", name), ("b/c/d", name), ("a", name)]);
        assert_eq!(other.messages(), messages);
    }
}
