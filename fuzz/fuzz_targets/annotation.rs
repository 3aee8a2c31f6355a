//! Each line as an annotated message.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut file = b"nlu:\n- intent: greet\n  examples: |\n".to_vec();
    for line in data.split(|byte| *byte == b'\n') {
        file.extend_from_slice(b"    - ");
        file.extend_from_slice(line);
        file.push(b'\n');
    }
    tabella_fuzz::read(&[("data/nlu.yml", &file)]);
});
