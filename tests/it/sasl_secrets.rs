//! No secret of a SASL exchange is in any output.

use mailexpect::block_on;
use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::program::{folder, run};
use crate::sasl::{MECHANISMS, PASSWORD, credentials, greeted};
use crate::sasl_server::{SaslServer, USER};

/// The base64 digits of a text at each of the three offsets at which the text can begin.
pub(crate) fn in_base64(text: &str) -> Vec<String> {
    (0..3)
        .map(|offset| {
            let wire = BASE64_STANDARD.encode(format!("{}{text}", "\0".repeat(offset)));
            wire[[0, 2, 3][offset]..(offset + text.len()) * 8 / 6].to_owned()
        })
        .collect()
}

/// Everything that no output may show: the password in all its forms, all responses as they were
/// sent, and the proofs in them.
fn secrets(servers: [&SaslServer; 2]) -> Vec<String> {
    let mut secrets = vec![PASSWORD.to_owned(), PASSWORD.replace('"', "\\\"")];
    secrets.extend(in_base64(PASSWORD));
    for heard in servers.iter().flat_map(|server| server.heard()) {
        let proof = heard
            .split([',', ' '])
            .find_map(|part| part.strip_prefix("p=").or_else(|| part.strip_prefix("response=")));
        let digest = heard.strip_prefix("hoge ").filter(|digest| digest.len() == 32);
        secrets.extend(
            proof
                .or(digest)
                .into_iter()
                .flat_map(|proof| [vec![proof.to_owned()], in_base64(proof)].concat()),
        );
        // A response without a blank is in base64, except those of EXTERNAL and similar mechanisms.
        let is_line = !heard.contains([' ', ',']) && heard != USER && heard.len() > 4;
        secrets.extend(is_line.then_some(heard));
    }
    secrets
}

#[test]
fn nothing_secret_is_seen_in_any_output_of_any_exchange() {
    let (right, wrong) = (SaslServer::start(PASSWORD), SaslServer::start("another"));
    let mut files = Vec::new();
    for (mechanism, initial, server) in MECHANISMS.into_iter().flat_map(|mechanism| {
        [(true, &right), (true, &wrong), (false, &right), (false, &wrong)]
            .map(|(initial, server)| (mechanism, initial, server))
    }) {
        let password = PASSWORD.replace('"', "\\\"");
        let name = format!("{mechanism}-{initial}-{}.rhai", files.len());
        let script = format!(
            "// {mechanism}\nlet s = connect(\"{}\");\ns.expect(220);\nlet password = \"{password}\";\nprint(password);\n\
             step(base64(\"x\" + password));\n\
             let r = s.auth(\"{mechanism}\", \"{USER}\", \"{password}\", #{{initial: {initial}, nonce: \"C\"}});\n\
             print(r.text);\nthrow \"on purpose: \" + r.text + base64(\"xx\" + password);\n",
            server.url
        );
        files.push((name, script));
    }
    let files: Vec<_> =
        files.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect();
    let folder = folder(&files);
    for options in [&["run", "."][..], &["run", ".", "--verbose"], &["run", ".", "--repeat", "2"]] {
        let ran = run(folder.path(), options);
        let said = [ran.out, ran.err].concat();
        assert_eq!(ran.code, Some(1), "{said}");
        assert!(said.matches("on purpose").count() >= 20, "{said}");
        assert!(said.matches("535 5.7.8 heard").count() >= 10, "{said}");
        for secret in secrets([&right, &wrong]) {
            assert!(!said.contains(&secret), "{secret} is in what {options:?} says:\n{said}");
        }
    }
    assert!(secrets([&right, &wrong]).len() > 200);
}

#[test]
fn no_golden_has_a_secret_in_it_whatever_the_script_says_of_it() {
    let server = SaslServer::start(PASSWORD);
    let password = PASSWORD.replace('"', "\\\"");
    let script = |mechanism: &str, initial: bool| {
        format!(
            "let s = connect(\"{}\");\ns.expect(220);\nlet password = \"{password}\";\nsnapshot(password);\n\
             snapshot(\"map\", #{{p: password, b: base64(\"x\" + password), l: [password]}});\nstep(\"with \" + password);\n\
             s.auth(\"{mechanism}\", \"{USER}\", password, #{{initial: {initial}, nonce: \"C\"}});\nsnapshot(\"after \" + password);\ns.quit();\n",
            server.url
        )
    };
    let files = MECHANISMS
        .into_iter()
        .flat_map(|mechanism| [true, false].map(|initial| (mechanism, initial)));
    let files: Vec<_> = files
        .map(|(mechanism, initial)| {
            (format!("{mechanism}-{initial}.rhai"), script(mechanism, initial))
        })
        .collect();
    let names: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let folder = folder(&names);
    for args in [
        &["run", ".", "--record"][..],
        &["run", ".", "--record", "--redact", "-ids,-structure,-dates", "--target", "bare"],
    ] {
        let ran = run(folder.path(), args);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    }
    let secrets = secrets([&server, &server]);
    let mut seen = 0;
    for golden in std::fs::read_dir(folder.path().join("snapshots")).unwrap() {
        let golden = std::fs::read_to_string(golden.unwrap().path()).unwrap();
        let shown = secrets.iter().find(|secret| golden.contains(secret.as_str()));
        assert!(shown.is_none(), "{shown:?} is in\n{golden}");
        assert!(golden.contains("[SECRET]"));
        seen += 1;
    }
    assert_eq!(seen, 2 * files.len());
}

#[test]
fn nothing_secret_is_in_errors_and_transcripts_of_the_library() {
    let (right, wrong) = (SaslServer::start(PASSWORD), SaslServer::start("another"));
    let mut seen = String::new();
    block_on(async {
        for mechanism in MECHANISMS {
            let mut session = greeted(&wrong.url).await;
            let error = session.auth(credentials(mechanism)).await.unwrap_err();
            let _ = write!(
                seen,
                "{error}\n{error:?}\n{}\n{session:?}\n{:?}\n",
                session.transcript(),
                credentials(mechanism)
            );
            session.reset().unwrap();
            let mut session = greeted(&right.url).await;
            let error = session.auth(credentials(mechanism)).expect(250).await.unwrap_err();
            let _ = write!(seen, "{error}\n{}\n", session.transcript());
            session.reset().unwrap();
        }
    });
    for secret in secrets([&right, &wrong]) {
        assert!(!seen.contains(&secret), "{secret} is in\n{seen}");
    }
}

#[test]
fn a_wrong_option_does_not_show_the_password() {
    let server = SaslServer::start(PASSWORD);
    let script = format!(
        "let s = connect(\"{}\");\ns.expect(220);\nlet p = \"hunter22\";\ns.auth(\"PLAIN\", \"me\", p, #{{initail: p}});\n",
        server.url
    );
    let folder = folder(&[("slip.rhai", &script)]);
    let ran = run(folder.path(), &["run", "slip.rhai"]);
    assert!(
        ran.out.contains("did you mean `initial`?") && !ran.out.contains("hunter22"),
        "{}{}",
        ran.out,
        ran.err
    );
}
