//! Files of older formats, with the byte 0xff between them: what was converted
//! reads to the same values, unless it was said what is lost.

#![no_main]

use std::path::Path;

use tabella::convert::convert;
use tabella::import::import_project;
use tabella_fuzz::Folder;
use tabella_fuzz::errors;
use tabella_fuzz::meaning;
use tabella_fuzz::show;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    const NAMES: &[&str] = &[
        "domain.yml",
        "data/nlu.md",
        "data/stories.md",
        "data/nlu.json",
        "data/nlu.yml",
        "data/stories.yml",
        "data/responses.md",
    ];
    let parts = data.split(|byte| *byte == 0xff);
    let files = NAMES.iter().map(Path::new).zip(parts);
    let before = Folder::new("before", files.filter(|(_, part)| !part.is_empty()));
    let sources = before.sources();
    let mut conversion = convert(&sources).expect("files can be read");
    show(&conversion.diagnostics, &conversion.sources);
    let imported = import_project(&sources).expect("files can be read");
    let is_loss = |code| ["W601", "E602"].contains(&code);
    let loses = conversion.diagnostics.iter().any(|one| is_loss(one.code));
    if loses || !errors(&imported.diagnostics).is_empty() {
        return;
    }
    // Rules that take over from policies are new.
    conversion
        .outputs
        .retain(|output| output.source.is_some() || output.path.ends_with(".json"));
    let outputs = conversion.outputs.iter().map(|output| {
        let path = output.path.strip_prefix(&before.path).expect("it is below");
        (path, output.bytes.as_slice())
    });
    let after = Folder::new("after", outputs);
    let sources = after.sources();
    let read = import_project(&sources).expect("files can be read");
    assert_eq!(errors(&read.diagnostics), Vec::<String>::new());
    let (one, other) = (meaning(&imported.project), meaning(&read.project));
    for part in ["domain", "nlu", "stories"] {
        assert_eq!(one[part], other[part], "{part}");
    }
    let again = convert(&sources).expect("files can be read");
    let changed = again.outputs.iter().find(|output| output.is_changed);
    assert!(changed.is_none(), "changes again: {changed:?}");
});
