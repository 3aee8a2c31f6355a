//! Turns a project into a graph: the one room that knows both sides.
//!
//! ```text
//!   data::Project ──▶ Slices ──▶ nlu tasks, core tasks ──▶ package ──▶ engine::Graph
//!                                                                        │
//!                                     Report ◀── code of a dry run ◀── Plan
//! ```
//!
//! Nothing is computed here: each task hands its inputs to a function of a room
//! on the left and names what comes back. What a task may read is what its
//! function is given.

mod stage;
mod part;
mod ordinals;
mod pieces;
mod contents;
mod slices;
mod portion;
mod seeds;
mod builder;
mod fold;
mod options;
mod instead;
mod memory;
mod networks;
mod linear;
mod vectors;
mod jieba;
mod language_model;
mod command;
mod nlu;
mod core;
mod package;
mod report;
mod staleness;

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::ThreadPool;

use crate::archive::TrainingType;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::engine::Graph;
use crate::engine::TaskId;

use fold::Fold;

pub use builder::Builder;
pub use builder::Draft;
pub use builder::Packaged;
pub use contents::ContentError;
pub use contents::LABELS;
pub use contents::contents;
pub use memory::DataSize;
pub use networks::is_untrained;
pub use package::ARCHIVE;
pub use package::PackageParts;
pub use package::PackageRecord;
pub use package::RECORD;
pub use part::Part;
pub use portion::core_portion;
pub use portion::nlu_portion;
pub use report::REPORT_VERSION;
pub use report::Report;
pub use report::TaskReport;
pub use report::TaskState;
pub use slices::Annotated;
pub use slices::Keywords;
pub use slices::Messages;
pub use slices::Slices;
pub use slices::Stories;
pub use stage::Stage;
pub use staleness::code_and_texts;
pub use staleness::fingerprint_parts;
pub use staleness::report;

/// How a project is to be trained.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which halves.
    pub training_type: TrainingType,
    /// How many stories are glued to others.
    pub augmentation: usize,
    /// Whether the NLU data goes into the archive.
    pub persist_nlu_data: bool,
    /// Tells projects that share a cache apart; for reasons only.
    pub project_name: Arc<str>,
    /// Which examples of the project are learnt from, by their numbers, ascending; all
    /// if none. What depends on each example alone is computed for all of them, so that
    /// trainings that learn from others share it.
    pub learned: Option<Arc<[u32]>>,
}

/// A project as a graph.
pub struct Recipe {
    /// All tasks.
    pub graph: Graph,
    /// The task whose outputs are [`ARCHIVE`] and [`RECORD`].
    pub package: TaskId,
    /// Which task gives which file of the archive.
    pub packaged: Vec<Packaged>,
    /// The parts that the archive has.
    pub parts: BTreeSet<Part>,
    /// What the user may want to change in the configuration.
    pub warnings: Vec<Diagnostic>,
    /// The project that it was made of.
    pub project: Arc<Project>,
    /// How that is to be trained.
    pub order: Order,
}

/// Returns the graph of a project. Numeric work runs in `pool`.
///
/// # Errors
///
/// Every mistake in the configuration: unknown components, options that cannot
/// be used, components in the wrong order.
pub fn recipe(
    project: &Arc<Project>,
    order: &Order,
    pool: Arc<ThreadPool>,
) -> Result<Recipe, Vec<Diagnostic>> {
    let (whole, project) = (project, &fold::learned(project, order));
    let slices = Slices::of(project);
    let mut builder = Builder::new(Arc::clone(&order.project_name), pool);
    let mut diagnostics = Vec::new();
    let mut pipeline = Vec::new();
    if order.training_type != TrainingType::Core {
        let fold = Fold::of(whole, order);
        pipeline = nlu::tasks(&mut builder, project, &slices, fold, &mut diagnostics);
    }
    let mut policies = Vec::new();
    if order.training_type != TrainingType::Nlu {
        policies = core::tasks(&mut builder, project, &slices, order, &mut diagnostics);
    }
    if crate::diagnostic::has_errors(&diagnostics) {
        return Err(diagnostics);
    }
    let parts = PackageParts {
        training_type: order.training_type,
        pipeline,
        policies,
        persist_nlu_data: order.persist_nlu_data,
    };
    let package = package::package(&mut builder, project, &slices, parts);
    Ok(Recipe {
        graph: builder.graph,
        package,
        packaged: builder.packaged,
        parts: Part::of(order.training_type),
        warnings: diagnostics,
        project: Arc::clone(whole),
        order: order.clone(),
    })
}
