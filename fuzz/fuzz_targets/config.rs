//! A pipeline and policies, in a file that is valid around them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let file = [&b"recipe: default.v1\nlanguage: en\n"[..], data].concat();
    tabella_fuzz::read(&[("config.yml", &file)]);
});
