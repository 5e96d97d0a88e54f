//! The dialogue of `mailexpect send` as a script: what is run, and what --save writes.

use std::fmt::Write as _;

use super::args::{Content, Send, Stage, Starttls};
use super::mail;
use crate::error::Result;
use crate::proto::Speech;
use crate::script::written::string;
use crate::target;

/// The script's text.
///
/// # Errors
/// If a file of the message cannot be read.
pub(super) fn text(args: &Send, url: &str) -> Result<String> {
    let is_lmtp = target::speech(url) == Some(Speech::Lmtp);
    let mut script = Script { args, text: String::new(), is_lmtp };
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
        let mail = if last.is_none() { Some(args.message.expression(args)?) } else { None };
        match mail {
            Some(mail) if args.pipeline => script.pipeline(&mail),
            mail => script.envelope(mail.as_deref()),
        }
    }
    script.line("s.quit();");
    Ok(script.text)
}

struct Script<'a> {
    args: &'a Send,
    text: String,
    is_lmtp: bool,
}

impl Script<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
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
        let _ = writeln!(self.text, "let client = param(\"client\", {});", string(&client));
        let sender = Content::sender(self.args);
        let _ = writeln!(self.text, "let from = param(\"from\", {});", string(&sender));
        let to: Vec<_> = self.args.to.iter().map(|to| string(to)).collect();
        let _ = writeln!(self.text, "let recipients = [{}];\n", to.join(", "));
        self.line("s.expect(220);");
    }

    fn hello(&mut self) {
        self.line(self.hello_call());
    }

    fn hello_call(&self) -> &'static str {
        if self.is_lmtp { "s.lhlo(client);" } else { "s.ehlo(client);" }
    }

    fn starttls(&mut self) {
        let hello = self.hello_call();
        match self.args.secured.tls {
            None => {}
            Some(Starttls::Always) => self.line(&format!("s.starttls();\n{hello}")),
            Some(Starttls::Offered) => self.line(&format!(
                "if \"STARTTLS\" in s.capabilities {{\n    s.starttls();\n    {hello}\n}}"
            )),
        }
    }

    fn auth(&mut self) {
        let Some(user) = &self.args.secured.user else { return };
        let mechanism = self.args.secured.auth.as_deref();
        let named =
            mechanism.map(|name| format!("{}, ", string(&name.to_uppercase()))).unwrap_or_default();
        let user = string(user);
        if self.args.secured.needs_password() {
            let call = format!("s.auth({named}param(\"user\", {user}), param(\"password\"));");
            self.line(&call);
        } else {
            let call = format!("s.auth({named}#{{authzid: param(\"user\", {user})}});");
            self.line(&call);
        }
    }

    fn envelope(&mut self, mail: Option<&str>) {
        self.line("s.mail(from);");
        if self.args.quit_after == Some(Stage::Mail) {
            return;
        }
        self.line("for to in recipients {\n    s.rcpt(to);\n}");
        if let Some(mail) = mail {
            let _ = writeln!(self.text, "s.data({mail});");
        }
    }

    fn pipeline(&mut self, mail: &str) {
        self.line("let lines = [`MAIL FROM:<${from}>`];");
        self.line("for to in recipients {\n    lines += `RCPT TO:<${to}>`;\n}\nlines += \"DATA\";");
        self.line(
            "s.pipeline(lines);\ns.expect(25);\nfor to in recipients {\n    s.expect(25);\n}",
        );
        self.line("s.expect(354);");
        let _ = writeln!(self.text, "s.send_message({mail});");
        if self.is_lmtp {
            self.line("for to in recipients {\n    s.expect(25);\n}");
        } else {
            self.line("s.expect(25);");
        }
    }
}
