//! Turns the bytes of a file into the text that is parsed.

use crate::import::yaml::Mistake;

/// Returns the text of a file: without byte order mark, with `\n` at line ends.
///
/// Rasa 2 and 3: a text of pure ASCII has its `\uXXXX` and `\UXXXXXXXX` decoded
/// before YAML is parsed, wherever they stand; pairs of surrogates become one
/// character, and a backslash before a backslash hides it.
///
/// # Errors
///
/// Bytes that are not UTF-8, NUL characters and broken escapes, with the place.
pub fn decode(bytes: &[u8]) -> Result<String, Mistake> {
    decode_owned(bytes.to_vec()).map_err(|undecoded| undecoded.mistake)
}

/// A file that is not text.
#[derive(Debug)]
pub struct Undecoded {
    /// Why.
    pub mistake: Mistake,
    /// What can be shown of it.
    pub shown: String,
}

/// Does what [`decode`] does, in the memory of the bytes if nothing has to
/// change.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_owned(mut bytes: Vec<u8>) -> Result<String, Undecoded> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Undecoded {
            mistake: not_utf8(error.as_bytes(), at),
            shown: with_line_ends(&String::from_utf8_lossy(error.as_bytes())),
        }
    })?;
    if text.contains('\r') {
        text = with_line_ends(&text);
    }
    match checked(&text) {
        Ok(None) => Ok(text),
        Ok(Some(decoded)) => Ok(decoded),
        Err(mistake) => Err(Undecoded {
            mistake,
            shown: text,
        }),
    }
}

/// Returns the text of a file as [`decode`] does, but with all escapes in it.
///
/// # Errors
///
/// Bytes that are not UTF-8 and NUL characters, with the place.
pub fn decode_plainly(bytes: &[u8]) -> Result<String, Mistake> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    let text = match text.contains('\r') {
        true => text.replace("\r\n", "\n").replace('\r', "\n"),
        false => text.to_owned(),
    };
    match nul(&text) {
        Some(mistake) => Err(mistake),
        None => Ok(text),
    }
}

/// Returns the mistake of a text with a NUL character.
fn nul(text: &str) -> Option<Mistake> {
    let at = text.find('\0')?;
    let mistake = mistake("E002", text, at, "a NUL character".to_owned());
    Some(mistake.help("the file may be UTF-16 or not text; save it as UTF-8"))
}

/// Returns a text with its escapes decoded, if it has some.
fn checked(text: &str) -> Result<Option<String>, Mistake> {
    if let Some(mistake) = nul(text) {
        return Err(mistake);
    }
    let has_escapes = text.is_ascii() && (text.contains("\\u") || text.contains("\\U"));
    has_escapes.then(|| unescape(text)).transpose()
}

/// Returns a text with `\n` at line ends.
pub fn with_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Returns the mistake for bytes that are not UTF-8 from `at` on.
fn not_utf8(bytes: &[u8], at: usize) -> Mistake {
    let before = with_line_ends(&String::from_utf8_lossy(&bytes[..at]));
    let what = format!("not UTF-8 from byte {at} on");
    let help = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16; save it as UTF-8",
        _ => "save the file as UTF-8",
    };
    mistake("E001", &before, before.len(), what).help(help)
}

/// Returns a mistake at byte `at` of `text`.
fn mistake(code: &'static str, text: &str, at: usize, message: String) -> Mistake {
    let before = &text[..at];
    let line = before.matches('\n').count() as u32 + 1;
    let start = before.rfind('\n').map_or(0, |index| index + 1);
    let column = before[start..].chars().count() as u32 + 1;
    Mistake {
        code,
        line,
        column,
        length: 1,
        message,
        help: None,
    }
}

/// Decodes the `\u` escapes of an ASCII text.
fn unescape(text: &str) -> Result<String, Mistake> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut letters = text.char_indices().peekable();
    let broken = |at: usize, what: &str| {
        mistake("E012", text, at, what.to_owned()).help(
            "a file of plain ASCII has its `\\u` escapes decoded, as Rasa does; \
             double the backslash if none is meant",
        )
    };
    while let Some((at, letter)) = letters.next() {
        let digits = match (letter, letters.peek()) {
            ('\\', Some((_, 'u'))) => 4,
            ('\\', Some((_, 'U'))) => 8,
            ('\\', Some((_, next))) => {
                units.extend([u16::from(b'\\'), *next as u16]);
                letters.next();
                continue;
            }
            _ => {
                units.push(letter as u16);
                continue;
            }
        };
        letters.next();
        let hex: Option<u32> = text
            .get(at + 2..at + 2 + digits)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let Some(code) = hex else {
            return Err(broken(at, &format!("`\\u` needs {digits} hex digits here")));
        };
        match u16::try_from(code) {
            Ok(unit) => units.push(unit),
            Err(_) => match char::from_u32(code) {
                Some(c) => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
                None => return Err(broken(at, "no such character")),
            },
        }
        for _ in 0..digits {
            letters.next();
        }
    }
    String::from_utf16(&units)
        .map_err(|_| broken(text.find("\\u").unwrap_or(0), "half of a surrogate pair"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_are_not_part_of_the_text() {
        assert_eq!(
            decode(b"\xef\xbb\xbfa: 1\r\nb: 2\r").unwrap(),
            "a: 1\nb: 2\n"
        );
    }

    #[test]
    fn escapes_are_decoded_in_ascii_files_only() {
        assert_eq!(decode(br"a: \u00e9 \ud83c\udf55").unwrap(), "a: é 🍕");
        assert_eq!(decode(br"a: \\u00e9").unwrap(), r"a: \\u00e9");
        assert_eq!(decode(r"é: \u00e9".as_bytes()).unwrap(), r"é: \u00e9");
    }

    #[test]
    fn broken_text_is_named_with_its_place() {
        let shown = |bytes: &[u8]| {
            let mistake = decode(bytes).unwrap_err();
            (mistake.code, mistake.line, mistake.column)
        };
        assert_eq!(shown(b"a: 1\nbc\xff"), ("E001", 2, 3));
        assert_eq!(shown(b"a: 1\rbc\xff"), ("E001", 2, 3));
        assert_eq!(shown(b"a\0"), ("E002", 1, 2));
        assert_eq!(shown(b"a\r\0"), ("E002", 2, 1));
        assert_eq!(shown(br"a: \users"), ("E012", 1, 4));
        assert_eq!(shown(br"a: \ud83c"), ("E012", 1, 4));
    }
}
