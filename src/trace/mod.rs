//! Recordings of runs, as files: what each script's sessions sent and received, as it was cut and
//! when, with secrets masked. docs/traces.md is their documentation; what changes incompatibly gets
//! a new [`VERSION`].

mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use read::{Entry, read};

/// The version of the format, in the first line of each script.
pub(crate) const VERSION: u32 = 1;

/// The first line of a script.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Head {
    /// The version of the format.
    pub(crate) trace: u32,
    /// The script.
    pub(crate) path: String,
    pub(crate) target: Option<String>,
    pub(crate) title: Option<String>,
    /// `passed`, `failed`, ... as in the stream of events.
    pub(crate) verdict: String,
    /// What failed, in a line.
    pub(crate) message: Option<String>,
    /// The parameters that it asked for, except secrets.
    #[serde(default)]
    pub(crate) params: BTreeMap<String, String>,
}

/// Something that went by: one of its fields says what.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Passage {
    /// Seconds since the script began.
    pub(crate) at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    /// Where a session is connected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connecting: Option<String>,
    /// One write of the client's, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    /// One read of what the server said, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// TLS as it is spoken from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<BTreeMap<String, String>>,
    /// Why a handshake failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_failed: Option<String>,
    /// The server closed the connection.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) closed_by_server: bool,
    /// Anything else, as a transcript words it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    /// So many passages were not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) omitted: Option<u64>,
}
