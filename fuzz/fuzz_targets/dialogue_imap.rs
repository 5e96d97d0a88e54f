//! Follows the turns and the secrets of an IMAP dialogue. The byte 0xff separates the sides.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mailexpect::fuzz::following(3, data);
});
