//! Responses of retrieval intents in Markdown to `responses`.

use std::collections::HashMap;

use crate::convert::emit::Tree;
use crate::convert::markdown::lines;
use crate::convert::notes::Notes;
use crate::convert::written::NluFile;
use crate::convert::written::Response;

/// Converts Markdown responses: blocks of `## name`, `* faq/key` and `- text`.
pub fn responses(text: &str, notes: &mut Notes) -> NluFile {
    let mut file = NluFile::default();
    let mut comments: Vec<String> = Vec::new();
    for line in lines(text) {
        comments.extend(line.comments);
        if let Some(key) = line.text.strip_prefix('*') {
            file.responses.push(Response {
                name: format!("utter_{}", key.trim()),
                comments: std::mem::take(&mut comments),
                variations: Vec::new(),
            });
        } else if let Some((text, response)) =
            line.text.strip_prefix('-').zip(file.responses.last_mut())
        {
            let text = text.trim().replace("\\n", "\n");
            let variation = vec![("text".to_owned(), Tree::text(&text))];
            response.comments.append(&mut comments);
            response.variations.push(Tree::Map(variation));
        } else if let Some(name) = line.text.strip_prefix('#') {
            // The block's name means nothing, but somebody wrote it.
            comments.push(name.trim_matches(['#', ' ']).to_owned());
        } else if !line.text.is_empty() {
            let what = "a line that means nothing is kept as a comment";
            notes.say("W601", line.number, what);
            comments.push(line.text);
        }
    }
    file.responses = joined(file.responses);
    file.comments = comments;
    file
}

/// Joins responses of the same name: a key stands once in a map.
fn joined(responses: Vec<Response>) -> Vec<Response> {
    let mut joined: Vec<Response> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    for response in responses {
        let next = joined.len();
        let at = *index.entry(response.name.clone()).or_insert(next);
        match joined.get_mut(at) {
            Some(known) => {
                known.comments.extend(response.comments);
                known.variations.extend(response.variations);
            }
            None => joined.push(response),
        }
    }
    joined
}
