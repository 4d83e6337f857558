//! The connection phase: bytes from both peers, over every combination of legs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifocal::fuzz::handshake(data));
