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

/// A witness that a run has put, as it is known again: another process may have put its
/// own in its place meanwhile.
#[derive(Clone, Debug)]
pub struct PutWitness {
    /// The project's name in the cache.
    pub project: String,
    /// Its folder.
    pub root: PathBuf,
    /// The keys of the results that it stands on, sorted.
    pub results: Vec<Digest>,
}

/// Notes in witnesses, as far as they stand on the results that those stand on which
/// were put, that all these were handed to the remote cache `to`.
pub fn note_handed(store: &Store, put: &[PutWitness], to: Digest) {
    let noted = put.iter().filter_map(|put| {
        let witness = store.witness(&put.project)?;
        (witness.results() == put.results).then_some(())?;
        let mut testimony = Reader::new(witness.looks(), &put.root)?.testimony()?;
        testimony.handed_to = Some(to);
        let packed = testimony.packed(&put.root);
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
