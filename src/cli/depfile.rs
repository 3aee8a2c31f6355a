//! What a training read, as make and ninja want it: a rule without recipe.
//!
//! Everything that was looked at is a prerequisite: files, tables that a file
//! names, and folders, whose time changes when something appears in them. Where
//! nothing was found, that is the nearest folder above.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use clap::Args;
use clap::ValueEnum;

use crate::api::Notice;
use crate::api::TrainError;
use crate::cli::output::locked;
use crate::cli::replace::replace;
use crate::import::Looks;
use crate::import::Seen;

/// Flags about the list of files that were read.
#[derive(Clone, Debug, Args)]
pub struct DepfileFlags {
    /// Write what was read as a rule for make or ninja, after a training that succeeds; relative to where the program runs
    #[arg(long, value_name = "FILE", global = true)]
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
        let failed = |source| TrainError::Write {
            path: path.clone(),
            source,
        };
        let prerequisites = prerequisites(&looks);
        let rule = Rule {
            format: flags.depfile_format,
            target: &target.unwrap_or_default(),
        };
        replace(path, rule.text(&prerequisites).as_bytes()).map_err(failed)
    }
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

/// A prerequisite that never exists: its rule always runs. It stands for names
/// that rules cannot have.
const NEVER: &str = ".tabella-cannot-name-a-file";

/// A rule for one target.
struct Rule<'a> {
    format: DepfileFormat,
    target: &'a str,
}

impl Rule<'_> {
    fn text(&self, prerequisites: &BTreeSet<PathBuf>) -> String {
        let written: Vec<Option<String>> = prerequisites
            .iter()
            .map(|path| self.escaped(path.to_str()?))
            .collect();
        let mut names: Vec<&str> = written.iter().flatten().map(String::as_str).collect();
        if names.len() < written.len() {
            names.push(NEVER);
        }
        let target = self.escaped(self.target);
        let mut text = format!("{}:", target.as_deref().unwrap_or(NEVER));
        for name in &names {
            let _ = write!(text, " \\\n  {name}");
        }
        text.push('\n');
        if self.format == DepfileFormat::Make {
            // Without these, make takes a file that is gone for a mistake.
            for name in &names {
                let _ = write!(text, "\n{name}:\n");
            }
        }
        text
    }

    /// Returns a name as a rule has it; none if it would mean something else
    /// there: an assignment, a pattern, another command.
    fn escaped(&self, name: &str) -> Option<String> {
        let mut escaped = String::with_capacity(name.len());
        for letter in name.chars() {
            match letter {
                '$' => escaped.push_str("$$"),
                ' ' | '#' => {
                    escaped.push('\\');
                    escaped.push(letter);
                }
                letter if letter.is_alphanumeric() || "._-+@/,".contains(letter) => {
                    escaped.push(letter);
                }
                _ => return None,
            }
        }
        Some(escaped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_make_bears_the_loss_of_each_file() {
        let names = ["a b.yml", "c#$d", "größe.yml"].map(PathBuf::from).into();
        let rule = |format| Rule {
            format,
            target: "m.gz",
        };
        assert_eq!(
            rule(DepfileFormat::Make).text(&names),
            "m.gz: \\\n  a\\ b.yml \\\n  c\\#$$d \\\n  größe.yml\n\na\\ b.yml:\n\nc\\#$$d:\n\ngröße.yml:\n"
        );
        assert_eq!(
            rule(DepfileFormat::Ninja).text(&names),
            "m.gz: \\\n  a\\ b.yml \\\n  c\\#$$d \\\n  größe.yml\n"
        );
    }

    #[test]
    fn a_name_that_would_mean_something_else_is_not_written() {
        let rule = Rule {
            format: DepfileFormat::Ninja,
            target: "m.gz",
        };
        for name in [
            "b!=id;x", "a\nb", "x=y", "n\\o", "w*", "a:b", "a%b", "lib(x)", "a|b", "a\tb",
        ] {
            let names = [name, "ok"].map(PathBuf::from).into();
            let text = format!("m.gz: \\\n  ok \\\n  {NEVER}\n");
            assert_eq!(rule.text(&names), text);
        }
    }
}
