//! What a message says, for SEARCH in a charset other than US-ASCII (RFC 3501 section 6.4.4).

/// The charsets of SEARCH. Without the `message` feature, messages cannot be decoded.
pub(super) const CHARSETS: &[&str] =
    if cfg!(feature = "message") { &["US-ASCII", "UTF-8"] } else { &["US-ASCII"] };

/// The headers and the texts of a message, decoded and in lower case.
#[derive(Debug)]
pub(super) struct Decoded {
    headers: Vec<(String, String)>,
    texts: Vec<String>,
}

impl Decoded {
    /// Reads a message; `None` if it has too many parts to be read.
    #[cfg(feature = "message")]
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        let parsed = crate::message::parse(message).ok()?;
        let headers =
            parsed.headers.iter().map(|(name, value)| (name.to_lowercase(), value.to_lowercase()));
        let attached = parsed.attachments.iter();
        let attached = attached.map(|part| String::from_utf8_lossy(&part.content).to_lowercase());
        let texts =
            [parsed.text, parsed.html].into_iter().flatten().map(|text| text.to_lowercase());
        Some(Self { headers: headers.collect(), texts: texts.chain(attached).collect() })
    }

    /// No message can be decoded.
    #[cfg(not(feature = "message"))]
    pub(super) fn of(_: &[u8]) -> Option<Self> {
        None
    }

    /// Whether a header of this name has the text in its value.
    pub(super) fn has_header(&self, name: &str, text: &[u8]) -> bool {
        let text = lower(text);
        let mut named =
            self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
        named.any(|(_, value)| value.contains(&text))
    }

    /// Whether the body has the text, or else, with `header`, any header.
    pub(super) fn has_text(&self, text: &[u8], header: bool) -> bool {
        let text = lower(text);
        let in_header =
            || self.headers.iter().any(|(name, value)| format!("{name}: {value}").contains(&text));
        self.texts.iter().any(|known| known.contains(&text)) || (header && in_header())
    }
}

fn lower(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_lowercase()
}
