//! Splits stories.

use crate::convert::emit::Tree;
use crate::convert::lines::VERSION;
use crate::convert::source::Piece;
use crate::convert::source::Source;
use crate::convert::split::Split;
use crate::convert::split::SplitOptions;
use crate::convert::split::place;
use crate::convert::split::sides;

/// Splits the stories of all files.
///
/// A story is known by its steps: another name is no other story.
pub fn split(files: &[Source], options: &SplitOptions) -> Split {
    let mut stories = Vec::new();
    let mut fixed = Vec::new();
    let mut rules = Vec::new();
    for source in files {
        for block in blocks(source, "stories") {
            let tree = Tree::piece(source, block);
            match joins(source, block) {
                true => fixed.push(tree),
                false => stories.push((place(options, &steps(&tree)), tree)),
            }
        }
        let blocks = blocks(source, "rules").iter();
        rules.extend(blocks.map(|block| Tree::piece(source, block)));
    }
    stories.sort_by_key(|(_, tree)| tree.flow());
    let places: Vec<u64> = stories.iter().map(|(place, _)| *place).collect();
    let sides = sides(&places, options.training_fraction);
    let (mut training, mut test) = (fixed, Vec::new());
    for ((_, tree), trains) in stories.into_iter().zip(sides) {
        if trains { &mut training } else { &mut test }.push(tree);
    }
    for list in [&mut training, &mut rules] {
        list.sort_by_key(Tree::flow);
    }
    Split {
        training_count: training.len(),
        test_count: test.len(),
        files: vec![
            (
                "training_stories.yml".to_owned(),
                text(&[("stories", &training), ("rules", &rules)]),
            ),
            ("test_stories.yml".to_owned(), text(&[("stories", &test)])),
        ],
        ..Split::default()
    }
}

fn blocks<'s>(source: &'s Source, section: &str) -> &'s [Piece] {
    let list = source.get(&source.root, section);
    list.map(Piece::items).unwrap_or_default()
}

/// Returns whether a story begins or ends in a checkpoint.
fn joins(source: &Source, block: &Piece) -> bool {
    let steps = source.get(block, "steps").map(Piece::items);
    let mut steps = steps.unwrap_or_default().iter();
    steps.any(|step| source.get(step, "checkpoint").is_some())
}

/// Returns the steps of a story as text.
fn steps(story: &Tree) -> String {
    match story {
        Tree::Map(entries) => {
            let steps = entries.iter().find(|(key, _)| key == "steps");
            steps.map(|(_, steps)| steps.flow()).unwrap_or_default()
        }
        _ => String::new(),
    }
}

fn text(sections: &[(&str, &Vec<Tree>)]) -> String {
    let mut text = format!("version: \"{VERSION}\"\n");
    for (name, blocks) in sections.iter().filter(|(_, blocks)| !blocks.is_empty()) {
        let blocks = blocks.iter();
        let blocks: Vec<String> = blocks
            .map(|b| Tree::List(vec![b.clone()]).block(0))
            .collect();
        text.push_str(&format!("\n{name}:\n{}", blocks.join("\n")));
    }
    text
}
