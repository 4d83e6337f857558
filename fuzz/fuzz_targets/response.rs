//! What a server may answer to one command.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifocal::fuzz::response(data));
