//! What reports show of values of any length: the beginning, the end, and how much was left out.

use crate::program::{folder, run};

/// Calls of words that refuse a long text and name it in their error.
const REFUSING: [&str; 24] = [
    "assert(false, v)",
    "assert_eq(v, 1)",
    "assert_eq([v], [1])",
    "assert_same([v], [1])",
    "code(v)",
    "connect(v)",
    "connect(\"smtp://\" + v)",
    "fails(v, || 1)",
    "import v as m",
    "let m = #{}; m[v]",
    "listen(v)",
    "metric(v, 1)",
    "mutf7_decode(v)",
    "param(v)",
    "parse_float(v)",
    "parse_int(v)",
    "re(v.sub_string(0, 20000) + `(`)",
    "read(v)",
    "redact(v)",
    "redact(`a`, v)",
    "serve(v)",
    "strictness(v)",
    "throw #{message: v}",
    "throw v",
];

#[test]
fn no_error_shows_a_value_of_any_length_whole() {
    let scripts: Vec<_> = REFUSING
        .iter()
        .enumerate()
        .map(|(at, call)| {
            let text = format!("let v = repeat(\"é€x\", 50000);\n{call};\nassert(true);\n");
            (format!("s{at}.rhai"), text)
        })
        .chain([
            ("name.rhai".to_owned(), "x".repeat(1_000_000)),
            ("title.rhai".to_owned(), format!("// {}\nthrow 1;", "x".repeat(1_000_000))),
            ("line.rhai".to_owned(), format!("let a = \"{}\"; throw a;", "x".repeat(1_000_000))),
        ])
        .collect();
    let files: Vec<_> = scripts.iter().map(|(name, text)| (&**name, &**text)).collect();
    let folder = folder(&files);
    for (name, text) in &scripts {
        for args in [&["run", name][..], &["run", name, "--format", "json"]] {
            let ran = run(folder.path(), args);
            let shown = &text[text.len().saturating_sub(90)..];
            assert!(ran.out.contains("bytes left out)"), "{shown}\n{ran:?}");
            assert!(ran.out.len() < 100_000, "{shown}: {} bytes", ran.out.len());
        }
    }
}
