//! Names that look like others, or break where they are used.

use foldhash::HashMap;
use foldhash::HashMapExt;

use crate::check::about;
use crate::check::lines::Lines;
use crate::check::uses::Uses;
use crate::data::Place;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::diagnostic::shortened;

/// A kind of name, as messages call it.
const KINDS: [&str; 6] = ["intent", "entity", "slot", "form", "response", "action"];

/// Every name of a project with its kind, each kind's names once.
struct Names<'p> {
    by_kind: [HashMap<&'p str, &'p Place>; KINDS.len()],
}

impl<'p> Names<'p> {
    fn of(project: &'p Project, uses: &Uses<'p>) -> Self {
        let domain = &project.domain;
        let [
            mut intents,
            mut entities,
            mut slots,
            mut forms,
            mut responses,
            mut actions,
        ]: [HashMap<&str, &Place>; 6] = std::array::from_fn(|_| HashMap::new());
        intents.extend(domain.intents.iter().map(|i| (i.name.as_str(), &i.place)));
        entities.extend(domain.entities.iter().map(|e| (e.name.as_str(), &e.place)));
        slots.extend(domain.slots.iter().map(|s| (s.name.as_str(), &s.place)));
        forms.extend(domain.forms.iter().map(|f| (f.name.as_str(), &f.place)));
        responses.extend(
            domain
                .response_places
                .0
                .iter()
                .map(|(n, p)| (n.as_str(), p)),
        );
        actions.extend(domain.action_places.0.iter().map(|(n, p)| (n.as_str(), p)));
        let add = |names: &mut HashMap<&'p str, &'p Place>, more: &HashMap<&'p str, &'p Place>| {
            for (name, place) in more {
                names.entry(name).or_insert(place);
            }
        };
        add(&mut intents, &uses.intents);
        add(&mut intents, &uses.example_intents);
        add(&mut entities, &uses.example_entities);
        add(&mut entities, &uses.story_entities);
        add(&mut slots, &uses.slots);
        add(&mut forms, &uses.loops);
        for (name, place) in &uses.actions {
            let known = responses.contains_key(name) || forms.contains_key(name);
            if !known {
                actions.entry(name).or_insert(place);
            }
        }
        Self {
            by_kind: [intents, entities, slots, forms, responses, actions],
        }
    }
}

/// Says what is odd about names.
pub fn check(project: &Project, uses: &Uses<'_>, texts: &SourceMap, said: &mut Vec<Diagnostic>) {
    let names = Names::of(project, uses);
    let mut lines = Lines::new(texts);
    for (kind, names) in KINDS.iter().zip(&names.by_kind) {
        let mut names: Vec<(&str, &Place)> = names.iter().map(|(n, p)| (*n, *p)).collect();
        names.sort_by_key(|(name, _)| *name);
        let mut by_case: HashMap<String, (&str, &Place)> = HashMap::new();
        for (name, place) in names {
            let known = said.len();
            invisible(kind, name, place, said);
            mixed(kind, name, place, said);
            delimiters(kind, name, place, said);
            let first = by_case
                .entry(name.to_lowercase())
                .or_insert_with(|| (name, place));
            if first.0 != name {
                let message = format!(
                    "{kind} `{}` differs from `{}` in upper and lower case alone",
                    shortened(name),
                    shortened(first.0)
                );
                let about = about("W251", place, name, message);
                said.push(about.note(format!("`{}` is at {}", shortened(first.0), first.1)));
            }
            for about in &mut said[known..] {
                lines.narrow_to_name(about, name);
            }
        }
    }
}

/// Characters that nobody sees.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{2000}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}')
        || c.is_control()
}

fn invisible(kind: &str, name: &str, place: &Place, said: &mut Vec<Diagnostic>) {
    let Some(c) = name.chars().find(|c| is_invisible(*c)) else {
        return;
    };
    let message = format!(
        "{kind} `{}` holds the invisible character U+{:04X}",
        shortened(name),
        u32::from(c)
    );
    let help = "type the name anew: the character came in by copying";
    said.push(about("W042", place, name, message).help(help));
}

/// The alphabet of a letter, of those that look alike.
fn alphabet(c: char) -> Option<&'static str> {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => Some("Latin"),
        '\u{370}'..='\u{3ff}' => Some("Greek"),
        '\u{400}'..='\u{52f}' => Some("Cyrillic"),
        '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => Some("full-width Latin"),
        _ => None,
    }
}

/// A word of letters of two alphabets looks like another word.
fn mixed(kind: &str, name: &str, place: &Place, said: &mut Vec<Diagnostic>) {
    if name.is_ascii() {
        return;
    }
    for word in name.split(|c: char| !c.is_alphabetic()) {
        let mut alphabets = word.chars().filter_map(|c| Some((c, alphabet(c)?)));
        let Some((_, first)) = alphabets.next() else {
            continue;
        };
        if let Some((c, other)) = alphabets.find(|(_, other)| *other != first) {
            let shown = shortened(name);
            let message =
                format!("{kind} `{shown}` mixes {first} and {other} letters: `{c}` is {other}");
            said.push(about("W043", place, name, message));
            return;
        }
    }
}

/// Characters that end a name where it is written in a message or annotation.
fn delimiters(kind: &str, name: &str, place: &Place, said: &mut Vec<Diagnostic>) {
    let breaks: &[char] = match kind {
        "intent" => &[' ', '\t', '{', '}', '/', '@', '"'],
        "entity" => &[':', '(', ')', '{', '}', '#', '"'],
        "slot" => &['{', '}', '\n'],
        _ => return,
    };
    let Some(c) = name.chars().find(|c| breaks.contains(c)) else {
        return;
    };
    let shown = shortened(name);
    if name.contains(" - ") {
        let message = format!("{kind} `{shown}` looks like two entries of a list");
        let help = "the second line is indented further than the first, so it goes on with it";
        said.push(about("W252", place, name, message).help(help));
        return;
    }
    let where_it_ends = match kind {
        "intent" => "messages such as `/intent{\"entity\": \"value\"}`",
        "entity" => "annotations such as `[text](entity:value)`",
        _ => "texts such as `Hello {slot}`",
    };
    let message = format!("{kind} `{shown}` holds `{c}`, which ends a name in {where_it_ends}");
    said.push(about("W252", place, name, message).help("use letters, digits, `_` and `-`"));
}
