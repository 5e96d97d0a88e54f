//! TLS on the server's side, as scripts see it.

use crate::program::{Ran, folder, run};
use crate::tls_server::{Ca, Leaf, params};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

/// Runs a script beside the files of an authority (`ca.pem`), of its certificate (`a.pem`, `a.key`)
/// and of another authority (`other.pem`).
fn ran(script: &str) -> Ran {
    let ca = Ca::new("test CA");
    let leaf = ca.sign(&params("localhost"));
    let folder = folder(&[
        ("a.rhai", &format!("// TLS on the server's side.\n{script}")),
        ("ca.pem", &ca.pem),
        ("other.pem", &Ca::new("another CA").pem),
        ("a.pem", &leaf.certificate.pem()),
        ("a.key", &leaf.key.serialize_pem()),
        ("other.key", &ca.sign(&params("localhost")).key.serialize_pem()),
    ]);
    run(folder.path(), &["run", "a.rhai"])
}

/// A client and its server, which trust each other; `of_listener` and `of_client` are more options.
fn pair(of_listener: &str, of_client: &str) -> String {
    format!(
        "let l = listen(\"smtps\", #{{tls: #{{{of_listener}}}}});
let both = together([|| connect(l.url, #{{tls: #{{ca: l.ca, {of_client}}}}}), || l.accept()]);
let c = both[0]; let s = both[1];
s.greet(); c.expect(220);
c.send(\"QUIT\"); s.expect_quit(); c.expect(221);
"
    )
}

#[test]
fn a_client_without_a_certificate_is_not_verified() {
    let tls = "assert_eq(s.tls.verified, false);
assert_eq(s.tls.fault, \"the client presented no certificate\");
assert(c.tls.verified);
s.peer_certificate();";
    let bare = ran(&(pair("", "") + tls));
    assert_eq!(bare.code, Some(2), "{bare:?}");
    assert!(bare.out.contains("no certificate: the client presented no certificate"), "{bare:?}");
    assert!(bare.out.contains("client_ca") && !bare.out.contains("no TLS"), "{bare:?}");

    let tls = "assert(s.tls.verified);
assert_eq(s.tls.fault, ());
assert_eq(s.peer_certificate().subject, \"CN=localhost\");";
    let shown = ran(&(pair("client_ca: \"ca.pem\"", "cert: \"a.pem\", key: \"a.key\"") + tls));
    assert_eq!(shown.code, Some(0), "{shown:?}");
}

#[test]
fn the_servers_side_knows_its_tls_however_the_stream_is_cut() {
    let whole = ran(&(pair("", "") + "assert_eq(s.tls.version, \"1.3\");"));
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let cut = pair("", "").replacen("\"smtps\", #{", "\"smtps\", #{segment: \"bytes\", ", 1);
    let cut = ran(&(cut + "assert_eq(s.tls.version, \"1.3\");"));
    assert_eq!(cut.code, Some(0), "{cut:?}");
}

#[test]
fn a_session_of_the_servers_side_in_clear_says_how_tls_begins() {
    let clear = ran("let l = listen(\"smtp\");
let c = connect(l.url);
let s = l.accept();
s.greet(); c.expect(220);
c.send(\"QUIT\"); s.expect_quit(); c.expect(221);
s.peer_certificate();");
    assert_eq!(clear.code, Some(2), "{clear:?}");
    assert!(
        clear.out.contains("has no TLS") && clear.out.contains("expect_starttls()"),
        "{clear:?}"
    );
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let own = "cert: \"a.pem\", key: \"a.key\"";
    let on_call = |options: &str| {
        format!(
            "let l = listen(\"smtp\");
let c = connect(l.url);
let s = l.accept();
s.greet(); c.expect(220);
c.send(\"STARTTLS\");
s.expect_starttls(#{{{options}}});"
        )
    };
    let on_listener =
        |scheme: &str, options: &str| format!("listen(\"{scheme}\", #{{tls: #{{{options}}}}});");
    for (script, why) in [
        (on_listener("smtps", &format!("flaw: \"expired\", {own}")), "`flaw` and `cert` exclude"),
        (on_listener("smtp", &format!("flaw: \"expired\", {own}")), "`flaw` and `cert` exclude"),
        (on_listener("smtp", "garbage: true, min: \"1.3\""), "`garbage` and `min` exclude"),
        (on_listener("smtps", "garbage: true"), "`garbage` has no effect if TLS begins with"),
        (on_listener("imaps", "inject: \"x\""), "`inject` has no effect if TLS begins with"),
        (on_call(&format!("flaw: \"sha1\", {own}")), "`flaw` and `cert` exclude each other"),
        (on_call("garbage: true, flaw: \"sha1\""), "`garbage` and `flaw` exclude each other"),
    ] {
        let refused = ran(&script);
        assert!(refused.code == Some(2) && refused.out.contains(why), "{script} {refused:?}");
        assert!(refused.out.contains("= hint: "), "{refused:?}");
    }
}

#[test]
fn wrong_options_of_a_listener_have_their_hint_beside_the_message() {
    for scheme in ["smtp", "smtps"] {
        for (options, message) in [
            ("client_ca: \"a.key\"", "`client_ca` has no certificate in it\n"),
            ("cert: \"a.pem\"", "a certificate without its key, or a key without it\n"),
            (
                "cert: \"a.pem\", key: \"a.pem\"",
                "`key` has no private key in it that can be read\n",
            ),
            ("cert: \"a.pem\", key: \"other.key\"", "cannot be used: `key` is not its key\n"),
        ] {
            let script = format!("listen(\"{scheme}\", #{{tls: #{{{options}}}}});");
            let refused = ran(&script);
            assert!(refused.code == Some(2) && refused.out.contains(message), "{refused:?}");
            assert!(refused.out.contains("= hint: "), "{refused:?}");
        }
    }
}

/// Certificates of clients that an authority's server has to refuse: their names and what is said.
fn unfit(ca: &Ca) -> Vec<(&'static str, Leaf, &'static str)> {
    let key = KeyPair::generate().unwrap();
    let itself = Leaf { certificate: params("client").self_signed(&key).unwrap(), key };
    let mut old = params("client");
    old.not_after = date_time_ymd(2020, 1, 2);
    let mut of_server = params("client");
    of_server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    vec![
        (
            "stranger",
            Ca::new("another CA").sign(&params("client")),
            "is issued by CN=another CA, which `client_ca` does not give",
        ),
        ("itself", itself, "certificate is self-signed"),
        ("old", ca.sign(&old), "certificate expired on 2020-01-02T00:00:00Z"),
        ("of_server", ca.sign(&of_server), "is for TLS servers, not for TLS clients"),
    ]
}

#[test]
fn a_client_certificate_that_is_refused_is_explained() {
    let ca = Ca::new("test CA");
    let folder = folder(&[("ca.pem", &ca.pem)]);
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put(
        "from_start.rhai",
        "// TLS from the start.
let l = listen(\"smtps\", #{tls: #{client_ca: \"ca.pem\"}});
let tls = #{ca: l.ca, cert: \"a.pem\", key: \"a.key\"};
together([|| { try { connect(l.url, #{tls: tls}).expect(220); } catch (e) {} }, || l.accept()]);
",
    );
    put(
        "starttls.rhai",
        "// STARTTLS.
let l = listen(\"smtp\", #{tls: #{client_ca: \"ca.pem\"}});
let tls = #{ca: l.ca, cert: \"a.pem\", key: \"a.key\"};
let c = connect(l.url); let s = l.accept();
s.greet(); c.expect(220);
together([|| { try { c.starttls(tls); c.noop(); } catch (e) {} }, || s.expect_starttls()]);
",
    );
    for (name, leaf, why) in unfit(&ca) {
        put("a.pem", &leaf.certificate.pem());
        put("a.key", &leaf.key.serialize_pem());
        for script in ["from_start.rhai", "starttls.rhai"] {
            let refused = run(folder.path(), &["run", script]);
            assert!(refused.code == Some(3) && refused.out.contains(why), "{name}: {refused:?}");
            assert!(refused.out.contains("= got: CN=client, issued by CN="), "{refused:?}");
            let hint = refused.out.contains("catch the error if the client is to be refused");
            assert!(hint && !refused.out.contains("give it the listener's `ca`"), "{refused:?}");
        }
    }
}
