//! Reads and renders transcripts.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &str| {
    mailexpect::fuzz::transcript(data);
});
