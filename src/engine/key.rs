//! The key of a task, and the manifest that says what it was made of.
//!
//! A task is described once, part by part, to a [`KeySink`]. One sink hashes
//! the parts, another keeps them for later comparison, so that an explanation
//! can never disagree with the key.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::engine::Task;

/// The layout of keys; raised when [`describe`] changes.
pub(crate) const KEY_CONTEXT: &str = "tabella task key v1";

/// One part of what a task is and reads.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum Part<'a> {
    /// The kind of task.
    Kind(&'a str),
    /// The version of its algorithm.
    Version(u32),
    /// One option.
    Option {
        /// Its name.
        name: &'a str,
        /// Its value.
        value: &'a Value,
    },
    /// One input.
    Input {
        /// As what it is read.
        role: &'a str,
        /// The digest of its contents.
        digest: Digest,
        /// The task that made it. **Not in the key**: only the contents count.
        #[serde(skip)]
        from: Option<&'a str>,
    },
}

/// Takes the parts of a key in order.
pub trait KeySink {
    /// Takes the next part.
    fn part(&mut self, part: Part<'_>);
}

/// An input as the key sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyInput<'a> {
    pub(crate) role: &'a str,
    pub(crate) digest: Digest,
    /// The name of the task that made it.
    pub(crate) from: Option<&'a str>,
}

/// Describes a task to a sink: kind, version, options by name, inputs by role.
pub(crate) fn describe(task: &Task, inputs: &[KeyInput<'_>], sink: &mut dyn KeySink) {
    sink.part(Part::Kind(task.kind));
    sink.part(Part::Version(task.version));
    for (name, value) in options(&task.options) {
        sink.part(Part::Option { name, value });
    }
    let mut inputs: Vec<&KeyInput<'_>> = inputs.iter().collect();
    inputs.sort_by_key(|input| input.role);
    for input in inputs {
        sink.part(Part::Input {
            role: input.role,
            digest: input.digest,
            from: input.from,
        });
    }
}

/// Returns the options by name. They are sorted here because a JSON object may
/// keep the order it was written in.
pub(crate) fn options(options: &Value) -> BTreeMap<&str, &Value> {
    match options {
        Value::Null => BTreeMap::new(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect(),
        other => BTreeMap::from([("options", other)]),
    }
}

/// Hashes the parts.
struct Hashing {
    hasher: blake3::Hasher,
}

impl KeySink for Hashing {
    fn part(&mut self, part: Part<'_>) {
        crate::digest::encode(&part, &mut self.hasher).expect("JSON values can be encoded");
    }
}

/// Returns the key of a task that reads `inputs`.
pub(crate) fn task_key(task: &Task, inputs: &[KeyInput<'_>]) -> Digest {
    let mut sink = Hashing {
        hasher: blake3::Hasher::new_derive_key(KEY_CONTEXT),
    };
    describe(task, inputs, &mut sink);
    Digest::from_bytes(*sink.hasher.finalize().as_bytes())
}

/// Returns the key of a task whose inputs have these digests, by role.
pub fn key_of(task: &Task, inputs: &BTreeMap<&str, Digest>) -> Digest {
    let inputs: Vec<KeyInput<'_>> = inputs
        .iter()
        .map(|(&role, &digest)| KeyInput {
            role,
            digest,
            from: None,
        })
        .collect();
    task_key(task, &inputs)
}

/// What a key was made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The kind of task.
    pub kind: String,
    /// The version of its algorithm.
    pub version: u32,
    /// The options by name.
    pub options: BTreeMap<String, Value>,
    /// The inputs by role.
    pub inputs: BTreeMap<String, ManifestInput>,
}

/// An input in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestInput {
    /// The digest of its contents.
    pub digest: Digest,
    /// The name of the task that made it; none for a value at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

impl KeySink for Manifest {
    fn part(&mut self, part: Part<'_>) {
        match part {
            Part::Kind(kind) => self.kind = kind.to_owned(),
            Part::Version(version) => self.version = version,
            Part::Option { name, value } => {
                self.options.insert(name.to_owned(), value.clone());
            }
            Part::Input { role, digest, from } => {
                let from = from.map(str::to_owned);
                self.inputs
                    .insert(role.to_owned(), ManifestInput { digest, from });
            }
        }
    }
}

impl Manifest {
    /// The name under which a result keeps its manifest.
    pub const NAME: &str = "manifest";

    /// Returns the key that this is the description of: made of the same parts in
    /// the same order as the task's own.
    pub fn key(&self) -> Digest {
        let mut sink = Hashing {
            hasher: blake3::Hasher::new_derive_key(KEY_CONTEXT),
        };
        sink.part(Part::Kind(&self.kind));
        sink.part(Part::Version(self.version));
        for (name, value) in &self.options {
            sink.part(Part::Option { name, value });
        }
        for (role, input) in &self.inputs {
            sink.part(Part::Input {
                role,
                digest: input.digest,
                from: None,
            });
        }
        Digest::from_bytes(*sink.hasher.finalize().as_bytes())
    }

    /// Returns what the key of a task that reads `inputs` is made of.
    pub(crate) fn of(task: &Task, inputs: &[KeyInput<'_>]) -> Self {
        let mut manifest = Self::default();
        describe(task, inputs, &mut manifest);
        manifest
    }
}
