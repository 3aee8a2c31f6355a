//! Brings configs of Rasa 1 and 2 into the form of 3.1, as edits of their text.
//!
//! | before | after |
//! |---|---|
//! | `FallbackPolicy` | `FallbackClassifier`, `RulePolicy` and a rule |
//! | `TwoStageFallbackPolicy` | the same, with the rule of `action_two_stage_fallback` |
//! | `MappingPolicy` | `RulePolicy`, and a rule for each intent that `triggers` |
//! | `FormPolicy` | `RulePolicy`; rules for forms are the user's to write |
//! | `EmbeddingPolicy`, `KerasPolicy`, `SklearnPolicy` | `TEDPolicy` |
//! | `DucklingHTTPExtractor` | `DucklingEntityExtractor` |
//!
//! `rasa data convert config` of Rasa 2 does the first three; it refuses configs
//! with `FormPolicy`, and learned policies that are gone are none of its business.

use crate::convert::emit::Tree;
use crate::convert::lines;
use crate::convert::notes::Notes;
use crate::convert::rules::Rule;
use crate::convert::source::Edits;
use crate::convert::source::Piece;
use crate::convert::source::Source;

/// The new form of a config.
#[derive(Debug, Default)]
pub struct Migrated {
    /// Edits of the file.
    pub edits: Edits,
    /// Rules that do what policies did.
    pub rules: Vec<Rule>,
    /// Whether `triggers` of intents have to become rules.
    pub has_mapping: bool,
}

/// What `RulePolicy` and `FallbackClassifier` take over.
#[derive(Default)]
struct Taken {
    rule_options: Vec<(String, Tree)>,
    classifier: Option<Tree>,
}

/// Migrates a config.
pub fn migrate(source: &Source, notes: &mut Notes) -> Migrated {
    let mut migrated = Migrated::default();
    let policies = source.get(&source.root, "policies");
    let policies = policies.filter(|list| !list.items().is_empty());
    if let Some(policies) = policies {
        let taken = take(source, policies, &mut migrated, notes);
        if let Some(classifier) = taken.classifier {
            add_classifier(source, &classifier, &mut migrated.edits, notes);
        }
    }
    let pipeline = source.get(&source.root, "pipeline");
    for component in pipeline.map(Piece::items).unwrap_or_default() {
        if let Some(name) = component.get("name")
            && name.text() == Some("DucklingHTTPExtractor")
        {
            let new = "DucklingEntityExtractor";
            migrated.edits.replace(name.range.clone(), new);
        }
    }
    if source.root.get("recipe").is_none()
        && let Some((first, _)) = source.root.entries().first()
        && !source.root.is_flow()
    {
        let at = source.line_start(first.range.start);
        migrated.edits.insert(at, "recipe: default.v1\n");
    }
    migrated
}

/// Goes through the policies: what has a successor is replaced by it.
fn take(source: &Source, list: &Piece, migrated: &mut Migrated, notes: &mut Notes) -> Taken {
    let mut taken = Taken::default();
    let mut gone = Vec::new();
    let mut has_ted = policy(source, list, "TEDPolicy").is_some();
    let mut renamed = Vec::new();
    for item in list.items() {
        let name = source.get(item, "name").and_then(Piece::text);
        let name = name.unwrap_or_default();
        let line = source.line(item.range.start);
        match name.rsplit('.').next().unwrap_or(name) {
            "FallbackPolicy" => {
                fallback(source, item, &mut taken);
                let action = option(source, item, "fallback_action_name");
                let action = action
                    .and_then(Piece::text)
                    .unwrap_or("action_default_fallback");
                migrated.rules.push(Rule::answer("nlu_fallback", action));
                gone.push(item);
            }
            "TwoStageFallbackPolicy" => {
                fallback(source, item, &mut taken);
                migrated.rules.push(Rule::two_stage_fallback());
                if option(source, item, "deny_suggestion_intent_name").is_some() {
                    let what = "`deny_suggestion_intent_name` cannot be kept: a denied suggestion is `out_of_scope`";
                    notes.say("W601", line, what);
                }
                gone.push(item);
            }
            "MappingPolicy" => {
                migrated.has_mapping = true;
                gone.push(item);
            }
            "FormPolicy" => {
                let what =
                    "`FormPolicy` is `RulePolicy` now: forms need rules that start and end them";
                notes.say("W603", line, what);
                notes.help("write one rule with `active_loop: name` and one with `active_loop: null` a form");
                gone.push(item);
            }
            old @ ("EmbeddingPolicy" | "KerasPolicy" | "SklearnPolicy") => {
                let what = format!("`{old}` is `TEDPolicy` now: its options are left out");
                notes.say("W603", line, what);
                match has_ted {
                    true => gone.push(item),
                    false => renamed.push(item),
                }
                has_ted = true;
            }
            _ => {}
        }
    }
    replace_policies(
        source,
        list,
        &gone,
        &renamed,
        &taken.rule_options,
        &mut migrated.edits,
    );
    taken
}

/// Returns the policy of a name.
fn policy<'s>(source: &'s Source, list: &'s Piece, name: &str) -> Option<&'s Piece> {
    let mut items = list.items().iter();
    items.find(|item| source.get(item, "name").and_then(Piece::text) == Some(name))
}

fn option<'s>(source: &'s Source, item: &'s Piece, key: &str) -> Option<&'s Piece> {
    source.get(item, key).filter(|value| !value.is_null())
}

/// Takes over the thresholds of a fallback policy; Rasa's defaults are written too.
fn fallback(source: &Source, item: &Piece, taken: &mut Taken) {
    let number = |key: &str, default: &str| match option(source, item, key) {
        Some(value) => Tree::piece(source, value),
        None => Tree::Word(default.to_owned()),
    };
    let old = ["fallback_action_name", "fallback_core_action_name"];
    let action = old.iter().find_map(|key| option(source, item, key));
    let action = action
        .and_then(Piece::text)
        .unwrap_or("action_default_fallback");
    taken.rule_options = vec![
        (
            "core_fallback_threshold".to_owned(),
            number("core_threshold", "0.3"),
        ),
        ("core_fallback_action_name".to_owned(), Tree::text(action)),
    ];
    taken.classifier = Some(Tree::Map(vec![
        ("name".to_owned(), Tree::text("FallbackClassifier")),
        ("threshold".to_owned(), number("nlu_threshold", "0.3")),
        (
            "ambiguity_threshold".to_owned(),
            number("ambiguity_threshold", "0.1"),
        ),
    ]));
}

/// Takes policies out of the list; the first gives its place to `RulePolicy`,
/// unless there is one.
fn replace_policies(
    source: &Source,
    list: &Piece,
    gone: &[&Piece],
    renamed: &[&Piece],
    options: &[(String, Tree)],
    edits: &mut Edits,
) {
    let named = |name: &str, options: &[(String, Tree)]| {
        let mut map = vec![("name".to_owned(), Tree::text(name))];
        map.extend(options.iter().cloned());
        Tree::Map(map)
    };
    let rule = policy(source, list, "RulePolicy");
    if let Some(rule) = rule {
        for (key, value) in options {
            if source.get(rule, key).is_none() {
                lines::append_entry(source, rule, key, value, edits);
            }
        }
    }
    let mut rule_is_there = rule.is_some();
    let mut new: Vec<Option<Tree>> = Vec::new();
    let is_in = |item: &Piece, list: &[&Piece]| list.iter().any(|other| other.range == item.range);
    for item in list.items() {
        if is_in(item, renamed) {
            new.push(Some(named("TEDPolicy", &[])));
        } else if is_in(item, gone) {
            let successor = (!rule_is_there).then(|| named("RulePolicy", options));
            rule_is_there = true;
            new.push(successor);
        } else {
            new.push(Some(Tree::piece(source, item)));
        }
    }
    if gone.is_empty() && renamed.is_empty() {
        return;
    }
    if list.is_flow() {
        let kept = new.into_iter().flatten().collect();
        edits.replace(list.range.clone(), Tree::List(kept).flow());
        return;
    }
    for (item, new) in list.items().iter().zip(new) {
        if !is_in(item, gone) && !is_in(item, renamed) {
            continue;
        }
        let line = source.line_start(item.range.start);
        let end = source.line_end(source.end(item));
        let indent = source.text[line..].len() - source.text[line..].trim_start_matches(' ').len();
        let blanks = " ".repeat(indent);
        let comments = source.comments_in(line..end);
        let comments: Vec<String> = comments.iter().map(|c| format!("{blanks}{c}\n")).collect();
        let new = new.map(|tree| Tree::List(vec![tree]).block(indent));
        edits.replace(line..end, comments.concat() + &new.unwrap_or_default());
    }
}

/// Adds `FallbackClassifier` to the end of the pipeline, unless it has one.
fn add_classifier(source: &Source, classifier: &Tree, edits: &mut Edits, notes: &mut Notes) {
    let pipeline = source.get(&source.root, "pipeline");
    let Some(list) = pipeline.filter(|list| !list.items().is_empty()) else {
        if pipeline.is_some_and(|pipeline| !pipeline.is_null()) {
            let line = pipeline.map_or(0, |pipeline| source.line(pipeline.range.start));
            let what = "add `FallbackClassifier` to the pipeline that the template stands for";
            notes.say("W603", line, what);
        }
        return;
    };
    if policy(source, list, "FallbackClassifier").is_some() {
        return;
    }
    let last = &list.items()[list.items().len() - 1];
    if list.is_flow() {
        edits.insert(source.end(last), format!(", {}", classifier.flow()));
        return;
    }
    let line = source.line_start(list.items()[0].range.start);
    let indent = source.text[line..].len() - source.text[line..].trim_start_matches(' ').len();
    let new = Tree::List(vec![classifier.clone()]).block(indent);
    lines::insert_below(source, source.end(last), &new, edits);
}
