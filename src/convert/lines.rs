//! Edits that several converters make: entries of maps in lines or braces, and
//! the version of a file.

use saphyr_parser::ScalarStyle;

use crate::convert::emit::Tree;
use crate::convert::emit::word;
use crate::convert::source::Edits;
use crate::convert::source::Piece;
use crate::convert::source::Source;

/// The version of the format that all is converted to.
pub const VERSION: &str = "3.1";

/// Returns whether a scalar is a block below its mark.
pub fn is_block(style: ScalarStyle) -> bool {
    matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
}

/// Makes a file say that it is of version 3.1.
pub fn set_version(source: &Source, edits: &mut Edits) {
    match source.root.entry("version") {
        Some((_, version)) if version.text().is_some_and(|v| v.starts_with('3')) => {}
        Some((key, version)) => {
            let start = source.behind_colon(key);
            let end = source.end(version).max(start);
            edits.replace(start..end, format!(" \"{VERSION}\""));
        }
        None => {
            let Some((first, _)) = source.root.entries().first() else {
                return;
            };
            match source.root.is_flow() {
                true => edits.insert(first.range.start, format!("version: \"{VERSION}\", ")),
                false => {
                    let at = source.line_start(first.range.start);
                    edits.insert(at, format!("version: \"{VERSION}\"\n\n"));
                }
            }
        }
    }
}

/// Takes entries out of a map; comments on their lines stay.
pub fn remove_entries(
    source: &Source,
    map: &Piece,
    removed: &[&(Piece, Piece)],
    edits: &mut Edits,
) {
    let entries = map.entries();
    for entry in removed {
        let Some(at) = entries
            .iter()
            .position(|(key, _)| key.range == entry.0.range)
        else {
            continue;
        };
        let end = source.end(&entry.1).max(source.behind_colon(&entry.0));
        if map.is_flow() {
            let range = match (at.checked_sub(1), entries.get(at + 1)) {
                (_, Some((next, _))) => entry.0.range.start..next.range.start,
                (Some(before), None) => source.end(&entries[before].1)..end,
                (None, None) => entry.0.range.start..end,
            };
            edits.replace(range, "");
            continue;
        }
        let line_end = source.line_end(end);
        let comments = source.comments_in(entry.0.range.start..line_end);
        let blanks = " ".repeat(source.column(entry.0.range.start));
        let kept: Vec<String> = comments.iter().map(|c| format!("{blanks}{c}\n")).collect();
        let line = source.line_start(entry.0.range.start);
        let is_first_on_line = source.text[line..entry.0.range.start].trim().is_empty();
        match is_first_on_line {
            true => edits.replace(line..line_end, kept.concat()),
            // Behind a dash: the next entry moves up, or nothing is left.
            false => {
                let next = entries.get(at + 1);
                let to = next.map_or(end, |(next, _)| next.range.start);
                let kept: Vec<String> = comments.iter().map(|c| format!("{c}\n{blanks}")).collect();
                edits.replace(entry.0.range.start..to, kept.concat());
            }
        }
    }
}

/// Adds an entry to the end of a map that has entries.
pub fn append_entry(source: &Source, map: &Piece, key: &str, value: &Tree, edits: &mut Edits) {
    let Some((first, _)) = map.entries().first() else {
        return;
    };
    if map.is_flow() {
        let at = source.end(map).saturating_sub(1);
        let written = source.text[..at].trim_end();
        let comma = if written.ends_with(',') { "" } else { "," };
        edits.insert(
            written.len(),
            format!("{comma} {}: {}", word(key), value.flow()),
        );
        return;
    }
    let indent = source.column(first.range.start);
    let text = Tree::Map(vec![(key.to_owned(), value.clone())]).block(indent);
    insert_below(source, source.end(map), &text, edits);
}

/// Inserts whole lines below the line that a place is on.
pub fn insert_below(source: &Source, at: usize, text: &str, edits: &mut Edits) {
    let end = source.line_end(at);
    let is_ended = source.text[..end].ends_with('\n') || end == 0;
    match is_ended {
        true => edits.insert(end, text),
        false => edits.insert(end, format!("\n{}", text.trim_end_matches('\n'))),
    }
}
