//! Tasks on the machines behind the server of the remote cache: each is
//! `tabella exec train` on this program, the portion of its half and the results
//! above it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::process;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::api::cache::open_bundle;
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
    /// The halves, NLU and Core.
    halves: [Half; 2],
    /// Results as files, by key.
    results: Mutex<BTreeMap<Digest, JobFile>>,
    folder: Folder,
}

/// A half of the training, as it is sent.
#[derive(Default)]
struct Half {
    /// Whether it can be sent.
    is_sent: OnceLock<bool>,
    /// Its portion, and the files beside it; none if something cannot be read.
    baggage: OnceLock<Option<Baggage>>,
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
            halves: Default::default(),
            results: Mutex::default(),
            folder: Folder::new(),
        }
    }

    fn name(&self, id: TaskId) -> &str {
        &self.recipe.graph.task(id).name
    }

    /// Returns the half that a task is of; none if it is of none.
    fn half(&self, id: TaskId) -> Option<(Step, &Half)> {
        let [nlu, core] = &self.halves;
        match self.name(id).split('.').next() {
            Some("nlu") => Some((Step::Nlu, nlu)),
            Some("core") => Some((Step::Core, core)),
            _ => None,
        }
    }

    /// Returns whether the half that a task is of can be sent; if not, it is said why.
    fn is_sent(&self, id: TaskId) -> bool {
        let Some((step, half)) = self.half(id) else {
            return false;
        };
        *half.is_sent.get_or_init(|| {
            let why = stays(&Portion::of(step, self.recipe));
            if let Some(why) = &why {
                let text = format!("the tasks of NLU run here: {why}");
                self.remote.keep_here(text);
            }
            why.is_none()
        })
    }

    /// Returns a result as a file.
    fn result(&self, key: Digest) -> Option<JobFile> {
        let results = || self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = results().get(&key) {
            return Some(file.clone());
        }
        let path = self.folder.file()?;
        let keys = BTreeSet::from([key]);
        let exported = self.store.export(&keys, Export::Step, &path).ok();
        let bytes = fs::read(&path).ok();
        let _ = fs::remove_file(&path);
        let file = exported.filter(|told| told.results == 1).and(bytes)?;
        let file = JobFile::new(file);
        results().insert(key, file.clone());
        Some(file)
    }

    fn job(&self, sent: &RemoteTask<'_>) -> Option<Job> {
        let (step, half) = self.half(sent.task)?;
        let pack = || pack(Portion::of(step, self.recipe));
        let baggage = half.baggage.get_or_init(pack).as_ref()?;
        let mut files = vec![
            (PROGRAM.to_owned(), this_program()?.clone()),
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
        Some(Job {
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
    fn outputs(&self, task: &RemoteTask<'_>, bytes: &[u8]) -> Option<Outputs> {
        let path = self.folder.file()?;
        let read = || {
            fs::write(&path, bytes).ok()?;
            let bundle = open_bundle(&path).ok()?;
            let mut results = bundle.results().iter();
            // What describes its key was compared with the key when it was opened.
            let is_wanted = |result: &&BundledResult| {
                result.key == task.key && result.manifest.contains_key(Manifest::NAME)
            };
            let result = results.find(is_wanted)?;
            let mut required = task.required.iter();
            if !required.all(|name| result.outputs.contains_key(name)) {
                return None;
            }
            let outputs = result.outputs.iter();
            let outputs = outputs
                .map(|(name, output)| Some((name.clone(), bundle.blob(output.digest).ok()?)));
            outputs.collect()
        };
        let outputs = read();
        let _ = fs::remove_file(&path);
        outputs
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
        let Some(job) = self.job(task) else {
            self.remote
                .stop_executing("what a task reads cannot be written down");
            return None;
        };
        let bytes = match self.remote.execute(&job, &|| task.cancel.is_set()) {
            Ok(bytes) => bytes?,
            Err(why) => {
                self.remote.stop_executing(&why);
                return None;
            }
        };
        let outputs = self.outputs(task, &bytes);
        if outputs.is_none() {
            self.remote
                .stop_executing("what came back is not the result of the task");
        }
        outputs
    }
}

/// A folder for files of a moment, which goes with this value.
struct Folder {
    path: OnceLock<Option<PathBuf>>,
    count: AtomicUsize,
}

/// Names that are tried for a folder.
const ATTEMPTS: u32 = 10_000;

impl Folder {
    fn new() -> Self {
        Self {
            path: OnceLock::new(),
            count: AtomicUsize::new(0),
        }
    }

    /// Returns a path in it that nobody else has.
    fn file(&self) -> Option<PathBuf> {
        let make = || {
            let mut paths = (0..ATTEMPTS)
                .map(|number| env::temp_dir().join(format!("tabella-{}-{number}", process::id())));
            // One that is there is somebody else's.
            paths.find(|path| created(path))
        };
        let folder = self.path.get_or_init(make).as_ref()?;
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        Some(folder.join(count.to_string()))
    }
}

/// Makes a folder for nobody but this user; returns whether it was not there.
fn created(path: &Path) -> bool {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).is_ok()
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(path) = self.path.get().and_then(Option::as_ref) {
            // It is empty but for what was being written when somebody gave up.
            let _ = fs::remove_dir_all(path);
        }
    }
}
