//! Writes expressions of Python's `re` in the syntax of our engine.
//!
//! What is the same in both is copied; what is not is listed here:
//!
//! | Python | here |
//! |---|---|
//! | `\w`, `\d`, `\s`, `\b` | Python's sets of characters; ASCII after `(?a)` |
//! | `\Z`, `$` | `\z`; the end, or before a last line break |
//! | `\uXXXX`, `\UXXXXXXXX`, `\0`, `\v` | `\x{…}` |
//! | `{` that starts no repetition; `[`, `&`, `~` in a set | escaped |
//! | `{,n}` | `{0,n}` |
//! | `(?x)`, `(?#…)` | white space and comments are taken out |
//! | `(?u)`, `(?L)`, `(?a)` | taken out |

/// The two translations; see [`PythonRegex`](super::PythonRegex).
#[derive(Default)]
pub(super) struct Translated {
    pub quick: String,
    pub exact: String,
}

impl Translated {
    fn push(&mut self, text: &str) {
        self.quick.push_str(text);
        self.exact.push_str(text);
    }
}

/// Where, in code points from 0, and what is wrong.
type Mistake = (usize, String);

/// Translates an expression.
pub(super) fn translate(pattern: &str) -> Result<Translated, Mistake> {
    let mut translator = Translator {
        chars: pattern.chars().collect(),
        at: 0,
        out: Translated::default(),
        ascii: false,
        verbose: false,
        multi_line: false,
    };
    while translator.at < translator.chars.len() {
        translator.step()?;
    }
    Ok(translator.out)
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: Translated,
    ascii: bool,
    verbose: bool,
    multi_line: bool,
}

const LINE_END: &str = r"(?=\n?\z)";

impl Translator {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn wrong<T>(&self, reason: impl Into<String>) -> Result<T, Mistake> {
        Err((self.at, reason.into()))
    }

    fn step(&mut self) -> Result<(), Mistake> {
        let c = self.chars[self.at];
        match c {
            '\\' => return self.escape(false),
            '[' => return self.set(),
            '(' if self.peek(1) == Some('?') => return self.extension(),
            '{' => self.brace(),
            '}' => self.out.push(r"\}"),
            '$' if !self.multi_line => {
                self.out.quick.push_str(r"\z");
                self.out.exact.push_str(LINE_END);
            }
            '#' if self.verbose => {
                while self.peek(1).is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
            }
            _ if self.verbose && c.is_ascii_whitespace() => {}
            _ => self.literal_or_operator(c),
        }
        self.at += 1;
        Ok(())
    }

    fn literal_or_operator(&mut self, c: char) {
        let mut buffer = [0; 4];
        let text: &str = c.encode_utf8(&mut buffer);
        self.out.push(text);
    }

    /// A `{`: a repetition is copied up to and with its `}`, anything else is
    /// the character.
    fn brace(&mut self) {
        let rest: String = self.chars[self.at + 1..]
            .iter()
            .take_while(|c| **c != '}')
            .collect();
        let closed = self.at + 1 + rest.chars().count() < self.chars.len();
        let (low, high) = rest.split_once(',').unwrap_or((&rest, "0"));
        let number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if !closed || rest.is_empty() || rest == "," || !number(low) || !number(high) {
            return self.out.push(r"\{");
        }
        let low_text = if low.is_empty() { "0" } else { low };
        match rest.contains(',') {
            true => self.out.push(&format!("{{{low_text},{high}}}")),
            false => self.out.push(&format!("{{{low}}}")),
        }
        self.at += rest.chars().count() + 1;
    }

    /// `(?…`: flags, comments, and groups that are copied as they are.
    fn extension(&mut self) -> Result<(), Mistake> {
        match self.peek(2) {
            Some('#') => {
                while self.peek(0).is_some_and(|c| c != ')') {
                    self.at += 1;
                }
                self.at += 1;
                Ok(())
            }
            Some(c) if c.is_ascii_alphabetic() && c != 'P' || c == '-' => self.flags(),
            Some('<') if !matches!(self.peek(3), Some('=' | '!')) => {
                self.wrong("Python writes named groups `(?P<name>…)`")
            }
            Some('P') => self.copy_until(&['>', ')', '=']),
            Some(_) => {
                let length = if self.peek(2) == Some('<') { 4 } else { 3 };
                self.copy(length);
                Ok(())
            }
            None => self.wrong("an unfinished group"),
        }
    }

    fn copy(&mut self, length: usize) {
        let end = (self.at + length).min(self.chars.len());
        let text: String = self.chars[self.at..end].iter().collect();
        self.out.push(&text);
        self.at = end;
    }

    fn copy_until(&mut self, ends: &[char]) -> Result<(), Mistake> {
        let rest = &self.chars[self.at..];
        match rest.iter().position(|c| ends.contains(c)) {
            Some(end) => self.copy(end + 1),
            None => return self.wrong("an unfinished group"),
        }
        Ok(())
    }

    /// `(?flags)` at the start, or `(?flags:` anywhere.
    fn flags(&mut self) -> Result<(), Mistake> {
        let rest = &self.chars[self.at + 2..];
        let Some(length) = rest.iter().position(|c| *c == ')' || *c == ':') else {
            return self.wrong("unfinished flags");
        };
        let flags: String = rest[..length].iter().collect();
        let scoped = rest[length] == ':';
        if let Some(flag) = flags.chars().find(|c| !"aiLmsux-".contains(*c)) {
            return self.wrong(format!("unknown flag `{flag}`"));
        }
        if scoped && flags.contains(['a', 'm', 'x']) {
            return self.wrong("flags `a`, `m` and `x` only hold for the whole expression");
        }
        if !scoped
            && !self
                .out
                .quick
                .trim_start_matches(|c| "(?ims)".contains(c))
                .is_empty()
        {
            return self.wrong("flags not at the start of the expression");
        }
        if !scoped {
            self.ascii |= flags.contains('a');
            self.verbose |= flags.contains('x');
            self.multi_line |= flags.contains('m');
        }
        let kept: String = flags.chars().filter(|c| "ims-".contains(*c)).collect();
        match (scoped, kept.is_empty()) {
            (true, _) => self.out.push(&format!("(?{kept}:")),
            (false, false) => self.out.push(&format!("(?{kept})")),
            (false, true) => {}
        }
        self.at += 2 + length + 1;
        Ok(())
    }

    /// A backslash and what belongs to it, in a set or outside.
    fn escape(&mut self, in_set: bool) -> Result<(), Mistake> {
        let Some(c) = self.peek(1) else {
            return self.wrong("a lone backslash at the end");
        };
        match c {
            'w' | 'W' | 'd' | 'D' | 's' | 'S' => self.out.push(&self.shorthand(c, in_set)),
            'b' if in_set => self.out.push(r"\x08"),
            'b' | 'B' if !in_set => self.boundary(c),
            'A' if !in_set => self.out.push(r"\A"),
            'Z' if !in_set => self.out.push(r"\z"),
            'x' => return self.code_point(2),
            'u' => return self.code_point(4),
            'U' => return self.code_point(8),
            'n' | 'r' | 't' | 'a' | 'f' => self.out.push(&format!("\\{c}")),
            'v' => self.out.push(r"\x0B"),
            '0'..='9' => return self.number(in_set),
            _ if c.is_ascii_alphabetic() => return self.wrong(format!("unknown escape `\\{c}`")),
            _ => self.out.push(&literal(c)),
        }
        self.at += 2;
        Ok(())
    }

    fn shorthand(&self, c: char, in_set: bool) -> String {
        let set = match (c.to_ascii_lowercase(), self.ascii) {
            ('w', false) => r"\p{L}\p{N}_",
            ('w', true) => "a-zA-Z0-9_",
            ('d', false) => r"\p{Nd}",
            ('d', true) => "0-9",
            (_, false) => r"\s\x1c-\x1f",
            (_, true) => r" \t\n\r\f\x0B",
        };
        match (c.is_ascii_uppercase(), in_set) {
            (true, _) => format!("[^{set}]"),
            (false, true) => set.to_owned(),
            (false, false) => format!("[{set}]"),
        }
    }

    fn boundary(&mut self, c: char) {
        let word = self.shorthand('w', false);
        let exact = match c {
            'b' => format!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"),
            _ => format!("(?:(?<={word})(?={word})|(?<!{word})(?!{word}))"),
        };
        match self.ascii {
            true => self.out.quick.push_str(&exact),
            false => self.out.quick.push_str(&format!("\\{c}")),
        }
        self.out.exact.push_str(&exact);
    }

    fn code_point(&mut self, digits: usize) -> Result<(), Mistake> {
        let text: String = self.chars[self.at + 2..].iter().take(digits).collect();
        let value = u32::from_str_radix(&text, 16).ok().and_then(char::from_u32);
        match value {
            Some(c) if text.len() == digits => self.out.push(&literal(c)),
            _ => return self.wrong(format!("an escape without its {digits} hex digits")),
        }
        self.at += 2 + digits;
        Ok(())
    }

    /// A back-reference, or a character by its octal number.
    fn number(&mut self, in_set: bool) -> Result<(), Mistake> {
        let rest = &self.chars[self.at + 1..];
        let octal: String = rest
            .iter()
            .take(3)
            .take_while(|c| ('0'..='7').contains(*c))
            .collect();
        let decimal: String = rest
            .iter()
            .take(2)
            .take_while(|c| c.is_ascii_digit())
            .collect();
        if in_set || octal.starts_with('0') || octal.len() == 3 {
            let value = u32::from_str_radix(&octal, 8).ok().and_then(char::from_u32);
            let Some(c) = value else {
                return self.wrong("a number that is no octal character");
            };
            self.out.push(&literal(c));
            self.at += 1 + octal.len();
        } else {
            self.out.push(&format!("(?:\\{decimal})"));
            self.at += 1 + decimal.len();
        }
        Ok(())
    }

    /// A set `[…]`; in Python nothing nests in it.
    fn set(&mut self) -> Result<(), Mistake> {
        let start = self.at;
        self.out.push("[");
        self.at += 1;
        if self.peek(0) == Some('^') {
            self.out.push("^");
            self.at += 1;
        }
        let first = self.at;
        loop {
            match self.peek(0) {
                None => return Err((start, "an unfinished set".to_owned())),
                Some(']') if self.at > first => break,
                Some('\\') => self.escape(true)?,
                Some('-') if self.is_range() => self.copy(1),
                Some(c) => {
                    self.out.push(&literal(c));
                    self.at += 1;
                }
            }
        }
        self.out.push("]");
        self.at += 1;
        Ok(())
    }

    /// Returns whether the `-` here stands between two ends of a range.
    fn is_range(&self) -> bool {
        let before = self.chars[self.at - 1];
        let opens = before == '[' && self.out.quick.ends_with('[');
        !opens && !self.out.quick.ends_with("[^") && self.peek(1).is_some_and(|c| c != ']')
    }
}

/// Returns a character so that it stands for itself anywhere.
fn literal(c: char) -> String {
    match c {
        _ if c.is_ascii_alphanumeric() || c == '_' => c.to_string(),
        _ if c.is_ascii() => format!("\\x{:02X}", c as u32),
        _ if c.is_alphanumeric() => c.to_string(),
        _ => format!("\\x{{{:X}}}", c as u32),
    }
}
