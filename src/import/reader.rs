//! Reads the files of a project in their order: configuration and domain, then NLU
//! data and stories by what those say.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::data::Config;
use crate::data::Domain;
use crate::data::Project;
use crate::data::StoryGraph;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::diagnostic::arrange;
use crate::import::DEFAULT_LANGUAGE;
use crate::import::Dialect;
use crate::import::Extent;
use crate::import::Extents;
use crate::import::FileKind;
use crate::import::ImportError;
use crate::import::Imported;
use crate::import::InputFile;
use crate::import::Looks;
use crate::import::Want;
use crate::import::blocks;
use crate::import::blocks::Cut;
use crate::import::check;
use crate::import::dialect::Signs;
use crate::import::domain;
use crate::import::files;
use crate::import::files::ReadFile;
use crate::import::format::Format;
use crate::import::found::Candidate;
use crate::import::json;
use crate::import::lookups;
use crate::import::named;
use crate::import::nlu;
use crate::import::reading::Reading;
use crate::import::repeats;
use crate::import::retrieval;
use crate::import::sections;
use crate::import::shelf::Shelf;
use crate::import::stories;
use crate::import::stories::Purpose;

/// Files that were read, and everything said about them so far.
pub struct Reader<'s> {
    shelf: Shelf<'s>,
    environment: &'s BTreeMap<String, String>,
    files: Vec<ReadFile>,
    lookups: Vec<InputFile>,
    /// Files that components name.
    named: Vec<InputFile>,
    diagnostics: Vec<Diagnostic>,
    /// The texts of all files that were parsed.
    sources: SourceMap,
    /// What could not be read at all.
    extents: Extents,
}

/// What must be known before NLU data and stories are read.
struct Heads {
    config: Config,
    domain: Domain,
    dialect: Dialect,
    has_domain: check::HasDomain,
}

impl<'s> Reader<'s> {
    /// Reads all candidates, in parallel.
    pub fn open(
        candidates: Candidate<'_>,
        shelf: Shelf<'s>,
        environment: &'s BTreeMap<String, String>,
    ) -> Result<Self, ImportError> {
        let (found, diagnostics) = candidates.finish();
        let files: Vec<ReadFile> = found
            .into_par_iter()
            .map(|found| files::read(found, shelf))
            .collect::<Result<_, _>>()?;
        let mut extents = Extents::default();
        extents.lose(&files);
        Ok(Self {
            shelf,
            environment,
            files,
            lookups: Vec::new(),
            named: Vec::new(),
            diagnostics,
            sources: SourceMap::default(),
            extents,
        })
    }

    /// Brings all parts of a project together.
    pub fn project(
        mut self,
        root: &Path,
        want: Want,
        language: Option<&str>,
    ) -> Result<Imported, ImportError> {
        let Heads {
            mut config,
            mut domain,
            dialect,
            has_domain,
        } = self.heads(want);
        self.named = named::find(&mut config.pipeline, root, self.shelf)?;
        let language = language.or(config.language.as_deref());
        let language = language.unwrap_or(DEFAULT_LANGUAGE);
        self.open_examples(root, language)?;
        let names = stories::Names::new(&domain, has_domain);
        let (parts, blocks) = self.data(want, &names, Purpose::Training);
        let mut nlu = self.nlu(parts, root)?;
        let mut stories = StoryGraph::default();
        if want != Want::Nlu {
            retrieval::sync(&mut domain, &mut nlu, dialect);
            if self.extents.have_all_names() {
                self.say(retrieval::unanswered(&domain, &nlu));
            }
            stories = self.stories(blocks);
            retrieval::add_bot_texts(&mut domain, &stories);
            let extents = self.extents();
            let texts = &self.sources;
            let said = check::check(&domain, &nlu, &stories, has_domain, extents, texts);
            self.say(said);
        } else {
            retrieval::take_responses(&domain, &mut nlu);
            retrieval::fill_responses(&mut nlu);
            domain = Domain {
                store_entities_as_slots: true,
                ..Domain::default()
            };
        }
        let project = Project {
            config,
            domain,
            nlu: nlu.data,
            stories,
        };
        Ok(Imported {
            dialect,
            ..self.finish(project)
        })
    }

    /// Reads the configuration and the domain, one tree at a time in each thread.
    fn heads(&mut self, want: Want) -> Heads {
        let environment = self.environment;
        self.files
            .sort_by_key(|file| (file.domain_rank, file.input.path.clone()));
        let files = self.files.iter_mut();
        let files = files.filter(|file| file.is(FileKind::Config) || file.is(FileKind::Domain));
        let heads: Vec<sections::Head> = files::each(files.collect(), |file| {
            file.parse(environment);
            sections::look_for_traps(file, want);
            sections::head(file)
        });
        self.files.sort_by(|a, b| a.input.path.cmp(&b.input.path));
        let signs = heads.iter().map(|head| head.signs);
        let dialect = signs.fold(Signs::default(), Signs::and).dialect();
        self.extents.lose(&self.files);
        let mut config = None;
        let mut parts = Vec::with_capacity(heads.len());
        let mut has_sections = false;
        for head in heads {
            has_sections |= head.has_sections;
            config = config.or(head.config);
            parts.extend(head.domain);
        }
        if parts.iter().any(|part| part.is_short) {
            self.extents.domain = Extent::Lost;
        }
        let has_domain = match has_sections && self.extents.domain < Extent::Lost {
            true => check::HasDomain::Yes,
            false => check::HasDomain::No,
        };
        let (domain, diagnostics) = domain::merge(parts, dialect, has_domain);
        self.diagnostics.extend(diagnostics);
        Heads {
            config: config.unwrap_or_default(),
            domain,
            dialect,
            has_domain,
        }
    }

    /// Reads the NLU data and the stories of all files, one tree at a time in each
    /// thread; JSON was parsed when its format was looked for.
    pub fn data(
        &mut self,
        want: Want,
        names: &stories::Names<'_>,
        purpose: Purpose,
    ) -> (Vec<nlu::NluPart>, Vec<Cut>) {
        let environment = self.environment;
        let parts = files::each(self.files.iter_mut().collect(), |file| {
            if file.is_unparsed() {
                file.parse(environment);
                sections::look_for_traps(file, want);
            }
            let mut reading = Reading::new(file.input.shown.clone());
            let part = sections::nlu_part(file, &mut reading);
            let blocks = match want {
                Want::Nlu => Vec::new(),
                Want::All | Want::Core => sections::blocks_of(file, &mut reading, names, purpose),
            };
            file.close();
            file.diagnostics.append(&mut reading.diagnostics);
            (part, blocks)
        });
        self.extents.lose(&self.files);
        let mut room = files::KEPT;
        for file in &mut self.files {
            file.move_source(self.shelf, &mut room, &mut self.sources);
        }
        let mut nlu = Vec::with_capacity(parts.len());
        let mut stories = Vec::new();
        for (part, blocks) in parts {
            nlu.extend(part);
            stories.extend(blocks);
        }
        (nlu, stories)
    }

    /// Takes what was said elsewhere.
    pub fn say(&mut self, diagnostics: Vec<Diagnostic>) {
        self.diagnostics.extend(diagnostics);
    }

    /// Returns how much was read, as far as it was said yet.
    pub fn extents(&self) -> Extents {
        let mut extents = self.extents;
        extents.mar(&self.files, &self.diagnostics);
        extents
    }

    fn nlu(&mut self, parts: Vec<nlu::NluPart>, root: &Path) -> Result<nlu::NluPart, ImportError> {
        self.diagnostics.extend(repeats::repeated(&parts));
        let (mut nlu, diagnostics) = nlu::merge(parts);
        self.diagnostics.extend(diagnostics);
        let (files, diagnostics) = lookups::fill(&mut nlu, root, self.shelf)?;
        self.lookups = files;
        self.diagnostics.extend(diagnostics);
        Ok(nlu)
    }

    /// Gives each file of Dialogflow the file beside it with its examples or
    /// entries in a language.
    fn open_examples(&mut self, root: &Path, language: &str) -> Result<(), ImportError> {
        let paths = self.files.iter().map(|file| file.input.path.clone());
        let known: HashMap<PathBuf, usize> = paths.zip(0..).collect();
        for index in 0..self.files.len() {
            let file = &self.files[index];
            let Format::Json(kind) = file.format else {
                continue;
            };
            let path = &file.input.path;
            let Some(beside) = json::examples_path(path, kind, language) else {
                continue;
            };
            let at = match known.get(&beside) {
                Some(at) => *at,
                None if self.shelf.has_file(&beside) => {
                    self.files
                        .push(files::read_beside(&beside, root, self.shelf)?);
                    self.files.len() - 1
                }
                None => {
                    let shown = file.input.shown.clone();
                    let about = json::no_examples(shown, path, kind, language, known.keys());
                    self.diagnostics.push(about);
                    continue;
                }
            };
            let found = &mut self.files[at];
            found.input.kinds = vec![FileKind::Nlu];
            self.files[index].examples = Some(json::Examples {
                file: self.files[at].input.shown.clone(),
                root: self.files[at].root.take(),
            });
        }
        Ok(())
    }

    /// Returns the stories of all files.
    pub fn stories(&mut self, blocks: Vec<Cut>) -> StoryGraph {
        let (graph, diagnostics) = blocks::graph(blocks);
        self.diagnostics.extend(diagnostics);
        graph
    }

    /// Returns a project with all that was said about it.
    pub fn finish(self, project: Project) -> Imported {
        let extents = self.extents();
        let mut environment = BTreeMap::new();
        let mut diagnostics = self.diagnostics;
        let mut files = self.lookups;
        files.extend(self.named);
        for file in self.files {
            environment.extend(file.environment);
            diagnostics.extend(file.diagnostics);
            files.push(file.input);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        arrange(&mut diagnostics);
        Imported {
            project,
            files,
            diagnostics,
            sources: self.sources,
            environment,
            looks: Looks::default(),
            dialect: Dialect::default(),
            extents,
        }
    }
}
