//! A mail client's retries, tested against a server that the test plays.

use lettre::transport::smtp::Error;
use lettre::{Message, SmtpTransport, Transport as _};
use mailexpect::server::Listener;
use mailexpect::{Fault, Then, block_on};

/// The client under test: it sends mail again after a temporary refusal or a lost connection, three
/// times at most.
fn send(port: u16) -> Result<(), Error> {
    let mail = Message::builder().from("a@example.com".parse().unwrap());
    let mail = mail.to("b@example.com".parse().unwrap()).subject("hi").body("hello\n".to_owned());
    let mailer = SmtpTransport::builder_dangerous("127.0.0.1").port(port).build();
    let mail = mail.unwrap();
    for _ in 0..2 {
        match mailer.send(&mail) {
            Err(error) if !error.is_permanent() => {}
            sent => return sent.map(drop),
        }
    }
    mailer.send(&mail).map(drop)
}

#[test]
fn mail_is_sent_again_after_a_temporary_refusal() -> mailexpect::Result<()> {
    let listener = block_on(Listener::bind("smtp"))?;
    let port = listener.port();
    let client = std::thread::spawn(move || send(port));
    block_on(async {
        let mut busy = listener.accept().await?;
        busy.greet("220 localhost").await?;
        busy.serve("EHLO", (250, "localhost")).await?;
        busy.serve("MAIL", (451, "4.3.2 try again later")).await?;
        busy.expect_quit().await?;
        let mut lost = listener.accept().await?;
        lost.greet("220 localhost").fault(Fault::new().cut(7).then(Then::Reset)).await?;
        let mut good = listener.accept().await?;
        good.greet("220 localhost").await?;
        good.serve("EHLO", (250, "localhost")).await?;
        good.serve("MAIL FROM:<a@example.com>", 250).await?;
        good.serve("RCPT TO:<b@example.com>", 250).await?;
        good.serve("DATA", 354).await?;
        assert!(good.expect_message().await?.text().contains("Subject: hi"));
        good.reply((250, "2.0.0 queued")).await?;
        good.expect_quit().await?;
        good.finish().await?;
        listener.finish().await
    })?;
    client.join().unwrap().unwrap();
    Ok(())
}

#[test]
fn mail_that_is_refused_for_good_is_not_sent_again() -> mailexpect::Result<()> {
    let listener = block_on(Listener::bind("smtp"))?;
    let port = listener.port();
    let client = std::thread::spawn(move || send(port));
    block_on(async {
        let mut server = listener.accept().await?;
        server.greet("220 localhost").await?;
        server.serve("EHLO", (250, "localhost")).await?;
        server.serve("MAIL", 250).await?;
        server.serve("RCPT", (550, "5.1.1 unknown")).await?;
        server.expect_quit().await?;
        server.finish().await?;
        listener.expect_none(std::time::Duration::from_millis(100)).await?;
        listener.finish().await
    })?;
    assert!(client.join().unwrap().unwrap_err().is_permanent());
    Ok(())
}
