//! A status as one page that needs nothing else: no script, no network, no
//! other file. Whatever the user's files say is text here and never markup.
//!
//! A task's state is told by a word and a shape as well as by colour.

use std::collections::HashMap;
use std::fmt::Write;

use crate::cli::report::by_stage;
use crate::cli::report::headline;
use crate::cli::screen::duration;
use crate::cli::status::graph::subtitle;
use crate::cli::status::graph::why;
use crate::cli::status::layout::Layout;
use crate::cli::status::layout::NODE_HEIGHT;
use crate::cli::status::layout::NODE_WIDTH;
use crate::cli::status::layout::layout;
use crate::engine::PastTime;
use crate::recipe::Report;
use crate::recipe::TaskReport;
use crate::recipe::TaskState;

const STYLE: &str = include_str!("page.css");

/// Nothing may be loaded, whatever a browser finds in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Returns the page about the project `title`.
pub fn page(report: &Report, title: &str) -> String {
    let title = escaped(title);
    let texts: Vec<String> = report.texts.iter().map(|text| escaped(text)).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}: status</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n<p>{}</p>\n<p class=\"faint\">{}</p>\n\
         <div class=\"drawing\">\n{}</div>\n{}</body>\n</html>\n",
        escaped(&headline(report)),
        texts.join("<br>"),
        drawing(report),
        tables(report),
    )
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

fn class(state: TaskState) -> &'static str {
    match state {
        TaskState::Fresh => "fresh",
        TaskState::Remote => "fetch",
        TaskState::Stale => "stale",
        TaskState::MayBeSpared => "maybe",
    }
}

fn drawing(report: &Report) -> String {
    let layout = layout(report);
    let (width, height) = layout.size;
    let mut svg = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"The tasks and what they read; the tables below say the same\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
    );
    for band in &layout.bands {
        let _ = writeln!(
            svg,
            "<rect class=\"band\" x=\"{}\" y=\"4\" width=\"{}\" height=\"{}\" rx=\"8\"/>\
             <text class=\"head\" x=\"{}\" y=\"28\">{}</text>",
            band.x,
            band.width,
            height - 8,
            band.x + 14,
            escaped(&band.name)
        );
    }
    edges(report, &layout, &mut svg);
    for (index, task) in report.tasks.iter().enumerate() {
        node(index, task, layout.nodes[index], &mut svg);
    }
    svg + "</svg>\n"
}

/// Lines from tasks to those that read them; those of stale tasks stand out.
fn edges(report: &Report, layout: &Layout, svg: &mut String) {
    for &(from, to) in &layout.edges {
        let (x1, y1) = layout.nodes[from];
        let (x2, y2) = layout.nodes[to];
        let (x1, y1, y2) = (x1 + NODE_WIDTH, y1 + NODE_HEIGHT / 2, y2 + NODE_HEIGHT / 2);
        let bend = (x2.abs_diff(x1) / 2).max(24);
        let due = match report.tasks[from].state {
            TaskState::Fresh | TaskState::Remote => "",
            _ => " due",
        };
        let _ = writeln!(
            svg,
            "<path class=\"edge{due}\" marker-end=\"url(#tip)\" d=\"M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}\"/>",
            x1 + bend,
            x2.saturating_sub(bend),
        );
    }
}

/// A task: round when fresh, eight-cornered when stale, dashed when it may be
/// spared; it leads to its row below.
fn node(index: usize, task: &TaskReport, (x, y): (usize, usize), svg: &mut String) {
    let (right, bottom) = (x + NODE_WIDTH, y + NODE_HEIGHT);
    let shape = match task.state {
        TaskState::Stale => {
            let cut = 10;
            format!(
                "<path class=\"shape\" d=\"M{} {y}H{}L{right} {}V{}L{} {bottom}H{}L{x} {}V{}z\"/>",
                x + cut,
                right - cut,
                y + cut,
                bottom - cut,
                right - cut,
                x + cut,
                bottom - cut,
                y + cut
            )
        }
        _ => format!(
            "<rect class=\"shape\" x=\"{x}\" y=\"{y}\" width=\"{NODE_WIDTH}\" \
             height=\"{NODE_HEIGHT}\" rx=\"10\"/>"
        ),
    };
    let _ = writeln!(
        svg,
        "<a href=\"#t{index}\"><g class=\"{}\"><title>{}</title>{shape}\
         <text x=\"{}\" y=\"{}\"{}>{}</text>\
         <text class=\"below\" x=\"{}\" y=\"{}\">{}</text></g></a>",
        class(task.state),
        escaped(&format!("{}: {}\n{}", task.name, subtitle(task), why(task)).replace('\n', " ")),
        x + 12,
        y + 19,
        squeezed(&task.name),
        escaped(&cut(&task.name)),
        x + 12,
        y + 36,
        escaped(&subtitle(task)),
    );
}

/// The width of a long name, so that it fits into its shape in any font.
fn squeezed(name: &str) -> String {
    const AS_IT_IS: usize = 30;
    match name.chars().count() > AS_IT_IS {
        true => format!(
            " textLength='{}' lengthAdjust='spacingAndGlyphs'",
            NODE_WIDTH - 24
        ),
        false => String::new(),
    }
}

/// A name that is short enough for its shape.
fn cut(name: &str) -> String {
    const SHOWN: usize = 34;
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

fn tables(report: &Report) -> String {
    let names = report.tasks.iter().map(|task| task.name.as_str());
    let index: HashMap<&str, usize> = names.zip(0..).collect();
    let mut html = String::new();
    for (stage, tasks) in by_stage(report) {
        let _ = writeln!(
            html,
            "<h2>{}</h2>\n<table>\n<tr><th>task</th><th>state</th><th>why</th>\
             <th class=\"right\">last</th><th>past runs</th></tr>",
            escaped(stage)
        );
        for task in tasks {
            let _ = writeln!(
                html,
                "<tr id=\"t{}\"><td>{}</td><td><span class=\"state {}\">{}</span></td>\
                 <td>{}</td><td class=\"right\">{}</td><td>{}</td></tr>",
                index[task.name.as_str()],
                escaped(&task.name),
                class(task.state),
                state_text(task.state),
                reasons(task),
                escaped(&task.last_ms.map(duration).unwrap_or_default()),
                past(task.runs.as_deref().unwrap_or_default()),
            );
        }
        html.push_str("</table>\n");
    }
    html
}

fn state_text(state: TaskState) -> &'static str {
    match state {
        TaskState::Fresh => "fresh",
        TaskState::Remote => "in the remote cache",
        TaskState::Stale => "stale",
        TaskState::MayBeSpared => "may be spared",
    }
}

fn reasons(task: &TaskReport) -> String {
    match task.why.as_slice() {
        [] => String::new(),
        [one] => escaped(one),
        several => {
            let items = several
                .iter()
                .map(|why| format!("<li>{}</li>", escaped(why)));
            format!("<ul>{}</ul>", items.collect::<String>())
        }
    }
}

/// Past times as bars, the oldest first, with the numbers behind them.
fn past(runs: &[PastTime]) -> String {
    const HEIGHT: u64 = 18;
    let Some(longest) = runs.iter().map(|run| run.ms.max(1)).max() else {
        return String::new();
    };
    let mut bars = String::new();
    let mut lines = String::new();
    for (place, run) in runs.iter().rev().enumerate() {
        let height = (run.ms * HEIGHT / longest).max(1);
        let (x, y) = (place * 8, HEIGHT - height);
        let _ = write!(
            bars,
            "<rect class=\"bar\" x=\"{x}\" y=\"{y}\" width=\"6\" height=\"{height}\"/>"
        );
    }
    for run in runs {
        let _ = write!(
            lines,
            "{}: {}<br>",
            moment(run.started_ms),
            duration(run.ms)
        );
    }
    format!(
        "<details><summary><svg width=\"{}\" height=\"{HEIGHT}\" role=\"img\" \
         aria-label=\"times of {} runs\">{bars}</svg></summary>\
         <span class=\"faint\">{lines}</span></details>",
        runs.len() * 8,
        runs.len()
    )
}

/// Returns a moment as `2021-03-04 05:06 UTC`.
fn moment(ms: u64) -> String {
    let minutes = ms / 60_000;
    let (year, month, day) = date(minutes / (24 * 60));
    let (hour, minute) = (minutes / 60 % 24, minutes % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Returns year, month and day of the day `days` after 1970-01-01.
///
/// # Source
///
/// Howard Hinnant, *chrono-compatible low-level date algorithms*,
/// `civil_from_days`: years begin in March, so that a leap day is their last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_of_the_calendar() {
        assert_eq!(moment(0), "1970-01-01 00:00 UTC");
        assert_eq!(moment(951_782_399_000), "2000-02-28 23:59 UTC");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00 UTC");
        assert_eq!(moment(1_709_251_199_999), "2024-02-29 23:59 UTC");
        assert_eq!(moment(4_107_542_400_000), "2100-03-01 00:00 UTC");
    }

    #[test]
    fn text_is_never_markup() {
        assert_eq!(
            escaped("<script>\"&'\u{1b}"),
            "&lt;script&gt;&quot;&amp;&#39;\u{fffd}"
        );
    }
}
