//! Reads the sections of one file that was parsed, whatever its format.

use crate::data::Config;
use crate::import::FileKind;
use crate::import::Want;
use crate::import::blocks;
use crate::import::blocks::Cut;
use crate::import::blocks::Or;
use crate::import::config;
use crate::import::dialect::Signs;
use crate::import::domain;
use crate::import::domain::DomainPart;
use crate::import::files::ReadFile;
use crate::import::format::Format;
use crate::import::json;
use crate::import::markdown;
use crate::import::nlu;
use crate::import::nlu::NluPart;
use crate::import::reading::Reading;
use crate::import::stories;
use crate::import::stories::Known;
use crate::import::stories::Names;
use crate::import::stories::Purpose;
use crate::import::written;

/// What a file says of configuration and domain.
pub struct Head {
    /// The configuration, if it is one.
    pub config: Option<Config>,
    /// Its part of the domain, if it has one.
    pub domain: Option<DomainPart>,
    /// What it says about the version that it was written for.
    pub signs: Signs,
    /// Whether there is something in a file of the domain.
    pub has_sections: bool,
}

/// Reads configuration and domain, and drops a tree that holds nothing more.
pub fn head(file: &mut ReadFile) -> Head {
    let mut head = Head {
        config: None,
        domain: None,
        signs: Signs::default(),
        has_sections: false,
    };
    let Some(root) = &file.root else {
        return head;
    };
    let mut reading = Reading::new(file.input.shown.clone());
    if file.is(FileKind::Config) {
        head.config = Some(config::read(root, &mut reading));
        head.signs = Signs::of_config(root);
    }
    if file.is(FileKind::Domain) {
        let mut part = domain::read(root, &mut reading);
        part.group = file.domain_group;
        head.signs = head.signs.and(part.signs);
        head.has_sections = !root.entries().is_empty();
        head.domain = Some(part);
    }
    file.diagnostics.append(&mut reading.diagnostics);
    let others = [FileKind::Nlu, FileKind::Stories, FileKind::TestStories];
    if !others.into_iter().any(|kind| file.is(kind)) {
        file.close();
    }
    head
}

/// Says what hardly means what it looks like, in a file that is read.
pub fn look_for_traps(file: &mut ReadFile, want: Want) {
    let of_core = [FileKind::Domain, FileKind::Stories, FileKind::TestStories];
    let is_read = file.is(FileKind::Nlu)
        || want != Want::Nlu && of_core.into_iter().any(|kind| file.is(kind));
    if let Some(root) = file.root.as_ref().filter(|_| is_read) {
        let mut reading = Reading::new(file.input.shown.clone());
        written::read(root, &mut reading);
        file.diagnostics.append(&mut reading.diagnostics);
    }
}

/// Returns the NLU data of a file, if it has some.
pub fn nlu_part(file: &mut ReadFile, reading: &mut Reading) -> Option<NluPart> {
    if !file.is(FileKind::Nlu) {
        return None;
    }
    match file.format {
        Format::Yaml => Some(nlu::read(file.root.as_mut()?, reading)),
        Format::Json(kind) => {
            let root = file.root.as_ref()?;
            Some(json::read(kind, root, file.examples.as_ref(), reading))
        }
        Format::Markdown(markdown::Kind::Responses) => {
            Some(markdown::read_responses(&file.text, reading))
        }
        Format::Markdown(_) => Some(markdown::read_nlu(&file.text, reading)),
        Format::Broken => None,
    }
}

/// Returns the stories and rules of a file, each cut when it was read.
pub fn blocks_of(
    file: &mut ReadFile,
    reading: &mut Reading,
    names: &Names<'_>,
    purpose: Purpose,
) -> Vec<Cut> {
    let mut cuts = Vec::new();
    if !file.is(FileKind::Stories) && !file.is(FileKind::TestStories) {
        return cuts;
    }
    let or = match purpose {
        Purpose::Training => Or::Copies,
        Purpose::Test => Or::OneEvent,
    };
    let known = &Known::new(names);
    let mut take = |block| cuts.push(blocks::cut(block, or));
    match (file.format, &mut file.root) {
        (Format::Yaml, Some(root)) => stories::read(root, reading, known, purpose, take),
        (Format::Markdown(markdown::Kind::Stories), _) => {
            let blocks = markdown::read_stories(&file.text, reading, known, purpose);
            blocks.into_iter().for_each(&mut take);
        }
        _ => {}
    }
    cuts
}
