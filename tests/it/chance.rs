//! Faults by chance, repeated by their seed.

use crate::program::{folder, run};

/// Thirty-two commands, each of which gets a wrong answer with a chance of one half.
const CHANCY: &str = r#"
let relay = serve("smtp", #{NOOP: #{chance: 0.5, wrong: "250 wrong"}, faults: #{at: "RSET", chance: 0.5, wrong: "250 wrong"}});
let l = listen("smtp", #{faults: #{at: "NOOP", chance: 0.5, wrong: "250 wrong"}});
let fell = "";
let s = connect(relay.url);
s.expect(220);
for command in ["NOOP", "RSET"] {
    for n in 0..16 { s.send(command); fell += if s.expect(250).text == "250 wrong" { "x" } else { "-" }; }
}
let c = connect(l.url);
let s = l.accept();
s.greet();
c.expect(220);
for n in 0..16 { c.send("NOOP"); s.serve("NOOP", 250, #{jitter: "1ms"}); c.expect(250); }
for n in 0..16 { c.send("NOOP"); s.serve("NOOP", 250); fell += if c.expect(250).text == "250 wrong" { "x" } else { "-" }; }
print(fell);
assert(fell == param("wanted", ""), "it fell otherwise");
"#;

#[test]
fn chance_is_had_again_by_the_seed_that_a_failure_shows() {
    let folder = folder(&[("chancy.rhai", CHANCY), ("plain.rhai", "assert(false, \"no\");")]);
    let fell = |ran: &crate::program::Ran| {
        let line = ran.out.lines().find(|line| line.contains("print:") || line.contains("x-"));
        let line = line.unwrap_or_else(|| panic!("{}", ran.out));
        line.split(|c| c != 'x' && c != '-').max_by_key(|run| run.len()).unwrap().to_owned()
    };
    let first = run(folder.path(), &["run", "chancy.rhai"]);
    assert_eq!(first.code, Some(1), "{first:?}");
    let seed = first.out.split("--seed ").nth(1).expect("the seed is shown");
    let seed = seed.split_whitespace().next().unwrap();
    let wanted = format!("wanted={}", fell(&first));
    let again = run(folder.path(), &["run", "chancy.rhai", "--seed", seed, "--set", &wanted]);
    assert_eq!(again.code, Some(0), "{first:?}\n{again:?}");
    let json = run(folder.path(), &["run", "chancy.rhai", "--seed", "42", "--format", "json"]);
    assert!(json.out.contains("\"seed\":42"), "{}", json.out);
    let other = run(folder.path(), &["run", "chancy.rhai", "--seed", "42"]);
    assert_ne!(fell(&other), fell(&first));
    let plain = run(folder.path(), &["run", "plain.rhai", "--seed", "42"]);
    assert!(!plain.out.contains("--seed"), "nothing was left to chance: {}", plain.out);
}

#[test]
fn a_case_has_the_same_chance_again_by_its_seed() {
    let folder = folder(&[("chancy.rhai", CHANCY)]);
    let fell = |seed: u64| {
        let case = mailexpect::script::Case::new(folder.path().join("chancy.rhai")).seed(seed);
        let outcome = case.run();
        assert_eq!(outcome.failure().unwrap().error.seed(), Some(seed));
        let printed = outcome.transcript.iter().find_map(|event| match &event.what {
            mailexpect::transcript::What::Printed(text) => Some(text.clone()),
            _ => None,
        });
        printed.unwrap()
    };
    assert_eq!(fell(7), fell(7));
    assert_ne!(fell(7), fell(8));
}
