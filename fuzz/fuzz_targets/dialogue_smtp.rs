//! Whose turn it is and what is secret in a dialogue of SMTP; 0xff parts the sides.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mailexpect::fuzz::following(0, data);
});
