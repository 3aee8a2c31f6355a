//! How long a run waits for a server beyond what is usual, in all.
//!
//! ```text
//!   call a  ├ usual ┤━━━━━━━━━┤
//!   call b     ├ usual ┤━━━━━━━━━━━┤
//!   cost            ├──────────────┤        while at least one is overdue
//! ```
//!
//! Calls that wait side by side cost what the run waits, not the sum of it.

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::timeout;

use crate::remote::line::locked;

/// What is left of the time that a run may wait beyond the usual.
pub(super) struct Patience {
    time: Duration,
    left: Mutex<Left>,
}

/// What is left, while calls are overdue.
struct Left {
    left: Duration,
    overdue_count: usize,
    /// When the first of them came to be.
    since: Instant,
}

impl Left {
    fn new(left: Duration, now: Instant) -> Self {
        Self {
            left,
            overdue_count: 0,
            since: now,
        }
    }

    /// Notes that one more call is overdue; returns how long it may be.
    fn begin(&mut self, now: Instant) -> Duration {
        if self.overdue_count == 0 {
            self.since = now;
        }
        self.overdue_count += 1;
        self.left.saturating_sub(now - self.since)
    }

    /// Notes that an overdue call is over.
    fn end(&mut self, now: Instant) {
        self.overdue_count -= 1;
        if self.overdue_count == 0 {
            self.left = self.left.saturating_sub(now - self.since);
        }
    }
}

/// A call that is overdue.
struct Overdue<'a>(&'a Patience);

impl Drop for Overdue<'_> {
    fn drop(&mut self) {
        locked(&self.0.left).end(Instant::now());
    }
}

impl Patience {
    /// Returns patience for so long.
    pub(super) fn new(time: Duration) -> Self {
        let left = Left::new(time, Instant::now());
        Self {
            time,
            left: Mutex::new(left),
        }
    }

    /// Begins anew, for another run. Nothing of the last one is waited for any more.
    pub(super) fn renew(&self) {
        locked(&self.left).left = self.time;
    }

    /// Waits for `work`, which usually takes no longer than `usual`; none when all
    /// patience is used up.
    pub(super) async fn wait<T>(
        &self,
        usual: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        if let Ok(done) = timeout(usual, &mut work).await {
            return Some(done);
        }
        let left = locked(&self.left).begin(Instant::now());
        let _overdue = Overdue(self);
        timeout(left, work).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_side_by_side_costs_once() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let seconds = Duration::from_secs;
        let mut left = Left::new(seconds(10), start);
        assert_eq!(left.begin(at(100)), seconds(10));
        assert_eq!(left.begin(at(102)), seconds(8));
        left.end(at(103));
        assert_eq!(left.begin(at(104)), seconds(6));
        left.end(at(105));
        left.end(at(106));
        // What lies between costs nothing.
        assert_eq!(left.begin(at(200)), seconds(4));
        left.end(at(300));
        assert_eq!(left.begin(at(400)), seconds(0));
    }
}
