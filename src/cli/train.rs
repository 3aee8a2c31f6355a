//! `tabella train`: what is typed becomes options, what comes back becomes
//! lines.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::api;
use crate::api::CacheSettings;
use crate::api::CoreArguments;
use crate::api::MemoryLimit;
use crate::api::NluArguments;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::RunSettings;
use crate::api::TrainCoreOptions;
use crate::api::TrainError;
use crate::api::TrainNluOptions;
use crate::api::TrainOptions;
use crate::api::TrainingResult;
use crate::api::Validation;
use crate::api::Wants;
use crate::cli::amounts::Count;
use crate::cli::args::Half;
use crate::cli::args::PlaceArguments;
use crate::cli::args::RunFlags;
use crate::cli::args::TrainArguments;
use crate::cli::args::TrainCoreFlags;
use crate::cli::args::TrainFlags;
use crate::cli::args::TrainNluFlags;
use crate::cli::args::ValidationFlags;
use crate::cli::asked::Asked;
use crate::cli::cache_dir::cache_settings;
use crate::cli::cache_dir::limits;
use crate::cli::cache_dir::tell_no_folder;
use crate::cli::depfile::Depfile;
use crate::cli::displays::Displays;
use crate::cli::displays::End;
use crate::cli::displays::Start;
use crate::cli::displays::Summary;
use crate::cli::displays::in_use;
use crate::cli::environment::environment;
use crate::cli::environment::witness;
use crate::cli::exit::Exit;
use crate::cli::interrupt::on_interrupt;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;
use crate::cli::output::print_to_reader;
use crate::cli::product::Kept;
use crate::cli::product::Product;
use crate::cli::reader;
use crate::cli::remote::must_have_server;
use crate::cli::remote::remote;
use crate::cli::report;
use crate::cli::screen::Screen;
use crate::cli::screen::duration;
use crate::cli::watch::Patience;
use crate::cli::watch::Waited;
use crate::cli::watch::Watched;
use crate::cli::watch::Watcher;
use crate::cli::workspace;
use crate::engine::OnFailure;
use crate::import::REST_NS;
use crate::import::stamps_prove;

/// Runs the command.
pub fn run(arguments: &TrainArguments) -> Exit {
    if let Some(what) = depfile_refusal(arguments) {
        return workspace::refuse(&arguments.place, &what);
    }
    if arguments.members.are_given() {
        return workspace::train(arguments);
    }
    if arguments.fail_fast {
        let what = "`--fail-fast` is about several assistants: name them, or give `--all`";
        return workspace::refuse(&arguments.place, what);
    }
    let screen = Arc::new(Screen::new(arguments.place.quiet));
    let place = &arguments.place;
    let opened = Displays::open(&arguments.run, place, &kept(arguments), Arc::clone(&screen));
    let displays = match opened {
        Ok(displays) => displays,
        Err(exit) => return exit,
    };
    let watcher = arguments.run.watch.then(|| Arc::new(watcher(arguments)));
    let depfile = Depfile::default();
    let run = match observed(arguments, &screen, &displays, watcher.as_ref(), &depfile) {
        Ok(run) => run,
        Err(error) => return fail(Format::of(arguments.place.json), &error),
    };
    let trainer = Trainer {
        arguments,
        run,
        depfile,
        screen,
        displays: Arc::clone(&displays),
        is_forced: Cell::new(Asked::of(arguments).force),
        is_unread: Cell::new(false),
    };
    let exit = match watcher {
        Some(watcher) => trainer.watch(&watcher),
        None => trainer.round(1),
    };
    displays.close();
    exit
}

/// Returns why no list of what was read can be written, if it is asked for.
fn depfile_refusal(arguments: &TrainArguments) -> Option<String> {
    let path = arguments.depfile.depfile.as_ref()?;
    if arguments.members.are_given() || arguments.run.watch {
        let what = "`--depfile` is about one training of one project: see `tabella rules`";
        return Some(what.to_owned());
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        let what = format!("`--depfile`: there is no folder `{}`", folder.display());
        return Some(what);
    }
    kept(arguments).refusal(Product::Rule, path)
}

/// Returns where nothing may be written that flags ask for.
fn kept(arguments: &TrainArguments) -> Kept {
    let asked = Asked::of(arguments);
    let named = asked.data.iter().chain(asked.domain);
    let named = named.map(PathBuf::as_path).chain([asked.config]);
    Kept::of(&arguments.place, named)
}

/// Returns a watcher of all that the arguments name.
fn watcher(arguments: &TrainArguments) -> Watcher {
    let asked = Asked::of(arguments);
    let project = &arguments.place.project;
    let mut roots = vec![project.join(asked.config)];
    let named = asked.data.iter().chain(asked.domain);
    roots.extend(named.map(|path| project.join(path)));
    // Where there is no such file, a folder stands for it.
    if asked.domain == [PathBuf::from("domain.yml")] {
        roots.push(project.join("domain"));
    }
    let mut own = displays_written(&arguments.run, project);
    own.push(project.join(&asked.output.out));
    if let CacheSettings::Folder(folder) = cache_settings(&arguments.place) {
        own.push(project.join(folder));
    }
    let nobody = BTreeSet::new();
    Watcher::new(Watched {
        roots: roots
            .into_iter()
            .map(|root| (root, nobody.clone()))
            .collect(),
        own,
        ..Watched::default()
    })
}

/// Returns the files that displays write.
pub fn displays_written(flags: &RunFlags, project: &Path) -> Vec<PathBuf> {
    let files = [&flags.json_events, &flags.trace].into_iter().flatten();
    files.map(|path| project.join(path)).collect()
}

/// How to run, with all displays listening.
fn observed(
    arguments: &TrainArguments,
    screen: &Arc<Screen>,
    displays: &Arc<Displays>,
    watcher: Option<&Arc<Watcher>>,
    depfile: &Depfile,
) -> Result<RunSettings, TrainError> {
    let mut run = settings(&arguments.place, screen)?;
    tell_no_folder(&run.cache, &arguments.place, screen);
    let wants_depfile = arguments.depfile.depfile.is_some();
    if wants_depfile {
        // Whoever asks has noticed a change: all is read, and what was read is told.
        run.witness = witness(true);
    }
    if arguments.run.keep_going {
        run.on_failure = OnFailure::KeepGoing;
    }
    run.memory = memory_limit(&arguments.run);
    run.remote_exec = arguments.run.remote_exec.settings(None);
    must_have_server(&run)?;
    let listening = Arc::clone(displays);
    let watcher = watcher.cloned();
    let depfile = depfile.clone();
    let listen = move |notice: Notice| {
        depfile.hear(&notice);
        if let (Some(watcher), Notice::LookedAt(looks)) = (&watcher, &notice) {
            watcher.read(PROJECT, looks);
        }
        listening.tell(&notice);
    };
    run.observer = Observer::new(listen).wanting(Wants {
        looks: arguments.run.watch || wants_depfile,
        ..displays.wants()
    });
    Ok(run)
}

/// Returns how much memory the program may take, if there is a limit.
pub fn memory_limit(flags: &RunFlags) -> Option<MemoryLimit> {
    let max_bytes = flags.max_memory?.0?;
    Some(MemoryLimit { max_bytes, in_use })
}

/// What a single project is called to a watcher.
const PROJECT: &str = "";

/// What is told when a watch ends for want of a reader.
pub const UNREAD: &str = "nobody reads the output any more: the watch is over";

/// Returns whether somebody who read what is told has left.
pub fn is_unread(displays: &Displays) -> bool {
    displays.are_unread() || reader::of_program_has_left()
}

/// Trains as the arguments say, once or again and again.
struct Trainer<'a> {
    arguments: &'a TrainArguments,
    run: RunSettings,
    screen: Arc<Screen>,
    displays: Arc<Displays>,
    depfile: Depfile,
    /// Whether every task is still to be run once.
    is_forced: Cell<bool>,
    /// Whether the reader of standard output has left.
    is_unread: Cell<bool>,
}

impl Trainer<'_> {
    /// Trains whenever something changes, until the user or a reader has had
    /// enough.
    fn watch(&self, watcher: &Watcher) -> Exit {
        let exit = self.rounds(watcher);
        self.displays.end_watch(exit);
        exit
    }

    fn rounds(&self, watcher: &Watcher) -> Exit {
        let cancel = &self.run.cancel;
        let tell = |text| self.displays.tell(&Notice::Info(text));
        let is_unread = || self.is_unread.get() || is_unread(&self.displays);
        let patience = Patience {
            cancel,
            is_unread: &is_unread,
        };
        let mut before = watcher.look();
        for number in 1.. {
            let exit = self.round(number);
            if exit == Exit::Usage {
                return exit;
            }
            if cancel.is_set() {
                break;
            }
            let count = Count(watcher.count(&before), "file");
            tell(format!("watching {count}; Ctrl-C ends"));
            match watcher.wait(before, patience) {
                Waited::Changed(changed, now) => {
                    tell(what_changed(&changed));
                    before = now;
                }
                Waited::Cancelled => break,
                Waited::Unread => {
                    tell(UNREAD.to_owned());
                    return exit;
                }
            }
        }
        Exit::Interrupted
    }

    /// Trains once and shows the outcome.
    fn round(&self, number: u32) -> Exit {
        if let Some(remote) = &self.run.remote {
            remote.begin();
        }
        let round = self.displays.begin(&Start {
            round: number,
            options: &|| self.options(),
        });
        let result = self.train().and_then(|result| {
            if !Asked::of(self.arguments).dry_run {
                let archive = result.model.as_deref();
                self.depfile.write(&self.arguments.depfile, archive)?;
            }
            Ok(result)
        });
        let exit = match result.as_ref().map(|result| result.code) {
            Ok(0) => Exit::Done,
            Ok(code) => Exit::Stale(code),
            Err(error) => Exit::after(error),
        };
        let elapsed = round.elapsed();
        let summary = round.end(&End::of(exit, &result));
        let is_json = self.arguments.place.json;
        let exit = match &result {
            Ok(result) => self.tell(result, elapsed, exit, summary.as_ref()),
            Err(error) => {
                // Warnings wait for something to happen: that they stop the run does.
                self.screen.show_notes();
                fail(Format::of(is_json), error)
            }
        };
        if let Some(summary) = summary.filter(|_| !is_json || result.is_err()) {
            complain(&summary.text());
        }
        exit
    }

    /// Returns what is asked for in this round.
    fn options(&self) -> Value {
        let mut asked = Asked::of(self.arguments);
        asked.force = self.is_forced.get();
        asked.options(&self.run, self.arguments.run.keep_going)
    }

    /// Trains once. Where all is to be forced, that is done when tasks have run.
    fn train(&self) -> Result<TrainingResult, TrainError> {
        let run = self.run.clone();
        let is_forced = self.is_forced.get();
        let result = match &self.arguments.half {
            None => {
                let mut options = both(&self.arguments.both, run);
                options.force_training = is_forced;
                api::train(&options)
            }
            Some(Half::Nlu(flags)) => {
                let mut options = nlu(flags, run);
                options.force_training = is_forced;
                api::train_nlu_result(&options)
            }
            Some(Half::Core(flags)) => {
                let mut options = core(flags, run);
                options.force_training = is_forced;
                api::train_core_result(&options)
            }
        };
        if let Ok(_) | Err(TrainError::Task { .. } | TrainError::Tasks { .. }) = &result {
            self.is_forced.set(false);
        }
        result
    }

    /// Shows the outcome on standard output, unless something else goes there.
    fn tell(
        &self,
        result: &TrainingResult,
        elapsed: Duration,
        exit: Exit,
        summary: Option<&Summary>,
    ) -> Exit {
        if result.code > 0 {
            self.screen.show_notes();
        }
        let warnings = self.screen.waiting_warnings();
        let arguments = self.arguments;
        let text = shown(&arguments.place, result, elapsed, warnings, summary);
        let is_told = Asked::of(arguments).output.names_archive() && arguments.place.quiet;
        match self.displays.owns_output() {
            // Who has named the archive knows where it is.
            _ if is_told && !arguments.place.json && result.dry_run_results.is_none() => exit,
            true => {
                self.screen.show(&Notice::Success(text));
                exit
            }
            false => {
                let printed = print_to_reader(&text, exit);
                self.is_unread.set(printed.is_none());
                printed.unwrap_or(exit)
            }
        }
    }
}

/// How to run: notices go to the screen, Ctrl-C sets the flag.
///
/// # Errors
///
/// If the remote cache that is asked for cannot be one.
pub fn settings(place: &PlaceArguments, screen: &Arc<Screen>) -> Result<RunSettings, TrainError> {
    let cancel = on_interrupt();
    let screen = Arc::clone(screen);
    Ok(RunSettings {
        project: place.project.clone(),
        cache: cache_settings(place),
        cache_limits: limits(place.cache_max_size, place.cache_max_age),
        remote: remote(place, None, &cancel)?,
        remote_exec: None,
        jobs: place.jobs,
        shared: None,
        on_failure: OnFailure::Stop,
        memory: None,
        environment: environment(),
        witness: witness(place.verify_inputs),
        rest_ns: REST_NS,
        stamps_prove,
        cancel,
        observer: Observer::new(move |notice: Notice| screen.show(&notice)),
    })
}

/// Returns the options of a whole training.
pub fn both(flags: &TrainFlags, run: RunSettings) -> TrainOptions {
    TrainOptions {
        domain: flags.domain.clone(),
        config: flags.config.clone(),
        training_files: flags.data.clone(),
        output: flags.output.out.clone(),
        dry_run: flags.dry_run,
        force_training: flags.force,
        fixed_model_name: flags.output.fixed_model_name.clone(),
        persist_nlu_training_data: flags.persist_nlu_data,
        core_additional_arguments: CoreArguments {
            augmentation_factor: flags.augmentation,
        },
        nlu_additional_arguments: NluArguments {
            num_threads: flags.num_threads,
        },
        model_to_finetune: flags.finetune.clone(),
        finetuning_epoch_fraction: flags.epoch_fraction,
        validation: validation(&flags.validation),
        run,
    }
}

/// Returns how the project is to be checked.
pub fn validation(flags: &ValidationFlags) -> Validation {
    Validation {
        skip: flags.skip_validation,
        fail_on_warnings: flags.fail_on_validation_warnings,
        max_history: flags.validation_max_history,
    }
}

fn nlu(flags: &TrainNluFlags, run: RunSettings) -> TrainNluOptions {
    TrainNluOptions {
        config: flags.config.clone(),
        nlu_data: flags.nlu.clone(),
        output: flags.output.out.clone(),
        train_path: None,
        fixed_model_name: flags.output.fixed_model_name.clone(),
        persist_nlu_training_data: flags.persist_nlu_data,
        additional_arguments: NluArguments {
            num_threads: flags.num_threads,
        },
        domain: flags.domain.clone(),
        model_to_finetune: flags.finetune.clone(),
        dry_run: flags.dry_run,
        force_training: flags.force,
        run,
        ..TrainNluOptions::default()
    }
}

fn core(flags: &TrainCoreFlags, run: RunSettings) -> TrainCoreOptions {
    TrainCoreOptions {
        domain: flags.domain.clone(),
        config: flags.config.clone(),
        stories: flags.stories.clone(),
        output: flags.output.out.clone(),
        train_path: None,
        fixed_model_name: flags.output.fixed_model_name.clone(),
        additional_arguments: CoreArguments {
            augmentation_factor: flags.augmentation,
        },
        model_to_finetune: flags.finetune.clone(),
        dry_run: flags.dry_run,
        force_training: flags.force,
        run,
        ..TrainCoreOptions::default()
    }
}

/// Names the first of the files that changed.
pub fn what_changed(paths: &[PathBuf]) -> String {
    let shown = |path: &PathBuf| path.strip_prefix(".").unwrap_or(path).display().to_string();
    match paths {
        [] => "nothing changed".to_owned(),
        [one] => format!("changed {}", shown(one)),
        [first, rest @ ..] => format!(
            "changed {} and {}",
            shown(first),
            Count(rest.len(), "more file")
        ),
    }
}

/// Returns the outcome as it is wanted.
fn shown(
    place: &PlaceArguments,
    result: &TrainingResult,
    elapsed: Duration,
    warnings: usize,
    profile: Option<&Summary>,
) -> String {
    match (&result.dry_run_results, &result.model) {
        (Some(report), _) if place.json => report::as_json(report),
        (Some(report), _) => report::as_text(report),
        (None, model) if place.json => {
            let mut object = json!({
                "model": model.as_ref().map(|path| path.display().to_string()),
                "code": result.code,
                "ran": result.ran,
                "tasks": result.tasks,
                "ms": elapsed.as_millis() as u64,
            });
            if result.fetched > 0 {
                object["fetched"] = json!(result.fetched);
            }
            if let Some(profile) = profile {
                object["profile"] = json!(profile);
            }
            object.to_string()
        }
        (None, Some(model)) if place.quiet => model.display().to_string(),
        (None, Some(model)) => summary(result, &model.display().to_string(), elapsed, warnings),
        (None, None) => String::new(),
    }
}

/// The one line after a training. Warnings that were not shown are counted.
fn summary(result: &TrainingResult, model: &str, elapsed: Duration, warnings: usize) -> String {
    let tasks = result.tasks;
    let time = duration(elapsed.as_millis() as u64);
    let warned = match warnings {
        0 => String::new(),
        1 => "; 1 warning as before".to_owned(),
        _ => format!("; {warnings} warnings as before"),
    };
    let fetched = match result.fetched {
        0 => String::new(),
        count => format!(", {count} fetched from the remote cache"),
    };
    match (result.ran, result.is_new) {
        (0, false) => {
            format!("nothing to do: {model} is up to date ({tasks} tasks{fetched}, {time}{warned})")
        }
        (0, true) => {
            format!("restored {model} from the cache ({tasks} tasks{fetched}, {time}{warned})")
        }
        (ran, _) => format!("trained {model}: {ran} of {tasks} tasks in {time}{fetched}"),
    }
}
