//! How fast bytes must come: the one place that knows what slow is.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::timeout;

use crate::remote::fault::Fault;

/// Fewer bytes a second than this are as good as none, over any time longer than
/// the time-out.
const RATE_MIN: u64 = 32 * 1024;

/// Watches a stream of bytes.
pub(super) struct Pace {
    timeout: Duration,
    since: Instant,
    received: u64,
}

impl Pace {
    /// Starts the clock.
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            since: Instant::now(),
            received: 0,
        }
    }

    /// Waits for the next step, for as long as the time-out.
    pub(super) async fn step<T>(&self, step: impl Future<Output = T>) -> Result<T, Fault> {
        timeout(self.timeout, step).await.map_err(|_| Fault::Slow)
    }

    /// Notes that bytes came; fails if they came too slowly up to now.
    pub(super) fn came(&mut self, bytes: usize) -> Result<(), Fault> {
        self.received += bytes as u64;
        let due = self
            .since
            .elapsed()
            .saturating_sub(self.timeout)
            .as_millis() as u64;
        match due * RATE_MIN / 1_000 > self.received {
            true => Err(Fault::Slow),
            false => Ok(()),
        }
    }
}

/// Returns how long it may take to send that many bytes and to be answered.
pub(super) fn sending_time(timeout: Duration, bytes: usize) -> Duration {
    timeout + Duration::from_millis(bytes as u64 * 1_000 / RATE_MIN)
}

/// How long looking up usually takes at most: once, and for each key.
const LOOK_UP_MS: [u64; 2] = [300, 10];

/// How long fetching a result usually takes at most, beside its bytes: once, and for
/// each blob, as an HTTP server is asked for one after the other.
const FETCH_MS: [u64; 2] = [300, 100];

/// Returns how long looking up that many keys usually takes at most.
pub(super) fn look_up_time(keys: usize) -> Duration {
    usual(LOOK_UP_MS, keys)
}

/// Returns how long fetching that many blobs usually takes at most.
pub(super) fn fetch_time(blobs: usize, bytes: u64) -> Duration {
    usual(FETCH_MS, blobs) + Duration::from_millis(bytes.saturating_mul(1_000) / RATE_MIN)
}

fn usual([once, each]: [u64; 2], count: usize) -> Duration {
    Duration::from_millis(once.saturating_add(each.saturating_mul(count as u64)))
}

/// Returns a time as messages write it.
pub(super) fn seconds(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        _ => format!("{} ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_slow_and_a_stream_is_not() {
        let mut pace = Pace::new(Duration::ZERO);
        pace.since -= Duration::from_secs(10);
        assert_eq!(pace.came(100_000), Err(Fault::Slow));
        assert_eq!(pace.came(1_000_000), Ok(()));
    }
}
