//! Commands on many assistants at once: `train --all`, `status bot-a 'shop-*'`.
//!
//! The flags here say which assistants are meant; a command without any of them
//! is about one project, and knows nothing of a workspace.

mod changes;
mod rounds;
mod stage;
mod text;
mod watch;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::api;
use crate::api::CacheSettings;
use crate::api::Notice;
use crate::api::OpenWorkspace;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::WorkspaceOptions;
use crate::api::WorkspaceReport;
use crate::api::in_project;
use crate::api::open_workspace;
use crate::cli::args::PlaceArguments;
use crate::cli::args::RunFlags;
use crate::cli::args::TrainArguments;
use crate::cli::cache_dir::cache_settings;
use crate::cli::cache_dir::tell_no_folder;
use crate::cli::displays::Displays;
use crate::cli::displays::Summary;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::product::Kept;
use crate::cli::remote::remote;
use crate::cli::screen::Screen;
use crate::cli::status::StatusArguments;
use crate::cli::train::both;
use crate::cli::train::memory_limit;
use crate::cli::train::settings;
use crate::cli::workspace::rounds::Trainer;
use crate::cli::workspace::stage::Stage;
use crate::data::Member;
use crate::engine::OnFailure;
use crate::remote::RemoteCache;

/// Which assistants of a workspace are meant.
#[derive(Clone, Debug, Args)]
pub struct MemberArguments {
    /// Assistants of the workspace: names, or patterns such as 'shop-*'
    #[arg(value_name = "NAME", conflicts_with_all = ONE_PROJECT)]
    pub names: Vec<String>,
    /// All assistants of the workspace
    #[arg(long, conflicts_with = "names", conflicts_with_all = ONE_PROJECT)]
    pub all: bool,
    /// Only assistants that a change since this revision of git affects, or that read what git tells nothing of; `REV...` compares with where the two parted
    #[arg(long, value_name = "REV", conflicts_with_all = ONE_PROJECT)]
    pub since: Option<String>,
    /// Only assistants that one of these files affects; `-` reads a list from standard input
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "since", conflicts_with_all = ONE_PROJECT)]
    pub changed: Vec<PathBuf>,
    /// The workspace file [default: `tabella.yml` here or in a folder above]
    #[arg(long, value_name = "FILE")]
    pub workspace: Option<PathBuf>,
}

/// Flags that say what the workspace file says of each assistant.
const ONE_PROJECT: [&str; 5] = ["config", "domain", "data", "out", "fixed_model_name"];

impl MemberArguments {
    /// Returns whether a workspace is meant.
    pub fn are_given(&self) -> bool {
        self.are_named() || self.workspace.is_some()
    }

    /// Returns whether it is said which assistants: without names, all that a
    /// change affects are meant.
    fn are_named(&self) -> bool {
        self.all || !self.names.is_empty() || self.are_filtered()
    }

    /// Returns whether only those are meant that a change affects.
    fn are_filtered(&self) -> bool {
        self.since.is_some() || !self.changed.is_empty()
    }
}

/// Runs `train` on assistants of a workspace.
pub fn train(arguments: &TrainArguments) -> Exit {
    let place = &arguments.place;
    if arguments.half.is_some() {
        let what = "a half is trained of one project; name assistants without `nlu` or `core`";
        return refuse(place, what);
    }
    if !arguments.members.are_named() {
        return refuse(place, UNNAMED);
    }
    if arguments.run.watch && arguments.members.are_filtered() {
        let what = "`--watch` finds out by itself what changed: name assistants, or give `--all`";
        return refuse(place, what);
    }
    let screen = Arc::new(Screen::new(place.quiet));
    let mut kept = Kept::of(place, []);
    if writes_files(&arguments.run) {
        kept = kept.with_workspace(place, arguments.members.workspace.as_deref());
    }
    let opened = Displays::open(&arguments.run, place, &kept, Arc::clone(&screen));
    let displays = match opened {
        Ok(displays) => displays,
        Err(exit) => return exit,
    };
    let settings = match settings(place, &screen) {
        Ok(settings) => settings,
        Err(error) => return fail(Format::of(place.json), &error),
    };
    let mut all = both(&arguments.both, settings);
    if arguments.run.keep_going {
        all.run.on_failure = OnFailure::KeepGoing;
    }
    all.run.memory = memory_limit(&arguments.run);
    let run = Run {
        place,
        members: &arguments.members,
        screen,
    };
    let trainer = Trainer {
        run,
        flags: &arguments.run,
        all,
        fail_fast: arguments.fail_fast,
        displays: Arc::clone(&displays),
    };
    let exit = match arguments.run.watch {
        true => trainer.watch(),
        false => trainer.once(),
    };
    displays.close();
    exit
}

/// Runs `status` on assistants of a workspace.
pub fn status(arguments: &StatusArguments) -> Exit {
    let place = &arguments.place;
    let screen = Arc::new(Screen::new(place.quiet));
    let all = match arguments.project.options(place, &screen) {
        Ok(all) => all,
        Err(error) => return fail(Format::of(place.json), &error),
    };
    let run = Run {
        place,
        members: &arguments.members,
        screen,
    };
    match arguments.members.are_filtered() {
        true => run.show_affected(&all),
        false if !arguments.members.are_named() => refuse(place, UNNAMED),
        false => run.look_at_all(all),
    }
}

/// Returns whether a display is asked for that is a file.
fn writes_files(flags: &RunFlags) -> bool {
    flags.json_events.is_some() || flags.trace.is_some()
}

/// What is said where it is not said which assistants are meant.
const UNNAMED: &str = "`--workspace` needs names of assistants, or `--all`";

/// Says what is wrong with the command line.
pub fn refuse(place: &PlaceArguments, what: &str) -> Exit {
    complain(&format!("error: {what}"));
    match place.json {
        true => {
            let object = json!({ "error": what, "diagnostics": [] });
            print(&object.to_string(), Exit::Usage)
        }
        false => Exit::Usage,
    }
}

/// A command on assistants.
struct Run<'a> {
    place: &'a PlaceArguments,
    members: &'a MemberArguments,
    /// Shows what is about no assistant or about all.
    screen: Arc<Screen>,
}

impl Run<'_> {
    /// Looks at the assistants, and shows what is stale.
    fn look_at_all(&self, mut all: TrainOptions) -> Exit {
        let opened = self.open_affected(&all);
        let (workspace, members) = match opened {
            Ok(opened) => opened,
            Err(error) => return fail(Format::of(self.place.json), &error),
        };
        all.run.cache = self.cache(&workspace);
        all.run.remote = match self.remote(&workspace, &all) {
            Ok(remote) => remote,
            Err(error) => return fail(Format::of(self.place.json), &error),
        };
        let stage = Stage::new(self.place, false);
        let options = WorkspaceOptions {
            observer: stage.observer(),
            all,
            ..WorkspaceOptions::default()
        };
        let report = api::train_members(&workspace, &members, &options);
        let exit = exit(&report, options.all.run.cancel.is_set()).worse(stage.exit());
        self.tell(&report, None, exit, false)
    }

    /// Shows what came of all assistants, on standard output unless that is taken.
    fn tell(
        &self,
        report: &WorkspaceReport,
        profile: Option<&Summary>,
        exit: Exit,
        is_taken: bool,
    ) -> Exit {
        match (self.place.json, self.place.quiet) {
            (true, _) => print(&text::json(report, profile), exit),
            (false, true) => exit,
            (false, false) if is_taken => {
                self.screen.show(&Notice::Success(text::sum(report)));
                exit
            }
            (false, false) => print(&text::sum(report), exit),
        }
    }

    /// Shows which of the assistants a change affects.
    fn show_affected(&self, all: &TrainOptions) -> Exit {
        let report = self.open(all).and_then(|(workspace, members)| {
            let changes = changes::changes(self.members, &self.place.project)?;
            let mut all = all.clone();
            all.run.cache = self.cache(&workspace);
            api::affected_members(&workspace, &members, &changes, &all)
        });
        let report = match report {
            Ok(report) => report,
            Err(error) => return fail(Format::of(self.place.json), &error),
        };
        let text = match (self.place.json, self.place.quiet) {
            (true, _) => serde_json::to_string(&report).expect("a report is plain values"),
            (false, true) => report.affected.join("\n"),
            (false, false) => text::affected(&report),
        };
        match text.is_empty() {
            true => Exit::Done,
            false => print(&text, Exit::Done),
        }
    }

    /// Returns the assistants that are meant.
    fn open_affected(
        &self,
        all: &TrainOptions,
    ) -> Result<(OpenWorkspace, Vec<Arc<Member>>), TrainError> {
        let (workspace, mut members) = self.open(all)?;
        if self.members.are_filtered() {
            let changes = changes::changes(self.members, &self.place.project)?;
            let mut all = all.clone();
            all.run.cache = self.cache(&workspace);
            let report = api::affected_members(&workspace, &members, &changes, &all)?;
            let affected: HashSet<String> = report.affected.into_iter().collect();
            members.retain(|member| affected.contains(&member.name));
        }
        Ok((workspace, members))
    }

    /// Reads the workspace file and finds the assistants that are named.
    fn open(&self, all: &TrainOptions) -> Result<(OpenWorkspace, Vec<Arc<Member>>), TrainError> {
        let file = self.members.workspace.as_deref();
        let project = &self.place.project;
        let opened = open_workspace(file, project, &all.run.environment, &all.run.observer);
        self.screen.show_notes();
        let workspace = opened?;
        let members = workspace.select(&self.members.names)?;
        Ok((workspace, members))
    }

    /// Returns the remote cache that was asked for, or else the workspace's own.
    fn remote(
        &self,
        workspace: &OpenWorkspace,
        all: &TrainOptions,
    ) -> Result<Option<Arc<RemoteCache>>, TrainError> {
        remote(self.place, workspace.remote(), &all.run.cancel)
    }

    /// Returns the cache that was asked for, or else the workspace's own.
    fn cache(&self, workspace: &OpenWorkspace) -> CacheSettings {
        let is_open = self.place.cache_dir.is_none() && !self.place.no_cache;
        let cache = match workspace.cache().filter(|_| is_open) {
            Some(folder) => CacheSettings::Folder(folder),
            None => match cache_settings(self.place) {
                CacheSettings::Folder(folder) => {
                    CacheSettings::Folder(in_project(&self.place.project, &folder))
                }
                CacheSettings::Off => CacheSettings::Off,
            },
        };
        tell_no_folder(&cache, self.place, &self.screen);
        cache
    }
}

/// Returns how a run on assistants ends: as the worst of them.
fn exit(report: &WorkspaceReport, is_cancelled: bool) -> Exit {
    let exit = match is_cancelled {
        true => Exit::Interrupted,
        false => Exit::Done,
    };
    let all = report.assistants.iter();
    let failures = all.filter_map(|one| one.failure.as_deref());
    failures.map(Exit::after).fold(exit, Exit::worse)
}
