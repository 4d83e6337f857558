//! Every decoder of the wire protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifocal::fuzz::packets(data));
