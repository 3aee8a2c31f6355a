//! What an assistant reads, and where it looks for more.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::api::workspace::OpenWorkspace;
use crate::api::workspace::changes::absolute;
use crate::api::workspace::member::DOMAIN_FILE;
use crate::api::workspace::member::DOMAIN_FOLDER;
use crate::data::Member;
use crate::import::Looks;
use crate::import::Seen;

/// What an assistant reads: absolute paths, and whether what lies below counts,
/// as it does of folders that are searched and of what is not there.
pub struct Reads(pub BTreeMap<PathBuf, bool>);

impl Reads {
    /// Returns the paths that the workspace names, which a training does not look
    /// at if they are defaults that are not there.
    pub fn named(workspace: &OpenWorkspace, member: &Member) -> Self {
        let named = member.domain.iter().chain(&member.data);
        let named = named.chain([&member.config]);
        let paths = named.map(|path| {
            let path = absolute(&workspace.root.join(path));
            let is_missing = !path.exists();
            (path, is_missing)
        });
        let mut paths: BTreeMap<PathBuf, bool> = paths.collect();
        // For a default domain that is not there a folder would stand.
        let domain = member.folder.join(DOMAIN_FILE);
        if member.domain.contains(&domain)
            && paths.get(&absolute(&workspace.root.join(domain))) == Some(&true)
        {
            let instead = member.folder.join(DOMAIN_FOLDER);
            paths.insert(absolute(&workspace.root.join(instead)), true);
        }
        Self(paths)
    }

    /// Adds what an import looked at.
    pub fn add(&mut self, looks: &Looks) {
        for (path, look) in &looks.seen {
            let is_searched =
                matches!(look.seen, Seen::Entries(_) | Seen::Names(_) | Seen::Nothing);
            *self.0.entry(absolute(path)).or_default() |= is_searched;
        }
        for path in looks.links.keys() {
            // Of a link to nothing it is not known to what it led.
            *self.0.entry(absolute(path)).or_default() |= !path.exists();
        }
    }
}
