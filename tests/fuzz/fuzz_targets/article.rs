#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| qfe_tests::fuzz::run("article", input));
