//! Sends any bytes to the embedded server. The first byte selects the port.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let [number, said @ ..] = data {
        mailexpect::fuzz::serving(usize::from(*number), said);
    }
});
