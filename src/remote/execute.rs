//! Running a program on the machines behind a server: an action with its input
//! files, and the file that it writes.

use std::sync::Arc;
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::protobuf;
use prost::Message;

use crate::remote::action::Blob;
use crate::remote::action::Name;

/// A file that a program reads, or the program.
#[derive(Clone, Debug)]
pub struct JobFile {
    pub(super) name: Name,
    pub(super) bytes: Arc<Vec<u8>>,
}

impl JobFile {
    /// Returns a file of these bytes; they are hashed once.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            name: Name::of(&bytes),
            bytes: Arc::new(bytes),
        }
    }
}

/// A program to run, and what it needs.
#[derive(Clone, Debug)]
pub struct Job {
    /// The program: a file of the job, then its arguments.
    pub arguments: Vec<String>,
    /// The files in the folder where it runs, by name; all can be run.
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
    /// Action, command, folder and files.
    pub(super) blobs: Vec<Blob>,
}

impl Job {
    /// Returns the job as an action. Servers of a time before 2.1 know outputs by
    /// another field.
    pub(super) fn action(&self, knows_output_paths: bool) -> JobAction {
        let folder = self.folder().encode_to_vec();
        let command = self.command(knows_output_paths).encode_to_vec();
        let action = api::Action {
            command_digest: Some(Name::of(&command).digest()),
            input_root_digest: Some(Name::of(&folder).digest()),
            timeout: Some(protobuf::Duration {
                seconds: i64::try_from(self.timeout.as_secs()).unwrap_or(i64::MAX),
                nanos: self.timeout.subsec_nanos() as i32,
            }),
            platform: self.platform(),
            ..api::Action::default()
        };
        let action = action.encode_to_vec();
        let name = Name::of(&action);
        let messages = [action, command, folder].map(|bytes| (Name::of(&bytes), Arc::new(bytes)));
        let files = self.files.iter();
        let files = files.map(|(_, file)| (file.name, Arc::clone(&file.bytes)));
        JobAction {
            name,
            blobs: files.chain(messages).collect(),
        }
    }

    fn folder(&self) -> api::Directory {
        let mut files: Vec<api::FileNode> = self
            .files
            .iter()
            .map(|(name, file)| api::FileNode {
                name: name.clone(),
                digest: Some(file.name.digest()),
                is_executable: true,
                ..api::FileNode::default()
            })
            .collect();
        // The API wants the one order in which a folder can be written.
        files.sort_by(|a, b| a.name.cmp(&b.name));
        api::Directory {
            files,
            ..api::Directory::default()
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
            let blob = blobs.find(|(found, _)| found.digest() == *name);
            blob.map(|(_, bytes)| bytes.as_slice()).unwrap()
        };
        let message = api::Action::decode(find(&action.name.digest())).unwrap();
        let root = find(&message.input_root_digest.unwrap());
        let folder = api::Directory::decode(root).unwrap();
        assert_eq!(find(folder.files[0].digest.as_ref().unwrap()), b"x");
        let command = find(&message.command_digest.unwrap());
        let command = api::Command::decode(command).unwrap();
        assert_eq!(command.output_paths, ["out"]);
    }
}
