//! What is written is what is read, and how it is written makes no difference:
//! line ends, marks, comments, the order of keys, entries and files.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use tabella::data::Project;
use tabella::diagnostic::has_errors;
use tabella::digest::Digest;
use tabella::import::Imported;
use tabella::import::import_texts;

fn import(files: &[(String, String)]) -> Imported {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    let imported = import_texts(&files).unwrap();
    let said = &imported.diagnostics;
    assert!(!has_errors(said), "{said:#?} in {files:#?}");
    imported
}

/// Keys are made of this; names of stories and places are not in it.
fn json(project: &Project) -> String {
    serde_json::to_string_pretty(project).unwrap()
}

// ---- Values ---------------------------------------------------------------

/// Texts without what Rasa reads as variables and escapes, and without what
/// was a line end before YAML 1.2.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "", " ", "~", "null", "yes", "true", "1", "1.0", "0x1", "-", "- a", "a: b", "a #b", "#",
        "[", "{a}", "'", "\"", "a\nb", "a\n", "\na", " a ", "a\n\n b", "&a", "*a", "!t", "%", "@",
        "`", ">", "|", "?", "a\tb", "---", "...", "<<", "é", "日本", "🍕", "e\u{301}", "\u{a0}",
    ]);
    prop_oneof![odd.prop_map(str::to_owned), "[a-zé ,:#'\\[-]{0,12}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1000..1000i32).prop_map(|n| Value::from(f64::from(n) / 8.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Keys: any text but the one that merges maps.
fn key() -> impl Strategy<Value = String> {
    text().prop_filter("merges", |key| key != "<<")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_another_program_writes_is_read_as_it_was(
        values in prop::collection::btree_map("x[a-z]{1,3}", value(), 1..4)
    ) {
        let yaml = serde_yaml::to_string(&values).unwrap();
        let json = serde_json::to_string_pretty(&values).unwrap();
        for written in [yaml, json] {
            let imported = import(&[("config.yml".to_owned(), written.clone())]);
            let read: BTreeMap<String, Value> = imported.project.config.other;
            prop_assert_eq!(&read, &values, "{}", written);
        }
    }
}

// ---- Ways of writing ------------------------------------------------------

/// The entries of a project's sections, each in two orders of its keys.
#[derive(Clone, Debug)]
struct Entries {
    nlu: Vec<[String; 2]>,
    stories: Vec<[String; 2]>,
    responses: Vec<[String; 2]>,
}

fn entries() -> impl Strategy<Value = Entries> {
    let phrase = "[a-zé]{1,6}( [a-zé]{1,6}| \\[[a-z]{1,5}\\]\\(city\\)){0,3}";
    let nlu = prop::collection::vec(prop::collection::vec(phrase, 1..4), 1..6);
    let turn = (0..4usize, 0..4usize, any::<bool>());
    let stories = prop::collection::vec(prop::collection::vec(turn, 1..4), 1..6);
    let responses = prop::collection::vec(prop::collection::vec("[a-zé!, ]{1,9}x", 1..3), 1..5);
    (nlu, stories, responses).prop_map(|(nlu, stories, responses)| Entries {
        nlu: nlu.iter().enumerate().map(|(n, e)| intent(n, e)).collect(),
        stories: stories
            .iter()
            .enumerate()
            .map(|(n, t)| story(n, t))
            .collect(),
        responses: responses
            .iter()
            .enumerate()
            .map(|(n, t)| response(n, t))
            .collect(),
    })
}

fn intent(number: usize, examples: &[String]) -> [String; 2] {
    let lines: String = examples.iter().map(|e| format!("    - {e}\n")).collect();
    [
        format!("- intent: i{}\n  examples: |\n{lines}", number % 4),
        format!("- examples: |\n{lines}  intent: i{}\n", number % 4),
    ]
}

fn story(number: usize, turns: &[(usize, usize, bool)]) -> [String; 2] {
    let mut steps = String::new();
    for (intent, action, is_or) in turns {
        steps += &match is_or {
            true => format!("  - or:\n    - intent: i{intent}\n    - intent: i0\n"),
            false => format!("  - intent: i{intent}\n"),
        };
        steps += &format!("  - action: action_{action}\n");
    }
    [
        format!("- story: s{number}\n  steps:\n{steps}"),
        format!("- steps:\n{steps}  story: s{number}\n"),
    ]
}

fn response(number: usize, texts: &[String]) -> [String; 2] {
    let write = |swapped: bool| {
        let mut entry = format!("  utter_{number}:\n");
        for text in texts {
            entry += &match swapped {
                false => format!("  - text: \"{text}\"\n    image: x\n"),
                true => format!("  - image: x\n    text: '{text}'\n"),
            };
        }
        entry
    };
    [write(false), write(true)]
}

/// How a project is written.
#[derive(Clone, Debug)]
struct Manner {
    /// Where in each list an entry goes, and whether its keys change places.
    places: Vec<(Index, bool)>,
    file_count: usize,
    crlf: bool,
    mark: bool,
    comments: bool,
}

fn manner() -> impl Strategy<Value = Manner> {
    let places = prop::collection::vec((any::<Index>(), any::<bool>()), 8);
    (places, 1..4usize, any::<[bool; 3]>()).prop_map(|(places, file_count, flags)| Manner {
        places,
        file_count,
        crlf: flags[0],
        mark: flags[1],
        comments: flags[2],
    })
}

impl Manner {
    /// Returns the entries in some order, each written in some way.
    fn arrange(&self, entries: &[[String; 2]]) -> Vec<String> {
        let mut arranged = Vec::new();
        for (entry, (place, swapped)) in entries.iter().zip(self.places.iter().cycle()) {
            let at = place.index(arranged.len() + 1);
            arranged.insert(at, entry[usize::from(*swapped)].clone());
        }
        arranged
    }

    /// Writes a section into some files.
    fn section(&self, head: &str, entries: &[[String; 2]], name: &str) -> Vec<(String, String)> {
        let entries = self.arrange(entries);
        let size = entries.len().div_ceil(self.file_count);
        let files = entries.chunks(size).enumerate();
        files
            .map(|(number, entries)| {
                let number = if self.crlf { 9 - number } else { number };
                let between = if self.comments { "# a: b\n\n" } else { "" };
                let text = format!("{between}{head}{between}{}", entries.join(between));
                (format!("data/{name}{number}.yml"), self.dress(text))
            })
            .collect()
    }

    fn dress(&self, text: String) -> String {
        let text = match self.crlf {
            true => text.replace('\n', "\r\n"),
            false => text,
        };
        match self.mark {
            true => format!("\u{feff}{text}"),
            false => text,
        }
    }

    /// Writes a domain into three files: `parts` says which entry is in which,
    /// `names` what they are called.
    fn domain(&self, parts: &[usize], names: &[&str; 3]) -> Vec<(String, String)> {
        const SECTIONS: [&str; 5] = ["entities", "actions", "e2e_actions", "slots", "forms"];
        let mut texts = [const { String::new() }; 3];
        for (number, section) in SECTIONS.iter().enumerate() {
            let entries: Vec<usize> = (0..parts.len()).filter(|n| n % 5 == number).collect();
            for (file, text) in texts.iter_mut().enumerate() {
                let own = entries.iter().filter(|n| parts[**n] == file);
                let own: String = own.map(|n| domain_entry(section, *n)).collect();
                if !own.is_empty() {
                    *text += &format!("{section}:\n{own}");
                }
            }
        }
        let files = names.iter().zip(texts);
        let named = files.map(|(name, text)| (format!("domain/{name}.yml"), self.dress(text)));
        named.collect()
    }

    fn project(&self, entries: &Entries) -> Vec<(String, String)> {
        let mut files = self.section("nlu:\n", &entries.nlu, "nlu");
        files.extend(self.section("stories:\n", &entries.stories, "stories"));
        let responses = self.arrange(&entries.responses).concat();
        let domain = format!(
            "version: \"3.1\"\nintents: [i0, i1, i2, i3]\nentities:\n- city\nactions:\n- action_0\n\
             - action_1\n- action_2\n- action_3\nresponses:\n{responses}"
        );
        files.push(("domain.yml".to_owned(), self.dress(domain)));
        files
    }
}

/// Writes an entry of a section of a domain. Some actions are forms, too.
fn domain_entry(section: &str, number: usize) -> String {
    let name = ["n", "e", "zz", "a"][number % 4];
    match section {
        "slots" => format!("  {name}{number}: {{type: text, mappings: []}}\n"),
        "forms" => format!("  {name}{number}: {{required_slots: []}}\n"),
        "actions" => format!("- {name}{}\n", number + 3 * (number % 2)),
        _ => format!("- {name}{number}\n"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_the_files_of_a_domain_are_called_makes_no_difference(
        parts in prop::collection::vec(0..3usize, 0..30),
        names in Just(["a", "b", "c"]).prop_shuffle(),
        manner in manner(),
    ) {
        let one = import(&manner.domain(&parts, &["a", "b", "c"])).project;
        let other = import(&manner.domain(&parts, &names)).project;
        prop_assert_eq!(json(&one), json(&other));
        prop_assert_eq!(Digest::of_value(&one), Digest::of_value(&other));
    }

    #[test]
    fn how_a_project_is_written_makes_no_difference(
        entries in entries(),
        one in manner(),
        other in manner(),
    ) {
        let one = import(&one.project(&entries)).project;
        let other = import(&other.project(&entries)).project;
        prop_assert_eq!(json(&one), json(&other));
        prop_assert_eq!(Digest::of_value(&one), Digest::of_value(&other));
    }

    #[test]
    fn another_example_makes_a_difference(entries in entries(), manner in manner()) {
        let before = import(&manner.project(&entries)).project;
        let mut more = entries;
        more.nlu.push(intent(0, &["zzzzzzz".to_owned()]));
        let after = import(&manner.project(&more)).project;
        prop_assert_ne!(Digest::of_value(&before.nlu), Digest::of_value(&after.nlu));
        prop_assert_eq!(Digest::of_value(&before.stories), Digest::of_value(&after.stories));
    }
}
