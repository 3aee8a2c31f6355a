//! What a training tells while it runs.

use std::fmt;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::engine::Event;

/// Something worth telling the user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// A task started, went a step further, finished, was reused…
    Task(Event),
    /// What is wrong or remarkable in the project's files.
    Diagnosed(Arc<Findings>),
    /// Nothing was read, as all is as it was in a run before: so many warnings
    /// about the project's files were told then.
    AsBefore {
        /// How many.
        warnings: usize,
    },
    /// Something that the user may want to change.
    Warning(String),
    /// Something to know.
    Info(String),
    /// Something went well.
    Success(String),
}

/// Diagnostics with the texts they are about.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// In the order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
    /// The files' texts, to show lines of.
    pub sources: SourceMap,
}

/// Whoever listens to notices; by default nobody.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Fn(Notice) + Send + Sync>>);

impl Observer {
    /// Returns an observer that hands every notice to `listen`, from any thread.
    pub fn new(listen: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listen)))
    }

    /// Tells something.
    pub fn tell(&self, notice: Notice) {
        if let Some(listen) = &self.0 {
            listen(notice);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Observer(listening)"
        } else {
            "Observer(nobody)"
        })
    }
}
