//! What child processes used.

#![allow(dead_code)] // no bench needs all of it

/// Returns the middle one.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[cfg(unix)]
fn usage() -> nix::sys::resource::Usage {
    nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap()
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
