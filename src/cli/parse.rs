//! `tabella parse`: one JSON object of Rasa's `/model/parse` a line.

use std::io;
use std::io::BufRead;
use std::io::Write;

use crate::api::Assistant;
use crate::api::TrainError;
use crate::api::in_project;
use crate::cli::args::ParseArguments;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;

/// Runs the command.
pub fn run(arguments: &ParseArguments) -> Exit {
    let assistant = match Assistant::load(&in_project(&arguments.project, &arguments.model)) {
        Ok(assistant) => assistant,
        Err(error) => return fail(Format::Text, &error),
    };
    let mut out = io::stdout().lock();
    let outcome = if arguments.text.is_empty() {
        lines_of_input(&assistant, &mut out)
    } else {
        arguments
            .text
            .iter()
            .try_for_each(|text| answer(&assistant, text, &mut out))
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

/// Answers each line of standard input as it comes. A byte that is not UTF-8 is
/// read as U+FFFD.
fn lines_of_input(assistant: &Assistant, out: &mut impl Write) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        answer(assistant, text.trim_end_matches(['\n', '\r']), out)?;
        line.clear();
    }
    Ok(())
}

fn answer(assistant: &Assistant, text: &str, out: &mut impl Write) -> Result<(), Failure> {
    let parse = assistant.parse(text).map_err(Failure::Assistant)?;
    serde_json::to_writer(&mut *out, &parse).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}
