//! What benches share: times, what child processes used, and numbers to make data of.

#![allow(dead_code)] // no bench needs all of it

use std::time::Instant;

/// Narrows the vector instructions to AVX2, if that was asked for by `avx2`.
pub fn narrow() {
    if std::env::args().any(|argument| argument == "avx2") {
        tabella::matrix::set_level(tabella::matrix::Level::Avx2);
    }
}

/// Returns the best of many times, in seconds.
pub fn best(mut work: impl FnMut()) -> f64 {
    let times = (0..60).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::MAX, f64::min)
}

/// Draws from a fixed sequence (SplitMix64).
pub struct Draw(pub u64);

impl Draw {
    /// Returns a number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % count as u64) as usize
    }
}

/// Returns the middle one.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[cfg(unix)]
fn usage() -> nix::sys::resource::Usage {
    nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)
        .expect("children can be asked for")
}

/// Returns what children that ended have used, in milliseconds of user and system.
#[cfg(unix)]
pub fn cpu_ms() -> f64 {
    use nix::sys::time::TimeValLike;
    let usage = usage();
    let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    us as f64 / 1e3
}

/// Returns the most memory that a child that ended has held.
#[cfg(unix)]
pub fn peak_mb() -> f64 {
    usage().max_rss() as f64 / 1024.0
}

#[cfg(not(unix))]
pub fn cpu_ms() -> f64 {
    f64::NAN
}

#[cfg(not(unix))]
pub fn peak_mb() -> f64 {
    f64::NAN
}
