//! What scripts write into their transcripts, start beside themselves, and hand to words that work on
//! another thread: it is within the memory and the deadline of the script.
#![cfg(target_os = "linux")]

use crate::copying::{PEAK, peak};
use crate::program::{folder, run};

/// Scripts that take more than they may, and what is said of each.
const GREEDY: [(&str, &str); 11] = [
    (
        "let v = repeat(\"--x\\r\\nA: b\\r\\n\\r\\n\", 100000); loop { snapshot(v); }",
        "it holds too much memory",
    ),
    (
        "let v = repeat(\"ab,\\n\", 100000); loop { snapshot(\"v\", v); }",
        "it holds too much memory",
    ),
    ("let l = []; l.pad(100000, \"a\"); loop { snapshot([l, l]); }", "it holds too much memory"),
    ("let v = repeat(\"x\", 8000000); snapshot(v);", "it holds too much memory"),
    ("loop { serve(\"smtp\"); }", "it holds too much memory"),
    ("let v = repeat(\"A: b\\r\\n\", 1000000); assert_mail(v, v);", "it holds too much memory"),
    (
        "let v = repeat(\"\\r\\n\", 4000000); assert_delivered(v, v + \"x\");",
        "it holds too much memory",
    ),
    ("let v = repeat(\"é&\", 4000000); mutf7(v);", "the text for `mutf7` has 12000000 bytes"),
    ("let v = repeat(\".\", 12000000); re_escape(v);", "it holds too much memory"),
    ("re(repeat(\"(a|b)\", 200000));", "the regex is too long: 1000000 bytes"),
    ("redact(repeat(\"a, \", 300000), \"X\");", "the regex is too long: 900000 bytes"),
];

#[test]
fn what_a_script_writes_and_starts_is_within_its_memory() {
    let (_, idle) = peak(folder(&[("z.rhai", PEAK)]).path());
    for (script, why) in GREEDY {
        let script = format!("// Greedy.\n{script}\nassert(true);\n");
        let folder = folder(&[("a.rhai", &*script), ("z.rhai", PEAK)]);
        let (out, held) = peak(folder.path());
        assert!(out.contains(why), "{script}\n{out}");
        assert!(held < idle + 48, "{script}: {held} MiB, of which {idle} are the program's");
    }
}

#[test]
fn words_take_time_for_the_length_of_their_lists() {
    for script in [
        "assert_eq(gone((0..200000).map(|x| 1)).len(), 200000);",
        "assert_eq(gone((0..200000).map(|x| 200000 - x))[199999], 1);",
        "cases(repeat([1], 3000), |x| assert(true));",
    ] {
        let folder = folder(&[("a.rhai", &format!("// Long.\n{script}\n"))]);
        let ran = run(folder.path(), &["run", "a.rhai", "--deadline", "60s"]);
        assert_eq!(ran.code, Some(0), "{script}\n{ran:?}");
    }
}

#[test]
fn a_flood_of_prints_ends_with_the_deadline() {
    let print =
        "let v = repeat(\"--x\\r\\nA: b\\r\\n\\r\\n\", 300000); loop { step(\"x\"); print(v); }";
    let folder = folder(&[("a.rhai", &format!("// Prints.\n{print}\n"))]);
    let ran = run(folder.path(), &["run", "a.rhai", "--deadline", "1s", "--memory", "64M"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("the last 12 of ") && ran.out.len() < 20_000, "{ran:?}");
}
