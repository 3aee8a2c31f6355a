//! `train --watch` on assistants of a workspace: a change trains those that read
//! it, new ones are found, mistakes end nothing.

#![cfg(unix)]

use serde_json::Value;

use crate::watch::Watching;
use crate::watch::ended;
use crate::workspace_commands::Place;
use crate::workspace_commands::WORKSPACE;

fn watch(place: &Place, words: &[&str]) -> Watching {
    let flags = ["train", "--watch", "--json-events", "-"];
    Watching::of(place.command(&[&flags[..], words].concat()))
}

/// The states of the assistants of the next round, and what is told before it.
#[track_caller]
fn round(watching: &mut Watching) -> (Vec<(String, String)>, Vec<String>) {
    let mut states = Vec::new();
    let mut told = Vec::new();
    loop {
        let event = watching.next().unwrap();
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        match event["event"].as_str().unwrap() {
            "assistant_finished" => states.push((text("assistant"), text("state"))),
            "told" if event["text"].to_string().contains("watching ") => {
                states.sort();
                return (states, told);
            }
            "told" => told.push(text("text")),
            _ => {}
        }
    }
}

fn states(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, state): &(&str, &str)| ((*name).to_owned(), (*state).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn a_change_trains_those_that_read_it() {
    let place = Place::new(WORKSPACE);
    let mut watching = watch(&place, &["--all"]);
    let both = states(&[("lemon", "trained"), ("plum", "trained")]);
    assert_eq!(round(&mut watching).0, both);

    place.replace("bots/plum/data/stories.yml", "greet", "bye");
    let (second, told) = round(&mut watching);
    assert_eq!(second, states(&[("plum", "trained")]));
    assert_eq!(told, ["changed bots/plum/data/stories.yml: plum"]);

    place.replace("shared/nlu.yml", "see you", "see you soon");
    let (third, told) = round(&mut watching);
    assert_eq!(third, both);
    assert_eq!(told, ["changed shared/nlu.yml: lemon, plum"]);

    // A mistake ends nothing, and the other is left alone.
    place.replace("bots/lemon/domain.yml", "intents: []", "intents: {}");
    assert_eq!(round(&mut watching).0, states(&[("lemon", "failed")]));
    place.replace("bots/lemon/domain.yml", "intents: {}", "intents: []");
    assert_eq!(round(&mut watching).0, states(&[("lemon", "up_to_date")]));

    let (code, last) = watching.interrupt();
    assert_eq!(
        (code, &last["event"]),
        (Some(130), &"watch_finished".into())
    );
}

#[test]
fn assistants_that_turn_up_or_are_listed_otherwise_are_trained() {
    let place = Place::new(WORKSPACE);
    let mut watching = watch(&place, &["--all"]);
    round(&mut watching);
    // First the folder, and later what makes it an assistant.
    place.write("bots/fig/data/stories.yml", "stories: []\n");
    place.write("bots/fig/domain.yml", "intents: []\n");
    let (second, _) = round(&mut watching);
    assert_eq!(second, states(&[("fig", "trained")]));

    // A workspace file that cannot be read ends nothing.
    place.replace("tabella.yml", "version: 1", "version: 2");
    place.replace("bots/plum/data/stories.yml", "greet", "bye");
    let (third, _) = round(&mut watching);
    assert_eq!(third, states(&[("plum", "trained")]));

    let workspace = WORKSPACE.replace(
        "[bots/*]",
        "[bots/lemon, {path: bots/plum, domain: bots/lemon/domain.yml}]",
    );
    place.write(
        "tabella.yml",
        &workspace.replace("domain: bots/lemon/", "domain: ../lemon/"),
    );
    let (fourth, _) = round(&mut watching);
    assert_eq!(fourth.len(), 1, "{fourth:?}");
    assert_eq!(fourth[0].0, "plum");
    assert_eq!(watching.interrupt().0, Some(130));
}

#[test]
fn a_table_that_several_read_is_watched_for_each() {
    let place = Place::new(WORKSPACE);
    place.write("shared/cities.txt", "Rome\nOslo\n");
    let nlu = "- lookup: city\n  examples: |\n    - ../../shared/cities.txt\n";
    let text = std::fs::read_to_string(place.path("shared/nlu.yml")).unwrap();
    place.write("shared/nlu.yml", &(text + nlu));
    place.run(&["train", "--all", "--quiet"]).ends(0);
    let mut watching = watch(&place, &["--all"]);
    // Known without being read, and watched all the same.
    let first = round(&mut watching).0;
    assert_eq!(
        first,
        states(&[("lemon", "up_to_date"), ("plum", "up_to_date")])
    );
    place.write("shared/cities.txt", "Rome\nOslo\nLima\n");
    let (second, told) = round(&mut watching);
    assert_eq!(second.len(), 2, "{second:?}");
    assert_eq!(told, ["changed shared/cities.txt: lemon, plum"]);
    assert_eq!(watching.interrupt().0, Some(130));
}

#[test]
fn a_watch_of_assistants_is_over_when_nobody_reads() {
    let place = Place::new(WORKSPACE);
    let mut watching = watch(&place, &["lemon"]);
    assert_eq!(watching.round()["outcome"], Value::from("done"));
    let Watching { child, events } = watching;
    drop(events);
    assert_eq!(ended(child), Some(0));
}

#[test]
fn a_watch_finds_out_by_itself_what_changed() {
    let place = Place::new(WORKSPACE);
    place
        .run(&["train", "--watch", "--since", "HEAD"])
        .ends(64)
        .says("finds out by itself");
    place
        .run(&["train", "--watch", "--workspace", "tabella.yml"])
        .ends(64)
        .says("needs names");
    place.run(&["train", "--watch", "lemmon"]).ends(64);
}
