//! The end of a run with a remote cache: results that are still being uploaded.

use crate::api::Notice;
use crate::api::RunSettings;
use crate::api::witness::PutWitness;
use crate::api::witness::note_handed;
use crate::remote::RemoteCache;
use crate::remote::Uploaded;
use crate::store::RemoteStore;
use crate::store::Store;

/// Notes in witnesses that were put that the remote cache has all results, so that it
/// need not be asked when there is nothing to do.
pub fn note_all_handed(run: &RunSettings, store: &Store, put: &[PutWitness]) {
    if let Some(to) = run.handed_to() {
        note_handed(store, put, to);
    }
}

/// Waits for uploads, if there are any, and tells what became of them. Returns
/// whether results are uploaded, and all of them were.
pub fn hand_over(run: &RunSettings) -> bool {
    let Some(remote) = &run.remote else {
        return false;
    };
    let waited = remote.finish();
    for warning in remote.take_warnings() {
        run.observer.tell(Notice::Warning(warning.to_string()));
    }
    if let Some(notice) = told(remote, waited, run.cancel.is_set()) {
        run.observer.tell(notice);
    }
    waited.left == 0 && remote.takes_offers() && !run.cancel.is_set()
}

/// Returns the line on uploads: none where nothing was to be uploaded.
fn told(remote: &RemoteCache, uploaded: Uploaded, is_cancelled: bool) -> Option<Notice> {
    let all = uploaded.results + uploaded.left;
    let (at, left) = (remote.address(), uploaded.left);
    if all == 0 {
        return None;
    }
    if left == 0 {
        let mb = uploaded.bytes as f64 / 1e6;
        let text = format!("upload {all} results ({mb:.1} MB) to {at}");
        return Some(Notice::Info(text));
    }
    let seconds = remote.upload_wait().as_secs();
    let why = match (remote.takes_offers(), is_cancelled) {
        (true, false) => format!(" within {seconds} s"),
        _ => String::new(),
    };
    let text = format!("remote cache: {left} of {all} results were not uploaded to `{at}`{why}");
    Some(Notice::Warning(text))
}
