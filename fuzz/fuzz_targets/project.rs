//! Reads project files.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &str| {
    mailexpect::fuzz::project(data);
});
