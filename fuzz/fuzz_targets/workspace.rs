//! A workspace file.

#![no_main]

use std::collections::BTreeMap;
use std::path::Path;

use tabella::import::import_workspace_text;
use tabella_fuzz::Folder;
use tabella_fuzz::show;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Patterns are looked up on the disk, and stay within the folder here.
    let has = |piece: &[u8]| data.windows(piece.len()).any(|window| window == piece);
    let leaves = data
        .windows(2)
        .any(|pair| pair[1] == b'/' && !pair[0].is_ascii_graphic());
    if leaves || data.starts_with(b"/") || has(b"..") || has(b"\"/") || has(b"'/") || has(b"\\") {
        return;
    }
    let files = ["bots/a/config.yml", "bots/b/config.yml", "shared.yml"];
    let files = files.map(|name| (Path::new(name), &b"language: en\n"[..]));
    let folder = Folder::new("workspace", files);
    let file = folder.path.join("tabella.yml");
    let read = import_workspace_text(&file, data, &BTreeMap::new()).expect("folders can be read");
    show(&read.diagnostics, &read.sources);
});
