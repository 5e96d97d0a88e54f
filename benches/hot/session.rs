//! A whole submission over loopback, with a peer that plays the server of the recording: the cost
//! of plain sockets, of a session, and of a script.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use divan::Bencher;
use mailexpect::Session;
use mailexpect::script::{Runner, Settings};
use tokio::runtime::Runtime;

use crate::recording::{self, Side, Turn};

/// Plays the server's side to each client, until the bench ends. A `Replay` would cost more than the
/// session that is measured, because it starts a thread for each client and records the dialogue.
fn serve(turns: Vec<Turn>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            play(&mut stream.unwrap(), &turns, Side::Server);
        }
    });
    address.to_string()
}

/// Sends the turns of this side, and reads as many bytes as the other side's turns have.
fn play(stream: &mut TcpStream, turns: &[Turn], side: Side) {
    stream.set_nodelay(true).unwrap();
    let mut room = [0; 4096];
    for turn in turns {
        if turn.side == side {
            stream.write_all(&turn.bytes).unwrap();
        } else {
            stream.read_exact(&mut room[..turn.bytes.len()]).unwrap();
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[divan::bench]
fn plain_sockets(bencher: Bencher<'_, '_>) {
    let turns = recording::postfix();
    let address = serve(turns.clone());
    bencher.bench_local(|| play(&mut TcpStream::connect(&address).unwrap(), &turns, Side::Client));
}

#[divan::bench]
fn async_session(bencher: Bencher<'_, '_>) {
    let turns = recording::postfix();
    let url = format!("submission://{}", serve(turns.clone()));
    let runtime = runtime();
    bencher.bench_local(|| runtime.block_on(converse(&url, &turns)).unwrap());
}

async fn converse(url: &str, turns: &[Turn]) -> mailexpect::Result<()> {
    let mut session = Session::connect(url).await?;
    for turn in turns {
        match turn.side {
            Side::Server => drop(session.expect(code(turn)).await?),
            Side::Client => session.send_raw(&turn.bytes).await?,
        }
    }
    session.finish().await
}

fn code(turn: &Turn) -> i32 {
    std::str::from_utf8(&turn.bytes[..3]).unwrap().parse().unwrap()
}

/// The dialogue as a script, run repeatedly as `mailexpect run` would.
#[divan::bench]
fn script(bencher: Bencher<'_, '_>) {
    let turns = recording::postfix();
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path().join("submission.rhai"), &turns);
    let mut settings = Settings::default();
    settings.params.insert("server".into(), format!("submission://{}", serve(turns)));
    let runner = Runner::new(settings);
    let runtime = runtime();
    bencher.bench_local(|| {
        let outcome = runtime.block_on(runner.run(&path, std::future::pending()));
        assert!(outcome.is_ok(), "{outcome:?}");
    });
}

fn written(path: PathBuf, turns: &[Turn]) -> PathBuf {
    let words = turns.iter().map(|turn| match turn.side {
        Side::Server => format!("s.expect({});\n", code(turn)),
        Side::Client => format!("s.send_raw({:?});\n", str::from_utf8(&turn.bytes).unwrap()),
    });
    let script: String =
        std::iter::once("let s = connect(param(\"server\"));\n".to_owned()).chain(words).collect();
    std::fs::write(&path, script).unwrap();
    path
}
