//! The task of `JiebaTokenizer`: a user's dictionaries, and all texts in words.

use std::fs;
use std::sync::Arc;

use serde_json::json;

use crate::archive::ComponentEntry;
use crate::data::Component;
use crate::data::ComponentFile;
use crate::digest::Digest;
use crate::engine::Input;
use crate::engine::Leaf;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::Turn;
use crate::nlu::FITTED;
use crate::recipe::Draft;
use crate::recipe::Messages;
use crate::recipe::Stage;
use crate::recipe::builder::places_of;
use crate::recipe::nlu::Line;
use crate::recipe::nlu::json_bytes;
use crate::recipe::nlu::tokenize;
use crate::recipe::options::Written;
use crate::tokenize::JiebaOptions;
use crate::tokenize::Tokenizer;
use crate::tokenize::TokenizerOptions;
use crate::tokenize::UserWords;

/// The algorithm version: raised when the output for the same input changes.
const VERSION: u32 = 1;

/// Adds a `JiebaTokenizer`.
pub fn tokenizer(
    line: &mut Line<'_>,
    place: usize,
    component: &Component,
) -> Option<ComponentEntry> {
    let options: JiebaOptions = line.read(component)?;
    let written = Written(component);
    if let Err(error) = Tokenizer::jieba(options.tokenizer.clone(), UserWords::default()) {
        written.wrong_option(&error, line.diagnostics);
        return None;
    }
    if let Some(reason) = wrong_dictionary(&options, component) {
        written.wrong("dictionary_path", &reason, line.diagnostics);
        return None;
    }
    let mut inputs = vec![Input::leaf("messages", line.all_messages())];
    let files = Arc::new(component.files.clone());
    let has_words = !files.is_empty();
    if has_words {
        let digests: Vec<Digest> = files.iter().map(|file| file.digest).collect();
        let leaf = Leaf::with_digest(Digest::of_value(&digests), files);
        inputs.push(Input::leaf("dictionary", leaf));
    }
    let task_options = options.tokenizer.clone();
    let run = move |context: &TaskContext<'_>| split(context, &task_options, has_words);
    let task = line.builder.add(Draft {
        name: format!("nlu.{place}.{}", component.name),
        stage: Stage::Featurize,
        kind: "nlu.tokenize.jieba",
        version: VERSION,
        options: json!(options.tokenizer),
        inputs,
        turn: Turn::Usual,
        places: places_of(component),
        run: Box::new(run),
    });
    line.add_tokenizer(place, component, task);
    Some(line.packed(place, component, &options, task, &[FITTED]))
}

/// Returns what is wrong with the dictionaries.
fn wrong_dictionary(options: &JiebaOptions, component: &Component) -> Option<String> {
    let path = options.dictionary_path.as_ref()?;
    if component.files.is_empty() {
        return Some(format!("there is no dictionary at `{path}`"));
    }
    let is_cut = |error: std::str::Utf8Error| error.error_len().is_none();
    let is_text =
        |file: &&ComponentFile| std::str::from_utf8(&file.head).map_or_else(is_cut, |_| true);
    let other = component.files.iter().find(|file| !is_text(file))?;
    Some(format!("`{}` is not UTF-8", other.name))
}

/// Reads the dictionaries and splits every example.
fn split(
    context: &TaskContext<'_>,
    options: &TokenizerOptions,
    has_words: bool,
) -> Result<Outputs, TaskError> {
    let mut words = UserWords::default();
    if has_words {
        for file in context.value::<Vec<ComponentFile>>("dictionary")? {
            words.read(&text_of(file)?);
        }
    }
    let fitted = json_bytes(&words)?;
    let tokenizer = Tokenizer::jieba(options.clone(), words).map_err(TaskError::failed)?;
    let mut outputs = tokenize(&tokenizer, context.value::<Messages>("messages")?)?;
    outputs.insert(FITTED.to_owned(), fitted);
    Ok(outputs)
}

/// Reads a file that is still what it was when the project was read.
fn text_of(file: &ComponentFile) -> Result<String, TaskError> {
    let wrong = |reason: String| TaskError::message(format!("`{}`: {reason}", file.name));
    let bytes = fs::read(&file.path).map_err(|error| wrong(error.to_string()))?;
    if Digest::of(&bytes) != file.digest {
        return Err(wrong("it was changed while it was read".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))
}
