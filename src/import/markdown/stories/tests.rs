//! What becomes of Markdown stories, and what is said about them.

use serde_json::json;

use super::*;
use crate::data::Domain;
use crate::import::check::HasDomain;
use crate::import::stories::Names;

fn read_text(text: &str, purpose: Purpose) -> (Vec<Block>, Vec<String>) {
    let domain = Domain::default();
    let names = Names::new(&domain, HasDomain::No);
    let known = Known::new(&names);
    let mut reading = Reading::new("stories.md".into());
    let blocks = read(text, &mut reading, &known, purpose);
    let show = |d: &Diagnostic| format!("{} {}:{}", d.code, d.place.line, d.place.column);
    (blocks, reading.diagnostics.iter().map(show).collect())
}

fn items(block: &Block) -> Vec<String> {
    let entities = |utterance: &Utterance| {
        let mut shown = utterance.intent.clone().unwrap_or_default();
        for entity in utterance.entities.iter() {
            shown += &format!(" {}={}", entity.entity, entity.value);
        }
        if let Some(text) = &utterance.text {
            shown += &format!(" “{text}”");
        }
        shown
    };
    let event = |event: &Event| match event {
        Event::User(utterance) => format!("* {}", entities(utterance)),
        Event::Action(name) => format!("- {name}"),
        Event::Slot { name, value } => format!("slot {name}={value}"),
        Event::ActiveLoop(name) => format!("loop {}", json!(name)),
        other => format!("{other:?}"),
    };
    let item = |item: &Item| match item {
        Item::Event(it, place) => format!("{}:{} {}", place.line, place.column, event(it)),
        Item::Or(events, _) => {
            let events = events.iter().map(|(it, _)| event(it));
            events.collect::<Vec<_>>().join(" | ")
        }
        Item::Checkpoint(name) => format!("> {name}"),
    };
    block.items.iter().map(item).collect()
}

#[test]
fn every_line_becomes_what_it_says() {
    let text = "# All stories\n## a story ##\n> start{\"x\": 1} <!-- first -->\n> other\n\
        * ask{\"dish\": [\"a\", \"b\"], \"n\": 2}\n  - utter_ask\n  - slot{\"z\": null, \"b\": [1]}\n\
        * form: inform\n    - form: slot{\"x\": 1}\n  - form{\"name\": \"f\"}\n  - active_loop{\"name\": null}\n\
        > middle\n* yes OR no{\"e\": \"v\"}\n  - action_deactivate_form\n\
        >> a rule\n- ...\n* /bye@0.9\n- utter_bye\n";
    let (blocks, said) = read_text(text, Purpose::Training);
    assert_eq!(said, ["W413 14:5"]);
    let names: Vec<(&str, bool)> = blocks.iter().map(|b| (&*b.name, b.is_rule)).collect();
    assert_eq!(names, [("a story", false), ("a rule", true)]);
    assert_eq!(blocks[0].place.to_string(), "stories.md:2:4");
    let starts: Vec<&str> = blocks[0].starts.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(starts, ["start", "other"]);
    assert_eq!(blocks[0].starts[0].conditions["x"], json!(1));
    assert_eq!(
        items(&blocks[0]),
        [
            r#"5:3 * ask dish="a" dish="b" n=2"#,
            "6:5 - utter_ask",
            "7:10 slot z=null",
            "7:21 slot b=[1]",
            r#"10:18 loop "f""#,
            "11:25 loop null",
            "> middle",
            r#"* yes | * no e="v""#,
            "14:5 - action_deactivate_loop",
        ]
    );
    assert_eq!(
        items(&blocks[1]),
        ["16:3 - ...", "17:3 * bye", "18:3 - utter_bye"]
    );
}

#[test]
fn comments_over_lines_are_left_out() {
    let text = "<!-- ## old\n* a\n  - b\n<!-- c\n-->\n## new\n* a <!-- x -->\n  - b\n";
    let (blocks, said) = read_text(text, Purpose::Training);
    assert_eq!((blocks.len(), said), (1, vec![]));
    assert_eq!(items(&blocks[0]), ["7:3 * a", "8:5 - b"]);
    let (blocks, said) = read_text("## a\n* b\n - c\n <!-- d\n## e\n* f", Purpose::Training);
    assert_eq!((blocks.len(), said), (1, vec!["W427 4:2".to_owned()]));
}

#[test]
fn tests_keep_their_texts() {
    let text =
        "## t\n* inform{\"a\": \"x: y\"}: to [Rome](city)\n* faq/b:/faq{\"n\": 1}\n* plain\n";
    let (blocks, said) = read_text(text, Purpose::Test);
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(
        items(&blocks[0]),
        [
            r#"2:3 * inform city="Rome" “to Rome”"#,
            r#"3:3 * faq/b n=1 “/faq{"n": 1}”"#,
            "4:3 * plain",
        ]
    );
    let (blocks, said) = read_text("## t\n* a: b\n* c: d\n- e\n", Purpose::Training);
    assert_eq!(items(&blocks[0]), ["2:3 * a", "3:3 * c", "4:3 - e"]);
    assert_eq!(said, ["W429 2:3"]);
}

#[test]
fn mistakes_are_named_where_they_stand() {
    let check = |text: &str, want: &[&str]| {
        let (_, said) = read_text(text, Purpose::Training);
        assert_eq!(said, want, "{text}");
    };
    check("* a\n- b\n", &["E425 1:3"]);
    check("## a\n## b\n- c\n", &["W402 1:4"]);
    check("## a\n* b\n- slot{\"x\": }\n", &["E421 3:13"]);
    check(
        "## a\n* b\n- slot\n- form{}\n-\n",
        &["E421 3:3", "E421 4:3", "W414 5:2"],
    );
    check("## a\n* b{\"x\"}\n- c\nword\n", &["W423 2:8", "W426 4:1"]);
    check("## a\n* `b`\n* c `d\n", &["E420 2:1"]);
    check(
        "## a\n* b\n- restart\n> c{\"x\": 1}\n",
        &["W422 3:3", "W410 4:4"],
    );
    check(">> a\n> c\n* b\n", &["E411 2:3"]);
    check("## a\n* faq/b OR  OR c\n", &["W409 2:3", "W428 2:12"]);
}

#[test]
fn hostile_text_takes_linear_time() {
    for piece in [
        "<!--", "* a OR ", "- slot{", "`", ">", "## a\n", "* a{[", "[a]{",
    ] {
        let text = format!("## x\n* a: {}", piece.repeat(100_000));
        assert!(read_text(&text, Purpose::Test).0.len() <= 100_001);
    }
}
