//! Stories and rules in YAML.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let domain = tabella_fuzz::DOMAIN.as_bytes();
    let file = [&b"stories:\n"[..], data].concat();
    tabella_fuzz::read(&[("domain.yml", domain), ("data/stories.yml", &file)]);
});
