//! The tasks of word vectors: a file becomes a table, and the table features.
//!
//! ```text
//!   file ─▶ table ─┬▶ archive
//!   documents ─────┴▶ rows
//! ```
//!
//! The table is a task of its own, so that another example does not read the file
//! again.

use std::fs::File;
use std::io;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::archive::ComponentEntry;
use crate::data::Component;
use crate::data::ComponentFile;
use crate::digest::HashingReader;
use crate::engine::Input;
use crate::engine::Leaf;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::TaskId;
use crate::engine::Turn;
use crate::features::word_vectors;
use crate::features::word_vectors::FILES;
use crate::features::word_vectors::Featurizer;
use crate::features::word_vectors::Head;
use crate::features::word_vectors::MAX_WORDS;
use crate::features::word_vectors::Options;
use crate::features::word_vectors::Pooling;
use crate::features::word_vectors::Table;
use crate::recipe::Draft;
use crate::recipe::Stage;
use crate::recipe::builder::places_of;
use crate::recipe::nlu::ATTRIBUTES;
use crate::recipe::nlu::Line;
use crate::recipe::nlu::decoded;
use crate::recipe::nlu::rows_output;
use crate::recipe::options::Written;
use crate::recipe::options::with_causes;
use crate::tokenize::Document;

/// Algorithm versions: raised when the output for the same input changes.
const TABLE_VERSION: u32 = 2;
const ROWS_VERSION: u32 = 1;

/// Options of `SpacyNLP`, as far as vectors stand in for its model.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct ModelOptions {
    /// A model of spaCy; not read.
    model: Option<String>,
    case_sensitive: bool,
    /// As [`Options::vectors`].
    vectors: Option<String>,
    /// As [`Options::max_words`].
    max_words: Option<usize>,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self {
            model: None,
            case_sensitive: false,
            vectors: None,
            max_words: Some(MAX_WORDS),
        }
    }
}

/// Options of `SpacyFeaturizer`.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct SpacyOptions {
    alias: Option<String>,
    pooling: Pooling,
}

/// Vectors that later components of the pipeline read.
#[derive(Clone, Copy)]
pub struct Vectors {
    table: TaskId,
    case_sensitive: bool,
}

/// Adds a `WordVectorsFeaturizer`.
pub fn featurizer(
    line: &mut Line<'_>,
    place: usize,
    component: &Component,
) -> Option<ComponentEntry> {
    let options: Options = line.read(component)?;
    let vectors = Vectors {
        table: table(line, place, component, &options)?,
        case_sensitive: options.case_sensitive,
    };
    rows(line, place, component, options, vectors)
}

/// Adds a `SpacyNLP` that names a file of vectors.
pub fn model(line: &mut Line<'_>, place: usize, component: &Component) -> Option<ComponentEntry> {
    let written: ModelOptions = line.read(component)?;
    if written.model.is_some() {
        let remark = "`model` is not read, its vectors are those of `vectors`";
        Written(component).remark(remark, line.diagnostics);
    }
    let options = Options {
        vectors: written.vectors.clone(),
        max_words: written.max_words,
        ..Options::default()
    };
    line.vectors = Some(Vectors {
        table: table(line, place, component, &options)?,
        case_sensitive: written.case_sensitive,
    });
    Some(crate::recipe::nlu::entry(component, &written, &[]))
}

/// Adds a `SpacyFeaturizer`: the vectors are those of the `SpacyNLP` before it.
pub fn spacy_featurizer(
    line: &mut Line<'_>,
    place: usize,
    component: &Component,
) -> Option<ComponentEntry> {
    let written: SpacyOptions = line.read(component)?;
    let vectors = line.vectors?;
    let options = Options {
        alias: written.alias,
        pooling: written.pooling,
        case_sensitive: vectors.case_sensitive,
        ..Options::default()
    };
    rows(line, place, component, options, vectors)
}

/// Adds the task that reads the file.
fn table(
    line: &mut Line<'_>,
    place: usize,
    component: &Component,
    options: &Options,
) -> Option<TaskId> {
    let written = Written(component);
    if let Err(error) = options.check() {
        written.wrong_option(&error, line.diagnostics);
        return None;
    }
    let Some(file) = component.files.iter().find(|file| file.option == "vectors") else {
        let reason = match &options.vectors {
            None => "it names no file of word vectors".to_owned(),
            Some(path) if path.is_empty() => "it is empty".to_owned(),
            Some(path) if component.folder.join(path).is_dir() => {
                format!("`{path}` is a folder: name a file of word vectors")
            }
            Some(path) => format!("there is no file `{path}`"),
        };
        written.wrong("vectors", &reason, line.diagnostics);
        return None;
    };
    if file.is_here()
        && let Err(error) = Head::of(&file.head)
    {
        let reason = format!("`{}`: {}", file.name, with_causes(&error));
        written.wrong("vectors", &reason, line.diagnostics);
        return None;
    }
    let most = options.max_words;
    let leaf = Leaf::with_digest(file.digest, Arc::new(file.clone()));
    Some(line.builder.add(Draft {
        name: format!("nlu.{place}.{}.vectors", component.name),
        stage: Stage::Featurize,
        kind: "nlu.vectors",
        version: TABLE_VERSION,
        options: json!({ "max_words": most }),
        inputs: vec![Input::leaf("vectors", leaf)],
        turn: Turn::Usual,
        places: places_of(component),
        run: Box::new(move |context| read(context, most)),
    }))
}

/// Reads the words that are wanted, and the rest of the file to see that it is the
/// one that was hashed.
fn read(context: &TaskContext<'_>, most: Option<usize>) -> Result<Outputs, TaskError> {
    let file: &ComponentFile = context.value("vectors")?;
    let wrong = |reason: String| TaskError::message(format!("`{}`: {reason}", file.name));
    let opened = File::open(&file.path).map_err(|error| wrong(error.to_string()))?;
    let mut reader = HashingReader::new(opened);
    let table = word_vectors::read(&mut reader, most, &mut |words| {
        context.progress(words as u64, most.unwrap_or(words) as u64, "words");
        match context.is_cancelled() {
            true => Err(io::ErrorKind::Interrupted.into()),
            false => Ok(()),
        }
    });
    context.check_cancelled()?;
    let table = table.map_err(|error| wrong(with_causes(&error)))?;
    let digest = reader.finish().map_err(|error| wrong(error.to_string()))?;
    match digest == file.digest {
        true => Ok(table.to_files()),
        false => Err(wrong("it was changed while it was read".to_owned())),
    }
}

/// Adds the task that gives features.
fn rows(
    line: &mut Line<'_>,
    place: usize,
    component: &Component,
    options: Options,
    vectors: Vectors,
) -> Option<ComponentEntry> {
    let mut inputs = vec![Input::output(
        "documents",
        line.tokenizer_of_all?,
        "documents",
    )];
    inputs.extend(FILES.map(|file| Input::output(file, vectors.table, file)));
    let (pooling, case_sensitive) = (options.pooling, options.case_sensitive);
    let run = move |context: &TaskContext<'_>| {
        let documents: Vec<Document> = decoded(context, "documents")?;
        let table = Table::from_files(|file| context.bytes(file).ok());
        let featurizer = Featurizer {
            case_sensitive,
            pooling,
            table: table.map_err(TaskError::failed)?,
        };
        let rows = ATTRIBUTES.map(|attribute| {
            let rows = featurizer.rows(&documents, attribute);
            (rows_output(attribute), rows.to_bytes())
        });
        Ok(Outputs::from(rows))
    };
    let task = line.builder.add(Draft {
        name: format!("nlu.{place}.{}", component.name),
        stage: Stage::Featurize,
        kind: "nlu.featurize.vectors",
        version: ROWS_VERSION,
        options: json!({ "pooling": pooling, "case_sensitive": case_sensitive }),
        inputs,
        turn: Turn::Usual,
        places: places_of(component),
        run: Box::new(run),
    });
    line.add_dense(place, component, task);
    Some(line.packed(place, component, &options, vectors.table, &FILES))
}
