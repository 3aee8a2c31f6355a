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
use crate::api::exec::portion::Portion;
use crate::api::exec::portion::Step;
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

/// How tasks run on other machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteExec {
    /// How many may run there at once, of all assistants of a workspace
    /// together, but at least one for each that is under way.
    pub jobs: NonZeroUsize,
    /// What the machines must be: names and values that the server knows.
    pub properties: Vec<(String, String)>,
    /// How long a task may run there.
    pub timeout: Duration,
    /// How long a task may wait for a machine there.
    pub queue_timeout: Duration,
    /// Which tasks the server runs first: those with smaller numbers; 0 is usual.
    pub priority: i32,
}

impl Default for RemoteExec {
    fn default() -> Self {
        Self {
            jobs: NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN),
            properties: Vec::new(),
            timeout: Duration::from_secs(3_600),
            queue_timeout: Duration::from_secs(600),
            priority: 0,
        }
    }
}

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
    /// Portions of NLU and Core; none where files beside them are needed.
    portions: [OnceLock<Option<JobFile>>; 2],
    /// Results as files, by key.
    results: Mutex<BTreeMap<Digest, JobFile>>,
    folder: Folder,
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
            portions: [OnceLock::new(), OnceLock::new()],
            results: Mutex::default(),
            folder: Folder::new(),
        }
    }

    fn name(&self, id: TaskId) -> &str {
        &self.recipe.graph.task(id).name
    }

    /// Returns the portion that a task is of, as a file; none if it is of none, or
    /// its components read files of their own.
    fn portion(&self, id: TaskId) -> Option<&JobFile> {
        let name = self.name(id);
        let (step, place) = match name.split('.').next() {
            Some("nlu") => (Step::Nlu, 0),
            Some("core") => (Step::Core, 1),
            _ => return None,
        };
        let make = || {
            let portion = Portion::of(step, self.recipe);
            let bytes = serde_json::to_vec(&portion).ok()?;
            portion.is_alone().then(|| JobFile::new(bytes))
        };
        self.portions[place].get_or_init(make).as_ref()
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
        let mut files = vec![
            (PROGRAM.to_owned(), this_program()?.clone()),
            (PORTION.to_owned(), self.portion(sent.task)?.clone()),
        ];
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
            timeout: self.settings.timeout,
            queue_timeout: self.settings.queue_timeout,
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
    let read = || fs::read(env::current_exe().ok()?).ok().map(JobFile::new);
    THIS_PROGRAM.get_or_init(read).as_ref()
}

impl RemoteExecutor for Sender<'_> {
    fn takes(&self, task: TaskId) -> bool {
        self.remote.executes() && self.portion(task).is_some()
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
