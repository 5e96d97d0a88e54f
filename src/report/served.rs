//! What a server reports to the program that started it, as JSON, one object a line. docs/json.md
//! documents the format.

use serde_json::json;

use super::json::line;
use super::{Json, Report as _};
use crate::outcome::Outcome;
use crate::transcript::{self, Event, What};

/// Writes a server's lines of JSON.
#[derive(Debug)]
pub(crate) struct Served;

impl Served {
    /// The address at which the server listens, with the certificate of its CA in PEM.
    pub(crate) fn listening(url: &str, ca: Option<&str>) -> String {
        let (scheme, place) = url.split_once("://").unwrap_or(("", url));
        let (host, port, path) = if scheme.ends_with("+unix") {
            (None, None, Some(place))
        } else {
            let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
            (Some(host.trim_matches(['[', ']'])), port.parse::<u16>().ok(), None)
        };
        line(&json!({
            "event": "listening",
            "url": url,
            "scheme": scheme.strip_suffix("+unix").unwrap_or(scheme),
            "host": host,
            "port": port,
            "path": path,
            "ca": ca,
        }))
    }

    /// An event, with the URL of the server of `serve(...)` on which it happened, if there is one.
    pub(crate) fn happened(server: Option<&str>, event: &Event) -> String {
        let name = match &event.what {
            What::Accepted(_) => "accepted",
            What::Client(_) => "client",
            What::Server(_) => "server",
            What::Unread(_) | What::UnreadClient(_) => "unread",
            What::Closed(_) => "closed",
            What::Tls(_) => "tls",
            What::TimedOut(_) => "timed-out",
            What::Printed(_) => "printed",
            What::Step(_) => "step",
            _ => "note",
        };
        let lines: Vec<_> = transcript::lines(std::slice::from_ref(event))
            .into_iter()
            .map(|line| line.text)
            .collect();
        line(&json!({
            "event": name,
            "server": server,
            "session": event.session.map(|session| session.to_string()),
            "lines": lines,
        }))
    }

    /// The number of events that were dropped because nobody read them in time.
    pub(crate) fn left_out(count: usize) -> String {
        line(&json!({ "event": "left-out", "count": count }))
    }

    /// The outcome of the script.
    pub(crate) fn ended(outcome: &Outcome) -> String {
        Json.script_ended(0, outcome)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, host, port, path) in [
            ("smtp://127.0.0.1:2525", json!("127.0.0.1"), json!(2525), Value::Null),
            ("imaps://[::1]:993", json!("::1"), json!(993), Value::Null),
            ("lmtp+unix:///run/lmtp", Value::Null, Value::Null, json!("/run/lmtp")),
        ] {
            let told: Value = serde_json::from_str(&Served::listening(url, None)).unwrap();
            assert_eq!((&told["host"], &told["port"], &told["path"]), (&host, &port, &path));
        }
    }
}
