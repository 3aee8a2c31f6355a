//! `tabella train`: what is typed becomes options, what comes back becomes
//! lines.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::api;
use crate::api::CoreArguments;
use crate::api::NluArguments;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::RunSettings;
use crate::api::TrainCoreOptions;
use crate::api::TrainNluOptions;
use crate::api::TrainOptions;
use crate::api::TrainingResult;
use crate::api::Validation;
use crate::cli::args::Half;
use crate::cli::args::PlaceArguments;
use crate::cli::args::TrainArguments;
use crate::cli::args::TrainCoreFlags;
use crate::cli::args::TrainFlags;
use crate::cli::args::TrainNluFlags;
use crate::cli::cache_dir::cache_settings;
use crate::cli::cache_dir::limits;
use crate::cli::environment::environment;
use crate::cli::environment::witness;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::report;
use crate::cli::screen::Screen;
use crate::cli::screen::duration;
use crate::cli::workspace;
use crate::engine::CancelFlag;

/// Runs the command.
pub fn run(arguments: &TrainArguments) -> Exit {
    if arguments.members.are_given() {
        return workspace::train(arguments);
    }
    let since = Instant::now();
    let screen = Arc::new(Screen::new(arguments.place.quiet));
    let run = settings(&arguments.place, &screen);
    let result = match &arguments.half {
        None => api::train(&both(&arguments.both, run)),
        Some(Half::Nlu(flags)) => api::train_nlu_result(&nlu(flags, run)),
        Some(Half::Core(flags)) => api::train_core_result(&core(flags, run)),
    };
    match result {
        Ok(result) => {
            if result.code > 0 {
                screen.show_notes();
            }
            tell(&arguments.place, &result, since, screen.waiting_warnings())
        }
        Err(error) => {
            // Warnings wait for something to happen: that they stop the run does.
            screen.show_notes();
            fail(Format::of(arguments.place.json), &error)
        }
    }
}

/// How to run: notices go to the screen, Ctrl-C sets the flag.
pub fn settings(place: &PlaceArguments, screen: &Arc<Screen>) -> RunSettings {
    let cancel = CancelFlag::default();
    let flag = cancel.clone();
    // Without a handler Ctrl-C ends the program at once, which harms nothing.
    let _ = ctrlc::set_handler(move || flag.set());
    let screen = Arc::clone(screen);
    RunSettings {
        project: place.project.clone(),
        cache: cache_settings(place),
        cache_limits: limits(place.cache_max_size, place.cache_max_age),
        jobs: place.jobs,
        shared: None,
        environment: environment(),
        witness: witness(place.verify_inputs),
        cancel,
        observer: Observer::new(move |notice: Notice| screen.show(&notice)),
    }
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
        validation: Validation {
            skip: flags.validation.skip_validation,
            fail_on_warnings: flags.validation.fail_on_validation_warnings,
            max_history: flags.validation.validation_max_history,
        },
        run,
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

/// Shows the outcome on standard output.
fn tell(place: &PlaceArguments, result: &TrainingResult, since: Instant, warnings: usize) -> Exit {
    let text = match (&result.dry_run_results, &result.model) {
        (Some(report), _) if place.json => report::as_json(report),
        (Some(report), _) => report::as_text(report),
        (None, model) if place.json => json!({
            "model": model.as_ref().map(|path| path.display().to_string()),
            "code": result.code,
            "ran": result.ran,
            "tasks": result.tasks,
            "ms": since.elapsed().as_millis() as u64,
        })
        .to_string(),
        (None, Some(model)) if place.quiet => model.display().to_string(),
        (None, Some(model)) => summary(result, &model.display().to_string(), since, warnings),
        (None, None) => String::new(),
    };
    let exit = match result.code {
        0 => Exit::Done,
        code => Exit::Stale(code),
    };
    print(&text, exit)
}

/// The one line after a training. Warnings that were not shown are counted.
fn summary(result: &TrainingResult, model: &str, since: Instant, warnings: usize) -> String {
    let tasks = result.tasks;
    let time = duration(since.elapsed().as_millis() as u64);
    let warned = match warnings {
        0 => String::new(),
        1 => "; 1 warning as before".to_owned(),
        _ => format!("; {warnings} warnings as before"),
    };
    match (result.ran, result.is_new) {
        (0, false) => {
            format!("nothing to do: {model} is up to date ({tasks} tasks, {time}{warned})")
        }
        (0, true) => format!("restored {model} from the cache ({tasks} tasks, {time}{warned})"),
        (ran, _) => format!("trained {model}: {ran} of {tasks} tasks in {time}"),
    }
}
