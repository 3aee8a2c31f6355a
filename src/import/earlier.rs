//! What an earlier import looked at: a large file that is as it was then need not be
//! read again to know its digest.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::LazyLock;

use crate::import::Disks;
use crate::import::Look;
use crate::import::Looks;
use crate::import::Seen;
use crate::import::StampsProve;
use crate::import::Times;
use crate::import::Verdict;
use crate::import::clock_ns;

/// What an earlier import looked at, found out when it is first asked for; by default
/// nothing.
#[derive(Clone, Default)]
pub struct Earlier(Option<Arc<Told>>);

struct Told {
    looks: LazyLock<Looks, Box<dyn FnOnce() -> Looks + Send>>,
    rest_ns: i64,
    stamps_prove: StampsProve,
}

impl fmt::Debug for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_known = self.0.is_some();
        f.debug_struct("Earlier")
            .field("is_known", &is_known)
            .finish_non_exhaustive()
    }
}

impl Earlier {
    /// Returns what `looks` gives, judged by stamps of files that have been at rest for
    /// `rest_ns` nanoseconds, on disks where they prove something.
    pub fn new(
        looks: impl FnOnce() -> Looks + Send + 'static,
        rest_ns: i64,
        stamps_prove: StampsProve,
    ) -> Self {
        Self(Some(Arc::new(Told {
            looks: LazyLock::new(Box::new(looks)),
            rest_ns,
            stamps_prove,
        })))
    }

    /// Returns the look at a file whose bytes are those that were read then, as its stamp
    /// proves.
    pub fn look(&self, path: &Path) -> Option<Look> {
        let told = self.0.as_ref()?;
        let look = *told.looks.seen.get(path)?;
        let times = Times {
            now_ns: clock_ns(),
            rest_ns: told.rest_ns,
            disks: &Disks::new(told.stamps_prove),
        };
        let is_file = matches!(look.seen, Seen::Bytes(_));
        (is_file && look.verdict(path, &times) == Verdict::Same).then_some(look)
    }
}
