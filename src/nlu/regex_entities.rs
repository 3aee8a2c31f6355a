//! `RegexEntityExtractor`: whatever a pattern matches is an entity of the
//! pattern's name.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::message::Entity;
use super::message::Message;
use crate::data::NluData;
use crate::features::patterns::Matcher;
use crate::features::patterns::NamedPattern;
use crate::features::patterns::PatternChoice;
use crate::features::patterns::PatternError;
use crate::features::patterns::patterns;
use crate::tokenize::CaseSensitivity;
use crate::tokenize::CodePoints;

/// Options of the extractor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegexEntityOptions {
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
    /// Whether lookup tables count.
    pub use_lookup_tables: bool,
    /// Whether regular expressions count.
    pub use_regexes: bool,
    /// Whether phrases of a table match only whole words.
    pub use_word_boundaries: bool,
}

impl Default for RegexEntityOptions {
    fn default() -> Self {
        Self {
            case_sensitive: false,
            use_lookup_tables: true,
            use_regexes: true,
            use_word_boundaries: true,
        }
    }
}

/// The patterns that are entity types, compiled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct RegexEntities {
    options: RegexEntityOptions,
    patterns: Vec<NamedPattern>,
    /// One a pattern.
    #[serde(skip_serializing)]
    matchers: Vec<Matcher>,
}

#[derive(Deserialize)]
struct Stored {
    options: RegexEntityOptions,
    patterns: Vec<NamedPattern>,
}

impl TryFrom<Stored> for RegexEntities {
    type Error = PatternError;

    fn try_from(stored: Stored) -> Result<Self, PatternError> {
        let case = match stored.options.case_sensitive {
            true => CaseSensitivity::Sensitive,
            false => CaseSensitivity::Insensitive,
        };
        let matchers: Result<Vec<_>, _> = stored.patterns.iter().map(|p| p.matcher(case)).collect();
        Ok(Self {
            matchers: matchers?,
            options: stored.options,
            patterns: stored.patterns,
        })
    }
}

impl RegexEntities {
    /// Takes the patterns whose name is one of the entity types out of the
    /// training data. No pattern is no error, but worth a warning.
    ///
    /// # Errors
    ///
    /// The first pattern that is no regular expression, with its place.
    pub fn fit(
        options: &RegexEntityOptions,
        data: &NluData,
        entity_types: &BTreeSet<String>,
    ) -> Result<Self, PatternError> {
        let choice = PatternChoice {
            use_lookup_tables: options.use_lookup_tables,
            use_regexes: options.use_regexes,
            use_word_boundaries: options.use_word_boundaries,
        };
        let mut patterns = patterns(data, choice);
        patterns.retain(|pattern| entity_types.contains(&pattern.name));
        Self::try_from(Stored {
            options: options.clone(),
            patterns,
        })
    }

    /// Returns the patterns.
    pub fn patterns(&self) -> &[NamedPattern] {
        &self.patterns
    }

    /// Appends an entity for every match, pattern by pattern; matches of several
    /// patterns may overlap.
    pub fn process(&self, message: &mut Message) {
        let points = CodePoints::of(&message.text);
        for (pattern, matcher) in self.patterns.iter().zip(&self.matchers) {
            for range in matcher.find_all(&message.text) {
                message.entities.push(Entity {
                    entity: pattern.name.clone(),
                    start: points.at_byte(range.start),
                    end: points.at_byte(range.end),
                    value: Value::String(message.text[range].to_owned()),
                    extractor: Some("RegexEntityExtractor".to_owned()),
                    ..Entity::default()
                });
            }
        }
    }
}
