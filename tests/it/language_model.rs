//! `LanguageModelFeaturizer`: Rasa's features from a local folder, which is part of the key
//! and not of the archive.

#![allow(clippy::unwrap_used)] // clippy sees tests only in functions marked so

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use expect_test::expect;
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use tabella::api::Assistant;
use tabella::api::CrossValidation;
use tabella::api::cache_stats;
use tabella::api::cross_validate_nlu;
use tabella::digest::Digest;
use tabella::features::FeatureRows;
use tabella::features::language_model;
use tabella::features::language_model::Architecture;
use tabella::features::language_model::Featurizer;
use tabella::features::language_model::Long;
use tabella::features::language_model::ModelFile;
use tabella::matrix::Level;
use tabella::matrix::set_level;
use tabella::nlu::MODEL_FOLDERS_VARIABLE;
use tabella::nlu::ModelFolders;
use tabella::tokenize::Attribute;
use tabella::tokenize::Document;
use tabella::tokenize::Tokenizer;

use crate::workbench::Workbench;
use crate::workbench::mistakes;
use crate::workbench::program;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/language_model")
}

/// The files of a folder as they are.
fn files(folder: &Path) -> BTreeMap<String, ModelFile> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let file = |entry: fs::DirEntry| {
        let path = entry.path();
        let digest = Digest::of(&fs::read(&path).unwrap());
        let name = entry.file_name().into_string().unwrap();
        (name, ModelFile { path, digest })
    };
    entries.map(file).collect()
}

fn opened(folder: &Path, architecture: Architecture) -> Result<Featurizer, String> {
    let opened = language_model::open(&files(folder), architecture);
    opened.map_err(|error| {
        let mut told = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            told = format!("{told}: {error}");
            cause = error.source();
        }
        told
    })
}

fn model(name: &str) -> Featurizer {
    let architecture = Architecture::of_option(name).unwrap();
    opened(&fixtures().join(name), architecture).unwrap()
}

fn documents(texts: &[&str]) -> Vec<Document> {
    let tokenizer = Tokenizer::new(&Default::default()).unwrap();
    let document = |text: &&str| tokenizer.single(Attribute::Text, text);
    texts.iter().map(document).collect()
}

fn rows(model: &Featurizer, texts: &[&str]) -> FeatureRows {
    let documents = documents(texts);
    let rows = model.rows(&documents, Attribute::Text, Long::Refused, &mut |_, _| true);
    rows.unwrap()
}

#[derive(Deserialize)]
struct Recorded {
    text: String,
    tokens: Vec<String>,
    /// The first numbers of each token.
    sequence: Vec<Vec<f32>>,
    sentence: Vec<f32>,
}

fn recorded() -> BTreeMap<String, Vec<Recorded>> {
    let bytes = fs::read(fixtures().join("recorded.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Rasa's numbers are rounded to six places, and both sum in 32 bits.
const TOLERANCE: f32 = 1e-5;

#[track_caller]
fn close(found: &[f32], want: &[f32], about: &str) {
    assert!(found.len() >= want.len());
    for (found, want) in found.iter().zip(want) {
        let error = (found - want).abs();
        assert!(error <= TOLERANCE, "{about}: {found} is not {want}");
    }
}

#[test]
fn features_are_those_that_rasa_gives() {
    let recorded = recorded();
    assert_eq!(recorded.len(), 3);
    for (name, all) in recorded {
        let texts: Vec<&str> = all.iter().map(|one| one.text.as_str()).collect();
        let rows = rows(&model(&name), &texts);
        for (at, one) in all.iter().enumerate() {
            let about = format!("{name}: {}", one.text);
            let tokens = rows.tokens(at);
            assert_eq!(tokens.len(), one.tokens.len(), "{about}");
            for (row, want) in tokens.zip(&one.sequence) {
                close(rows.dense_sequence.row(row), want, &about);
            }
            close(rows.dense_sentence.row(at), &one.sentence, &about);
        }
    }
}

#[test]
fn texts_that_are_not_there_are_zeros() {
    let rows = rows(&model("bert"), &["", "hello", ""]);
    assert_eq!(rows.dense_sentence.row(0), [0.0; 32]);
    assert_eq!(rows.dense_sentence.row(2), [0.0; 32]);
    assert_eq!(rows.dense_sequence.rows(), 1);
    let name = [Tokenizer::new(&Default::default())
        .unwrap()
        .single(Attribute::Intent, "hello")];
    let rows = model("bert").rows(&name, Attribute::Intent, Long::Refused, &mut |_, _| true);
    assert!(!rows.unwrap().has_columns());
}

#[test]
fn every_level_and_number_of_threads_gives_the_same_bytes() {
    let recorded = recorded();
    for name in ["bert", "distilbert", "roberta"] {
        let model = model(name);
        let texts: Vec<&str> = recorded[name].iter().map(|one| one.text.as_str()).collect();
        let many: Vec<&str> = texts.iter().cycle().take(40).copied().collect();
        let more: Vec<String> = (0..60)
            .map(|at| format!("table {at} the order {at}"))
            .collect();
        let many: Vec<&str> = many
            .into_iter()
            .chain(more.iter().map(String::as_str))
            .collect();
        let first = rows(&model, &many).to_bytes();
        for threads in [1, 2, 3, 8] {
            let pool = ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            assert!(pool.install(|| rows(&model, &many).to_bytes()) == first);
        }
        for level in [Level::Avx2, Level::Portable] {
            set_level(level);
            let other = rows(&model, &many).to_bytes();
            set_level(Level::Avx512);
            assert!(other == first, "{name}: {level:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_text_has_the_same_features_alone_and_among_others(
        texts in proptest::collection::vec("[a-z0-9 ,.'é我]{1,40}", 1..12),
    ) {
        let model = model("roberta");
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let together = rows(&model, &texts);
        for (at, text) in texts.iter().enumerate() {
            let alone = rows(&model, &[text]);
            prop_assert_eq!(alone.dense_sentence.row(0), together.dense_sentence.row(at));
            for (own, row) in together.tokens(at).enumerate() {
                prop_assert_eq!(alone.dense_sequence.row(own), together.dense_sequence.row(row));
            }
        }
    }
}

#[test]
fn a_text_that_is_too_long_is_refused_in_training_and_cut_in_answering() {
    let model = model("bert");
    let text = "hello ".repeat(60);
    let long = documents(&[text.trim()]);
    let refused = model.rows(&long, Attribute::Text, Long::Refused, &mut |_, _| true);
    expect!["`hello hello hello he…` has 62 sub-tokens, and the language model reads 40 at most: shorten it"]
        .assert_eq(&refused.err().unwrap().to_string());
    let cut = model.rows(&long, Attribute::Text, Long::Cut, &mut |_, _| true);
    let cut = cut.unwrap();
    // Of forty one is special, and Rasa drops the vector of the last.
    assert_ne!(cut.dense_sequence.row(37), [0.0; 32]);
    assert_eq!(cut.dense_sequence.row(38), [0.0; 32]);
    assert_eq!(cut.dense_sequence.row(59), [0.0; 32]);
    let start = documents(&["hello ".repeat(39).trim()]);
    let fits = model
        .rows(&start, Attribute::Text, Long::Cut, &mut |_, _| true)
        .unwrap();
    assert_eq!(cut.dense_sentence.row(0), fits.dense_sentence.row(0));
    assert_eq!(cut.dense_sequence.row(20), fits.dense_sequence.row(20));
}

/// A copy of a fixture that may be damaged.
fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, one) in files(&fixtures().join(name)) {
        fs::copy(one.path, folder.path().join(file)).unwrap();
    }
    folder
}

/// Splits a safetensors file into its header and the rest.
fn split(path: &Path) -> (Value, Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    let size = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let header = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
    (header, bytes[8 + size..].to_vec())
}

fn join(path: &Path, header: &Value, rest: &[u8]) {
    let header = serde_json::to_vec(header).unwrap();
    let size = (header.len() as u64).to_le_bytes();
    fs::write(path, [&size[..], &header, rest].concat()).unwrap();
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let folder = copy("bert");
    let listed = files(folder.path());
    fs::remove_file(folder.path().join("config.json")).unwrap();
    fs::create_dir(folder.path().join("config.json")).unwrap();
    let error = language_model::open(&listed, Architecture::Bert)
        .err()
        .unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(error.to_string(), "`config.json` cannot be read");
    assert_eq!(source, "it is no regular file");
}

#[test]
fn weights_in_several_files_are_the_same_weights() {
    let folder = copy("bert");
    let whole = folder.path().join("model.safetensors");
    let (header, rest) = split(&whole);
    let of_tensor = |name: &str| {
        let range = &header[name]["data_offsets"];
        let at = |which: usize| range[which].as_u64().unwrap() as usize;
        rest[at(0)..at(1)].to_vec()
    };
    let names: Vec<&String> = header.as_object().unwrap().keys().collect();
    let mut map = BTreeMap::new();
    for (number, names) in names.chunks(names.len().div_ceil(3)).enumerate() {
        let file = format!("model-{number}-of-3.safetensors");
        let (mut own, mut bytes) = (json!({}), Vec::new());
        for name in names {
            let start = bytes.len();
            bytes.extend(of_tensor(name));
            own[name] = header[name].clone();
            own[name]["data_offsets"] = json!([start, bytes.len()]);
            map.insert(name.to_string(), file.clone());
        }
        join(&folder.path().join(file), &own, &bytes);
    }
    fs::remove_file(whole).unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(&index, json!({ "weight_map": map }).to_string()).unwrap();
    let texts = ["hello table", "I want two pizzas"];
    let sharded = opened(folder.path(), Architecture::Bert).unwrap();
    assert!(rows(&sharded, &texts) == rows(&model("bert"), &texts));
    fs::write(&index, r#"{"weight_map": {"a": "../model.safetensors"}}"#).unwrap();
    let told = opened(folder.path(), Architecture::Bert).unwrap_err();
    expect!["`model.safetensors.index.json` does not say which files there are: `../model.safetensors` is not in the folder"]
        .assert_eq(&told);
}

#[test]
fn a_list_of_words_and_a_tokenizer_split_alike() {
    let folder = copy("distilbert");
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    for file in ["vocab.txt", "tokenizer_config.json"] {
        fs::copy(fixtures().join("bert").join(file), folder.path().join(file)).unwrap();
    }
    let config = r#"{"do_lower_case": false, "model_max_length": 512}"#;
    fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
    let words = opened(folder.path(), Architecture::Distilbert).unwrap();
    let texts: Vec<String> = recorded()["bert"]
        .iter()
        .map(|one| one.text.clone())
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert!(rows(&words, &texts) == rows(&model("distilbert"), &texts));
}

/// Sub-tokens of XLM-RoBERTa's kind, in which words begin with `▁`.
const UNIGRAM: &str = r#"{
  "version": "1.0", "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
  "padding": null, "added_tokens": [],
  "normalizer": null, "decoder": null, "post_processor": null,
  "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
  "model": {"type": "Unigram", "unk_id": 3, "vocab": [
    ["<s>", 0], ["<pad>", 0], ["</s>", 0], ["<unk>", -9],
    ["▁", -2], ["▁hello", -1], ["我", -1], ["想", -1], ["s", -3]]}
}"#;

#[test]
fn sub_tokens_that_are_only_a_mark_are_left_out() {
    let folder = copy("roberta");
    fs::write(folder.path().join("tokenizer.json"), UNIGRAM).unwrap();
    let config = fs::read_to_string(folder.path().join("config.json")).unwrap();
    let config = config.replace("\"roberta\"", "\"xlm-roberta\"");
    fs::write(folder.path().join("config.json"), config).unwrap();
    let model = opened(folder.path(), Architecture::Roberta).unwrap();
    // `▁`, `我`, `想`; `▁hello`; `▁hello`, `s`; `▁`, unknown.
    for (word, count) in [("我想", 2), ("hello", 1), ("hellos", 2), ("x", 1)] {
        let text = format!("{word} ").repeat(100);
        let long = documents(&[text.trim()]);
        let refused = model.rows(&long, Attribute::Text, Long::Refused, &mut |_, _| true);
        let told = refused.err().unwrap().to_string();
        let want = format!("has {} sub-tokens", 100 * count + 2);
        assert!(told.contains(&want), "{word}: {told}");
    }
}

/// What is told of a folder with one thing wrong.
#[track_caller]
fn broken(damage: impl Fn(&Path), want: expect_test::Expect) {
    let folder = copy("bert");
    damage(folder.path());
    want.assert_eq(&opened(folder.path(), Architecture::Bert).unwrap_err());
}

#[test]
fn what_is_wrong_with_a_folder_is_told() {
    let edit = |folder: &Path, change: &dyn Fn(&mut Value)| {
        let path = folder.join("model.safetensors");
        let (mut header, rest) = split(&path);
        change(&mut header);
        join(&path, &header, &rest);
    };
    let layer = "encoder.layer.1.output.dense.bias";
    broken(
        |folder| {
            edit(folder, &|header| {
                let tensor = header.as_object_mut().unwrap().remove(layer).unwrap();
                header["other"] = tensor;
            });
        },
        expect!["`model.safetensors`: there is no tensor `encoder.layer.1.output.dense.bias`"],
    );
    broken(
        |folder| edit(folder, &|header| header[layer]["shape"] = json!([2, 16])),
        expect![
            "`model.safetensors`: the tensor `encoder.layer.1.output.dense.bias` has the shape [2, 16], and by `config.json` it is [32]"
        ],
    );
    broken(
        |folder| edit(folder, &|header| header[layer]["dtype"] = json!("I16")),
        expect![
            "`model.safetensors`: the tensor `encoder.layer.1.output.dense.bias` holds I16: only F32, F16 and BF16 are read"
        ],
    );
    let cut = |count: usize| {
        move |folder: &Path| {
            let path = folder.join("model.safetensors");
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len().min(count)]).unwrap();
        }
    };
    broken(
        cut(4),
        expect!["`model.safetensors`: it is cut off: it has no header"],
    );
    broken(
        cut(99),
        expect!["`model.safetensors`: it is cut off: its header is not whole"],
    );
    broken(
        cut(20_000),
        expect!["`model.safetensors`: it is cut off: a tensor is not whole"],
    );
    broken(
        |folder| fs::write(folder.join("model.safetensors"), [0xff; 64]).unwrap(),
        expect![
            "`model.safetensors`: it is not a safetensors file: its header would have 18446744073709551615 bytes"
        ],
    );
    broken(
        |folder| fs::write(folder.join("config.json"), "{}").unwrap(),
        expect!["`config.json`: it does not say `vocab_size`"],
    );
    broken(
        |folder| fs::write(folder.join("vocab.txt"), "[UNK]\nhello\n").unwrap(),
        expect!["`vocab.txt`: it has no sub-token `[CLS]`"],
    );
    broken(
        |folder| fs::write(folder.join("tokenizer.json"), "{").unwrap(),
        expect!["`tokenizer.json`: EOF while parsing an object at line 1 column 1"],
    );
    broken(
        |folder| {
            let text = "{\"version\": \"1.0\", \"decoder\": {\"type\": \"Word\nPiece\"}}";
            fs::write(folder.join("tokenizer.json"), text).unwrap();
        },
        expect![[
            r#"`tokenizer.json`: control character (\u0000-\u001F) found while parsing a string at line 1 column 44"#
        ]],
    );
    broken(
        |folder| {
            let words = fs::read_to_string(folder.join("vocab.txt")).unwrap();
            fs::write(folder.join("vocab.txt"), words.replace("[UNK]", "[OTHER]")).unwrap();
        },
        expect!["`vocab.txt`: it has no sub-token `[UNK]` for what it does not know"],
    );
    broken(
        |folder| fs::remove_file(folder.join("vocab.txt")).unwrap(),
        expect!["there is neither `tokenizer.json` nor `vocab.txt`"],
    );
    broken(
        |folder| {
            let words = fs::read_to_string(folder.join("vocab.txt")).unwrap();
            fs::write(folder.join("vocab.txt"), words + "more\n").unwrap();
        },
        expect!["`vocab.txt`: its sub-token `more` is number 199, and the model has 199"],
    );
    let path = fixtures().join("bert");
    let told = opened(&path, Architecture::Distilbert).unwrap_err();
    expect!["`config.json`: its `model_type` is `bert`, and `model_name` asks for `distilbert`"]
        .assert_eq(&told);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_damage_makes_it_panic(
        file in 0_usize..3, at in 0_usize..3000, bytes in proptest::collection::vec(any::<u8>(), 1..20),
    ) {
        let folder = copy("distilbert");
        let name = ["config.json", "model.safetensors", "tokenizer.json"][file];
        let path = folder.path().join(name);
        let mut text = fs::read(&path).unwrap();
        let at = at.min(text.len());
        let end = (at + bytes.len()).min(text.len());
        text.splice(at..end, bytes);
        fs::write(&path, text).unwrap();
        if let Ok(model) = opened(folder.path(), Architecture::Distilbert) {
            let documents = documents(&["hello table 我 [CLS]"]);
            let rows = model.rows(&documents, Attribute::Text, Long::Cut, &mut |_, _| true);
            prop_assert_eq!(rows.unwrap().messages(), 1);
        }
    }
}

const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: LanguageModelFeaturizer
  model_weights: models/tiny
- name: LogisticRegressionClassifier
policies:
- name: RulePolicy
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - hello hello
    - great
- intent: order
  examples: |
    - order pizza
    - book a [table](what)
    - order
";

fn bench(config: &str) -> Workbench {
    let bench = Workbench::new(&[
        ("config.yml", config),
        (
            "domain.yml",
            "version: \"3.1\"\nintents: [greet, order]\nentities: [what]\n",
        ),
        ("data/nlu.yml", NLU),
    ]);
    put_model(&bench, "models/tiny");
    bench
}

pub fn put_model(bench: &Workbench, folder: &str) {
    let target = bench.root().join(folder);
    fs::create_dir_all(&target).unwrap();
    for (name, file) in files(&fixtures().join("bert")) {
        fs::copy(file.path, target.join(name)).unwrap();
    }
}

fn loaded(bench: &Workbench, folders: &ModelFolders) -> Result<Assistant, String> {
    let model = bench.train().unwrap().model.unwrap();
    Assistant::load_with(&model, folders).map_err(|error| error.to_string())
}

fn in_project(bench: &Workbench) -> ModelFolders {
    ModelFolders {
        is_closed: false,
        project: bench.root(),
        instead: None,
    }
}

#[test]
fn networks_learn_from_it_and_answer_with_the_folder_beside_them() {
    let diet = "\
- name: DIETClassifier
  epochs: 30
  transformer_size: 16
  number_of_attention_heads: 2
";
    let config = CONFIG.replace("- name: LogisticRegressionClassifier\n", diet);
    let bench = bench(&config);
    let archive = bench.archive();
    assert!(bench.clean_archive() == archive);
    let assistant = loaded(&bench, &in_project(&bench)).unwrap();
    for (text, intent) in [("hello great", "greet"), ("order", "order")] {
        let parse = serde_json::to_value(assistant.parse(text).unwrap()).unwrap();
        assert_eq!(parse["intent"]["name"], intent, "{parse:#}");
    }
}

#[test]
fn the_archive_names_the_folder_and_does_not_hold_it() {
    let bench = bench(CONFIG);
    assert!(bench.archive().len() < 20_000);
    let model = bench.train().unwrap().model.unwrap();
    Assistant::load_with(&model, &in_project(&bench)).unwrap();
    let shelf = tempfile::tempdir().unwrap();
    let moved = shelf.path().join("tiny");
    fs::rename(bench.root().join("models/tiny"), &moved).unwrap();
    let root = bench.root().display().to_string();
    let told = |folders: &ModelFolders| {
        let error = Assistant::load_with(&model, folders).err().unwrap();
        error.to_string().replace(&root, "[ROOT]")
    };
    expect!["`pipeline` of the model cannot be loaded: `LanguageModelFeaturizer` cannot read the language model in `[ROOT]/models/tiny`; have there the folder `models/tiny` that it was trained with, or name the folder that it is in with `TABELLA_LANGUAGE_MODELS`: there is no `config.json`"]
        .assert_eq(&told(&in_project(&bench)));
    // Elsewhere it is found by its last name.
    let elsewhere = ModelFolders {
        is_closed: false,
        instead: Some(shelf.path().to_owned()),
        ..in_project(&bench)
    };
    Assistant::load_with(&model, &elsewhere).unwrap();
    let config = moved.join("config.json");
    fs::write(&config, fs::read_to_string(&config).unwrap() + "\n").unwrap();
    let shown = told(&elsewhere);
    assert!(
        shown.ends_with("`config.json` is another file than the one that was trained with"),
        "{shown}"
    );
}

#[test]
fn the_memory_that_a_model_takes_is_estimated_by_its_files() {
    let bench = bench(CONFIG);
    let path = bench.root().join("models/tiny/model.safetensors");
    // A head that is not read, of 64 MiB.
    let (mut header, mut rest) = split(&path);
    let (start, size) = (rest.len(), 64 << 20);
    let offsets = [start, start + size];
    header["other"] = json!({"dtype": "F32", "shape": [size / 4], "data_offsets": offsets});
    rest.resize(start + size, 0);
    join(&path, &header, &rest);
    let mut train = program(&bench.root(), bench.cache());
    let run = train.args(["train", "--max-memory", "150MB"]).output();
    let run = run.unwrap();
    let told = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(69), "{told}");
    let task = "`nlu.1.LanguageModelFeaturizer.vectors.00` is estimated to need";
    assert!(told.contains(task), "{told}");
}

#[test]
fn the_program_takes_the_folder_of_folders_from_the_environment() {
    let bench = bench(CONFIG);
    bench.train().unwrap();
    let shelf = tempfile::tempdir().unwrap();
    fs::rename(bench.root().join("models/tiny"), shelf.path().join("tiny")).unwrap();
    let parse = |variable: Option<&Path>| {
        let mut command = program(&bench.root(), bench.cache());
        command.args(["parse", "order pizza"]);
        if let Some(folder) = variable {
            command.env(MODEL_FOLDERS_VARIABLE, folder);
        }
        command.output().unwrap()
    };
    let found = parse(Some(shelf.path()));
    let answer: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(answer["intent"]["name"], "order", "{answer:#}");
    let lost = parse(None);
    assert_eq!(lost.status.code(), Some(65));
    let told = String::from_utf8(lost.stderr).unwrap();
    assert!(told.contains(MODEL_FOLDERS_VARIABLE), "{told}");
}

#[test]
fn only_the_files_that_are_read_make_it_stale() {
    let bench = bench(CONFIG);
    let first = bench.archive();
    let [texts, vectors, features] = ["texts", "vectors.00", ""]
        .map(|task| format!("nlu.1.LanguageModelFeaturizer.{task}"))
        .map(|task| task.trim_end_matches('.').to_owned());
    let tokenizer = "nlu.0.WhitespaceTokenizer".to_owned();
    let classifier = "nlu.2.LogisticRegressionClassifier".to_owned();
    assert_eq!(bench.dry_run().code, 0);
    bench.write("models/tiny/pytorch_model.bin", "other weights");
    bench.write("models/tiny/README.md", "about it");
    assert_eq!(bench.ran_of_pipeline(), [""; 0]);
    let path = bench.root().join("models/tiny/model.safetensors");
    let weights = fs::read(&path).unwrap();
    let mut other = weights.clone();
    *other.last_mut().unwrap() ^= 1;
    // The last tensor is a pooler's: another file, and the same features.
    fs::write(&path, &other).unwrap();
    let report = bench.dry_run().dry_run_results.unwrap();
    let plan = serde_json::to_string(&report).unwrap();
    assert!(plan.contains("models/tiny/model.safetensors"), "{plan}");
    assert_eq!(bench.ran_of_pipeline(), [&vectors[..], &features]);
    bench.append("models/tiny/tokenizer_config.json", "\n");
    assert_eq!(bench.ran_of_pipeline(), [&texts[..], &features]);
    fs::write(&path, &weights).unwrap();
    let text = bench.read("models/tiny/tokenizer_config.json");
    bench.write("models/tiny/tokenizer_config.json", text.trim_end());
    assert!(bench.archive() == first && bench.clean_archive() == first);
    bench.replace("data/nlu.yml", "    - great\n", "    - great table\n");
    assert_eq!(
        bench.ran_of_pipeline(),
        [tokenizer, texts, vectors, features, classifier]
    );
    // Another place of the same folder is no other model.
    put_model(&bench, "elsewhere/big");
    bench.replace("config.yml", "models/tiny", "elsewhere/big");
    assert_eq!(bench.ran_of_pipeline(), [""; 0]);
}

#[test]
fn another_example_sends_only_the_texts_of_its_part_through_the_model() {
    let bench = bench(CONFIG);
    let examples: String = (0..600).map(|at| format!("    - order {at}\n")).collect();
    let more = format!("nlu:\n- intent: order\n  examples: |\n{examples}");
    bench.write("data/more.yml", &more);
    let sent = || {
        let ran = bench.ran_of_pipeline().into_iter();
        let sent = ran.filter(|name| name.contains("LanguageModelFeaturizer.vectors."));
        sent.count()
    };
    assert_eq!(sent(), 4);
    for text in ["order of another kind", "hello pizza"] {
        bench.append("data/more.yml", &format!("    - {text}\n"));
        assert_eq!(sent(), 1, "{text}");
    }
    // A text that is there already goes through it for no example more.
    bench.append(
        "data/more.yml",
        "- intent: greet\n  examples: |\n    - order 7\n",
    );
    assert_eq!(sent(), 0);
    assert!(bench.clean_archive() == bench.archive());
}

#[test]
fn folds_share_the_vectors_of_texts_with_each_other_and_with_a_training() {
    let bench = bench(CONFIG);
    let options = bench.folds(3);
    let results = || cache_stats(&options.run).unwrap().results;
    let done = cross_validate_nlu(&options, &|_, _| {}).unwrap();
    assert_eq!(done.spread.examples.len(), 3);
    let of_folds = results();
    // Nothing of it is left to do for the whole.
    let ran = bench.ran_of_pipeline().into_iter();
    let ran: Vec<String> = ran
        .filter(|name| name.contains("Tokenizer") || name.contains("LanguageModel"))
        .collect();
    assert_eq!(ran, [""; 0]);
    // Other folds have other examples, and no other texts.
    let before = results();
    let other = CrossValidation {
        seed: 1,
        ..options.clone()
    };
    cross_validate_nlu(&other, &|_, _| {}).unwrap();
    let (tokens, texts, vectors, rows) = (1, 1, 1, 1);
    assert_eq!(
        results() - before,
        of_folds - (tokens + texts + vectors + rows)
    );
}

#[track_caller]
fn refused(change: &str, want: expect_test::Expect) {
    let config = CONFIG.replace("  model_weights: models/tiny\n", change);
    let bench = bench(&config);
    bench.write("models/old/config.json", "{\"model_type\": \"bert\"}");
    bench.write("models/old/pytorch_model.bin", "");
    bench.write("models/old/vocab.txt", "");
    let config = fs::read_to_string(bench.root().join("models/tiny/config.json")).unwrap();
    bench.write("models/pointer/config.json", &config);
    bench.write("models/pointer/vocab.txt", "");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    bench.write("models/pointer/model.safetensors", pointer);
    bench.write("models/noise/config.json", &config);
    bench.write("models/noise/vocab.txt", "");
    bench.write("models/noise/model.safetensors", &"noise ".repeat(200_000));
    for name in ["config.json", "vocab.txt", "model.safetensors"] {
        let bytes = fs::read(bench.root().join("models/tiny").join(name)).unwrap();
        let end = if name == "model.safetensors" {
            20_000
        } else {
            bytes.len()
        };
        bench.write(&format!("models/short/{name}"), "");
        fs::write(bench.root().join("models/short").join(name), &bytes[..end]).unwrap();
    }
    want.assert_eq(&mistakes(&bench.train().unwrap_err()));
}

#[test]
fn what_cannot_be_read_is_told_before_anything_trains() {
    refused(
        "",
        expect![
            "E107 config.yml:5:3: option `model_weights` of `LanguageModelFeaturizer` cannot be used: it names no folder, and Rasa's `rasa/LaBSE` is not downloaded"
        ],
    );
    refused(
        "  model_weights: rasa/LaBSE\n",
        expect![
            "E107 config.yml:6:18: option `model_weights` of `LanguageModelFeaturizer` cannot be used: there is no folder `rasa/LaBSE`, and Tabella downloads nothing"
        ],
    );
    refused(
        "  model_name: distilbert\n  model_weights: models/tiny\n",
        expect![
            "E107 config.yml:7:18: option `model_weights` of `LanguageModelFeaturizer` cannot be used: `models/tiny`: `config.json`: its `model_type` is `bert`, and `model_name` asks for `distilbert`"
        ],
    );
    refused(
        "  model_name: gpt2\n",
        expect![
            "E107 config.yml:6:15: option `model_name` of `LanguageModelFeaturizer` cannot be used: there is no network for `gpt2`; there are `bert`, `distilbert`, `roberta`, `camembert`"
        ],
    );
    refused(
        "  model_weights: models/old\n",
        expect![
            "E107 config.yml:6:18: option `model_weights` of `LanguageModelFeaturizer` cannot be used: `models/old`: there is no `model.safetensors`"
        ],
    );
    refused(
        "  model_weights: models/pointer\n",
        expect![
            "E107 config.yml:6:18: option `model_weights` of `LanguageModelFeaturizer` cannot be used: `models/pointer`: `model.safetensors` is a pointer of Git LFS to the file: `git lfs pull` fetches it"
        ],
    );
    refused(
        "  model_weights: models/short\n",
        expect![
            "E107 config.yml:6:18: option `model_weights` of `LanguageModelFeaturizer` cannot be used: `models/short`: `model.safetensors`: it is cut off: a tensor is not whole"
        ],
    );
    refused(
        "  model_weights: models/noise\n",
        expect![
            "E107 config.yml:6:18: option `model_weights` of `LanguageModelFeaturizer` cannot be used: `models/noise`: `model.safetensors`: it is not a safetensors file: its header would have 8029390805748248430 bytes"
        ],
    );
    refused(
        "  model_weights: models\n",
        expect![
            "E107 config.yml:6:18: option `model_weights` of `LanguageModelFeaturizer` cannot be used: the folder `models` holds no language model"
        ],
    );
    refused(
        "  model_weights: models/tiny/config.json\n",
        expect![
            "E107 config.yml:6:18: option `model_weights` of `LanguageModelFeaturizer` cannot be used: `models/tiny/config.json` is a file: name the folder that it is in"
        ],
    );
}

#[test]
fn an_example_that_is_too_long_is_told_with_its_place() {
    let bench = bench(CONFIG);
    let long = format!("    - great {}\n", "hello ".repeat(60).trim());
    bench.replace("data/nlu.yml", "    - great\n", &long);
    let told = format!("{:?}", bench.train().err().unwrap());
    assert!(told.contains("data/nlu.yml:7"), "{told}");
    assert!(
        told.contains("has 63 sub-tokens, and the language model reads 40"),
        "{told}"
    );
}
