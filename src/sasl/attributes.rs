//! The messages of SCRAM, which are lists of attributes (RFC 5802 sections 5.1 and 7), and the GS2
//! header before the first one (RFC 5801 section 4), which OAUTHBEARER has, too.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::Wrong;

/// The letters that RFC 5802 section 5.1 gives a meaning. None is the name of an extension.
const RESERVED: &str = "anmrcsipve";

/// The GS2 header of a client's first message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    /// The header, with the comma at its end.
    pub(super) text: &'a str,
    /// The identity to act for; empty if the header names none.
    pub(super) identity: String,
}

/// Reads the GS2 header, and returns the rest of the message.
pub(super) fn header(message: &str) -> Result<(Header<'_>, &str), Wrong> {
    let (flag, rest) = message.split_once(',').ok_or("the message has no GS2 header")?;
    match flag {
        "n" | "y" => {}
        bound if bound.starts_with("p=") => {
            return Err("the client asks for channel binding, which the server does not offer");
        }
        _ => return Err("the GS2 header does not begin with n, y or p="),
    }
    let (identity, rest) = rest.split_once(',').ok_or("the GS2 header has no end")?;
    let identity = match identity.strip_prefix("a=") {
        Some(name) => name_of(name).ok_or("the identity in the GS2 header is not a name")?,
        None if identity.is_empty() => String::new(),
        None => return Err("the GS2 header has something else than an identity"),
    };
    Ok((Header { text: &message[..message.len() - rest.len()], identity }, rest))
}

/// Reads a name, in which a comma is written as `=2C` and an equals sign as `=3D`; `None` if it is
/// empty or has another escape.
fn name_of(written: &str) -> Option<String> {
    let mut parts = written.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escaped, rest) = match part.strip_prefix("2C") {
            Some(rest) => (',', rest),
            None => ('=', part.strip_prefix("3D")?),
        };
        name.push(escaped);
        name.push_str(rest);
    }
    (!name.is_empty() && !name.contains('\0')).then_some(name)
}

/// The client's first message, without its header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct First<'a> {
    pub(super) user: String,
    pub(super) nonce: &'a str,
}

/// Reads the client's first message after its header.
pub(super) fn first(message: &str) -> Result<First<'_>, Wrong> {
    if message.starts_with("m=") {
        return Err("the message requires an extension that the server does not know");
    }
    let mut parts = message.split(',');
    let mut next = |name| parts.next().and_then(|part| part.strip_prefix(name));
    let user = next("n=").ok_or("the message does not begin with the user (n=)")?;
    let user = name_of(user).ok_or("the user (n=) is not a name")?;
    let nonce = next("r=").ok_or("no nonce (r=) follows the user")?;
    if !is_nonce(nonce) {
        return Err("the nonce (r=) is empty, or has other characters than printable ASCII");
    }
    extensions(parts)?;
    Ok(First { user, nonce })
}

/// The client's last message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Last<'a> {
    /// The message without its proof.
    pub(super) bare: &'a str,
    /// The channel binding, in base64.
    pub(super) binding: &'a str,
    pub(super) nonce: &'a str,
    /// The proof, in base64.
    pub(super) proof: &'a str,
}

/// Reads the client's last message.
pub(super) fn last(message: &str) -> Result<Last<'_>, Wrong> {
    let (bare, proof) = message.rsplit_once(",p=").ok_or("the message has no proof (p=)")?;
    if BASE64_STANDARD.decode(proof).ok().is_none_or(|proof| proof.is_empty()) {
        return Err("the proof (p=), with which the message ends, is not base64");
    }
    let mut parts = bare.split(',');
    let mut next = |name| parts.next().and_then(|part| part.strip_prefix(name));
    let binding = next("c=").ok_or("the message does not begin with a channel binding (c=)")?;
    let nonce = next("r=").ok_or("no nonce (r=) follows the channel binding")?;
    extensions(parts)?;
    Ok(Last { bare, binding, nonce, proof })
}

/// Whether this is a nonce: printable ASCII without commas.
pub(super) fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// Checks the extensions at the end of a message. They are optional, and those that are not known
/// are ignored (RFC 5802 section 5.1).
pub(super) fn extensions<'a>(mut attributes: impl Iterator<Item = &'a str>) -> Result<(), Wrong> {
    attributes.try_for_each(|attribute| {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let mut letters = name.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if RESERVED.contains(letter) => {
                Err("an attribute is there twice, or not in its place")
            }
            (Some(letter), None) if letter.is_ascii_alphabetic() => {
                let is_value = !value.is_empty() && !value.contains('\0');
                if is_value { Ok(()) } else { Err("an extension has no value") }
            }
            _ => Err("the message has something else than attributes"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_with_its_identity() {
        for (message, text, identity, rest) in
            [("n,,n=u,r=x", "n,,", "", "n=u,r=x"), ("y,a=o=2Cx=3D,", "y,a=o=2Cx=3D,", "o,x=", "")]
        {
            let identity = identity.to_owned();
            assert_eq!(header(message), Ok((Header { text, identity }, rest)));
        }
        for message in [
            "",
            "n",
            "n,",
            "n,n=u,r=x",
            "N,,",
            ",,",
            "p=tls-unique,,",
            "n,a=,",
            "n,a=o=2c,",
            "n,a=o=,",
            "n,b=o,",
            "F,n,,",
            "n ,,",
            "n,a=\0,",
            "x,,",
        ] {
            assert!(header(message).is_err(), "{message:?}");
        }
    }

    #[test]
    fn the_first_message_is_a_user_and_a_nonce_and_extensions() {
        for message in ["n=u,r=x", "n=u,r=x,x=1", "n=u,r=x,Z=a=b,y=\u{e9}"] {
            assert_eq!(first(message), Ok(First { user: "u".to_owned(), nonce: "x" }), "{message}");
        }
        assert_eq!(first("n==2C=3D2C,r=x").unwrap().user, ",=2C");
        for message in [
            "",
            "n=u",
            "r=x",
            "r=x,n=u",
            "n=,r=x",
            "n=u,r=",
            "n=u,r=x y",
            "n=u,r=x\x01",
            "n=u,r=\u{e9}",
            "n=u,r=x,r=y",
            "n=u,r=x,n=v",
            "n=u,n=v,r=x",
            "n=u,r=x,",
            "n=u,r=x,,x=1",
            "n=u,r=x,x",
            "n=u,r=x,x=",
            "n=u,r=x,1=a",
            "n=u,r=x,xy=1",
            "n=u,r=x,x=\0",
            "n=u,r=x,m=1",
            "n=u,r=x,p=AAAA",
            "m=1,n=u,r=x",
            "N=u,r=x",
            "n=a=b,r=x",
            "n=a=2c,r=x",
            "x=1,n=u,r=x",
            "n=u\0,r=x",
        ] {
            assert!(first(message).is_err(), "{message:?}");
        }
    }

    #[test]
    fn the_last_message_ends_with_the_proof() {
        let read = last("c=biws,r=x,x=1,p=AAAA").unwrap();
        assert_eq!((read.bare, read.nonce, read.proof), ("c=biws,r=x,x=1", "x", "AAAA"));
        for message in [
            "",
            "c=biws,r=x",
            "r=x,c=biws,p=AAAA",
            "c=biws,p=AAAA",
            "c=biws,r=x,p=",
            "c=biws,r=x,p=!!",
            "c=biws,r=x,p=AAAA,x=1",
            "c=biws,r=x,p=AAAA,p=AAAA",
            "c=biws,c=biws,r=x,p=AAAA",
            "c=biws,r=x,r=x,p=AAAA",
            "m=1,c=biws,r=x,p=AAAA",
            "c=biws,r=x,p=AAA",
            "c=biws,r=x,p=AAAA ",
        ] {
            assert!(last(message).is_err(), "{message:?}");
        }
    }
}
