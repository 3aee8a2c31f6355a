//! The shape of a result in a remote cache, the same for gRPC and HTTP. Version 1.
//!
//! # Under which key
//!
//! A result stands under the SHA-256 of an `Action` message (Remote Execution API
//! v2, in the encoding that `prost` gives: fields in the order of their numbers,
//! defaults left out):
//!
//! | field | value |
//! |---|---|
//! | `command_digest` | of the `Command` with the arguments `tabella`, `task`, `v1` and nothing else |
//! | `input_root_digest` | of the empty `Directory`, which has no bytes |
//! | `salt` | the 32 bytes of the task's key |
//!
//! A change of this shape changes the last argument, so that versions never meet.
//! Action and command are uploaded as blobs before the result, as the API wants.
//!
//! # What stands there
//!
//! An `ActionResult` with `exit_code` 0 and one of `output_files` for each output,
//! `outputs/<name>`, and for each blob that describes the key, `manifest/<name>`;
//! all with the node property `blake3`, the digest by which later tasks are keyed.
//! `execution_metadata` tells from `execution_start_timestamp` (0) to
//! `execution_completed_timestamp` how long the task ran.
//!
//! # What is refused
//!
//! Another `exit_code`; a path that is neither; a digest or property that is
//! none; more than 10,000 files, a blob above 1 GiB, a result above 2 GiB.

use std::collections::BTreeMap;
use std::sync::Arc;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::protobuf::Timestamp;
use prost::Message;

use crate::digest::Digest;
use crate::store::Offer;
use crate::store::OutputRef;
use crate::store::RemoteBlob;
use crate::store::RemoteResult;
use crate::store::Sha256;

/// Files of a result.
const FILES_MAX: usize = 10_000;

/// Bytes of a blob.
const BLOB_SIZE_MAX: u64 = 1 << 30;

/// Bytes of all blobs of a result.
const RESULT_SIZE_MAX: u64 = 2 << 30;

/// Bytes of the message that describes a result.
pub(super) const ANSWER_SIZE_MAX: usize = 4 << 20;

/// Where outputs stand.
const OUTPUTS: &str = "outputs/";

/// Where what describes the key stands.
const MANIFEST: &str = "manifest/";

/// The property with the digest of a file.
const BLAKE3: &str = "blake3";

/// How a remote cache calls a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) sha256: Sha256,
    pub(super) size: u64,
}

impl Name {
    /// Returns the name of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            sha256: Sha256::of(bytes),
            size: bytes.len() as u64,
        }
    }

    /// Returns it as the API writes it.
    pub(super) fn digest(&self) -> api::Digest {
        api::Digest {
            hash: self.sha256.to_string(),
            size_bytes: self.size as i64,
        }
    }
}

impl From<&RemoteBlob> for Name {
    fn from(blob: &RemoteBlob) -> Self {
        Self {
            sha256: blob.sha256,
            size: blob.output.size,
        }
    }
}

/// Bytes with their name.
pub(super) type Blob = (Name, Arc<Vec<u8>>);

/// The action that stands for a task.
#[derive(Clone, Debug)]
pub(super) struct ActionKey {
    pub(super) name: Name,
    action: Vec<u8>,
    command: Vec<u8>,
}

impl ActionKey {
    /// Returns the action of the task with this key.
    pub(super) fn of(key: Digest) -> Self {
        let command = api::Command {
            arguments: ["tabella", "task", "v1"].map(str::to_owned).to_vec(),
            ..api::Command::default()
        };
        let command = command.encode_to_vec();
        let action = api::Action {
            command_digest: Some(Name::of(&command).digest()),
            input_root_digest: Some(Name::of(b"").digest()),
            salt: key.as_bytes().to_vec(),
            ..api::Action::default()
        };
        let action = action.encode_to_vec();
        Self {
            name: Name::of(&action),
            action,
            command,
        }
    }

    /// Returns the blobs that must be there before a result is.
    pub(super) fn blobs(&self) -> [Blob; 2] {
        let named = |bytes: &Vec<u8>| (Name::of(bytes), Arc::new(bytes.clone()));
        [named(&self.action), named(&self.command)]
    }
}

/// Returns the message that describes a result.
pub(super) fn action_result(offer: &Offer) -> api::ActionResult {
    let outputs = offer.result.outputs.iter();
    let manifest = offer.result.manifest.iter();
    let files = outputs
        .map(|(name, blob)| output_file(OUTPUTS, name, blob))
        .chain(manifest.map(|(name, blob)| output_file(MANIFEST, name, blob)));
    let cost_ms = offer.result.cost_ms;
    api::ActionResult {
        output_files: files.collect(),
        execution_metadata: Some(api::ExecutedActionMetadata {
            execution_start_timestamp: Some(Timestamp::default()),
            execution_completed_timestamp: Some(Timestamp {
                seconds: (cost_ms / 1_000) as i64,
                nanos: (cost_ms % 1_000) as i32 * 1_000_000,
            }),
            ..api::ExecutedActionMetadata::default()
        }),
        ..api::ActionResult::default()
    }
}

fn output_file(folder: &str, name: &str, blob: &RemoteBlob) -> api::OutputFile {
    api::OutputFile {
        path: format!("{folder}{name}"),
        digest: Some(Name::from(blob).digest()),
        node_properties: Some(api::NodeProperties {
            properties: vec![api::NodeProperty {
                name: BLAKE3.to_owned(),
                value: blob.output.digest.to_string(),
            }],
            ..api::NodeProperties::default()
        }),
        ..api::OutputFile::default()
    }
}

/// Reads the message that describes a result, or says what is wrong with it.
pub(super) fn remote_result(message: &api::ActionResult) -> Result<RemoteResult, &'static str> {
    if message.exit_code != 0 {
        return Err("it is of a task that failed");
    }
    if message.output_files.len() > FILES_MAX {
        return Err("it has too many files");
    }
    let mut result = RemoteResult {
        outputs: BTreeMap::new(),
        manifest: BTreeMap::new(),
        cost_ms: cost_ms(message),
    };
    let mut total: u64 = 0;
    for file in &message.output_files {
        let blob = remote_blob(file)?;
        total += blob.output.size;
        let earlier = match (
            file.path.strip_prefix(OUTPUTS),
            file.path.strip_prefix(MANIFEST),
        ) {
            (Some(name), _) => result.outputs.insert(name.to_owned(), blob),
            (_, Some(name)) => result.manifest.insert(name.to_owned(), blob),
            _ => return Err("it has a file that is no output"),
        };
        if earlier.is_some() {
            return Err("it has two files of one name");
        }
    }
    match total > RESULT_SIZE_MAX {
        true => Err("it is too large"),
        false => Ok(result),
    }
}

fn remote_blob(file: &api::OutputFile) -> Result<RemoteBlob, &'static str> {
    let digest = file
        .digest
        .as_ref()
        .ok_or("it has a file without a digest")?;
    let properties = file.node_properties.iter().flat_map(|all| &all.properties);
    let mut blake3 = properties.filter(|property| property.name == BLAKE3);
    let size = u64::try_from(digest.size_bytes).unwrap_or(u64::MAX);
    if size > BLOB_SIZE_MAX {
        return Err("it has a file of an impossible size");
    }
    let named = || {
        let digest: Digest = blake3.next()?.value.parse().ok()?;
        Some((digest, Sha256::parse(&file.digest.as_ref()?.hash)?))
    };
    let (digest, sha256) = { named }().ok_or("it has a file without a digest")?;
    Ok(RemoteBlob {
        output: OutputRef { digest, size },
        sha256,
    })
}

/// Returns how long the task ran, if that can be.
fn cost_ms(message: &api::ActionResult) -> u64 {
    let metadata = message.execution_metadata.as_ref();
    let ms = |time: Option<&Timestamp>| {
        let time = time?;
        let seconds = u64::try_from(time.seconds).ok()?;
        let ms = u64::try_from(time.nanos).ok()? / 1_000_000;
        seconds.checked_mul(1_000)?.checked_add(ms)
    };
    let start = ms(metadata.and_then(|m| m.execution_start_timestamp.as_ref()));
    let end = ms(metadata.and_then(|m| m.execution_completed_timestamp.as_ref()));
    end.unwrap_or(0)
        .saturating_sub(start.unwrap_or(0))
        .min(COST_MAX_MS)
}

/// A year.
const COST_MAX_MS: u64 = 366 * 86_400_000;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn offer(cost_ms: u64) -> Offer {
        let blob = |bytes: &[u8]| RemoteBlob {
            output: OutputRef::of(bytes),
            sha256: Sha256::of(bytes),
        };
        Offer {
            key: Digest::of(b"key"),
            kind: "nlu.diet",
            result: RemoteResult {
                outputs: BTreeMap::from([("weights".to_owned(), blob(b"w"))]),
                manifest: BTreeMap::from([("items/domain".to_owned(), blob(b""))]),
                cost_ms,
            },
            bytes: HashMap::new(),
        }
    }

    #[test]
    fn keys_of_actions_never_change() {
        let key = ActionKey::of(Digest::of(b"key"));
        expect_test::expect!["107f30ff"].assert_eq(&key.name.sha256.to_string()[..8]);
        assert_eq!(key.blobs()[0].0, key.name);
    }

    #[test]
    fn a_result_comes_back_as_it_was_offered() {
        let offer = offer(61_234);
        let bytes = action_result(&offer).encode_to_vec();
        let message = api::ActionResult::decode(bytes.as_slice()).unwrap();
        assert_eq!(remote_result(&message), Ok(offer.result));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |change: &dyn Fn(&mut api::ActionResult)| {
            let mut message = action_result(&offer(1));
            change(&mut message);
            remote_result(&message).unwrap_err()
        };
        let sizes = |size| refused(&move |m| digest(&mut m.output_files[0]).size_bytes = size);
        assert_eq!(refused(&|m| m.exit_code = 1), "it is of a task that failed");
        for size in [-1, i64::MAX, (1 << 30) + 1] {
            assert_eq!(sizes(size), "it has a file of an impossible size");
        }
        let path = |path: &'static str| refused(&move |m| m.output_files[0].path = path.into());
        assert_eq!(path("../x"), "it has a file that is no output");
        assert_eq!(
            path("manifest/items/domain"),
            "it has two files of one name"
        );
        let no_digest = "it has a file without a digest";
        assert_eq!(refused(&|m| m.output_files[0].digest = None), no_digest);
        assert_eq!(
            refused(&|m| m.output_files[0].node_properties = None),
            no_digest
        );
        assert_eq!(
            refused(&|m| digest(&mut m.output_files[0]).hash.push('0')),
            no_digest
        );
        let many = |m: &mut api::ActionResult| {
            let file = m.output_files[0].clone();
            m.output_files = vec![file; FILES_MAX + 1];
        };
        assert_eq!(refused(&many), "it has too many files");
    }

    fn digest(file: &mut api::OutputFile) -> &mut api::Digest {
        file.digest.as_mut().unwrap()
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_result_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(message) = api::ActionResult::decode(bytes.as_slice()) {
                let _ = remote_result(&message);
            }
        }
    }
}
