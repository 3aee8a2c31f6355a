//! Names and commands as shells and tools read them.

/// Returns whether a name means itself to a shell, to make, to ninja and to just.
pub fn is_plain(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || "._-+@/".contains(letter);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain)
}

/// Returns a word as a POSIX shell reads it.
pub fn in_shell(word: &str) -> String {
    match is_plain(word) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Returns a command as a recipe of make has it.
pub fn in_make(command: &str) -> String {
    command.replace('$', "$$")
}

/// Returns a value as ninja has it.
pub fn in_ninja(value: &str) -> String {
    value.replace('$', "$$")
}

/// Returns a command as a recipe of just has it.
pub fn in_just(command: &str) -> String {
    command.replace("{{", "{{{{")
}

/// Returns a text as Starlark has it.
pub fn in_starlark(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_each_word_as_it_was() {
        for (word, quoted) in [
            ("bots/a-b_c.1@x", "bots/a-b_c.1@x"),
            ("große", "große"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("-x", "'-x'"),
            ("", "''"),
        ] {
            assert_eq!(in_shell(word), quoted);
        }
        assert_eq!(in_starlark("a \"b\" \\ c"), r#""a \"b\" \\ c""#);
        assert_eq!(in_make("echo '$x'"), "echo '$$x'");
        assert_eq!(in_just("a {{b}}"), "a {{{{b}}");
    }
}
