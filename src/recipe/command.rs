//! The tasks of `command`: a program of the user's learns, and gives features.
//!
//! What it is asked and answers stands in `nlu::command`. Its key is made of its
//! arguments, its files with their names, and what it is given: what else it looks at
//! is its own affair, and makes nothing stale.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::archive::ComponentEntry;
use crate::data::Component;
use crate::digest::Digest;
use crate::engine::Input;
use crate::engine::Leaf;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::TaskId;
use crate::engine::Turn;
use crate::nlu::FITTED;
use crate::nlu::command::CommandError;
use crate::nlu::command::CommandOptions;
use crate::nlu::command::Does;
use crate::nlu::command::Lesson;
use crate::nlu::command::Program;
use crate::recipe::Annotated;
use crate::recipe::Draft;
use crate::recipe::Stage;
use crate::recipe::builder::places_of;
use crate::recipe::nlu::ATTRIBUTES;
use crate::recipe::nlu::Line;
use crate::recipe::nlu::decoded;
use crate::recipe::nlu::entry;
use crate::recipe::nlu::json_bytes;
use crate::recipe::nlu::rows_output;
use crate::recipe::options::Written;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// Algorithm versions: raised when what a program is asked changes.
const FIT_VERSION: u32 = 1;
const TRANSFORM_VERSION: u32 = 1;

/// Adds a `command`.
pub fn command(line: &mut Line<'_>, place: usize, component: &Component) -> Option<ComponentEntry> {
    let options: CommandOptions = line.read(component)?;
    let written = Written(component);
    if let Err(error) = options.check() {
        written.wrong_option(&error, line.diagnostics);
        return None;
    }
    for path in &options.reads {
        let below = format!("{}/", path.trim_end_matches('/'));
        let is_there = |name: &str| name == path || name.starts_with(&below);
        if !component.files.iter().any(|file| is_there(&file.name)) {
            let reason = format!("there is no file `{path}`, and no folder with files");
            written.wrong("reads", &reason, line.diagnostics);
            return None;
        }
    }
    let work = Work {
        place,
        component,
        program: Program::new(options.clone(), &component.folder),
        key: json!({ "run": options.run, "options": options.options }),
    };
    let fit = options.does(Does::Fit).then(|| work.fit(line));
    if options.does(Does::Transform) {
        work.transform(line, fit)?;
    }
    Some(match fit {
        Some(task) => line.packed(place, component, &options, task, &[FITTED]),
        None => entry(component, &options, &[]),
    })
}

/// A component whose tasks are made.
struct Work<'a> {
    place: usize,
    component: &'a Component,
    program: Program,
    /// Options that reach what it does.
    key: Value,
}

impl Work<'_> {
    /// The names and digests of its files.
    fn files(&self) -> Input {
        let files = self.component.files.iter();
        let files: Vec<(String, Digest)> =
            files.map(|file| (file.name.clone(), file.digest)).collect();
        Input::leaf("files", Leaf::of_value(Arc::new(files)))
    }

    /// Returns how a failure is told: with the place in the configuration.
    fn told(&self) -> impl Fn(CommandError) -> TaskError + Send + Sync + use<> {
        let place = &self.component.place;
        let place = match place.line {
            0 => String::new(),
            line => format!(" at {}:{line}", place.file),
        };
        move |error| TaskError::message(format!("`command`{place}: {error}"))
    }

    /// Adds the task in which it learns.
    fn fit(&self, line: &mut Line<'_>) -> TaskId {
        let mut inputs = vec![
            self.files(),
            Input::leaf("annotated", line.slices.annotated.clone()),
        ];
        let texts = line
            .tokenizer
            .map(|task| Input::output("texts", task, "texts"));
        let has_texts = texts.is_some();
        inputs.extend(texts);
        let (program, told) = (self.program.clone(), self.told());
        let run = move |context: &TaskContext<'_>| {
            let examples = context.value::<Annotated>("annotated")?.examples();
            let documents: Vec<Document> = match has_texts {
                true => decoded(context, "texts")?,
                false => vec![Document::default(); examples.len()],
            };
            let lessons = examples
                .iter()
                .zip(&documents)
                .map(|(example, document)| Lesson {
                    text: &example.text,
                    intent: example.intent.as_deref(),
                    entities: &example.entities,
                    tokens: document.tokens(Attribute::Text),
                });
            let learnt = program.fit(lessons, &|| !context.is_cancelled());
            context.check_cancelled()?;
            let learnt = json_bytes(&learnt.map_err(&told)?)?;
            Ok(Outputs::from([(FITTED.to_owned(), learnt)]))
        };
        line.builder.add(Draft {
            name: format!("nlu.{}.{}.fit", self.place, self.component.name),
            stage: Stage::TrainNlu,
            kind: "nlu.command.fit",
            version: FIT_VERSION,
            options: self.key.clone(),
            inputs,
            turn: Turn::Long,
            places: places_of(self.component),
            run: Box::new(run),
        })
    }

    /// Adds the task in which it gives features.
    fn transform(&self, line: &mut Line<'_>, fit: Option<TaskId>) -> Option<()> {
        let mut inputs = vec![
            self.files(),
            Input::output("documents", line.tokenizer?, "documents"),
        ];
        inputs.extend(fit.map(|task| Input::output("learnt", task, FITTED)));
        let (program, told, has_learnt) = (self.program.clone(), self.told(), fit.is_some());
        let run = move |context: &TaskContext<'_>| {
            let documents: Vec<Document> = decoded(context, "documents")?;
            let learnt = match has_learnt {
                true => decoded(context, "learnt")?,
                false => Value::Null,
            };
            let mut running = program.clone().with(learnt).load().map_err(&told)?;
            let mut outputs = Outputs::new();
            for attribute in ATTRIBUTES {
                let rows = running.rows(&documents, attribute, |done| {
                    context.progress(done as u64, documents.len() as u64, "texts");
                    !context.is_cancelled()
                });
                let rows = rows.map_err(&told)?.ok_or(TaskError::Cancelled)?;
                outputs.insert(rows_output(attribute), rows.to_bytes());
            }
            Ok(outputs)
        };
        let task = line.builder.add(Draft {
            name: format!("nlu.{}.{}", self.place, self.component.name),
            stage: Stage::Featurize,
            kind: "nlu.command.transform",
            version: TRANSFORM_VERSION,
            options: self.key.clone(),
            inputs,
            turn: Turn::Usual,
            places: places_of(self.component),
            run: Box::new(run),
        });
        line.add_learned(self.place, self.component, task);
        Some(())
    }
}
