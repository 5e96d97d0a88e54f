//! Known values that differ from run to run: parameters, and the host name of this machine.

use std::net::IpAddr;

use crate::redaction::Redaction;

/// The minimum length of a known value. Shorter values appear in too much unrelated text.
const SHORTEST: usize = 3;

/// Lower ports are those of services; their numbers appear in much other text.
const FIRST_EPHEMERAL: u16 = 1024;

/// The redaction with these parameters as known values: `smtp` becomes `[SMTP]`, its host and its
/// port `[SMTP_HOST]` and `[SMTP_PORT]`.
pub(super) fn with_params(mut redaction: Redaction, params: &[(String, String)]) -> Redaction {
    let values = params.iter().flat_map(|(name, value)| values(&token(name), value));
    let machine = machine().map(|name| (name, "HOSTNAME".to_owned()));
    for (value, token) in values.chain(machine) {
        // A value that cannot be a known value, for example because its parameter has an odd name,
        // is not replaced.
        let _ = redaction.add_known(value.as_bytes(), &token);
    }
    for (name, value) in params {
        if let Some(port) = port(value) {
            let _ = redaction.add_port(&port.to_string(), &(token(name) + "_PORT"));
        }
    }
    redaction
}

/// The redaction with values that the run made up, each given after its token. A value of digits
/// only is a port.
pub(super) fn with_made_up(mut redaction: Redaction, known: &[(String, String)]) -> Redaction {
    for (token, value) in known {
        // A value that cannot be a known value is not replaced.
        let _ = if value.bytes().all(|byte| byte.is_ascii_digit()) {
            redaction.add_port(value, token)
        } else {
            redaction.add_known(value.as_bytes(), token)
        };
    }
    redaction
}

fn token(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

/// The values to replace of a parameter, each with its token.
fn values(token: &str, value: &str) -> Vec<(String, String)> {
    let Some((_, place)) = value.split_once("://") else {
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        let is_told = value.len() >= SHORTEST && !is_number && !["true", "false"].contains(&value);
        return if is_told { vec![(value.to_owned(), token.to_owned())] } else { Vec::new() };
    };
    let place = place.trim_end_matches('/');
    let mut values = vec![(place.to_owned(), token.to_owned())];
    let host =
        place.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let host = host.map_or(place, |(host, _)| host);
    let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    if host.len() >= SHORTEST
        && !is_address
        && host != "localhost"
        && !host.contains('/')
        && host != place
    {
        values.push((host.to_owned(), format!("{token}_HOST")));
    }
    values
}

/// The port in a URL, unless it belongs to a service.
fn port(value: &str) -> Option<u16> {
    let (_, place) = value.split_once("://")?;
    let (_, port) = place.trim_end_matches('/').rsplit_once(':')?;
    port.parse().ok().filter(|port| *port >= FIRST_EPHEMERAL)
}

/// The host name of this machine, unless it consists of letters only and so could be any word.
fn machine() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_odd = name.contains(|c: char| !c.is_ascii_alphabetic());
    (name.len() >= SHORTEST && is_odd).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, value: &str) -> Vec<String> {
        values(&token(name), value)
            .into_iter()
            .map(|(value, token)| format!("{value}={token}"))
            .collect()
    }

    #[test]
    fn of_a_url_the_place_the_host_and_the_port_are_known() {
        assert_eq!(known("smtp", "smtp://127.0.0.1:39413"), ["127.0.0.1:39413=SMTP"]);
        assert_eq!(
            known("mx-1", "smtp://mail.example.com:25/"),
            ["mail.example.com:25=MX_1", "mail.example.com=MX_1_HOST"]
        );
        assert_eq!(known("smtp", "smtp://mail.example.com"), ["mail.example.com=SMTP"]);
        assert_eq!(known("smtp", "smtp://localhost:2525"), ["localhost:2525=SMTP"]);
        assert_eq!(known("imap", "imap://[::1]:1143"), ["[::1]:1143=IMAP"]);
        assert_eq!(known("lmtp", "lmtp+unix:///run/lmtp"), ["/run/lmtp=LMTP"]);
    }

    #[test]
    fn a_number_is_a_port_only_in_the_place_of_one() {
        let params = [("smtp".to_owned(), "smtp://127.0.0.1:39413".to_owned())];
        let redaction = with_params(Redaction::none(), &params);
        let events = crate::transcript::read(
            "*** step: 39413 at [::1]:39413, port=39413 and localhost:394130",
        )
        .0;
        let redacted = redaction.apply(&events).unwrap().events;
        assert_eq!(
            crate::transcript::lines(&redacted)[0].text,
            "step: 39413 at [::1]:[SMTP_PORT], port=[SMTP_PORT] and localhost:394130"
        );
    }

    #[test]
    fn a_value_that_occurs_everywhere_is_not_known() {
        assert_eq!(known("client", "client.example"), ["client.example=CLIENT"]);
        assert_eq!(known("user", "bob"), ["bob=USER"]);
        for value in ["", "ab", "2525", "true"] {
            assert!(known("x", value).is_empty(), "{value}");
        }
    }
}
