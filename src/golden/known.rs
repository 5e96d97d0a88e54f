//! Known values that differ from run to run: parameters, and the host name of this machine.

use std::collections::BTreeMap;
use std::net::IpAddr;

use memchr::memmem;

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

/// The values that the run made up and that stand in what stays of its transcript, each after its
/// token. The tokens are numbered anew, because the number of attempts that failed, and of the values
/// that they made up, depends on timing.
pub(super) fn staying(
    known: &[(String, String)],
    text: impl FnOnce() -> String,
) -> Vec<(String, String)> {
    if known.is_empty() {
        return Vec::new();
    }
    let text = text();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut number = |token: &str, word| {
        let Some(word) = word else { return token.to_owned() };
        let count = counts.entry(word).or_default();
        *count += 1;
        format!("{word}_{count}")
    };
    let is_number = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
    known
        .iter()
        .filter(|(_, value)| memmem::find(text.as_bytes(), value.as_bytes()).is_some())
        .map(|(token, value)| {
            let word = token.rsplit_once('_').filter(|(_, last)| is_number(last));
            (number(token, word.map(|(word, _)| word)), value.clone())
        })
        .collect()
}

/// The token of the times that a run made.
const TIME: &str = "NOW";

/// The length from which on other text hardly equals a time by chance. `30` and `Nov` are shorter.
const TELLING: usize = 8;

/// Whether other text may equal a time by chance. The name of a month or a day may have any length.
fn is_common_time(time: &str) -> bool {
    time.len() < TELLING || time.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The redaction with values that the run made up, each given after its token. A value of digits
/// only is a port, or a time that is like one.
pub(super) fn with_made_up(mut redaction: Redaction, known: &[(String, String)]) -> Redaction {
    for (token, value) in known {
        // A value that cannot be a known value is not replaced.
        let _ = if token == TIME && is_common_time(value) {
            redaction.add_common(value, token)
        } else if value.bytes().all(|byte| byte.is_ascii_digit()) {
            redaction.add_own_port(value, token)
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
    use crate::transcript::{Event, What};

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

    /// The lines of a transcript with these snapshots at its end, redacted.
    fn shown(redaction: &Redaction, text: &str, snapshots: &[&str]) -> Vec<String> {
        let mut events = crate::transcript::read(text).0;
        events.extend(snapshots.iter().map(|text| {
            Event::new(None, What::Snapshot { name: "x".into(), text: (*text).into() })
        }));
        let redacted = redaction.apply(&events).unwrap().events;
        crate::transcript::lines(&redacted).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_port_that_the_run_chose_is_a_token_also_alone() {
        let known = [("PORT_1".to_owned(), "39413".to_owned())];
        let redaction = with_made_up(Redaction::none(), &known);
        let text = "C: NOOP 39413\nS: 250 at [::1]:39413, (39413), 139413 39413.5 1.39413 {39413} a39413\n";
        assert_eq!(
            shown(&redaction, text, &["39413", "394130", "#{port: 39413}"]),
            [
                "C: NOOP [PORT_1]",
                "S: 250 at [::1]:[PORT_1], ([PORT_1]), 139413 39413.5 1.39413 {39413} a39413",
                "*** snapshot x: [PORT_1]",
                "*** snapshot x: 394130",
                "*** snapshot x: #{port: [PORT_1]}",
            ]
        );
    }

    #[test]
    fn a_time_that_other_text_may_equal_is_a_token_only_where_the_script_has_put_it() {
        let times = ["30", "Nov", "Wednesday", "30-Nov-2026", "20261130"];
        let known = times.map(|time| ("NOW".to_owned(), time.to_owned()));
        let redaction = with_made_up(Redaction::none(), &known);
        let text = "S: * 30 EXISTS, 17-Nov-2026, 30-Nov-2026, Wednesday, 20261130\n\
                    C: a SEARCH ON 30-Nov-2026 SUBJECT \"30 Nov, Wednesday\"\n";
        assert_eq!(
            shown(&redaction, text, &["30", "Nov", "30 messages in Nov", "20261130"]),
            [
                "S: * 30 EXISTS, 17-Nov-2026, [NOW], Wednesday, [NOW]",
                "C: a SEARCH ON [NOW] SUBJECT \"[NOW] [NOW], [NOW]\"",
                "*** snapshot x: [NOW]",
                "*** snapshot x: [NOW]",
                "*** snapshot x: 30 messages in Nov",
                "*** snapshot x: [NOW]",
            ]
        );
    }

    #[test]
    fn values_that_do_not_stay_have_no_numbers() {
        let known = ["BOX_1 a1", "BOX_2 a2", "PORT_1 1025", "NOW now", "BOX_3 a3", "PORT_2 1026"]
            .map(|pair| pair.split_once(' ').unwrap())
            .map(|(token, value)| (token.to_owned(), value.to_owned()));
        let staying = staying(&known, || "a2 a3 1026 now".to_owned());
        let tokens: Vec<_> =
            staying.iter().map(|(token, value)| format!("{token} {value}")).collect();
        assert_eq!(tokens, ["BOX_1 a2", "NOW now", "BOX_2 a3", "PORT_1 1026"]);
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
