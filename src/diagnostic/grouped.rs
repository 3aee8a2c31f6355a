//! Many diagnostics as text: some of each kind with their lines, further ones as a
//! list of places, and how many there are beyond.
//!
//! A mistake that is made once may be found a hundred thousand times, as by a script
//! that wrote the data; what is shown stays short enough to read.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::Paint;
use crate::diagnostic::Severity;
use crate::diagnostic::SourceMap;
use crate::diagnostic::arrange;
use crate::diagnostic::is_lint;
use crate::diagnostic::render;
use crate::diagnostic::title;
use crate::diagnostic::visible;

/// Diagnostics of one code that are shown with their lines. Further ones, and
/// remarks on style if there are more, become a list.
const WITH_LINES: usize = 10;
const REMARKS_WITH_LINES: usize = 2;
const ERRORS_WITH_LINES: usize = 25;

/// Places that such a list names.
const LISTED: usize = 25;

/// Returns diagnostics as text: lists of what there is much of, then the others as
/// [`render`] shows them, with an empty line between. Of a code as many are shown
/// whole or in a list as can be read; of the others it is said how many there are.
pub fn render_grouped(diagnostics: &[Diagnostic], sources: &SourceMap, paint: Paint) -> String {
    let mut by_code: BTreeMap<(&str, Severity), Vec<&Diagnostic>> = BTreeMap::new();
    for one in diagnostics {
        by_code
            .entry((one.code, one.severity))
            .or_default()
            .push(one);
    }
    let mut parts: Vec<String> = Vec::new();
    let mut with_lines: Vec<Diagnostic> = Vec::new();
    for ((code, severity), all) in &by_code {
        let shown = match (severity, is_lint(code)) {
            (Severity::Error, _) => all.len().min(ERRORS_WITH_LINES),
            (_, true) if all.len() > REMARKS_WITH_LINES => 0,
            _ => all.len().min(WITH_LINES),
        };
        with_lines.extend(all[..shown].iter().copied().cloned());
        if let [first, ..] = &all[shown..] {
            parts.push(list(first, &all[shown..], shown, paint));
        }
    }
    arrange(&mut with_lines);
    if !with_lines.is_empty() {
        parts.push(render(&with_lines, sources, paint));
    }
    parts.join("\n")
}

/// Returns diagnostics of one code as a list of places and messages.
fn list(first: &Diagnostic, all: &[&Diagnostic], shown: usize, paint: Paint) -> String {
    let title = title(first.code).unwrap_or_default();
    let head = match shown {
        0 => format!("{title} ({} times)", all.len()),
        _ => format!("{title} ({} times more)", all.len()),
    };
    let head = Diagnostic {
        message: head,
        place: Default::default(),
        note: None,
        help: first.help.clone().filter(|help| {
            let is_same = |one: &&Diagnostic| one.help.as_ref() == Some(help);
            all.iter().copied().all(|one| is_same(&one))
        }),
        ..first.clone()
    };
    let empty = Default::default();
    let rendered = render(&[head], &empty, paint);
    let (head, rest) = rendered.split_once('\n').unwrap_or((&rendered, ""));
    let mut text = format!("{head}\n");
    let place = |one: &Diagnostic| match one.place.is_known() {
        true => one.place.to_string(),
        false => one.place.file.to_string(),
    };
    let listed = &all[..all.len().min(LISTED)];
    let width = listed.iter().map(|one| place(one).chars().count()).max();
    let width = width.unwrap_or(0);
    for one in listed {
        let note = one.note.as_ref();
        let note = note.map_or(String::new(), |note| format!(" ({note})"));
        let line = format!("  {:width$}  {}{note}", place(one), one.message);
        text.push_str(visible(&line).trim_end());
        text.push('\n');
    }
    if all.len() > LISTED {
        text.push_str(&format!(
            "  and {} more, which `--json` lists\n",
            all.len() - LISTED
        ));
    }
    text + rest
}
