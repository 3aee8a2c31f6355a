//! `LogisticRegressionClassifier` and `CRFEntityExtractor` train, answer, and
//! run again only when something they read has changed.

use serde_json::Value;
use tabella::api::Assistant;

use crate::workbench::Workbench;

const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: CountVectorsFeaturizer
- name: LogisticRegressionClassifier
- name: CRFEntityExtractor
- name: EntitySynonymMapper
policies:
- name: RulePolicy
";

const DOMAIN: &str = "\
version: \"3.1\"
intents: [book, greet]
entities:
- city:
    roles: [from, to]
- size
responses:
  utter_greet: [{text: hi}]
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - good day
    - hi there
- intent: book
  examples: |
    - from [Rome]{\"entity\": \"city\", \"role\": \"from\"} to [Paris]{\"entity\": \"city\", \"role\": \"to\"}
    - from [Paris]{\"entity\": \"city\", \"role\": \"from\"} to [New York]{\"entity\": \"city\", \"role\": \"to\"}
    - go to [Oslo]{\"entity\": \"city\", \"role\": \"to\"} from [Rome]{\"entity\": \"city\", \"role\": \"from\"}
    - a [large](size) seat to [Rome]{\"entity\": \"city\", \"role\": \"to\"}
    - from [Bern]{\"entity\": \"city\", \"role\": \"from\"}
    - with [xk12](size)
    - with [xab34](size) please
    - [xc5](size) or [xdd61](size)
- regex: size
  examples: |
    - x[a-z]\\d+
";

const RULES: &str = "\
version: \"3.1\"
rules:
- rule: greet
  steps:
  - intent: greet
  - action: utter_greet
";

fn bench() -> Workbench {
    Workbench::new(&[
        ("config.yml", CONFIG),
        ("domain.yml", DOMAIN),
        ("data/nlu.yml", NLU),
        ("data/rules.yml", RULES),
    ])
}

fn parses(bench: &Workbench, text: &str) -> Value {
    let model = bench.train().unwrap().model.unwrap();
    let assistant = Assistant::load(&model).unwrap();
    serde_json::to_value(assistant.parse(text).unwrap()).unwrap()
}

/// Entity, role and value of each entity that was found, as one line.
fn entities(parse: &Value) -> Vec<String> {
    let entities = parse["entities"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    entities
        .map(|entity| {
            ["entity", "role", "value"]
                .map(|key| text(&entity[key]))
                .join(" ")
        })
        .collect()
}

#[test]
fn intents_entities_and_roles_are_found() {
    let bench = bench();
    let parse = parses(&bench, "from Madrid to New York");
    assert_eq!(parse["intent"]["name"], "book");
    assert_eq!(entities(&parse), ["city from Madrid", "city to New York"]);
    assert_eq!(parse["entities"][0]["extractor"], "CRFEntityExtractor");
    let ranking = parse["intent_ranking"].as_array().unwrap();
    let sum: f64 = ranking
        .iter()
        .map(|intent| intent["confidence"].as_f64().unwrap())
        .sum();
    assert!(ranking.len() == 2 && (sum - 1.0).abs() < 1e-9, "{parse:#}");
    assert_eq!(parses(&bench, "hello")["intent"]["name"], "greet");
}

#[test]
fn a_pattern_tells_entities_that_were_never_seen() {
    let bench = bench();
    let parse = parses(&bench, "with xq77");
    assert_eq!(entities(&parse), ["size - xq77"]);
    bench.replace("config.yml", "- name: RegexFeaturizer\n", "");
    let blind = parses(&bench, "with xq77");
    let sure = |parse: &Value| {
        parse["entities"][0]["confidence_entity"]
            .as_f64()
            .unwrap_or(0.0)
    };
    assert!(sure(&parse) > sure(&blind), "{parse:#} {blind:#}");
}

#[test]
fn only_what_is_read_makes_them_stale() {
    let bench = bench();
    bench.train().unwrap();
    let stale = |bench: &Workbench| -> Vec<String> {
        bench.train().unwrap();
        let log = bench.log();
        let run = log
            .lines()
            .filter_map(|line| line.strip_prefix("run ")?.trim().split(':').next());
        run.filter(|name| name.contains("Regression") || name.contains("CRF"))
            .map(str::to_owned)
            .collect()
    };
    bench.replace(
        "config.yml",
        "- name: LogisticRegressionClassifier\n",
        "- name: LogisticRegressionClassifier\n  ranking_length: 1\n",
    );
    assert_eq!(stale(&bench), [""; 0]);
    bench.replace("data/nlu.yml", "    - x[a-z]\\d+", "    - x[a-z][0-9]+");
    let regex = stale(&bench);
    assert_eq!(regex, ["nlu.4.CRFEntityExtractor"]);
    bench.replace("data/nlu.yml", "- with [xk12](size)", "- with xk12");
    assert_eq!(stale(&bench), ["nlu.4.CRFEntityExtractor"]);
    bench.replace(
        "config.yml",
        "  ranking_length: 1\n",
        "  class_weight: null\n",
    );
    assert_eq!(stale(&bench), ["nlu.3.LogisticRegressionClassifier"]);
}
