//! Recipes for just, which has no time stamps: each recipe asks the program, which
//! is done at once when there is nothing to do.

use std::fmt::Write;

use crate::cli::rules::Target;
use crate::cli::rules::quote::in_just;

const HEAD: &str = "\
# Recipes for just, written by `tabella rules just`; `import` this file. Write it
# again when assistants come or go.

";

/// Returns a justfile.
pub fn rules(targets: &[Target], program: &str) -> String {
    let mut text = HEAD.to_owned();
    let _ = writeln!(text, "tabella := env(\"TABELLA\", {})\n", string(program));
    let all = |prefix: &str, is_one: &dyn Fn(&Target) -> bool| {
        let names = targets.iter().filter(|target| is_one(target));
        let names: Vec<String> = names.map(|target| recipe_name(prefix, target)).collect();
        names.join(" ")
    };
    let _ = write!(
        text,
        "# Trains all that is stale\n\
         tabella: {}\n\n\
         # Says what is stale, and why\n\
         tabella-status: {}\n\n\
         # Replays test stories\n\
         tabella-test: {}\n",
        all("tabella-train", &|_| true),
        all("tabella-status", &|_| true),
        all("tabella-test", &|target| target.has_tests)
    );
    for target in targets {
        let (project, flags) = (in_just(&target.project), in_just(&target.flags));
        let train = recipe_name("tabella-train", target);
        let _ = write!(
            text,
            "\n[private]\n{train}:\n    @{{{{tabella}}}} train --quiet {project} {}\n\
             \n[private]\n{}:\n    @{{{{tabella}}}} status {project} {flags}\n",
            in_just(&target.train_flags),
            recipe_name("tabella-status", target)
        );
        if target.has_tests {
            let _ = write!(
                text,
                "\n[private]\n{}: {train}\n    @{{{{tabella}}}} test core {project} --model {}\n",
                recipe_name("tabella-test", target),
                target.archive_from_anywhere()
            );
        }
    }
    text
}

/// Returns the name of a recipe: letters, digits, `-` and `_`.
fn recipe_name(prefix: &str, target: &Target) -> String {
    let mut name = format!("{prefix}-");
    for letter in target.name.chars() {
        match letter {
            '_' => name.push_str("__"),
            letter if letter.is_ascii_alphanumeric() || letter == '-' => name.push(letter),
            letter => {
                let _ = write!(name, "_{:x}-", letter as u32);
            }
        }
    }
    name
}

/// Returns a value as just writes it.
fn string(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
