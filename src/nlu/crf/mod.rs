//! `CRFEntityExtractor`: entities, roles and groups by conditional random fields
//! over what tokens and their neighbours look like.
//!
//! ```text
//!   Sentence ─▶ attributes ─▶ data ─▶ fit ─▶ Tagger, one for entities, roles, groups
//!                                              └──▶ CrfExtractor ─▶ Message
//! ```

mod attributes;
mod data;
mod fit;
mod tagger;

pub use attributes::Sentence;
pub use fit::CrfStep;
pub use fit::fit;
pub use tagger::Tagger;

use serde::Deserialize;
use serde::Serialize;

use crate::nlu::Entity;
use crate::nlu::KindTags;
use crate::nlu::Message;
use crate::nlu::SplitByComma;
use crate::nlu::TagKind;
use crate::nlu::Tagging;
use crate::nlu::entities_of_kinds;
use crate::nlu::repair;
use crate::tokenize::Attribute;
use crate::tokenize::OptionError;

use attributes::DENSE;
use attributes::Window;

/// The name that entities carry as their extractor.
const EXTRACTOR: &str = "CRFEntityExtractor";

/// Options of the extractor: Rasa 3.6's names and defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrfOptions {
    /// Whether spans are tagged by beginning, inside, last and unit.
    #[serde(rename = "BILOU_flag")]
    pub bilou_flag: bool,
    /// Whether a comma splits entities.
    pub split_entities_by_comma: SplitByComma,
    /// Functions for each position of a window around the token, whose middle is
    /// the token itself.
    pub features: Vec<Vec<String>>,
    /// Steps of the search at most.
    pub max_iterations: usize,
    /// What the sum of the weights' magnitudes is multiplied with.
    #[serde(rename = "L1_c")]
    pub l1_c: f64,
    /// What the sum of the weights' squares is multiplied with.
    #[serde(rename = "L2_c")]
    pub l2_c: f64,
    /// Aliases of the dense featurizers of `text_dense_features`; all before it if there
    /// are none.
    pub featurizers: Vec<String>,
}

impl Default for CrfOptions {
    fn default() -> Self {
        let outer = ["low", "title", "upper"].map(str::to_owned).to_vec();
        let inner = [
            "low", "bias", "prefix5", "prefix2", "suffix5", "suffix3", "suffix2", "upper", "title",
            "digit", "pattern",
        ];
        Self {
            bilou_flag: true,
            split_entities_by_comma: SplitByComma::default(),
            features: vec![outer.clone(), inner.map(str::to_owned).to_vec(), outer],
            max_iterations: 50,
            l1_c: 0.1,
            l2_c: 0.1,
            featurizers: Vec::new(),
        }
    }
}

impl CrfOptions {
    /// Returns what no training can be made of.
    ///
    /// # Errors
    ///
    /// The first option that is out of range, or a function that is not there.
    pub fn check(&self) -> Result<(), OptionError> {
        Window::new(&self.features)?;
        if self.max_iterations == 0 {
            let reason = "it takes one step at least";
            return Err(OptionError::new("max_iterations", reason));
        }
        for (name, value) in [("L1_c", self.l1_c), ("L2_c", self.l2_c)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(OptionError::new(name, "it must be 0 or greater"));
            }
        }
        Ok(())
    }

    /// Returns whether the matches of regular expressions are looked at.
    pub fn reads_patterns(&self) -> bool {
        self.features.iter().flatten().any(|name| name == "pattern")
    }

    /// Returns whether dense features are looked at.
    pub fn reads_numbers(&self) -> bool {
        self.features.iter().flatten().any(|name| name == DENSE)
    }

    /// Returns how spans are tagged.
    pub fn tagging(&self) -> Tagging {
        match self.bilou_flag {
            true => Tagging::Bilou,
            false => Tagging::Plain,
        }
    }
}

/// A `CRFEntityExtractor` that is ready to work on messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CrfExtractor {
    options: CrfOptions,
    /// Entities first; empty when there was nothing to learn.
    taggers: Vec<Tagger>,
}

impl CrfExtractor {
    /// Returns an extractor of what `taggers` tag, entities first.
    pub fn new(options: CrfOptions, taggers: Vec<Tagger>) -> Self {
        Self { options, taggers }
    }

    /// Returns the taggers, entities first.
    pub fn taggers(&self) -> &[Tagger] {
        &self.taggers
    }

    /// Adds the entities that it finds; those found before are kept.
    pub fn process(&self, message: &mut Message) {
        let found = self.entities(message);
        message.entities.extend(found);
    }

    fn entities(&self, message: &Message) -> Vec<Entity> {
        let (Some(document), Ok(window)) = (&message.document, Window::new(&self.options.features))
        else {
            return Vec::new();
        };
        let tokens = document.tokens(Attribute::Text);
        let rows = match self.options.reads_numbers() {
            true => message.features(&self.options.featurizers),
            false => None,
        };
        let rows = rows.map(|rows| rows.dense_sequence).unwrap_or_default();
        let numbers: Vec<&[f32]> = (0..rows.rows()).map(|row| rows.row(row)).collect();
        let mut entity_tags = Vec::new();
        let mut named: Vec<KindTags> = Vec::new();
        for tagger in &self.taggers {
            let kind = tagger.tags().kind();
            let sentence = Sentence {
                tokens,
                patterns: &message.patterns,
                entity_tags: match kind {
                    TagKind::Entity => &[],
                    TagKind::Role | TagKind::Group => &entity_tags,
                },
                numbers: &numbers,
            };
            let (tags, confidences) = tagger.tag(&window, sentence);
            if kind == TagKind::Entity {
                entity_tags.clone_from(&tags);
            }
            named.push((kind, tags, confidences));
        }
        if self.options.bilou_flag {
            for (_, tags, confidences) in &mut named {
                repair(tags, confidences);
            }
        }
        let split = &self.options.split_entities_by_comma;
        entities_of_kinds(&message.text, tokens, &named, split, EXTRACTOR)
    }
}
