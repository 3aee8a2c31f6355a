//! Says in which format a file of training data is, and parses it so far that
//! its reader can start.
//!
//! | suffix | JSON inside | Markdown inside | else |
//! |---|---|---|---|
//! | `.yml`, `.yaml` | JSON, if it is Rasa's, LUIS's or Wit's | YAML | YAML |
//! | `.json`, `.md` | JSON, if it is training data | Markdown | no training data |
//!
//! What is no training data is passed over without a word when a folder is
//! read: READMEs, reports and data of other programs may lie in it.

use std::path::Path;
use std::sync::Arc;

use crate::import::json;
use crate::import::markdown;
use crate::import::reading::Reading;
use crate::import::yaml::Node;
use crate::import::yaml::text;

/// The format of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// YAML, as all files are today.
    #[default]
    Yaml,
    /// One of the Markdown formats of Rasa 1 and 2.
    Markdown(markdown::Kind),
    /// One of the JSON formats.
    Json(json::Kind),
    /// Meant as training data, but broken; that was said.
    Broken,
}

impl Format {
    /// Returns what an older format of Rasa is called.
    pub fn old_name(self) -> Option<&'static str> {
        match self {
            Format::Markdown(markdown::Kind::Nlu) => Some("NLU data in Markdown"),
            Format::Markdown(markdown::Kind::Responses) => Some("responses in Markdown"),
            Format::Markdown(markdown::Kind::Stories) => Some("stories in Markdown"),
            Format::Json(json::Kind::Rasa) => Some("NLU data in JSON"),
            _ => None,
        }
    }
}

/// A file that is not YAML.
#[derive(Debug)]
pub struct Other {
    /// Its format.
    pub format: Format,
    /// Its text.
    pub text: Arc<String>,
    /// Its tree, if it is JSON.
    pub root: Option<Node>,
}

/// Returns what a file of training data is, or `None` if it is YAML or no
/// training data.
pub fn recognise(path: &Path, bytes: &[u8], reading: &mut Reading) -> Option<Other> {
    let suffix = path.extension()?.to_str()?;
    let is_yaml = matches!(suffix, "yml" | "yaml");
    if !is_yaml && !matches!(suffix, "json" | "md") {
        return None;
    }
    let looks_like_json = starts_like_json(bytes);
    if is_yaml && !looks_like_json {
        return None;
    }
    let text = match text::decode_plainly(bytes) {
        Ok(text) => Arc::new(text),
        Err(mistake) => {
            let text = String::from_utf8_lossy(bytes);
            let is_meant = json::is_meant(path, &text) || markdown::recognise(&text).is_some();
            if is_yaml || !is_meant {
                return None;
            }
            reading.say_mistake(mistake);
            return Some(Other {
                format: Format::Broken,
                text: Arc::new(text::with_line_ends(&text)),
                root: None,
            });
        }
    };
    match looks_like_json {
        true => recognise_json(path, text, is_yaml, reading),
        false => Some(Other {
            format: Format::Markdown(markdown::recognise(&text)?),
            text,
            root: None,
        }),
    }
}

fn starts_like_json(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Returns the text of a file of this format, or what can be shown of it: what
/// diagnostics about it point into.
pub fn text_of(bytes: Vec<u8>, format: Format) -> String {
    match format {
        Format::Yaml => match text::decode_owned(bytes) {
            Ok(text) => text,
            Err(undecoded) => undecoded.shown,
        },
        _ => text::decode_plainly(&bytes)
            .unwrap_or_else(|_| text::with_line_ends(&String::from_utf8_lossy(&bytes))),
    }
}

fn recognise_json(
    path: &Path,
    text: Arc<String>,
    is_yaml: bool,
    reading: &mut Reading,
) -> Option<Other> {
    if !json::may_be(path, &text) {
        return None;
    }
    let (format, root) = match json::parse(&text) {
        Ok(parsed) => {
            let kind = json::recognise(path, &parsed.root)?;
            if is_yaml && !matches!(kind, json::Kind::Rasa | json::Kind::Luis | json::Kind::Wit) {
                return None;
            }
            for mistake in parsed.repeated {
                reading.say_mistake(mistake);
            }
            (Format::Json(kind), Some(parsed.root))
        }
        Err(_) if is_yaml || !json::is_meant(path, &text) => return None,
        Err(mistake) => {
            reading.say_mistake(mistake);
            (Format::Broken, None)
        }
    };
    Some(Other { format, text, root })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &[u8], want: Option<Format>) {
        let mut reading = Reading::new(path.into());
        let other = recognise(Path::new(path), text, &mut reading);
        assert_eq!(other.map(|other| other.format), want, "{path}");
        let is_broken = want == Some(Format::Broken);
        assert_eq!(reading.diagnostics.len(), usize::from(is_broken), "{path}");
    }

    #[test]
    fn the_content_decides_within_what_the_suffix_allows() {
        let rasa = br#"{"rasa_nlu_data": {}}"#;
        for name in ["a.json", "a.md", "a.yml"] {
            check(name, rasa, Some(Format::Json(json::Kind::Rasa)));
        }
        let nlu = b"\xef\xbb\xbf## intent:a\r\n- b\r\n";
        let markdown = Some(Format::Markdown(markdown::Kind::Nlu));
        check("a.md", nlu, markdown);
        check("a.json", nlu, markdown);
        check("a.yml", nlu, None);
        check("a.yml", br#"{"responses": {}}"#, None);
    }

    #[test]
    fn what_is_no_training_data_is_passed_over() {
        check("a.json", b"{}", None);
        check("a.json", b"[1]", None);
        check("a.json", b"\x00\xff", None);
        check("a.json", br#"{"utterances": "#, None);
        check("README.md", b"# Bot\n\n## Use\n- run it\n", None);
        check("a.md", b"\xff\xfe#\0", None);
        check("a.txt", b"## intent:a\n- b\n", None);
    }

    #[test]
    fn broken_training_data_is_named() {
        check("a.json", br#"{"rasa_nlu_data": {}"#, Some(Format::Broken));
        check("a_usersays_en.json", b"[", Some(Format::Broken));
        check("a.md", b"## intent:a\n- \xff\n", Some(Format::Broken));
    }
}
