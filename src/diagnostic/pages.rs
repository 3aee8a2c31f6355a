//! A page for each code: what it means, a file that has it, what to do.
//!
//! The pages are Markdown beside this file, one file a subject. A page is
//!
//! ````text
//! ## W404
//! What it means.
//! ```yaml
//! a file that has it
//! ```
//! What to do.
//! ````
//!
//! and may lack the example. Lines of a paragraph are joined.

/// What there is to know about a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it means.
    pub meaning: String,
    /// A piece of a file that has it; may be empty.
    pub example: String,
    /// What to do about it.
    pub remedy: String,
}

/// All pages by subject.
const SUBJECTS: [&str; 7] = [
    include_str!("pages/files.md"),
    include_str!("pages/config.md"),
    include_str!("pages/domain.md"),
    include_str!("pages/nlu.md"),
    include_str!("pages/stories.md"),
    include_str!("pages/convert.md"),
    include_str!("pages/workspace.md"),
];

/// Returns the page of a code, if there is such a code.
pub fn page(code: &str) -> Option<Page> {
    let sections = SUBJECTS.iter().flat_map(|text| text.split("\n## ").skip(1));
    let mut bodies = sections.filter_map(|section| section.split_once('\n'));
    let (_, body) = bodies.find(|(name, _)| name.trim() == code)?;
    let (meaning, rest) = body.split_once("\n```yaml\n").unwrap_or((body, ""));
    if rest.is_empty() {
        let (meaning, remedy) = body.trim().rsplit_once("\n\n")?;
        return Some(Page {
            meaning: joined(meaning),
            example: String::new(),
            remedy: joined(remedy),
        });
    }
    let (example, remedy) = rest.split_once("\n```\n")?;
    Some(Page {
        meaning: joined(meaning),
        example: example.to_owned(),
        remedy: joined(remedy),
    })
}

/// Makes one line of a paragraph.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::CODES;

    #[test]
    fn every_code_has_a_page_that_says_what_it_means_and_what_to_do() {
        let lacking = CODES.iter().filter(|(code, _)| {
            page(code).is_none_or(|page| page.meaning.is_empty() || page.remedy.is_empty())
        });
        let lacking: Vec<&str> = lacking.map(|(code, _)| *code).collect();
        assert!(
            lacking.is_empty(),
            "write pages in src/diagnostic/pages/*.md for {lacking:?}"
        );
    }

    #[test]
    fn every_page_is_of_a_code_and_stands_once() {
        let mut names: Vec<&str> = SUBJECTS
            .iter()
            .flat_map(|text| text.split("\n## ").skip(1))
            .filter_map(|section| section.lines().next())
            .collect();
        names.sort_unstable();
        let mut codes: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        assert_eq!(names, codes);
    }
}
