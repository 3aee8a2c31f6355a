//! Word vectors from a file, and `SklearnIntentClassifier`, which needs them: words that no example has are understood, the archive
//! needs the file no more, and only what is read makes things stale.

use serde_json::Value;
use tabella::api::Assistant;
use tabella::api::TrainError;

use crate::workbench::Workbench;
use crate::workbench::mistakes;

const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: WordVectorsFeaturizer
  vectors: vectors/small.vec
- name: LogisticRegressionClassifier
policies:
- name: RulePolicy
";

const SPACY: &str = "\
recipe: default.v1
language: en
pipeline:
- name: SpacyNLP
  vectors: vectors/small.vec
- name: WhitespaceTokenizer
- name: SpacyFeaturizer
- name: LogisticRegressionClassifier
policies:
- name: RulePolicy
";

const VECTORS: &str = "\
9 3
hello 1 0.1 0
hi 0.9 0 0.1
greetings 0.95 0.1 0.05
servus 1.05 0 0
order 0 1 0.1
buy 0.1 0.9 0
purchase 0 1.1 0.1
pizza 0 0.4 1
pasta 0.1 0.5 0.9
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - hi
    - hello hi
- intent: order
  examples: |
    - order pizza
    - buy pizza
    - order
";

fn bench(config: &str) -> Workbench {
    Workbench::new(&[
        ("config.yml", config),
        ("domain.yml", "version: \"3.1\"\nintents: [greet, order]\n"),
        ("data/nlu.yml", NLU),
        ("vectors/small.vec", VECTORS),
    ])
}

fn trained(bench: &Workbench) -> Assistant {
    Assistant::load(&bench.train().unwrap().model.unwrap()).unwrap()
}

fn parsed(assistant: &Assistant, text: &str) -> Value {
    serde_json::to_value(assistant.parse(text).unwrap()).unwrap()
}

#[test]
fn words_that_no_example_has_are_understood_without_the_file() {
    let bench = bench(CONFIG);
    let assistant = trained(&bench);
    bench.remove("vectors");
    for (text, intent) in [
        ("servus", "greet"),
        ("Greetings", "greet"),
        ("purchase pasta", "order"),
    ] {
        let parse = parsed(&assistant, text);
        assert_eq!(parse["intent"]["name"], intent, "{parse:#}");
    }
}

#[test]
fn spacys_names_give_the_same_features() {
    let (own, spacy) = (trained(&bench(CONFIG)), trained(&bench(SPACY)));
    for text in ["servus", "purchase hello", "unheard of"] {
        assert_eq!(parsed(&own, text), parsed(&spacy, text));
    }
}

#[test]
fn a_classifier_finds_them_by_their_alias() {
    for config in [CONFIG, SPACY] {
        let name = match config == CONFIG {
            true => "- name: WordVectorsFeaturizer\n",
            false => "- name: SpacyFeaturizer\n",
        };
        let more = "- name: CountVectorsFeaturizer\n- name: LogisticRegressionClassifier\n";
        let config = config
            .replace(name, &format!("{name}  alias: meaning\n"))
            .replace("- name: LogisticRegressionClassifier\n", more)
            .replace("policies:", "  featurizers: [meaning]\npolicies:");
        let bench = bench(&config);
        let parse = parsed(&trained(&bench), "purchase pasta");
        assert_eq!(parse["intent"]["name"], "order", "{parse:#}");
    }
}

#[test]
fn only_what_is_read_makes_them_stale() {
    let bench = bench(CONFIG);
    let first = bench.archive();
    let rows = "nlu.1.WordVectorsFeaturizer";
    let table = "nlu.1.WordVectorsFeaturizer.vectors";
    let classifier = "nlu.2.LogisticRegressionClassifier";
    // The table comes out the same.
    bench.write("vectors/small.vec", &VECTORS.replace('\n', "\r\n"));
    assert_eq!(bench.ran_of_pipeline(), [table]);
    bench.replace("config.yml", "vectors/small", "vectors/moved");
    let text = bench.read("vectors/small.vec");
    bench.write("vectors/moved.vec", &text);
    assert_eq!(bench.ran_of_pipeline(), [""; 0]);
    bench.append("vectors/moved.vec", "more 1 2 3\n");
    assert_eq!(bench.ran_of_pipeline(), [table, rows]);
    bench.append("config.yml", "# no option\n");
    assert_eq!(bench.ran_of_pipeline(), [""; 0]);
    let pooling = "  vectors: vectors/moved.vec\n  pooling: max\n";
    bench.replace("config.yml", "  vectors: vectors/moved.vec\n", pooling);
    assert_eq!(bench.ran_of_pipeline(), [rows, classifier]);
    bench.replace("data/nlu.yml", "    - hello\n", "    - hello hello\n");
    let tokenizer = "nlu.0.WhitespaceTokenizer";
    assert_eq!(bench.ran_of_pipeline(), [tokenizer, rows, classifier]);
    bench.write("config.yml", CONFIG);
    bench.write("data/nlu.yml", NLU);
    bench.write("vectors/small.vec", VECTORS);
    assert!(bench.archive() == first && bench.clean_archive() == first);
}

#[test]
fn no_more_words_are_kept_than_wanted() {
    let bench = bench(CONFIG);
    let path = "  vectors: vectors/small.vec\n";
    bench.replace("config.yml", path, &format!("{path}  max_words: 5\n"));
    let assistant = trained(&bench);
    let known = parsed(&assistant, "servus");
    assert_eq!(known["intent"]["name"], "greet");
    // As sure as of nothing at all.
    let (unknown, nothing) = (parsed(&assistant, "purchase"), parsed(&assistant, "xyz"));
    assert_eq!(unknown["intent_ranking"], nothing["intent_ranking"]);
}

#[test]
fn networks_learn_from_vectors_beside_sparse_features() {
    let config = CONFIG.replace(
        "- name: LogisticRegressionClassifier\n",
        "\
- name: LexicalSyntacticFeaturizer
- name: DIETClassifier
  epochs: 40
  transformer_size: 16
  number_of_attention_heads: 2
  entity_recognition: false
",
    );
    let bench = bench(&config);
    let archive = bench.archive();
    assert!(bench.clean_archive() == archive);
    let assistant = trained(&bench);
    for (text, intent) in [("servus", "greet"), ("purchase pasta", "order")] {
        let parse = parsed(&assistant, text);
        assert_eq!(parse["intent"]["name"], intent, "{parse:#}");
    }
}

fn svm() -> Workbench {
    let old = "- name: LogisticRegressionClassifier\n";
    let new = "- name: CountVectorsFeaturizer\n- name: SklearnIntentClassifier\n";
    bench(&CONFIG.replace(old, new))
}

#[test]
fn support_vector_machines_answer_and_rank() {
    let bench = svm();
    let archive = bench.archive();
    assert!(bench.clean_archive() == archive);
    let assistant = trained(&bench);
    for (text, intent) in [("servus", "greet"), ("purchase pasta", "order")] {
        let parse = parsed(&assistant, text);
        assert_eq!(parse["intent"]["name"], intent, "{parse:#}");
        let ranking = parse["intent_ranking"].as_array().unwrap();
        let sum: f64 = ranking
            .iter()
            .filter_map(|one| one["confidence"].as_f64())
            .sum();
        assert!(ranking.len() == 2 && (sum - 1.0).abs() < 1e-9, "{parse:#}");
    }
}

#[test]
fn support_vector_machines_read_dense_features_alone() {
    let bench = svm();
    bench.train().unwrap();
    let sparse = "- name: CountVectorsFeaturizer\n";
    bench.replace(
        "config.yml",
        sparse,
        &format!("{sparse}  min_ngram: 1\n  max_ngram: 2\n"),
    );
    assert_eq!(bench.ran_of_pipeline(), ["nlu.2.CountVectorsFeaturizer"]);
    let name = "- name: SklearnIntentClassifier\n";
    bench.replace(
        "config.yml",
        name,
        &format!("{name}  num_threads: 3\n  gamma: [0.2]\n"),
    );
    assert_eq!(bench.ran_of_pipeline(), [""; 0]);
    bench.replace("config.yml", "  num_threads: 3\n", "  C: [3, 4]\n");
    assert_eq!(bench.ran_of_pipeline(), ["nlu.3.SklearnIntentClassifier"]);
    bench.replace("config.yml", "C: [3, 4]", "C: [0]\n  kernels: [rbf]");
    let told = refused(&bench);
    assert!(
        told.contains("option `kernels` of `SklearnIntentClassifier`"),
        "{told}"
    );
    bench.replace("config.yml", "  kernels: [rbf]\n", "");
    let told = refused(&bench);
    assert!(
        told.contains("option `C` of `SklearnIntentClassifier`"),
        "{told}"
    );
}

fn refused(bench: &Workbench) -> String {
    let error: TrainError = bench.train().unwrap_err();
    mistakes(&error)
}

#[test]
fn a_file_that_cannot_be_is_told_before_anything_trains() {
    let start = "E107 config.yml:6:12: option `vectors` of `WordVectorsFeaturizer` cannot be used";
    let other = bench(CONFIG);
    other.write("vectors/small.vec", "<html>no vectors</html>\n");
    let why = "it does not begin as word2vec, fastText or GloVe files do";
    assert_eq!(
        refused(&other),
        format!("{start}: `vectors/small.vec`: {why}")
    );
    other.remove("vectors");
    assert_eq!(
        refused(&other),
        format!("{start}: there is no file `vectors/small.vec`")
    );
    let folder = bench(CONFIG);
    folder.replace("config.yml", "vectors/small.vec", "vectors");
    let why = "`vectors` is a folder: name a file of word vectors";
    assert_eq!(refused(&folder), format!("{start}: {why}"));
    folder.replace("config.yml", "vectors: vectors", "vectors: ''");
    assert_eq!(refused(&folder), format!("{start}: it is empty"));
    let spacy = bench(SPACY);
    spacy.replace("config.yml", "  vectors: vectors/small.vec\n", "");
    let told = refused(&spacy);
    assert!(
        told.starts_with("E106 config.yml:4:3: `SpacyNLP` names no `vectors`"),
        "{told}"
    );
}

#[test]
fn a_damaged_line_fails_the_training_with_its_number() {
    let bench = bench(CONFIG);
    bench.replace("vectors/small.vec", "pasta 0.1 0.5 0.9", "pasta 0.1 0.5");
    let error = bench.train().unwrap_err();
    let told = format!("{error:?}");
    assert!(
        told.contains("line 10: it has fewer than 3 numbers"),
        "{told}"
    );
}

#[test]
fn entities_are_found_by_the_vectors_of_their_words() {
    let crf = "\
- name: CRFEntityExtractor
  features: [[low], [text_dense_features], [low]]
  featurizers: [meaning]
";
    let config = CONFIG
        .replace("- name: LogisticRegressionClassifier\n", crf)
        .replace(
            "- name: WordVectorsFeaturizer\n",
            "- name: WordVectorsFeaturizer\n  alias: meaning\n",
        );
    let bench = bench(&config);
    bench.replace("data/nlu.yml", "order pizza", "order [pizza](food)");
    bench.replace("data/nlu.yml", "buy pizza", "buy [pizza](food)");
    let archive = bench.archive();
    assert!(bench.clean_archive() == archive);
    let parse = parsed(&trained(&bench), "purchase pasta");
    assert_eq!(parse["entities"][0]["entity"], "food", "{parse:#}");
    assert_eq!(parse["entities"][0]["value"], "pasta", "{parse:#}");
    let (vectors, features) = (
        "nlu.1.WordVectorsFeaturizer.vectors",
        "nlu.1.WordVectorsFeaturizer",
    );
    bench.replace("vectors/small.vec", "pizza 0 0.4 1", "pizza 0 0.5 1");
    assert_eq!(
        bench.ran_of_pipeline(),
        [vectors, features, "nlu.2.CRFEntityExtractor"]
    );
    bench.replace("config.yml", "[meaning]", "[meanings]");
    let told = refused(&bench);
    assert!(
        told.contains("no featurizer before it is called `meanings`"),
        "{told}"
    );
}
