//! Who may log in, and whose mail is kept in a mailbox.

use std::collections::BTreeMap;

use crate::sasl::{Judge, Password};

/// The local domains: SMTP accepts mail for them without authentication.
const LOCAL: [&str; 2] = ["example.com", "localhost"];
/// The local part that is refused as unknown, so that a test has an address that is refused.
const UNKNOWN: &str = "nobody";

/// Users and their passwords.
#[derive(Clone, Debug)]
pub(super) struct Accounts(BTreeMap<String, String>);

impl Accounts {
    pub(super) fn new(users: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(users.into_iter().collect())
    }

    pub(super) fn password(&self, user: &str) -> Option<&str> {
        self.0.get(user).map(String::as_str)
    }

    /// Checks the credentials of SASL exchanges.
    pub(super) fn judge(&self) -> Judge {
        let known =
            |(user, password): (&String, &String)| (user.clone(), Password(password.clone()));
        Judge { users: self.0.iter().map(known).collect(), ..Judge::default() }
    }

    pub(super) fn has(&self, user: &[u8], password: &[u8]) -> bool {
        let user = std::str::from_utf8(user).ok().and_then(|user| self.password(user));
        user.is_some_and(|known| known.as_bytes() == password)
    }

    /// The user whose mail goes to this address. `+detail` is not part of the name, and all local
    /// domains count as one.
    pub(super) fn of_address(&self, address: &str) -> Option<&str> {
        let wanted = mailbox_of(address);
        let found = self.0.keys().find(|user| mailbox_of(user) == wanted);
        found.map(String::as_str)
    }
}

/// An address in a form that is the same for all spellings of the address.
fn mailbox_of(address: &str) -> (String, Option<String>) {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, LOCAL[0]));
    let local = local.split('+').next().unwrap_or(local).to_ascii_lowercase();
    (local, (!is_local(Some(domain))).then(|| domain.to_ascii_lowercase()))
}

/// Whether mail for this domain is accepted without authentication; `None` stands for an address
/// without a domain, `postmaster`.
pub(super) fn is_local(domain: Option<&str>) -> bool {
    domain.is_none_or(|domain| LOCAL.iter().any(|local| domain.eq_ignore_ascii_case(local)))
}

/// Whether this local address is the one that is refused as unknown.
pub(super) fn is_unknown(address: &str) -> bool {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
    local.eq_ignore_ascii_case(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_local_address_are_the_users() {
        let accounts = Accounts::new([("hoge@example.com".to_owned(), "x".to_owned())]);
        for (address, expected) in [
            ("hoge@example.com", true),
            ("Hoge@LOCALHOST", true),
            ("hoge+lists@example.com", true),
            ("hoge@example.net", false),
            ("a@example.com", false),
        ] {
            assert_eq!(accounts.of_address(address).is_some(), expected, "{address}");
        }
        assert!(is_unknown("nobody@example.com") && !is_unknown("somebody@example.com"));
    }
}
