//! The memory that a script takes at most, also for the copies that Rhai makes of values.
#![cfg(target_os = "linux")]

use std::path::Path;

use regex::Regex;

use crate::program::{folder, run};
use crate::together::closures_within_closures;

/// Shows the most memory that the program has held, in KiB, and ends after that.
pub(crate) const PEAK: &str = r#"
// Shows the memory.
let p = pipe(["sh", "-c", "grep VmHWM /proc/$PPID/status"]);
print(p.expect(re(`VmHWM:\s+(\d+) kB\n`))[1]);
p.expect_exit(0);
"#;

/// What a script may hold here, and a little more than half of that for what the program itself
/// holds of a script, and for the allocator, in MiB.
const MOST: usize = 32 + 20;

/// Makes `a`, a list that takes 17 MB, half of what a script may hold. A list that grows takes a
/// power of two.
const LIST: &str = "let a = []; a.pad(1048000, 1); ";

/// Functions that make lists of 65 500 elements, 1 MB, and a list of lists that takes 30 MB. A
/// variable that is returned would be copied.
const BIG: &str =
    "fn e(n) { let l = []; l.pad(n * 65500, 1); l } fn big() { [e(8), e(8), e(8), e(4)] }";

/// Runs the scripts of a folder one after the other. Returns the output and the most memory that
/// the program held, in MiB.
pub(crate) fn peak(folder: &Path) -> (String, usize) {
    let ran = run(folder, &["run", ".", "-j", "1", "--memory", "32M", "--allow-run", "-v"]);
    let held = Regex::new(r"(?m)\*\*\* print: (\d+)$").unwrap();
    let held = held.captures(&ran.out).unwrap_or_else(|| panic!("{ran:?}"));
    (ran.out.clone(), held[1].parse::<usize>().unwrap() / 1024)
}

/// Returns what the program holds without a script, in MiB.
fn idle() -> usize {
    peak(folder(&[("z.rhai", PEAK)]).path()).1
}

#[test]
fn texts_that_are_made_of_texts_and_blobs_are_bounded() {
    const TEXT: &str = "let s = \"\"; s.pad(9000000, \"x\"); ";
    let idle = idle();
    for shape in [
        "let b = blob(12000000, 1); b.to_string(); b.to_debug(); print(b); print([b]);",
        "let b = blob(12000000, 0xff); try { b.as_string(); } catch {}",
        "let m = #{b: blob(12000000, 1)}; try { m.to_json(); } catch {}",
        "s.sub_string(-8000000); s.sub_string(1..8000000); s.crop(-8000000);",
        "repeat(\"x\", 20000000);",
        "s.index_of('y', -8000000); s.pop(8000000);",
        "for c in s.chars(8000000) { break; } for c in s { break; }",
        "let t = \"\"; t.pad(9000000, \"\\u0001\"); t.to_debug(); print([t]);",
    ] {
        let script = format!("// Texts.\n{TEXT}{shape}\nassert(true);\n");
        let folder = folder(&[("a.rhai", &*script), ("z.rhai", PEAK)]);
        let (out, held) = peak(folder.path());
        assert!(
            held < idle + MOST,
            "{shape}: {held} MiB, of which {idle} are the program's\n{out}"
        );
    }
}

#[test]
fn a_list_of_what_came_is_bounded_while_it_is_made() {
    let idle = idle();
    for shape in [
        "find(repeat(\"\\n\", 6000000), re(`(?s).+`)).lines",
        "find(repeat(\"x\", 6000000), re(`(((.+)))`)).lines.len() + repeat(\"\\n\", 6000000).split(\"\\n\")",
        "parse_message(\"To: \" + repeat(\"a,\", 3000000) + \"\\r\\n\\r\\n\").to",
        "parse_message(\"Content-Type: multipart/mixed; boundary=x\\r\\n\\r\\n\" + repeat(\"--x\\r\\n\\r\\n\\r\\n\", 600000)).attachments",
    ] {
        let script = format!("// Lists.\nassert({shape} != 0);\n");
        let folder = folder(&[("a.rhai", &*script), ("z.rhai", PEAK)]);
        let (out, held) = peak(folder.path());
        assert!(out.contains("holds too much memory"), "{shape}: {out}");
        assert!(
            held < idle + MOST,
            "{shape}: {held} MiB, of which {idle} are the program's\n{out}"
        );
    }
}

#[test]
fn the_copies_of_closures_for_branches_are_bounded() {
    // 100 closures on each of three levels take 0.5 MB for a branch.
    let closures = closures_within_closures(100, 3);
    let script = format!(
        "// Branches.\n{closures}let all = []; all.pad(1000, top);\ntogether(all);\nassert(true);\n"
    );
    let folder = folder(&[("a.rhai", &*script), ("z.rhai", PEAK)]);
    let (out, held) = peak(folder.path());
    let idle = idle();
    assert!(out.contains("holds too much memory"), "{out}");
    assert!(held < idle + MOST, "{held} MiB, of which {idle} are the program's\n{out}");
}

#[test]
fn a_script_holds_no_more_than_it_may_whatever_copies_its_values() {
    let shapes = [
        "a = (); fn f() { let c = this.x; c.len() } let m = #{x: big()}; m.f();",
        "a = (); fn f() { this[0] } let m = [big()]; let c = m.f();",
        "a = (); fn f() { this.x.push(this.x); } let m = #{x: [e(8)]}; m.f(); m.f(); m.f();",
        "a = (); fn f() { [big()] } let c = f()[0];",
        "a = (); let f = || #{x: big()}; let c = f.call().x;",
        "a = (); let c = [0].map(|x| big())[0];",
        "a = (); let f = |x| [0].map(|x| big())[x]; f.call(0);",
        "a = (); const X = big();",
        "try { throw a; } catch (e) { e.len() }",
        "a = (); const X = e(8); fn f() { [global::X, global::X, global::X] } f();",
        "a = (); import \"lib/one\" as m; let c = [m::X, m::X, m::X];",
        "a = (); import \"lib/one\" as m; fn f() { [m::X[0], m::X[1]] } f(); m::X;",
        "fn f() { let s = \"\"; s.pad(4000000, \"x\"); s } a = f() + f() + f() + f() + f() + f();",
        "fn f() { this.push(this); this.push(this) } a.f();",
        "fn f() { loop { this.push(this) } } a = [1]; a.f();",
        "fn f() { let x = this; let y = this; x.len() + y.len() } a.f();",
        "fn f() { [this, #{a: this}, this] } a = a.f();",
        "fn f() { this += this; this += this; } a.f();",
        "fn g(x, y) { x.len() + y.len() } fn f() { g(this, this) } a.f();",
        "fn f() { loop { let n = 0; this[n].push(this[n]); } } a = [[1]]; a.f();",
        "let f = || { this.push(this); this.push(this) }; a.call(f);",
        "fn f() { this.push(this); this.push(this) } let g = || a.len(); a.f();",
        "a.append(a); a.append(a);",
        "a += a; a += a;",
        "a.splice(0, 1, a); a.splice(0, 1, a);",
        "let b = [a]; a = (); let c = [b[0], b.get(0)];",
        "let b = [a]; a = (); b.map(|x| [x, x, x]);",
        "let b = [[a]]; a = (); let c = [b[0][0], b.pop()[0], b];",
        "fn g(b, c, x) { 1 } let f = Fn(\"g\").curry(a); f = f.curry(a); [1].map(f);",
        "import \"lib/module\" as m;",
    ];
    let idle = idle();
    let one = format!("{BIG}\nexport const X = [e(4), e(4)];");
    let many = (0..20).map(|n| format!("export a as a{n};\n")).collect::<Vec<_>>().concat();
    let module = format!("{LIST}\n{many}");
    for shape in shapes {
        let script = format!("// Copies.\n{LIST}{shape}\nassert(true);\n{BIG}");
        let scripts = [
            ("a.rhai", &*script),
            ("z.rhai", PEAK),
            ("lib/module.rhai", &*module),
            ("lib/one.rhai", &*one),
        ];
        let folder = folder(&scripts);
        let (out, held) = peak(folder.path());
        assert!(out.contains("it holds too much memory"), "{shape}\n{out}");
        assert!(held < idle + MOST, "{shape}: {held} MiB, of which {idle} are the program's");
    }
}

#[test]
fn a_text_that_a_list_has_many_times_is_not_copied_beyond_what_the_script_may_hold() {
    const MANY: &str = "let x = \"\"; x.pad(1000000, \"a\"); let a = []; a.pad(20000, x); \
        let m = #{}; for n in 0..2000 { m[`k${n}`] = x; } ";
    let idle = idle();
    for (shape, says) in [
        ("any(a)", "it holds too much memory"),
        ("find(a, \"zz\")", "it holds too much memory"),
        ("message(#{to: a})", "it holds too much memory"),
        ("message(#{headers: m})", "it holds too much memory"),
        ("message(#{attachments: a.map(|x| #{name: \"a\", content: x})})", "too much memory"),
        ("serve(\"smtp\", #{users: m})", "holds too much text"),
        ("serve(\"smtp\", #{RCPT: a})", "holds too much text"),
        (
            "serve(\"smtp\", #{faults: a.map(|x| #{address: x, at: \"RCPT\", doubled: true})})",
            "holds too much text",
        ),
        ("run(a)", "holds too much text"),
        ("run(\"true\", #{env: m})", "holds too much text"),
        ("let s = connect(param(\"smtp\")); s.expect(220); s.pipeline(a)", "too much memory"),
        ("let s = connect(param(\"smtp\")); s.expect(220); s.send(a)", "too much memory"),
        ("let s = connect(param(\"smtp\")); s.expect_any(a)", "it holds too much memory"),
        (
            "let s = connect(param(\"smtp\")); s.expect(220); s.rcpt(\"a\", #{notify: a})",
            "holds too much text",
        ),
        ("let s = connect(param(\"smtp\")); s.expect(220); s.xclient(m)", "hold too much text"),
        (
            "let s = connect(param(\"imap\")); s.expect(\"* OK\"); s.command(\"X\", a)",
            "too much memory",
        ),
        (
            "let s = connect(param(\"imap\")); s.expect(\"* OK\"); s.search(a)",
            "holds too much text",
        ),
        (
            "let s = connect(param(\"imap\")); s.expect(\"* OK\"); s.append(\"x\", a)",
            "too much memory",
        ),
        ("assert_same(a, [1])", "the lists differ"),
        ("throw a", "the script threw"),
        ("throw m", "the script threw"),
        ("assert_eq(a, [])", "the values are not equal"),
        ("switch a { 1 => 2, _ => 3 }", "at most 64 MiB"),
        ("switch m { 1 => 2, _ => 3 }", "at most 64 MiB"),
    ] {
        let script = format!("// Texts.\n{MANY}\n{shape};\nassert(true);\n");
        let folder = folder(&[("a.rhai", &*script), ("z.rhai", PEAK)]);
        let (out, held) = peak(folder.path());
        assert!(out.contains(says), "{shape}: {out}");
        assert!(held < idle + 64, "{shape}: {held} MiB, of which {idle} are the program's\n{out}");
    }
}

#[test]
fn the_words_of_a_clients_command_become_values_one_by_one() {
    let idle = idle();
    let takes = "let line = \"\"; line.pad(3000000, \" A=b\"); let l = listen(\"smtp\"); let c = connect(l.url); \
        let s = l.accept(); s.greet(); c.expect(220); \
        together([|| c.send(\"MAIL FROM:<a@b.example>\" + line), || { let took = s.expect_command(); READS }]); \
        s.reply(250, \"ok\"); c.expect(250);";
    for (reads, says) in [
        ("assert_eq(took.parameters, #{A: \"b\"});", "2 passed"),
        ("took.arguments;", "it holds too much memory"),
    ] {
        let script = format!("// Takes.\n{}\n", takes.replace("READS", reads));
        let (out, held) = peak(folder(&[("a.rhai", &*script), ("z.rhai", PEAK)]).path());
        assert!(out.contains(says), "{reads}: {out}");
        assert!(
            held < idle + MOST,
            "{reads}: {held} MiB, of which {idle} are the program's\n{out}"
        );
    }
}

#[test]
fn what_a_server_of_the_script_got_is_bounded_where_it_is_read() {
    let idle = idle();
    let sends = "let server = serve(\"smtp\"); let s = connect(server.url); s.expect(220); s.ehlo(\"a\"); \
        let text = \"\"; text.pad(1000000, \"0123456789abcdef\\n\"); let all = []; \
        for n in 0..20 { s.mail(\"a@example.com\"); s.rcpt(\"b@example.com\"); s.data(text); } ";
    for reads in ["loop { all.push(server.messages); }", "loop { all.push(server.commands); }"] {
        let script = format!("// Reads.\n{sends}\n{reads}\n");
        let (out, held) = peak(folder(&[("a.rhai", &*script), ("z.rhai", PEAK)]).path());
        assert!(out.contains("it holds too much memory"), "{reads}: {out}");
        assert!(held < idle + 160, "{reads}: {held} MiB, of which {idle} are the program's\n{out}");
    }
}
