//! Tasks on the machines behind the server of the remote cache: each is
//! `tabella exec train` on this program, the portion of its half and the results
//! above it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

use crate::api::cache::check_keys;
use crate::api::exec::baggage::Baggage;
use crate::api::exec::baggage::pack;
use crate::api::exec::baggage::stays;
use crate::api::exec::portion::Portion;
use crate::api::exec::portion::Step;
use crate::data::RemoteExec;
use crate::digest::Digest;
use crate::engine::Manifest;
use crate::engine::Outputs;
use crate::engine::RemoteExecutor;
use crate::engine::RemoteTask;
use crate::engine::TaskId;
use crate::recipe::Recipe;
use crate::remote::Job;
use crate::remote::JobFile;
use crate::remote::RemoteCache;
use crate::remote::Spool;
use crate::store::Bundle;
use crate::store::BundledResult;
use crate::store::Export;
use crate::store::Store;

/// Names of files in the folder where a task runs.
const PROGRAM: &str = "tabella";
const PORTION: &str = "portion.json";
const OUTPUT: &str = "out.tabella";

/// Sends tasks of one training.
pub struct Sender<'a> {
    settings: &'a RemoteExec,
    remote: &'a RemoteCache,
    recipe: &'a Recipe,
    store: &'a Store,
    /// Tasks that read the same, as far as they were asked for.
    groups: Mutex<BTreeMap<Group, Arc<Luggage>>>,
    /// Results as files, by key; none yet where one is about to be written.
    results: Mutex<BTreeMap<Digest, Arc<Mutex<Option<JobFile>>>>>,
    /// Where bytes are that wait to be sent; none if the disk takes none.
    spool: OnceLock<Option<Arc<Spool>>>,
}

/// Tasks that read the same beside the results above them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// Those of a component, by its number in the pipeline.
    Nlu(usize),
    /// Those of policies.
    Core,
}

/// What a group of tasks reads.
#[derive(Default)]
struct Luggage {
    /// Whether it can be sent.
    is_sent: OnceLock<bool>,
    /// Its portion, and the files beside it; none if something cannot be read.
    baggage: OnceLock<Option<Baggage>>,
}

/// Why a task cannot be sent.
enum NotSent {
    /// A result above it is not in the cache as it was: where the task runs here, that is
    /// made again.
    Lost,
    /// The disk, or what the task reads beside, does not let it.
    Unwritable,
}

/// This program, as a file: it is the same for all trainings of a process.
static THIS_PROGRAM: OnceLock<Option<JobFile>> = OnceLock::new();

impl<'a> Sender<'a> {
    /// Returns what sends tasks of the training of `recipe`; the results above them
    /// are in `store`.
    pub fn new(
        settings: &'a RemoteExec,
        remote: &'a RemoteCache,
        recipe: &'a Recipe,
        store: &'a Store,
    ) -> Self {
        Self {
            settings,
            remote,
            recipe,
            store,
            groups: Mutex::default(),
            results: Mutex::default(),
            spool: OnceLock::new(),
        }
    }

    fn name(&self, id: TaskId) -> &str {
        &self.recipe.graph.task(id).name
    }

    /// Returns the group that a task is of, and what that reads; none if it is of none.
    fn group(&self, id: TaskId) -> Option<(Group, Arc<Luggage>)> {
        let mut parts = self.name(id).split('.');
        let group = match (parts.next(), parts.next()) {
            (Some("nlu"), Some(number)) => Group::Nlu(number.parse().ok()?),
            (Some("core"), _) => Group::Core,
            _ => return None,
        };
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        Some((group, Arc::clone(groups.entry(group).or_default())))
    }

    /// Returns whether a task can be sent; if not, it is said why.
    fn is_sent(&self, id: TaskId) -> bool {
        let Some((group, luggage)) = self.group(id) else {
            return false;
        };
        *luggage.is_sent.get_or_init(|| {
            let Group::Nlu(number) = group else {
                return true;
            };
            let component = self.recipe.project.config.pipeline.get(number);
            let why = component.and_then(|one| Some((&one.name, stays(one)?)));
            if let Some((name, why)) = &why {
                let text = format!("the tasks of {name} run here: {why}");
                self.remote.keep_here(text);
            }
            why.is_none()
        })
    }

    fn spool(&self) -> Option<&Arc<Spool>> {
        let new = || Some(Spool::new(self.store.scratch().ok()?));
        self.spool.get_or_init(new).as_ref()
    }

    /// Returns what a task reads beside the results above it.
    fn pack(&self, group: Group) -> Option<Baggage> {
        let (step, component) = match group {
            Group::Nlu(number) => (Step::Nlu, Some(number)),
            Group::Core => (Step::Core, None),
        };
        pack(Portion::of(step, self.recipe), component, self.spool()?)
    }

    /// Returns a result as a file, which lies on the disk and takes no memory. It is
    /// written once, also if several tasks ask for it together.
    fn result(&self, key: Digest) -> Result<JobFile, NotSent> {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Arc::clone(results.entry(key).or_default());
        drop(results);
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*place {
            return Ok(file.clone());
        }
        let spool = self.spool().ok_or(NotSent::Unwritable)?;
        let keys = BTreeSet::from([key]);
        let mut is_whole = true;
        let file = spool.add(|out| {
            let told = self.store.export_into(&keys, Export::Step, out).ok()?;
            is_whole = told.results == 1;
            is_whole.then_some(())
        });
        let file = file.ok_or(match is_whole {
            true => NotSent::Unwritable,
            false => NotSent::Lost,
        })?;
        *place = Some(file.clone());
        Ok(file)
    }

    fn job(&self, sent: &RemoteTask<'_>) -> Result<Job, NotSent> {
        let (group, luggage) = self.group(sent.task).ok_or(NotSent::Unwritable)?;
        let baggage = luggage.baggage.get_or_init(|| self.pack(group));
        let baggage = baggage.as_ref().ok_or(NotSent::Unwritable)?;
        let program = this_program().ok_or(NotSent::Unwritable)?;
        let mut files = vec![
            (PROGRAM.to_owned(), program.clone()),
            (PORTION.to_owned(), baggage.portion.clone()),
        ];
        files.extend(baggage.files.iter().cloned());
        let program = format!("./{PROGRAM}");
        let task = self.name(sent.task);
        let fixed = ["exec", "train", "--portion", PORTION, "--task", task];
        let mut arguments = vec![program];
        arguments.extend(fixed.map(str::to_owned));
        arguments.extend(["--out", OUTPUT, "--results"].map(str::to_owned));
        for &key in &sent.above {
            let name = format!("{key}.tabella");
            files.push((name.clone(), self.result(key)?));
            arguments.push(name);
        }
        Ok(Job {
            arguments,
            files,
            output: OUTPUT.to_owned(),
            properties: self.settings.properties.clone(),
            timeout: Duration::from_millis(self.settings.task_timeout_ms),
            queue_timeout: Duration::from_millis(self.settings.queue_timeout_ms),
            priority: self.settings.priority,
        })
    }

    /// Returns the outputs of the result of `task` in what it wrote: all of it is
    /// verified, the description of the key as well.
    fn outputs(&self, task: &RemoteTask<'_>, written: Vec<u8>) -> Option<Outputs> {
        let mut file = self.store.scratch().ok()?;
        file.write_all(&written).ok()?;
        // What is read of it is held from now on.
        drop(written);
        let bundle = Bundle::read(file, Path::new(OUTPUT)).ok()?;
        check_keys(&bundle).ok()?;
        let mut results = bundle.results().iter();
        let is_wanted = |result: &&BundledResult| {
            result.key == task.key && result.manifest.contains_key(Manifest::NAME)
        };
        let result = results.find(is_wanted)?;
        let mut required = task.required.iter();
        if !required.all(|name| result.outputs.contains_key(name)) {
            return None;
        }
        let outputs = result.outputs.iter();
        let outputs =
            outputs.map(|(name, output)| Some((name.clone(), bundle.blob(output.digest).ok()?)));
        outputs.collect()
    }
}

fn this_program() -> Option<&'static JobFile> {
    let find = || JobFile::at(&env::current_exe().ok()?).ok();
    THIS_PROGRAM.get_or_init(find).as_ref()
}

impl RemoteExecutor for Sender<'_> {
    fn takes(&self, task: TaskId) -> bool {
        self.remote.executes() && self.is_sent(task)
    }

    fn jobs(&self) -> NonZeroUsize {
        self.settings.jobs
    }

    fn run(&self, task: &RemoteTask<'_>) -> Option<Outputs> {
        let job = match self.job(task) {
            Ok(job) => job,
            Err(NotSent::Lost) => return None,
            Err(NotSent::Unwritable) => {
                self.remote
                    .stop_executing("what a task reads cannot be written down");
                return None;
            }
        };
        let bytes = match self.remote.execute(&job, &|| task.cancel.is_set()) {
            Ok(bytes) => bytes?,
            Err(why) => {
                self.remote.stop_executing(&why);
                return None;
            }
        };
        let outputs = self.outputs(task, bytes);
        if outputs.is_none() {
            self.remote
                .stop_executing("what came back is not the result of the task");
        }
        outputs
    }
}
