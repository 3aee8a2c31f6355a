//! `command`: a component that is a program of the user's, asked in lines of JSON.
//!
//! ```text
//!   fit        all examples ─▶ what it learnt, any JSON ─▶ archive
//!   load       what it learnt
//!   transform  a text ─▶ features
//!   predict    a text ─▶ intent, entities
//! ```
//!
//! `docs/command.md` is the protocol. An archive names a program and does not hold
//! it, and none is run because an archive says so: whoever loads it must allow it
//! ([`CommandComponent::allow`]).

mod process;
mod protocol;

pub use process::CommandError;
pub use protocol::Features;
pub use protocol::Lesson;
pub use protocol::Told;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use self::process::Process;
use crate::features::FeatureRows;
use crate::matrix::Dense;
use crate::nlu::Message;
use crate::tokenize::Attribute;
use crate::tokenize::Document;
use crate::tokenize::OptionError;
use crate::tokenize::Token;

/// The component's name.
pub const COMMAND: &str = "command";

/// Options of the component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandOptions {
    /// How others call its features.
    pub alias: Option<String>,
    /// The program and its arguments. It runs in the project's folder.
    pub run: Vec<String>,
    /// Files and folders that it reads: when one changes, it runs again. Those among
    /// its arguments count without being named.
    pub reads: Vec<String>,
    /// What it is asked for.
    pub does: Vec<Does>,
    /// Seconds that an answer may take; the first one includes the start.
    pub timeout: f64,
    /// Handed to the program as they are.
    pub options: Value,
}

impl Default for CommandOptions {
    fn default() -> Self {
        Self {
            alias: None,
            run: Vec::new(),
            reads: Vec::new(),
            does: vec![Does::Predict],
            timeout: 60.0,
            options: Value::Null,
        }
    }
}

/// What a program can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// To learn from all examples.
    Fit,
    /// To give features of texts.
    Transform,
    /// To find intents and entities.
    Predict,
}

/// The longest time that an answer may take, in seconds: a week.
const LONGEST: f64 = 604_800.0;

impl CommandOptions {
    /// Returns what no program can be asked with.
    ///
    /// # Errors
    ///
    /// The first option that cannot be.
    pub fn check(&self) -> Result<(), OptionError> {
        if self.run.first().is_none_or(String::is_empty) {
            let reason = "it is a list of the program and its arguments";
            return Err(OptionError::new("run", reason));
        }
        let answers = |does: &Does| *does != Does::Fit;
        if !self.does.iter().any(answers) {
            let reason = "without `transform` or `predict` nothing would come of it";
            return Err(OptionError::new("does", reason));
        }
        match self.timeout > 0.0 && self.timeout <= LONGEST {
            true => Ok(()),
            false => Err(OptionError::new(
                "timeout",
                "it must be more than 0 seconds, and a week at most",
            )),
        }
    }

    /// Returns whether the program is asked for something.
    pub fn does(&self, what: Does) -> bool {
        self.does.contains(&what)
    }
}

/// What is told of a program that was not allowed to be run.
pub const UNASKED: &str = "`command` is not asked: a model runs no program of its own accord \
    (`--run-commands` allows it)";

/// A program and what it has learnt.
#[derive(Clone, Debug)]
pub struct Program {
    options: CommandOptions,
    /// Where it runs.
    folder: PathBuf,
    /// What [`Program::fit`] gave.
    learnt: Value,
}

impl Program {
    /// Returns a program that has learnt nothing, to be run in a folder.
    pub fn new(options: CommandOptions, folder: &Path) -> Self {
        Self {
            options,
            folder: folder.to_owned(),
            learnt: Value::Null,
        }
    }

    /// Gives it what it has learnt before.
    pub fn with(self, learnt: Value) -> Self {
        Self { learnt, ..self }
    }

    fn start(&self) -> Result<Process, CommandError> {
        let timeout = Duration::from_secs_f64(self.options.timeout);
        Process::start(&self.options.run, &self.folder, timeout)
    }

    /// Lets it learn, and returns what it has learnt; `go_on` is asked from time to
    /// time whether to wait for it.
    ///
    /// # Errors
    ///
    /// If it fails, takes too long or answers something else.
    pub fn fit<'e>(
        &self,
        lessons: impl ExactSizeIterator<Item = Lesson<'e>>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Value, CommandError> {
        let lines = protocol::fit(&self.options.options, lessons);
        protocol::learnt(&self.start()?.ask(lines, go_on)?)
    }

    /// Starts it with what it has learnt.
    ///
    /// # Errors
    ///
    /// As [`Program::fit`].
    pub fn load(&self) -> Result<Running, CommandError> {
        let mut process = self.start()?;
        let line = protocol::load(&self.options.options, &self.learnt);
        protocol::done(&process.ask(line, &|| true)?)?;
        Ok(Running(process))
    }
}

/// A program that answers.
#[derive(Debug)]
pub struct Running(Process);

impl Running {
    /// Returns the features of a text.
    ///
    /// # Errors
    ///
    /// As [`Program::fit`].
    pub fn transform(&mut self, text: &str, tokens: &[Token]) -> Result<Features, CommandError> {
        let line = protocol::transform(text, tokens);
        protocol::features(&self.0.ask(line, &|| true)?, tokens.len())
    }

    /// Returns the features of an attribute of all documents; names have none.
    ///
    /// # Errors
    ///
    /// As [`Program::fit`]; and if not all features are of the same width.
    pub fn rows(
        &mut self,
        documents: &[Document],
        attribute: Attribute,
        mut on_text: impl FnMut(usize) -> bool,
    ) -> Result<Option<FeatureRows>, CommandError> {
        let mut rows = FeatureRows::without_columns(documents, attribute);
        if !attribute.is_dense() {
            return Ok(Some(rows));
        }
        let (mut words, mut texts): (Option<Dense>, Option<Dense>) = (None, None);
        for (at, document) in documents.iter().enumerate() {
            if !on_text(at) {
                return Ok(None);
            }
            let tokens = document.tokens(attribute);
            let found = match document.text(attribute) {
                Some(text) => self.transform(text, tokens)?,
                None => continue,
            };
            protocol::append(&mut texts, [&found.sentence[..]].into_iter())?;
            protocol::append(&mut words, found.sequence.iter().map(Vec::as_slice))?;
        }
        let words = words.unwrap_or_default();
        if words.cols() > 0 && words.rows() != rows.sequence.rows() {
            return Err(protocol::wrong(
                "features of the tokens of some texts alone",
            ));
        }
        rows.dense_sequence = words;
        let present = |document: &Document| document.text(attribute).is_some();
        rows.dense_sentence = protocol::spread(texts, documents.iter().map(present));
        Ok(Some(rows))
    }

    /// Returns what it makes of a message.
    ///
    /// # Errors
    ///
    /// As [`Program::fit`].
    pub fn predict(&mut self, message: &Message) -> Result<Told, CommandError> {
        let line = protocol::predict(message);
        protocol::told(&self.0.ask(line, &|| true)?, message.text.chars().count())
    }
}

/// A `command` in a pipeline.
#[derive(Clone, Debug)]
pub struct CommandComponent {
    alias: String,
    program: Program,
    is_allowed: bool,
    /// Clones share the process; messages are asked one after the other.
    running: Arc<Mutex<Option<Running>>>,
}

impl CommandComponent {
    /// Returns a component that runs nothing yet.
    pub fn new(alias: String, options: CommandOptions, learnt: Value) -> Self {
        Self {
            alias,
            program: Program::new(options, Path::new("")).with(learnt),
            is_allowed: false,
            running: Arc::default(),
        }
    }

    /// Allows the program to be run in a folder.
    pub fn allow(&mut self, folder: &Path) {
        self.is_allowed = true;
        folder.clone_into(&mut self.program.folder);
    }

    /// Returns whether it was.
    pub fn is_allowed(&self) -> bool {
        self.is_allowed
    }

    /// Adds features, an intent and entities; where the program fails, a warning.
    pub fn process(&self, message: &mut Message) {
        if !self.is_allowed {
            message.warnings.push(UNASKED.to_owned());
            return;
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.ask(&mut running, message) {
            // The next message gets a new one.
            *running = None;
            message.warnings.push(format!("`command`: {error}"));
        }
    }

    fn ask(
        &self,
        running: &mut Option<Running>,
        message: &mut Message,
    ) -> Result<(), CommandError> {
        let running = match running {
            Some(running) => running,
            None => running.insert(self.program.load()?),
        };
        let options = &self.program.options;
        if let (true, Some(document)) = (options.does(Does::Transform), &message.document) {
            let documents = std::slice::from_ref(document);
            let rows = running.rows(documents, Attribute::Text, |_| true)?;
            message
                .features
                .extend(rows.map(|rows| (self.alias.clone(), rows)));
        }
        if options.does(Does::Predict) {
            running.predict(message)?.tell(message);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_without_a_program_or_a_purpose_are_refused() {
        let check = |json: Value| {
            let options: CommandOptions = serde_json::from_value(json).unwrap();
            options.check().map_err(|error| error.option)
        };
        assert_eq!(check(serde_json::json!({"run": ["x"]})), Ok(()));
        assert_eq!(check(serde_json::json!({})), Err("run".to_owned()));
        let fit = serde_json::json!({"run": ["x"], "does": ["fit"]});
        assert_eq!(check(fit), Err("does".to_owned()));
        let timeout = serde_json::json!({"run": ["x"], "timeout": -1});
        assert_eq!(check(timeout), Err("timeout".to_owned()));
    }

    #[test]
    fn no_program_runs_because_a_model_says_so() {
        let options = CommandOptions {
            run: vec!["no-such-program".into()],
            ..CommandOptions::default()
        };
        let mut component = CommandComponent::new("x".into(), options, Value::Null);
        let mut message = Message::new("hello");
        component.process(&mut message);
        assert!(
            message.warnings[0].contains("--run-commands"),
            "{message:?}"
        );
        component.allow(Path::new(""));
        component.process(&mut message);
        assert!(message.warnings[1].contains("cannot be run"), "{message:?}");
    }
}
