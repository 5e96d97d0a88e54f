//! Reads any file as a golden.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

/// The input file, which is written anew for each input.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder").keep();
    folder.join("fuzzed.snap")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    std::fs::write(&*FILE, data).expect("the file is written");
    mailexpect::fuzz::golden(&FILE);
});
