//! What a challenge of SASL has, and what is derived from it.

use super::*;

#[test]
fn the_meaning_of_a_challenge_is_redacted_with_it() {
    let challenge =
        Excerpt::from(Bytes::from_static(b"334 PDE4OTYuNjk3MTcwOTUyQDE5Mi4wLjIuNz4=\r\n"));
    let challenge = challenge.with_meaning(Some(b"<1896.697170952@192.0.2.7>".to_vec()));
    let session = Some(SessionId::of(1));
    let events = [What::Connecting("smtp://h".into()), What::Server(challenge)]
        .map(|what| Event::new(session, what));
    insta::assert_snapshot!(redacted(&Redaction::new(), &events), @"
    *** connecting to smtp://h
    S: 334 [SASL_CHALLENGE#1] → <[CHALLENGE#1]@[IPV4#1]>
    ");
    insta::assert_snapshot!(redacted(&Redaction::new().preset("sasl").unwrap(), &events), @"
    *** connecting to smtp://h
    S: 334 [SASL_CHALLENGE#1]
    ");
}

#[test]
fn random_values_of_a_sasl_exchange_are_redacted_with_their_base64() {
    let said = |wire: &'static str, meaning: &str| {
        Excerpt::from(Bytes::from_static(wire.as_bytes()))
            .with_meaning(Some(meaning.as_bytes().to_vec()))
    };
    let events = [
        What::Connecting("sieve://h".into()),
        What::Client(said("[SECRET]\r\n", "n,,n=user,r=abc")),
        What::Server(said("\"cj1hYmNkZWY=\"\r\n", "r=abcdef,s=QSXCR+Q6,i=4096")),
        What::Client(said("[SECRET]\r\n", "c=biws,r=abcdef,p=[SECRET]")),
        What::Server(said("334 dj1ybUY5\r\n", "v=rmF9")),
        What::Server(said("334 VXNlcm5hbWU6\r\n", "Username:")),
    ];
    let events = events.map(|what| Event::new(Some(SessionId::of(1)), what));
    insta::assert_snapshot!(redacted(&Redaction::new(), &events), @r#"
    *** connecting to sieve://h
    C: [SECRET] → n,,n=user,r=[NONCE#1]
    S: "[SASL_CHALLENGE#1]" → r=[NONCE#2],s=[SALT#1],i=4096
    C: [SECRET] → c=biws,r=[NONCE#2],p=[SECRET]
    S: 334 [SASL_CHALLENGE#2] → v=[SIGNATURE#1]
    S: 334 VXNlcm5hbWU6 → Username:
    "#);
}

/// Six characters of a secret may stand in any random value.
#[test]
fn a_random_value_with_a_part_of_a_secret_in_it_is_redacted_as_any_other() {
    let said = |wire: &str, meaning: &str| {
        let wire = Bytes::from(wire.as_bytes().to_vec());
        What::Server(Excerpt::from(wire).with_meaning(Some(meaning.as_bytes().to_vec())))
    };
    let run = |part: &str| {
        let events = [
            What::Connecting("imap://h".into()),
            said(
                &format!("+ cmVhbG09Im{part}xub25jZT0i\r\n"),
                &format!("realm=\"h\",nonce=\"PQ86{part}wA==\",qop=\"auth\""),
            ),
            said(&format!("+ cj1hYmN{part}ZWY=\r\n"), &format!("r=ab{part}c,s=QS{part}x,i=4096")),
            said("+ cnNwYXV0aD0=\r\n", "rspauth=[SECRET]"),
        ];
        let events = events.map(|what| Event::new(Some(SessionId::of(1)), what));
        redacted(&Redaction::new(), &events)
    };
    assert_eq!(run("[SECRET]"), run("Zq7Xy9"));
    insta::assert_snapshot!(run("[SECRET]"), @r#"
    *** connecting to imap://h
    S: + [SASL_CHALLENGE#1] → realm="h",nonce="[NONCE#1]",qop="auth"
    S: + [SASL_CHALLENGE#2] → r=[NONCE#2],s=[SALT#1],i=4096
    S: + cnNwYXV0aD0= → rspauth=[SECRET]
    "#);
}
