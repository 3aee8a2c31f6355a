//! The end of a run: what never started is settled, and what is new is kept for the
//! next.

use std::collections::BTreeMap;

use crate::engine::Event;
use crate::engine::Outcome;
use crate::engine::Plan;
use crate::engine::Planned;
use crate::engine::TaskId;
use crate::engine::history::RunTimes;
use crate::engine::results::Results;
use crate::store::LastRun;
use crate::store::RunRecord;

impl Results<'_> {
    /// Settles what was never started, and records the run.
    pub(crate) fn close(&self, plan: &Plan, started_ms: u64) {
        for planned in plan.tasks() {
            if self.slot(planned.id).outcome.is_none() {
                let because = self.failure_above(planned);
                let task = self.task_ref(planned.id);
                self.slot(planned.id).outcome = Some(Outcome::Skipped { because });
                let because = because.map(|id| self.task_ref(id));
                self.emit(Event::Skipped { task, because });
            }
        }
        self.record_run(plan, started_ms);
        self.warnings();
    }

    /// Returns the failed task for which `planned` was skipped, if that is why.
    fn failure_above(&self, planned: &Planned) -> Option<TaskId> {
        let upstreams = self.graph.upstreams(planned.id);
        let above = upstreams.into_iter().chain(planned.twin);
        let failure = |id| match self.slot(id).outcome {
            Some(Outcome::Failed { .. }) => Some(id),
            Some(Outcome::Skipped { because }) => because,
            _ => None,
        };
        above.filter_map(failure).next()
    }

    /// Keeps what is new: the keys of tasks that have another than last time,
    /// and the day on which results were used.
    fn record_run(&self, plan: &Plan, started_ms: u64) {
        let mut run = RunRecord {
            started_ms,
            ..RunRecord::default()
        };
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let mut times = RunTimes::default();
        let mut used = Vec::new();
        for planned in plan.tasks() {
            let task = self.graph.task(planned.id);
            let slot = self.slot(planned.id);
            *counts.entry(slot.outcome_name()).or_default() += 1;
            if let Some(Outcome::Ran { ms }) = slot.outcome {
                times.add(task, ms);
            }
            let Some(key) = slot.key.filter(|_| slot.is_stored) else {
                continue;
            };
            if let Some(result) = &planned.result
                && result.used_day != self.store.today()
            {
                used.push(key);
            }
            let last = plan
                .last_runs
                .get(&task.project)
                .and_then(|runs| runs.get(&task.name));
            if last.is_none_or(|last| last.key != key) {
                let now = LastRun {
                    key,
                    kind: task.kind.to_owned(),
                    cost_ms: slot.cost_ms,
                };
                run.tasks
                    .insert((task.project.to_string(), task.name.clone()), now);
            }
        }
        let has_only_reused = counts.keys().all(|name| *name == "reused");
        if !has_only_reused || !run.tasks.is_empty() {
            run.report = times.report(&counts);
            self.store.record_run(&run);
        }
        self.store.touch(&used);
    }
}
