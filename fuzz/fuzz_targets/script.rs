//! Reads any file as a script: what is known without running it, and a run of 200 ms.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

/// The input file, which is written anew for each input.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder").keep();
    folder.join("fuzzed.rhai")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    std::fs::write(&*FILE, data).expect("the file is written");
    let case = mailexpect::script::Case::new(&*FILE);
    drop(case.deadline(std::time::Duration::from_millis(200)).run());
});
