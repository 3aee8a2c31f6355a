//! `tabella data validate` on assistants of a workspace: one report on all, in which
//! what is wrong in a shared file stands once.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use serde_json::json;

use crate::api::MemberValidation;
use crate::api::Observer;
use crate::api::SharedFinding;
use crate::api::TrainError;
use crate::api::ValidatedMember;
use crate::api::ValidatedMembers;
use crate::api::chain;
use crate::api::open_workspace;
use crate::api::validate_members;
use crate::cli::data::findings::Count;
use crate::cli::data::findings::as_text;
use crate::cli::data::validate::ValidateArguments;
use crate::cli::environment::environment;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;
use crate::cli::output::paint_of_output;
use crate::cli::output::print;
use crate::cli::screen::Screen;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::sarif;

/// The version of the JSON object; raised when a key changes its meaning.
const REPORT_VERSION: u32 = 1;

/// Assistants that a finding names; the rest is counted.
const NAMES_SHOWN: usize = 5;

/// Which assistants of a workspace are looked at.
#[derive(Debug, Args)]
pub struct MemberNames {
    /// Assistants of the workspace: names, or patterns such as 'shop-*'
    #[arg(value_name = "NAME", conflicts_with_all = ONE_PROJECT)]
    names: Vec<String>,
    /// All assistants of the workspace
    #[arg(long, conflicts_with = "names", conflicts_with_all = ONE_PROJECT)]
    all: bool,
    /// The workspace file [default: `tabella.yml` here or in a folder above]
    #[arg(long, value_name = "FILE")]
    workspace: Option<PathBuf>,
}

/// Flags that say what the workspace file says of each assistant.
const ONE_PROJECT: [&str; 3] = ["config", "domain", "data"];

impl MemberNames {
    /// Returns whether a workspace is meant.
    pub fn are_given(&self) -> bool {
        self.all || !self.names.is_empty() || self.workspace.is_some()
    }
}

/// Runs the command on assistants.
pub fn run(arguments: &ValidateArguments, how: MemberValidation) -> Exit {
    let names = &arguments.members;
    let format = Format::of(arguments.json);
    if !names.all && names.names.is_empty() {
        complain("error: `--workspace` needs names of assistants, or `--all`");
        return Exit::Usage;
    }
    match validated(arguments, &how) {
        Ok(validated) => tell(arguments, validated),
        Err(error) => fail(format, &error),
    }
}

fn validated(
    arguments: &ValidateArguments,
    how: &MemberValidation,
) -> Result<ValidatedMembers, TrainError> {
    let names = &arguments.members;
    let screen = Arc::new(Screen::new(arguments.quiet));
    let shown = Arc::clone(&screen);
    let observer = Observer::new(move |notice| shown.show(&notice));
    let file = names.workspace.as_deref();
    let opened = open_workspace(file, &arguments.project, &environment(), &observer);
    screen.show_notes();
    let workspace = opened?;
    let members = workspace.select(&names.names)?;
    Ok(validate_members(&workspace, &members, how))
}

/// Shows the findings on standard output.
fn tell(arguments: &ValidateArguments, mut validated: ValidatedMembers) -> Exit {
    let all: Vec<Diagnostic> = validated
        .findings
        .iter()
        .map(|finding| finding.diagnostic.clone())
        .collect();
    let count = Count::of(&all);
    let each = of_each(&validated);
    let failed = count.errors > 0 || arguments.fail_on_warnings && count.warnings > 0;
    let found = if failed { Exit::BadInput } else { Exit::Done };
    let failures = validated.members.iter();
    let failures = failures.filter_map(|member| Some((member, member.failure.as_ref()?)));
    let mut exit = found;
    for (member, failure) in failures {
        complain(&format!("error: {}: {}", member.name, chain(failure)));
        exit = exit.worse(Exit::after(failure));
    }
    if arguments.quiet {
        let is_error = |one: &SharedFinding| one.diagnostic.severity == Severity::Error;
        validated.findings.retain(is_error);
    }
    let text = if arguments.json {
        json(&validated, &count, &each)
    } else if arguments.sarif {
        log(&validated)
    } else {
        text(&validated, &count, &each, arguments.quiet)
    };
    print(&text, exit)
}

/// Counts the findings of each assistant.
fn of_each(validated: &ValidatedMembers) -> Vec<Count> {
    let mut each: Vec<Vec<Diagnostic>> = validated.members.iter().map(|_| Vec::new()).collect();
    for finding in &validated.findings {
        for at in &finding.members {
            each[*at].push(finding.diagnostic.clone());
        }
    }
    each.iter().map(|all| Count::of(all)).collect()
}

/// Returns the report as one JSON object (`schemas/workspace-validation.schema.json`).
fn json(validated: &ValidatedMembers, count: &Count, each: &[Count]) -> String {
    let members = validated.members.iter().zip(each).map(|(member, count)| {
        json!({
            "name": member.name,
            "folder": member.folder,
            "config": member.config,
            "errors": count.errors,
            "warnings": count.warnings,
            "notes": count.notes,
            "counts": member.counts,
            "error": member.failure.as_ref().map(|failure| chain(failure)),
        })
    });
    let diagnostics = validated.findings.iter().map(|finding| {
        let mut told = json!(finding.diagnostic);
        told["assistants"] = json!(names(validated, finding));
        told
    });
    let report = json!({
        "report_version": REPORT_VERSION,
        "workspace": validated.workspace.to_string_lossy(),
        "errors": count.errors,
        "warnings": count.warnings,
        "notes": count.notes,
        "assistants": members.collect::<Vec<Value>>(),
        "diagnostics": diagnostics.collect::<Vec<Value>>(),
    });
    serde_json::to_string_pretty(&report).expect("a report has plain values")
}

/// Returns the findings as one log, each with its assistants.
fn log(validated: &ValidatedMembers) -> String {
    let results = validated.findings.iter().map(|finding| sarif::Found {
        diagnostic: &finding.diagnostic,
        assistants: names(validated, finding),
    });
    let root = validated.workspace.parent().unwrap_or(&validated.workspace);
    sarif::log_of(&results.collect::<Vec<_>>(), root)
}

/// Returns the findings for a person, and how many each assistant has.
fn text(validated: &ValidatedMembers, count: &Count, each: &[Count], quiet: bool) -> String {
    let diagnostics = validated.findings.iter().map(|finding| {
        let mut told = finding.diagnostic.clone();
        if let Some(whose) = whose(validated, finding) {
            told.note = Some(match told.note {
                Some(note) => format!("{note}; {whose}"),
                None => whose,
            });
        }
        told
    });
    let findings = crate::api::Findings {
        diagnostics: diagnostics.collect(),
        sources: validated.sources.clone(),
    };
    let mut text = as_text(&findings, count, None, paint_of_output());
    if !quiet {
        let lines = validated.members.iter().zip(each).map(line);
        text.push('\n');
        text.push_str(&lines.collect::<Vec<String>>().join("\n"));
    }
    text
}

/// Returns the line of an assistant.
fn line((member, count): (&ValidatedMember, &Count)) -> String {
    match &member.failure {
        Some(_) => format!("{}: it could not be looked at", member.name),
        None => format!("{}: {}", member.name, count.words()),
    }
}

/// Returns whose finding it is, where its file does not say so.
fn whose(validated: &ValidatedMembers, finding: &SharedFinding) -> Option<String> {
    let file = &finding.diagnostic.place.file;
    let is_own = |at: &usize| {
        let folder = &validated.members[*at].folder;
        file.strip_prefix(folder.as_str())
            .is_some_and(|rest| rest.starts_with('/'))
    };
    if finding.members.iter().all(is_own) && finding.members.len() == 1 {
        return None;
    }
    let names = names(validated, finding);
    if names.len() > 1 && names.len() == validated.members.len() {
        return Some("so for every assistant".to_owned());
    }
    let more = match names.len().saturating_sub(NAMES_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN).copied().collect();
    Some(format!("so for {}{more}", shown.join(", ")))
}

/// Returns the names of a finding's assistants.
fn names<'a>(validated: &'a ValidatedMembers, finding: &SharedFinding) -> Vec<&'a str> {
    let members = finding.members.iter();
    members
        .map(|at| validated.members[*at].name.as_str())
        .collect()
}
