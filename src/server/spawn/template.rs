//! The command of a server, with places for its ports: `{port}`, `{port:imap}`.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::error::Result;
use crate::visible;

/// The start of a place for a port.
const PLACE: &str = "{port";

/// The parts of a command.
#[derive(Clone, Debug)]
pub(super) struct Template {
    program: OsString,
    arguments: Vec<OsString>,
    /// The variables that are set, or removed if `None`.
    variables: Vec<(OsString, Option<OsString>)>,
    folder: Option<PathBuf>,
}

impl Template {
    pub(super) fn of(command: &Command) -> Self {
        let variable =
            |(name, value): (&OsStr, Option<&OsStr>)| (name.to_owned(), value.map(OsStr::to_owned));
        Self {
            program: command.get_program().to_owned(),
            arguments: command.get_args().map(OsStr::to_owned).collect(),
            variables: command.get_envs().map(variable).collect(),
            folder: command.get_current_dir().map(PathBuf::from),
        }
    }

    /// The template with its ports filled in.
    pub(super) fn fill(self, mut port: impl FnMut(&str) -> Result<u16>) -> Result<Self> {
        let mut fill = |text: OsString| match text.to_str() {
            Some(known) => fill(known, &mut port).map(OsString::from),
            None => Ok(text),
        };
        let arguments = self.arguments.into_iter().map(&mut fill).collect::<Result<_>>()?;
        let variables = self
            .variables
            .into_iter()
            .map(|(name, value)| Ok((name, value.map(&mut fill).transpose()?)));
        let variables = variables.collect::<Result<_>>()?;
        Ok(Self { arguments, variables, ..self })
    }

    /// The command as the leader of a session of its own, which Postfix's master requires. The
    /// program `setsid` creates the session and then executes the command; every Linux system has
    /// `setsid`.
    pub(super) fn in_session(&self) -> Command {
        let mut command = Command::new("setsid");
        command.arg(&self.program);
        self.complete(command)
    }

    /// The command as the leader of a process group of its own.
    pub(super) fn in_group(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.process_group(0);
        self.complete(command)
    }

    fn complete(&self, mut command: Command) -> Command {
        command.args(&self.arguments);
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// The command as it would be typed, on one line and cut to fit into an error.
    pub(super) fn shown(&self) -> String {
        const LONGEST: usize = 120;
        let words = std::iter::once(&self.program).chain(&self.arguments);
        let words: Vec<_> = words.map(|word| visible::escape(word.as_encoded_bytes())).collect();
        let line = words.join(" ");
        match line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{} ...", &line[..end]),
            None => line,
        }
    }
}

/// Fills in the ports by their names; the name of `{port}` is empty. Other text in braces is kept.
pub(super) fn fill(text: &str, mut port: impl FnMut(&str) -> Result<u16>) -> Result<String> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once(PLACE) {
        filled.push_str(before);
        if let Some((name, behind)) = place(behind) {
            filled.push_str(&port(name)?.to_string());
            rest = behind;
        } else {
            filled.push_str(PLACE);
            rest = behind;
        }
    }
    Ok(filled + rest)
}

/// The name of a place whose start was read, and the text after the place.
fn place(behind: &str) -> Option<(&str, &str)> {
    if let Some(behind) = behind.strip_prefix('}') {
        return Some(("", behind));
    }
    let (name, behind) = behind.strip_prefix(':')?.split_once('}')?;
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_name.then_some((name, behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn numbered(name: &str) -> Result<u16> {
        let names = ["", "imap", "lmtp-2"];
        let place = names
            .iter()
            .position(|known| *known == name)
            .ok_or_else(|| Error::usage(format!("no {name}")))?;
        Ok(u16::try_from(place + 1).unwrap())
    }

    #[test]
    fn places_for_ports_are_filled_and_other_braces_stay() {
        for (text, filled) in [
            ("-p{port}", "-p1"),
            ("{port} {port:imap} {port:lmtp-2}{port}", "1 2 31"),
            ("none", "none"),
            ("{ports} {port: x} {port:} {port", "{ports} {port: x} {port:} {port"),
            ("map { $_ } {port", "map { $_ } {port"),
        ] {
            assert_eq!(fill(text, numbered).unwrap(), filled);
        }
    }

    #[test]
    fn a_command_is_taken_over_with_its_variables_and_its_folder() {
        let mut command = Command::new("server");
        command
            .args(["--port", "{port}"])
            .env("IMAP", "{port:imap}")
            .env_remove("HOME")
            .current_dir("/tmp");
        let template = Template::of(&command).fill(numbered).unwrap();
        let command = template.in_group();
        let variables: Vec<_> = command.get_envs().collect();
        assert_eq!(template.shown(), "server --port 1");
        assert!(template.in_session().get_args().eq(["server", "--port", "1"]));
        assert_eq!(
            variables,
            [(OsStr::new("HOME"), None), (OsStr::new("IMAP"), Some(OsStr::new("2")))]
        );
        assert_eq!(command.get_current_dir(), Some(std::path::Path::new("/tmp")));
    }
}
