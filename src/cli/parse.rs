//! `tabella parse`: one JSON object of Rasa's `/model/parse` a line.

use std::collections::BTreeSet;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Write;

use rayon::prelude::*;

use crate::api::Assistant;
use crate::api::MAX_MESSAGE_SIZE;
use crate::api::TrainError;
use crate::api::in_project;
use crate::cli::args::ParseArguments;
use crate::cli::environment::environment;
use crate::cli::environment::model_folders;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;
use crate::nlu::Parse;

/// Runs the command.
pub fn run(arguments: &ParseArguments) -> Exit {
    let assistant = match assistant(arguments) {
        Ok(assistant) => assistant,
        Err(exit) => return exit,
    };
    let mut answers = Answers {
        assistant,
        out: BufWriter::new(io::stdout().lock()),
        told: BTreeSet::new(),
    };
    let outcome = if arguments.text.is_empty() {
        answers.lines_of_input()
    } else {
        answers.answer(&arguments.text)
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

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        Failure::Assistant(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::World(error)
    }
}

/// Bytes that are read at once: what a pipe holds.
const READ_SIZE: usize = 1 << 16;

/// Messages that are answered at once: their answers are held until all are there.
const AT_ONCE: usize = 256;

/// Where Duckling is, as in Rasa: it has the last word.
const DUCKLING: &str = "RASA_DUCKLING_HTTP_URL";

/// Loads the model, and makes it ready; tells what is wrong with it, or with the
/// environment.
fn assistant(arguments: &ParseArguments) -> Result<Assistant, Exit> {
    let path = in_project(&arguments.project, &arguments.model);
    let loaded = Assistant::load_with(&path, &model_folders(&arguments.project));
    let mut assistant = loaded.map_err(|error| fail(Format::Text, &error))?;
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
    /// Answers each line of standard input as it comes, and lines that come together
    /// on all cores. A byte that is not UTF-8 is read as U+FFFD.
    fn lines_of_input(&mut self) -> Result<(), Failure> {
        let mut input = BufReader::with_capacity(READ_SIZE, io::stdin().lock());
        let mut lines = Vec::new();
        loop {
            let came = input.fill_buf()?;
            if came.is_empty() {
                return self.answer_lines(&lines);
            }
            let count = came.len();
            let ended = came.iter().rposition(|&byte| byte == b'\n');
            let ended = ended.map_or(0, |at| at + 1);
            lines.extend_from_slice(&came[..ended]);
            if ended > 0 {
                self.answer_lines(&lines)?;
                lines.clear();
            }
            lines.extend_from_slice(&came[ended..]);
            input.consume(count);
            let size = lines.trim_ascii_end().len();
            if size > MAX_MESSAGE_SIZE || lines.len() > READ_SIZE {
                // It will not become shorter.
                let size = size.max(lines.len());
                return Err(TrainError::TooLong { size }.into());
            }
        }
    }

    fn answer_lines(&mut self, lines: &[u8]) -> Result<(), Failure> {
        let text = String::from_utf8_lossy(lines);
        let texts: Vec<&str> = text
            .split_inclusive('\n')
            .map(|line| line.trim_end_matches(['\n', '\r']))
            .collect();
        self.answer(&texts)
    }

    /// Answers texts in their order, those before one that cannot be answered too.
    fn answer<S: AsRef<str> + Sync>(&mut self, texts: &[S]) -> Result<(), Failure> {
        for some in texts.chunks(AT_ONCE) {
            let assistant = &self.assistant;
            let parses: Vec<Result<Parse, TrainError>> = some
                .par_iter()
                .map(|text| assistant.parse(text.as_ref()))
                .collect();
            let outcome = parses.into_iter().try_for_each(|parse| self.write(&parse?));
            self.out.flush()?;
            outcome?;
        }
        Ok(())
    }

    fn write(&mut self, parse: &Parse) -> Result<(), Failure> {
        for warning in &parse.warnings {
            if self.told.insert(warning.clone()) {
                complain(&format!("warning: {warning}"));
            }
        }
        serde_json::to_writer(&mut self.out, parse).map_err(io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }
}
