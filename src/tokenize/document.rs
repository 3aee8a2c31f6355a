//! A message split into tokens, attribute by attribute.

use serde::Deserialize;
use serde::Serialize;

use super::token::Token;

/// A part of a message that is tokenized and featurized by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// What the user says.
    Text,
    /// The name of the intent.
    Intent,
    /// The text of a retrieval response.
    Response,
    /// The name of an action.
    ActionName,
    /// What the bot says (end-to-end).
    ActionText,
    /// A full retrieval label such as `faq/opening`.
    IntentResponseKey,
}

impl Attribute {
    /// Every attribute, in Rasa's order.
    pub const ALL: [Attribute; 6] = [
        Attribute::Text,
        Attribute::Intent,
        Attribute::Response,
        Attribute::ActionName,
        Attribute::ActionText,
        Attribute::IntentResponseKey,
    ];

    /// Returns whether the attribute is natural text, which has sentence
    /// features; the others are names.
    pub fn is_dense(self) -> bool {
        matches!(self, Self::Text | Self::Response | Self::ActionText)
    }

    /// Returns Rasa's name of the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Intent => "intent",
            Self::Response => "response",
            Self::ActionName => "action_name",
            Self::ActionText => "action_text",
            Self::IntentResponseKey => "intent_response_key",
        }
    }
}

/// A message split into tokens. An attribute that the message does not have, or
/// whose text is empty, has no tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// `[attribute]`, in the order of [`Attribute::ALL`].
    parts: [Option<Part>; 6],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    text: String,
    tokens: Vec<Token>,
}

impl Document {
    /// Gives an attribute its text and tokens.
    pub fn insert(&mut self, attribute: Attribute, text: &str, tokens: Vec<Token>) {
        self.parts[attribute as usize] = Some(Part {
            text: text.to_owned(),
            tokens,
        });
    }

    /// Returns the text of an attribute, if the message has it.
    pub fn text(&self, attribute: Attribute) -> Option<&str> {
        let part = self.parts[attribute as usize].as_ref();
        part.map(|part| part.text.as_str())
    }

    /// Returns the tokens of an attribute.
    pub fn tokens(&self, attribute: Attribute) -> &[Token] {
        let part = self.parts[attribute as usize].as_ref();
        part.map_or(&[], |part| &part.tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_stand_where_their_number_says() {
        for (place, attribute) in Attribute::ALL.into_iter().enumerate() {
            assert_eq!(attribute as usize, place);
            let json = serde_json::to_value(attribute).unwrap();
            assert_eq!(json, attribute.name());
        }
    }
}
