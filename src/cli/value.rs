//! The sources of parameter values. They exist because a secret should not stand on the command
//! line.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::probe::Account;
use crate::script::wipe_what_is_freed;
use crate::visible;

/// The value that means: ask at the terminal.
pub(super) const PROMPT: &str = "prompt";
/// How many bytes of a file are read at most.
const LARGEST: u64 = 64 << 10;

/// The folder of the paths that the command line names. A project file has its own.
pub(super) const HERE: &str = "";

/// Replaces `env:NAME`, `file:PATH`, `cmd:PROGRAM` and `prompt` by the values that they stand for,
/// with paths relative to `folder`, in which programs run, too. Also removes `literal:` from a value that only looks like one of them. Returns the fetched
/// values: they are secret, whatever their parameters are called.
///
/// # Errors
/// Usage for a variable that is not set, a file that other users may access, and a program that
/// fails.
pub(super) fn fetch(
    params: &mut BTreeMap<String, String>,
    folder: &Path,
) -> Result<Vec<Zeroizing<String>>> {
    let mut secrets = Vec::new();
    if params.values().any(|value| !is_clear(value)) {
        wipe_what_is_freed();
    }
    for (name, value) in params {
        let (source, rest) = match value.split_once(':') {
            None if value == PROMPT => (PROMPT, name.as_str()),
            None => continue,
            Some(parts) => parts,
        };
        let fetched = match source {
            "literal" => {
                *value = rest.to_owned();
                continue;
            }
            "env" => variable(rest),
            "file" => file(&folder.join(rest)),
            "cmd" => first_line(rest, folder),
            PROMPT if rest == name => typed(&format!("{}: ", visible::escape(rest.as_bytes()))),
            _ => continue,
        };
        let fetched = fetched.map_err(|why| {
            let name = visible::escape(name.as_bytes());
            Error::usage(format!("the parameter `{name}` has no value: {why}"))
                .hint("a value is fetched by env:NAME, file:PATH, cmd:PROGRAM and prompt; literal:... is taken as it is")
        })?;
        value.clone_from(&fetched);
        secrets.push(fetched);
    }
    Ok(secrets)
}

/// Reads the files of the parameters whose values are `@PATH`, relative to `folder`.
///
/// # Errors
/// Usage for a file that cannot be read.
pub(super) fn attached(
    params: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for (name, value) in params {
        let Some(path) = value.strip_prefix('@') else { continue };
        let path = folder.join(path);
        let bytes = crate::file::read(&path).map_err(|error| {
            let (name, path) = (visible::escape(name.as_bytes()), shown(&path));
            Error::usage(format!(
                "the parameter `{name}` has no value: cannot read {path}: {error}"
            ))
            .hint("@PATH gives what is in a file; literal:@... is taken as it is")
        })?;
        files.insert(name.clone(), bytes);
    }
    Ok(files)
}

/// The path that a value names, if it is `file:PATH` or `@PATH`.
pub(super) fn path(value: &str) -> Option<&str> {
    value.strip_prefix("file:").or_else(|| value.strip_prefix('@'))
}

/// Whether a value on the command line is in clear text, so that everybody who can list the
/// processes of the machine can read it.
pub(super) fn is_clear(value: &str) -> bool {
    value != PROMPT
        && !["env:", "file:", "cmd:", "@"].iter().any(|source| value.starts_with(source))
}

/// Whether a value is to be fetched from a variable of the environment that is not set.
pub(super) fn is_unset(value: &str) -> bool {
    value.strip_prefix("env:").is_some_and(|name| std::env::var_os(name).is_none())
}

/// Asks for a password at the terminal. What is typed is not shown.
///
/// # Errors
/// Usage if there is no terminal, or if nothing was typed.
pub(super) fn prompt(question: &str) -> Result<Zeroizing<String>> {
    wipe_what_is_freed();
    typed(question).map_err(|why| {
        Error::usage(format!("no password: {why}"))
            .hint("from a pipe, send AUTH with what mailexpect sasl prints: --password env:NAME")
    })
}

/// Fetches a secret from its source.
///
/// # Errors
/// As [`fetch`]; usage for a secret in clear text.
pub(super) fn secret(name: &str, source: &str) -> Result<Zeroizing<String>> {
    if is_clear(source) {
        let error =
            Error::usage(format!("the {name} is on the command line, where others can see it"));
        return Err(error.hint("give it as env:NAME, file:PATH, cmd:PROGRAM or prompt"));
    }
    let mut params = BTreeMap::from([(name.to_owned(), source.to_owned())]);
    Ok(fetch(&mut params, Path::new(HERE))?.pop().unwrap_or_default())
}

/// The account of a user, with the password from this source.
///
/// # Errors
/// As [`secret`].
pub(super) fn account(user: String, source: Option<&str>) -> Result<Account> {
    Ok(Account { user, password: secret("password", source.unwrap_or_default())? })
}

fn shown(path: &Path) -> String {
    visible::escape(path.as_os_str().as_encoded_bytes())
}

fn typed(question: &str) -> Result<Zeroizing<String>, String> {
    let typed = rpassword::prompt_password(question).map(Zeroizing::new);
    let typed = typed.map_err(|error| format!("cannot ask at a terminal: {error}"))?;
    if typed.is_empty() { Err("nothing was typed".to_owned()) } else { Ok(typed) }
}

fn variable(name: &str) -> Result<Zeroizing<String>, String> {
    let value = std::env::var(name).map(Zeroizing::new);
    value.map_err(|error| format!("{}: {error}", visible::escape(name.as_bytes())))
}

/// Reads a file, without the line ends at its end. Only its owner may have access to the file.
fn file(path: &Path) -> Result<Zeroizing<String>, String> {
    let shown = shown(path);
    let cannot = |error: std::io::Error| format!("cannot read {shown}: {error}");
    let opened = crate::file::open(path).map_err(cannot)?;
    let metadata = opened.metadata().map_err(cannot)?;
    if metadata.mode() & 0o077 != 0 {
        return Err(format!("others have access to {shown}; chmod 600 {shown} ends that"));
    }
    let mut text = Zeroizing::new(String::new());
    opened.take(LARGEST + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > LARGEST {
        return Err(format!("{shown} has more than {} KiB", LARGEST >> 10));
    }
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    Ok(text)
}

/// The first line that a program prints. The program is started in this folder, without a shell.
fn first_line(command: &str, folder: &Path) -> Result<Zeroizing<String>, String> {
    let shown = visible::escape(command.as_bytes());
    let words = shlex::split(command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(format!("`{shown}` is no command: it is empty, or a quote is not closed"));
    };
    // Stdin and stderr are inherited, because the program may ask for a passphrase.
    let folder = if folder == Path::new(HERE) { Path::new(".") } else { folder };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| format!("cannot start `{shown}`: {error}"))?;
    let mut said = Zeroizing::new(Vec::new());
    // The pipe closes after the limit, which ends a program that prints without end.
    let read = child.stdout.take().map(|stdout| stdout.take(LARGEST + 1).read_to_end(&mut said));
    let status = child.wait();
    let failed = |error| format!("cannot read what `{shown}` prints: {error}");
    read.transpose().map_err(failed)?;
    let status = status.map_err(failed)?;
    if said.len() as u64 > LARGEST {
        return Err(format!("`{shown}` prints more than {} KiB", LARGEST >> 10));
    }
    if !status.success() {
        return Err(format!("`{shown}` failed: {status}"));
    }
    let line = said.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| format!("`{shown}` printed no text"))?;
    Ok(Zeroizing::new(line.trim_end_matches('\r').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(value: &str) -> Result<String> {
        let mut params = BTreeMap::from([("password".to_owned(), value.to_owned())]);
        fetch(&mut params, Path::new(HERE)).map(|_| params.remove("password").unwrap())
    }

    #[test]
    fn a_value_is_fetched_from_where_it_says() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret pw\n").unwrap();
        let from_file = format!("file:{}", path.display());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = fetched(&from_file).unwrap_err();
        assert!(error.is_usage() && error.message().contains("others have access"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(fetched(&from_file).unwrap(), "s3cret pw");
        assert_eq!(fetched("cmd:printf '%s\\n%s' 'one line' two").unwrap(), "one line");
        assert_eq!(fetched("env:PATH").unwrap(), std::env::var("PATH").unwrap());
        assert_eq!(fetched("literal:env:PATH").unwrap(), "env:PATH");
        assert_eq!(fetched("smtp://localhost:25").unwrap(), "smtp://localhost:25");
        std::fs::write(&path, vec![b'a'; 64 << 10]).unwrap();
        assert_eq!(fetched(&from_file).unwrap().len(), 64 << 10);
        std::fs::write(&path, vec![b'a'; (64 << 10) + 1]).unwrap();
        let error = fetched(&from_file).unwrap_err();
        assert!(error.message().contains("more than 64 KiB"), "{error}");
        let wrong =
            ["env:", "env:NOT_SET_ANYWHERE", "file:/dev/null", "cmd:", "cmd:false", "cmd:yes"];
        for wrong in wrong {
            assert!(fetched(wrong).unwrap_err().is_usage(), "{wrong}");
        }
    }
}
