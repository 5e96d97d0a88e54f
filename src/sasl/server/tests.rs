//! Each mechanism of the server's side, with clients that keep its rules and clients that do not.

use super::*;
use crate::sasl::{Credentials, Known, MECHANISMS, Opening, Service};

const PASSWORD: &str = "ppp\u{e9}www";
/// The password of the other user, which is a token, too.
const TOKEN: &str = "ya29.abc-_~+/==";

fn judge() -> Judge {
    Judge {
        users: vec![
            ("ho=ge,x".to_owned(), Password(PASSWORD.to_owned())),
            ("hoge".to_owned(), Password(TOKEN.to_owned())),
        ],
        ..Judge::default()
    }
}

/// Runs an exchange of both sides: returns the server's verdict, and whether the client is
/// satisfied.
fn outcome(known: &Known, judge: Judge, password: &str) -> (Option<bool>, bool) {
    let is_bearer = ["XOAUTH2", "OAUTHBEARER"].contains(&known.name) && password == PASSWORD;
    let (user, password) = if is_bearer { ("hoge", TOKEN) } else { ("ho=ge,x", password) };
    let credentials = Credentials::new(user, password);
    let service = Service { name: "smtp", host: "localhost".into(), port: None };
    let mut client = known.begin(&credentials, &service).unwrap();
    let mut server = Exchange::begin(known.name, judge).unwrap().unwrap();
    let mut challenge = server.open();
    if client.opening() == Opening::Client {
        challenge.clear();
    }
    for _ in 0..5 {
        let Ok(response) = client.respond(&challenge) else { return (None, false) };
        match server.respond(&response) {
            Move::Challenge(next) => challenge = next,
            Move::Verdict { granted, .. } => return (Some(granted), client.is_done()),
            Move::Malformed(_) => return (None, client.is_done()),
        }
    }
    panic!("{} has no end", known.name)
}

#[test]
fn each_mechanism_of_the_client_has_its_server() {
    for known in &MECHANISMS {
        let unproved = ["EXTERNAL", "ANONYMOUS"].contains(&known.name);
        assert_eq!(outcome(known, judge(), PASSWORD).0, Some(true), "{}", known.name);
        let wrong = outcome(known, judge(), "wrong").0;
        assert_eq!(wrong == Some(true), unproved, "{}", known.name);
        let no = Judge { verdict: Some(false), ..judge() };
        assert_ne!(outcome(known, no, PASSWORD).0, Some(true), "{}", known.name);
    }
}

#[test]
fn a_forged_proof_of_the_servers_is_not_believed() {
    for known in &MECHANISMS {
        let forged = outcome(known, Judge { forge: true, ..judge() }, PASSWORD);
        let proves = known.name.starts_with("SCRAM") || known.name == "DIGEST-MD5";
        assert_eq!(forged == (None, false), proves, "{}: {forged:?}", known.name);
    }
}

#[test]
fn responses_that_are_none_are_refused() {
    for known in &MECHANISMS {
        for junk in [&b""[..], b"\0", b"n,,", b",,,", b"\xff\xff", b"a b", b"r=,p="] {
            let mut server = Exchange::begin(known.name, judge()).unwrap().unwrap();
            for _ in 0..4 {
                let next = server.respond(junk);
                if matches!(next, Move::Malformed(_)) {
                    break;
                }
                if let Move::Verdict { granted, .. } = next {
                    let proved = granted && !["EXTERNAL", "ANONYMOUS"].contains(&known.name);
                    assert!(!proved, "{}: {junk:?}", known.name);
                    break;
                }
            }
        }
    }
    assert!(Exchange::begin("NTLM", judge()).unwrap().is_none());
}

/// The end of an exchange of one response, for a client of the user `hoge`.
fn answer(mechanism: &str, response: &[u8]) -> Move {
    let mut server = Exchange::begin(mechanism, judge()).unwrap().unwrap();
    server.respond(response)
}

fn is_granted(end: &Move) -> bool {
    matches!(end, Move::Verdict { granted: true, .. })
}

/// Checks that a mechanism of one response grants the good messages, and finds the bad ones
/// malformed.
fn check(mechanism: &str, good: &[String], bad: &[String]) {
    for good in good {
        let end = answer(mechanism, good.as_bytes());
        assert!(is_granted(&end), "{mechanism} {good:?}: {end:?}");
        let end = answer(mechanism, &[good.as_bytes(), b"\xff"].concat());
        assert!(matches!(end, Move::Malformed(_)), "{mechanism} {good:?}: {end:?}");
    }
    for bad in bad {
        let end = answer(mechanism, bad.as_bytes());
        assert!(matches!(end, Move::Malformed(_)), "{mechanism} {bad:?}: {end:?}");
    }
}

/// The texts, with the token for `T`.
fn with_token<const N: usize>(texts: [&str; N]) -> [String; N] {
    texts.map(|text| text.replace('T', TOKEN))
}

#[test]
fn plain_is_granted_only_in_its_form() {
    let good = with_token(["\0hoge\0T", "hoge\0hoge\0T"]);
    let bad = with_token(["", "hoge", "hoge\0T", "\0hoge\0T\0", "\0hoge\0", "\0\0T"]);
    check("PLAIN", &good, &bad);
}

#[test]
fn xoauth2_is_granted_only_in_its_form() {
    let bad = with_token([
        "user=hoge\x01auth=Bearer T\x01",
        "user=hoge\x01auth=Bearer T",
        "auth=Bearer T\x01\x01",
        "\x01auth=Bearer T\x01\x01",
        "user=\x01auth=Bearer T\x01\x01",
        "user=hoge\x01user=hoge\x01auth=Bearer T\x01\x01",
        "user=hoge\x01auth=Bearer T\x01auth=Bearer T\x01\x01",
        "auth=Bearer T\x01user=hoge\x01\x01",
        "user=hoge\x01auth=Bearer T\x01\x01x",
        "user=hoge\x01auth=Bearer T\x01\x01\x01",
        "user=hoge\x01auth=Basic T\x01\x01",
        "user=hoge\x01auth=T\x01\x01",
        "user=hoge\x01auth=Bearer  T\x01\x01",
        "user=hoge\x01auth=Bearer T \x01\x01",
        "USER=hoge\x01auth=Bearer T\x01\x01",
    ]);
    check("XOAUTH2", &with_token(["user=hoge\x01auth=Bearer T\x01\x01"]), &bad);
}

#[test]
fn oauthbearer_is_granted_only_in_its_form() {
    let good = with_token([
        "n,a=hoge,\x01auth=Bearer T\x01\x01",
        "y,,\x01host=h\x01port=25\x01auth=Bearer T\x01\x01",
        "n,,\x01x=\x01auth=bearer   T\x01\x01",
    ]);
    let bad = with_token([
        "n,a=hoge,\x01auth=Bearer T\x01",
        "n,a=hoge,auth=Bearer T\x01\x01",
        "n,a=hoge,\x01auth=Bearer T\x01\x01x",
        "n,a=hoge,\x01auth=Bearer T\x01\x01\x01",
        "n,a=hoge,\x01auth=Bearer T\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01host=a\x01host=b\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01port=x\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01port=0\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01port=\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01port=65536\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01port=+25\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01h1=x\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01=x\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01host\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01host=\u{e9}\x01auth=Bearer T\x01\x01",
        "n,a=hoge,\x01host=h\x01\x01",
        "n,a=hoge,\x01\x01",
        "\x01",
        "n,a=hoge,\x01auth=Basic T\x01\x01",
        "p=tls-unique,a=hoge,\x01auth=Bearer T\x01\x01",
        "n,a=hoge,a=hoge,\x01auth=Bearer T\x01\x01",
        "n,a=,\x01auth=Bearer T\x01\x01",
        ",\x01auth=Bearer T\x01\x01",
        "\x01auth=Bearer T\x01\x01",
        "a=hoge,\x01auth=Bearer T\x01\x01",
    ]);
    check("OAUTHBEARER", &good, &bad);
}

#[test]
fn a_client_that_proves_nothing_is_granted_only_in_the_form_of_its_mechanism() {
    check("EXTERNAL", &["", "hoge"].map(str::to_owned), &["ho\0ge".to_owned()]);
    let bad = ["a\x1b", "@", "a@", &"x".repeat(256)].map(str::to_owned);
    check("ANONYMOUS", &["", "sirhc", "a@example.com"].map(str::to_owned), &bad);
}

/// The verdict on a client of SCRAM-SHA-256 that knows the password and says these messages. `last`
/// makes the last message, without its proof, from the GS2 header in base64 and the whole nonce.
fn scram(header: &str, first: &str, last: impl Fn(&str, &str) -> String, end: &[u8]) -> Move {
    let mut server = Exchange::begin("SCRAM-SHA-256", judge()).unwrap().unwrap();
    let challenge = match server.respond(format!("{header}{first}").as_bytes()) {
        Move::Challenge(challenge) => String::from_utf8(challenge).unwrap(),
        end => return end,
    };
    let nonce = challenge.split(',').next().unwrap().strip_prefix("r=").unwrap();
    let last = last(&BASE64_STANDARD.encode(header), nonce);
    let messages = format!("{first},{challenge},{last}");
    let proofs = Proofs::new(Hash::Sha256, TOKEN.as_bytes(), (SALT, ROUNDS), &messages);
    match server.respond(format!("{last},p={}", proofs.client).as_bytes()) {
        Move::Challenge(_) => server.respond(end),
        end => end,
    }
}

#[test]
fn the_messages_of_scram_are_granted_only_in_their_form() {
    let plain = |binding: &str, nonce: &str| format!("c={binding},r={nonce}");
    let extended = |binding: &str, nonce: &str| format!("c={binding},r={nonce},x=1,y=b=c");
    for (header, first) in [("n,,", "n=hoge,r=x"), ("y,a=hoge,", "n=hoge,r=x,x=1,Z=\u{e9}")] {
        assert!(is_granted(&scram(header, first, plain, b"")), "{header}{first}");
        assert!(is_granted(&scram(header, first, extended, b"")), "{header}{first}");
        let junk = scram(header, first, plain, b"junk");
        assert!(matches!(junk, Move::Malformed(_)), "{junk:?}");
    }
    for (header, first) in [
        ("n,a=,", "n=hoge,r=x"),
        ("p=tls-unique,,", "n=hoge,r=x"),
        ("", "n=hoge,r=x"),
        ("n,,", "n=hoge,r="),
        ("n,,", "n=hoge,r=x,r=y"),
        ("n,,", "n=hoge,r=a b"),
        ("n,,", "n=hoge,r=\u{e9}"),
        ("n,,", "m=1,n=hoge,r=x"),
    ] {
        let end = scram(header, first, plain, b"");
        assert!(matches!(end, Move::Malformed(_)), "{header}{first}: {end:?}");
    }
    let wrong: [fn(&str, &str) -> String; 8] = [
        |binding, nonce| format!("r={nonce},c={binding}"),
        |binding, nonce| format!("c={binding},c={binding},r={nonce}"),
        |binding, nonce| format!("c={binding},r={nonce},r={nonce}"),
        |binding, nonce| format!("m=1,c={binding},r={nonce}"),
        |binding, nonce| format!("c={binding},r={nonce}z"),
        |_, nonce| format!("c=eSws,r={nonce}"),
        |binding, _| format!("c={binding}"),
        |binding, nonce| format!("c={binding},r={nonce},x"),
    ];
    for (n, last) in wrong.into_iter().enumerate() {
        let end = scram("n,,", "n=hoge,r=x", last, b"");
        assert!(matches!(end, Move::Malformed(_)), "{n}: {end:?}");
    }
}

/// The verdict on a response of DIGEST-MD5 with a right proof, after `change` was made to it.
fn digest(change: impl Fn(&str) -> String) -> Move {
    let credentials = Credentials::new("hoge", TOKEN);
    let service = Service { name: "smtp", host: "localhost".into(), port: None };
    let mut client = Known::find("DIGEST-MD5").unwrap().begin(&credentials, &service).unwrap();
    let mut server = Exchange::begin("DIGEST-MD5", judge()).unwrap().unwrap();
    let response = String::from_utf8(client.respond(&server.open()).unwrap()).unwrap();
    match server.respond(change(&response).as_bytes()) {
        Move::Challenge(_) => server.respond(b""),
        end => end,
    }
}

#[test]
fn the_directives_of_digest_md5_are_granted_only_in_their_form() {
    for good in ["", ",maxbuf=65536", ",x=1,x=2", ",,", ",new=\"a, b\""] {
        let end = digest(|response| format!("{response}{good}"));
        assert!(is_granted(&end), "{good}: {end:?}");
    }
    let without_qop = digest(|response| response.replace(",qop=auth", ""));
    assert!(is_granted(&without_qop), "{without_qop:?}");
    for more in [
        "username=\"hoge\"",
        "username=\"other\"",
        "realm=\"localhost\"",
        "nonce=\"x\"",
        "cnonce=\"x\"",
        "nc=00000001",
        "qop=auth",
        "digest-uri=\"smtp/localhost\"",
        "charset=utf-8",
        "cipher=rc4",
        "response=00000000000000000000000000000000",
        "authzid=\"\"",
        "authzid=hoge",
        "maxbuf=16",
        "maxbuf=x",
        "maxbuf=\"65536\"",
        "maxbuf=65536,maxbuf=65536",
        "maxbuf=16777216",
        "hello",
    ] {
        let end = digest(|response| format!("{response},{more}"));
        assert!(matches!(end, Move::Malformed(_)), "{more}: {end:?}");
    }
    for (from, to) in [
        ("realm=\"localhost\"", "realm=\"evil\""),
        ("realm=\"localhost\",", ""),
        ("nc=00000001", "nc=00000002"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=\"00000001\""),
        ("nc=00000001,", ""),
        ("qop=auth", "qop=auth-int"),
        ("qop=auth", "qop=\"auth\""),
        ("charset=utf-8", "charset=latin1"),
        ("smtp/localhost", "x"),
        ("smtp/localhost", "smtp/"),
        ("smtp/localhost", "smtp/a/b/c"),
        ("username=\"hoge\"", "username=hoge"),
        ("username=\"hoge\",", ""),
        ("nonce=", "none="),
        ("response=", "response=0"),
    ] {
        let end = digest(|response| response.replacen(from, to, 1));
        assert!(matches!(end, Move::Malformed(_)), "{from} {to}: {end:?}");
    }
}

#[test]
fn a_client_of_digest_md5_acts_only_as_itself() {
    let service = Service { name: "smtp", host: "localhost".into(), port: None };
    for (identity, wanted) in [("hoge", true), ("root", false)] {
        let credentials = Credentials::new("hoge", TOKEN).authzid(identity);
        let mut client = Known::find("DIGEST-MD5").unwrap().begin(&credentials, &service).unwrap();
        let mut server = Exchange::begin("DIGEST-MD5", judge()).unwrap().unwrap();
        let end = server.respond(&client.respond(&server.open()).unwrap());
        assert_eq!(matches!(end, Move::Challenge(_)), wanted, "{identity}: {end:?}");
    }
}

#[test]
fn the_response_of_cram_md5_is_a_user_and_a_digest() {
    let digest = "0123456789abcdef0123456789abcdef";
    for bad in [
        "hoge".to_owned(),
        "hoge abc".to_owned(),
        format!(" {digest}"),
        format!("hoge {}", digest.to_uppercase()),
        format!("hoge {digest} "),
        format!("hoge {digest}0"),
        format!("ho\0ge {digest}"),
    ] {
        let end = answer("CRAM-MD5", bad.as_bytes());
        assert!(matches!(end, Move::Malformed(_)), "{bad}: {end:?}");
    }
    let end = answer("CRAM-MD5", format!("hoge {digest}").as_bytes());
    assert_eq!(end, refused("hoge"));
}

#[test]
fn a_mechanism_that_begins_with_a_challenge_takes_no_response_with_the_command() {
    for known in &MECHANISMS {
        let mut server = Exchange::begin(known.name, judge()).unwrap().unwrap();
        let service = Service { name: "smtp", host: "localhost".into(), port: None };
        let client = known.begin(&Credentials::new("hoge", TOKEN), &service).unwrap();
        let end = server.respond_at_once(b"hoge 0123456789abcdef0123456789abcdef");
        let why = "the mechanism begins with a challenge, and the command has a response";
        assert_eq!(end == Move::Malformed(why), client.opening() == Opening::Server, "{end:?}");
    }
}
