//! Authentication.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{FuncRegistration, Map, Module};

use super::verb::{Manual, words_of};
use super::{Handle, argument, imap, verb};
use crate::error::{Error, Result};
use crate::sasl::{Credentials, Known};
use crate::script::raise::Raised;

pub(super) const INTRO: &str = "SASL (RFC 4422): SCRAM-SHA-256, SCRAM-SHA-1, DIGEST-MD5, CRAM-MD5, PLAIN, LOGIN, OAUTHBEARER, \
XOAUTH2, EXTERNAL and ANONYMOUS. An exchange that goes wrong ends cleanly, and the verdict is what counts: `#{expect: 535}`. \
A mechanism in which the server proves itself too holds it to that. In the transcript, challenges and responses stand decoded \
behind an arrow, and whatever is secret is `[SECRET]`. An exchange can always be written out by hand, from `s.send(\"AUTH LOGIN\")` on.";

/// What an exchange may be given as its last argument.
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

/// `auth`, and the same by the name that the command has in IMAP and ManageSieve.
pub(super) fn all_words(manual: Manual) -> Module {
    let mut module = words_of!(words, manual);
    let word = || FuncRegistration::new("authenticate");
    word()
        .with_comments(AUTHENTICATE)
        .with_params_info(["session: Session", "user: &str", "password: &str"])
        .set_into_module(
            &mut module,
            |ctx: NativeCallContext<'_>, session: &mut Handle, user: &str, password: &str| {
                exchange(&ctx, session, &[user, password], &Map::new())
            },
        );
    word()
        .with_params_info(["session: Session", "user: &str", "password: &str", "options: Map"])
        .set_into_module(
            &mut module,
            |ctx: NativeCallContext<'_>,
             session: &mut Handle,
             user: &str,
             password: &str,
             options: Map| { exchange(&ctx, session, &[user, password], &options) },
        );
    word()
        .with_params_info(["session: Session", "mechanism: &str", "user: &str", "secret: &str"])
        .set_into_module(
            &mut module,
            |ctx: NativeCallContext<'_>,
             session: &mut Handle,
             mechanism: &str,
             user: &str,
             secret: &str| {
                exchange(&ctx, session, &[mechanism, user, secret], &Map::new())
            },
        );
    with_mechanism(&mut module);
    module
}

/// `authenticate` by a mechanism and options.
fn with_mechanism(module: &mut Module) {
    FuncRegistration::new("authenticate")
        .with_params_info([
            "session: Session",
            "mechanism: &str",
            "user: &str",
            "secret: &str",
            "options: Map",
        ])
        .set_into_module(
            module,
            |ctx: NativeCallContext<'_>,
             session: &mut Handle,
             mechanism: &str,
             user: &str,
             secret: &str,
             options: Map| {
                exchange(&ctx, session, &[mechanism, user, secret], &options)
            },
        );
    FuncRegistration::new("authenticate")
        .with_params_info(["session: Session", "mechanism: &str", "options: Map"])
        .set_into_module(
            module,
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

/// Runs an exchange with what was given in order and by name.
fn exchange(
    ctx: &NativeCallContext<'_>,
    session: &mut Handle,
    given: &[&str],
    options: &Map,
) -> Result<Dynamic, Raised> {
    session.operate(ctx, async |session| {
        // First of all: what is wrong with the other arguments must not show it.
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

/// Whether a mechanism is among three arguments, and not the first of them: any other may be the
/// password then. So may a first one that no mechanism is called like (RFC 4422 section 3.1).
fn is_misplaced(given: &[&str]) -> bool {
    let [first, others @ ..] = given else { return false };
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let looks_like_one = first.len() <= 20 && first.chars().all(is_name);
    given.len() == 3
        && Known::find(first).is_none()
        && (!looks_like_one || others.iter().any(|other| Known::find(other).is_some()))
        && !Known::is_near(first)
}

/// A mechanism, a user and a secret; or a user and a password; or a mechanism alone; the rest by
/// name.
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
                "{mechanism} is a mechanism, and stands where the user belongs"
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

/// Who it is, all by name.
fn named(options: &Map) -> Result<Credentials> {
    let user = text(options, "user")?.unwrap_or_default();
    Ok(match (text(options, "token")?, text(options, "password")?) {
        (Some(token), _) => Credentials::token(user, token),
        (None, password) => Credentials::new(user, password.unwrap_or_default()),
    })
}

/// How it is to be done.
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
    /// Authenticates by the strongest mechanism that the server has advertised: AUTH in SMTP (RFC
    /// 4954) and POP3 (RFC 5034), AUTHENTICATE in IMAP. Gives back the verdict, which has to be
    /// 235, `+OK` or OK.
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

    /// Authenticates by the mechanism that is named, whether the server advertised it or not;
    /// `secret` is the password, or the token of XOAUTH2 and OAUTHBEARER.
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

    /// With options as the last argument: `initial` (whether the first message goes with the
    /// command; `false` waits for the empty challenge, `true` sends it even where that is unusual),
    /// `cancel` (answers the first challenge with `*`), `authzid` (whom to act for), `nonce` (the
    /// client's, in SCRAM and DIGEST-MD5, so that a dialogue is the same each time), `host` and
    /// `realm` (as DIGEST-MD5 and OAUTHBEARER say them), and `expect` and `timeout` as for all
    /// verbs. Where `expect` fits a challenge, such as 334, the exchange ends there, to be gone on
    /// with by hand.
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

    /// Authenticates by a mechanism that needs no more than its name, such as EXTERNAL.
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
