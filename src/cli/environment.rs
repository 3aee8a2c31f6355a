//! What this process has around it: the environment variables that a project's
//! files may name, and the program itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::api::WitnessSettings;
use crate::digest::Digest;
use crate::import::FileStamp;
use crate::nlu::MODEL_FOLDERS_VARIABLE;
use crate::nlu::ModelFolders;

/// Returns the environment as far as it is text: nothing else can stand in a
/// YAML file.
pub fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Returns where to look for language models that a project's archives name.
pub fn model_folders(project: &Path) -> ModelFolders {
    let named = std::env::var_os(MODEL_FOLDERS_VARIABLE);
    ModelFolders {
        project: project.to_owned(),
        instead: named.filter(|path| !path.is_empty()).map(PathBuf::from),
        is_closed: false,
    }
}

/// Returns whether runs may ask a witness instead of reading files. Where the
/// program does not know itself, they may not.
pub fn witness(verify_inputs: bool) -> WitnessSettings {
    match program() {
        Some(program) if verify_inputs => WitnessSettings::Renew { program },
        Some(program) => WitnessSettings::Ask { program },
        None => WitnessSettings::Off,
    }
}

/// Returns the identity of the program: its file with all stamps. A new build or
/// installation is another one, whatever its version says.
fn program() -> Option<Digest> {
    let path = std::env::current_exe().ok()?;
    let stamp = FileStamp::of(&fs::metadata(&path).ok()?)?;
    let path = path.to_string_lossy();
    let said = format!("{path} {stamp:?} {}", env!("CARGO_PKG_VERSION"));
    Some(Digest::of(said.as_bytes()))
}
