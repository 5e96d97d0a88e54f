//! Whose turn it is and what is secret in a dialogue of ManageSieve; 0xff parts the sides.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mailexpect::fuzz::following(4, data);
});
