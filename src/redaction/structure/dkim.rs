//! Signature fields, reduced to what was signed, how and by whom. The signature itself is left out.

/// The fields that hold DKIM signatures or similar ones (RFC 6376, RFC 8617).
const FIELDS: [&str; 4] =
    ["DKIM-Signature", "ARC-Message-Signature", "ARC-Seal", "X-Google-DKIM-Signature"];
/// The tags that differ each time: the signature, the hash of the body, the time of signing, the
/// expiry.
const VARYING: [&[u8]; 4] = [b"b", b"bh", b"t", b"x"];

/// A signature field with the tags that do not vary, sorted by name; `None` if the field holds no
/// signature.
///
/// ```text
/// DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=x; t=1390059494; b=abc
/// DKIM-Signature: a=rsa-sha256; d=example.com; s=x; v=1
/// ```
pub(in crate::redaction) fn signature(text: &[u8]) -> Option<Vec<u8>> {
    let (name, body) = super::field(text)?;
    FIELDS.iter().find(|field| field.as_bytes().eq_ignore_ascii_case(super::name(name)))?;
    let mut tags: Vec<Vec<u8>> = body.split(|byte| *byte == b';').filter_map(lasting).collect();
    tags.sort();
    Some([name, b" ", &tags.join(&b"; "[..])].concat())
}

/// The tag without white space; `None` if its value varies from run to run.
fn lasting(tag: &[u8]) -> Option<Vec<u8>> {
    let tag: Vec<u8> = tag.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let name = tag.split(|byte| *byte == b'=').next().unwrap_or_default();
    (!tag.is_empty() && !VARYING.contains(&name)).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_keeps_what_lasts_in_one_order() {
        let field = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple;   d=example.com; s=mail; t=1700000000;  \
                     bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;  h=From:To:   Subject; b=AbC=   dEf==";
        let kept = signature(field.as_bytes()).unwrap();
        let shown = String::from_utf8(kept.clone()).unwrap();
        assert_eq!(
            shown,
            "DKIM-Signature: a=rsa-sha256; c=relaxed/simple; d=example.com; h=From:To:Subject; s=mail; v=1"
        );
        assert_eq!(signature(&kept).unwrap(), kept);
    }

    #[test]
    fn other_fields_are_left_alone() {
        assert_eq!(signature(b"Subject: DKIM-Signature: b=1"), None);
        assert_eq!(signature(b"no field"), None);
    }
}
