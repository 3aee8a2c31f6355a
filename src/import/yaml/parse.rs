//! Parses a file's text into a tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::import::yaml::Environment;
use crate::import::yaml::Mistake;
use crate::import::yaml::Node;
use crate::import::yaml::full;
use crate::import::yaml::lenient;
use crate::import::yaml::quick;

/// Parses the one document of a text; an empty text is an empty map.
///
/// # Errors
///
/// The first thing that is not YAML, or every duplicate key, unknown tag and
/// unset variable if it is YAML.
pub fn parse(text: &Arc<String>, environment: &mut Environment<'_>) -> Result<Node, Vec<Mistake>> {
    if let Some(parsed) = quick::parse(text, environment) {
        return parsed;
    }
    lenient::parse(text, |text, shifts| full::parse(text, shifts, environment))
}

/// Returns a text of the same value that every YAML parser takes, if we take the
/// text only because we are lenient.
pub fn mended(text: &str) -> String {
    let mut last = text.to_owned();
    let values = BTreeMap::new();
    let mut environment = Environment::new(&values);
    // What else may be wrong with it, others say.
    let _ = lenient::parse(text, |mended, shifts| {
        mended.clone_into(&mut last);
        full::parse(mended, shifts, &mut environment)
    });
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::yaml::Style;
    use crate::import::yaml::Yaml;
    use serde_json::Value;

    fn read(text: &str) -> Result<Node, Vec<Mistake>> {
        let values = BTreeMap::new();
        parse(&Arc::new(text.to_owned()), &mut Environment::new(&values))
    }

    #[track_caller]
    fn check_mistake(text: &str, want: (&str, u32, u32)) {
        let mistakes = read(text).unwrap_err();
        let first = &mistakes[0];
        assert_eq!((first.code, first.line, first.column), want, "{first:?}");
    }

    #[test]
    fn values_are_those_of_a_second_yaml_reader() {
        let documents = [
            "a: 1\nb: [x, 'y', \"z\\n\", ~, true, 2.5]\nc: {d: e, f: null}\n",
            "nlu:\n- intent: greet\n  examples: |\n    - hi\n\n    - hé [a](b)\n",
            "text: >\n  folded\n  lines\n\n  here\nkeep: |+\n  x\n\n",
            "base: &b {x: 1, y: 2}\nuse: *b\n",
            "plain: some words # comment\nurl: http://a.b/c#d\nneg: -5\nyes: no\n",
            "- a\n-  - b\n   - c\n- ? k\n  : v\n",
            "multi: first\n  second\n\n  third\n",
            "",
        ];
        for text in documents {
            let ours = read(text).unwrap().to_json();
            let theirs: Option<Value> = serde_yaml::from_str(text).unwrap();
            let theirs = theirs.filter(|v| !v.is_null());
            let theirs = theirs.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            assert_eq!(ours, theirs, "{text}");
        }
    }

    #[test]
    fn nodes_know_their_line_column_and_length() {
        let root = read("é: 1\nlist:\n- ключ: wörter\n").unwrap();
        let Yaml::List(items) = &root.get("list").unwrap().yaml else {
            panic!("a list was written");
        };
        let value = items[0].get("ключ").unwrap();
        assert_eq!((value.line, value.column, value.length), (3, 9, 6));
        let key = &items[0].entries()[0].at;
        assert_eq!((key.line, key.column, key.length), (3, 3, 4));
    }

    #[test]
    fn lines_of_a_literal_block_are_found_again() {
        let root = read("a:\n  b: |  # why\n\n      x\n     y\n").unwrap_err();
        assert_eq!(root[0].code, "E004");
        let root = read("a:\n  b: |  # why\n\n     x\n      y\n").unwrap();
        let Yaml::Scalar(scalar) = &root.get("a").unwrap().get("b").unwrap().yaml else {
            panic!("a scalar was written");
        };
        assert_eq!(scalar.text, "\nx\n y\n");
        let want = Style::Literal {
            first_line: 3,
            indent: 5,
        };
        assert_eq!(scalar.style, want);
    }

    #[test]
    fn duplicate_keys_are_all_named() {
        let mistakes = read("a: 1\nb: {c: 1, c: 2}\na: 3\n").unwrap_err();
        let places: Vec<(u32, u32)> = mistakes.iter().map(|m| (m.line, m.column)).collect();
        assert_eq!(places, [(2, 11), (3, 1)]);
    }

    #[test]
    fn merge_keys_bring_in_what_is_not_written() {
        let root = read("a: &a {x: 1, y: 1}\nb:\n  <<: *a\n  y: 2\n").unwrap();
        assert_eq!(
            root.get("b").unwrap().to_json(),
            serde_json::json!({"x": 1, "y": 2})
        );
    }

    #[test]
    fn quoted_texts_may_go_on_at_any_indentation() {
        let root = read("r:\n  - text: \"one\n  two\n\n  three\"\n  - text: 'x\n  y'\n").unwrap();
        let want = serde_json::json!({"r": [{"text": "one two\nthree"}, {"text": "x y"}]});
        assert_eq!(root.to_json(), want);
    }

    #[test]
    fn places_behind_such_a_text_are_those_of_the_file() {
        let written = "r:\n- {t: \"one\n  two\", u: three}\n";
        let root = read(written).unwrap();
        let Yaml::List(items) = &root.get("r").unwrap().yaml else {
            panic!("a list was written");
        };
        let value = items[0].get("u").unwrap();
        assert_eq!((value.line, value.column), (3, 12));
        check_mistake("r:\n- {t: \"one\n  two\", u: [v}\n", ("E004", 3, 14));
        check_mistake(
            "r:\n- {t: \"a\n  b\", u: \"c\n  d\", v: [w}\n",
            ("E004", 4, 12),
        );
    }

    #[test]
    fn hostile_files_end_in_a_mistake() {
        check_mistake("a: [1\nb: 2\n", ("E004", 2, 2));
        check_mistake("a: 1\n---\nb: 2\n", ("E008", 2, 1));
        check_mistake("a: &a [*a]\n", ("E007", 1, 8));
        check_mistake("a: !python/object x\n", ("E013", 1, 4));
        check_mistake(&format!("a: {}", "[".repeat(200)), ("E006", 1, 67));
        check_mistake("a: ${GONE}\n", ("E011", 1, 4));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let inner = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{inner}]\n");
        }
        let mistakes = read(&bomb).unwrap_err();
        assert_eq!(mistakes[0].code, "E007");
    }

    #[test]
    fn a_file_that_ends_too_early_is_wrong_at_its_end() {
        check_mistake("a: [b", ("E004", 1, 6));
        check_mistake("a: [b\n", ("E004", 2, 1));
        check_mistake("a:\n  b: [\u{e9}", ("E004", 2, 8));
    }

    #[test]
    fn anchors_inside_each_other_do_not_multiply_a_file() {
        let nested = |levels: usize| {
            let open: String = (0..levels).map(|level| format!("&a{level} [")).collect();
            let words = "word, ".repeat(20_000);
            format!("a: {open}{words}{}\n", "]".repeat(levels))
        };
        assert!(read(&nested(2)).is_ok());
        let mistakes = read(&nested(60)).unwrap_err();
        assert_eq!(mistakes[0].code, "E007");
    }
}
