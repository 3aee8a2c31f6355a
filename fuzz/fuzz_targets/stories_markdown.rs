//! Stories in Markdown.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let domain = tabella_fuzz::DOMAIN.as_bytes();
    let file = [&b"## story\n* greet\n  - utter_greet\n"[..], data].concat();
    tabella_fuzz::read(&[("domain.yml", domain), ("data/stories.md", &file)]);
});
