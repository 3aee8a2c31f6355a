//! What a training read, as make and ninja want it: a rule without recipe.
//!
//! Everything that was looked at is a prerequisite: files, tables that a file
//! names, and folders, whose time changes when something appears in them. Where
//! nothing was found, that is the nearest folder above.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use clap::Args;
use clap::ValueEnum;

use crate::api::Notice;
use crate::api::TrainError;
use crate::cli::output::locked;
use crate::import::Looks;
use crate::import::Seen;

/// Flags about the list of files that were read.
#[derive(Clone, Debug, Args)]
pub struct DepfileFlags {
    /// Write what was read as a rule for make or ninja, after a training that succeeds
    #[arg(long, value_name = "FILE", global = true, conflicts_with_all = ["names", "all", "watch"])]
    pub depfile: Option<PathBuf>,
    /// What the rule makes [default: the archive]
    #[arg(long, value_name = "NAME", global = true, requires = "depfile")]
    pub depfile_target: Option<String>,
    /// Who reads the rule
    #[arg(
        long,
        value_name = "PROGRAM",
        global = true,
        requires = "depfile",
        default_value = "make"
    )]
    pub depfile_format: DepfileFormat,
}

/// Who reads a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DepfileFormat {
    /// GNU make: a file that is gone is no mistake.
    Make,
    /// Ninja, with `deps = gcc`.
    Ninja,
}

/// Listens to what a training looks at.
#[derive(Clone, Debug, Default)]
pub struct Depfile(Arc<Mutex<Option<Arc<Looks>>>>);

impl Depfile {
    /// Hears a notice.
    pub fn hear(&self, notice: &Notice) {
        if let Notice::LookedAt(looks) = notice {
            *locked(&self.0) = Some(Arc::clone(looks));
        }
    }

    /// Writes the rule, as a whole or not at all.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, flags: &DepfileFlags, archive: Option<&Path>) -> Result<(), TrainError> {
        let (Some(path), Some(looks)) = (&flags.depfile, locked(&self.0).take()) else {
            return Ok(());
        };
        let archive = archive.map(|path| path.to_string_lossy().into_owned());
        let target = flags.depfile_target.clone().or(archive);
        let text = rule(
            &target.unwrap_or_default(),
            &prerequisites(&looks),
            flags.depfile_format,
        );
        replace(path, &text).map_err(|source| TrainError::Write {
            path: path.clone(),
            source,
        })
    }
}

/// Writes a file beside its place and moves it there.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let done = fs::write(&new, text).and_then(|()| fs::rename(&new, path));
    if done.is_err() {
        let _ = fs::remove_file(&new);
    }
    done
}

/// Returns the files and folders that the result depends on.
fn prerequisites(looks: &Looks) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for (path, look) in &looks.seen {
        match look.seen {
            Seen::Nothing => all.extend(nearest_folder(path)),
            _ if path.as_os_str().is_empty() => _ = all.insert(PathBuf::from(".")),
            _ => _ = all.insert(path.clone()),
        }
    }
    // A file that is also a link is looked at where it leads to.
    all
}

fn nearest_folder(path: &Path) -> Option<PathBuf> {
    let folder = path
        .ancestors()
        .skip(1)
        .find(|folder| match folder.as_os_str().is_empty() {
            true => true,
            false => folder.is_dir(),
        })?;
    Some(match folder.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => folder.to_owned(),
    })
}

/// Returns the rule. A name with a line end, which no rule can have, is left out:
/// its folder is there.
fn rule(target: &str, prerequisites: &BTreeSet<PathBuf>, format: DepfileFormat) -> String {
    let names: Vec<String> = prerequisites
        .iter()
        .map(|path| path.to_string_lossy())
        .filter(|name| !name.contains(['\n', '\r', char::REPLACEMENT_CHARACTER]))
        .map(|name| escaped(&name))
        .collect();
    let mut text = format!("{}:", escaped(target));
    for name in &names {
        let _ = write!(text, " \\\n  {name}");
    }
    text.push('\n');
    if format == DepfileFormat::Make {
        // Without these, make takes a file that is gone for a mistake.
        for name in &names {
            let _ = write!(text, "\n{name}:\n");
        }
    }
    text
}

/// Returns a name as rules have it.
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '$' => escaped.push_str("$$"),
            ' ' | '#' | ':' | '*' | '?' | '[' | ']' | '\\' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_make_bears_the_loss_of_each_file() {
        let names = ["a b.yml", "c#$d", "x\ny"].map(PathBuf::from).into();
        assert_eq!(
            rule("m.gz", &names, DepfileFormat::Make),
            "m.gz: \\\n  a\\ b.yml \\\n  c\\#$$d\n\na\\ b.yml:\n\nc\\#$$d:\n"
        );
        assert_eq!(
            rule("m.gz", &names, DepfileFormat::Ninja),
            "m.gz: \\\n  a\\ b.yml \\\n  c\\#$$d\n"
        );
    }
}
