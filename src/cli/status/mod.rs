//! `tabella status`: the plan of a training for people, as a tree, a drawing or
//! a page. It is the plan that `train` would execute and `train --dry-run` tells
//! machines; the exit code is 0 whatever is stale.

mod tree;
mod graph;
mod layout;
mod page;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::api;
use crate::api::TrainError;
use crate::api::in_project;
use crate::cli::args::PlaceArguments;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::product::Kept;
use crate::cli::product::Product;
use crate::cli::project::ProjectFlags;
use crate::cli::report;
use crate::cli::screen::Screen;
use crate::cli::workspace;
use crate::cli::workspace::MemberArguments;
use crate::recipe::Report;

/// `tabella status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Which assistants of a workspace.
    #[command(flatten)]
    pub members: MemberArguments,
    /// What.
    #[command(flatten)]
    pub project: ProjectFlags,
    /// How it is shown.
    #[command(flatten)]
    pub form: Form,
    /// Where.
    #[command(flatten)]
    pub place: PlaceArguments,
}

/// How a status is shown; as a tree unless one of these is given.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Form {
    /// Write the graph in Graphviz's language
    #[arg(long, conflicts_with_all = ["json", "names", "all", "since", "changed"])]
    pub dot: bool,
    /// Write the graph as a Mermaid flowchart
    #[arg(long, conflicts_with_all = ["json", "names", "all", "since", "changed"])]
    pub mermaid: bool,
    /// Write a page with the graph drawn, which needs nothing else; `-` for standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "names", "all", "since", "changed"])]
    pub html: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &StatusArguments) -> Exit {
    if arguments.members.are_given() {
        return workspace::status(arguments);
    }
    let place = &arguments.place;
    if let Some(what) = page_refusal(arguments) {
        return workspace::refuse(place, &what);
    }
    let screen = Arc::new(Screen::new(place.quiet));
    let options = arguments.project.options(place, &screen);
    let report = match options.and_then(|options| api::status(&options)) {
        Ok(report) => report,
        Err(error) => return fail(Format::of(place.json), &error),
    };
    let text = match &arguments.form {
        _ if place.json => report::as_json(&report),
        Form { dot: true, .. } => graph::dot(&report),
        Form { mermaid: true, .. } => graph::mermaid(&report),
        Form {
            html: Some(path), ..
        } => return put_page(arguments, &report, path.clone()),
        _ => tree::tree(&report),
    };
    print(text.trim_end(), Exit::Done)
}

/// Returns why the page may not be written where it is wanted.
fn page_refusal(arguments: &StatusArguments) -> Option<String> {
    let path = arguments.form.html.as_ref()?;
    let path = in_project(&arguments.place.project, path);
    let asked = &arguments.project;
    let named = asked
        .data
        .iter()
        .chain(&asked.domain)
        .chain([&asked.config]);
    Kept::of(&arguments.place, named.map(PathBuf::as_path)).refusal(Product::Page, &path)
}

fn put_page(arguments: &StatusArguments, report: &Report, path: PathBuf) -> Exit {
    let page = page::page(report, &title(arguments));
    if path.as_os_str() == "-" {
        return print(page.trim_end(), Exit::Done);
    }
    let path = in_project(&arguments.place.project, &path);
    match fs::write(&path, page) {
        Ok(()) => print(&path.display().to_string(), Exit::Done),
        Err(source) => fail(Format::Text, &TrainError::Write { path, source }),
    }
}

/// The name of the project's folder.
fn title(arguments: &StatusArguments) -> String {
    let project = &arguments.place.project;
    let whole = fs::canonicalize(project).unwrap_or_else(|_| project.clone());
    let name = whole.file_name().unwrap_or(whole.as_os_str());
    name.to_string_lossy().into_owned()
}
