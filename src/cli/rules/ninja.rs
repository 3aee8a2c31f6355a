//! Rules for ninja.
//!
//! What a training read is kept in ninja's own log (`deps`), and an archive that
//! stayed as it was makes nothing else stale (`restat`).

use std::fmt::Write;

use crate::cli::rules::Target;
use crate::cli::rules::quote::in_ninja;

const HEAD: &str = "\
# Rules for ninja, written by `tabella rules ninja`; `include` this file. Write it
# again when assistants come or go; what they read is found out by each training.
#
#   tabella          trains all that is stale
#   tabella-status   says what that is, and why
#   tabella-test     replays test stories

ninja_required_version = 1.7

";

/// Returns a ninja file.
pub fn rules(targets: &[Target], program: &str) -> String {
    let mut text = HEAD.to_owned();
    let _ = write!(
        text,
        "tabella = {}\n\
         tabella_flags = --quiet\n\n\
         rule tabella-train\n  \
         command = $tabella train $project $flags $tabella_flags --depfile $out.d --depfile-format ninja --depfile-target $out\n  \
         depfile = $out.d\n  \
         deps = gcc\n  \
         restat = 1\n  \
         description = train $name\n\n\
         rule tabella-status\n  \
         command = $tabella status $project $flags\n  \
         description = status of $name\n  \
         pool = console\n\n\
         rule tabella-test\n  \
         command = $tabella test core $project --model $model\n  \
         description = test $name\n  \
         pool = console\n\n",
        in_ninja(program)
    );
    for target in targets {
        let archive = target.archive();
        let train = format!("{archive}: tabella-train");
        statement(target, &train, &target.train_flags, &mut text);
        // Never there, so it always runs.
        statement(
            target,
            &format!("tabella-status-{}: tabella-status", target.name),
            &target.flags,
            &mut text,
        );
        if target.has_tests {
            let test = format!("tabella-test-{}: tabella-test {archive}", target.name);
            statement(target, &test, &target.flags, &mut text);
        }
    }
    let all = |name: &dyn Fn(&Target) -> Option<String>| {
        let names: Vec<String> = targets.iter().filter_map(name).collect();
        names.join(" ")
    };
    let archives = all(&|target| Some(target.archive()));
    let status = all(&|target| Some(format!("tabella-status-{}", target.name)));
    let tests = all(&|target| {
        target
            .has_tests
            .then(|| format!("tabella-test-{}", target.name))
    });
    let _ = write!(
        text,
        "build tabella: phony {archives}\n\
         build tabella-status: phony {status}\n\
         build tabella-test: phony {tests}\n"
    );
    text
}

fn statement(target: &Target, build: &str, flags: &str, text: &mut String) {
    let _ = write!(
        text,
        "build {build}\n  name = {}\n  project = {}\n  flags = {}\n  model = {}\n\n",
        target.name,
        in_ninja(&target.project),
        in_ninja(flags),
        in_ninja(&target.archive_from_anywhere())
    );
}
