//! The facts about TLS on a session as names and texts, which a recording keeps of a handshake.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::{Certificate, Established};

impl Established {
    /// All facts, each with its name.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("version", self.version.clone()),
            ("cipher", self.cipher.clone()),
            ("name", self.name.clone()),
            ("handshake_us", self.handshake.as_micros().to_string()),
        ];
        facts.extend(self.fault.clone().map(|fault| ("fault", fault)));
        if let Some(certificate) = &self.certificate {
            facts.extend([
                ("subject", certificate.subject.clone()),
                ("sans", certificate.sans.join("\n")),
                ("issuer", certificate.issuer.clone()),
                ("not_before", seconds(certificate.not_before)),
                ("not_after", seconds(certificate.not_after)),
                ("fingerprint", certificate.fingerprint.clone()),
                ("serial", certificate.serial.clone()),
            ]);
        }
        facts
    }

    /// Reads the facts back; facts that are missing become empty.
    pub(crate) fn of(facts: &BTreeMap<String, String>) -> Self {
        let fact = |name: &str| facts.get(name).cloned().unwrap_or_default();
        let certificate = facts.contains_key("subject").then(|| Certificate {
            subject: fact("subject"),
            sans: fact("sans").lines().map(str::to_owned).collect(),
            issuer: fact("issuer"),
            not_before: time(&fact("not_before")),
            not_after: time(&fact("not_after")),
            fingerprint: fact("fingerprint"),
            serial: fact("serial"),
        });
        Self {
            version: fact("version"),
            cipher: fact("cipher"),
            name: fact("name"),
            fault: facts.get("fault").cloned(),
            certificate,
            handshake: Duration::from_micros(fact("handshake_us").parse().unwrap_or_default()),
            cut: false,
        }
    }
}

/// Seconds since 1970; earlier times become 0.
fn seconds(time: SystemTime) -> String {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string()
}

fn time(seconds: &str) -> SystemTime {
    let since = Duration::from_secs(seconds.parse().unwrap_or_default());
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_handshake_reads_back() {
        let certificate = Certificate {
            subject: "CN=a".to_owned(),
            sans: vec!["a.example".to_owned(), "192.0.2.1".to_owned()],
            issuer: "CN=b".to_owned(),
            not_before: SystemTime::UNIX_EPOCH,
            not_after: time("4102444800"),
            fingerprint: "AB:CD".to_owned(),
            serial: "01".to_owned(),
        };
        let tls = Established {
            version: "1.3".to_owned(),
            cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
            name: "a.example".to_owned(),
            fault: Some("expired".to_owned()),
            certificate: Some(certificate),
            handshake: Duration::from_millis(3),
            cut: false,
        };
        let facts = tls.facts().into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect();
        assert_eq!(format!("{:?}", Established::of(&facts)), format!("{tls:?}"));
    }
}
