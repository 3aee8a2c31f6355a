//! What the tasks of a component read beside their portion, to go along to another
//! machine: files that the component names.
//!
//! A file is sent if it is of the project: below its folder, also when links are
//! followed. What is elsewhere on this machine is nobody else's to see, and a
//! program of the user's may need anything of it: tasks that read such a file stay
//! here. Those of other components know of it by name, digest and size.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Component as Part;
use std::path::Path;
use std::sync::Arc;

use crate::api::exec::portion::Portion;
use crate::api::plain_path;
use crate::data::Component;
use crate::data::ComponentFile;
use crate::digest::HashingReader;
use crate::nlu::command::COMMAND;
use crate::remote::JobFile;
use crate::remote::Spool;

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

/// Why the tasks of a component cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// It is a program of the user's.
    Program,
    /// A file is not of the project.
    Outside {
        /// The file, as it is named.
        name: String,
    },
    /// A file is too large.
    TooLarge {
        /// The file, as it is named.
        name: String,
    },
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("it runs a program of this machine"),
            Self::Outside { name } => {
                write!(f, "it reads `{name}`, which is not in the project's folder")
            }
            Self::TooLarge { name } => {
                write!(f, "it reads `{name}`, which is larger than 1 GiB")
            }
        }
    }
}

/// Returns why the tasks of a component are to stay here, if they are; reads no file.
pub fn stays(component: &Component) -> Option<Stays> {
    if component.name == COMMAND {
        return Some(Stays::Program);
    }
    let mut files = component.files.iter();
    files.find_map(|file| {
        let name = || file.name.clone();
        if !is_inside(&component.folder, file) {
            return Some(Stays::Outside { name: name() });
        }
        (file.size > SIZE_MAX).then(|| Stays::TooLarge { name: name() })
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

/// Reads what goes along with the tasks of the component with this number in the
/// pipeline, or of none, that are not to stay; none if something cannot be read, or is
/// no longer what it was.
pub fn pack(mut portion: Portion, component: Option<usize>, spool: &Arc<Spool>) -> Option<Baggage> {
    let mut files = BTreeMap::new();
    let pipeline = &portion.project.config.pipeline;
    let own = component.and_then(|number| pipeline.get(number));
    for file in own.map_or(&[][..], |own| &own.files) {
        if let Entry::Vacant(place) = files.entry(sent_path(&file.name)?) {
            place.insert(unchanged(file).ok().flatten()?);
        }
    }
    portion.place_files(&|number, file| match Some(number) == component {
        true => sent_path(&file.name).map(Into::into),
        false => None,
    });
    Some(Baggage {
        portion: spool.add(|out| serde_json::to_writer(out, &portion).ok())?,
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
