//! What a portion reads beside it, to go along to another machine: files that
//! components name.
//!
//! A file is sent if it is of the project: below its folder, also when links are
//! followed. What is elsewhere on this machine is nobody else's to see, and a
//! program of the user's may need anything of it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Component as Part;
use std::path::Path;

use crate::api::exec::portion::Portion;
use crate::api::plain_path;
use crate::data::Component;
use crate::data::ComponentFile;
use crate::digest::HashingReader;
use crate::nlu::command::COMMAND;
use crate::remote::JobFile;

/// The folder of these files, beside the portion.
const FOLDER: &str = "files";

/// Larger files are not sent.
const SIZE_MAX: u64 = 1 << 30;

/// A portion, and the files beside it by their paths there.
pub struct Baggage {
    /// The portion, which names the files by those paths.
    pub portion: JobFile,
    /// The files.
    pub files: Vec<(String, JobFile)>,
}

/// Why a portion cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// A component is a program of the user's.
    Program,
    /// A file is not of the project.
    Outside {
        /// The component that names it.
        component: String,
        /// The file, as it is named.
        name: String,
    },
    /// A file is too large.
    TooLarge {
        /// The component that names it.
        component: String,
        /// The file, as it is named.
        name: String,
    },
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("a `command` runs a program of this machine"),
            Self::Outside { component, name } => {
                write!(
                    f,
                    "{component} reads `{name}`, which is not in the project's folder"
                )
            }
            Self::TooLarge { component, name } => {
                write!(f, "{component} reads `{name}`, which is larger than 1 GiB")
            }
        }
    }
}

/// Returns why a portion is to stay here, if it is; reads no file.
pub fn stays(portion: &Portion) -> Option<Stays> {
    let mut pipeline = portion.project.config.pipeline.iter();
    pipeline.find_map(|component| match component.name == COMMAND {
        true => Some(Stays::Program),
        false => component
            .files
            .iter()
            .find_map(|file| refused(component, file)),
    })
}

fn refused(component: &Component, file: &ComponentFile) -> Option<Stays> {
    let (name, component_name) = (file.name.clone(), component.name.clone());
    if !is_inside(&component.folder, file) {
        let component = component_name;
        return Some(Stays::Outside { component, name });
    }
    (file.size > SIZE_MAX).then_some(Stays::TooLarge {
        component: component_name,
        name,
    })
}

/// Returns whether a file is below `folder`, however it is written.
fn is_inside(folder: &Path, file: &ComponentFile) -> bool {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let real = fs::canonicalize(folder).and_then(|root| Ok((root, fs::canonicalize(&file.path)?)));
    sent_path(&file.name).is_some() && real.is_ok_and(|(root, path)| path.starts_with(root))
}

/// Returns where a file of that name is there; none if its name leads out of the
/// project's folder.
fn sent_path(name: &str) -> Option<String> {
    let mut path = FOLDER.to_owned();
    for part in plain_path(Path::new(name)).components() {
        let Part::Normal(part) = part else {
            return None;
        };
        path.push('/');
        path.push_str(part.to_str()?);
    }
    Some(path)
}

/// Reads what goes along with a portion that is not to stay; none if something
/// cannot be read, or is no longer what it was.
pub fn pack(mut portion: Portion) -> Option<Baggage> {
    let mut files = BTreeMap::new();
    for component in &portion.project.config.pipeline {
        for file in &component.files {
            let path = sent_path(&file.name)?;
            if let Entry::Vacant(place) = files.entry(path) {
                place.insert(unchanged(file).ok().flatten()?);
            }
        }
    }
    portion.move_files(&|name| sent_path(name).map(Into::into))?;
    let portion = serde_json::to_vec(&portion).ok()?;
    Some(Baggage {
        portion: JobFile::new(portion),
        files: files.into_iter().collect(),
    })
}

/// Returns a file that is what it was when the project was read.
fn unchanged(file: &ComponentFile) -> io::Result<Option<JobFile>> {
    let digest = HashingReader::new(File::open(&file.path)?).finish()?;
    match digest == file.digest {
        true => JobFile::at(&file.path).map(Some),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_out_of_the_project_has_no_place_elsewhere() {
        let sent = |name: &str| sent_path(name);
        assert_eq!(sent("a/b.vec").as_deref(), Some("files/a/b.vec"));
        assert_eq!(sent("./a/../b c.vec").as_deref(), Some("files/b c.vec"));
        assert_eq!(sent("../b.vec"), None);
        assert_eq!(sent("a/../../b.vec"), None);
        assert_eq!(sent("/b.vec"), None);
    }
}
