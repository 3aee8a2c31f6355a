//! A domain file.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tabella_fuzz::read(&[("domain.yml", data)]);
});
