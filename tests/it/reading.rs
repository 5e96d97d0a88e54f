//! Files that a script may read, and mail that is compared with a template.

use mailexpect::script::Case;

use crate::program::{folder, run};

#[test]
fn a_script_reads_files_beside_it_and_where_that_was_granted() {
    let outside = folder(&[("x.eml", "Subject: x\n")]);
    let script = format!(
        "connect().expect(220); assert_eq(read(\"{}/x.eml\").len(), 11);",
        outside.path().display()
    );
    let inside = folder(&[("a.rhai", &script)]);
    let case = Case::new(inside.path().join("a.rhai")).embedded();
    let refused = case.clone().run();
    let error = refused.failure().unwrap().error.clone();
    assert!(error.message().contains("may not read"), "{error}");
    assert!(error.next_step().unwrap().contains("--allow-read"), "{error}");
    let granted = case.allow_read(outside.path()).run();
    assert!(granted.is_ok(), "{granted:#?}");
    let ran = run(inside.path(), &["run", "--allow-read", &outside.path().to_string_lossy()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_parameter_may_be_what_a_file_holds() {
    let script = "let mail = param(\"message\"); let s = connect(); s.expect(220); s.ehlo(\"a\");
        s.mail(\"a@example.com\"); s.rcpt(\"hoge@example.com\"); s.data(mail);";
    let folder =
        folder(&[("a.rhai", script), ("b.rhai", "assert_eq(type_of(param(\"m\")), \"blob\");")]);
    std::fs::write(folder.path().join("mail.eml"), "Subject: x\n\nhi\n").unwrap();
    std::fs::write(folder.path().join("8bit.eml"), b"Subject: \xe9\r\n\r\nhi\r\n").unwrap();
    let ran = run(folder.path(), &["run", "-v", "a.rhai", "--set", "message=@mail.eml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("C: Subject: x\n"), "{}", ran.out);
    let ran = run(folder.path(), &["run", "b.rhai", "--set", "m=@8bit.eml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(folder.path(), &["run", "a.rhai", "--set", "message=@gone.eml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("cannot read gone.eml"), "{}", ran.err);
}

#[test]
fn the_mails_of_an_mbox_are_sent_one_by_one() {
    let script = "let mails = mbox(\"mails.mbox\"); assert_eq(mails.len(), 2);
        let s = connect(); s.expect(220); s.ehlo(\"a\");
        for mail in mails { s.mail(\"a@example.com\"); s.rcpt(\"hoge@example.com\"); s.data(mail); }
        assert_mail(mails[1], \"Subject: two\\n\\n*\\n\"); s.quit();";
    let mbox = "From a@b Thu Jan  1 00:00:00 1970\nSubject: one\n\n>From x\n\nFrom a@b x\nSubject: two\n\nhi\n";
    let folder = folder(&[("a.rhai", script), ("mails.mbox", mbox)]);
    let ran = run(folder.path(), &["run", "-v"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("C: From x\n"), "{}", ran.out);
}
