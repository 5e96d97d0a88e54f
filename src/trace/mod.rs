//! Recordings of runs in files: the bytes that each script's sessions sent and received, split and
//! timed as they were, with secrets masked. docs/traces.md documents the format; an incompatible
//! change needs a new [`VERSION`].

mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use read::{Entry, read};

/// The version of the format, given in the first line of each script.
pub(crate) const VERSION: u32 = 1;

/// The first line of a script.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Head {
    /// The version of the format.
    pub(crate) trace: u32,
    /// The path of the script.
    pub(crate) path: String,
    pub(crate) target: Option<String>,
    pub(crate) title: Option<String>,
    /// `passed`, `failed`, ... as in the stream of events.
    pub(crate) verdict: String,
    /// The failure in one line.
    pub(crate) message: Option<String>,
    /// The parameters that the script asked for, except secrets.
    #[serde(default)]
    pub(crate) params: BTreeMap<String, String>,
}

/// Something that a session sent or received, or another event. The field that is set says which.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Passage {
    /// Seconds since the script began.
    pub(crate) at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    /// The URL that a session connects to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connecting: Option<String>,
    /// The bytes of one write by the client, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    /// The bytes of one read from the server, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// The properties of TLS, after a handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<BTreeMap<String, String>>,
    /// Why a handshake failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_failed: Option<String>,
    /// Whether the server closed or reset the connection.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) closed_by_server: bool,
    /// Whether this close was a reset.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) reset: bool,
    /// Any other event, in the words of a transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    /// The number of passages that were not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) omitted: Option<u64>,
}
