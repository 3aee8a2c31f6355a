//! `tabella data convert` and `tabella data migrate`: older formats to YAML 3.1.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use serde_json::json;

use crate::api::TrainError;
use crate::api::chain;
use crate::cli::data::language_of;
use crate::cli::data::write::Backup;
use crate::cli::data::write::WriteError;
use crate::cli::data::write::Written;
use crate::cli::data::write::check;
use crate::cli::data::write::write;
use crate::cli::environment::environment;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::convert::Conversion;
use crate::convert::Output;
use crate::convert::convert;
use crate::data::Domain;
use crate::diagnostic::Paint;
use crate::diagnostic::has_errors;
use crate::diagnostic::render_grouped;
use crate::import::FileKind;
use crate::import::Sources;
use crate::import::import_test_stories;

/// `tabella data convert`.
#[derive(Debug, Args)]
pub struct ConvertArguments {
    /// One kind of files alone, as `rasa data convert` has it: each becomes
    /// `<name>_converted.yml` in `--out`
    pub what: Option<What>,
    /// Files and folders with NLU data, stories and rules
    #[arg(long, value_name = "PATH", num_args = 1..)]
    data: Vec<PathBuf>,
    /// Domain files and folders
    #[arg(long, short, value_name = "PATH", num_args = 1..)]
    domain: Vec<PathBuf>,
    /// The configuration file
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the converted project goes
    #[arg(
        long,
        value_name = "DIR",
        default_value = "converted_data",
        conflicts_with = "in_place"
    )]
    out: PathBuf,
    /// Replace the files; each original is kept as `<name>.bak`
    #[arg(long, conflicts_with = "what")]
    in_place: bool,
    /// The format to convert to; there is one
    #[arg(long, short, value_enum, default_value = "yaml")]
    format: OutputFormat,
    /// The language of Dialogflow's examples [default: that of the project's config]
    #[arg(long, short, value_name = "CODE")]
    language: Option<String>,
    /// How the command runs.
    #[command(flatten)]
    run: RunFlags,
}

/// `tabella data migrate`.
#[derive(Debug, Args)]
pub struct MigrateArguments {
    /// Domain file or folder of version 2.0
    #[arg(long, short, value_name = "PATH", default_value = "domain.yml")]
    domain: PathBuf,
    /// The new domain [default: `new_domain` beside the old one, which is copied to
    /// `original_domain`]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// How the command runs.
    #[command(flatten)]
    run: RunFlags,
}

/// Flags of both commands.
#[derive(Debug, Args)]
struct RunFlags {
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// The project's folder; relative paths start here
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Write one JSON object to standard output
    #[arg(long)]
    json: bool,
}

/// The kinds of files that `rasa data convert` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// NLU data
    Nlu,
    /// Responses of retrieval intents
    Nlg,
    /// Stories and rules
    Core,
    /// The configuration
    Config,
}

/// The formats that can be written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputFormat {
    /// YAML 3.1
    Yaml,
}

/// Runs `convert`.
pub fn run(arguments: &ConvertArguments) -> Exit {
    let OutputFormat::Yaml = arguments.format;
    let root = &arguments.run.project;
    let sources = sources(arguments);
    let read = sources.data.iter().chain(&sources.domain);
    if !arguments.in_place
        && let Some(folder) = folder_around(&root.join(&arguments.out), root, read)
    {
        return refuse_out(&arguments.run, &arguments.out, folder);
    }
    let conversion = match convert(&sources) {
        Ok(conversion) => conversion,
        Err(error) => return fail(Format::of(arguments.run.json), &TrainError::from(error)),
    };
    let files = plan(arguments, &conversion);
    let exit = finish(&arguments.run, &conversion, &files);
    if names_nothing(arguments) && arguments.what.is_none() && has_old_tests(root) {
        complain(
            "note: Markdown test stories in `tests` stay as they are: \
             `tabella data convert core --data tests` writes them as YAML",
        );
    }
    exit
}

/// Returns whether the project's usual files are meant.
fn names_nothing(arguments: &ConvertArguments) -> bool {
    arguments.data.is_empty() && arguments.domain.is_empty() && arguments.config.is_none()
}

/// Says what is read: what was named, else what is usual.
fn sources(arguments: &ConvertArguments) -> Sources {
    let root = &arguments.run.project;
    let is_whole = arguments.what.is_none() && names_nothing(arguments);
    let usual = |name: &str| {
        let is_there = is_whole && root.join(name).exists();
        is_there.then(|| PathBuf::from(name))
    };
    let or_usual = |given: &[PathBuf], usual: Option<PathBuf>| match given.is_empty() {
        true => usual.into_iter().collect(),
        false => given.to_vec(),
    };
    let mut config = arguments.config.clone();
    let mut data = arguments.data.clone();
    match arguments.what {
        None => data = or_usual(&data, usual("data")),
        Some(What::Config) => {
            config = config.or_else(|| data.pop());
            config.get_or_insert_with(|| PathBuf::from("config.yml"));
        }
        Some(_) => data = or_usual(&data, Some(PathBuf::from("data"))),
    }
    let config = config.or(usual("config.yml"));
    let language = arguments.language.clone();
    Sources {
        root: root.clone(),
        domain: or_usual(&arguments.domain, usual("domain.yml").or(usual("domain"))),
        data,
        language: language.or_else(|| match config {
            Some(_) => None,
            None => language_of(root),
        }),
        config: config.unwrap_or_default(),
        environment: environment(),
        ..Sources::default()
    }
}

/// Returns the read folder that is, or holds, the folder that is written to: the
/// next run would read what this one wrote.
fn folder_around<'p>(
    out: &Path,
    root: &Path,
    mut read: impl Iterator<Item = &'p PathBuf>,
) -> Option<&'p Path> {
    let there = out.ancestors().find_map(|path| {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        std::fs::canonicalize(path).ok()
    })?;
    let around = read.find(|path| {
        let folder = std::fs::canonicalize(root.join(path));
        folder.is_ok_and(|folder| folder.is_dir() && there.starts_with(folder))
    });
    around.map(PathBuf::as_path)
}

fn refuse_out(run: &RunFlags, out: &Path, folder: &Path) -> Exit {
    let why = format!(
        "nothing is written: what goes to `{}` would be read with `{}`; \
         name another folder with `--out`",
        out.display(),
        folder.display()
    );
    complain(&format!("error: {why}"));
    match run.json {
        true => print(
            &json!({ "error": why, "diagnostics": [] }).to_string(),
            Exit::BadInput,
        ),
        false => Exit::BadInput,
    }
}

/// Returns whether a project has test stories in Markdown.
fn has_old_tests(root: &Path) -> bool {
    let folder = PathBuf::from("tests");
    if !root.join(&folder).is_dir() {
        return false;
    }
    // What cannot be read is no matter of this command.
    let imported = import_test_stories(root, &[folder], &Domain::default()).unwrap_or_default();
    imported.files.iter().any(|file| {
        let is_markdown = file.path.extension().is_some_and(|suffix| suffix == "md");
        is_markdown && file.kinds.contains(&FileKind::TestStories)
    })
}

/// A file that is written, and what it was made of.
struct Planned {
    source: Option<PathBuf>,
    written: Written,
}

/// Says which files are written where.
fn plan(arguments: &ConvertArguments, conversion: &Conversion) -> Vec<Planned> {
    let root = &arguments.run.project;
    let out = root.join(&arguments.out);
    let mut taken = BTreeSet::new();
    let outputs = conversion.outputs.iter();
    let outputs = outputs.filter(|output| match arguments.what {
        Some(what) => is_of(what, output),
        None => !arguments.in_place || output.is_changed,
    });
    let planned = |output: &Output| {
        let source = output.source.clone();
        let inside = output.path.strip_prefix(root).unwrap_or(&output.path);
        let stem = output
            .path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy();
        let path = match (arguments.in_place, arguments.what) {
            (true, _) => output.path.clone(),
            (_, Some(_)) => {
                let kind = output.path.extension().unwrap_or_default();
                let name = format!("{stem}_converted.{}", kind.to_string_lossy());
                free(out.join(name), &mut taken)
            }
            _ => free(out.join(below(inside)), &mut taken),
        };
        let original = source.as_ref().filter(|_| arguments.in_place);
        let backup = original.map(|from| {
            let mut to = from.clone().into_os_string();
            to.push(".bak");
            let (from, to) = (from.clone(), PathBuf::from(to));
            Backup { from, to }
        });
        let bytes = output.bytes.clone();
        let written = Written {
            path,
            bytes,
            backup,
        };
        Planned { source, written }
    };
    outputs.map(planned).collect()
}

/// Returns a path that stays below the folder that it is joined to.
fn below(path: &Path) -> PathBuf {
    let parts = path.components();
    let names = parts.filter(|part| matches!(part, std::path::Component::Normal(_)));
    names.collect()
}

/// Returns a path that no other file of this run has: itself, or one with a number.
fn free(path: PathBuf, taken: &mut BTreeSet<PathBuf>) -> PathBuf {
    let mut free = path.clone();
    let mut number = 2;
    while !taken.insert(free.clone()) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let suffix = path.extension().unwrap_or_default().to_string_lossy();
        free = path.with_file_name(format!("{stem}{number}.{suffix}"));
        number += 1;
    }
    free
}

fn is_of(what: What, output: &Output) -> bool {
    let kinds: &[FileKind] = match what {
        What::Nlu | What::Nlg => &[FileKind::Nlu],
        What::Core => &[FileKind::Stories, FileKind::TestStories],
        What::Config => &[FileKind::Config, FileKind::Stories],
    };
    output.kinds.iter().any(|kind| kinds.contains(kind))
}

/// Runs `migrate`.
pub fn migrate(arguments: &MigrateArguments) -> Exit {
    let root = &arguments.run.project;
    let sources = Sources {
        root: root.clone(),
        domain: vec![arguments.domain.clone()],
        environment: environment(),
        ..Sources::default()
    };
    if let Some(out) = &arguments.out
        && let Some(folder) = folder_around(&root.join(out), root, sources.domain.iter())
    {
        return refuse_out(&arguments.run, out, folder);
    }
    let conversion = match convert(&sources) {
        Ok(conversion) => conversion,
        Err(error) => return fail(Format::of(arguments.run.json), &TrainError::from(error)),
    };
    let old = root.join(&arguments.domain);
    let beside = old.parent().unwrap_or(Path::new(""));
    let suffix = if old.is_dir() { "" } else { ".yml" };
    let new = match &arguments.out {
        Some(out) => root.join(out),
        None => beside.join(format!("new_domain{suffix}")),
    };
    let copy = beside.join(format!("original_domain{suffix}"));
    let mut files = Vec::new();
    for output in &conversion.outputs {
        let Some(source) = &output.source else {
            continue;
        };
        let inside = source.strip_prefix(&old).unwrap_or(Path::new(""));
        let place = |folder: &Path| match inside.as_os_str().is_empty() {
            true => folder.to_owned(),
            false => folder.join(inside),
        };
        let mut add = |path: PathBuf, bytes: Vec<u8>| {
            let written = Written {
                path,
                bytes,
                backup: None,
            };
            let source = Some(source.clone());
            files.push(Planned { source, written });
        };
        add(place(&new), output.bytes.clone());
        if arguments.out.is_none() {
            match std::fs::read(source) {
                Ok(bytes) => add(place(&copy), bytes),
                Err(error) => {
                    complain(&format!(
                        "error: cannot read `{}`: {error}",
                        source.display()
                    ));
                    return Exit::InputOutput;
                }
            }
        }
    }
    finish(&arguments.run, &conversion, &files)
}

/// Writes the files, unless some could not be converted, and says which.
fn finish(run: &RunFlags, conversion: &Conversion, files: &[Planned]) -> Exit {
    let refused = has_errors(&conversion.diagnostics);
    let written: Vec<Written> = files.iter().map(|file| file.written.clone()).collect();
    let outcome = match () {
        () if refused => Ok(()),
        () if run.dry_run => check(&written),
        () => write(&written),
    };
    let exit = match &outcome {
        _ if refused => Exit::BadInput,
        Ok(()) => Exit::Done,
        Err(WriteError::Exists(_)) => Exit::BadInput,
        Err(WriteError::Write { .. }) => Exit::InputOutput,
    };
    let shown = |path: &Path| {
        let path = path.strip_prefix(&run.project).unwrap_or(path);
        path.display().to_string()
    };
    if !run.json {
        let said = render_grouped(&conversion.diagnostics, &conversion.sources, Paint::Plain);
        if !said.is_empty() {
            complain(said.trim_end());
        }
    }
    let error = outcome.as_ref().err().map(|error| chain(error));
    if let Some(error) = &error {
        complain(&format!("error: {error}"));
    } else if refused {
        complain("error: nothing is written: some files cannot be converted");
    }
    let done = match &outcome {
        _ if refused => &[],
        Ok(()) => files,
        Err(WriteError::Exists(_)) => &[],
        Err(WriteError::Write { count, .. }) => &files[..*count],
    };
    if run.json {
        let files: Vec<_> = done
            .iter()
            .map(|file| json!({ "path": shown(&file.written.path), "source": file.source.as_deref().map(&shown) }))
            .collect();
        let object = json!({
            "dry_run": run.dry_run,
            "written": files,
            "error": error,
            "diagnostics": conversion.diagnostics,
        });
        return print(&object.to_string(), exit);
    }
    let lines: Vec<String> = done
        .iter()
        .map(|file| match &file.source {
            Some(source) => format!("{} from {}", shown(&file.written.path), shown(source)),
            None => format!("{} (new)", shown(&file.written.path)),
        })
        .collect();
    match lines.is_empty() && exit == Exit::Done {
        true => print("nothing to convert", exit),
        false if lines.is_empty() => exit,
        false => print(&lines.join("\n"), exit),
    }
}
