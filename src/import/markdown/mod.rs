//! Reads the Markdown formats of Rasa 1 and 2: NLU data, responses of retrieval
//! intents, stories and rules.
//!
//! ```text
//!   text ──▶ lines (comments left out, places kept) ──▶ nlu        ──▶ NluPart
//!                                                   ──▶ responses  ──▶ NluPart
//!                                                   ──▶ stories    ──▶ Block
//! ```
//!
//! The values are those that the YAML readers make of the same data; which of
//! the three a file is, [`recognise`] says by its lines.

mod lines;
mod nlu;
mod responses;
mod stories;

pub use nlu::Heading;
pub use nlu::heading;
pub use nlu::read as read_nlu;
pub use responses::read as read_responses;
pub use stories::read as read_stories;

/// What a Markdown file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Examples, synonyms, regular expressions and lookup tables.
    Nlu,
    /// Texts that answer the examples of retrieval intents.
    Responses,
    /// Stories and rules.
    Stories,
}

/// Returns what a Markdown file holds, or `None` if it is no training data.
///
/// Rasa 2.8: NLU data has a heading such as `## intent:`; responses have a
/// heading with `* intent/key` and `- text` below it; whatever else has a
/// heading is stories. Differs from Rasa: the blank after `##` may be missing; a file is not
/// read as responses if an action stands where the text would, nor as stories
/// if most of its list items are prose: then it is a README.
pub fn recognise(text: &str) -> Option<Kind> {
    if text.lines().any(nlu::is_section) {
        return Some(Kind::Nlu);
    }
    if responses::are_in(text) {
        return Some(Kind::Responses);
    }
    stories::are_in(text).then_some(Kind::Stories)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_lines() {
        let nlu = "# Data\n\n##intent:greet\n- hi\n";
        let responses = "## ask\n* faq/hours\n\n\t- We open at nine.\n";
        let stories = "## ask\n* faq/hours\n  - utter_faq\n";
        let rule = ">> greet\n* greet\n- utter_greet\n";
        assert_eq!(recognise(nlu), Some(Kind::Nlu));
        assert_eq!(recognise(responses), Some(Kind::Responses));
        assert_eq!(recognise(stories), Some(Kind::Stories));
        assert_eq!(recognise(rule), Some(Kind::Stories));
    }

    #[test]
    fn prose_is_no_training_data() {
        for text in [
            "",
            "# Bot\n\nRun it.\n",
            "## Use\n* first\n",
            "## Use\n* Install the tool\n  - on Linux, with apt\n* run\n",
            "## Files\n- domain.yml: the domain of the bot\n- nlu.md: what users say\n",
            "> quoted\n",
        ] {
            assert_eq!(recognise(text), None, "{text}");
        }
    }
}
