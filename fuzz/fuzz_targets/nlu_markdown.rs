//! NLU data in Markdown.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let file = [&b"## intent:greet\n"[..], data].concat();
    tabella_fuzz::read(&[("data/nlu.md", &file)]);
});
