//! `tabella explain-code`: what a code means, and what to do about it.

use clap::Args;
use serde_json::Value;
use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::output::complain;
use crate::cli::output::print;
use crate::diagnostic::CODES;
use crate::diagnostic::Page;
use crate::diagnostic::did_you_mean;
use crate::diagnostic::page;
use crate::diagnostic::title;

/// `tabella explain-code`.
#[derive(Debug, Args)]
pub struct ExplainCodeArguments {
    /// A code such as W404; without one, all codes are listed
    code: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: &ExplainCodeArguments) -> Exit {
    let Some(written) = &arguments.code else {
        return print(&list(arguments.json), Exit::Done);
    };
    let code = written.to_uppercase();
    match (title(&code), page(&code)) {
        (Some(title), Some(page)) => {
            let text = match arguments.json {
                true => pretty(&object(&code, title, &page)),
                false => text(&code, title, &page),
            };
            print(&text, Exit::Done)
        }
        _ => unknown(written, &code, arguments.json),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("values are plain")
}

fn object(code: &str, title: &str, page: &Page) -> Value {
    json!({
        "code": code,
        "title": title,
        "meaning": page.meaning,
        "example": page.example,
        "remedy": page.remedy,
    })
}

/// Returns all codes: a line each, or an array of all pages.
fn list(json: bool) -> String {
    if json {
        let pages = CODES
            .iter()
            .filter_map(|(code, title)| Some(object(code, title, &page(code)?)));
        return pretty(&pages.collect());
    }
    let lines = CODES.iter().map(|(code, title)| format!("{code}  {title}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn text(code: &str, title: &str, page: &Page) -> String {
    let mut text = format!("{code}: {title}\n\n{}\n", page.meaning);
    if !page.example.is_empty() {
        text.push_str("\nFor example:\n\n");
        for line in page.example.lines() {
            text.push_str(format!("    {line}").trim_end());
            text.push('\n');
        }
    }
    text.push_str("\nWhat to do: ");
    text.push_str(&page.remedy);
    text
}

fn unknown(written: &str, code: &str, json: bool) -> Exit {
    let known = CODES.iter().map(|(code, _)| *code);
    // Another letter before the same number is nearer than another number.
    let number = code.trim_start_matches(|c: char| !c.is_ascii_digit());
    let same_number = CODES
        .iter()
        .map(|(code, _)| *code)
        .find(|code| code.len() == number.len() + 1 && code.ends_with(number));
    let near = same_number.or_else(|| did_you_mean(code, known));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`tabella explain-code` lists all codes".to_owned(),
    };
    let message = format!("there is no code `{written}`; {hint}");
    complain(&format!("error: {message}"));
    match json {
        true => print(
            &json!({ "error": message, "diagnostics": [] }).to_string(),
            Exit::Usage,
        ),
        false => Exit::Usage,
    }
}
