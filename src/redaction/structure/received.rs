//! Reduces a trace field (RFC 5321 section 4.4) to its shape: the protocol that the message came
//! by, and its identifier.

/// The parts of a trace field that are kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::redaction) struct Hop<'a> {
    /// The field's name with its colon.
    name: &'a [u8],
    has_from: bool,
    has_by: bool,
    /// The protocol keyword: ESMTP, ESMTPS, ESMTPSA, LMTP ...
    with: Option<&'a [u8]>,
    pub(in crate::redaction) id: Option<&'a [u8]>,
    has_date: bool,
}

impl Hop<'_> {
    /// The hop as text, with a token for its identifier.
    pub(in crate::redaction) fn shape(&self, id: Option<&str>) -> Vec<u8> {
        let mut shape = self.name.to_vec();
        for (name, is_there) in [("from", self.has_from), ("by", self.has_by)] {
            if is_there {
                shape.extend_from_slice(format!(" {name} [HOST]").as_bytes());
            }
        }
        if let Some(with) = self.with {
            shape.extend_from_slice(b" with ");
            shape.extend_from_slice(with);
        }
        if let Some(id) = id {
            shape.extend_from_slice(format!(" id {id}").as_bytes());
        }
        if self.has_date {
            shape.extend_from_slice(b"; [DATE]");
        }
        shape
    }
}

/// The hop that an unfolded field describes; `None` if the field is no trace field, or has no known
/// shape.
pub(in crate::redaction) fn hop(text: &[u8]) -> Option<Hop<'_>> {
    let (name, body) = super::field(text)?;
    if ![&b"Received"[..], b"X-Received"]
        .iter()
        .any(|field| field.eq_ignore_ascii_case(super::name(name)))
    {
        return None;
    }
    let mut hop = Hop { name, ..Hop::default() };
    let mut words = words(body);
    while let Some(word) = words.next() {
        match &word.to_ascii_lowercase()[..] {
            b";" => {
                hop.has_date = true;
                break;
            }
            b"from" => hop.has_from |= words.next().is_some(),
            b"by" => hop.has_by |= words.next().is_some(),
            b"with" => hop.with = hop.with.or(words.next()),
            b"id" => hop.id = hop.id.or(words.next()),
            _ => {}
        }
    }
    (hop.has_from || hop.has_by).then_some(hop)
}

/// The words outside comments. A semicolon is a word of its own.
fn words(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at = comments_end(body, at);
        let rest = body.get(at..).filter(|rest| !rest.is_empty())?;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'(' | b';');
        let length = rest.iter().position(ends).unwrap_or(rest.len()).max(1);
        at += length;
        Some(&rest[..length])
    })
}

/// The offset after blanks and comments, which may be nested.
fn comments_end(body: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut escaped = false;
    for (at, byte) in body.iter().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if depth > 0 => escaped = true,
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            _ if depth > 0 || byte.is_ascii_whitespace() => {}
            _ => return at,
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Option<String> {
        let hop = hop(text.as_bytes())?;
        let id = hop.id.map(|id| format!("<{}>", String::from_utf8_lossy(id)));
        Some(String::from_utf8(hop.shape(id.as_deref())).unwrap())
    }

    #[test]
    fn a_hop_keeps_its_keyword_and_its_id() {
        for (field, kept) in [
            (
                "Received: from client.test (unknown [127.0.0.1])  \t(using TLSv1.3 with cipher X (256/256 bits) by (y))  \
                 \tby mail.example (Postfix) with ESMTPSA id 200809A4001  \tfor <a@b>; Sun, 22 Nov 2026 05:08:00 +0000 (UTC)",
                "Received: from [HOST] by [HOST] with ESMTPSA id <200809A4001>; [DATE]",
            ),
            (
                "Received: by 10.112.141.195 with HTTP; Sat, 18 Jan 2014 07:37:34 -0800 (PST)",
                "Received: by [HOST] with HTTP; [DATE]",
            ),
            (
                "X-Received: from a by b id 10HmaX-0005vi-00",
                "X-Received: from [HOST] by [HOST] id <10HmaX-0005vi-00>",
            ),
        ] {
            assert_eq!(shape(field).unwrap(), kept);
        }
    }

    #[test]
    fn a_header_that_is_no_hop_is_left_alone() {
        for field in [
            "Received: (qmail 1 invoked by uid 0); 1 Jan 2026 00:00:00 -0000",
            "Subject: from a by b",
            "Received",
            "from a",
        ] {
            assert_eq!(shape(field), None, "{field}");
        }
    }
}
