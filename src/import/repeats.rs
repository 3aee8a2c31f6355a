//! Finds examples that are written more than once. They count once, as in
//! Rasa, so that afterwards nothing shows them any more.

use foldhash::HashMap;
use foldhash::HashMapExt;

use crate::data::Example;
use crate::diagnostic::Diagnostic;
use crate::import::nlu::NluPart;

/// Returns a note for each example that was read before.
pub fn repeated(parts: &[NluPart]) -> Vec<Diagnostic> {
    let mut first: HashMap<(&str, &str), &Example> = HashMap::new();
    let mut said = Vec::new();
    for example in parts.iter().flat_map(|part| &part.data.examples) {
        let label = example.intent_response_key.as_deref();
        let label = label.or(example.intent.as_deref()).unwrap_or_default();
        let other = *first.entry((label, &example.text)).or_insert(example);
        let is_itself = std::ptr::eq(other, example);
        if !is_itself && other == example {
            let message = format!("this example of `{label}` is written twice: it counts once");
            let about = Diagnostic::new("N341", example.place.clone(), message)
                .length(example.text.chars().count() as u32)
                .note(format!("first at {}", other.place));
            said.push(about);
        }
    }
    said
}
