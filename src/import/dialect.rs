//! Which of Rasa's versions a project was written for, where reading differs.
//!
//! | | Rasa 2 | Rasa 3 |
//! |---|---|---|
//! | two files of a domain folder define the same | the later file counts | the earlier file counts |
//! | two paths that were named define the same | the earlier path counts | the earlier path counts |
//! | domain and NLU data define the same response | the domain counts | the NLU data count |
//!
//! Rasa 2 visits the files of a folder in the order of the disk; here they are
//! visited in the order of their paths, as all other files are. What more than
//! one of them lists is sorted by name, whatever the version.

use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// The version of Rasa whose rules a project is merged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Rasa 2.8's rules, for domains in the form of 1.x and 2.0.
    Two,
    /// Rasa 3.6's rules.
    #[default]
    Three,
}

/// What some files say about the version that they were written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Something that only Rasa 1 and 2 know.
    pub old: bool,
    /// Something that only Rasa 3 knows.
    pub new: bool,
}

impl Signs {
    /// Returns what either of two says.
    pub fn and(self, other: Self) -> Self {
        Self {
            old: self.old || other.old,
            new: self.new || other.new,
        }
    }

    /// Returns what a domain file says: its `version`, how slots are filled,
    /// how forms are written, and sections that have other names now.
    pub fn of_domain(root: &Node) -> Self {
        let version = root.get("version").and_then(Node::text).unwrap_or_default();
        let mut signs = Self {
            old: version.starts_with(['0', '1', '2']) || root.get("templates").is_some(),
            new: version.starts_with('3'),
        };
        for slot in entries(root, "slots") {
            signs.new |= slot.value.get("mappings").is_some();
            signs.old |= slot.value.get("mappings").is_none();
        }
        signs.old |=
            matches!(root.get("forms").map(|n| &n.yaml), Some(Yaml::List(l)) if !l.is_empty());
        for form in entries(root, "forms") {
            let slots = form.value.get("required_slots").map(|node| &node.yaml);
            signs.new |= matches!(slots, Some(Yaml::List(_)));
            signs.old |= matches!(slots, Some(Yaml::Map(_)));
        }
        signs
    }

    /// Returns what a config says: `recipe` and `assistant_id` came with Rasa 3.
    pub fn of_config(root: &Node) -> Self {
        Self {
            old: false,
            new: root.get("recipe").is_some() || root.get("assistant_id").is_some(),
        }
    }

    /// Returns the version to go by: Rasa 2 if something is old and nothing new.
    pub fn dialect(self) -> Dialect {
        match self.old && !self.new {
            true => Dialect::Two,
            false => Dialect::Three,
        }
    }
}

fn entries<'n>(root: &'n Node, section: &str) -> &'n [crate::import::yaml::Entry] {
    root.get(section).map(Node::entries).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::import::yaml::Environment;
    use crate::import::yaml::parse;

    #[track_caller]
    fn check(domain: &str, want: Dialect) {
        let values = BTreeMap::new();
        let root = parse(&Arc::new(domain.to_owned()), &mut Environment::new(&values)).unwrap();
        assert_eq!(Signs::of_domain(&root).dialect(), want, "{domain}");
    }

    #[test]
    fn a_domain_without_signs_is_of_the_latest_version() {
        check("intents: [a]", Dialect::Three);
        check("forms: []", Dialect::Three);
        check("forms: {f: {required_slots: [a]}}", Dialect::Three);
    }

    #[test]
    fn a_domain_of_rasa_1_or_2_is_known_by_what_it_holds() {
        check("version: '2.0'", Dialect::Two);
        check("templates: {}", Dialect::Two);
        check("forms: [f]", Dialect::Two);
        check("forms: {f: {required_slots: {a: []}}}", Dialect::Two);
        check("slots: {a: {type: text}}", Dialect::Two);
    }

    #[test]
    fn one_sign_of_rasa_3_outweighs_all_others() {
        check("version: '3.0'\nslots: {a: {type: text}}", Dialect::Three);
        check(
            "version: '2.0'\nslots: {a: {type: text}, b: {type: text, mappings: []}}",
            Dialect::Three,
        );
    }
}
