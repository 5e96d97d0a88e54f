//! The state of ports: a script can require that a port is open, closed, filtered or unreachable.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::Map;
use rhai::plugin::{NativeCallContext, export_module};

use super::{connecting, wait};
use crate::error::{Error, Kind, Result};
use crate::probe::{self, HostPorts, State};
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;

pub(super) const INTRO: &str = "A port is `open` (a connection can be made), `closed` (connections are refused: the host is \
up and nothing listens), `filtered` (nothing answers until the deadline, as behind a firewall that drops packets) or \
`unreachable` (there is no route to the host). If `connect` fails for one of these reasons, `e.kind` is `refused`, `filtered` \
or `unreachable`; it is `unresolved` if the name has no address, and `lookup` if the look-up failed. `mailexpect probe` shows the states of all mail ports.";

const OPTIONS: [&str; 4] = ["timeout", "source_ip", "family", "proxy"];

/// Connects to each port and compares its state with the wanted state.
async fn hold(place: &str, wanted: &str, options: &Map) -> Result<()> {
    let run = Run::current()?;
    let wanted = State::parse(wanted).map_err(|why| {
        Error::usage(why).hint("expect_port(\"mail.example.com:110\", \"closed\")")
    })?;
    let at = HostPorts::parse(place)?;
    if !at.is_named {
        return Err(Error::usage(format!("`{}` names no port", at.host))
            .hint("expect_port(\"mail.example.com:25,587\", \"open\")"));
    }
    let options = connecting::session_options(run.options(), options, &OPTIONS)?;
    for port in &at.ports {
        let url = at.url("tcp", port.number);
        let (is, error) = match options.clone().connect(&url).await {
            Ok(mut session) => {
                session.hang_up();
                (State::Open, None)
            }
            Err(error) => match State::of(&error) {
                Some(state) => (state, Some(error)),
                None => return Err(error),
            },
        };
        if !is.is(&wanted) {
            return Err(another(&at, *port, &is, &wanted, error));
        }
        run.count_check();
    }
    Ok(())
}

fn another(
    at: &HostPorts,
    port: probe::Port,
    is: &State,
    wanted: &State,
    error: Option<Error>,
) -> Error {
    let message = format!("{}:{} is {is}", at.host, port.number);
    if let Some(error) = error {
        return error.say(&message).with_expected(wanted.name());
    }
    let error = Error::new(Kind::Unexpected, message).with_expected(wanted.name());
    error.with_got("a connection").hint("look at what listens there: mailexpect probe")
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Fails the script unless the ports of a host are in this state: `"open"`, `"closed"`,
    /// `"filtered"` or `"unreachable"`. The place is `host:port`, with more ports after commas, or
    /// a URL. A port is open if one of the host's addresses accepts the connection. Nothing is sent
    /// on the connection.
    ///
    /// ```rhai
    /// expect_port(param("smtp"), "open");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_port(ctx: NativeCallContext, place: &str, state: &str) -> Result<(), Raised> {
        expect_port_with(ctx, place, state, Map::new())
    }

    /// The same with options: `timeout` (a port is `filtered` if nothing has answered by then), and
    /// `source_ip`, `family` and `proxy` as for `connect`.
    ///
    /// ```rhai
    /// expect_port("127.0.0.1:1", "closed", #{timeout: "2s", family: 4});
    /// ```
    #[rhai_fn(name = "expect_port", return_raw)]
    pub fn expect_port_with(
        ctx: NativeCallContext,
        place: &str,
        state: &str,
        options: Map,
    ) -> Result<(), Raised> {
        wait(&ctx, hold(place, state, &options))?.map_err(|error| raise(&ctx, error))
    }
}
