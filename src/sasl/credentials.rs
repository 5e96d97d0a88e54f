//! Credentials: the identity to prove, and how to prove it.

use std::fmt;

use zeroize::Zeroizing;

use super::Needs;

/// The identity to prove to a server and how to prove it, for
/// [`Session::auth`](crate::Session::auth).
///
/// A user and a password are enough: then the strongest mechanism that the server advertised is
/// used. A mechanism set by name is used whatever the server advertised.
///
/// ```
/// use mailexpect::Credentials;
///
/// let strongest = Credentials::new("hoge@example.com", "pppwww");
/// let forced = Credentials::new("hoge@example.com", "pppwww").mechanism("CRAM-MD5");
/// let token = Credentials::token("hoge@example.com", "eyJhbGciOiJIUzI1NiJ9").mechanism("XOAUTH2");
/// let certificate = Credentials::external("");
/// // Secrets are not shown.
/// assert!(!format!("{strongest:?} {token:?}").contains("pppwww"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Credentials {
    pub(crate) mechanism: Option<String>,
    pub(crate) user: String,
    pub(crate) secret: Hidden,
    have: Needs,
    pub(crate) authzid: String,
    pub(crate) initial: Option<bool>,
    pub(crate) cancel: bool,
    pub(crate) nonce: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) realm: Option<String>,
}

/// A secret. Its debug form does not show it, and it is zeroed when it is dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Hidden(Zeroizing<String>);

impl Hidden {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Hidden {
    fn from(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[SECRET]")
    }
}

impl Credentials {
    fn of(user: impl Into<String>, secret: impl Into<String>, have: Needs) -> Self {
        Self {
            mechanism: None,
            user: user.into(),
            secret: secret.into().into(),
            have,
            authzid: String::new(),
            initial: None,
            cancel: false,
            nonce: None,
            host: None,
            realm: None,
        }
    }

    /// A user and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::of(user, password, Needs::Password)
    }

    /// A user and an access token (RFC 6750), for OAUTHBEARER and XOAUTH2.
    pub fn token(user: impl Into<String>, token: impl Into<String>) -> Self {
        Self::of(user, token, Needs::Token)
    }

    /// No secret: the server identifies the client by other means, such as a client certificate
    /// (EXTERNAL). `authzid` is the identity to act for; if it is empty, that is the client's own.
    pub fn external(authzid: impl Into<String>) -> Self {
        Self::of("", "", Needs::Nothing).mechanism("EXTERNAL").authzid(authzid)
    }

    /// No identity: only a trace by which the user can be found, such as an address or any text
    /// (ANONYMOUS).
    pub fn anonymous(trace: impl Into<String>) -> Self {
        Self::of(trace, "", Needs::Nothing).mechanism("ANONYMOUS")
    }

    /// Sets the mechanism to use, whether the server advertised it or not.
    pub fn mechanism(mut self, name: impl Into<String>) -> Self {
        self.mechanism = Some(name.into());
        self
    }

    /// Sets the identity to act for, if it is not the user's own.
    pub fn authzid(mut self, identity: impl Into<String>) -> Self {
        self.authzid = identity.into();
        self
    }

    /// Sets whether the first message is sent with the command. By default it is if the mechanism
    /// and the protocol allow it.
    pub fn initial(mut self, initial: bool) -> Self {
        self.initial = Some(initial);
        self
    }

    /// Cancels the exchange: the client answers the first challenge with `*`.
    pub fn cancel(mut self) -> Self {
        self.cancel = true;
        self
    }

    /// Sets the client's nonce of SCRAM and DIGEST-MD5, which is random by default. A dialogue that
    /// must be the same in every run sets it.
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Sets the server's name in DIGEST-MD5 and OAUTHBEARER; by default it is the host of the URL.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Sets the realm of DIGEST-MD5; by default it is the first one that the server offers.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// The kind of these credentials.
    pub(super) fn have(&self) -> Needs {
        self.have
    }
}

/// A user and a password.
impl<U: Into<String>, P: Into<String>> From<(U, P)> for Credentials {
    fn from((user, password): (U, P)) -> Self {
        Self::new(user, password)
    }
}

/// A mechanism, a user, and a password or a token.
impl<M: Into<String>, U: Into<String>, P: Into<String>> From<(M, U, P)> for Credentials {
    fn from((mechanism, user, secret): (M, U, P)) -> Self {
        Self::new(user, secret).mechanism(mechanism)
    }
}
