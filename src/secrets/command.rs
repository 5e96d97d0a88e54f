//! Finds the secrets in the commands of mail protocols, and recognises the names of parameters with
//! secrets.

use std::ops::{Range, RangeInclusive};

/// The verbs that carry secrets; the positions that they may have among the words of a line; the
/// number of words from the verb to the secret. In IMAP a tag precedes the verb, unless it was
/// forgotten.
const CARRIERS: [(&[u8], RangeInclusive<usize>, usize); 5] = [
    (b"AUTH", 0..=0, 2),
    (b"AUTHENTICATE", 0..=1, 2),
    (b"PASS", 0..=0, 1),
    (b"APOP", 0..=0, 2),
    (b"LOGIN", 0..=1, 2),
];

/// The secret span in a command of any mail protocol: the response in AUTH and AUTHENTICATE (with
/// or without a tag), the password of PASS, the digest of APOP, the password of an IMAP LOGIN. A
/// list of mechanisms, as servers send it, is not secret.
pub(crate) fn secret_of_command(line: &[u8]) -> Option<Range<usize>> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    // In IMAP, UID may precede the verb, although it does not belong there.
    let mut ahead = words.clone();
    if ahead.nth(1).is_some_and(|word| word.eq_ignore_ascii_case(b"UID")) {
        words = ahead;
    }
    let (place, (_, places, further)) =
        words.by_ref().take(2).enumerate().find_map(|(place, word)| {
            CARRIERS
                .iter()
                .find(|(verb, ..)| word.eq_ignore_ascii_case(verb))
                .map(|carrier| (place, carrier))
        })?;
    let secret = places
        .contains(&place)
        .then(|| words.nth(further - 1))
        .flatten()
        .filter(|word| *word != b"=")?;
    if is_mechanism(secret) && words.all(is_mechanism) {
        return None;
    }
    let start = secret.as_ptr().addr() - line.as_ptr().addr();
    Some(start..line.trim_ascii_end().len())
}

/// The password in `scheme://user:password@host`.
pub(crate) fn password_of_url(text: &str) -> Option<Range<usize>> {
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = start + text[start..].rfind('@')?;
    let colon = text[start..end].find(':')?;
    let is_url = start > 0 || !text[..end].contains(|c: char| c.is_whitespace() || c == '<');
    is_url.then_some(start + colon + 1..end)
}

/// Whether a word is the name of a SASL mechanism, including mechanisms that are not implemented
/// here.
pub(super) fn is_mechanism(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 17] = [
        b"PLAIN",
        b"LOGIN",
        b"CRAM-MD5",
        b"DIGEST-MD5",
        b"SCRAM-SHA-1",
        b"SCRAM-SHA-256",
        b"SCRAM-SHA-512",
        b"XOAUTH2",
        b"OAUTHBEARER",
        b"EXTERNAL",
        b"ANONYMOUS",
        b"GSSAPI",
        b"GSS-SPNEGO",
        b"GS2-KRB5",
        b"NTLM",
        b"OTP",
        b"KERBEROS_V4",
    ];
    let name = word.strip_suffix(b"-PLUS").unwrap_or(word);
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The words that mark a name as that of a secret. Underscores, digits and capitals separate the
/// words of a name.
#[cfg(feature = "script")]
pub(crate) const SECRET_WORDS: [&str; 20] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "pass",
    "pwd",
    "pw",
    "pin",
    "secret",
    "secrets",
    "token",
    "jwt",
    "bearer",
    "credential",
    "credentials",
    "apikey",
    "otp",
    "passwort",
    "kennwort",
];

/// The words before `key` that make the key a secret.
#[cfg(feature = "script")]
const SECRET_KEYS: [&str; 9] =
    ["api", "private", "access", "auth", "encryption", "master", "session", "shared", "signing"];

/// Last words of a name that describe something about the secret, so that the value is not secret.
#[cfg(feature = "script")]
const ABOUT: [&str; 14] = [
    "type", "url", "uri", "length", "count", "min", "max", "ttl", "lifetime", "expiry", "policy",
    "file", "path", "endpoint",
];

/// Whether a parameter with this name holds a value that should not be shown: `smtp_pass`, `pass1`,
/// `userPassword`, `api_key`; not `secretary`, `max_tokens` or `token_url`.
#[cfg(feature = "script")]
pub(crate) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    if words.last().is_some_and(|last| ABOUT.contains(&last.as_str())) {
        return false;
    }
    let is_key = |pair: &[String]| SECRET_KEYS.contains(&pair[0].as_str()) && pair[1] == "key";
    let word = |word: &String| {
        // `userpassword` counts, `bypass` does not.
        SECRET_WORDS
            .iter()
            .any(|secret| word == secret || (secret.len() > 4 && word.ends_with(secret)))
    };
    words.iter().any(word) || words.windows(2).any(is_key)
}

/// The words of a name, in lower case.
#[cfg(feature = "script")]
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_uppercase() && before.is_lowercase();
        if begins || !c.is_alphabetic() {
            words.push(String::new());
        }
        if c.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secrets_of_commands_are_found_in_any_protocol() {
        for (line, secret) in [
            ("AUTH PLAIN AGFi", Some("AGFi")),
            ("a1 AUTHENTICATE PLAIN AGFi", Some("AGFi")),
            ("a1 UID LOGIN user password", Some("password")),
            ("a1 UID FETCH 1 FLAGS", None),
            ("auth login =", None),
            ("AUTH LOGIN", None),
            ("PASS two words", Some("two words")),
            ("APOP mrose c4c9334bac", Some("c4c9334bac")),
            ("a1 LOGIN user \"pass word\"", Some("\"pass word\"")),
            ("LOGIN user password", Some("password")),
            ("250-AUTH LOGIN PLAIN", None),
            ("250 AUTH CRAM-MD5 PLAIN LOGIN", None),
            ("AUTH SCRAM-SHA-512 NTLM LOGIN PLAIN", None),
            ("SASL LOGIN PLAIN CRAM-MD5", None),
            ("NOOP", None),
        ] {
            assert_eq!(
                secret_of_command(line.as_bytes()).map(|span| &line[span]),
                secret,
                "{line}"
            );
        }
    }

    #[cfg(feature = "script")]
    #[test]
    fn the_name_of_a_secret_says_so() {
        for name in [
            "password",
            "smtp_pass",
            "pass1",
            "user_pass",
            "passcode",
            "jwt",
            "credential",
            "credentials",
            "api_key",
            "apiKey",
            "accessToken",
            "PASSWORD2",
            "userpassword",
            "pin",
            "secret_key",
            "private-key",
            "oauth_token",
            "passwort",
            "Kennwort2",
            "signing_key",
            "encryptionKey",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "secretary",
            "max_tokens",
            "passwordless",
            "bypass",
            "token_url",
            "password_file",
            "user",
            "key",
            "spin",
            "compass",
            "host",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
