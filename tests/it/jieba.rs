//! `JiebaTokenizer` splits Chinese, with a user's words, which the archive holds.

use serde_json::Value;
use tabella::api::Assistant;

use crate::workbench::Workbench;
use crate::workbench::mistakes;

const CONFIG: &str = "\
recipe: default.v1
language: zh
pipeline:
- name: JiebaTokenizer
  dictionary_path: words
- name: CountVectorsFeaturizer
- name: LogisticRegressionClassifier
policies:
- name: RulePolicy
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: visit
  examples: |
    - 他来到了网易杭研大厦
    - 我想去杭研大厦
- intent: weather
  examples: |
    - 今天天气怎么样
    - 明天下雨吗
";

fn bench() -> Workbench {
    Workbench::new(&[
        ("config.yml", CONFIG),
        (
            "domain.yml",
            "version: \"3.1\"\nintents: [visit, weather]\n",
        ),
        ("data/nlu.yml", NLU),
        ("words/places.txt", "杭研大厦 20 n\n"),
        ("words/people.txt", "凱特琳\n"),
    ])
}

fn tokens(bench: &Workbench, text: &str) -> Vec<String> {
    let model = bench.train().unwrap().model.unwrap();
    // The model must not need them.
    let words = bench.files("words");
    let assistant = Assistant::load(&model).unwrap();
    let parse = serde_json::to_value(assistant.parse(text).unwrap()).unwrap();
    assert!(parse["intent"]["name"].is_string(), "{parse:#}");
    bench.put(&bench.files("words"), &words);
    let at = |value: &Value| value.as_u64().unwrap() as usize;
    let chars: Vec<char> = text.chars().collect();
    let ranges = parse["text_tokens"].as_array().unwrap().iter();
    ranges
        .map(|range| chars[at(&range[0])..at(&range[1])].iter().collect())
        .collect()
}

#[test]
fn a_users_words_are_whole_with_and_without_the_files() {
    let bench = bench();
    let want = ["去", "网易", "杭研大厦", "，", "凱特琳", "！"];
    assert_eq!(tokens(&bench, "去网易杭研大厦，凱特琳！"), want);
    let archive = bench.archive();
    assert!(bench.clean_archive() == archive);
    let model = bench.train().unwrap().model.unwrap();
    bench.remove("words");
    let parse = Assistant::load(&model).unwrap().parse("杭研大厦").unwrap();
    assert_eq!(parse.text_tokens.unwrap(), [[0, 4]]);
}

#[test]
fn only_words_that_change_a_text_reach_what_learns() {
    let bench = bench();
    bench.train().unwrap();
    let tokenizer = "nlu.0.JiebaTokenizer";
    bench.write("words/people.txt", "凱特琳\n小明\n");
    assert_eq!(bench.ran_of_pipeline(), [tokenizer]);
    bench.write("words/more.txt", "今天天气怎么样 9999\n");
    let all = [
        tokenizer,
        "nlu.1.CountVectorsFeaturizer",
        "nlu.2.LogisticRegressionClassifier",
    ];
    assert_eq!(bench.ran_of_pipeline(), all);
    assert_eq!(bench.ran_of_pipeline(), [""; 0]);
    assert!(bench.archive() == bench.clean_archive());
}

#[test]
fn dictionaries_that_cannot_be_are_told_before_anything_trains() {
    let bench = bench();
    bench.remove("words");
    let start = "E107 config.yml:5:20: option `dictionary_path` of `JiebaTokenizer` cannot be used";
    assert_eq!(
        mistakes(&bench.train().unwrap_err()),
        format!("{start}: there is no dictionary at `words`")
    );
    bench.write("words/a.txt", "");
    std::fs::write(bench.root().join("words/a.txt"), b"\xff\xfe\0").unwrap();
    assert_eq!(
        mistakes(&bench.train().unwrap_err()),
        format!("{start}: `words/a.txt` is not UTF-8")
    );
    bench.replace("config.yml", "dictionary_path", "dictionary_paths");
    bench.train().unwrap();
}
