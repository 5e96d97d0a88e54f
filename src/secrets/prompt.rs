//! The prompts of LOGIN, which no RFC defines.

/// Tells from a LOGIN prompt, which each server words in its own way, what the prompt asks for.
/// `None` if the prompt does not say.
pub(crate) fn asked_for(prompt: &[u8]) -> Option<Asked> {
    let prompt = prompt.to_ascii_lowercase();
    let says = |words: &[&str]| {
        words.iter().any(|word| memchr::memmem::find(&prompt, word.as_bytes()).is_some())
    };
    // "Password for user alice:" asks for the password.
    if says(&["pass", "secret", "kennwort", "passwort", "pwd"]) {
        Some(Asked::Password)
    } else if says(&["user", "name", "login", "account", "e-mail", "email"]) {
        Some(Asked::User)
    } else {
        None
    }
}

/// What a LOGIN prompt asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    User,
    Password,
}
