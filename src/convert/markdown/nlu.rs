//! `## intent:greet` and its like to `nlu`.

use crate::convert::markdown::lines;
use crate::convert::markdown::unescaped;
use crate::convert::notes::Notes;
use crate::convert::written::Entry;
use crate::convert::written::Kind;
use crate::convert::written::Line;
use crate::convert::written::NluFile;

/// Converts Markdown NLU data. The phrases of a lookup table may be in a file of
/// their own, whose path stays its only element; `exists` says whether it is there.
pub fn nlu(text: &str, exists: &dyn Fn(&str) -> bool, notes: &mut Notes) -> NluFile {
    let mut file = NluFile::default();
    let mut comments: Vec<String> = Vec::new();
    for line in lines(text) {
        comments.extend(line.comments);
        if line.text.is_empty() {
            continue;
        }
        if let Some((kind, name)) = header(&line.text) {
            file.entries.push(Entry {
                kind,
                name: name.to_owned(),
                comments: std::mem::take(&mut comments),
                metadata: None,
                examples: Vec::new(),
            });
            continue;
        }
        let item = line.text.strip_prefix(['-', '*', '+']);
        let entry = file.entries.last_mut();
        let is_table = entry
            .as_ref()
            .is_some_and(|entry| entry.kind == Kind::Lookup);
        let is_file_name = is_table && !line.text.starts_with('#') && exists(&line.text);
        let Some((entry, text)) = entry.zip(item.or(is_file_name.then_some(&line.text))) else {
            if !line.text.starts_with('#') || line.text.contains(':') {
                let what = match is_table {
                    true => "a file that is not there is kept as a comment",
                    false => "a line that means nothing is kept as a comment",
                };
                notes.say("W601", line.number, what);
            }
            comments.push(line.text);
            continue;
        };
        entry.comments.append(&mut comments);
        // A regular expression has the same escapes; there they mean the same.
        let text = match entry.kind {
            Kind::Regex => text.trim().to_owned(),
            _ => unescaped(text.trim()),
        };
        if text.contains('\n') && entry.kind != Kind::Intent {
            let what = format!("a {} of two lines cannot be kept", entry.kind.key());
            notes.say("W601", line.number, what);
            entry.comments.push(line.text);
            continue;
        }
        if !text.is_empty() {
            entry.examples.push(Line {
                text,
                metadata: None,
            });
        }
    }
    file.comments = comments;
    file
}

/// Returns kind and name of a header such as `## intent:greet`.
fn header(line: &str) -> Option<(Kind, &str)> {
    let rest = line.strip_prefix("##")?.trim_start();
    let (kind, name) = rest.split_once(':')?;
    let name = name.trim();
    let kind = Kind::of(kind)?;
    (!name.is_empty()).then_some((kind, name))
}
