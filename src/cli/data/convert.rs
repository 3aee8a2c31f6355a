//! `tabella data convert` and `tabella data migrate`: older formats to YAML 3.1.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use serde_json::json;

use crate::api::TrainError;
use crate::api::chain;
use crate::cli::data::write::Backup;
use crate::cli::data::write::WriteError;
use crate::cli::data::write::Written;
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
use crate::diagnostic::Paint;
use crate::diagnostic::has_errors;
use crate::diagnostic::render;
use crate::import::FileKind;
use crate::import::Sources;

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
    /// The language of the data; it changes nothing
    #[arg(long, short, hide = true)]
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
    let is_whole = arguments.what.is_none()
        && arguments.data.is_empty()
        && arguments.domain.is_empty()
        && arguments.config.is_none();
    let there = |name: &str| is_whole && arguments.run.project.join(name).exists();
    let usual = |name: &str| there(name).then(|| PathBuf::from(name));
    let or_usual = |given: &[PathBuf], usual: Option<PathBuf>| match given.is_empty() {
        true => usual.into_iter().collect(),
        false => given.to_vec(),
    };
    let mut config = arguments.config.clone();
    let mut data = or_usual(&arguments.data, usual("data"));
    if arguments.what == Some(What::Config) && config.is_none() {
        config = data.pop();
    }
    let sources = Sources {
        root: arguments.run.project.clone(),
        config: config.or(usual("config.yml")).unwrap_or_default(),
        domain: or_usual(&arguments.domain, usual("domain.yml").or(usual("domain"))),
        data,
        environment: environment(),
        ..Sources::default()
    };
    let conversion = match convert(&sources) {
        Ok(conversion) => conversion,
        Err(error) => return fail(Format::of(arguments.run.json), &TrainError::from(error)),
    };
    let files = plan(arguments, &conversion);
    finish(&arguments.run, &conversion, &files)
}

/// A file that is written, and what it was made of.
struct Planned {
    source: Option<PathBuf>,
    written: Written,
}

/// Says which files are written where.
fn plan(arguments: &ConvertArguments, conversion: &Conversion) -> Vec<Planned> {
    let root = &arguments.run.project;
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
            (true, _) => root.join(&output.path),
            (_, Some(_)) => root
                .join(&arguments.out)
                .join(format!("{stem}_converted.yml")),
            _ => root.join(&arguments.out).join(below(inside)),
        };
        let original = source.as_ref().filter(|_| arguments.in_place);
        let backup = original.map(|source| {
            let from = root.join(source);
            let mut to = from.clone().into_os_string();
            to.push(".bak");
            let to = PathBuf::from(to);
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
        let path = root.join(source);
        let inside = path.strip_prefix(&old).unwrap_or(Path::new(""));
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
            match std::fs::read(&path) {
                Ok(bytes) => add(place(&copy), bytes),
                Err(error) => {
                    complain(&format!("error: cannot read `{}`: {error}", path.display()));
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
    let outcome = match run.dry_run || refused {
        true => Ok(()),
        false => write(&written),
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
        let said = render(&conversion.diagnostics, &conversion.sources, Paint::Plain);
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
    let done: &[Planned] = if exit == Exit::Done { files } else { &[] };
    if run.json {
        let files: Vec<_> = done
            .iter()
            .map(|file| json!({ "path": shown(&file.written.path), "source": file.source }))
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
            Some(source) => format!("{} from {}", shown(&file.written.path), source.display()),
            None => format!("{} (new)", shown(&file.written.path)),
        })
        .collect();
    match lines.is_empty() && exit == Exit::Done {
        true => print("nothing to convert", exit),
        false if lines.is_empty() => exit,
        false => print(&lines.join("\n"), exit),
    }
}
