//! `train --dry-run` answers with the codes of Rasa 2.4.3, or with a finer one
//! for a stated reason. The recorded codes are in `seed-dryrun.json`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::shared::shared;
use crate::workbench::Workbench;

/// What Tabella answers to an edit.
enum Answer {
    /// The recorded code.
    Same,
    /// Another code, and why it is the better one.
    Finer(u8, &'static str),
    /// A mistake in the project is reported: its code.
    Mistake(&'static str),
}

use Answer::Finer;
use Answer::Mistake;
use Answer::Same;

type Edit = fn(&Workbench);

/// Each recorded edit, how to make it, and our answer.
const EDITS: &[(&str, Edit, Answer)] = &[
    ("nothing", |_| {}, Same),
    ("force", |_| {}, Same),
    (
        "domain: comment",
        |b| b.append("domain.yml", "# a comment\n"),
        Same,
    ),
    (
        "domain: intents reordered",
        |b| {
            b.replace(
                "domain.yml",
                "- greet\n- order\n- bye\n",
                "- bye\n- greet\n- order\n",
            )
        },
        Same,
    ),
    (
        "domain: response text",
        |b| b.replace("domain.yml", "text: Hello", "text: Hi"),
        Same,
    ),
    (
        "domain: response variation added",
        |b| {
            b.replace(
                "domain.yml",
                "  - text: Hello\n",
                "  - text: Hello\n  - text: Hi\n",
            )
        },
        Same,
    ),
    (
        "domain: response added",
        |b| {
            b.replace(
                "domain.yml",
                "  utter_bye:\n",
                "  utter_new:\n  - text: New\n  utter_bye:\n",
            )
        },
        Same,
    ),
    (
        "domain: response button added",
        |b| {
            b.replace(
                "domain.yml",
                "  - text: Hello\n",
                "  - text: Hello\n    buttons:\n    - title: Bye\n      payload: /bye\n",
            )
        },
        Same,
    ),
    (
        "domain: intent added, unused",
        |b| b.replace("domain.yml", "- bye\nentities", "- bye\n- thanks\nentities"),
        Same,
    ),
    (
        "domain: entity added, unused",
        |b| b.replace("domain.yml", "- dish\n", "- dish\n- drink\n"),
        Same,
    ),
    (
        "domain: slot added",
        |b| {
            b.replace(
                "domain.yml",
                "  vip:\n",
                "  age:\n    type: float\n  vip:\n",
            )
        },
        Same,
    ),
    (
        "domain: slot type changed",
        |b| b.replace("domain.yml", "type: bool", "type: text"),
        Same,
    ),
    (
        "domain: slot initial value",
        |b| {
            b.replace(
                "domain.yml",
                "type: bool\n",
                "type: bool\n    initial_value: true\n",
            )
        },
        Same,
    ),
    (
        "domain: action added",
        |b| b.append("domain.yml", "actions:\n- action_cook\n"),
        Same,
    ),
    (
        "domain: form added",
        |b| b.append("domain.yml", "forms:\n  order_form:\n    dish: soup\n"),
        Mistake("a form whose slots have no mappings is a mistake, not an empty domain"),
    ),
    (
        "domain: session expiration",
        |b| {
            b.replace(
                "domain.yml",
                "session_expiration_time: 60",
                "session_expiration_time: 30",
            )
        },
        Same,
    ),
    (
        "domain: use_entities of an intent",
        |b| {
            b.replace(
                "domain.yml",
                "- bye\nentities",
                "- bye:\n    use_entities: []\nentities",
            )
        },
        Same,
    ),
    (
        "nlu: comment",
        |b| b.append("data/nlu.yml", "# a comment\n"),
        Same,
    ),
    (
        "nlu: example added",
        |b| b.replace("data/nlu.yml", "    - hello\n", "    - hello\n    - hey\n"),
        Same,
    ),
    (
        "nlu: example removed",
        |b| b.replace("data/nlu.yml", "    - good day\n", ""),
        Same,
    ),
    (
        "nlu: duplicate example",
        |b| {
            b.replace(
                "data/nlu.yml",
                "    - hello\n",
                "    - hello\n    - hello\n",
            )
        },
        Same,
    ),
    (
        "nlu: examples reordered",
        |b| {
            b.replace(
                "data/nlu.yml",
                "    - hello\n    - hi there\n",
                "    - hi there\n    - hello\n",
            )
        },
        Same,
    ),
    (
        "nlu: intent added with examples",
        |b| {
            b.append(
                "data/nlu.yml",
                "- intent: thanks\n  examples: |\n    - thank you\n    - thanks a lot\n",
            );
            b.replace("domain.yml", "- bye\nentities", "- bye\n- thanks\nentities");
        },
        Same,
    ),
    (
        "nlu: entity annotation removed",
        |b| b.replace("data/nlu.yml", "[soup](dish)", "soup"),
        Same,
    ),
    (
        "nlu: synonym added",
        |b| {
            b.append(
                "data/nlu.yml",
                "- synonym: soup\n  examples: |\n    - broth\n",
            )
        },
        Same,
    ),
    (
        "nlu: regex added",
        |b| {
            b.append(
                "data/nlu.yml",
                "- regex: zip\n  examples: |\n    - \\d{5}\n",
            )
        },
        Same,
    ),
    (
        "nlu: lookup added",
        |b| {
            b.append(
                "data/nlu.yml",
                "- lookup: dish\n  examples: |\n    - pasta\n",
            )
        },
        Same,
    ),
    (
        "nlu: CRLF",
        |b| {
            b.write(
                "data/nlu.yml",
                &b.read("data/nlu.yml").replace('\n', "\r\n"),
            )
        },
        Same,
    ),
    (
        "nlu: file renamed",
        |b| moved(b, "data/nlu.yml", "data/examples.yml"),
        Same,
    ),
    (
        "nlu: moved into a folder",
        |b| moved(b, "data/nlu.yml", "data/nlu/nlu.yml"),
        Same,
    ),
    ("nlu: split in two files", split_nlu, Same),
    (
        "nlu: touched",
        |b| b.write("data/nlu.yml", &b.read("data/nlu.yml")),
        Same,
    ),
    (
        "stories: comment",
        |b| b.append("data/stories.yml", "# a comment\n"),
        Same,
    ),
    (
        "stories: story renamed",
        |b| b.replace("data/stories.yml", "story: order", "story: eat"),
        Finer(0, "a story's name reaches no weight"),
    ),
    (
        "stories: reordered",
        reorder_stories,
        Finer(
            0,
            "stories are sorted by content before anything learns from them",
        ),
    ),
    (
        "stories: story of known parts",
        |b| {
            b.append(
                "data/stories.yml",
                "- story: only leave\n  steps:\n  - intent: bye\n  - action: utter_bye\n  \
                 - intent: greet\n  - action: utter_greet\n",
            )
        },
        Same,
    ),
    (
        "stories: entity value changed",
        |b| b.replace("data/stories.yml", "dish: pizza", "dish: soup"),
        Finer(1, "the NLU part does not learn from stories"),
    ),
    (
        "stories: new action",
        |b| {
            b.append("domain.yml", "actions:\n- action_cook\n");
            b.replace(
                "data/stories.yml",
                "  - action: utter_order\n",
                "  - action: utter_order\n  - action: action_cook\n",
            );
        },
        Finer(1, "the NLU part does not learn from action names"),
    ),
    (
        "stories: slot_was_set added",
        |b| {
            b.replace(
                "data/stories.yml",
                "  - action: utter_order\n",
                "  - slot_was_set:\n    - vip: true\n  - action: utter_order\n",
            )
        },
        Same,
    ),
    (
        "stories: checkpoint",
        |b| {
            b.append(
                "data/stories.yml",
                "  - checkpoint: left\n- story: come back\n  steps:\n  - checkpoint: left\n  \
                 - intent: greet\n  - action: utter_greet\n",
            )
        },
        Same,
    ),
    (
        "rules: rule added",
        |b| {
            b.append(
                "data/rules.yml",
                "- rule: greet\n  steps:\n  - intent: greet\n  - action: utter_greet\n",
            )
        },
        Same,
    ),
    (
        "rules: renamed",
        |b| b.replace("data/rules.yml", "rule: bye", "rule: leave"),
        Finer(0, "a rule's name reaches no table"),
    ),
    (
        "config: comment",
        |b| b.append("config.yml", "# a comment\n"),
        Same,
    ),
    (
        "config: DIET epochs",
        |b| {
            b.replace(
                "config.yml",
                "DIETClassifier\n  epochs: 2",
                "DIETClassifier\n  epochs: 3",
            )
        },
        Same,
    ),
    (
        "config: TED epochs",
        |b| {
            b.replace(
                "config.yml",
                "TEDPolicy\n  epochs: 2",
                "TEDPolicy\n  epochs: 3",
            )
        },
        Same,
    ),
    (
        "config: default written out",
        |b| {
            b.replace(
                "config.yml",
                "- name: RulePolicy\n",
                "- name: RulePolicy\n  core_fallback_threshold: 0.3\n",
            )
        },
        Finer(0, "keys are made of options after defaults"),
    ),
    (
        "config: FallbackClassifier added",
        |b| {
            b.replace(
                "config.yml",
                "- name: EntitySynonymMapper\n",
                "- name: EntitySynonymMapper\n- name: FallbackClassifier\n",
            )
        },
        Same,
    ),
    (
        "config: policy removed",
        |b| b.replace("config.yml", "- name: MemoizationPolicy\n", ""),
        Same,
    ),
    (
        "config: language",
        |b| b.replace("config.yml", "language: en", "language: de"),
        Same,
    ),
    (
        "config: unknown key",
        |b| b.append("config.yml", "colour: blue\n"),
        Finer(0, "nothing reads a key that nobody knows"),
    ),
    ("models removed", |b| b.remove("models"), Same),
    ("models removed, force", |b| b.remove("models"), Same),
    (
        "no stories",
        |b| {
            b.remove("data/stories.yml");
            b.remove("data/rules.yml");
        },
        Finer(
            1,
            "the NLU part stays as it is; only the dialogue part goes",
        ),
    ),
    ("no nlu data", |b| b.remove("data/nlu.yml"), Same),
    (
        "no data at all",
        |b| {
            b.remove("data/nlu.yml");
            b.remove("data/stories.yml");
            b.remove("data/rules.yml");
        },
        Mistake("there is nothing to train from"),
    ),
];

fn moved(bench: &Workbench, from: &str, to: &str) {
    let text = bench.read(from);
    bench.remove(from);
    bench.write(to, &text);
}

fn split_nlu(bench: &Workbench) {
    let text = bench.read("data/nlu.yml");
    let at = text.find("- intent: order").unwrap();
    bench.write("data/nlu.yml", &text[..at]);
    bench.write(
        "data/more.yml",
        &format!("version: \"2.0\"\nnlu:\n{}", &text[at..]),
    );
}

fn reorder_stories(bench: &Workbench) {
    let text = bench.read("data/stories.yml");
    let first = text.find("- story: order").unwrap();
    let second = text.find("- story: greet and leave").unwrap();
    let (head, order, leave) = (&text[..first], &text[first..second], &text[second..]);
    bench.write("data/stories.yml", &format!("{head}{leave}{order}"));
}

#[test]
fn codes_are_those_of_rasa_or_finer_for_a_stated_reason() {
    let Some(path) = shared("goldens/seed-dryrun.json") else {
        return;
    };
    let recorded: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let base: BTreeMap<String, String> = serde_json::from_value(recorded["base"].clone()).unwrap();
    let files: Vec<(&str, &str)> = base.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();

    let edits = recorded["edits"].as_array().unwrap();
    assert_eq!(edits.len(), EDITS.len(), "every recorded edit has a row");
    let mut wrong = Vec::new();
    for (row, (name, edit, answer)) in edits.iter().zip(EDITS) {
        assert_eq!(
            row["edit"].as_str().unwrap(),
            *name,
            "the rows are in recorded order"
        );
        let bench = Workbench::new(&files);
        bench.train().unwrap();
        edit(&bench);
        let mut options = bench.options();
        options.dry_run = true;
        options.force_training = name.contains("force");
        let code = tabella::api::train(&options).map(|result| result.code);
        let want = row["code"].as_u64().unwrap() as u8;
        let right = match (answer, &code) {
            (Same, Ok(code)) => *code == want,
            (Finer(finer, _), Ok(code)) => code == finer && *finer != want,
            (Mistake(_), Err(_)) => true,
            _ => false,
        };
        if !right {
            let expected = match answer {
                Same => want.to_string(),
                Finer(code, why) => format!("{code} ({why})"),
                Mistake(why) => format!("a mistake ({why})"),
            };
            wrong.push(format!("{name}: {code:?} instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
