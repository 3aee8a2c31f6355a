//! The variants of an assistant: one for each of its configs, each with a name
//! and a place for its models of its own.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use crate::data::Member;
use crate::data::Place;
use crate::diagnostic::Diagnostic;
use crate::import::workspace::Reader;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// What stands between the name of an assistant and that of its variant.
const MARK: char = '@';

/// Names that are commands: `tabella train nlu` trains the NLU half.
const COMMANDS: [&str; 2] = ["nlu", "core"];

/// How a path ends that is an archive and no folder of archives.
const ARCHIVE: &str = ".tar.gz";

/// A config, and the name of the variant that it gives if one was written.
#[derive(Clone, Debug)]
pub struct NamedConfig {
    name: Option<String>,
    path: PathBuf,
}

impl NamedConfig {
    /// Returns a config that gives no variant when it is the only one.
    pub fn unnamed(path: PathBuf) -> Self {
        Self { name: None, path }
    }

    /// Returns the name of its variant: the one written, or the file's without
    /// its suffix.
    fn variant(&self) -> String {
        let stem = || self.path.file_stem().unwrap_or_default().to_string_lossy();
        self.name.clone().unwrap_or_else(|| stem().into_owned())
    }
}

/// An assistant as it is listed, before it becomes one member for each config.
pub struct Listed {
    /// What it has in common with its variants: all but config and place of the
    /// models, which is that of the assistant.
    pub member: Member,
    /// Its configs.
    pub configs: Vec<NamedConfig>,
    /// Whether a pattern found it.
    pub by_pattern: bool,
}

impl Reader<'_> {
    /// Reads one config, a list of them, or a map of variants' names to configs.
    pub fn configs(&mut self, node: Option<&Node>, folder: &Path) -> Vec<NamedConfig> {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        if !matches!(node.yaml, Yaml::Map(_)) {
            let paths = self.paths(Some(node), "`config`", folder).into_iter();
            return paths.map(NamedConfig::unnamed).collect();
        }
        let mut configs = Vec::new();
        for entry in node.entries() {
            let name = entry.key.as_str().to_owned();
            if let Some(why) = why_not(&name) {
                let place = self.reading.place(&entry.at);
                self.refuse_name(&name, why, place);
            }
            if let Some(path) = self.existing_path(&entry.value, "`config`", folder) {
                let name = Some(name);
                configs.push(NamedConfig { name, path });
            }
        }
        configs
    }

    /// Returns one member for each config of each assistant.
    pub fn variants(&mut self, listed: Vec<Listed>) -> Vec<Member> {
        let mut members = Vec::with_capacity(listed.len());
        for one in listed {
            let Listed {
                member, configs, ..
            } = one;
            if let Some(why) = why_not(&member.name) {
                self.refuse_name(&member.name, why, member.place.clone());
            }
            match configs.as_slice() {
                [NamedConfig { name: None, path }] => {
                    let config = path.clone();
                    members.push(Member { config, ..member });
                }
                configs => {
                    self.check_variants(&member, configs);
                    let variants = configs.iter().map(|config| variant(&member, config));
                    members.extend(variants);
                }
            }
        }
        members.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
        members.dedup_by(|b, a| a.name == b.name);
        self.check_outputs(&members);
        members
    }

    /// Refuses two variants of one name, and names that no file can give.
    fn check_variants(&mut self, member: &Member, configs: &[NamedConfig]) {
        let mut known: HashMap<String, &Path> = HashMap::new();
        for config in configs {
            let name = config.variant();
            if config.name.is_none()
                && let Some(why) = why_not(&name)
            {
                self.refuse_name(&name, why, member.place.clone());
            }
            let Some(first) = known.insert(name.clone(), &config.path) else {
                continue;
            };
            let what = format!("two variants of `{}` are called `{name}`", member.name);
            let [a, b] = [first, &config.path].map(Path::display);
            let about = Diagnostic::new("E709", member.place.clone(), what)
                .note(format!("`{a}` and `{b}`"))
                .help("name them: `config: {small: one.yml, large: another.yml}`");
            self.reading.diagnostics.push(about);
        }
    }

    fn refuse_name(&mut self, name: &str, why: String, place: Place) {
        let what = format!("`{name}` cannot be a name: {why}");
        let about = Diagnostic::new("E710", place, what)
            .help("give it another one: `- {path: bots/bot, name: helper}`");
        self.reading.diagnostics.push(about);
    }

    /// Refuses two members that write their models to one folder: `latest.json`
    /// there names the model of one.
    fn check_outputs(&mut self, members: &[Member]) {
        let mut known: HashMap<&Path, &Member> = HashMap::new();
        for member in members {
            let folder = folder_of(&member.out);
            let Some(first) = known.insert(folder, member) else {
                continue;
            };
            let what = format!(
                "`{}` and `{}` write their models to the same folder, `{}`",
                first.name,
                member.name,
                folder.display()
            );
            let about = Diagnostic::new("E711", member.place.clone(), what)
                .help("give one of them another `out`");
            self.reading.diagnostics.push(about);
        }
    }
}

/// Returns the member that a config makes of an assistant.
fn variant(member: &Member, config: &NamedConfig) -> Member {
    let name = config.variant();
    Member {
        out: out_of(&member.out, &name),
        name: format!("{}{MARK}{name}", member.name),
        config: config.path.clone(),
        ..member.clone()
    }
}

/// Returns where the models of a variant go: to a folder of its own, below the
/// assistant's.
fn out_of(out: &Path, variant: &str) -> PathBuf {
    let folder = folder_of(out);
    match out.strip_prefix(folder) {
        Ok(archive) if folder != out => folder.join(variant).join(archive),
        _ => out.join(variant),
    }
}

/// Returns the folder that models are written to, by the path of an archive in it
/// or its own.
fn folder_of(out: &Path) -> &Path {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    match (name.ends_with(ARCHIVE), out.parent()) {
        (true, Some(folder)) => folder,
        _ => out,
    }
}

/// Returns why something cannot be the name of an assistant or a variant: it
/// has to be one argument, no pattern, and the name of a folder.
fn why_not(name: &str) -> Option<String> {
    if COMMANDS.contains(&name) {
        return Some(format!("`tabella train {name}` trains one half"));
    }
    if name.starts_with(['-', '.']) {
        return Some("it starts with `-` or `.`".to_owned());
    }
    let is_taken = |letter: &char| "@*?/\\".contains(*letter) || letter.is_control();
    let letter = name.chars().find(is_taken)?;
    Some(format!("it has {letter:?} in it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_arguments_and_folders() {
        for name in ["bot", "my bot", "böt-2", "v1.2", "nlu2"] {
            assert_eq!(why_not(name), None, "{name}");
        }
        for name in ["nlu", "core", "-x", ".x", "..", "a@b", "a/b", "a*", "a\n"] {
            assert!(why_not(name).is_some(), "{name}");
        }
    }

    #[test]
    fn each_variant_has_a_place_of_its_own() {
        let out = |path: &str| out_of(Path::new(path), "small");
        assert_eq!(out("bots/a/models"), Path::new("bots/a/models/small"));
        assert_eq!(out("models/a.tar.gz"), Path::new("models/small/a.tar.gz"));
    }
}
