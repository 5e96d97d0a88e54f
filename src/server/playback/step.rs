//! The steps of a recording.

/// One step of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) enum Step {
    /// The client sends this line; `number` is its line number in the recording, and `shown` the
    /// line with its secrets masked.
    Hear {
        line: Vec<u8>,
        shown: Vec<u8>,
        number: usize,
    },
    /// The client sends content, which is not compared.
    Octets(Content),
    /// The server sends this.
    Say(Vec<u8>),
    Tls,
    /// The server closes.
    Close,
    /// The server resets the connection.
    Reset,
}

/// What a client sends between its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Content {
    /// A message, up to its final dot.
    Message,
    /// A literal; the rest of the command follows.
    Literal,
    /// A chunk of BDAT.
    Chunk,
}
