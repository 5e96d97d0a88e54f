//! Redacts transcripts with all presets, at each strictness.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &str| {
    mailexpect::fuzz::redaction(data);
});
