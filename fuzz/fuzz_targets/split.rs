//! A fraction and NLU data of all formats, with the byte 0xff between the files:
//! both parts joined are the whole.

#![no_main]

use std::path::Path;

use tabella::convert::SplitOptions;
use tabella::convert::split_nlu;
use tabella::data::Example;
use tabella::import::import_nlu_files;
use tabella_fuzz::Folder;
use tabella_fuzz::errors;
use tabella_fuzz::show;

fn key(example: &Example) -> String {
    let Example {
        intent,
        intent_response_key,
        text,
        entities,
        ..
    } = example;
    format!("{intent:?} {intent_response_key:?} {text:?} {entities:?}")
}

fn keys(examples: &[Example]) -> Vec<String> {
    let mut keys: Vec<String> = examples.iter().map(key).collect();
    keys.sort();
    keys
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    const NAMES: &[&str] = &["data/nlu.yml", "data/nlu.md", "data/nlu.json"];
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let parts = data.split(|byte| *byte == 0xff);
    let files = NAMES.iter().map(Path::new).zip(parts);
    let folder = Folder::new("whole", files.filter(|(_, part)| !part.is_empty()));
    let options = SplitOptions {
        training_fraction: f64::from(*first) / 255.0,
        random_seed: None,
    };
    let split = split_nlu(&folder.sources(), &options).expect("files can be read");
    show(&split.diagnostics, &split.sources);
    show(&split.lost, &split.sources);
    if !errors(&split.diagnostics).is_empty() || split.lost.iter().any(|one| one.code != "N604") {
        return;
    }
    let data = [Path::new("data").to_owned()];
    let whole = import_nlu_files(&folder.path, &data).expect("files can be read");
    let read = |side: &str| {
        let files = split.files.iter().filter(|(name, _)| name.contains(side));
        let files: Vec<_> = files
            .map(|(name, text)| (Path::new("data").join(name), text))
            .collect();
        let folder = Folder::new(
            side,
            files.iter().map(|(name, text)| (&**name, text.as_bytes())),
        );
        let part = import_nlu_files(&folder.path, &data).expect("files can be read");
        assert_eq!(errors(&part.diagnostics), Vec::<String>::new());
        part.project.nlu
    };
    let (training, test) = match whole.project.nlu.examples.is_empty() {
        true => return,
        false => (read("training_data"), read("test_data")),
    };
    let both = [training.examples.clone(), test.examples].concat();
    assert_eq!(keys(&both), keys(&whole.project.nlu.examples));
    // Annotations of the part that is tested with make synonyms, too.
    let mut synonyms = test.synonyms;
    synonyms.extend(training.synonyms);
    // Of two meanings of one text the one wins that is read last.
    if whole.diagnostics.iter().all(|one| one.code != "W308") {
        assert_eq!(synonyms, whole.project.nlu.synonyms);
    }
    assert_eq!(training.patterns, whole.project.nlu.patterns);
});
