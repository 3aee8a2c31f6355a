//! `tabella test`: scores of a model.

mod nlu;
mod text;

use std::sync::Arc;

use serde::Serialize;

use crate::api;
use crate::api::Assistant;
use crate::api::CoreScores;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::TrainError;
use crate::api::in_project;
use crate::cli::args::ScoredModel;
use crate::cli::args::TestArguments;
use crate::cli::args::TestCoreFlags;
use crate::cli::args::TestHalf;
use crate::cli::environment::model_folders;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::screen::Screen;

pub use nlu::TestNluFlags;

/// Runs the command.
pub fn run(arguments: &TestArguments) -> Exit {
    let flags = match &arguments.half {
        TestHalf::Nlu(flags) => return nlu::run(flags),
        TestHalf::Core(flags) => flags,
    };
    match core(flags) {
        Ok((text, exit)) => print(&text, exit),
        Err(error) => fail(Format::of(flags.model.json), &error),
    }
}

fn core(flags: &TestCoreFlags) -> Result<(String, Exit), TrainError> {
    let (assistant, observer) = load(&flags.model)?;
    let scores = api::test_core(&assistant, &flags.model.project, &flags.stories, &observer)?;
    let all_right = scores.story.correct == scores.story.total;
    let exit = match flags.fail_on_prediction_errors && !all_right {
        true => Exit::BelowGate,
        false => Exit::Done,
    };
    let text = match flags.model.json {
        true => json(&scores),
        false => core_text(&scores),
    };
    Ok((text, exit))
}

fn load(model: &ScoredModel) -> Result<(Assistant, Observer), TrainError> {
    let screen = Arc::new(Screen::new(false));
    let observer = Observer::new(move |notice: Notice| {
        screen.show(&notice);
        screen.show_notes();
    });
    let path = in_project(&model.project, &model.model);
    let mut assistant = Assistant::load_with(&path, &model_folders(&model.project))?;
    if model.run_commands {
        assistant.allow_commands(&model.project);
    }
    Ok((assistant, observer))
}

fn json<T: Serialize>(scores: &T) -> String {
    serde_json::to_string_pretty(scores).expect("scores have string keys and plain values")
}

fn core_text(scores: &CoreScores) -> String {
    let mut text = format!(
        "{} of {} stories are right\n  story     accuracy {:.3}\n  action    accuracy {:.3}  \
         F1 micro {:.3}  macro {:.3}  ({} actions)",
        scores.story.correct,
        scores.story.total,
        scores.story.accuracy,
        scores.action.accuracy,
        scores.action.micro_f1,
        scores.action.macro_f1,
        scores.action.total,
    );
    if scores.story.correct < scores.story.total {
        text.push_str("\n\n");
        text.push_str(scores.failed.trim_end());
    }
    text
}
