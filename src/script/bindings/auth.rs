//! Words for authentication: `auth` and `authenticate`.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{FuncRegistration, Map, Module, RhaiNativeFunc};

use super::verb::{Manual, words_of};
use super::{Handle, argument, bounded, imap, verb};
use crate::error::{Error, Result};
use crate::sasl::{Credentials, Known};
use crate::script::raise::Raised;

pub(super) const INTRO: &str = "SASL (RFC 4422): SCRAM-SHA-256, SCRAM-SHA-1, DIGEST-MD5, CRAM-MD5, PLAIN, LOGIN, OAUTHBEARER, \
XOAUTH2, EXTERNAL and ANONYMOUS. If an exchange fails, the session can still be used, and only the verdict counts: `#{expect: \
535}`. If the mechanism makes the server prove itself, its proof is checked. In the transcript, the decoded challenges and \
responses follow an arrow, and secrets are `[SECRET]`. An exchange can always be written out by hand, beginning with \
`s.send(\"AUTH LOGIN\")`.";

/// The options that `auth` and `authenticate` take in the map that is their last argument.
const OPTIONS: [&str; 12] = [
    "timeout",
    "expect",
    "initial",
    "cancel",
    "authzid",
    "mechanism",
    "user",
    "password",
    "token",
    "nonce",
    "host",
    "realm",
];

/// The words `auth` and `authenticate`. Both do the same; the second has the name of the command in
/// IMAP and ManageSieve.
pub(super) fn all_words(manual: Manual) -> Module {
    let mut module = words_of!(words, manual);
    let word = FuncRegistration::new("authenticate")
        .with_comments(AUTHENTICATE)
        .with_params_info(["session: Session", "user: &str", "password: &str"]);
    bounded::add(
        &mut module,
        "authenticate",
        word,
        |ctx: NativeCallContext<'_>, session: &mut Handle, user: &str, password: &str| {
            exchange(&ctx, session, &[user, password], &Map::new())
        },
    );
    add(
        &mut module,
        &["session: Session", "user: &str", "password: &str", "options: Map"],
        |ctx: NativeCallContext<'_>,
         session: &mut Handle,
         user: &str,
         password: &str,
         options: Map| { exchange(&ctx, session, &[user, password], &options) },
    );
    add(
        &mut module,
        &["session: Session", "mechanism: &str", "user: &str", "secret: &str"],
        |ctx: NativeCallContext<'_>,
         session: &mut Handle,
         mechanism: &str,
         user: &str,
         secret: &str| { exchange(&ctx, session, &[mechanism, user, secret], &Map::new()) },
    );
    with_mechanism(&mut module);
    module
}

/// Registers one form of `authenticate`.
fn add<A: 'static, const N: usize, const X: bool, R: 'static, const F: bool>(
    module: &mut Module,
    params: &[&str],
    form: impl RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
) {
    let word = FuncRegistration::new("authenticate").with_params_info(params);
    bounded::add(module, "authenticate", word, form);
}

/// Registers the forms of `authenticate` that take a mechanism and options.
fn with_mechanism(module: &mut Module) {
    add(
        module,
        &["session: Session", "mechanism: &str", "user: &str", "secret: &str", "options: Map"],
        |ctx: NativeCallContext<'_>,
         session: &mut Handle,
         mechanism: &str,
         user: &str,
         secret: &str,
         options: Map| { exchange(&ctx, session, &[mechanism, user, secret], &options) },
    );
    add(
        module,
        &["session: Session", "mechanism: &str", "options: Map"],
        |ctx: NativeCallContext<'_>, session: &mut Handle, mechanism: &str, options: Map| {
            exchange(&ctx, session, &[mechanism], &options)
        },
    );
}

/// The doc comment of `authenticate`.
const AUTHENTICATE: [&str; 15] = [
    "/// The same as `auth`, by the name that the command has in IMAP (RFC 3501 section 6.2.2, RFC 4959).",
    "///",
    "/// ```dialogue imap",
    "/// S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi",
    "/// C: a1 AUTHENTICATE PLAIN",
    "/// S: + ",
    "/// C: AGhvZ2UAcHBwd3d3",
    "/// S: * CAPABILITY IMAP4rev1",
    "/// S: a1 OK logged in",
    "/// ```",
    "/// ```rhai",
    "/// let s = connect(param(\"imap\"));",
    "/// s.expect(\"* OK\");",
    "/// s.authenticate(\"hoge\", param(\"password\", \"pppwww\"));",
    "/// ```",
];

/// Runs an authentication exchange. `given` has the positional arguments.
fn exchange(
    ctx: &NativeCallContext<'_>,
    session: &mut Handle,
    given: &[&str],
    options: &Map,
) -> Result<Dynamic, Raised> {
    session.operate(ctx, async |session| {
        // Mask the secrets first, because an error about another argument must not show them.
        for secret in
            ["password", "token"].iter().filter_map(|name| text(options, name).ok().flatten())
        {
            session.keep_secret(&secret);
        }
        if let [.., _, secret] = given
            && !matches!(given, [name, _] if Known::takes_no_secret(name))
        {
            session.keep_secret(secret);
        }
        if let [name, ..] = given
            && is_misplaced(given)
        {
            session.keep_secret(name);
        }
        let call = verb::call(session, options, &OPTIONS)?;
        let reply = session.auth(credentials(given, options)?).with(call).await?;
        imap::answer(session, reply)
    })
}

/// Whether three arguments seem to be in the wrong order, so that the first may be the password.
/// They do if one of the other two is a mechanism, or if the first cannot be the name of a
/// mechanism (RFC 4422 section 3.1). They do not if the first is a likely misspelling of a
/// mechanism.
fn is_misplaced(given: &[&str]) -> bool {
    let [first, others @ ..] = given else { return false };
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let looks_like_one = first.len() <= 20 && first.chars().all(is_name);
    given.len() == 3
        && Known::find(first).is_none()
        && (!looks_like_one || others.iter().any(|other| Known::find(other).is_some()))
        && !Known::is_near(first)
}

/// Reads the credentials. The positional arguments are one of these: a mechanism, a user and a
/// secret; a user and a password; a mechanism that takes no secret and a user; a mechanism alone;
/// or none. The options give the rest.
fn credentials(given: &[&str], options: &Map) -> Result<Credentials> {
    let credentials = match *given {
        [_, _, _] if is_misplaced(given) => {
            let error = Error::usage("the first of three arguments is no mechanism");
            return Err(error.hint("auth(mechanism, user, password), or auth(user, password)"));
        }
        [mechanism, user, secret] => Credentials::new(user, secret).mechanism(mechanism),
        [mechanism, user] if Known::takes_no_secret(mechanism) => {
            Credentials::new(user, "").mechanism(mechanism)
        }
        [mechanism, _] if Known::find(mechanism).is_some() => {
            let error = Error::usage(format!(
                "{mechanism} is a mechanism, but is in the place of the user"
            ));
            return Err(error
                .hint(format!("auth(\"{mechanism}\", user, password), or auth(user, password)")));
        }
        [user, password] => Credentials::new(user, password),
        [mechanism] => named(options)?.mechanism(mechanism),
        _ => named(options)?,
    };
    detailed(credentials, options)
}

/// Reads the user and the secret from the options.
fn named(options: &Map) -> Result<Credentials> {
    let user = text(options, "user")?.unwrap_or_default();
    Ok(match (text(options, "token")?, text(options, "password")?) {
        (Some(token), _) => Credentials::token(user, token),
        (None, password) => Credentials::new(user, password.unwrap_or_default()),
    })
}

/// Adds the options that say how the exchange runs, such as `mechanism` and `initial`.
fn detailed(mut credentials: Credentials, options: &Map) -> Result<Credentials> {
    type Set = fn(Credentials, String) -> Credentials;
    let setters: [(&str, Set); 5] = [
        ("mechanism", Credentials::mechanism),
        ("authzid", Credentials::authzid),
        ("nonce", Credentials::nonce),
        ("host", Credentials::host),
        ("realm", Credentials::realm),
    ];
    for (name, set) in setters {
        if let Some(value) = text(options, name)? {
            credentials = set(credentials, value);
        }
    }
    if let Some(initial) = options.get("initial") {
        credentials = credentials.initial(argument::boolean("initial", initial)?);
    }
    let cancel =
        options.get("cancel").map_or(Ok(false), |cancel| argument::boolean("cancel", cancel))?;
    Ok(if cancel { credentials.cancel() } else { credentials })
}

fn text(options: &Map, name: &str) -> Result<Option<String>> {
    let value = options.get(name).map(|value: &Dynamic| value.clone().into_string());
    value.transpose().map_err(|kind| {
        Error::usage(format!("the option `{name}` is text, and not of type {kind}"))
    })
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Authenticates with the strongest mechanism that the server has advertised. The command is
    /// AUTH in SMTP (RFC 4954) and POP3 (RFC 5034), and AUTHENTICATE in IMAP and ManageSieve.
    /// Returns the final reply, which has to be 235, `+OK` or OK.
    ///
    /// ```rhai
    /// let s = connect(param("submission"));
    /// s.expect(220);
    /// s.ehlo("client.example");
    /// s.auth("hoge@example.com", param("password", "pppwww"));
    /// s.quit();
    /// ```
    #[rhai_fn(name = "auth", return_raw)]
    pub fn auth_strongest(
        ctx: NativeCallContext,
        session: &mut Handle,
        user: &str,
        password: &str,
    ) -> Result<Dynamic, Raised> {
        exchange(&ctx, session, &[user, password], &Map::new())
    }

    #[rhai_fn(name = "auth", return_raw)]
    pub fn auth_strongest_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        user: &str,
        password: &str,
        options: Map,
    ) -> Result<Dynamic, Raised> {
        exchange(&ctx, session, &[user, password], &options)
    }

    /// Authenticates with the named mechanism, whether the server has advertised it or not.
    /// `secret` is the password, or the token for XOAUTH2 and OAUTHBEARER.
    ///
    /// ```rhai
    /// let s = connect(param("submission"));
    /// s.expect(220);
    /// s.ehlo("client.example");
    /// s.auth("LOGIN", "hoge@example.com", "wrong", #{expect: 535});
    /// s.auth("CRAM-MD5", "hoge@example.com", "wrong", #{expect: 535});
    /// s.auth("XOAUTH2", "hoge@example.com", "eyJhbGciOiJIUzI1NiJ9", #{expect: 504});
    /// s.auth("PLAIN", "hoge@example.com", param("password", "pppwww"), #{initial: false});
    /// s.quit();
    /// ```
    #[rhai_fn(name = "auth", return_raw)]
    pub fn auth_by(
        ctx: NativeCallContext,
        session: &mut Handle,
        mechanism: &str,
        user: &str,
        secret: &str,
    ) -> Result<Dynamic, Raised> {
        exchange(&ctx, session, &[mechanism, user, secret], &Map::new())
    }

    /// The same with options as the last argument. `initial` says whether the first message is sent
    /// with the command: `false` waits for the empty challenge, and `true` sends the message even
    /// if the server or the mechanism does not provide for it. `cancel: true` answers the first
    /// challenge with `*`. `authzid` is the identity to act for, which LOGIN, CRAM-MD5, XOAUTH2
    /// and ANONYMOUS cannot carry. `nonce` is the client's nonce in SCRAM and DIGEST-MD5; with a
    /// fixed nonce the dialogue is the same in every run. `host` is the server's name in DIGEST-MD5
    /// and OAUTHBEARER, and `realm` is the realm of DIGEST-MD5.
    /// `expect` and `timeout` are as for all verbs. If `expect` matches a challenge, such as 334,
    /// the exchange stops there, and the script has to continue it by hand.
    ///
    /// ```dialogue submission
    /// S: 220 mail.example ESMTP
    /// C: AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=
    /// S: 334 cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcyMlphSjBTTlk3c29Fc1VFamI2Z1E9PSxpPTQwOTY=
    /// C: Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0FmdXhGSWxqKWhObEYkazAscD1kSHpiWmFwV0lrNGpVaE4rVXRlOXl0YWc5empmTUhnc3FtbWl6N0FuZFZRPQ==
    /// S: 334 dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0PQ==
    /// C:
    /// S: 235 2.7.0 Authentication successful
    /// C: AUTH LOGIN
    /// S: 334 VXNlcm5hbWU6
    /// C: *
    /// S: 501 5.7.0 Authentication cancelled
    /// ```
    /// ```rhai
    /// let s = connect(param("submission"));
    /// s.expect(220);
    /// s.auth("SCRAM-SHA-256", "user", param("password", "pencil"), #{nonce: "rOprNGfwEbeRWgbNEkqO"});
    /// s.auth("LOGIN", "user", param("password", "pencil"), #{cancel: true});
    /// ```
    #[rhai_fn(name = "auth", return_raw)]
    #[allow(clippy::too_many_arguments, reason = "a call of the script's, with what Rhai adds")]
    pub fn auth_by_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        mechanism: &str,
        user: &str,
        secret: &str,
        options: Map,
    ) -> Result<Dynamic, Raised> {
        exchange(&ctx, session, &[mechanism, user, secret], &options)
    }

    /// Authenticates with a mechanism that needs no user and no secret, such as EXTERNAL. Options
    /// can also stand for all arguments: `mechanism`, `user`, and `password` or `token`.
    ///
    /// ```rhai
    /// let s = connect(param("submission"));
    /// s.expect(220);
    /// s.ehlo("client.example");
    /// s.auth("EXTERNAL", #{authzid: "hoge@example.com", expect: 504});
    /// s.auth(#{user: "hoge@example.com", password: param("password", "pppwww"), mechanism: "PLAIN"});
    /// s.quit();
    /// ```
    #[rhai_fn(name = "auth", return_raw)]
    pub fn auth_alone(
        ctx: NativeCallContext,
        session: &mut Handle,
        mechanism: &str,
    ) -> Result<Dynamic, Raised> {
        exchange(&ctx, session, &[mechanism], &Map::new())
    }

    #[rhai_fn(name = "auth", return_raw)]
    pub fn auth_alone_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        mechanism: &str,
        options: Map,
    ) -> Result<Dynamic, Raised> {
        exchange(&ctx, session, &[mechanism], &options)
    }

    #[rhai_fn(name = "auth", return_raw)]
    pub fn auth_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        options: Map,
    ) -> Result<Dynamic, Raised> {
        exchange(&ctx, session, &[], &options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::MECHANISMS;

    #[test]
    fn the_manual_names_every_mechanism() {
        let clients = include_str!("../../../docs/clients.md");
        for known in &MECHANISMS {
            assert!(INTRO.contains(known.name), "the reference lacks {}", known.name);
            assert!(clients.contains(known.name), "docs/clients.md lacks {}", known.name);
        }
    }
}
