//! Rules for GNU make.
//!
//! Each archive has a stamp beside it, which says when it was last found to be up
//! to date, and which has what was read as prerequisites. The archive itself is
//! touched only when it changes: so make starts the program when an input is newer
//! than the stamp, and goes on to what reads the archive only if that is another
//! one. The stamp is as old as the start of the training: an edit meanwhile is
//! newer.

use std::fmt::Write;

use crate::cli::rules::Target;
use crate::cli::rules::quote::in_make;

const HEAD: &str = "\
# Rules for GNU make, written by `tabella rules make`; `include` this file. Write it
# again when assistants come or go; what they read is found out by each training.
#
#   tabella          trains all that is stale
#   tabella-status   says what that is, and why
#   tabella-test     replays test stories
#
# TABELLA_FLAGS are flags for each training.

";

/// Returns a fragment of a makefile.
pub fn rules(targets: &[Target], program: &str) -> String {
    let mut text = HEAD.to_owned();
    let _ = writeln!(text, "TABELLA ?= {}", in_make(program));
    text.push_str("TABELLA_FLAGS ?= --quiet\n");
    // Other flags may give another archive. Without its name, as in a folder with a
    // space, nothing is known of it.
    text.push_str("TABELLA_RULES := $(wildcard $(lastword $(MAKEFILE_LIST)))\n\n");
    // Without a list of what was read nobody knows whether that has changed.
    text.push_str(".PHONY: tabella tabella-status tabella-test tabella-unknown\n");
    let archives: Vec<String> = targets.iter().map(Target::archive).collect();
    let _ = writeln!(text, "tabella: {}\n", archives.join(" "));
    for target in targets {
        rule(target, &mut text);
    }
    text.push_str("tabella-status:\n");
    for target in targets {
        let (project, flags) = (in_make(&target.project), in_make(&target.flags));
        let _ = writeln!(text, "\t@$(TABELLA) status {project} {flags}");
    }
    text.push_str("\ntabella-test: tabella\n");
    for target in targets.iter().filter(|target| target.has_tests) {
        let project = in_make(&target.project);
        let _ = writeln!(
            text,
            "\t@$(TABELLA) test core {project} --model {}",
            in_make(&target.archive_from_anywhere())
        );
    }
    text
}

fn rule(target: &Target, text: &mut String) {
    let Target { name, folder, .. } = target;
    let archive = target.archive();
    let (stamp, depfile) = (target.beside("stamp"), target.beside("d"));
    let train = format!(
        "+@$(TABELLA) train {} {} $(TABELLA_FLAGS) --depfile {depfile} --depfile-target {stamp}",
        in_make(&target.project),
        in_make(&target.train_flags)
    );
    let _ = write!(
        text,
        "# {name}\n\
         {archive}: {stamp}\n\
         \t{}\n\
         {stamp}: $(TABELLA_RULES) $(if $(wildcard {depfile}),,tabella-unknown)\n\
         \t@mkdir -p {folder} && touch {stamp}.new\n\
         \t{train}\n\
         \t@mv {stamp}.new {stamp}\n\
         -include {depfile}\n\n",
        train.replacen("+@", &format!("+@test -e {archive} || "), 1)
    );
}
