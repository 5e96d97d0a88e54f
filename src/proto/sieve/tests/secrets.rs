//! What is secret in the bytes that a client sends.

use super::*;

/// The sent bytes, after the secrets are masked.
fn masked(steps: &[(&str, &str)]) -> String {
    let mut sieve = after(&[GREETED]);
    let mut secrets = Secrets::default();
    let mut shown = Vec::new();
    for (who, bytes) in steps {
        if *who == "C" {
            assert_eq!(
                sieve.secrets(bytes.as_bytes()),
                sieve.clone().sent(bytes.as_bytes(), &mut Secrets::default())
            );
            let spans = sieve.sent(bytes.as_bytes(), &mut secrets);
            shown.extend_from_slice(&secrets.mask(bytes.as_bytes(), &spans));
        } else {
            sieve.received(bytes.as_bytes());
        }
    }
    String::from_utf8(shown).unwrap()
}

#[test]
fn sasl_payloads_are_secret_however_they_are_said() {
    for (sent, shown) in [
        (
            "AUTHENTICATE \"PLAIN\" \"AHNhbXBsZQBwYXNz\"\r\n",
            "AUTHENTICATE \"PLAIN\" \"[SECRET]\"\r\n",
        ),
        (
            "authenticate \"PLAIN\" {16+}\r\nAHNhbXBsZQBwYXNz\r\n",
            "authenticate \"PLAIN\" {16+}\r\n[SECRET]\r\n",
        ),
        ("AUTHENTICATE PLAIN AHNhbXBsZQBwYXNz\r\n", "AUTHENTICATE PLAIN [SECRET]\r\n"),
        (
            "AUTHENTICATE \"PLAIN\"\r\n\"AHNhbXBsZQBwYXNz\"\r\nNOOP\r\n",
            "AUTHENTICATE \"PLAIN\"\r\n\"[SECRET]\"\r\nNOOP\r\n",
        ),
        (
            "AUTHENTICATE \"PLAIN\" \"=\"\r\nNOOP \"x\"\r\n",
            "AUTHENTICATE \"PLAIN\" \"[SECRET]\"\r\nNOOP \"x\"\r\n",
        ),
        ("PUTSCRIPT \"a\" {4+}\r\nkeep\r\n", "PUTSCRIPT \"a\" {4+}\r\nkeep\r\n"),
    ] {
        assert_eq!(masked(&[("C", sent)]), shown);
    }
    let login = [
        ("C", "AUTHENTICATE \"LOGIN\"\r\n"),
        ("S", "\"VXNlcm5hbWU6\"\r\n"),
        ("C", "{8+}\r\naG9nZQ==\r\n"),
        ("S", "\"UGFzc3dvcmQ6\"\r\n"),
        ("C", "\"cHBw"),
        ("C", "d3d3\"\r\n"),
        ("S", "OK\r\n"),
        ("C", "NOOP \"pppwww\"\r\n"),
    ];
    assert_eq!(
        masked(&login),
        "AUTHENTICATE \"LOGIN\"\r\n{8+}\r\n[SECRET]\r\n\"[SECRET][SECRET]\"\r\nNOOP \"[SECRET]\"\r\n"
    );
    let cancelled = [
        ("C", "AUTHENTICATE \"LOGIN\"\r\n"),
        ("S", "\"VXNlcm5hbWU6\"\r\n"),
        ("C", "\"*\"\r\n"),
        ("S", "NO\r\n"),
    ];
    assert_eq!(masked(&cancelled), "AUTHENTICATE \"LOGIN\"\r\n\"*\"\r\n");
    let in_vain = [("C", "AUTHENTICATE \"LOGIN\"\r\n"), ("S", "NO\r\n"), ("C", "\"cHBwd3d3\"\r\n")];
    assert_eq!(masked(&in_vain), "AUTHENTICATE \"LOGIN\"\r\n\"[SECRET]\"\r\n");
}

#[test]
fn a_response_is_secret_though_no_challenge_asked_for_it() {
    let at_once = [("C", "AUTHENTICATE \"LOGIN\"\r\n"), ("S", "OK\r\n"), ("C", "\"cHBwd3d3\"\r\n")];
    assert_eq!(masked(&at_once), "AUTHENTICATE \"LOGIN\"\r\n\"[SECRET]\"\r\n");
    for (sent, shown) in [
        ("\"AG1lAHdvbmRlcjEy\"\r\n", "\"[SECRET]\"\r\n"),
        ("{16+}\r\nAG1lAHdvbmRlcjEy\r\n", "{16+}\r\n[SECRET]\r\n"),
        ("AG1lAHdvbmRlcjEy\r\n", "[SECRET]\r\n"),
        ("\"wonderland\" \"x\"\r\n", "\"wonderland\" \"x\"\r\n"),
    ] {
        assert_eq!(masked(&[("C", sent)]), shown);
        assert_eq!(
            masked(&[("C", "NOOP\r\n"), ("S", "OK\r\n"), ("C", sent)]),
            format!("NOOP\r\n{shown}")
        );
    }
}
