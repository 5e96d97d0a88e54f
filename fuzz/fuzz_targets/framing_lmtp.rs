//! Finds the ends of LMTP replies, wherever the stream is cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mailexpect::fuzz::framing(1, data);
});
