//! `tabella test`: scores of a model.

use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use crate::api;
use crate::api::Assistant;
use crate::api::CoreScores;
use crate::api::NluScores;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::TrainError;
use crate::api::in_project;
use crate::cli::args::ScoredModel;
use crate::cli::args::TestArguments;
use crate::cli::args::TestCoreFlags;
use crate::cli::args::TestHalf;
use crate::cli::args::TestNluFlags;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::screen::Screen;

/// Runs the command.
pub fn run(arguments: &TestArguments) -> Exit {
    let outcome = match &arguments.half {
        TestHalf::Nlu(flags) => nlu(flags),
        TestHalf::Core(flags) => core(flags),
    };
    let json = match &arguments.half {
        TestHalf::Nlu(flags) => flags.model.json,
        TestHalf::Core(flags) => flags.model.json,
    };
    match outcome {
        Ok(text) => print(&text, Exit::Done),
        Err(error) => fail(Format::of(json), &error),
    }
}

fn nlu(flags: &TestNluFlags) -> Result<String, TrainError> {
    let (assistant, observer) = load(&flags.model)?;
    let scores = api::test_nlu(&assistant, &flags.model.project, &flags.nlu, &observer)?;
    Ok(if flags.model.json {
        json(&scores)
    } else {
        nlu_text(&scores)
    })
}

fn core(flags: &TestCoreFlags) -> Result<String, TrainError> {
    let (assistant, observer) = load(&flags.model)?;
    let scores = api::test_core(&assistant, &flags.model.project, &flags.stories, &observer)?;
    Ok(if flags.model.json {
        json(&scores)
    } else {
        core_text(&scores)
    })
}

fn load(model: &ScoredModel) -> Result<(Assistant, Observer), TrainError> {
    let screen = Arc::new(Screen::new(false));
    let observer = Observer::new(move |notice: Notice| {
        screen.show(&notice);
        screen.show_notes();
    });
    Ok((
        Assistant::load(&in_project(&model.project, &model.model))?,
        observer,
    ))
}

fn json<T: Serialize>(scores: &T) -> String {
    serde_json::to_string_pretty(scores).expect("scores have string keys and plain values")
}

fn nlu_text(scores: &NluScores) -> String {
    let mut text = format!("{} messages\n", scores.examples);
    let rows = [
        ("intent", Some(&scores.intent)),
        ("entity", Some(&scores.entity)),
    ];
    let rows = rows
        .into_iter()
        .chain([("response", scores.response.as_ref())]);
    for (name, averages) in rows {
        if let Some(averages) = averages {
            let _ = writeln!(
                text,
                "  {name:<9} accuracy {:.3}  F1 micro {:.3}  macro {:.3}  weighted {:.3}",
                averages.accuracy, averages.micro_f1, averages.macro_f1, averages.weighted_f1
            );
        }
    }
    text.trim_end().to_owned()
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
