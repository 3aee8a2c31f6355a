//! Places for tasks, on this machine and on others: how many tasks run at once.
//!
//! Where other machines run tasks, one that may be sent takes a place there, or, when
//! all of those are taken, one here that nobody else waits for: whichever is free
//! first. It runs once: what was sent is not begun here as well. While tasks that
//! might as well have been sent hold all places here, one that can only run here runs
//! beside them, so that no machine waits for what that gives.

use std::num::NonZeroUsize;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::engine::CancelFlag;

/// How often one who waits for a place looks whether to go on.
const PAUSE: Duration = Duration::from_millis(50);

/// Places of which only so many can be taken at once, by the tasks of one run, or of
/// several side by side.
#[derive(Debug)]
pub struct Places {
    /// How many there are here.
    here: usize,
    taken: Mutex<Taken>,
    changed: Condvar,
    /// How many there are elsewhere.
    there: usize,
}

#[derive(Debug, Default)]
struct Taken {
    here: usize,
    /// Those of them with tasks that might have been sent.
    lent: usize,
    /// Whether one runs beside those.
    beside: bool,
    there: usize,
    /// How many wait that can only run here.
    waiting: usize,
}

/// What kind of place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Here,
    Lent,
    Beside,
    There,
}

/// A place that is taken.
#[derive(Debug)]
pub(super) struct Place<'a> {
    places: &'a Places,
    kind: Kind,
}

/// The place of a task that may run here or elsewhere.
pub(super) enum Anywhere<'a, T> {
    /// Here, with the memory that it takes.
    Here(Place<'a>, T),
    /// Elsewhere.
    There(Place<'a>),
}

impl Places {
    /// Returns so many places here and elsewhere.
    pub fn new(here: NonZeroUsize, there: usize) -> Self {
        Self {
            here: here.get(),
            taken: Mutex::default(),
            changed: Condvar::new(),
            there,
        }
    }

    /// Returns how many there are in all.
    pub(super) fn count(&self) -> usize {
        self.here.saturating_add(self.there)
    }

    /// Waits for a place here; none if the run is cancelled before.
    pub(super) fn here(&self, cancel: &CancelFlag) -> Option<Place<'_>> {
        let mut taken = self.taken();
        taken.waiting += 1;
        let kind = loop {
            if cancel.is_set() {
                break None;
            }
            if taken.here < self.here {
                taken.here += 1;
                break Some(Kind::Here);
            }
            if taken.lent == self.here && !taken.beside {
                taken.beside = true;
                break Some(Kind::Beside);
            }
            taken = self.wait(taken);
        };
        taken.waiting -= 1;
        kind.map(|kind| Place { places: self, kind })
    }

    /// Waits for a place elsewhere, or for one here, if `fits` returns what a task needs
    /// to run here; none if the run is cancelled before.
    pub(super) fn anywhere<T>(
        &self,
        cancel: &CancelFlag,
        fits: &mut dyn FnMut() -> Option<T>,
    ) -> Option<Anywhere<'_, T>> {
        let place = |kind| Place { places: self, kind };
        let mut taken = self.taken();
        while !cancel.is_set() {
            if taken.there < self.there {
                taken.there += 1;
                return Some(Anywhere::There(place(Kind::There)));
            }
            let is_free = taken.here < self.here && taken.waiting == 0;
            if is_free && let Some(memory) = fits() {
                taken.here += 1;
                taken.lent += 1;
                return Some(Anywhere::Here(place(Kind::Lent), memory));
            }
            taken = self.wait(taken);
        }
        None
    }

    fn wait<'t>(&self, taken: MutexGuard<'t, Taken>) -> MutexGuard<'t, Taken> {
        let waited = self.changed.wait_timeout(taken, PAUSE);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match self.kind {
            Kind::Here => taken.here -= 1,
            Kind::Lent => {
                taken.here -= 1;
                taken.lent -= 1;
            }
            Kind::Beside => taken.beside = false,
            Kind::There => taken.there -= 1,
        }
        drop(taken);
        self.places.changed.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn places(here: usize, there: usize) -> Places {
        Places::new(NonZeroUsize::new(here).unwrap(), there)
    }

    /// Takes a place that must be free.
    fn anywhere(places: &Places) -> Place<'_> {
        let mut fits = || Some(());
        match places.anywhere(&CancelFlag::new(), &mut fits).unwrap() {
            Anywhere::Here(place, ()) | Anywhere::There(place) => place,
        }
    }

    /// Returns whether there is no place here at the moment.
    fn is_full(places: &Places) -> bool {
        let cancel = CancelFlag::new();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| places.here(&cancel).is_none());
            std::thread::sleep(2 * PAUSE);
            cancel.set();
            waits.join().unwrap()
        })
    }

    #[test]
    fn places_elsewhere_are_taken_first_and_then_those_here() {
        let places = places(2, 1);
        let all = [(); 3].map(|()| anywhere(&places));
        let kinds = all.each_ref().map(|place| place.kind);
        assert_eq!(kinds, [Kind::There, Kind::Lent, Kind::Lent]);
        drop(all);
        assert_eq!(anywhere(&places).kind, Kind::There);
    }

    #[test]
    fn one_that_can_only_run_here_runs_beside_those_that_took_all_places() {
        let places = places(2, 0);
        let _lent = [(); 2].map(|()| anywhere(&places));
        let beside = places.here(&CancelFlag::new()).unwrap();
        assert_eq!(beside.kind, Kind::Beside);
        assert!(is_full(&places));
        drop(beside);
        assert!(places.here(&CancelFlag::new()).is_some());
    }

    #[test]
    fn beside_those_that_can_only_run_here_there_is_no_room() {
        let places = places(2, 0);
        let _here = places.here(&CancelFlag::new()).unwrap();
        let _lent = anywhere(&places);
        assert!(is_full(&places));
    }

    #[test]
    fn what_does_not_fit_here_waits_for_a_place_elsewhere() {
        let places = places(1, 1);
        let there = anywhere(&places);
        let cancel = CancelFlag::new();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                let place = places.anywhere::<()>(&cancel, &mut || None);
                matches!(place, Some(Anywhere::There(_)))
            });
            drop(there);
            assert!(waits.join().unwrap());
        });
    }
}
