//! How much memory a task is estimated to take.
//!
//! What a network takes while it trains are its weights, with gradients and the
//! moments of Adam; what a batch makes of them on its way through the layers; and
//! the features of all examples, decoded and put in numbers. Widths, layers and
//! batches are those of the task's options. The rest follows from the data: how
//! many tokens and turns there are, and how many different words and pieces of
//! words, each of which has a row of weights. A task that ran before gives the sizes
//! of what it learned and of what it reads instead.
//!
//! The factors were fitted to the growth of the process (`/usr/bin/time -v`) while
//! it trained assistants of 67 to 1,000 examples and 22 to 3,100 steps of stories, one
//! task at a time, with transformers of width 64 to 512, of 2 to 6 layers, batches of
//! 16 to 256, and wider feed-forward layers: estimates came out between 10 % below
//! and 45 % above.
//!
//! What tasks really took is not recorded, and corrects no estimate: the system counts
//! processes, of which several tasks are one. The peak of a process never falls, so
//! that of a task that runs alone it tells only where that took more than all before
//! it; and what it has now includes what earlier tasks have freed and the allocator
//! keeps. Corrected by that, an estimate would follow what happened to run before. Of
//! runs before, only the sizes of inputs and outputs are known.

use std::collections::HashMap;
use std::collections::HashSet;

use serde_json::Value;

use crate::engine::Sizes;
use crate::engine::Task;
use crate::nlu::svm::KEPT_BYTES;
use crate::recipe::Recipe;
use crate::recipe::language_model::part_count;

/// A mebibyte.
const MIB: u64 = 1 << 20;

/// Bytes of a number.
const F32: u64 = 4;

/// Weights of a transformer's layer, as a multiple of its width squared: attention
/// and feed-forward.
const WEIGHTS_PER_LAYER: u64 = 15;

/// Buffers of a layer, each as large as its output.
const BUFFERS_PER_LAYER: u64 = 20;

/// What a token's features take, encoded: of words, pieces of words and shape.
const FEATURES_PER_TOKEN: u64 = 320;

/// What a step of a story takes, encoded, once stories are glued to each other.
const BYTES_PER_STEP: u64 = 400;

/// Pairs of intents that are told apart at once: as many as there are threads,
/// which are not known here.
const PAIRS_AT_ONCE: u64 = 8;

/// Numbers that a vector of a word usually has.
const VECTOR_WIDTH: u64 = 300;

/// Numbers of a vector of the larger models that are common.
const LANGUAGE_MODEL_WIDTH: u64 = 1024;

/// How much data there is, as far as it decides how much memory tasks take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataSize {
    examples: u64,
    tokens: u64,
    intents: u64,
    /// Examples of the two most frequent intents.
    largest_pair: u64,
    /// Different words and pieces of words that featurizers count.
    vocabulary: u64,
    /// Steps of stories and rules.
    steps: u64,
    /// What all tasks that learn something may learn, in bytes.
    learned: u64,
    /// Bytes of the largest language model.
    language_model: u64,
}

impl DataSize {
    /// Returns how much data a project has for its tasks.
    pub fn of(recipe: &Recipe) -> Self {
        let examples = &recipe.project.nlu.examples;
        let words = examples
            .iter()
            .map(|one| one.text.split_whitespace().count());
        let steps = recipe.project.stories.steps.iter();
        let mut size = Self {
            examples: examples.len() as u64,
            tokens: words.sum::<usize>() as u64,
            steps: steps.map(|step| step.events.len() as u64).sum(),
            ..Self::default()
        };
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for intent in examples.iter().filter_map(|one| one.intent.as_deref()) {
            *counts.entry(intent).or_default() += 1;
        }
        let mut counts: Vec<u64> = counts.into_values().collect();
        counts.sort_unstable();
        size.intents = counts.len() as u64;
        size.largest_pair = counts.iter().rev().take(2).sum();
        let models = recipe.project.config.pipeline.iter();
        let models = models.filter(|one| one.name == "LanguageModelFeaturizer");
        let bytes = models.map(|one| one.files.iter().map(|file| file.size).sum());
        size.language_model = bytes.max().unwrap_or_default();
        let tasks = || recipe.graph.ids().map(|id| recipe.graph.task(id));
        let counting = tasks().filter(|task| task.kind == "nlu.featurize.count_vectors");
        let words: HashSet<String> = examples
            .iter()
            .flat_map(|one| one.text.split_whitespace().map(str::to_lowercase))
            .collect();
        size.vocabulary = counting.map(|task| vocabulary(&task.options, &words)).sum();
        size.learned = tasks().map(|task| size.weights(task)).sum();
        size
    }

    /// Returns the estimate for `task`, in bytes.
    pub fn memory_estimate(&self, task: &Task, sizes: Sizes) -> u64 {
        let options = &task.options;
        let weights = sizes.outputs.unwrap_or_else(|| self.weights(task));
        let layers = layers(options).min(weights);
        let inputs = match sizes.is_partial {
            true => sizes.inputs.max(self.inputs(task)),
            false => sizes.inputs,
        };
        match task.kind {
            "nlu.diet" | "nlu.response_selector" => {
                // Of a transformer's weights only some are kept, but several workers
                // have gradients of them.
                let learning = 9 * layers / 2 + 3 * (weights - layers);
                let kept = match chooses_model(options) {
                    true => weights,
                    false => 0,
                };
                12 * MIB + learning + kept + self.activations(options) + 14 * inputs
            }
            "core.ted" => {
                let batch = 20 * MIB * largest_batch(options).min(1_024) / 256;
                5 * MIB + 17 * weights / 2 + batch + self.turns().max(250 * sizes.inputs)
            }
            "nlu.svm" => weights + 10 * inputs + self.pairs(options) + MIB,
            // Weights of 16 bits become 32; what they were read from is there as well.
            "nlu.language_model.vectors" => 3 * self.language_model + 2 * weights + inputs + MIB,
            // Vectors as they were packed, and unpacked; rows, and those packed.
            "nlu.featurize.language_model" => 2 * inputs + 2 * weights + MIB,
            // It holds what it packs, and the archive.
            "package" => 2 * weights + 2 * inputs,
            _ => weights + 10 * inputs + MIB,
        }
    }

    /// Returns how much a task that never ran may give, in bytes.
    fn weights(&self, task: &Task) -> u64 {
        let options = &task.options;
        match task.kind {
            "nlu.diet" | "nlu.response_selector" => {
                let width = number(&options["dense_dimension"]["text"], 128);
                // Words of a text, and those of its tokens, are counted apart.
                let rows = 2 * self.vocabulary * width;
                let hidden = hidden(&options["hidden_layers_sizes"]["text"], width);
                layers(options) + F32 * (rows + hidden) + MIB / 4
            }
            "core.ted" => layers(options) + MIB / 8,
            "nlu.svm" => 2 * F32 * VECTOR_WIDTH * self.pair_count(),
            "package" => self.learned,
            "nlu.featurize.language_model" => F32 * LANGUAGE_MODEL_WIDTH * self.tokens,
            "nlu.language_model.vectors" => {
                let parts = part_count(self.examples as usize) as u64;
                F32 * LANGUAGE_MODEL_WIDTH * self.tokens / parts
            }
            _ => self.inputs(task) / 2,
        }
    }

    /// Returns how much a task reads of others that never ran, in bytes.
    fn inputs(&self, task: &Task) -> u64 {
        match task.kind {
            "package" => self.learned,
            kind if kind.starts_with("nlu.") => FEATURES_PER_TOKEN * self.tokens,
            _ => BYTES_PER_STEP * self.steps,
        }
    }

    /// Returns what the turns of all conversations take, in bytes. The first few
    /// hundred steps take more each: stories are glued to each other up to a number.
    fn turns(&self) -> u64 {
        let few = (100 << 10) * self.steps;
        few.min(30 * MIB).max((40 << 10) * self.steps)
    }

    fn pair_count(&self) -> u64 {
        self.intents * self.intents.saturating_sub(1) / 2
    }

    /// Returns what is held while intents are told apart two by two, in bytes:
    /// products of examples with each other, and votes for each price.
    fn pairs(&self, options: &Value) -> u64 {
        let products = 2 * F32 * self.largest_pair.saturating_mul(self.largest_pair);
        let at_once = self.pair_count().min(PAIRS_AT_ONCE);
        let kept = products.saturating_mul(at_once).min(KEPT_BYTES as u64);
        let prices = options["C"].as_array().map_or(1, Vec::len) as u64;
        kept + F32 * prices * self.examples * self.intents
    }

    /// Returns what a batch of texts takes in the layers of a network, in bytes.
    fn activations(&self, options: &Value) -> u64 {
        let batch = largest_batch(options).min(self.examples);
        // Each text is followed by a token that stands for all of it.
        let tokens = match self.examples {
            0 => 0,
            examples => batch + batch * self.tokens / examples,
        };
        let depth = number(&options["number_of_transformer_layers"], 2).max(1);
        let width = number(&options["transformer_size"], 256)
            .max(number(&options["dense_dimension"]["text"], 128));
        BUFFERS_PER_LAYER * F32 * tokens * depth * width
    }
}

/// Whether a network keeps the best model beside the one that it learns.
fn chooses_model(options: &Value) -> bool {
    options["checkpoint_model"] == true || number(&options["early_stopping"], 0) > 0
}

/// Returns what the layers of a transformer take, in bytes.
fn layers(options: &Value) -> u64 {
    let depth = number(&options["number_of_transformer_layers"], 0);
    let width = number(&options["transformer_size"], 0);
    let weights = width.saturating_mul(width).saturating_mul(depth);
    weights.saturating_mul(WEIGHTS_PER_LAYER * F32)
}

/// Returns the weights between feed-forward layers of these sizes, the first of
/// which reads `width` numbers.
fn hidden(sizes: &Value, width: u64) -> u64 {
    let sizes = sizes.as_array().map_or(&[][..], Vec::as_slice);
    let mut before = width;
    let mut weights = 0;
    for size in sizes {
        let size = number(size, 0);
        weights += before * size;
        before = size;
    }
    weights
}

/// Returns how many different words, or pieces of words, a featurizer counts.
fn vocabulary(options: &Value, words: &HashSet<String>) -> u64 {
    let pieces = match options["analyzer"].as_str() {
        Some("char" | "char_wb") => {
            let shortest = number(&options["min_ngram"], 1);
            let longest = number(&options["max_ngram"], 1);
            pieces(words, shortest, longest)
        }
        _ => words.len(),
    };
    pieces as u64
}

/// Returns how many different pieces of so many letters words have, with a space
/// before and after each.
fn pieces(words: &HashSet<String>, shortest: u64, longest: u64) -> usize {
    let mut found: HashSet<String> = HashSet::new();
    for word in words {
        let letters: Vec<char> = format!(" {word} ").chars().collect();
        for length in shortest..=longest.min(letters.len() as u64) {
            let pieces = letters.windows((length as usize).max(1));
            found.extend(pieces.map(|piece| piece.iter().collect::<String>()));
        }
    }
    found.len()
}

/// Returns the examples of the largest batch.
fn largest_batch(options: &Value) -> u64 {
    let sizes = options["batch_size"].as_array();
    let sizes = sizes.into_iter().flatten().map(|size| number(size, 0));
    sizes.max().unwrap_or(256)
}

/// Returns a number of the options; `default` if it is none.
fn number(value: &Value, default: u64) -> u64 {
    value.as_u64().unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_and_their_pieces_are_counted_once() {
        let words = HashSet::from(["aa".to_owned(), "b".to_owned()]);
        let count = |options: Value| vocabulary(&options, &words);
        assert_eq!(count(json!({"analyzer": "word"})), 2);
        // ` `, `a`, `b`, ` a`, `aa`, `a `, ` b`, `b `.
        let pieces = json!({"analyzer": "char_wb", "min_ngram": 1, "max_ngram": 2});
        assert_eq!(count(pieces), 8);
    }

    #[test]
    fn telling_two_intents_apart_takes_the_square_of_their_examples_up_to_a_bound() {
        let take = |largest_pair: u64| {
            let size = DataSize {
                intents: 2,
                largest_pair,
                ..DataSize::default()
            };
            size.pairs(&json!({ "C": [1.0] }))
        };
        assert_eq!(take(1_000), 8_000_000);
        assert_eq!(take(2_000), 4 * take(1_000));
        assert_eq!(take(1_000_000), KEPT_BYTES as u64);
    }

    #[test]
    fn a_network_takes_more_the_wider_and_deeper_it_is() {
        let size = DataSize {
            examples: 400,
            tokens: 2_000,
            vocabulary: 3_000,
            ..DataSize::default()
        };
        let take = |width: u64, depth: u64, batch: u64| {
            let options = json!({
                "transformer_size": width,
                "number_of_transformer_layers": depth,
                "batch_size": [batch, batch],
            });
            layers(&options) + size.activations(&options)
        };
        let usual = take(256, 2, 64);
        assert!(take(512, 2, 64) > usual);
        assert!(take(256, 6, 64) > 2 * usual);
        assert!(take(256, 2, 256) > usual);
        assert!(take(256, 2, 16) < usual);
        // A batch is no larger than the data.
        assert_eq!(take(256, 2, 400), take(256, 2, 4_000));
    }
}
