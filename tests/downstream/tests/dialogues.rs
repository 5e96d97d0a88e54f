//! One script, and dialogues without scripts, among ordinary tests.

use mailexpect::server::Embedded;
use mailexpect::{Regex, Session, tls};

#[test]
fn foreign_domains_are_not_relayed() {
    let server = Embedded::start().unwrap(); // mailexpect::server::Embedded, or your own server
    mailexpect::assert_script!("scripts/relay.rhai", smtp = server.smtp());
}

#[test]
#[should_panic(expected = "did you mean `smtp`?")]
fn a_misspelt_parameter_is_no_script_against_another_server() {
    let server = Embedded::start().unwrap();
    mailexpect::assert_script!("scripts/relay.rhai", smpt = server.smtp());
}

#[test]
#[should_panic(expected = "the parameter `smtp` has no value")]
fn a_server_that_is_not_named_is_not_the_embedded_one() {
    mailexpect::assert_script!("scripts/relay.rhai");
}

#[tokio::test]
async fn a_script_runs_in_an_async_test_too() {
    let server = Embedded::start().unwrap();
    mailexpect::assert_script_async!("scripts/relay.rhai", smtp = server.smtp()).await;
}

#[tokio::test]
#[should_panic(expected = "write assert_script_async!(...).await")]
async fn a_script_that_would_block_an_async_test_says_what_to_write() {
    let server = Embedded::start().unwrap();
    mailexpect::assert_script!("scripts/relay.rhai", smtp = server.smtp());
}

#[test]
fn the_server_greets() -> mailexpect::Result<()> {
    let server = Embedded::start().unwrap();
    mailexpect::block_on(async {
        let mut session = Session::connect(&server.smtp()).await?;
        session.expect(220).await?;
        session.send("QUIT").await?;
        session.expect(221).await?;
        session.finish().await
    })
}

#[test]
fn a_session_is_spoken_with_one_operation_after_the_other() -> mailexpect::Result<()> {
    let server = Embedded::start().unwrap();
    let mut session = mailexpect::block_on(Session::connect(&server.smtp()))?;
    mailexpect::block_on(session.expect(220))?;
    let hello = mailexpect::block_on(session.ehlo("client.example"))?;
    assert!(hello.has("PIPELINING"), "{}", session.transcript());
    mailexpect::block_on(session.quit())?;
    mailexpect::block_on(session.finish())
}

#[test]
#[should_panic(expected = "expected: 554")]
fn a_reply_that_is_not_expected_fails_in_words() {
    let server = Embedded::start().unwrap();
    let greeted =
        mailexpect::block_on(async { Session::connect(&server.smtp()).await?.expect(554).await });
    greeted.unwrap();
}

#[tokio::test]
async fn mail_is_submitted_over_tls() -> mailexpect::Result<()> {
    let server = Embedded::start().unwrap();
    let trusting = tls::Options::new().ca(server.ca().unwrap());
    let mut session = Session::options().tls(trusting).connect(&server.submissions()).await?;
    session.expect(220).await?;
    session.ehlo("client.example").await?;
    session.auth((Embedded::USER, Embedded::PASSWORD)).await?;
    session.mail("hoge@example.com").await?;
    session.rcpt("test-user@yahoo.co.jp").await?;
    session.data("Subject: lunch\r\n\r\nAt noon?\r\n").await?;
    session.send("NOOP").await?;
    session.expect(Regex::new("^250 2")?).await?;
    session.quit().await?;
    session.finish().await?;
    assert_eq!(server.mails()[0].to, ["test-user@yahoo.co.jp"]);
    Ok(())
}
