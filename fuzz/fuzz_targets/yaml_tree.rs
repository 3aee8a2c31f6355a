//! Any bytes as the one file whose every value is kept.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tabella_fuzz::read(&[("config.yml", data)]);
});
