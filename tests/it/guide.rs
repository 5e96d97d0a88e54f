//! Runs the commands of the guide to golden transcripts one after the other, and compares their
//! output with that in the guide.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use mailexpect::server::Replay;

use crate::program::project;

/// The server that the guide uses.
const URL: &str = "smtp://mail.example.com";

/// The dialogue of the server. `EXTENSIONS` stands for its extensions, and `ID` for the queue id.
const DIALOGUE: &str = "S: 220 mail.example.com ESMTP Postfix\nC: EHLO client.example\nS: 250-mail.example.com\nEXTENSIONS\
    C: MAIL FROM:<hoge@example.com>\nS: 250 2.1.0 Ok\nC: RCPT TO:<postmaster@example.com>\nS: 250 2.1.5 Ok\nC: DATA\n\
    S: 354 End data with <CR><LF>.<CR><LF>\nC: Subject: hi\nC:\nC: Hi.\nC: .\nS: 250 2.0.0 Ok: queued as ID\nC: QUIT\n\
    S: 221 2.0.0 Bye\nclose\n";

const BEFORE: &str = "S: 250-PIPELINING\nS: 250-SIZE 10240000\nS: 250-ETRN\nS: 250 8BITMIME\n";
const AFTER: &str =
    "S: 250-PIPELINING\nS: 250-SIZE 10240000\nS: 250-8BITMIME\nS: 250-SMTPUTF8\nS: 250 CHUNKING\n";

/// A shell in a folder, and the server that its commands connect to.
struct Reader {
    folder: tempfile::TempDir,
    extensions: &'static str,
    runs: u32,
}

impl Reader {
    /// Runs a command and returns its output, with times and ports masked.
    fn run(&mut self, command: &str) -> String {
        self.runs += 1;
        let dialogue = DIALOGUE
            .replace("EXTENSIONS", self.extensions)
            .replace("ID", &format!("3C80013{:03X}", self.runs));
        let server = Replay::start(&dialogue).unwrap();
        let url = server.url("smtp");
        let project = self.folder.path().join("mailexpect.toml");
        let says = fs::read_to_string(&project).unwrap_or_default();
        if says.contains(URL) {
            fs::write(&project, says.replace(URL, &url)).unwrap();
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_mailexpect")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        for name in ["CI", "TF_BUILD", "INSTA_UPDATE", "INSTA_FORCE_PASS", "CLICOLOR_FORCE"] {
            shell.env_remove(name);
        }
        let command = format!("exec 2>&1; {}", command.replace(URL, &url));
        let output = shell
            .args(["-c", &command])
            .env("PATH", path)
            .stdin(Stdio::null())
            .current_dir(&self.folder)
            .output()
            .unwrap();
        // Many commands do not connect.
        server.leave();
        if says.contains(URL) {
            fs::write(&project, says).unwrap();
        }
        let folder = self.folder.path().display().to_string() + "/";
        masked(&String::from_utf8(output.stdout).unwrap().replace(&url, URL).replace(&folder, ""))
    }
}

/// Replaces each time in parentheses by the same one.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for (n, part) in text.split('(').enumerate() {
        let time = part.split_once(')').filter(|(inside, _)| {
            let unit = inside
                .split_once(' ')
                .filter(|(number, _)| number.parse::<f64>().is_ok())
                .map(|(_, unit)| unit);
            unit.is_some_and(|unit| ["ms", "s", "min"].contains(&unit))
        });
        if n > 0 {
            masked.push('(');
        }
        match time.filter(|_| n > 0) {
            Some((_, rest)) => masked.extend(["5 ms)", rest]),
            None => masked.push_str(part),
        }
    }
    masked
}

/// The guide with the current output of its commands.
fn followed(guide: &str) -> String {
    let mut reader = Reader { folder: tempfile::tempdir().unwrap(), extensions: BEFORE, runs: 0 };
    let mut text = String::new();
    let mut file = None;
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        text.extend([line, "\n"]);
        if let Some(name) = line.strip_prefix("<!-- file: ") {
            file = name.strip_suffix(" -->");
        } else if line == "<!-- upgrade -->" {
            reader.extensions = AFTER;
        } else if line.starts_with("```") {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            if let Some(name) = file.take() {
                fs::write(reader.folder.path().join(name), block.join("\n") + "\n").unwrap();
            }
            if line == "```console" {
                for command in block.iter().filter_map(|line| line.strip_prefix("$ ")) {
                    text.extend(["$ ", command, "\n", &reader.run(command)]);
                }
            } else {
                for line in block {
                    text.extend([line, "\n"]);
                }
            }
            text.push_str("```\n");
        }
    }
    text
}

#[test]
fn the_guide_shows_what_its_commands_do() {
    let path = project().join("docs/golden.md");
    let guide = fs::read_to_string(&path).unwrap();
    let followed = followed(&guide);
    if followed != guide
        && std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always")
    {
        fs::write(&path, &followed).unwrap();
        return;
    }
    assert_eq!(
        followed, guide,
        "docs/golden.md is stale: INSTA_UPDATE=always cargo test writes it anew"
    );
}
