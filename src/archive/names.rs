//! Which paths may stand in an archive, and what an archive's own file is called.

use std::path::Path;
use std::path::PathBuf;

use crate::archive::ArchiveError;
use crate::archive::Flaw;
use crate::archive::TrainingType;
use crate::digest::Digest;

/// What every archive's file name ends in.
pub(super) const EXTENSION: &str = ".tar.gz";

/// A ustar header holds a name of this many bytes.
const PATH_BYTES_MAX: usize = 100;

/// File systems hold names of this many bytes; a temporary name is longer than
/// the final one.
const MODEL_NAME_BYTES_MAX: usize = 200;

/// Where an entry belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Below `core/`.
    Core,
    /// Below `nlu/`.
    Nlu,
    /// One of the three documents.
    Document,
}

/// The documents at the top of an archive.
pub(super) const FINGERPRINT: &str = "fingerprint.json";
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const METADATA: &str = "metadata.json";

/// Says to which part of the archive `path` belongs.
///
/// # Errors
///
/// If the path may not stand in an archive.
pub(super) fn part_of(path: &str) -> Result<Part, Flaw> {
    let refuse = |reason| {
        Err(Flaw::Path {
            path: path.to_owned(),
            reason,
        })
    };
    if path.is_empty() {
        return refuse("is empty");
    }
    if path.len() > PATH_BYTES_MAX {
        return refuse("is longer than 100 bytes");
    }
    if path.starts_with('/') {
        return refuse("is absolute");
    }
    if path.contains(['\\', ':']) || path.chars().any(char::is_control) {
        return refuse("has `\\`, `:` or a control character");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse("has an empty, `.` or `..` part");
    }
    let part = match path.split_once('/') {
        Some(("core", _)) => Part::Core,
        Some(("nlu", _)) => Part::Nlu,
        None if matches!(path, FINGERPRINT | MANIFEST | METADATA) => return Ok(Part::Document),
        _ => return refuse("is not one that an archive has"),
    };
    if !path.ends_with(".json") && !path.ends_with(".safetensors") {
        return refuse("is neither `.json` nor `.safetensors`");
    }
    Ok(part)
}

/// Returns where the archive of a model goes.
///
/// - `out` that ends in `.tar.gz` is the path itself (Rasa 2.x).
/// - `fixed_name` gets `.tar.gz` unless it ends so, and no prefix (Rasa 3).
/// - Otherwise the name is made of content: the prefix of `kind` and the first
///   16 hex digits of `digest`, the digest of the model's manifest.
///
/// Differs from Rasa: without `fixed_name` Rasa names the archive by the clock,
/// so that every run makes another file; a name made of content lets make and
/// CI see that nothing changed. Rasa 3 also cuts `my.model` to `my`.
///
/// # Errors
///
/// If `fixed_name` is not a plain file name.
pub fn archive_path(
    out: &Path,
    fixed_name: Option<&str>,
    kind: TrainingType,
    digest: &Digest,
) -> Result<PathBuf, ArchiveError> {
    if out.to_string_lossy().ends_with(EXTENSION) {
        return Ok(out.to_owned());
    }
    let name = match fixed_name {
        Some(name) => fixed_file_name(name)?,
        None => {
            let hex = digest.to_string();
            format!("{}{}{EXTENSION}", kind.name_prefix(), &hex[..16])
        }
    };
    Ok(out.join(name))
}

/// Returns the file name that `--fixed-model-name name` asks for.
fn fixed_file_name(name: &str) -> Result<String, ArchiveError> {
    let refuse = |reason| {
        Err(ArchiveError::ModelName {
            name: name.to_owned(),
            reason,
        })
    };
    if name.is_empty() || name == EXTENSION {
        return refuse("must not be empty");
    }
    if name.contains(['/', '\\']) {
        return refuse("must not have a path separator (use `--out` for the folder)");
    }
    if name.starts_with('.') {
        return refuse("must not start with a dot");
    }
    if name.chars().any(char::is_control) || name.contains(':') {
        return refuse("must not have `:` or a control character");
    }
    if name.len() > MODEL_NAME_BYTES_MAX {
        return refuse("must not be longer than 200 bytes");
    }
    if name.ends_with(EXTENSION) {
        Ok(name.to_owned())
    } else {
        Ok(format!("{name}{EXTENSION}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_name_gets_the_ending_once() {
        assert_eq!(fixed_file_name("m").unwrap(), "m.tar.gz");
        assert_eq!(fixed_file_name("m.tar.gz").unwrap(), "m.tar.gz");
        assert_eq!(fixed_file_name("my.model").unwrap(), "my.model.tar.gz");
        assert_eq!(fixed_file_name("v1..2").unwrap(), "v1..2.tar.gz");
    }

    #[test]
    fn a_fixed_name_is_a_plain_file_name() {
        for name in [
            "", ".tar.gz", "a/b", "..", "../m", "a\\b", ".m", "a\nb", "c:m",
        ] {
            let error = fixed_file_name(name).unwrap_err().to_string();
            assert!(
                error.starts_with("a model name must not"),
                "{name:?}: {error}"
            );
            assert!(error.ends_with(&format!("`{name}`")), "{name:?}: {error}");
        }
        assert!(fixed_file_name(&"x".repeat(201)).is_err());
    }

    #[test]
    fn a_name_without_a_fixed_one_is_made_of_kind_and_content() {
        let digest = Digest::of(b"model");
        let hex = &digest.to_string()[..16];
        let name = |kind| {
            let path = archive_path(Path::new("models"), None, kind, &digest).unwrap();
            path.to_str().unwrap().to_owned()
        };
        assert_eq!(name(TrainingType::Both), format!("models/{hex}.tar.gz"));
        assert_eq!(name(TrainingType::Nlu), format!("models/nlu-{hex}.tar.gz"));
        assert_eq!(
            name(TrainingType::Core),
            format!("models/core-{hex}.tar.gz")
        );
    }

    #[test]
    fn an_out_that_ends_in_tar_gz_is_the_file_itself() {
        let out = Path::new("out/x.tar.gz");
        let digest = Digest::of(b"model");
        let path = archive_path(out, Some("y"), TrainingType::Nlu, &digest).unwrap();
        assert_eq!(path, out);
    }

    #[test]
    fn paths_stay_inside_the_archive() {
        assert_eq!(part_of("nlu/a.json").unwrap(), Part::Nlu);
        assert_eq!(part_of("core/policy_0/w.safetensors").unwrap(), Part::Core);
        assert_eq!(part_of("metadata.json").unwrap(), Part::Document);
        for path in [
            "",
            "/nlu/a.json",
            "nlu/../a.json",
            "nlu//a.json",
            "nlu/./a.json",
            "nlu",
            "nlu/",
            "nlu\\a.json",
            "nlu/a.pkl",
            "nlu/a.json/",
            "other/a.json",
            "other.json",
            "c:/a.json",
            "nlu/a\0.json",
            "nlu/a.json\n",
            "./nlu/a.json",
        ] {
            assert!(part_of(path).is_err(), "{path:?}");
        }
        assert!(part_of(&format!("nlu/{}.json", "x".repeat(91))).is_ok());
        assert!(part_of(&format!("nlu/{}.json", "x".repeat(92))).is_err());
    }
}
