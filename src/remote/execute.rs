//! Running a program on the machines behind a server: an action with its input
//! files, and the file that it writes.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::protobuf;
use prost::Message;

use crate::remote::action::Blob;
use crate::remote::action::Name;
use crate::remote::fault::Fault;
use crate::remote::spool::Spooled;
use crate::remote::tree::Tree;
use crate::store::Sha256;

/// A file that a program reads, or the program.
#[derive(Clone, Debug)]
pub struct JobFile {
    name: Name,
    content: Content,
}

/// Where the bytes of a file are.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// In memory.
    Held(Arc<Vec<u8>>),
    /// In a file of ours, which nobody else can change.
    Spooled(Spooled),
    /// In a file of somebody else's.
    File(PathBuf),
}

impl Content {
    /// Returns all bytes, which must still be those of that name.
    pub(super) fn read(&self, name: Name) -> Result<Blob, Fault> {
        let read = || match self {
            Self::Held(bytes) => Ok(Arc::clone(bytes)),
            Self::Spooled(place) => Ok(Arc::new(place.read(0, name.size as usize)?)),
            Self::File(path) => fs::read(path).map(Arc::new),
        };
        let is_file = matches!(self, Self::File(_));
        let is_same = |bytes: &Arc<Vec<u8>>| !is_file || Name::of(bytes) == name;
        let bytes = read().ok().filter(is_same);
        Ok((name, bytes.ok_or_else(|| self.changed())?))
    }

    /// Fails unless the bytes are still those of that name, which takes no memory.
    pub(super) fn check(&self, name: Name) -> Result<(), Fault> {
        let Self::File(path) = self else {
            return Ok(());
        };
        let found = File::open(path).and_then(Sha256::of_reader).ok();
        match found == Some((name.sha256, name.size)) {
            true => Ok(()),
            false => Err(self.changed()),
        }
    }

    /// Reads so many bytes from `at` on.
    pub(super) fn piece(&self, at: u64, size: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Held(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let piece = bytes.get(at..).and_then(|rest| rest.get(..size));
                piece
                    .map(<[u8]>::to_vec)
                    .ok_or(io::ErrorKind::UnexpectedEof.into())
            }
            Self::Spooled(place) => place.read(at, size),
            Self::File(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(at))?;
                let mut bytes = vec![0; size];
                file.read_exact(&mut bytes)?;
                Ok(bytes)
            }
        }
    }

    fn changed(&self) -> Fault {
        Fault::Lasting(match self {
            Self::File(path) => format!("`{}` was changed meanwhile", path.display()),
            _ => "a file that waited to be sent cannot be read".to_owned(),
        })
    }
}

impl JobFile {
    /// Returns a file of these bytes; they are hashed once.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            name: Name::of(&bytes),
            content: Content::Held(Arc::new(bytes)),
        }
    }

    /// Returns the file at a path. It is read to be hashed, and once more where the
    /// server does not have it.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn at(path: &Path) -> io::Result<Self> {
        let (sha256, size) = Sha256::of_reader(File::open(path)?)?;
        Ok(Self {
            name: Name { sha256, size },
            content: Content::File(path.to_owned()),
        })
    }

    pub(super) fn spooled(name: Name, place: Spooled) -> Self {
        Self {
            name,
            content: Content::Spooled(place),
        }
    }

    #[cfg(test)]
    pub(super) fn name(&self) -> Name {
        self.name
    }

    #[cfg(test)]
    pub(super) fn content(&self) -> &Content {
        &self.content
    }
}

/// A program to run, and what it needs.
#[derive(Clone, Debug)]
pub struct Job {
    /// The program: a file of the job, then its arguments.
    pub arguments: Vec<String>,
    /// The files in the folder where it runs, by their paths there; all can be run.
    pub files: Vec<(String, JobFile)>,
    /// The file that it writes, in the same folder.
    pub output: String,
    /// What the machine must be, by name.
    pub properties: Vec<(String, String)>,
    /// How long it may run.
    pub timeout: Duration,
    /// How long it may wait for a machine before.
    pub queue_timeout: Duration,
    /// Which jobs come first: those with smaller numbers; 0 is usual.
    pub priority: i32,
}

/// A job as messages.
pub(super) struct JobAction {
    /// The name of the action.
    pub(super) name: Name,
    /// Action, command, folders and files.
    pub(super) blobs: Vec<(Name, Content)>,
}

impl Job {
    /// Returns the job as an action. Servers of a time before 2.1 know outputs by
    /// another field.
    pub(super) fn action(&self, knows_output_paths: bool) -> JobAction {
        let files = self.files.iter();
        let mut messages =
            Tree::of(files.map(|(path, file)| (path.as_str(), file.name))).messages();
        let root = messages.last().map(|root| Name::of(root).digest());
        let command = self.command(knows_output_paths).encode_to_vec();
        let action = api::Action {
            command_digest: Some(Name::of(&command).digest()),
            input_root_digest: root,
            timeout: Some(protobuf::Duration {
                seconds: i64::try_from(self.timeout.as_secs()).unwrap_or(i64::MAX),
                nanos: self.timeout.subsec_nanos() as i32,
            }),
            platform: self.platform(),
            ..api::Action::default()
        };
        let action = action.encode_to_vec();
        let name = Name::of(&action);
        messages.extend([action, command]);
        let messages = messages.into_iter().map(JobFile::new);
        let files = self.files.iter().map(|(_, file)| file.clone());
        let blobs = files.chain(messages).map(|file| (file.name, file.content));
        JobAction {
            name,
            blobs: blobs.collect(),
        }
    }

    fn command(&self, knows_output_paths: bool) -> api::Command {
        let output = vec![self.output.clone()];
        let (output_paths, output_files) = match knows_output_paths {
            true => (output, Vec::new()),
            false => (Vec::new(), output),
        };
        #[allow(deprecated)] // The older field is for older servers.
        api::Command {
            arguments: self.arguments.clone(),
            output_paths,
            output_files,
            platform: self.platform(),
            ..api::Command::default()
        }
    }

    fn platform(&self) -> Option<api::Platform> {
        let mut properties: Vec<api::platform::Property> = self
            .properties
            .iter()
            .map(|(name, value)| api::platform::Property {
                name: name.clone(),
                value: value.clone(),
            })
            .collect();
        properties.sort_by(|a, b| (&a.name, &a.value).cmp(&(&b.name, &b.value)));
        (!properties.is_empty()).then_some(api::Platform { properties })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(files: &[(&str, &str)]) -> Job {
        let file = |(name, text): &(&str, &str)| {
            let bytes = text.as_bytes().to_vec();
            ((*name).to_owned(), JobFile::new(bytes))
        };
        Job {
            arguments: vec!["./a".to_owned()],
            files: files.iter().map(file).collect(),
            output: "out".to_owned(),
            properties: vec![("os".to_owned(), "linux".to_owned())],
            timeout: Duration::from_secs(60),
            queue_timeout: Duration::from_secs(60),
            priority: 0,
        }
    }

    #[test]
    fn an_action_is_the_same_in_whatever_order_its_files_are_named() {
        let name = |files: &[(&str, &str)]| job(files).action(true).name;
        let (a, b) = (("a", "x"), ("b", "y"));
        assert_eq!(name(&[a, b]), name(&[b, a]));
        assert_ne!(name(&[a, b]), name(&[a, ("b", "z")]));
        assert_ne!(job(&[a]).action(true).name, job(&[a]).action(false).name);
    }

    #[test]
    fn all_that_an_action_names_goes_along() {
        let action = job(&[("a", "x")]).action(true);
        let find = |name: &api::Digest| {
            let mut blobs = action.blobs.iter();
            let (name, content) = blobs.find(|(found, _)| found.digest() == *name).unwrap();
            content.read(*name).unwrap().1.to_vec()
        };
        let message = api::Action::decode(find(&action.name.digest()).as_slice()).unwrap();
        let root = find(&message.input_root_digest.unwrap());
        let folder = api::Directory::decode(root.as_slice()).unwrap();
        assert_eq!(find(folder.files[0].digest.as_ref().unwrap()), b"x");
        let command = find(&message.command_digest.unwrap());
        let command = api::Command::decode(command.as_slice()).unwrap();
        assert_eq!(command.output_paths, ["out"]);
    }
}
