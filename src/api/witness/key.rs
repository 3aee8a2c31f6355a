//! What decides an outcome apart from files.

use std::path::Path;
use std::path::PathBuf;

use blake3::Hasher;

use crate::api::training::Training;
use crate::api::witness::WitnessSettings;
use crate::digest::Digest;

/// The layout of a witness's key.
const KEY_CONTEXT: &str = "tabella witness key v1";

/// A key as far as it is the same for all assistants that are trained with the same
/// options: what is left are paths.
pub struct KeyStem(Hasher);

impl KeyStem {
    /// Returns the stem of a training; none when no witness is asked.
    pub fn of(training: &Training<'_>) -> Option<Self> {
        let program = match training.run.witness {
            WitnessSettings::Off => return None,
            WitnessSettings::Ask { program }
            | WitnessSettings::Asked { program }
            | WitnessSettings::Renew { program } => program,
        };
        let mut hasher = Hasher::new_derive_key(KEY_CONTEXT);
        part(&mut hasher, program.as_bytes());
        let options = (
            format!("{:?}", training.want),
            training.fixed_name,
            training.persist_nlu_data,
            training.augmentation,
            training.validation.skip,
            training.validation.fail_on_warnings,
            training.validation.max_history,
        );
        part(&mut hasher, Digest::of_value(&options).as_bytes());
        Some(Self(hasher))
    }

    /// Returns the key with these paths: those of domain and data, each in order,
    /// and those of config and output.
    pub fn key(&self, lists: [&[PathBuf]; 2], single: [&Path; 2]) -> Digest {
        let mut hasher = self.0.clone();
        for paths in lists {
            part(&mut hasher, &(paths.len() as u64).to_le_bytes());
            for path in paths {
                part(&mut hasher, path.as_os_str().as_encoded_bytes());
            }
        }
        for path in single {
            part(&mut hasher, path.as_os_str().as_encoded_bytes());
        }
        Digest::from_bytes(*hasher.finalize().as_bytes())
    }
}

fn part(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}
