//! The capabilities of a server, as its reply to EHLO or LHLO lists them.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::Array;
use rhai::plugin::{Dynamic, NativeCallContext, export_module};

use super::Handle;
use crate::error::{Error, Result};
use crate::proto::capabilities::Capabilities;
use crate::reply::Reply;
use crate::script::ended::Ended;
use crate::script::lists::texts;
use crate::script::raise::{Raised, raise};
use crate::script::run::end;
use crate::session::Session;
use crate::{suggest, visible};

pub(super) const INTRO: &str = "The capabilities that a server announces, as `ehlo` and `lhlo` return them. Keywords are \
found in upper and lower case: `\"STARTTLS\" in caps`, `caps[\"SIZE\"]`, or `caps.SIZE`, which is `()` if the server did not \
send the keyword. All keywords are kept in order, including verbs that are not registered (`X-...`). \
`=` is a part of a keyword, as in `\"THREAD=REFERENCES\" in caps`; only `AUTH=PLAIN` is AUTH with a parameter, as `AUTH PLAIN` is. \
Capabilities also have \
`auth`, `domain`, `keywords` and `reply`.";

/// The names after a dot that are properties. Any other name after a dot is a keyword of the
/// server.
const PROPERTIES: [&str; 4] = ["auth", "domain", "keywords", "reply"];

/// The property that a script probably meant by a keyword that the server did not say. A keyword
/// that is a property except for its case, such as AUTH, is not taken for a misspelling.
fn slip(keyword: &str) -> Option<&'static str> {
    let is_one = PROPERTIES.iter().any(|property| property.eq_ignore_ascii_case(keyword));
    suggest::nearest(keyword, PROPERTIES).filter(|_| !is_one)
}

/// Why a script that needs this capability has to be skipped; `None` if the server has the
/// capability.
fn lacking(session: &Session, capability: &str) -> Result<Option<String>> {
    let Some(known) = session.capabilities() else {
        let error = Error::usage("it is not known what the server can do");
        return Err(
            error.hint("ask it first: ehlo(...), on LMTP lhlo(...); after STARTTLS ask again")
        );
    };
    let wanted = visible::quoted(capability);
    Ok((!known.has(capability)).then(|| format!("{} does not offer {wanted}", session.peer())))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// The capabilities in the server's last reply to EHLO or LHLO, whether a verb sent the command
    /// or the script did by hand. `()` before the first such reply, and after HELO, STARTTLS and
    /// XCLIENT.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("EHLO client.example");
    /// s.expect(250);
    /// assert("8BITMIME" in s.capabilities);
    /// ```
    #[rhai_fn(get = "capabilities", return_raw)]
    pub fn capabilities(ctx: NativeCallContext, session: &mut Handle) -> Result<Dynamic, Raised> {
        session.with(&ctx, |session| {
            session.capabilities().cloned().map_or(Dynamic::UNIT, Dynamic::from)
        })
    }

    /// Ends the script as skipped if the server does not offer this capability. `"AUTH PLAIN"` asks
    /// for a keyword with a parameter.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.ehlo("client.example");
    /// s.require_capability("PIPELINING");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn require_capability(
        ctx: NativeCallContext,
        session: &mut Handle,
        capability: &str,
    ) -> Result<(), Raised> {
        let lacking = session.with(&ctx, |session| super::lacking(session, capability))?;
        match lacking.map_err(|error| raise(&ctx, error))? {
            Some(reason) => Err(end(&ctx, Ended::Skipped(reason))),
            None => Ok(()),
        }
    }

    /// Whether the server said this keyword: `"STARTTLS" in caps`. `"AUTH PLAIN" in caps` asks for
    /// the keyword AUTH with PLAIN among its parameters.
    ///
    /// ```rhai
    /// let s = connect(param("submission"));
    /// s.expect(220);
    /// let caps = s.ehlo("client.example");
    /// assert("auth plain" in caps);
    /// assert(!("ETRN" in caps));
    /// ```
    #[rhai_fn(pure)]
    pub fn contains(caps: &mut Capabilities, capability: &str) -> bool {
        caps.has(capability)
    }

    /// The parameters of a keyword as text: `""` if the keyword has none, `()` if the server did
    /// not say the keyword.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// let caps = s.ehlo("client.example");
    /// assert_eq(caps["size"], "10485760");
    /// assert_eq(caps["8BITMIME"], "");
    /// assert_eq(caps["ETRN"], ());
    /// assert_eq(caps.SIZE, "10485760");
    /// ```
    #[rhai_fn(index_get, return_raw, pure)]
    pub fn parameters(
        ctx: NativeCallContext,
        caps: &mut Capabilities,
        keyword: &str,
    ) -> Result<Dynamic, Raised> {
        if let Some(parameters) = caps.get(keyword) {
            return Ok(parameters.into_owned().into());
        }
        let Some(near) = slip(keyword) else { return Ok(Dynamic::UNIT) };
        let error = Error::usage(format!(
            "capabilities have no property and no keyword `{}`",
            visible::quoted(keyword)
        ));
        Err(raise(&ctx, error.hint(format!("did you mean `{near}`?"))))
    }

    /// The mechanisms of AUTH as a list, in upper case and each once. Mechanisms in the form
    /// `AUTH=LOGIN`, which old servers send, are included.
    ///
    /// ```rhai
    /// let s = connect(param("submission"));
    /// s.expect(220);
    /// assert(s.ehlo("client.example").auth.contains("PLAIN"));
    /// ```
    #[rhai_fn(get = "auth", return_raw, pure)]
    pub fn auth(ctx: NativeCallContext, caps: &mut Capabilities) -> Result<Array, Raised> {
        texts(&ctx, caps.auth())
    }

    /// The keywords as a list, as the server sent them and in the same order.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// assert_eq(s.ehlo("client.example").keywords, ["PIPELINING", "SIZE", "8BITMIME", "STARTTLS", "ENHANCEDSTATUSCODES"]);
    /// ```
    #[rhai_fn(get = "keywords", return_raw, pure)]
    pub fn keywords(ctx: NativeCallContext, caps: &mut Capabilities) -> Result<Array, Raised> {
        texts(&ctx, caps.each_keyword())
    }

    /// The name that the server gives itself: the first word of its reply.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// assert_eq(s.ehlo("client.example").domain, "localhost");
    /// ```
    #[rhai_fn(get = "domain", pure)]
    pub fn domain(caps: &mut Capabilities) -> String {
        caps.domain().into_owned()
    }

    /// The whole reply that lists the capabilities.
    #[rhai_fn(get = "reply", pure)]
    pub fn reply(caps: &mut Capabilities) -> Reply {
        caps.reply().clone()
    }

    #[rhai_fn(name = "to_string", pure)]
    pub fn capabilities_to_string(caps: &mut Capabilities) -> String {
        caps.reply().text().into_owned()
    }

    #[rhai_fn(name = "to_debug", pure)]
    pub fn capabilities_to_debug(caps: &mut Capabilities) -> String {
        visible::escape(caps.reply().text().as_bytes())
    }
}
