//! Where tasks stand in a drawing: stages from left to right, within a stage a
//! column for each step, in a column each task near those it reads.

use crate::cli::report::by_stage;
use crate::cli::status::graph::edges;
use crate::recipe::Report;
use crate::recipe::TaskReport;

/// How wide a task is drawn, in pixels.
pub const NODE_WIDTH: usize = 252;
/// How high a task is drawn, in pixels.
pub const NODE_HEIGHT: usize = 46;
const COLUMN_GAP: usize = 64;
const ROW_GAP: usize = 16;
const STAGE_GAP: usize = 24;
const BAND_PADDING: usize = 16;
const STAGE_HEAD: usize = 34;
const MARGIN: usize = 12;

/// A drawing, in pixels.
pub struct Layout {
    /// The size of all of it.
    pub size: (usize, usize),
    /// The upper left corner of each task, in the report's order.
    pub nodes: Vec<(usize, usize)>,
    /// The stages from left to right.
    pub bands: Vec<Band>,
    /// Tasks that are read, and by whom.
    pub edges: Vec<(usize, usize)>,
}

/// The strip of a stage.
pub struct Band {
    /// The stage.
    pub name: String,
    /// Its left edge.
    pub x: usize,
    /// How wide it is.
    pub width: usize,
}

/// Returns the drawing of a report. Time grows as the number of edges.
pub fn layout(report: &Report) -> Layout {
    let reads = edges(report);
    let stages = by_stage(report);
    let (columns, spans) = columns(report, &stages, &reads);
    let rows = rows(&columns, &reads);
    let row_count = rows.iter().map(|row| row + 1).max().unwrap_or(0);
    let mut in_column = vec![0; columns.iter().map(|c| c + 1).max().unwrap_or(0)];
    for &column in &columns {
        in_column[column] += 1;
    }
    let left = |column: usize| {
        let stages = spans.iter().filter(|(first, _)| *first <= column).count();
        let gaps = stages.saturating_sub(1) * STAGE_GAP;
        MARGIN + BAND_PADDING + column * (NODE_WIDTH + COLUMN_GAP) + gaps
    };
    let step = NODE_HEIGHT + ROW_GAP;
    let nodes = columns.iter().zip(&rows).map(|(&column, &row)| {
        let above = (row_count - in_column[column]) * step / 2;
        (left(column), MARGIN + STAGE_HEAD + above + row * step)
    });
    let bands: Vec<Band> = spans
        .iter()
        .zip(&stages)
        .map(|(&(first, last), (name, _))| {
            let x = left(first) - BAND_PADDING;
            Band {
                name: (*name).to_owned(),
                x,
                width: left(last) + NODE_WIDTH + BAND_PADDING - x,
            }
        })
        .collect();
    let width = bands.last().map_or(0, |band| band.x + band.width + MARGIN);
    let height = STAGE_HEAD + row_count * step + 2 * MARGIN;
    Layout {
        size: (width, height),
        nodes: nodes.collect(),
        edges: reads
            .iter()
            .enumerate()
            .flat_map(|(to, reads)| reads.iter().map(move |from| (*from, to)))
            .collect(),
        bands,
    }
}

/// Returns the column of each task, and the first and last column of each stage.
/// A task stands right of those of its stage that it reads.
fn columns(
    report: &Report,
    stages: &[(&str, Vec<&TaskReport>)],
    reads: &[Vec<usize>],
) -> (Vec<usize>, Vec<(usize, usize)>) {
    let mut columns = vec![0; report.tasks.len()];
    let mut spans = Vec::with_capacity(stages.len());
    let mut first = 0;
    for (stage, _) in stages {
        let mut last = first;
        for (index, task) in report.tasks.iter().enumerate() {
            if task.stage == *stage {
                let own = reads[index].iter();
                let own = own.filter(|&&read| report.tasks[read].stage == *stage);
                let column = own.map(|&read| columns[read] + 1).max().unwrap_or(first);
                columns[index] = column.max(first);
                last = last.max(column);
            }
        }
        spans.push((first, last));
        first = last + 1;
    }
    (columns, spans)
}

/// Returns the row of each task in its column: tasks stand in the order of the
/// mean row of those they read.
fn rows(columns: &[usize], reads: &[Vec<usize>]) -> Vec<usize> {
    let mut rows = vec![0; columns.len()];
    let count = columns.iter().map(|column| column + 1).max().unwrap_or(0);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, &column) in columns.iter().enumerate() {
        members[column].push(index);
    }
    for mut tasks in members {
        // In thousandths of a row, so that no float decides about the order.
        let mean = |index: usize| match reads[index].len() {
            0 => usize::MAX,
            count => {
                reads[index]
                    .iter()
                    .map(|&read| rows[read] * 1000)
                    .sum::<usize>()
                    / count
            }
        };
        tasks.sort_by_key(|&index| (mean(index), index));
        for (row, index) in tasks.into_iter().enumerate() {
            rows[index] = row;
        }
    }
    rows
}
