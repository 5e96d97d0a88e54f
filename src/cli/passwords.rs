//! Passwords in the arguments, which no error may repeat.

use std::ffi::OsString;

use crate::secrets::{Learned, password_of_url};
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
/// `--server=user:password@host`. All arguments count, because a URL may stand where none belongs.
fn of(texts: impl Iterator<Item = OsString>) -> Learned {
    let learned = Learned::default();
    for text in texts {
        let text = text.to_string_lossy();
        // The code of a script may have a colon in one URL, and an @ in an address further on.
        let is_code = text.contains(|c: char| c.is_whitespace() || c == '"' || c == '`');
        let Some(password) = password_of_url(&text).filter(|_| !is_code) else { continue };
        learned.keep(text[password.clone()].as_bytes());
        learned.learn_in_place(text.as_bytes(), &password);
        // An error shows the password with its control characters escaped.
        learned.keep(visible::escape(text[password].as_bytes()).as_bytes());
    }
    learned
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
            ("connect(\"tcp://h:1\");mail(\"a@b\")", "connect(\"tcp://h:1\");mail(\"a@b\")"),
        ] {
            let learned = of([OsString::from(argument)].into_iter());
            let mut text = visible::escape(argument.as_bytes());
            learned.mask_data(&mut text);
            assert_eq!(text, visible::escape(shown.as_bytes()));
        }
    }
}
