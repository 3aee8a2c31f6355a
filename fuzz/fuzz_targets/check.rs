//! All files of a project, with the byte 0xff between them, through every check.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    const NAMES: &[&str] = &[
        "domain.yml",
        "data/nlu.yml",
        "data/stories.yml",
        "config.yml",
        "data/nlu.md",
        "data/stories.md",
        "data/nlu.json",
    ];
    let parts = data.split(|byte| *byte == 0xff);
    let files: Vec<(&str, &[u8])> = NAMES.iter().copied().zip(parts).collect();
    tabella_fuzz::check(&files);
});
