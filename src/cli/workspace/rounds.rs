//! `tabella train` on assistants of a workspace: once, or again whenever something
//! changes that one of them reads.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::api;
use crate::api::CacheSettings;
use crate::api::MemberNotice;
use crate::api::MemberObserver;
use crate::api::Notice;
use crate::api::OpenWorkspace;
use crate::api::TrainOptions;
use crate::api::Wants;
use crate::api::WorkspaceOptions;
use crate::api::WorkspaceReport;
use crate::cli::amounts::Count;
use crate::cli::args::RunFlags;
use crate::cli::displays::Displays;
use crate::cli::displays::End;
use crate::cli::displays::Start;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;
use crate::cli::remote::must_have_server;
use crate::cli::train::UNREAD;
use crate::cli::train::displays_written;
use crate::cli::train::is_unread;
use crate::cli::watch::Look;
use crate::cli::watch::Patience;
use crate::cli::watch::Waited;
use crate::cli::watch::Watcher;
use crate::cli::workspace::Run;
use crate::cli::workspace::exit;
use crate::cli::workspace::stage::Stage;
use crate::cli::workspace::watch::Due;
use crate::cli::workspace::watch::watched;
use crate::data::Member;
use crate::engine::OnFailure;

/// Trains assistants as the arguments say.
pub struct Trainer<'a> {
    /// Which assistants, and where.
    pub run: Run<'a>,
    /// How it goes on, and what is told of it.
    pub flags: &'a RunFlags,
    /// What all trainings have in common.
    pub all: TrainOptions,
    /// Whether no other assistant starts when one has failed.
    pub fail_fast: bool,
    /// Who is told beside the screen.
    pub displays: Arc<Displays>,
}

/// The assistants that are trained in a round.
struct Team {
    workspace: OpenWorkspace,
    /// All that are meant.
    members: Vec<Arc<Member>>,
}

impl Trainer<'_> {
    /// Trains once.
    pub fn once(&self) -> Exit {
        let opened = self.run.open_affected(&self.all);
        let (workspace, members) = match opened {
            Ok(opened) => opened,
            Err(error) => return fail(Format::of(self.run.place.json), &error),
        };
        self.round(1, &workspace, &members, None)
    }

    /// Trains all, and then those that a change affects, until the user or a reader
    /// has had enough.
    pub fn watch(&self) -> Exit {
        let team = match self.run.open(&self.all) {
            Ok((workspace, members)) => Team { workspace, members },
            Err(error) => return fail(Format::of(self.run.place.json), &error),
        };
        let exit = self.rounds(team);
        self.displays.end_watch(exit);
        exit
    }

    fn rounds(&self, mut team: Team) -> Exit {
        let mut watcher = Arc::new(Watcher::new(self.watched(&team)));
        let mut before = watcher.look();
        let mut due = team.members.clone();
        for number in 1.. {
            let exit = self.round(number, &team.workspace, &due, Some(&watcher));
            if self.all.run.cancel.is_set() {
                break;
            }
            let files = Count(watcher.count(&before), "file");
            let assistants = Count(team.members.len(), "assistant");
            self.say(format!("watching {files} of {assistants}; Ctrl-C ends"));
            let waited = self.wait(&mut team, &mut watcher, before);
            (before, due) = match waited {
                Ok(waited) => waited,
                Err(Waited::Unread) => {
                    self.say(UNREAD.to_owned());
                    return exit;
                }
                Err(_) => break,
            };
        }
        Exit::Interrupted
    }

    /// Waits until a change affects assistants, and returns how files are then, and
    /// those assistants. A workspace file that cannot be read leaves them as they
    /// were.
    fn wait(
        &self,
        team: &mut Team,
        watcher: &mut Arc<Watcher>,
        mut before: Look,
    ) -> Result<(Look, Vec<Arc<Member>>), Waited> {
        let patience = Patience {
            cancel: &self.all.run.cancel,
            is_unread: &|| is_unread(&self.displays),
        };
        loop {
            let (changed, now) = match watcher.wait(before, patience) {
                Waited::Changed(changed, now) => (changed, now),
                ended => return Err(ended),
            };
            let mut due = Due::of(&changed, watcher);
            match self.run.open(&self.all) {
                Ok((workspace, members)) => {
                    due.add_changed(&team.members, &members);
                    let is_same = team.members == members;
                    *team = Team { workspace, members };
                    before = now;
                    if !is_same || Due::may_bring_others(&changed, watcher) {
                        let names = team.members.iter().map(|one| one.name.clone());
                        let other = watcher.instead(self.watched(team), &names.collect());
                        before = other.look_since(&before);
                        *watcher = Arc::new(other);
                    }
                }
                Err(error) => {
                    complain(&format!("error: {}", api::chain(&error)));
                    before = now;
                }
            }
            let members = due.of_team(&team.members);
            if !members.is_empty() {
                self.say(due.text(&changed, &members));
                return Ok((before, members));
            }
        }
    }

    fn say(&self, text: String) {
        self.displays.tell(&Notice::Info(text));
    }

    /// Returns what is watched for the assistants.
    fn watched(&self, team: &Team) -> crate::cli::watch::Watched {
        let mut own = displays_written(self.flags, &self.run.place.project);
        if let CacheSettings::Folder(folder) = self.run.cache(&team.workspace) {
            own.push(folder);
        }
        watched(&team.workspace, &team.members, own)
    }

    /// Trains assistants and shows the outcome.
    fn round(
        &self,
        number: u32,
        workspace: &OpenWorkspace,
        members: &[Arc<Member>],
        watcher: Option<&Arc<Watcher>>,
    ) -> Exit {
        let mut all = self.all.clone();
        all.run.cache = self.run.cache(workspace);
        let remote = self.run.remote(workspace, &all).and_then(|remote| {
            all.run.remote = remote;
            let own = self.run.place.remote.exec_of_workspace(workspace.remote());
            all.run.remote_exec = self.flags.remote_exec.settings(own);
            must_have_server(&all.run)
        });
        if let Err(error) = remote {
            return fail(Format::of(self.run.place.json), &error);
        }
        let round = self.displays.begin(&Start {
            round: number,
            options: &|| asked(&all, workspace, members),
        });
        let is_taken = self.displays.owns_output();
        let stage = Stage::new(self.run.place, is_taken);
        let options = WorkspaceOptions {
            all: all.clone(),
            fail_fast: self.fail_fast,
            observer: stage.observer(),
            live: self.listener(watcher),
            wants: Wants {
                looks: watcher.is_some(),
                ..self.displays.wants()
            },
        };
        let report = api::train_members(workspace, members, &options);
        let exit = self.exit(&report).worse(stage.exit());
        let summary = round.end(&End::of_all(exit, &report));
        let exit = self.run.tell(&report, summary.as_ref(), exit, is_taken);
        if let Some(summary) = summary.filter(|_| !self.run.place.json) {
            complain(&summary.text());
        }
        exit
    }

    /// Returns how the program would end.
    fn exit(&self, report: &WorkspaceReport) -> Exit {
        let exit = exit(report, self.all.run.cancel.is_set());
        match report.code {
            0 => exit,
            code => Exit::Stale(code).worse(exit),
        }
    }

    /// Returns who is told at once what happens: the displays, and who watches.
    fn listener(&self, watcher: Option<&Arc<Watcher>>) -> MemberObserver {
        let displays = Arc::clone(&self.displays);
        let watcher = watcher.cloned();
        MemberObserver::new(move |member, notice| {
            if let (Some(watcher), MemberNotice::Told(Notice::LookedAt(looks))) =
                (&watcher, &notice)
            {
                watcher.read(&member.name, looks);
            }
            displays.tell_of(member, &notice);
        })
    }
}

/// Returns what is asked for, as one object.
fn asked(all: &TrainOptions, workspace: &OpenWorkspace, members: &[Arc<Member>]) -> Value {
    let shown = |path: &Path| path.display().to_string();
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let cache: Option<&PathBuf> = match &all.run.cache {
        CacheSettings::Folder(folder) => Some(folder),
        CacheSettings::Off => None,
    };
    json!({
        "want": "all",
        "workspace": shown(&workspace.file),
        "assistants": names,
        "dry_run": all.dry_run,
        "force": all.force_training,
        "project": shown(&all.run.project),
        "cache": cache.map(|folder| shown(folder)),
        "remote": all.run.remote.as_ref().map(|remote| remote.address()),
        "jobs": all.run.jobs,
        "max_memory": all.run.memory.map(|memory| memory.max_bytes),
        "keep_going": all.run.on_failure == OnFailure::KeepGoing,
        "augmentation": all.core_additional_arguments.augmentation_factor,
        "persist_nlu_data": all.persist_nlu_training_data,
        "num_threads": all.nlu_additional_arguments.num_threads,
    })
}
