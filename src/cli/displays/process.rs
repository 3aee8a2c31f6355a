//! What the process has used so far, as the operating system counts it.

use std::fs;
use std::time::Duration;

/// Memory and CPU time of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// The most memory that it had at once, in bytes; none where unknown.
    pub peak_bytes: Option<u64>,
    /// CPU time of all threads, of program and system; none where unknown.
    pub cpu: Option<Duration>,
}

/// Returns what the process has used since its start.
#[cfg(unix)]
pub fn usage() -> Usage {
    use nix::sys::resource::UsageWho;
    use nix::sys::resource::getrusage;
    use nix::sys::time::TimeValLike;
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Usage::default();
    };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Usage {
        peak_bytes: u64::try_from(usage.max_rss())
            .ok()
            .map(|count| count * unit),
        cpu: u64::try_from(micros).ok().map(Duration::from_micros),
    }
}

/// Returns nothing: this system is not asked.
#[cfg(not(unix))]
pub fn usage() -> Usage {
    Usage::default()
}

/// Returns how much memory the process has now, in bytes; where the system does
/// not say that, the most it has had.
pub fn in_use() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes
        .map(|count| count * 1024)
        .or_else(|| usage().peak_bytes)
        .unwrap_or(0)
}
