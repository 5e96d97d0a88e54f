//! Reads what a client says to a script that plays the server. The first byte selects the protocol; the byte 0xff
//! separates the sides.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let [number, said @ ..] = data {
        mailexpect::fuzz::listening(usize::from(*number), said);
    }
});
