//! Finds where a mistake was made that the parser noticed only later: it takes a key
//! without its colon for the first of several lines of words, and what follows for
//! the mistake.

use crate::import::yaml::hint::NO_TABS;
use crate::import::yaml::lenient::COMPLAINT;
use crate::import::yaml::quotes;
use crate::import::yaml::tree::At;

/// Where a mistake was made, what it is, and what to do about it.
#[derive(Debug, PartialEq)]
pub struct Cause {
    /// The place.
    pub at: At,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub help: String,
}

/// Keys of the items of lists: one that stands behind a dash and lacks its colon is
/// known by its name.
const ITEM_KEYS: [&str; 18] = [
    "action",
    "active_loop",
    "bot",
    "checkpoint",
    "custom",
    "intent",
    "lookup",
    "name",
    "or",
    "regex",
    "rule",
    "slot_was_set",
    "story",
    "synonym",
    "text",
    "title",
    "type",
    "user",
];

/// Keys of lists, which may start in the column of their key.
const LIST_KEYS: [&str; 18] = [
    "actions",
    "buttons",
    "condition",
    "conditions",
    "entities",
    "ignored_intents",
    "intents",
    "mappings",
    "nlu",
    "or",
    "pipeline",
    "policies",
    "required_slots",
    "rules",
    "slot_was_set",
    "steps",
    "stories",
    "values",
];

/// Words of complaints about the order of lines and columns.
const OF_ORDER: [&str; 7] = [
    "expected key",
    "indentation",
    "indented",
    "simple key",
    "mapping values",
    "'-' indicator",
    "sequence entries",
];

/// Code points of a line that messages show.
const SHOWN: usize = 60;

/// Returns what may be behind a complaint of the parser about a place, if that can
/// be told. Of two lines that could be wrong the first is named.
pub fn cause(text: &str, at: At, complaint: &str) -> Option<Cause> {
    // That is mended, where it can be.
    if complaint.contains(COMPLAINT) {
        return None;
    }
    if let Some(found) = conflict(text) {
        return Some(found);
    }
    if complaint.contains("trailing content after double-quoted") {
        return quotes::cause(text, at);
    }
    if !OF_ORDER.iter().any(|known| complaint.contains(known)) {
        return None;
    }
    let lines = Near::of(text, at)?;
    tab(&lines)
        .or_else(|| dash(&lines, complaint))
        .or_else(|| item(&lines))
        .or_else(|| colon(&lines, complaint))
        .or_else(|| behind_brackets(&lines, complaint))
}

/// The marks that git leaves of two changes of the same lines.
fn conflict(text: &str) -> Option<Cause> {
    let mut lines = text.split('\n').zip(1..);
    let (first, line) = lines.find(|(line, _)| is_mark(line, "<<<<<<<"))?;
    lines.find(|(line, _)| is_mark(line, ">>>>>>>"))?;
    Some(Cause {
        at: At {
            line,
            column: 1,
            length: first.trim_end().chars().count() as u32,
        },
        what: "a conflict of two changes is not settled here".to_owned(),
        help:
            "keep what is right of both, and take the lines `<<<<<<<`, `=======` and `>>>>>>>` away"
                .to_owned(),
    })
}

fn is_mark(line: &str, mark: &str) -> bool {
    let rest = line.strip_prefix(mark);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The line that the parser complains about and the one above that says something.
struct Near<'t> {
    above: Option<Line<'t>>,
    here: Line<'t>,
    /// The column of the complaint, from 1.
    column: u32,
}

/// A line, its number, and what stands in it behind the blanks.
#[derive(Clone, Copy)]
struct Line<'t> {
    number: u32,
    indent: &'t str,
    content: &'t str,
}

impl<'t> Near<'t> {
    fn of(text: &'t str, at: At) -> Option<Self> {
        let mut above = None;
        for (line, number) in text.split('\n').zip(1..=at.line) {
            let content = line.trim_start_matches([' ', '\t']);
            let indent = &line[..line.len() - content.len()];
            let content = content.trim_end();
            let line = Line {
                number,
                indent,
                content,
            };
            if number == at.line {
                return Some(Self {
                    above,
                    here: line,
                    column: at.column,
                });
            }
            if !content.is_empty() && !content.starts_with('#') {
                above = Some(line);
            }
        }
        None
    }
}

impl Line<'_> {
    fn width(&self) -> usize {
        self.indent.chars().count()
    }

    /// Returns the place of what stands in it.
    fn at(&self) -> At {
        At {
            line: self.number,
            column: self.width() as u32 + 1,
            length: self.content.chars().count() as u32,
        }
    }

    /// Returns what stands in it, cut to what can be shown.
    fn shown(&self) -> String {
        let mut shown: String = self.content.chars().take(SHOWN).collect();
        if shown.len() < self.content.len() {
            shown.push('…');
        }
        shown
    }
}

/// A tab among the blanks that one of the lines begins with.
fn tab(near: &Near<'_>) -> Option<Cause> {
    let lines = near.above.into_iter().chain([near.here]);
    let mut indented = lines.filter_map(|line| Some((line, line.indent.find('\t')?)));
    let (line, tab) = indented.next()?;
    Some(Cause {
        at: At {
            line: line.number,
            column: line.indent[..tab].chars().count() as u32 + 1,
            length: 1,
        },
        what: "a tab indents this line".to_owned(),
        help: NO_TABS.to_owned(),
    })
}

/// A dash without the blank behind it.
fn dash(near: &Near<'_>, complaint: &str) -> Option<Cause> {
    let above = near.above.filter(|_| lacks_colon(complaint));
    let here = lacks_colon(complaint) || complaint.contains("'-' indicator");
    let lines = above.into_iter().chain(here.then_some(near.here));
    let mut dashed = lines.filter_map(|line| {
        let item = line.content.strip_prefix('-')?;
        let is_glued = item.starts_with(char::is_alphabetic);
        is_glued.then_some((line, item))
    });
    let (line, item) = dashed.next()?;
    let key = item.split(' ').next().unwrap_or_default();
    Some(Cause {
        at: At {
            length: 1,
            ..line.at()
        },
        what: "a dash without a blank behind it begins no item of a list".to_owned(),
        help: format!("write `- {key}`"),
    })
}

/// A word above an item of a list: another item, or the list's key.
fn item(near: &Near<'_>) -> Option<Cause> {
    let above = near.above?;
    let is_word = is_plain(above.content) && !above.content.contains([' ', '-']);
    let is_item = near.here.content.starts_with("- ") && above.width() == near.here.width();
    let word = above.shown();
    let (what, help) = match LIST_KEYS.contains(&above.content) {
        true => ("colon", format!("write `{word}:`")),
        false => ("dash", format!("write `- {word}`")),
    };
    (is_word && is_item).then(|| Cause {
        at: above.at(),
        what: format!("`{word}` lacks its {what}"),
        help,
    })
}

fn lacks_colon(complaint: &str) -> bool {
    let complaints = ["simple key expect", "mapping values are not allowed"];
    complaints.iter().any(|known| complaint.contains(known))
}

/// A key above that lacks its colon, so that it goes on with the line below.
fn colon(near: &Near<'_>, complaint: &str) -> Option<Cause> {
    if !lacks_colon(complaint) {
        return None;
    }
    let above = near.above?;
    let column = (near.column as usize).checked_sub(near.here.width() + 1)?;
    let mut before = near.here.content.chars().take(column);
    let is_first = !before.any(|letter| letter == ':');
    if above.width() >= near.here.width() || !is_first {
        return None;
    }
    let item = above.content.strip_prefix("- ").map(str::trim_start);
    let (key, rest) = match item.unwrap_or(above.content).split_once(' ') {
        Some((key, rest)) => (key, Some(rest)),
        None => (item.unwrap_or(above.content), None),
    };
    if !is_plain(above.content) {
        return None;
    }
    let may_be = match item {
        Some(_) if rest.is_none() && !ITEM_KEYS.contains(&key) => return Some(keyless(above, key)),
        Some(_) => ITEM_KEYS.contains(&key),
        None => rest.is_none(),
    };
    may_be.then(|| Cause {
        at: above.at(),
        what: format!("`{}` lacks its colon", above.shown()),
        help: match rest {
            Some(_) => format!("write `{key}: …`"),
            None => format!("write `{key}:`"),
        },
    })
}

/// An item of one word, with keys below it: a component without `name`, or a name
/// that has options.
fn keyless(above: Line<'_>, word: &str) -> Cause {
    let key = match word.starts_with(char::is_uppercase) {
        true => format!("- name: {word}"),
        false => format!("- {word}:"),
    };
    Cause {
        at: above.at(),
        what: format!("keys stand below `{word}`, which is none"),
        help: format!("write `{key}` if they are its own"),
    }
}

/// Words behind a value in brackets or quotes, which ends there.
fn behind_brackets(near: &Near<'_>, complaint: &str) -> Option<Cause> {
    if !complaint.contains("did not find expected key") {
        return None;
    }
    let column = (near.column as usize).checked_sub(near.here.width() + 1)?;
    let end = near.here.content.char_indices().nth(column)?.0;
    let before = near.here.content[..end].trim_end();
    let sign = match before.chars().next_back()? {
        '}' => '{',
        ']' => '[',
        _ => return None,
    };
    let length = near.here.content[end..].chars().count() as u32;
    Some(Cause {
        at: At {
            line: near.here.number,
            column: near.column,
            length,
        },
        what: "words follow a value in brackets".to_owned(),
        help: format!("text that starts with `{sign}` is put into quotes"),
    })
}

/// Whether a line is words alone: neither key, nor text in quotes or brackets.
fn is_plain(content: &str) -> bool {
    let words = content.strip_prefix("- ").unwrap_or(content);
    let is_key = words.contains(": ") || words.ends_with(':');
    !is_key && words.starts_with(|first: char| first.is_alphanumeric() || first == '_')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use crate::import::yaml::Environment;
    use crate::import::yaml::parse;

    #[track_caller]
    fn check(text: &str, (line, column): (u32, u32), what: &str, help: &str) {
        let values = BTreeMap::new();
        let text = Arc::new(text.to_owned());
        let mistakes = parse(&text, &mut Environment::new(&values)).unwrap_err();
        let first = &mistakes[0];
        assert_eq!((first.line, first.column), (line, column), "{first:?}");
        assert_eq!(first.message, format!("not valid YAML: {what}"));
        let found = first.help.as_deref().unwrap_or_default();
        assert!(found.contains(help), "{found}");
    }

    #[test]
    fn a_key_without_its_colon_is_named_where_it_stands() {
        let what = "`size` lacks its colon";
        check("slots:\n  size\n    type: float\n", (2, 3), what, "`size:`");
        check(
            "stories:\n- story: a\n  steps\n  - intent: b\n",
            (3, 3),
            "`steps` lacks its colon",
            "`steps:`",
        );
        check(
            "stories:\n- story: a\n  steps\n    - intent: b\n",
            (3, 3),
            "`steps` lacks its colon",
            "`steps:`",
        );
        check(
            "stories:\n- story of all\n  steps:\n  - intent: b\n",
            (2, 1),
            "`- story of all` lacks its colon",
            "`story: …`",
        );
    }

    #[test]
    fn keys_below_a_word_tell_what_the_word_should_be() {
        check(
            "pipeline:\n- DIETClassifier\n  epochs: 1\n",
            (2, 1),
            "keys stand below `DIETClassifier`, which is none",
            "`- name: DIETClassifier`",
        );
        check(
            "entities:\n- city\n  roles: [to]\n",
            (2, 1),
            "keys stand below `city`, which is none",
            "`- city:`",
        );
    }

    #[test]
    fn a_dash_that_is_missing_or_lacks_its_blank_is_named() {
        let what = "a dash without a blank behind it begins no item of a list";
        check(
            "nlu:\n-intent: a\n  examples: b\n",
            (2, 1),
            what,
            "`- intent:`",
        );
        check(
            "s:\n  - intent: a\n  -action: b\n",
            (3, 3),
            what,
            "`- action:`",
        );
        check(
            "intents:\n  - a\n  b\n  - c\n",
            (3, 3),
            "`b` lacks its dash",
            "`- b`",
        );
    }

    #[test]
    fn a_tab_is_named_where_it_indents() {
        let what = "a tab indents this line";
        let text = "slots:\n  a:\n    \ttype: text\n    influence_conversation: false\n";
        check(text, (3, 5), what, "blanks");
    }

    #[test]
    fn words_behind_brackets_want_quotes() {
        check(
            "r:\n- text: {dish} is on its way\n  x: y\n",
            (2, 16),
            "words follow a value in brackets",
            "starts with `{`",
        );
    }

    #[test]
    fn marks_of_a_conflict_are_named_as_such() {
        check(
            "intents:\n<<<<<<< HEAD\n- a\n=======\n- b\n>>>>>>> other\n",
            (2, 1),
            "a conflict of two changes is not settled here",
            "`=======`",
        );
    }
}
