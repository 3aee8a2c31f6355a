//! What `tabella cache` tells a person.

use std::fmt::Write;
use std::path::Path;

use crate::api::CacheCheck;
use crate::api::CacheExport;
use crate::api::CacheStats;
use crate::api::HitRate;
use crate::api::RecheckReport;
use crate::api::RecheckVerdict;
use crate::api::Sample;
use crate::cli::amounts::Count;
use crate::cli::amounts::shown_size;
use crate::digest::Digest;
use crate::store::CacheLimits;
use crate::store::Cleared;
use crate::store::Collected;
use crate::store::Imported;

/// Problems and files that are listed one by one; the rest is counted.
const LISTED: usize = 20;

/// What is in the cache.
pub fn stats(stats: &CacheStats) -> String {
    let mut text = format!("{}\n", stats.folder.display());
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    line(
        "holds",
        format!(
            "{}, {}, {} ({} on disk)",
            Count(stats.results, "result"),
            Count(stats.blobs, "blob"),
            shown_size(stats.bytes),
            shown_size(stats.disk_bytes)
        ),
    );
    line("may hold", limits(&stats.limits));
    line("hit rate", hit_rate(&stats.recent_runs));
    if stats.results == 0 {
        return text.trim_end().to_owned();
    }
    let _ = writeln!(text, "  last used");
    for group in stats.ages.iter().filter(|group| group.results > 0) {
        let when = match group.within_days {
            Some(0) => "today".to_owned(),
            Some(days) => format!("within {days} days"),
            None => "before".to_owned(),
        };
        row(
            &mut text,
            group.bytes,
            &format!("{when}: {}", Count(group.results, "result")),
        );
    }
    let _ = writeln!(text, "  by kind");
    for kind in &stats.kinds {
        row(
            &mut text,
            kind.bytes,
            &format!("{}: {}", kind.kind, Count(kind.results, "result")),
        );
    }
    let _ = writeln!(text, "  largest");
    for output in &stats.largest {
        row(
            &mut text,
            output.bytes,
            &format!("`{}` of {}", output.output, output.kind),
        );
    }
    text.trim_end().to_owned()
}

fn row(text: &mut String, bytes: u64, what: &str) {
    let _ = writeln!(text, "    {:>9}  {what}", shown_size(bytes));
}

fn limits(limits: &CacheLimits) -> String {
    match (limits.max_bytes, limits.max_age_days) {
        (Some(bytes), Some(days)) => format!(
            "{}, each {} after its last use",
            shown_size(bytes),
            Count(days as usize, "day")
        ),
        (Some(bytes), None) => format!("{}, for any time", shown_size(bytes)),
        (None, Some(days)) => {
            format!(
                "any size, each {} after its last use",
                Count(days as usize, "day")
            )
        }
        (None, None) => "anything, for any time".to_owned(),
    }
}

fn hit_rate(rate: &HitRate) -> String {
    if rate.tasks == 0 {
        return "no run is recorded yet".to_owned();
    }
    let percent = rate.hits * 100 / rate.tasks;
    format!(
        "{percent} % ({} of {} tasks in {} that had something to do)",
        rate.hits,
        rate.tasks,
        Count(rate.runs, "run")
    )
}

/// What a check found.
pub fn check(check: &CacheCheck, sample: Option<Sample>) -> String {
    let found = &check.verification;
    let mut text = format!(
        "checked {} and {}, {}: ",
        Count(found.results, "result"),
        Count(found.blobs, "blob"),
        shown_size(found.bytes)
    );
    match found.problems.len() {
        0 => text.push_str("all sound\n"),
        count => {
            let _ = writeln!(text, "{}", Count(count, "problem"));
        }
    }
    list(&mut text, found.problems.iter().map(ToString::to_string));
    if check.is_repaired {
        text.push_str("what was bad has been dropped; the next training makes it again\n");
    } else if !found.problems.is_empty() {
        text.push_str("`tabella cache verify --repair` drops what is bad\n");
    }
    let left = &found.leftovers;
    let mut parts = Vec::new();
    if left.blobs > 0 {
        parts.push(Count(left.blobs, "blob").to_string());
    }
    if left.files > 0 {
        parts.push(Count(left.files, "file").to_string());
    }
    if !parts.is_empty() {
        let (parts, size) = (parts.join(" and "), shown_size(left.bytes));
        let _ = writeln!(
            text,
            "{parts} of no use, {size}: `tabella cache gc` removes them"
        );
    }
    if let Some(sample) = sample {
        reruns(&mut text, &check.reruns, sample);
    }
    unknown(&mut text, &left.unknown);
    text.trim_end().to_owned()
}

fn reruns(text: &mut String, reruns: &[RecheckReport], Sample { percent, seed }: Sample) {
    if reruns.is_empty() {
        text.push_str("no task of this project has a result in the cache: nothing ran again\n");
        return;
    }
    let is_same = |rerun: &&RecheckReport| rerun.verdict == RecheckVerdict::Same;
    let (same, all) = (reruns.iter().filter(is_same).count(), reruns.len());
    let tasks = Count(all, "task");
    let _ = match same == all {
        true => writeln!(
            text,
            "ran {tasks} again ({percent} %, seed {seed}): the same outputs as in the cache"
        ),
        false => writeln!(
            text,
            "ran {tasks} again ({percent} %, seed {seed}): {} differ",
            all - same
        ),
    };
    list(text, reruns.iter().flat_map(told));
    if same < all {
        text.push_str(
            "a result that differs was tampered with, or its task does not give the same each \
             time, which is a bug in Tabella\n",
        );
    }
}

/// What is to be said of a task that ran again: nothing if it gave the same.
fn told(rerun: &RecheckReport) -> Vec<String> {
    let digest = |digest: Option<Digest>| {
        digest.map_or("nothing".to_owned(), |digest| format!("`{digest}`"))
    };
    let mut lines: Vec<String> = rerun
        .different
        .iter()
        .map(|output| {
            format!(
                "{}: `{}` is {} in the cache and {} now",
                rerun.task,
                output.output,
                digest(output.stored),
                digest(output.again)
            )
        })
        .collect();
    if let Some(message) = &rerun.message {
        lines.push(format!("{}: {message}", rerun.task));
    }
    lines
}

/// What was removed, or would be.
pub fn collected(collected: &Collected, limits: &CacheLimits, dry_run: bool) -> String {
    let gone = collected.too_old + collected.too_much;
    let verb = if dry_run { "would drop" } else { "dropped" };
    let mut why = Vec::new();
    if let (Some(days), 1..) = (limits.max_age_days, collected.too_old) {
        let days = Count(days as usize, "day");
        why.push(format!(
            "{} not used for more than {days}",
            collected.too_old
        ));
    }
    if let (Some(bytes), 1..) = (limits.max_bytes, collected.too_much) {
        why.push(format!(
            "{} beyond {}",
            collected.too_much,
            shown_size(bytes)
        ));
    }
    let why = match why.is_empty() {
        true => String::new(),
        false => format!(" ({})", why.join(", ")),
    };
    let bytes = collected.blob_bytes + collected.orphan_bytes + collected.witness_bytes;
    let bytes = shown_size(bytes);
    let mut parts = Vec::new();
    if gone > 0 {
        parts.push(format!("{}{why}", Count(gone, "result")));
    }
    if collected.witnesses > 0 {
        let number = Count(collected.witnesses, "record");
        parts.push(format!("{number} of last runs"));
    }
    if collected.blobs > 0 {
        parts.push(Count(collected.blobs, "blob").to_string());
    }
    if collected.orphans > 0 {
        parts.push(format!(
            "{} that nothing names",
            Count(collected.orphans, "file")
        ));
    }
    let mut text = match parts.is_empty() {
        true => "nothing to drop\n".to_owned(),
        false => format!("{verb} {}: {bytes}\n", parts.join(", ")),
    };
    let _ = writeln!(
        text,
        "kept {}, {}; {} of them needed by this project",
        Count(collected.results_kept, "result"),
        shown_size(collected.bytes_kept),
        collected.results_needed
    );
    if limits
        .max_bytes
        .is_some_and(|bytes| collected.bytes_kept > bytes)
    {
        text.push_str("that is more than the limit, but this project needs it\n");
    }
    text.trim_end().to_owned()
}

/// What was exported.
pub fn exported(export: &CacheExport, file: &Path) -> String {
    let mut text = format!(
        "wrote {}: {} of {} tasks, {}, {}\ncontent {}",
        file.display(),
        export.tasks - export.missing.len(),
        export.tasks,
        Count(export.file.blobs, "blob"),
        shown_size(export.file.bytes),
        export.file.content
    );
    if export.damaged > 0 {
        let damaged = Count(export.damaged, "damaged result");
        let _ = write!(text, "\nleft out {damaged}: see `tabella cache verify`");
    }
    if !export.missing.is_empty() {
        text.push_str("\nnot in the cache (train first to have them):\n");
        list(&mut text, export.missing.iter().cloned());
    }
    text.trim_end().to_owned()
}

/// What was imported.
pub fn imported(imported: &Imported, file: &Path) -> String {
    let mut text = format!(
        "took over {} of {} from {} ({} known already)\ncontent {}",
        imported.new,
        Count(imported.file.results, "result"),
        file.display(),
        imported.known,
        imported.file.content
    );
    if !imported.different.is_empty() {
        text.push_str(
            "\nours differ and were kept (`tabella cache verify --rerun` tells which is right):\n",
        );
        let lines = imported
            .different
            .iter()
            .map(|(kind, key)| format!("{kind}: `{key}`"));
        list(&mut text, lines);
    }
    text.trim_end().to_owned()
}

/// What was removed as a whole.
pub fn cleared(cleared: &Cleared, folder: &str) -> String {
    if cleared.files == 0 && cleared.unknown.is_empty() {
        return format!("there is no cache: {folder}");
    }
    let mut text = format!(
        "removed {}, {}: {folder}\n",
        Count(cleared.files, "file"),
        shown_size(cleared.bytes)
    );
    unknown(&mut text, &cleared.unknown);
    text.trim_end().to_owned()
}

fn unknown(text: &mut String, paths: &[std::path::PathBuf]) {
    if !paths.is_empty() {
        text.push_str("not the cache's own, left alone:\n");
        list(text, paths.iter().map(|path| path.display().to_string()));
    }
}

/// Writes a line for each, up to [`LISTED`].
fn list(text: &mut String, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    for line in lines.iter().take(LISTED) {
        let _ = writeln!(text, "  {line}");
    }
    if lines.len() > LISTED {
        let _ = writeln!(text, "  and {} more", lines.len() - LISTED);
    }
}
