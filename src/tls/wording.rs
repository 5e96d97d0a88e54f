//! Errors about TLS, in words.

/// Why TLS failed, what was wanted, what came, and what to try next.
#[derive(Clone, Debug)]
pub(crate) struct Reason {
    pub(crate) why: String,
    pub(crate) wanted: String,
    pub(crate) came: Option<String>,
    pub(crate) hint: String,
    /// Whether the peer's bytes are no TLS at all.
    pub(crate) is_plain: bool,
}

impl Reason {
    pub(super) fn new(
        why: impl Into<String>,
        wanted: impl Into<String>,
        came: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            why: why.into(),
            wanted: wanted.into(),
            came: Some(came.into()),
            hint: hint.into(),
            is_plain: false,
        }
    }

    pub(super) fn handshake(
        why: impl Into<String>,
        came: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(why, "a TLS handshake", came, hint)
    }
}

/// A name such as `HandshakeFailure` as the RFCs write it: `handshake_failure`.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut after_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_lower {
            snake.push('_');
        }
        after_lower = letter.is_ascii_lowercase();
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A library's message in plain words: identifiers are split (`CaUsedAsEndEntity` becomes "ca used
/// as end entity"), and printed values are left out.
pub(super) fn words(message: &str) -> String {
    let shown = message.find(['(', '{', '[']).map_or(message, |at| &message[..at]);
    let word = |word: &str| {
        let is_identifier = word
            .chars()
            .zip(word.chars().skip(1))
            .any(|(before, letter)| before.is_ascii_lowercase() && letter.is_ascii_uppercase());
        if is_identifier { snake_case(word).replace('_', " ") } else { word.to_owned() }
    };
    let words = shown.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    crate::visible::printable(&words)
}
