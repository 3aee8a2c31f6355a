//! Says what to do about text that is not YAML: the parser knows only which of
//! its rules was broken.

/// What to do about tabs.
pub const NO_TABS: &str = "indent by blanks, not by tabs";

/// Pieces of the parser's complaints, with what people do wrong when it has
/// them. The first that fits counts.
const HINTS: &[(&[&str], &str)] = &[
    (
        &[
            "tab cannot",
            "tabs disallowed",
            "found a tab",
            "start with a tab",
        ],
        NO_TABS,
    ),
    (
        &["trailing content after double-quoted"],
        "a quote inside a quoted text is written `\\\"`; or put the text into single quotes",
    ),
    (
        &[
            "unknown escape character",
            "hexadecimal number",
            "Unicode character escape",
        ],
        "in double quotes a backslash is written `\\\\`; in single quotes it stands for itself",
    ),
    (
        &[
            "quoted scalar, found unexpected",
            "indentation in quoted scalar",
        ],
        "a quote was opened and not closed; the text may have begun lines above",
    ),
    (
        &[
            "mapping values are not allowed",
            "mapping keys are not allowed",
        ],
        "text with `: ` in it is put into quotes; or a line above lacks its colon; or this one is indented too far",
    ),
    (
        &["simple key expect"],
        "a key lacks its colon, here or on a line above: write `key:`",
    ),
    (
        &["'-' indicator", "sequence entries are not allowed"],
        "the items of a list start with `- ` in one column",
    ),
    (
        &[
            "did not find expected key",
            "invalid indentation",
            "wrongly indented",
        ],
        "this line starts in another column than those it belongs to: compare it with the lines above",
    ),
    (
        &[
            "',' or ']'",
            "',' or '}'",
            "flow",
            "misplaced bracket",
            "illegal placement of ':'",
        ],
        "a comma or a closing bracket is missing, here or above; text with brackets is put into quotes",
    ),
    (
        &["unknown anchor"],
        "no value above has the name that `&` gives; text that starts with `*` is put into quotes",
    ),
    (
        &[
            "unexpected character",
            "cannot start with",
            "anchor",
            "alias",
        ],
        "text that starts with a sign such as `@`, `*`, `&` or `%` is put into quotes",
    ),
    (
        &["expected node content", "end of plain scalar"],
        "text that holds signs of YAML is put into quotes",
    ),
];

/// Returns what to do about a complaint of the parser.
pub fn hint(complaint: &str) -> Option<&'static str> {
    let fits = |pieces: &&[&str]| pieces.iter().any(|piece| complaint.contains(piece));
    let found = HINTS.iter().find(|(pieces, _)| fits(pieces));
    found.map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use crate::import::yaml::Environment;
    use crate::import::yaml::parse;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let values = BTreeMap::new();
        let mistakes =
            parse(&Arc::new(text.to_owned()), &mut Environment::new(&values)).unwrap_err();
        let help = mistakes[0].help.as_deref().unwrap_or_default();
        assert!(help.contains(want), "{}: {help}", mistakes[0].message);
    }

    #[test]
    fn what_people_write_by_mistake_has_a_hint() {
        check("a: \"b \"c\" d\"\n", "single quotes");
        check("a: \"b\nc: d\n", "opened and not closed");
        check("a:\n  b: c\n d: e\n", "another column");
        check("a:\n\tb: c\n", "tabs");
        check("a: b: c\n", "`: `");
        check("a: [b\nc: d\n", "closing bracket");
        check("a\nb: c\n", "colon");
        check("a: @b\n", "`@`");
        check("a: *b\n", "`&`");
        check("a: \"\\d\"\n", "backslash");
        check("- a\nb: c\n", "`- `");
    }
}
