//! Brings NLU data, stories and rules in YAML 2.0 into the form of 3.1, as edits
//! of their text.

use std::collections::BTreeSet;

use crate::convert::emit::word;
use crate::convert::names;
use crate::convert::source::Edits;
use crate::convert::source::Piece;
use crate::convert::source::Source;

/// Returns the edits of a file: names that are others now.
pub fn upgrade(source: &Source, retrieval: &BTreeSet<String>) -> Edits {
    let mut edits = Edits::default();
    for section in ["stories", "rules"] {
        let blocks = source.get(&source.root, section).map(Piece::items);
        for block in blocks.unwrap_or_default() {
            for step in block.get("steps").map(Piece::items).unwrap_or_default() {
                rename(step, retrieval, &mut edits);
                for choice in step.get("or").map(Piece::items).unwrap_or_default() {
                    rename(choice, retrieval, &mut edits);
                }
            }
        }
    }
    edits
}

fn rename(step: &Piece, retrieval: &BTreeSet<String>, edits: &mut Edits) {
    if let Some(action) = step.get("action")
        && let Some(name) = action.text()
    {
        let new = names::action(name.trim(), retrieval);
        if new != name.trim() {
            edits.replace(action.range.clone(), word(&new));
        }
    }
    if let Some(intent) = step.get("intent")
        && let Some(name) = intent.text()
        && name.trim_start().starts_with('/')
    {
        let new = name.trim().trim_start_matches('/');
        edits.replace(intent.range.clone(), word(new));
    }
}
