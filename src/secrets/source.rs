//! What is secret in the lines of scripts, which errors show.

use std::ops::Range;

use super::{SHORTEST, is_secret_name, secret_of_command};

/// What `auth` takes by name that is no secret.
const SHOWN: [&str; 10] = [
    "timeout",
    "expect",
    "initial",
    "cancel",
    "authzid",
    "mechanism",
    "user",
    "nonce",
    "host",
    "realm",
];

/// A line of a script with what is secret in its texts and numbers masked: in commands
/// (`s.send("AUTH PLAIN ...")`), behind the first text of a word that takes a password
/// (`s.auth("user", "...")`), behind a name that says so (`password: "..."`, `param("password",
/// "...")`), in URLs with a password, and what is to become base64.
pub(crate) fn mask_source(line: &str) -> String {
    let mut masked = String::new();
    let mut taker = None;
    let (mut from, mut copied) = (0, 0);
    for Literal { whole, inside } in literals(line) {
        let code = &line[from..whole.start];
        let text = &line[inside.clone()];
        // A number behind a call is what its result is compared with.
        let is_behind_a_call =
            whole == inside && code.rsplit('(').next().is_some_and(|behind| behind.contains(')'));
        taker = taker_of(code, taker).filter(|_| !is_behind_a_call);
        let secret = match taker {
            Some(Taker::Now | Taker::Once) => Some(inside),
            Some(Taker::User) if line[whole.end..].trim_start().starts_with(')') => Some(inside),
            _ => secret_of_text(text, is_sent(code))
                .map(|span| inside.start + span.start..inside.start + span.end),
        };
        if let Some(secret) = secret {
            masked.extend([&line[copied..secret.start], "[SECRET]"]);
            copied = secret.end;
        }
        taker = taker.and_then(|taker| taker.behind(text));
        from = whole.end;
    }
    masked.push_str(&line[copied..]);
    masked
}

/// A text or a number of a line.
struct Literal {
    whole: Range<usize>,
    /// Without its quotes.
    inside: Range<usize>,
}

/// The texts and the numbers of a line. A text that does not end on it goes on to its end.
fn literals(line: &str) -> Vec<Literal> {
    let bytes = line.as_bytes();
    let mut literals = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let end = match byte {
            b'"' | b'`' => {
                let inside = at + 1..end_of_text(bytes, at);
                let end = (inside.end + 1).min(bytes.len());
                literals.push(Literal { whole: at..end, inside });
                end
            }
            byte if is_of_word(*byte) => {
                let end = at
                    + bytes[at..]
                        .iter()
                        .position(|byte| !is_of_word(*byte))
                        .unwrap_or(bytes.len() - at);
                literals.extend(
                    byte.is_ascii_digit().then_some(Literal { whole: at..end, inside: at..end }),
                );
                end
            }
            _ => at + 1,
        };
        at = end;
    }
    literals
}

/// Where the quote stands that ends the text which begins there.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let (quote, mut end) = (bytes[start], start + 1);
    while end < bytes.len() && bytes[end] != quote {
        end += if quote == b'"' && bytes[end] == b'\\' { 2 } else { 1 };
    }
    end.min(bytes.len())
}

/// Whether a byte is of a name or a number; what is not ASCII counts as a letter.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// What is secret in a text by itself. Line ends are written as escapes here.
fn secret_of_text(text: &str, is_sent: bool) -> Option<Range<usize>> {
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
        return Some(0..text.len());
    }
    let command =
        secret_of_command(text.as_bytes()).filter(|span| is_sent || span.len() >= SHORTEST);
    command.or_else(|| password_of_url(text))
}

/// The password in `scheme://user:password@host`.
fn password_of_url(text: &str) -> Option<Range<usize>> {
    let start = text.find("://")? + 3;
    let end = start + text[start..].rfind('@')?;
    let colon = text[start..end].find(':')?;
    Some(start + colon + 1..end)
}

/// Whether the text behind this code is sent as it is.
fn is_sent(code: &str) -> bool {
    ["send(", "send_raw(", "pipeline(["].iter().any(|call| code.trim_end().ends_with(call))
}

/// What the text that comes next in a line is to a word that may take a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    /// The first text of a call in which all others may be secret.
    Next,
    /// The same, where there must be another: alone, it stands where the secret belongs.
    User,
    /// Secret, as are those behind it.
    Now,
    /// No secret by its name, in such a call.
    Shown,
    /// Secret alone.
    Once,
    /// The name of a parameter.
    Param,
    /// The first argument of a command of IMAP.
    Command,
}

impl Taker {
    /// What is next behind that text.
    fn behind(self, text: &str) -> Option<Self> {
        match self {
            Self::Next | Self::User | Self::Now | Self::Shown => Some(Self::Now),
            Self::Param if is_secret_name(text) => Some(Self::Once),
            Self::Command
                if ["login", "authenticate"].contains(&text.to_ascii_lowercase().as_str()) =>
            {
                Some(Self::Now)
            }
            Self::Param | Self::Command | Self::Once => None,
        }
    }
}

/// What the code before a text makes of it, where that before it was such.
fn taker_of(code: &str, before: Option<Taker>) -> Option<Taker> {
    let before = before.filter(|_| !code.contains(';'));
    let code = code.trim_end();
    let named = code.strip_suffix([':', '=']).map(last_name);
    let by_name = |else_: Taker| {
        if named.is_some_and(|name| SHOWN.contains(&name)) { Taker::Shown } else { else_ }
    };
    if let Some((called, behind)) = code.rsplit_once('(') {
        match (last_name(called), behind.is_empty()) {
            ("auth" | "authenticate", true) => return Some(Taker::Next),
            ("login" | "apop", true) => return Some(Taker::User),
            ("auth" | "authenticate" | "login" | "apop", false) => {
                return Some(by_name(Taker::Now));
            }
            ("param", _) => return Some(Taker::Param),
            ("base64", _) => return before.or(Some(Taker::Once)),
            ("command", true) => return Some(Taker::Command),
            _ => {}
        }
    }
    if before == Some(Taker::Now) {
        return Some(by_name(Taker::Now));
    }
    if named.is_some_and(is_secret_name) { Some(Taker::Once) } else { before }
}

/// The name at the end of some code.
fn last_name(code: &str) -> &str {
    let code = code.trim_end();
    let start = code.rfind(|c: char| !c.is_alphanumeric() && c != '_');
    &code[start.map_or(0, |at| at + code[at..].chars().next().map_or(0, char::len_utf8))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_a_script_is_masked_where_it_says_a_secret() {
        for (line, shown) in [
            ("s.send(\"AUTH PLAIN AGFiAGNk\");", "s.send(\"AUTH PLAIN [SECRET]\");"),
            ("s.expect(250); // nothing here", "s.expect(250); // nothing here"),
            ("s.auth(\"me\", \"pw\");", "s.auth(\"me\", \"[SECRET]\");"),
            (
                "s.auth(`PLAIN`, user, `pw`, #{timeout: 1})",
                "s.auth(`PLAIN`, user, `[SECRET]`, #{timeout: 1})",
            ),
            (
                "s.login( \"me\", \"pw\"); s.send(\"NOOP\")",
                "s.login( \"me\", \"[SECRET]\"); s.send(\"NOOP\")",
            ),
            (
                "let x = #{password: \"pw\", user: \"me\"};",
                "let x = #{password: \"[SECRET]\", user: \"me\"};",
            ),
            ("let token = \"abc\"; print(\"x\")", "let token = \"[SECRET]\"; print(\"x\")"),
            ("param(\"password\", \"pw\")", "param(\"password\", \"[SECRET]\")"),
            (
                "s.starttls(#{key: \"-----BEGIN EC PRIVATE KEY-----\\nMC4C\"});",
                "s.starttls(#{key: \"[SECRET]\"});",
            ),
            ("param(\"user\", \"me\")", "param(\"user\", \"me\")"),
            ("param(\"port\", 2525)", "param(\"port\", 2525)"),
            ("param(\"password\", 12345678)", "param(\"password\", [SECRET])"),
            (
                "s.auth(\"a1\", \"pw\", #{expect: 535})",
                "s.auth(\"a1\", \"[SECRET]\", #{expect: 535})",
            ),
            (
                "assert(s.auth(\"a\", \"pw\").code == 235 || x1 == 334)",
                "assert(s.auth(\"a\", \"[SECRET]\").code == 235 || x1 == 334)",
            ),
            ("assert_eq(\"a\", \"b\")", "assert_eq(\"a\", \"b\")"),
        ] {
            assert_eq!(mask_source(line), shown);
        }
    }

    #[test]
    fn a_secret_is_masked_in_a_call_that_is_written_wrong() {
        for (line, shown) in [
            (r#"s.login("me", "p\"w");"#, r#"s.login("me", "[SECRET]");"#),
            (
                r#"s.login("me", "p\\"); s.send("NOOP");"#,
                r#"s.login("me", "[SECRET]"); s.send("NOOP");"#,
            ),
            (r#"s.login("pw");"#, r#"s.login("[SECRET]");"#),
            (r#"s.login(user, "pw");"#, r#"s.login(user, "[SECRET]");"#),
            (r#"s.auth("EXTERNAL");"#, r#"s.auth("EXTERNAL");"#),
            (
                r#"s.auth(#{user: "me", pasword: "pw"});"#,
                r#"s.auth(#{user: "me", pasword: "[SECRET]"});"#,
            ),
            (
                r#"s.auth("X", #{user: "me", token: "pw"});"#,
                r#"s.auth("X", #{user: "me", token: "[SECRET]"});"#,
            ),
            (r#"connect("imap://me:p@w@host:1");"#, r#"connect("imap://me:[SECRET]@host:1");"#),
            (
                r#"s.command("LOGIN", ["me", bytes("pw")]);"#,
                r#"s.command("LOGIN", ["[SECRET]", bytes("[SECRET]")]);"#,
            ),
            (r#"s.command("NOOP", #{expect: "BAD"});"#, r#"s.command("NOOP", #{expect: "BAD"});"#),
            (
                r#"s.send("PASS abc"); step("pass it");"#,
                r#"s.send("PASS [SECRET]"); step("pass it");"#,
            ),
            (
                r#"s.send("AUTH PLAIN " + base64("x"));"#,
                r#"s.send("AUTH PLAIN " + base64("[SECRET]"));"#,
            ),
            (r#"s.auth("me", 12345678);"#, r#"s.auth("me", [SECRET]);"#),
            ("if (ok) { s.login(user, 0x1_f); }", "if (ok) { s.login(user, [SECRET]); }"),
            ("s.login(1234);", "s.login([SECRET]);"),
            (r#"s.login("me", "open"#, r#"s.login("me", "[SECRET]"#),
            (r#"é("é\é")"#, r#"é("é\é")"#),
        ] {
            assert_eq!(mask_source(line), shown);
        }
    }
}
