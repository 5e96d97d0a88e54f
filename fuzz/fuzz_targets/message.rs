//! Parses messages, and checks them as delivered.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    drop(mailexpect::message::parse(data));
    drop(mailexpect::message::delivered(data, b"Subject: x\r\n\r\nx\r\n"));
});
