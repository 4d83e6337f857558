//! A whole session, both directions interleaved.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifocal::fuzz::session(data));
