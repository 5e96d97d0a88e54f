//! Writes the dialogue of `mailexpect send` as a script. The script is run, and `--save` writes it
//! to a file.

use std::fmt::Write as _;

use super::args::{Content, Send, Stage, Starttls};
use super::mail::{self, Long};
use crate::error::Result;
use crate::proto::Speech;
use crate::script::written::{self, string};
use crate::target;

/// The script's text. The password is a parameter wherever it stands in the message or the envelope.
///
/// # Errors
/// If a file of the message cannot be read.
pub(super) fn text(
    args: &Send,
    url: &str,
    password: Option<&str>,
    long: &mut Long,
) -> Result<String> {
    let is_lmtp = target::speech(url) == Some(Speech::Lmtp);
    let mut script = Script { args, text: String::new(), is_lmtp, password };
    script.heading(url);
    let last = args.quit_after;
    let goes_on = |stage| last.is_none_or(|last| last > stage);
    if goes_on(Stage::Greeting) {
        script.hello();
    }
    if goes_on(Stage::Ehlo) {
        script.starttls();
    }
    if goes_on(Stage::Tls) {
        script.auth();
    }
    if goes_on(Stage::Auth) {
        let mail = if last.is_none() {
            Some(args.message.expression(args, password, long)?)
        } else {
            None
        };
        match mail {
            Some(mail) if args.pipeline => script.pipeline(&mail),
            mail => script.envelope(mail.as_deref()),
        }
    }
    script.line("s.quit();");
    Ok(script.text)
}

/// What the recipients that were not refused have got.
const NOBODY: &str = "nothing was delivered";
const UNKNOWN: &str = "it is not known whether the others have the message";
const ALL: &str = "the others have the message";

struct Script<'a> {
    args: &'a Send,
    text: String,
    is_lmtp: bool,
    password: Option<&'a str>,
}

impl Script<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// The expression of a value of the command line.
    fn value(&self, text: &str) -> String {
        written::without_password(text, self.password)
    }

    fn heading(&mut self, url: &str) {
        let title = match self.args.quit_after {
            None => "A message is accepted.",
            Some(_) => "The server goes along with a dialogue that ends before the message.",
        };
        let _ = writeln!(self.text, "// {title}");
        self.line("// As sent by `mailexpect send`.");
        let scheme = url.split([':', '+']).next().unwrap_or("smtp");
        let _ = writeln!(self.text, "let s = connect(param({}, {}));", string(scheme), string(url));
        let client = self.args.ehlo.clone().unwrap_or_else(mail::host);
        let _ = writeln!(self.text, "let client = param(\"client\", {});", self.value(&client));
        let sender = Content::sender(self.args);
        let _ = writeln!(self.text, "let from = param(\"from\", {});", self.value(&sender));
        let to: Vec<_> = self.args.to.iter().map(|to| self.value(to)).collect();
        let _ = writeln!(self.text, "let recipients = [{}];", to.join(", "));
        if self.has_many() {
            self.line("let accepted = [];\nlet refused = [];");
            self.name_refused();
        }
        self.line("");
        self.line("s.expect(220);");
    }

    /// Says EHLO; or HELO, if the server does not know EHLO (RFC 5321 section 3.2). STARTTLS and
    /// AUTH need EHLO.
    fn hello(&mut self) {
        let secured = &self.args.secured;
        if self.is_lmtp || secured.tls.is_some() || secured.user.is_some() {
            return self.line(self.hello_call());
        }
        self.line(
            "if s.ehlo(client, #{expect: any(250, 5)}).reply.code != 250 {\n    s.helo(client);\n}",
        );
    }

    fn hello_call(&self) -> &'static str {
        if self.is_lmtp { "s.lhlo(client);" } else { "s.ehlo(client);" }
    }

    fn starttls(&mut self) {
        let hello = self.hello_call();
        match self.args.secured.tls {
            None => {}
            Some(Starttls::Offered) if self.args.quit_after == Some(Stage::Tls) => {
                self.line("assert(\"STARTTLS\" in s.capabilities, \"STARTTLS is not offered\");");
                self.line(&format!("s.starttls();\n{hello}"));
            }
            Some(Starttls::Always) => self.line(&format!("s.starttls();\n{hello}")),
            Some(Starttls::Offered) => self.line(&format!(
                "if \"STARTTLS\" in s.capabilities {{\n    s.starttls();\n    {hello}\n}}"
            )),
        }
    }

    fn auth(&mut self) {
        if let Some(user) = &self.args.secured.user {
            self.line(&written::auth(user, self.args.secured.auth.as_deref()));
        }
    }

    fn envelope(&mut self, mail: Option<&str>) {
        self.line("s.mail(from);");
        if self.args.quit_after == Some(Stage::Mail) {
            return;
        }
        if !self.has_many() {
            self.line("for to in recipients {\n    s.rcpt(to);\n}");
            if let Some(mail) = mail {
                let _ = writeln!(self.text, "s.data({mail});");
            }
            return;
        }
        self.take_each("recipients", "s.rcpt(to, #{expect: any(2, 4, 5)})", "");
        match mail {
            None => {}
            Some(mail) => {
                self.line("if !accepted.is_empty() {\n    s.send(\"DATA\");\n    s.expect(354);");
                self.message(mail);
            }
        }
    }

    fn pipeline(&mut self, mail: &str) {
        self.line("let lines = [`MAIL FROM:<${from}>`];");
        self.line("for to in recipients {\n    lines += `RCPT TO:<${to}>`;\n}\nlines += \"DATA\";");
        self.line("s.pipeline(lines);\ns.expect(25);");
        if !self.has_many() {
            self.line("s.expect(25);\ns.expect(354);");
            let _ = writeln!(self.text, "s.send_message({mail});\ns.expect(25);");
            return;
        }
        self.take_each("recipients", "s.expect(any(2, 4, 5))", "");
        // The server may accept DATA although it refused all recipients. Then the message has to be
        // empty (RFC 2920).
        self.line("if accepted.is_empty() {");
        self.line("    if s.expect(any(354, 4, 5)).code == 354 {");
        self.line(
            "        s.send_message(\"\");\n        s.expect(any(2, 4, 5));\n    }\n} else {",
        );
        self.line("    s.expect(354);");
        self.message(mail);
    }

    /// Sends the message to the recipients that were accepted, takes the replies to it, and notes
    /// who has it: a server that fails after the final dot may have taken the message.
    fn message(&mut self, mail: &str) {
        let _ = writeln!(self.text, "    others = \"{UNKNOWN}\";\n    s.send_message({mail});");
        if self.is_lmtp {
            self.line("}");
            self.answers();
            return;
        }
        self.line("    try {\n        s.expect(25);\n    } catch (error) {");
        let _ = writeln!(
            self.text,
            "        if error.kind == \"mismatch\" {{\n            others = \"{NOBODY}\";\n        }}"
        );
        let _ = writeln!(self.text, "        throw error;\n    }}\n    others = \"{ALL}\";\n}}");
    }

    /// Whether there are several recipients. If one of them is refused, the others still get the
    /// message.
    fn has_many(&self) -> bool {
        self.args.to.len() > 1
    }

    /// Adds a loop that records for each recipient whether it was accepted, with `note` for those
    /// that were.
    fn take_each(&mut self, of: &str, reply: &str, note: &str) {
        let _ = writeln!(
            self.text,
            "for to in {of} {{\n    let reply = {reply};\n    \
             assert(reply.code != 421, `the server ended the session at ${{to}}: ${{reply.text}}`);\n    \
             if reply.code < 300 {{\n        accepted += to;\n{note}    }} else {{\n        \
             refused += `${{to}}: ${{reply.text}}`;\n    }}\n}}"
        );
    }

    /// Adds the replies to an LMTP message: one for each accepted recipient (RFC 2033 section 4.2).
    fn answers(&mut self) {
        self.line("let named = accepted;\naccepted = [];");
        let note = "        others = `${others}, but ${to} has it`;\n";
        self.take_each("named", "s.expect(any(2, 4, 5))", note);
        let _ = writeln!(
            self.text,
            "others = if accepted.is_empty() {{ \"{NOBODY}\" }} else {{ \"{ALL}\" }};"
        );
    }

    /// Adds an assertion that names the refused recipients. It is deferred, so that they are named
    /// also if the dialogue fails after them.
    fn name_refused(&mut self) {
        let _ = writeln!(self.text, "let others = \"{NOBODY}\";\ndefer(|| {{");
        self.line("    let why = \"\";\n    for refusal in refused {\n        why += `; ${refusal}`;\n    }");
        self.line(
            "    assert(refused.is_empty(), `${refused.len} of ${recipients.len} recipients were refused, ${others}${why}`);\n});",
        );
    }
}
