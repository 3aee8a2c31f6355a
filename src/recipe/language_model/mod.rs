//! The tasks of `LanguageModelFeaturizer`: a folder with a language model gives features.
//!
//! ```text
//!   sub-tokens ─┬▶ texts ─┬▶ texts.00 ─▶ vectors.00 ─┐
//!   documents ──┘         ├▶ texts.01 ─▶ vectors.01 ─┼▶ rows
//!                         ├▶ …            ▲          │
//!                         └▶ places ──────│──────────┘
//!   weights ──────────────────────────────┘
//! ```
//!
//! What becomes of a text depends on nothing but the text and the model, and takes long.
//! So each different text is put into one of several parts by its digest, and each part
//! is a task: another example sends only the texts of its part through the model again.
//! How many parts there are grows with the examples, in powers of two, so that it
//! changes seldom.
//!
//! The folder's files are in the keys by their names and digests, wherever the folder is.
//! The archive has its path as it is written in the configuration, and the digests.

mod folder;
mod model;
mod work;

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::archive::ComponentEntry;
use crate::data::Component;
use crate::data::ComponentFile;
use crate::engine::Input;
use crate::engine::Leaf;
use crate::engine::TaskId;
use crate::engine::Turn;
use crate::features::language_model::Options;
use crate::features::language_model::Parts;
use crate::features::language_model::WANTED;
use crate::recipe::Draft;
use crate::recipe::Stage;
use crate::recipe::builder::places_of;
use crate::recipe::language_model::folder::parts;
use crate::recipe::language_model::model::Model;
use crate::recipe::nlu::Line;
use crate::recipe::options::Written;

/// Algorithm versions: raised when the output for the same input changes.
const TEXTS_VERSION: u32 = 1;
const VECTORS_VERSION: u32 = 1;
const ROWS_VERSION: u32 = 2;

/// Examples whose texts make a part, at least.
const EXAMPLES_A_PART: usize = 128;

/// The most parts, as many as one byte tells apart or fewer.
const PARTS_MOST: usize = 64;

/// The option that names the folder.
const OPTION: &str = "model_weights";

/// Adds a `LanguageModelFeaturizer`.
pub fn featurizer(
    line: &mut Line<'_>,
    place: usize,
    component: &Component,
) -> Option<ComponentEntry> {
    let options: Options = line.read(component)?;
    let written = Written(component);
    let architecture = match options.architecture() {
        Ok(architecture) => architecture,
        Err(error) => {
            written.wrong_option(&error, line.diagnostics);
            return None;
        }
    };
    if options.cache_dir.is_some() {
        let remark = "`cache_dir` is not used: Tabella downloads nothing";
        written.remark(remark, line.diagnostics);
    }
    let parts = match parts(component, &options, architecture) {
        Ok(parts) => parts,
        Err((reason, help)) => {
            written.wrong_with_help(OPTION, &reason, help, line.diagnostics);
            return None;
        }
    };
    let model = Arc::new(Model::new(component, &parts, architecture));
    let drafts = Drafts {
        component,
        place,
        options: json!({ "model_name": options.model_name }),
        parts: &parts,
        count: part_count(line.all_examples()),
        model,
    };
    let tokenizer = line.tokenizer_of_all?;
    let texts = drafts.texts(tokenizer, line.all_messages());
    let texts = line.builder.add(texts);
    let vectors = (0..drafts.count).map(|part| line.builder.add(drafts.vectors(texts, part)));
    let vectors: Vec<TaskId> = vectors.collect();
    let task = line.builder.add(drafts.rows(tokenizer, texts, &vectors));
    line.add_dense(place, component, task);
    Some(line.packed(place, component, &options, task, &[WANTED]))
}

/// Returns into how many parts the texts of so many examples are put.
pub fn part_count(examples: usize) -> usize {
    let parts = (examples / EXAMPLES_A_PART).max(1);
    (1 << parts.ilog2()).min(PARTS_MOST)
}

/// The name of what is read of a part's texts.
fn texts_output(part: usize) -> String {
    format!("texts.{part:02}")
}

/// What the tasks of a component have in common.
struct Drafts<'a> {
    component: &'a Component,
    place: usize,
    options: Value,
    /// The files of the folder.
    parts: &'a Parts,
    /// How many parts there are.
    count: usize,
    model: Arc<Model>,
}

impl Drafts<'_> {
    /// The task that splits texts into sub-tokens, and puts them into parts.
    fn texts(&self, tokenizer: TaskId, messages: Leaf) -> Draft {
        let model = self
            .model
            .leaf(self.component, &self.parts.splitter_names());
        let count = self.count;
        Draft {
            name: self.name(".texts"),
            stage: Stage::Featurize,
            kind: "nlu.language_model.texts",
            version: TEXTS_VERSION,
            options: json!({ "model": self.options, "parts": count }),
            inputs: vec![
                Input::output("documents", tokenizer, "documents"),
                Input::leaf("messages", messages),
                Input::leaf("sub-tokens", model),
            ],
            turn: Turn::Check,
            places: places_of(self.component),
            run: Box::new(move |context| work::texts(context, count)),
        }
    }

    /// The task that sends the texts of a part through the model.
    fn vectors(&self, texts: TaskId, part: usize) -> Draft {
        let model = self.model.leaf(self.component, &self.parts.encoder_names());
        Draft {
            name: self.name(&format!(".vectors.{part:02}")),
            stage: Stage::Featurize,
            kind: "nlu.language_model.vectors",
            version: VECTORS_VERSION,
            options: self.options.clone(),
            inputs: vec![
                Input::output("texts", texts, texts_output(part)),
                Input::leaf("model", model),
            ],
            turn: Turn::Long,
            places: places_of(self.component),
            run: Box::new(work::vectors),
        }
    }

    /// The task that gives each document the vectors of its texts.
    fn rows(&self, tokenizer: TaskId, texts: TaskId, vectors: &[TaskId]) -> Draft {
        let model = self.model.leaf(self.component, &self.model.names());
        let mut inputs = vec![
            Input::output("documents", tokenizer, "documents"),
            Input::output("places", texts, "places"),
            Input::leaf("model", model),
        ];
        let of_part = |(part, task): (usize, &TaskId)| {
            Input::output(format!("vectors.{part:02}"), *task, "vectors")
        };
        inputs.extend(vectors.iter().enumerate().map(of_part));
        let count = self.count;
        Draft {
            name: self.name(""),
            stage: Stage::Featurize,
            kind: "nlu.featurize.language_model",
            version: ROWS_VERSION,
            options: self.options.clone(),
            inputs,
            turn: Turn::Usual,
            places: places_of(self.component),
            run: Box::new(move |context| work::rows(context, count)),
        }
    }

    fn name(&self, of: &str) -> String {
        format!("nlu.{}.{}{of}", self.place, self.component.name)
    }
}

/// Returns a file's name in its folder.
fn name(file: &ComponentFile) -> &str {
    file.name.rsplit(['/', '\\']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_with_the_examples_and_change_seldom() {
        let counts = [0, 1, 255, 256, 511, 512, 10_000, 1_000_000].map(part_count);
        assert_eq!(counts, [1, 1, 1, 2, 2, 4, 64, 64]);
    }
}
