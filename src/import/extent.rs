//! How much of a project was read, and so what can be said about it.
//!
//! | | a file of the part has an error | one cannot be read at all |
//! |---|---|---|
//! | what stands there twice, or contradicts itself | is told | is told |
//! | entities, slots and forms that the domain does not have | are told | are not told, if it is the domain's |
//! | intents, actions and responses that it does not have | are told | are not told, if it is the domain's or the NLU data's |
//! | what nothing uses, or is too little | is not told | is not told |
//!
//! What has an error is left out, but its name is kept: so it can be missed where
//! it is used, and not where it is defined. NLU data define names, too: retrieval
//! intents with their actions, and responses.

use std::collections::HashMap;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::import::FileKind;
use crate::import::files::ReadFile;
use crate::import::format::Format;

/// How much of a part of a project was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// All that its files say.
    #[default]
    Whole,
    /// What has no error; of the rest, the names.
    Flawed,
    /// Not that much: there is a file of which nothing could be read.
    Lost,
}

/// How much of each part of a project was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    /// Of the config.
    pub config: Extent,
    /// Of the domain.
    pub domain: Extent,
    /// Of the NLU data.
    pub nlu: Extent,
    /// Of stories and rules, or of test stories.
    pub stories: Extent,
}

impl Extents {
    /// Returns whether no intent, action or response can be missing: those that the
    /// domain lists, and those that NLU data bring into it.
    pub fn have_all_names(&self) -> bool {
        self.domain.max(self.nlu) < Extent::Lost
    }

    /// Returns whether all that was read, apart from the config, had no error.
    pub fn are_whole(&self) -> bool {
        self.domain.max(self.nlu).max(self.stories) == Extent::Whole
    }

    /// Lowers the parts of which a file could not be read, as far as they were
    /// parsed.
    pub(super) fn lose(&mut self, files: &[ReadFile]) {
        for file in files {
            match file.format {
                Format::Broken => self.lower(&[], Extent::Lost),
                _ if !file.is_lost || file.input.kinds.is_empty() => {}
                _ => self.lower(&file.input.kinds, Extent::Lost),
            }
        }
    }

    /// Lowers the parts of which a file has an error. Where it is not known of
    /// which part a file is, it may be of any.
    pub(super) fn mar(&mut self, files: &[ReadFile], said: &[Diagnostic]) {
        let kinds_of = files
            .iter()
            .map(|file| (&*file.input.shown, &*file.input.kinds));
        let kinds_of: HashMap<&str, &[FileKind]> = kinds_of.collect();
        let of_files = files.iter().flat_map(|file| &file.diagnostics);
        let errors = of_files.chain(said);
        for error in errors.filter(|one| one.severity == Severity::Error) {
            let kinds = kinds_of.get(&*error.place.file).copied();
            self.lower(kinds.unwrap_or_default(), Extent::Flawed);
        }
    }

    fn lower(&mut self, kinds: &[FileKind], to: Extent) {
        let all = [
            (&mut self.config, &[FileKind::Config] as &[FileKind]),
            (&mut self.domain, &[FileKind::Domain]),
            (&mut self.nlu, &[FileKind::Nlu]),
            (
                &mut self.stories,
                &[FileKind::Stories, FileKind::TestStories],
            ),
        ];
        for (extent, of) in all {
            if kinds.is_empty() || of.iter().any(|kind| kinds.contains(kind)) {
                *extent = to.max(*extent);
            }
        }
    }
}
