//! Tests of what servers and clients send.

mod following;
mod framing;

use proptest::prelude::*;

/// Any mixture of the parts of responses and commands.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        &b"* "[..],
        b"+ ",
        b"a1 ",
        b"OK ",
        b"NO ",
        b"[",
        b"]",
        b"{2}",
        b"{1+}",
        b"~{3}",
        b"{",
        b"}",
        b"\"",
        b"\\",
        b"\r\n",
        b"\n",
        b" ",
        b"x",
        b"LOGIN ",
        b"AUTHENTICATE ",
        b"IDLE",
        b"DONE",
        b"\0",
        b"(",
        b"FETCH ",
        b"BODY[] ",
    ]);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}
