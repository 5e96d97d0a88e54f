//! Tests the server as a program, in its own process.

use std::process::Command;

#[test]
fn the_next_release_is_no_relay() -> mailexpect::Result<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_my-server"));
    command.args(["--foreground", "--listen", "127.0.0.1:{port}"]);
    let server = mailexpect::Server::spawn(command).wait_ready("smtp://127.0.0.1:{port}")?;
    mailexpect::assert_script!("scripts/relay.rhai", smtp = server.url());
    Ok(())
}
