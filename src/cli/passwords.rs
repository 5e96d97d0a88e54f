//! Passwords in the arguments, which no error may repeat.

use std::ffi::OsString;
use std::ops::Range;

use crate::secrets::Learned;
use crate::visible;

/// The variables of the environment that set options or parameters begin with this.
const VARIABLES: &str = "MAILEXPECT_";

/// The passwords of this process's arguments and variables.
pub(super) fn given() -> Learned {
    let variables =
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(VARIABLES));
    of(std::env::args_os().skip(1).chain(variables.map(|(_, value)| value)))
}

/// The passwords of URLs in these texts: `smtp://user:password@host`, `user:password@host`,
/// `--server=user:password@host`. All arguments count, because a URL may stand where none belongs,
/// except the code of a script (`run -e CODE`), which may have a colon in one URL, and an @ in an
/// address further on.
fn of(texts: impl Iterator<Item = OsString>) -> Learned {
    let learned = Learned::default();
    let mut is_code = false;
    for text in texts {
        let text = text.to_string_lossy();
        let was_code = std::mem::replace(&mut is_code, is_eval(&text));
        let is_attached = text.starts_with("--eval=") || (text.starts_with("-e") && text.len() > 2);
        let Some(password) = password(&text).filter(|_| !was_code && !is_attached) else {
            continue;
        };
        learned.keep(text[password.clone()].as_bytes());
        learned.learn_in_place(text.as_bytes(), &password);
        // An error shows the password with its control characters escaped.
        learned.keep(visible::escape(text[password].as_bytes()).as_bytes());
    }
    learned
}

/// Whether the next argument is code: `--eval`, `-e`, or flags in one word with that (`-qe`).
fn is_eval(text: &str) -> bool {
    let flags = text.strip_prefix('-').and_then(|flags| flags.strip_suffix('e'));
    text == "--eval"
        || flags.is_some_and(|flags| flags.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

/// The password of a URL, which may have any character in it, as generators make them. What has a
/// blank in the name of the user or host, or after the colon, is another text: `To: me@host`.
fn password(text: &str) -> Option<Range<usize>> {
    let start = text.find("://").map_or(0, |at| at + 3);
    let (_, host) = text[start..].rsplit_once('@')?;
    let end = text.len() - host.len() - 1;
    let (user, password) = text[start..end].split_once(':')?;
    let is_text = user.contains([' ', '<']) || password.starts_with(' ') || host.contains(' ');
    (!is_text).then_some(end - password.len()..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_url_is_masked_wherever_the_url_stands() {
        for (argument, shown) in [
            ("smtp://me:Zq7Xy9@host:25", "smtp://me:[SECRET]@host:25"),
            ("me:Zq7X@y9@host", "me:[SECRET]@host"),
            ("--server=me:Zq7Xy9@host", "--server=me:[SECRET]@host"),
            ("smtp=smtp://me:Zq7Xy9@host", "smtp=smtp://me:[SECRET]@host"),
            ("me:Zq7@host", "[SECRET]@host"),
            ("me:\u{7}Zq7Xy9@host", "me:[SECRET]@host"),
            ("me@host:25", "me@host:25"),
            ("[::1]:25", "[::1]:25"),
            ("me:Zq\"7X`y9@host", "me:[SECRET]@host"),
            ("smtp://me:Zq 7X y9@host", "smtp://me:[SECRET]@host"),
            ("Bcc: hidden@host", "Bcc: hidden@host"),
            (
                "see http://host:25 or ask me@host by mail",
                "see http://host:25 or ask me@host by mail",
            ),
        ] {
            let learned = of([OsString::from(argument)].into_iter());
            let mut text = visible::escape(argument.as_bytes());
            learned.mask_data(&mut text);
            assert_eq!(text, visible::escape(shown.as_bytes()));
        }
    }

    #[test]
    fn the_code_of_a_script_is_no_url() {
        let code = "connect(\"tcp://host:2525\");mail(\"someone@host\")";
        for arguments in [&["-e", code][..], &["-qe", code], &["--eval", code]] {
            assert!(of(arguments.iter().map(OsString::from)).is_empty(), "{arguments:?}");
        }
        for argument in [format!("-e{code}"), format!("--eval={code}")] {
            assert!(of([OsString::from(argument)].into_iter()).is_empty());
        }
    }
}
