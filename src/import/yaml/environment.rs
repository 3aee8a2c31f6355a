//! Expands `${NAME}` in plain scalars, and remembers which names were used.

use std::collections::BTreeMap;

/// The environment as an input: what may be used, and what was.
#[derive(Debug)]
pub struct Environment<'a> {
    values: &'a BTreeMap<String, String>,
    /// Variables that some file named, with their values; unset ones have none.
    pub used: BTreeMap<String, Option<String>>,
}

impl<'a> Environment<'a> {
    /// Returns an environment with these variables, none used yet.
    pub fn new(values: &'a BTreeMap<String, String>) -> Self {
        Self {
            values,
            used: BTreeMap::new(),
        }
    }

    /// Expands a plain scalar, or returns `None` if it names no variable.
    ///
    /// Rasa: only scalars on one line that hold a `${…}` are expanded, and then
    /// `$NAME` in them too. Variables that are not set stay as they are.
    ///
    /// # Errors
    ///
    /// The variables that words still start with and did so before.
    pub fn expand(&mut self, text: &str) -> Option<Result<String, String>> {
        let open = text.find("${")?;
        if text.contains('\n') || !text[open..].contains('}') {
            return None;
        }
        let expanded = self.replace(text);
        let left: Vec<&str> = expanded
            .split_whitespace()
            .filter(|word| word.starts_with('$') && text.contains(word))
            .map(variable)
            .collect();
        Some(match left.is_empty() {
            true => Ok(expanded),
            false => Err(left.join(", ")),
        })
    }

    /// Replaces `${NAME}` and `$NAME` by their values where they are set.
    fn replace(&mut self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let (name, length) = match after.strip_prefix('{') {
                Some(inner) => match inner.find('}') {
                    Some(end) => (&inner[..end], end + 2),
                    None => ("", 0),
                },
                None => {
                    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
                    let end = after.find(word).unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            let value = self.values.get(name);
            if !name.is_empty() {
                self.used.insert(name.to_owned(), value.cloned());
            }
            match value {
                Some(value) => expanded.push_str(value),
                None => expanded.push_str(&rest[at..at + 1 + length]),
            }
            rest = &after[length..];
        }
        expanded.push_str(rest);
        expanded
    }
}

/// Returns the variable that a word starts with, without what follows it.
fn variable(word: &str) -> &str {
    let braces = word.starts_with("${").then(|| word.find('}')).flatten();
    let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    match (braces, word[1..].find(is_end)) {
        (Some(end), _) => &word[..=end],
        (None, Some(length)) if length > 0 => &word[..=length],
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scalars_with_braces_are_expanded() {
        let values = BTreeMap::from([("HOST".to_owned(), "example".to_owned())]);
        let mut environment = Environment::new(&values);
        assert_eq!(environment.expand("$HOST"), None);
        assert_eq!(
            environment.expand("a ${HOST}/$HOST"),
            Some(Ok("a example/example".to_owned()))
        );
        assert_eq!(
            environment.expand("${HOST} ${GONE}"),
            Some(Err("${GONE}".to_owned()))
        );
        assert_eq!(
            environment.expand("see ${HOST}. Or $A-b, ${GONE}."),
            Some(Err("$A, ${GONE}".to_owned()))
        );
        assert_eq!(environment.expand("${HOST"), None);
        assert_eq!(environment.used["GONE"], None);
    }
}
