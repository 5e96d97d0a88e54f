//! The scripts and modules that are built into the program.

use crate::suggest;

/// The first character of the name of a script that is built into the program: `@relay`.
const SIGIL: char = '@';

/// The scripts, by their names without the sigil.
const SCRIPTS: [(&str, &str); 21] = [
    ("banner", include_str!("shipped/banner.rhai")),
    ("delivery", include_str!("shipped/delivery.rhai")),
    ("dovecot-pop3", include_str!("shipped/dovecot-pop3.rhai")),
    ("dovecot-pop3-refused", include_str!("shipped/dovecot-pop3-refused.rhai")),
    ("exchange-login", include_str!("shipped/exchange-login.rhai")),
    ("imap-fetch", include_str!("shipped/imap-fetch.rhai")),
    ("imap-idle", include_str!("shipped/imap-idle.rhai")),
    ("lmtp-recipients", include_str!("shipped/lmtp-recipients.rhai")),
    ("managesieve", include_str!("shipped/managesieve.rhai")),
    ("op25b", include_str!("shipped/op25b.rhai")),
    ("ports", include_str!("shipped/ports.rhai")),
    ("postfix-auth", include_str!("shipped/postfix-auth.rhai")),
    ("relay", include_str!("../../scripts/relay.rhai")),
    ("sendmail-25-noauth", include_str!("shipped/sendmail-25-noauth.rhai")),
    ("sendmail-587-auth", include_str!("shipped/sendmail-587-auth.rhai")),
    ("smoke", include_str!("../../scripts/smoke.rhai")),
    ("smtps", include_str!("shipped/smtps.rhai")),
    ("starttls", include_str!("shipped/starttls.rhai")),
    ("submission", include_str!("../../scripts/submission.rhai")),
    ("submission-requires-auth", include_str!("shipped/submission-requires-auth.rhai")),
    ("typeahead", include_str!("shipped/typeahead.rhai")),
];

/// The modules, by the names that `import` uses.
const MODULES: [(&str, &str); 1] = [("mailexpect/smtp", include_str!("library/smtp.rhai"))];

/// Returns the text of a script, such as `@relay`, or of a module, such as `mailexpect/smtp`.
pub(super) fn text(name: &str) -> Option<&'static str> {
    match name.strip_prefix(SIGIL) {
        Some(script) => find(&SCRIPTS, script),
        None => find(&MODULES, name),
    }
}

pub(super) fn is_module(name: &str) -> bool {
    find(&MODULES, name).is_some()
}

fn find(all: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    all.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Whether a path has the form of a built-in script's name, even if there is no such script.
pub(crate) fn is_named(path: &str) -> bool {
    path.starts_with(SIGIL) && !path.contains('/')
}

/// Whether there is a built-in script of this name, such as `@relay`.
pub(crate) fn is_there(name: &str) -> bool {
    is_named(name) && text(name).is_some()
}

/// Returns the names of all built-in scripts, with their sigil.
#[cfg(feature = "cli")]
pub(crate) fn names() -> impl Iterator<Item = String> {
    SCRIPTS.iter().map(|(name, _)| format!("{SIGIL}{name}"))
}

/// Returns the text of a script by its name, with or without the sigil.
#[cfg(feature = "cli")]
pub(crate) fn script(name: &str) -> Option<&'static str> {
    find(&SCRIPTS, name.strip_prefix(SIGIL).unwrap_or(name))
}

/// Returns the name of the script that was probably meant.
pub(crate) fn nearest(name: &str) -> Option<String> {
    let name = name.strip_prefix(SIGIL).unwrap_or(name);
    let near = suggest::nearest(name, SCRIPTS.iter().map(|(known, _)| *known));
    near.map(|near| format!("{SIGIL}{near}"))
}
