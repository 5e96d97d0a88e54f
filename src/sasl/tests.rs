//! Tests of the exchanges in the RFCs, octet for octet, and of challenges that no honest server
//! sends.

use super::*;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use proptest::prelude::*;

fn service() -> Service {
    Service { name: "imap", host: "elwood.innosoft.com".into(), port: Some(143) }
}

fn begin(credentials: &Credentials) -> Box<dyn Mechanism> {
    let name = credentials.mechanism.as_deref().unwrap();
    Known::named(name).unwrap().begin(credentials, &service()).unwrap()
}

/// The responses to these challenges, as text.
fn responses(mechanism: &mut dyn Mechanism, challenges: &[&str]) -> Vec<String> {
    let respond = |challenge: &&str| {
        String::from_utf8(mechanism.respond(challenge.as_bytes()).unwrap()).unwrap()
    };
    challenges.iter().map(respond).collect()
}

/// The error for the last of these challenges.
fn refusal(credentials: &Credentials, challenges: &[&str]) -> Error {
    let mut mechanism = begin(credentials);
    let (last, earlier) = challenges.split_last().unwrap();
    for challenge in earlier {
        mechanism.respond(challenge.as_bytes()).unwrap();
    }
    let error = mechanism.respond(last.as_bytes()).unwrap_err();
    assert!(!mechanism.is_done(), "{last}");
    error
}

#[test]
fn plain_is_as_in_rfc_4616() {
    let mut tim = begin(&Credentials::new("tim", "tanstaaftanstaaf").mechanism("PLAIN"));
    assert_eq!((tim.opening(), tim.is_done()), (Opening::Client, false));
    assert_eq!(responses(&mut *tim, &[""]), ["\0tim\0tanstaaftanstaaf"]);
    assert!(tim.is_done());
    let mut kurt =
        begin(&Credentials::new("Kurt", "xipj3plmq").mechanism("plain").authzid("Ursel"));
    assert_eq!(responses(&mut *kurt, &[""]), ["Ursel\0Kurt\0xipj3plmq"]);
}

#[test]
fn login_answers_any_two_prompts() {
    let mut login = begin(&Credentials::new("hoge", "pppwww").mechanism("LOGIN"));
    assert_eq!(login.opening(), Opening::Either);
    assert_eq!(responses(&mut *login, &["User Name\0", "Geheimwort:"]), ["hoge", "pppwww"]);
    assert!(login.is_done());
}

#[test]
fn cram_md5_is_as_in_rfc_2195() {
    let mut cram = begin(&Credentials::new("tim", "tanstaaftanstaaf").mechanism("CRAM-MD5"));
    assert_eq!(cram.opening(), Opening::Server);
    let challenge = "<1896.697170952@postoffice.reston.mci.net>";
    assert_eq!(responses(&mut *cram, &[challenge]), ["tim b913a602c7eda7a495b4e6e7334d3890"]);
    assert!(cram.is_done());
}

const DIGEST_CHALLENGE: &str = r#"realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8"#;

fn chris() -> Credentials {
    Credentials::new("chris", "secret").mechanism("DIGEST-MD5").nonce("OA6MHXh6VqTrRk")
}

#[test]
fn digest_md5_is_as_in_rfc_2831() {
    let mut digest = begin(&chris());
    let response = responses(&mut *digest, &[DIGEST_CHALLENGE]).remove(0);
    assert_eq!(
        response,
        r#"charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",response=d388dad90d4bbd760a152321f2143af7,qop=auth"#
    );
    assert_eq!(digest.proof(), Some("ea40f60335c427b5527b84dbabcdfffd"));
    assert!(!digest.is_done());
    assert_eq!(responses(&mut *digest, &["rspauth=ea40f60335c427b5527b84dbabcdfffd"]), [""]);
    assert!(digest.is_done());
}

#[test]
fn digest_md5_acts_for_others_and_quotes_what_needs_it() {
    let credentials =
        Credentials::new(r#"a"b\c"#, "secret").mechanism("DIGEST-MD5").nonce("x").authzid("root");
    let mut digest = begin(&credentials.realm("here").host("ignored: the session sets it"));
    let response =
        responses(&mut *digest, &[r#" nonce = "q\"q" , qop="auth-int,auth",algorithm=MD5-sess,,"#])
            .remove(0);
    assert!(response.starts_with(r#"username="a\"b\\c",realm="here",nonce="q\"q","#), "{response}");
    assert!(response.ends_with(r#",qop=auth,authzid="root""#), "{response}");
}

const PENCIL_SHA_1: [&str; 3] = [
    "",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
];

fn pencil(mechanism: &str, nonce: &str) -> Credentials {
    Credentials::new("user", "pencil").mechanism(mechanism).nonce(nonce)
}

#[test]
fn scram_sha_1_is_as_in_rfc_5802() {
    let mut scram = begin(&pencil("SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL"));
    assert_eq!(
        responses(&mut *scram, &PENCIL_SHA_1[..2]),
        [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
        ]
    );
    assert_eq!((scram.proof(), scram.is_done()), (Some("rmF9pqV8S7suAoZWja4dJRkFsKQ="), false));
    assert_eq!(responses(&mut *scram, &PENCIL_SHA_1[2..]), [""]);
    assert!(scram.is_done());
}

#[test]
fn scram_sha_256_is_as_in_rfc_7677() {
    let mut scram = begin(&pencil("SCRAM-SHA-256", "rOprNGfwEbeRWgbNEkqO"));
    let challenges = [
        "",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ];
    assert_eq!(
        responses(&mut *scram, &challenges),
        [
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            ""
        ]
    );
    assert!(scram.is_done());
}

#[test]
fn scram_writes_names_so_that_they_are_no_syntax_and_prepares_them() {
    let credentials = Credentials::new("a,b=\u{2168}\u{ad}", "x")
        .mechanism("SCRAM-SHA-1")
        .nonce("N")
        .authzid("c,d");
    assert_eq!(responses(&mut *begin(&credentials), &[""]), ["n,a=c=2Cd,n=a=2Cb=3DIX,r=N"]);
}

#[test]
fn a_server_that_says_an_error_in_scram_is_heard_out_and_not_believed_later() {
    let mut scram = begin(&pencil("SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL"));
    responses(&mut *scram, &PENCIL_SHA_1[..2]);
    assert_eq!(responses(&mut *scram, &["e=invalid-proof"]), [""]);
    assert!(!scram.is_done());
}

#[test]
fn oauthbearer_is_as_in_rfc_7628() {
    let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
    let credentials = Credentials::token("user@example.com", token).mechanism("OAUTHBEARER");
    let service = Service { name: "imap", host: "server.example.com".into(), port: Some(143) };
    let mut bearer = Known::named("oauthbearer").unwrap().begin(&credentials, &service).unwrap();
    let message = bearer.respond(b"").unwrap();
    assert_eq!(
        BASE64_STANDARD.encode(message),
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    );
    assert!(bearer.is_done());
    assert_eq!(bearer.respond(br#"{"status":"invalid_token"}"#).unwrap(), [1]);
    assert!(!bearer.is_done());
}

#[test]
fn xoauth2_is_as_its_makers_describe_it() {
    let token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
    let mut bearer = begin(&Credentials::token("someuser@example.com", token).mechanism("XOAUTH2"));
    assert_eq!(
        BASE64_STANDARD.encode(bearer.respond(b"").unwrap()),
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
    );
    assert_eq!(bearer.respond(br#"{"status":"401"}"#).unwrap(), b"");
    assert!(!bearer.is_done());
}

#[test]
fn external_and_anonymous_are_as_in_rfc_4422_and_rfc_4505() {
    assert_eq!(responses(&mut *begin(&Credentials::external("")), &[""]), [""]);
    assert_eq!(
        responses(&mut *begin(&Credentials::external("fred@example.com")), &[""]),
        ["fred@example.com"]
    );
    assert_eq!(responses(&mut *begin(&Credentials::anonymous("sirhc")), &[""]), ["sirhc"]);
}

#[test]
fn a_challenge_of_digest_md5_that_cannot_be_answered_says_why() {
    for (challenges, why) in [
        (&["realm=\"x\""][..], "no nonce, or more than one"),
        (&["nonce=\"\""], "no nonce, or more than one"),
        (&["nonce=a,nonce=b"], "no nonce, or more than one"),
        (&["nonce=\"a"], "not a list of directives"),
        (&["nonce=\"a\"b"], "not a list of directives"),
        (&["hello"], "not a list of directives"),
        (&["nonce=a,qop=\"auth-conf\""], "does not offer qop=auth"),
        (&["nonce=a,algorithm=sha"], "another algorithm"),
        (&["nonce=a,qop=\"auth\""], "no algorithm"),
        (&[DIGEST_CHALLENGE, ""], "no rspauth"),
        (&["nonce=a,charset=utf-8,charset=utf-8"], "a directive twice"),
        (&["nonce=a,algorithm=md5-sess,algorithm=md5-sess"], "a directive twice"),
        (&[DIGEST_CHALLENGE, "rspauth=0,rspauth=0"], "no rspauth, or more than one"),
    ] {
        let error = refusal(&chris(), challenges);
        assert!(error.is_malformed() && error.message().contains(why), "{challenges:?}: {error}");
    }
}

#[test]
fn a_challenge_of_scram_that_cannot_be_answered_says_why() {
    let scram = pencil("SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL");
    let good = PENCIL_SHA_1[1];
    for (credentials, challenges, why) in [
        (&Credentials::new("u", "p").mechanism("CRAM-MD5"), &[""][..], "nothing to sign"),
        (&scram, &["", ""], "does not begin with a nonce"),
        (&scram, &["", "m=1,r=x"], "an extension"),
        (&scram, &["", "r=other,s=QQ==,i=1"], "another client"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawL,s=QQ==,i=1"], "added nothing"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx"], "no salt"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=?,i=1"], "not base64"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=,i=1"], "not base64"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ=="], "no number of rounds"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=0"], "no number above 0"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=-1"], "no number above 0"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=04096"], "no number above 0"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i="], "no number above 0"),
        (
            &scram,
            &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=4294967295"],
            "more than 1000000 rounds",
        ),
        (
            &scram,
            &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=99999999999999999999999"],
            "more than 1000000 rounds",
        ),
        (&scram, &["", good, "hello"], "no signature"),
        (&scram, &["", good, "e=no,v=rmF9pqV8S7suAoZWja4dJRkFsKQ="], "twice, or not in its place"),
        (&scram, &["", good, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,e=no"], "twice, or not in its place"),
        (&scram, &["", good, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,v=x"], "twice, or not in its place"),
        (&scram, &["", good, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,"], "something else than attributes"),
        (&scram, &["", good, "x=1,v=rmF9pqV8S7suAoZWja4dJRkFsKQ="], "no signature"),
        (&scram, &["", "s=QQ==,r=fyko+d2lbbFgONRv9qkxdawLx,i=1"], "does not begin with a nonce"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,i=1,s=QQ=="], "no salt"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,r=x,s=QQ==,i=1"], "no salt"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawL x,s=QQ==,i=1"], "than printable ASCII"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=1,i=2"], "twice, or not in its place"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=1,s=QQ=="], "twice, or not in"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=1,r=x"], "twice, or not in its place"),
        (&scram, &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=1,m=x"], "twice, or not in its place"),
        (
            &scram,
            &["", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QQ==,i=1,"],
            "something else than attributes",
        ),
    ] {
        let error = refusal(credentials, challenges);
        assert!(error.is_malformed() && error.message().contains(why), "{challenges:?}: {error}");
    }
}

#[test]
fn a_server_of_scram_may_send_extensions() {
    let credentials = pencil("SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL");
    let mut scram = begin(&credentials);
    scram.respond(b"").unwrap();
    scram.respond(format!("{},x=1,Y=a=b", PENCIL_SHA_1[1]).as_bytes()).unwrap();
    let proof = scram.proof().unwrap().to_owned();
    scram.respond(format!("v={proof},x=1").as_bytes()).unwrap();
    assert!(scram.is_done());
}

#[test]
fn a_server_that_proves_itself_wrongly_is_not_believed() {
    let error = refusal(
        &pencil("SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL"),
        &["", PENCIL_SHA_1[1], "v=AAAAAAAAAAAAAAAAAAAAAAAAAAA="],
    );
    insta::assert_snapshot!(error, @r"
    the server's own signature is wrong: it does not know the password, or is not the server that it claims to be
      expected: v=..., made with the password (RFC 5802, 3)
      got: v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=
    ");
    let error = refusal(&chris(), &[DIGEST_CHALLENGE, "rspauth=00000000000000000000000000000000"]);
    assert!(error.message().contains("the server's own proof is wrong"), "{error}");
}

#[test]
fn a_challenge_after_the_last_is_refused() {
    for credentials in [
        Credentials::new("u", "p").mechanism("PLAIN"),
        Credentials::external("x"),
        Credentials::anonymous("x"),
        Credentials::token("u", "t").mechanism("XOAUTH2"),
        Credentials::token("u", "t").mechanism("OAUTHBEARER"),
        Credentials::new("u", "p").mechanism("LOGIN"),
        Credentials::new("u", "p").mechanism("CRAM-MD5"),
    ] {
        let mut mechanism = begin(&credentials);
        let refused = (0..4).find_map(|_| mechanism.respond(b"more").err()).unwrap();
        assert!(
            refused.message().starts_with("the server continues to ask"),
            "{credentials:?}: {refused}"
        );
    }
}

#[test]
fn the_strongest_of_what_both_have_is_chosen() {
    let password = Credentials::new("u", "p");
    let chosen = |offered: &[&str]| Known::strongest(&password, offered).unwrap().name;
    assert_eq!(chosen(&["PLAIN", "login", "scram-sha-256", "SCRAM-SHA-256-PLUS"]), "SCRAM-SHA-256");
    assert_eq!(chosen(&["XOAUTH2", "LOGIN", "PLAIN"]), "PLAIN");
    assert_eq!(
        Known::strongest(&Credentials::token("u", "t"), &["PLAIN", "XOAUTH2"]).unwrap().name,
        "XOAUTH2"
    );
    let error = Known::strongest(&password, &["GSSAPI", "XOAUTH2"]).err().unwrap();
    insta::assert_snapshot!(error, @r"
    the server offers no mechanism that these credentials can be used with
      expected: one of SCRAM-SHA-256, SCRAM-SHA-1, DIGEST-MD5, CRAM-MD5, PLAIN, LOGIN
      got: GSSAPI, XOAUTH2
      hint: name a mechanism to use it anyway; many servers offer more within TLS
    ");
}

#[cfg(feature = "script")]
#[test]
fn a_mechanism_that_is_not_known_is_suggested_or_listed() {
    let hint = |name: &str| Known::named(name).err().unwrap().next_step().unwrap().to_owned();
    assert_eq!(hint("scram-sha256"), "did you mean SCRAM-SHA-256?");
    assert!(
        hint("GSSAPI").starts_with("there are SCRAM-SHA-256, SCRAM-SHA-1, DIGEST-MD5,"),
        "{}",
        hint("GSSAPI")
    );
}

#[test]
fn nonces_are_random_unless_given() {
    let first = |credentials: &Credentials| begin(credentials).respond(b"").unwrap();
    let credentials = Credentials::new("u", "p").mechanism("SCRAM-SHA-1");
    assert_ne!(first(&credentials), first(&credentials));
    assert_eq!(first(&credentials).len(), "n,,n=u,r=".len() + 24);
}

proptest! {
    #[test]
    fn no_challenge_makes_a_mechanism_panic_or_be_done_too_soon(
        which in 0..MECHANISMS.len(),
        challenges in proptest::collection::vec("(r=N|s=|i=|v=|nonce=|rspauth=|[a-z0-9=,\"\\\\ é]){0,8}", 0..4),
    ) {
        let credentials = Credentials::new("u", "p").nonce("N");
        let mut mechanism = MECHANISMS[which].begin(&credentials, &service()).unwrap();
        for challenge in challenges {
            let failed = mechanism.respond(challenge.as_bytes()).is_err();
            let proves_itself = MECHANISMS[which].name.contains("SCRAM") || MECHANISMS[which].name.contains("DIGEST");
            prop_assert!(!(proves_itself && mechanism.is_done() && failed));
            if failed { break }
        }
    }
}

#[test]
fn the_name_of_a_mechanism_is_no_secret_in_a_list_of_mechanisms() {
    for known in &super::MECHANISMS {
        let list = format!("250 AUTH LOGIN {}", known.name);
        assert_eq!(crate::secrets::secret_of_command(list.as_bytes()), None, "{list}");
        let list = format!("AUTH LOGIN {}", known.name);
        assert_eq!(crate::secrets::secret_of_command(list.as_bytes()), None, "{list}");
    }
}
