//! Whether all that a witness stands on was handed to a remote cache: one that is
//! named later finds out what it lacks, once.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;

use crate::api::witness::Reader;
use crate::digest::Digest;
use crate::store::Renewal;
use crate::store::Store;
use crate::store::Witness;

/// A project by its name in the cache, with its folder.
pub type NamedProject = (String, PathBuf);

/// Notes in the witnesses of projects that all results were handed to the remote
/// cache `to`.
pub fn note_handed(store: &Store, projects: &[NamedProject], to: Digest) {
    let noted = projects.iter().filter_map(|(name, root)| {
        let witness = store.witness(name)?;
        let mut testimony = Reader::new(witness.looks(), root)?.testimony()?;
        testimony.handed_to = Some(to);
        let packed = testimony.packed(root);
        Some((witness, packed))
    });
    let (witnesses, packed): (Vec<Witness>, Vec<Vec<u8>>) = noted.unzip();
    let renewals = witnesses.iter().zip(packed.into_iter().map(Some));
    let renewals: Vec<Renewal<'_>> = renewals.collect();
    store.renew_witnesses(&renewals);
}

/// Returns the keys of results of which the project's witness says that they were
/// handed to the remote cache `to`.
pub fn handed(store: &Store, project: &str, root: &Path, to: Digest) -> HashSet<Digest> {
    let witness = store.witness(project);
    let is_there = |witness: &Witness| {
        let mut reader = Reader::new(witness.looks(), root)?;
        reader.outcome()?;
        reader.handed_to()?
    };
    let found = witness.filter(|witness| is_there(witness) == Some(to));
    found.map_or(HashSet::new(), |found| {
        found.results().into_iter().collect()
    })
}
