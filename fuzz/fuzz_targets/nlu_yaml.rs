//! NLU data in YAML.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let file = [&b"nlu:\n"[..], data].concat();
    tabella_fuzz::read(&[("data/nlu.yml", &file)]);
});
