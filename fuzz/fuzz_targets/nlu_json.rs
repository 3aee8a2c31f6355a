//! NLU data in JSON.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tabella_fuzz::read(&[("data/nlu.json", data)]);
});
