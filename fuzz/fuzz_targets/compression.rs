//! The compressed protocol: frames of anybody, and streams of packets there and back.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifocal::fuzz::compression(data));
