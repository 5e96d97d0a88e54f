//! Finds the ends of IMAP replies, wherever the stream is cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mailexpect::fuzz::framing(3, data);
});
