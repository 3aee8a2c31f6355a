//! The file of a lookup table.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let nlu = b"nlu:\n- lookup: city\n  examples: |\n    - data/city.txt\n";
    tabella_fuzz::read(&[("data/nlu.yml", nlu), ("data/city.txt", data)]);
});
