//! Assistants that other people wrote are read with the counts that Rasa reads,
//! and each difference has a cause that can be said in words.
//!
//! Tabella reads by one rule, not by two versions of Rasa. A bot is compared
//! with the version that reads most of it: 3.6.21 where it reads everything,
//! else 2.8.12 (which reads Markdown and older domains, and skips files of 3.x).

mod fixtures;
mod series;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use expect_test::expect;
use serde_json::Value;
use serde_json::json;
use tabella::diagnostic::Severity;
use tabella::import::Counts;
use tabella::import::Imported;
use tabella::import::Sources;
use tabella::import::import_project;

use crate::shared::shared;

/// Differences that are meant: bot, what differs (`*` for all), and why.
const CAUSES: &[(&str, &str, &str)] = &[
    ("rasa-masterclass/episode2", "domain.responses", TEMPLATES),
    ("rasa-masterclass/episode3", "domain.responses", TEMPLATES),
    ("rasa-masterclass/episode5", "domain.responses", TEMPLATES),
    ("rasa-masterclass/episode6", "domain.responses", TEMPLATES),
    ("rasa-masterclass/episode8", "domain.responses", TEMPLATES),
    ("rasa1-formbot", "domain.responses", TEMPLATES),
    ("rasa1-moodbot", "domain.responses", TEMPLATES),
    ("rasa1-restaurantbot", "domain.responses", TEMPLATES),
    ("tutorial-knowledge-base", "domain.responses", TEMPLATES),
    ("zh-weatherbot-0x", "domain.responses", TEMPLATES),
    ("rasa1-formbot", "domain.user_actions", TEMPLATES),
    ("zh-weatherbot-0x", "domain.user_actions", TEMPLATES),
    ("multilang-coffee_bot-de", "domain.user_actions", DEFAULTS),
    ("multilang-coffee_bot-en", "domain.user_actions", DEFAULTS),
    ("multilang-coffee_bot-sv", "domain.user_actions", DEFAULTS),
    ("workshop-adv-actions", "domain.user_actions", DEFAULTS),
    ("crisos", "domain.user_actions", DEFAULTS),
    ("financial-demo", "domain.user_actions", DEFAULTS),
    ("repair-strategies-bot", "domain.user_actions", DEFAULTS),
    (
        "repair-strategies-bot-migrated",
        "domain.user_actions",
        DEFAULTS,
    ),
];

const TEMPLATES: &str = "Rasa 2 takes no notice of `templates`, and its bot says nothing";
const DEFAULTS: &str = "a default action that the domain lists is not counted again";

/// The domain and data of a bot, as Rasa was given them when its counts were
/// recorded; the configuration had no part in it.
fn sources(root: &Path) -> Sources {
    let there = |name: &&str| root.join(name).exists();
    Sources {
        root: root.to_owned(),
        domain: ["domain.yml", "domain"]
            .into_iter()
            .filter(there)
            .map(PathBuf::from)
            .take(1)
            .collect(),
        data: vec![["data", "."].into_iter().find(there).unwrap().into()],
        ..Sources::default()
    }
}

/// Counts what the domain files say, or names the first error.
fn domain_counts(sources: &Sources) -> Value {
    if sources.domain.is_empty() {
        return Value::Null;
    }
    let imported = import_project(&Sources {
        data: Vec::new(),
        ..sources.clone()
    })
    .unwrap();
    if let Some(error) = first_error(&imported) {
        return json!(error);
    }
    json!(Counts::of(&imported.project).domain)
}

/// Counts what the training data says.
fn data_counts(sources: &Sources) -> (Value, Value) {
    let imported = import_project(&Sources {
        domain: Vec::new(),
        ..sources.clone()
    })
    .unwrap();
    if let Some(error) = first_error(&imported) {
        return (json!(error), json!(error));
    }
    let counts = Counts::of(&imported.project);
    let mut nlu = json!(counts.nlu);
    // Without domain files, all responses are those of the data.
    nlu["responses"] = json!(counts.domain.responses);
    (nlu, json!(counts.stories))
}

fn first_error(imported: &Imported) -> Option<String> {
    let errors = imported.diagnostics.iter();
    let mut errors = errors.filter(|d| d.severity == Severity::Error);
    let first = errors.next()?;
    Some(format!("{} {} {}", first.code, first.place, first.message))
}

/// What one version of Rasa read of all bots.
fn reads(version: &str) -> Option<BTreeMap<String, Value>> {
    let path = shared(&format!("bots/rasa-{version}-reads.json"))?;
    Some(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
}

/// How much a version read: a refused domain weighs more than anything.
fn amount(read: &Value) -> (bool, u64) {
    let count = |part: &str, key: &str| read[part][key].as_u64().unwrap_or(0);
    let all = count("nlu", "examples") + count("stories", "blocks") + count("domain", "intents");
    (!read["domain"].is_string(), all)
}

/// Returns what differs between a part as Rasa read it and as we do.
fn differences(part: &str, rasa: &Value, ours: &Value) -> Vec<(String, String)> {
    match (rasa, ours) {
        (Value::String(_), Value::String(_)) => Vec::new(),
        (Value::Object(rasa), Value::Object(ours)) => ours
            .iter()
            .filter(|(key, value)| rasa.get(*key) != Some(value))
            .map(|(key, value)| {
                let field = format!("{part}.{key}");
                let said = format!("{field} {value}, Rasa {}", rasa[key.as_str()]);
                (field, said)
            })
            .collect(),
        (Value::Null, Value::Null) => Vec::new(),
        _ => {
            let rasa = rasa.as_str().unwrap_or("reads it");
            let rasa: String = rasa.chars().take(80).collect();
            let said = format!("{part}: {ours}, Rasa {rasa}");
            vec![(part.to_owned(), said)]
        }
    }
}

/// Returns one line on a bot, and one for each difference; unexplained ones go
/// to the list too.
fn line(bot: &str, root: &Path, two: &Value, three: &Value, unexplained: &mut String) -> String {
    let (version, rasa) = match amount(three) >= amount(two) {
        true => ("3.6.21", three),
        false => ("2.8.12", two),
    };
    let sources = sources(root);
    let (nlu, stories) = data_counts(&sources);
    let domain = domain_counts(&sources);
    let mut found = differences("domain", &rasa["domain"], &domain);
    found.extend(differences("nlu", &rasa["nlu"], &nlu));
    found.extend(differences("stories", &rasa["stories"], &stories));
    let verdict = match found.len() {
        0 => "agrees".to_owned(),
        count => format!("differs in {count}"),
    };
    let mut shown = format!("{bot:<31} {version:<7} {verdict}\n");
    for (field, said) in found {
        let cause = CAUSES
            .iter()
            .find(|(of, what, _)| *of == bot && (*what == field || *what == "*"));
        match cause {
            Some((_, _, why)) => writeln!(shown, "    {said}: {why}").unwrap(),
            None => writeln!(unexplained, "{bot}: {said}").unwrap(),
        }
    }
    shown
}

#[test]
fn bots_of_other_people_are_read_as_rasa_reads_them() {
    let (Some(two), Some(three)) = (reads("2.8.12"), reads("3.6.21")) else {
        return;
    };
    let mut table = String::new();
    let mut unexplained = String::new();
    for (bot, read) in &two {
        let Some(root) = shared(&format!("bots/{bot}")) else {
            return;
        };
        table += &line(bot, &root, read, &three[bot], &mut unexplained);
    }
    assert_eq!(unexplained, "", "differences without a cause");
    expect![[r#"
        covidflow-en                    2.8.12  agrees
        covidflow-fr                    2.8.12  agrees
        crisos                          3.6.21  differs in 1
            domain.user_actions 50, Rasa 51: a default action that the domain lists is not counted again
        envirocar                       3.6.21  agrees
        financial-demo                  3.6.21  differs in 1
            domain.user_actions 67, Rasa 69: a default action that the domain lists is not counted again
        helpdesk-assistant              3.6.21  agrees
        lookup-ee-benchmark             3.6.21  agrees
        multilang-coffee_bot-de         2.8.12  differs in 1
            domain.user_actions 20, Rasa 21: a default action that the domain lists is not counted again
        multilang-coffee_bot-en         2.8.12  differs in 1
            domain.user_actions 20, Rasa 21: a default action that the domain lists is not counted again
        multilang-coffee_bot-sv         2.8.12  differs in 1
            domain.user_actions 20, Rasa 21: a default action that the domain lists is not counted again
        nlu-training-data               3.6.21  agrees
        pokedex-demo                    2.8.12  agrees
        rasa-ch-faq                     2.8.12  agrees
        rasa-ch-faq-migrated            3.6.21  agrees
        rasa-masterclass/episode2       2.8.12  differs in 1
            domain.responses 5, Rasa 0: Rasa 2 takes no notice of `templates`, and its bot says nothing
        rasa-masterclass/episode3       2.8.12  differs in 1
            domain.responses 5, Rasa 0: Rasa 2 takes no notice of `templates`, and its bot says nothing
        rasa-masterclass/episode5       2.8.12  differs in 1
            domain.responses 5, Rasa 0: Rasa 2 takes no notice of `templates`, and its bot says nothing
        rasa-masterclass/episode6       2.8.12  differs in 1
            domain.responses 7, Rasa 0: Rasa 2 takes no notice of `templates`, and its bot says nothing
        rasa-masterclass/episode8       2.8.12  differs in 1
            domain.responses 6, Rasa 0: Rasa 2 takes no notice of `templates`, and its bot says nothing
        rasa1-formbot                   2.8.12  differs in 2
            domain.responses 15, Rasa 0: Rasa 2 takes no notice of `templates`, and its bot says nothing
            domain.user_actions 16, Rasa 6: Rasa 2 takes no notice of `templates`, and its bot says nothing
        rasa1-moodbot                   2.8.12  differs in 1
            domain.responses 5, Rasa 0: Rasa 2 takes no notice of `templates`, and its bot says nothing
        rasa1-restaurantbot             2.8.12  differs in 1
            domain.responses 13, Rasa 0: Rasa 2 takes no notice of `templates`, and its bot says nothing
        rasa2-e2ebot                    3.6.21  agrees
        rasa2-formbot                   2.8.12  agrees
        rasa2-formbot-migrated          3.6.21  agrees
        rasa2-moodbot                   3.6.21  agrees
        rasa2-rules                     2.8.12  agrees
        rasa3-e2ebot                    3.6.21  agrees
        rasa3-formbot                   3.6.21  agrees
        rasa3-moodbot                   3.6.21  agrees
        rasa3-responseselectorbot       3.6.21  agrees
        rasa3-rules                     3.6.21  agrees
        repair-strategies-bot           2.8.12  differs in 1
            domain.user_actions 103, Rasa 106: a default action that the domain lists is not counted again
        repair-strategies-bot-migrated  3.6.21  differs in 1
            domain.user_actions 103, Rasa 106: a default action that the domain lists is not counted again
        robo-faq-en                     2.8.12  agrees
        slothbot                        2.8.12  agrees
        slothbot-multidomain            2.8.12  agrees
        tutorial-knowledge-base         2.8.12  differs in 1
            domain.responses 6, Rasa 0: Rasa 2 takes no notice of `templates`, and its bot says nothing
        workshop-adv-actions            2.8.12  differs in 1
            domain.user_actions 16, Rasa 17: a default action that the domain lists is not counted again
        zh-weatherbot-0x                2.8.12  differs in 2
            domain.responses 7, Rasa 0: Rasa 2 takes no notice of `templates`, and its bot says nothing
            domain.user_actions 8, Rasa 7: Rasa 2 takes no notice of `templates`, and its bot says nothing
    "#]].assert_eq(&table);
}
