//! TLS as scripts and the command line ask for it.

use mailexpect::server::Embedded;

use crate::program::{folder, run};
use crate::tls_server::{Ca, params};

const STARTTLS: &str =
    "// TLS.\nlet s = connect();\ns.expect(220);\ns.starttls(#{ca: CA});\ns.quit();\n";

#[test]
fn a_script_reads_certificates_from_its_folder_or_where_its_caller_says() {
    let server = Embedded::start().unwrap();
    let ca = server.ca().unwrap().to_owned();
    let elsewhere = folder(&[("ca.pem", &ca)]);
    let outside = elsewhere.path().join("ca.pem").display().to_string();
    let smtp = format!("smtp={}", server.smtp().replace("127.0.0.1", "localhost"));
    let script = |given: &str| STARTTLS.replace("CA", given);
    let scripts = folder(&[
        ("beside.rhai", &script("\"ca/ca.pem\"")),
        ("ca/ca.pem", &ca),
        ("text.rhai", &script(&format!("`{ca}`"))),
        ("given.rhai", &script("param(\"ca\")")),
        ("outside.rhai", &script(&format!("{outside:?}"))),
        ("missing.rhai", &script("\"no.pem\"")),
        ("empty.rhai", &script("\"beside.rhai\"")),
    ]);
    let ran = |script: &str, more: &[&str]| {
        run(scripts.path(), &[&["run", script, "--set", &smtp], more].concat())
    };
    for script in ["beside.rhai", "text.rhai"] {
        assert_eq!(ran(script, &[]).code, Some(0), "{script}: {:?}", ran(script, &[]));
    }
    assert_eq!(ran("given.rhai", &["--set", &format!("ca={outside}")]).code, Some(0));
    // If another server is named, `ca` comes from the command line.
    assert_eq!(ran("given.rhai", &["--cacert", &outside]).code, Some(0));
    assert_eq!(ran("given.rhai", &["--insecure"]).code, Some(0));
    let refused = ran("given.rhai", &[]);
    assert!(
        refused.code == Some(3) && refused.out.contains("a CA that is not trusted"),
        "{refused:?}"
    );
    for (script, why) in [
        ("outside.rhai", "may not read"),
        ("missing.rhai", "cannot read no.pem"),
        ("empty.rhai", "no certificate in it"),
    ] {
        let ran = ran(script, &[]);
        assert!(ran.code == Some(2) && ran.out.contains(why), "{ran:?}");
    }
}

#[test]
fn a_mistake_in_the_options_of_tls_is_told_without_a_handshake() {
    for (options, why) in [
        ("min: \"1.3\", max: \"1.2\"", "`min` is above `max`"),
        ("cert: \"ca.pem\"", "a client certificate without its key"),
        ("ca: \"a.rhai\"", "no certificate in it"),
    ] {
        let script = format!("// TLS.\nconnect(param(\"smtp\"), #{{tls: #{{{options}}}}});\n");
        let folder =
            folder(&[("a.rhai", &script), ("ca.pem", Embedded::start().unwrap().ca().unwrap())]);
        let ran = run(folder.path(), &["run", "a.rhai", "--set", "smtp=smtp://127.0.0.1:1"]);
        assert!(ran.code == Some(2) && ran.out.contains(why), "{ran:?}");
    }
}

#[test]
fn the_command_line_says_how_tls_is_put_on() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[
        (
            "a.rhai",
            "// TLS.\nlet s = connect(param(\"submissions\"));\ns.expect(220);\ns.quit();\n",
        ),
        ("ca.pem", server.ca().unwrap()),
    ]);
    let set = format!("submissions={}", server.submissions());
    let ran =
        |more: &[&str]| run(folder.path(), &[&["run", "a.rhai", "--set", &set], more].concat());
    assert_eq!(ran(&["--cacert", "ca.pem", "--keylog", "keys"]).code, Some(0));
    assert!(
        std::fs::read_to_string(folder.path().join("keys"))
            .unwrap()
            .contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET ")
    );
    let loud = ran(&["--insecure", "-v"]);
    assert!(
        loud.code == Some(0) && loud.out.contains("CERTIFICATE NOT VERIFIED (verify: false): "),
        "{loud:?}"
    );
    assert_eq!(ran(&[]).code, Some(3));
    for (wrong, why) in [
        (&["--cacert", "none.pem"][..], "cannot read none.pem"),
        (&["--cacert", "a.rhai"], "no certificate in it"),
        (&["--cert", "ca.pem", "--key", "ca.pem"], "no private key"),
        (&["--cert", "ca.pem"], "--key"),
        (&["--keylog", "."], "key log"),
    ] {
        let ran = ran(wrong);
        assert!(ran.code == Some(2) && ran.err.contains(why), "{ran:?}");
    }
}

#[test]
fn a_private_key_in_a_script_is_shown_nowhere() {
    let ca = Ca::new("test CA");
    let client = ca.sign(&params("client.example"));
    let key = client.key.serialize_pem();
    let options = format!("#{{cert: {:?}, key: {key:?}}}", client.certificate.pem());
    let script = format!(
        "// A key.\nlet s = connect();\ns.expect(220);\nprint({key:?}); s.starttls({options});\n"
    );
    let folder = folder(&[("a.rhai", &script)]);
    let ran = run(folder.path(), &["run", "a.rhai", "-v"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    for line in key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!ran.out.contains(line), "{}", ran.out);
    }
}

#[test]
fn a_script_can_catch_a_handshake_that_fails() {
    let script = r#"// Refused.
let s = connect();
s.expect(220);
try { s.starttls(); } catch (e) {
    assert_eq(e.kind, "tls");
    assert(e.message.contains("not trusted"), e.message);
}
for wrong in [#{min: "1.0"}, #{verify: 1}, #{injected: "x"}, #{ca: 1}, #{sin: "x"}] {
    let s = connect();
    s.expect(220);
    try { s.starttls(wrong); assert(false, "it was taken"); } catch (e) { assert_eq(e.kind, "usage"); }
    s.quit();
}
"#;
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "a.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
