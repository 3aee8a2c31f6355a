//! `tabella parse`: one JSON object of Rasa's `/model/parse` a line.

use std::collections::BTreeSet;
use std::io;
use std::io::BufRead;
use std::io::Write;

use crate::api::Assistant;
use crate::api::TrainError;
use crate::api::in_project;
use crate::cli::args::ParseArguments;
use crate::cli::environment::environment;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;

/// Runs the command.
pub fn run(arguments: &ParseArguments) -> Exit {
    let assistant = match assistant(arguments) {
        Ok(assistant) => assistant,
        Err(exit) => return exit,
    };
    let mut answers = Answers {
        assistant,
        out: io::stdout().lock(),
        told: BTreeSet::new(),
    };
    let outcome = if arguments.text.is_empty() {
        answers.lines_of_input()
    } else {
        let mut texts = arguments.text.iter();
        texts.try_for_each(|text| answers.answer(text))
    };
    match outcome {
        Ok(()) => Exit::Done,
        Err(Failure::Assistant(error)) => fail(Format::Text, &error),
        // Whoever read our output has had enough.
        Err(Failure::World(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(Failure::World(error)) => {
            complain(&format!("error: {error}"));
            Exit::InputOutput
        }
    }
}

enum Failure {
    Assistant(TrainError),
    World(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::World(error)
    }
}

/// Where Duckling is, as in Rasa: it has the last word.
const DUCKLING: &str = "RASA_DUCKLING_HTTP_URL";

/// Loads the model, and makes it ready; tells what is wrong with it, or with the
/// environment.
fn assistant(arguments: &ParseArguments) -> Result<Assistant, Exit> {
    let path = in_project(&arguments.project, &arguments.model);
    let mut assistant = Assistant::load(&path).map_err(|error| fail(Format::Text, &error))?;
    if arguments.run_commands {
        assistant.allow_commands(&arguments.project);
    }
    if let Some(url) = environment().get(DUCKLING)
        && !url.is_empty()
    {
        assistant.ask_duckling_at(url).map_err(wrong_address)?;
    }
    Ok(assistant)
}

/// Tells that the environment names no server.
fn wrong_address(error: TrainError) -> Exit {
    let reason = match error {
        TrainError::Load { reason, .. } => reason,
        other => return fail(Format::Text, &other),
    };
    complain(&format!(
        "error: the environment variable `{DUCKLING}` cannot be used: {reason}"
    ));
    Exit::Usage
}

/// Messages in, parses out.
struct Answers<W> {
    assistant: Assistant,
    out: W,
    /// Warnings so far: each is told once.
    told: BTreeSet<String>,
}

impl<W: Write> Answers<W> {
    /// Answers each line of standard input as it comes. A byte that is not UTF-8 is
    /// read as U+FFFD.
    fn lines_of_input(&mut self) -> Result<(), Failure> {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            self.answer(text.trim_end_matches(['\n', '\r']))?;
            line.clear();
        }
        Ok(())
    }

    fn answer(&mut self, text: &str) -> Result<(), Failure> {
        let parse = self.assistant.parse(text).map_err(Failure::Assistant)?;
        for warning in &parse.warnings {
            if self.told.insert(warning.clone()) {
                complain(&format!("warning: {warning}"));
            }
        }
        serde_json::to_writer(&mut self.out, &parse).map_err(io::Error::from)?;
        self.out.write_all(b"\n")?;
        self.out.flush()?;
        Ok(())
    }
}
