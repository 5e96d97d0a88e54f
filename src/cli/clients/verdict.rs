//! Whether a client did what it should.

use std::time::Duration;

use super::battery::{Case, Should};
use super::client::Did;

/// The result of a client with one server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The client did what it should. Holds what it did.
    Good(String),
    /// The client did something else. Holds what it did wrong.
    Bad(String),
    /// The client does not use the feature that this server breaks. Holds which feature.
    NotTried(String),
}

/// Why a case cannot be tried with this client; `None` if it can.
pub(super) fn not_tried(case: &Case, baseline: &Did) -> Option<String> {
    let lacking = case.needs.iter().find(|need| !baseline.sent(need));
    let excluded = case.unless.iter().find(|sent| baseline.sent(sent));
    match (lacking, excluded) {
        (Some(need), _) if need == "TLS" => Some("the client does not use TLS".to_owned()),
        (Some(need), _) => Some(format!("the client does not send {need}")),
        (None, Some(sent)) => Some(format!("the client sends {sent}")),
        (None, None) => None,
    }
}

pub(super) fn of(case: &Case, did: &Did, baseline: &Did, timeout: Duration) -> Verdict {
    let ended = did.ended(timeout);
    let sent = case.never.iter().find(|words| did.sent(words));
    let code = did.status.map(|status| status.code());
    match (code, sent) {
        (Some(None), _) => Verdict::Bad(format!("it crashed: {ended}")),
        (_, Some(words)) => Verdict::Bad(format!("it must not send {words} here: {ended}")),
        (None, None) if case.waits => Verdict::Good(ended),
        (None, None) => Verdict::Bad(format!("it hangs: {ended}")),
        (Some(Some(0)), None) if is_fooled(case, did) => {
            Verdict::Bad("it shows a reply from before TLS as a reply within TLS".to_owned())
        }
        (Some(Some(0)), None) => on_success(case, did, baseline),
        (Some(Some(_)), None) => match case.should {
            Should::Succeed => Verdict::Bad(format!("it gave up where it could go on: {ended}")),
            Should::Unfooled if did.tls => Verdict::Bad(format!(
                "it took a reply from before TLS for a reply within TLS: {ended}"
            )),
            Should::Fail | Should::Either | Should::Unfooled => Verdict::Good(ended),
        },
    }
}

/// Whether the client went on with TLS and took an injected line for an answer, even if that did no
/// harm.
fn is_fooled(case: &Case, did: &Did) -> bool {
    case.should == Should::Unfooled && did.tls && did.shows_injected
}

fn on_success(case: &Case, did: &Did, baseline: &Did) -> Verdict {
    let lost = !baseline.mails.is_empty() && did.mails.is_empty();
    match case.should {
        Should::Fail => Verdict::Bad("it says that all went well".to_owned()),
        Should::Succeed | Should::Either | Should::Unfooled if lost => {
            Verdict::Bad("it says that mail was sent, and the server has none".to_owned())
        }
        Should::Succeed | Should::Either | Should::Unfooled => {
            Verdict::Good("succeeded".to_owned())
        }
    }
}
