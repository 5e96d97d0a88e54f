//! A server that verifies SASL exchanges with its own code. It is careless: its verdict repeats all
//! responses.

use std::io;
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::peer::{Client, serving};

pub(crate) const USER: &str = "hoge";

/// A submission server on its own port, for any number of connections.
pub(crate) struct SaslServer {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl SaslServer {
    /// Starts a server whose only user has this password or token.
    pub(crate) fn start(password: &'static str) -> Self {
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let hearing = Arc::clone(&heard);
        let address = serving(move |client, _| {
            Dialogue { client, password, exchange: Vec::new() }.hold(&hearing)
        });
        Self { url: format!("submission://{address}"), heard }
    }

    /// The responses of clients, as sent and decoded from base64.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

struct Dialogue {
    client: Client,
    password: &'static str,
    /// The responses of the current exchange.
    exchange: Vec<String>,
}

impl Dialogue {
    fn hold(mut self, heard: &Mutex<Vec<String>>) -> io::Result<()> {
        self.say("220 mail.example ESMTP")?;
        loop {
            let line = self.client.line()?;
            let words: Vec<_> = line.split(' ').collect();
            match words[..] {
                ["EHLO", _] => self.say("250-mail.example\r\n250 AUTH CRAM-MD5 XOAUTH2")?,
                ["AUTH", mechanism, ..] => {
                    let granted = self.authenticate(mechanism, words.get(2).copied())?;
                    let said = std::mem::take(&mut self.exchange);
                    let code = if granted { "235 2.7.0" } else { "535 5.7.8" };
                    self.say(&format!("{code} heard {}", said.join(" ")))?;
                    heard.lock().unwrap().extend(said);
                }
                ["QUIT"] => return self.say("221 bye"),
                _ => return Ok(()),
            }
        }
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.client.say(&format!("{line}\r\n"))
    }

    fn ask(&mut self, challenge: &str) -> io::Result<String> {
        self.say(&format!("334 {}", BASE64_STANDARD.encode(challenge)))?;
        let line = self.client.line()?;
        Ok(self.hear(&line))
    }

    fn hear(&mut self, line: &str) -> String {
        let message = String::from_utf8(BASE64_STANDARD.decode(line).unwrap()).unwrap();
        let printable = message.replace(|c: char| c.is_control(), " ");
        self.exchange
            .extend([line.to_owned(), printable].into_iter().filter(|heard| !heard.is_empty()));
        message
    }

    fn authenticate(&mut self, mechanism: &str, initial: Option<&str>) -> io::Result<bool> {
        let first = initial.map(|line| if line == "=" { String::new() } else { self.hear(line) });
        Ok(match mechanism {
            "PLAIN" => self.or_ask(first)? == format!("\0{USER}\0{}", self.password),
            "LOGIN" => {
                let user = first.map_or_else(|| self.ask("Username:"), Ok)?;
                self.ask("Password:")? == self.password && user == USER
            }
            "CRAM-MD5" => {
                let challenge = "<1@mail.example>";
                self.ask(challenge)?
                    == format!(
                        "{USER} {}",
                        HEXLOWER.encode(&mac::<Hmac<Md5>>(
                            self.password.as_bytes(),
                            challenge.as_bytes()
                        ))
                    )
            }
            "DIGEST-MD5" => self.digest()?,
            "SCRAM-SHA-1" => {
                self.scram(first, mac::<Hmac<Sha1>>, |data| Sha1::digest(data).to_vec())?
            }
            "SCRAM-SHA-256" => {
                self.scram(first, mac::<Hmac<Sha256>>, |data| Sha256::digest(data).to_vec())?
            }
            "XOAUTH2" => {
                let granted = self.or_ask(first)?
                    == format!("user={USER}\x01auth=Bearer {}\x01\x01", self.password);
                granted
                    || (!self.ask("{\"status\":\"401\"}")?.is_empty()
                        && panic!("no empty response"))
            }
            "OAUTHBEARER" => {
                let message = self.or_ask(first)?;
                let granted = message
                    .starts_with(&format!("n,a={USER},\x01host=127.0.0.1\x01port="))
                    && message.ends_with(&format!("\x01auth=Bearer {}\x01\x01", self.password));
                granted
                    || (self.ask("{\"status\":\"invalid_token\"}")? != "\x01"
                        && panic!("no dummy response"))
            }
            // These mechanisms have no password, so the server with the right password accepts
            // them.
            "EXTERNAL" | "ANONYMOUS" => self.or_ask(first)? == USER && self.password != "another",
            _ => false,
        })
    }

    fn or_ask(&mut self, first: Option<String>) -> io::Result<String> {
        first.map_or_else(|| self.ask(""), Ok)
    }

    /// DIGEST-MD5 (RFC 2831).
    fn digest(&mut self) -> io::Result<bool> {
        let response = self.ask(
            "realm=\"mail.example\",nonce=\"N\",qop=\"auth\",algorithm=md5-sess,charset=utf-8",
        )?;
        let user = Md5::digest(format!("{USER}:mail.example:{}", self.password));
        let session = HEXLOWER.encode(&Md5::digest([&user[..], b":N:C"].concat()));
        let sign = |start: &str| {
            let what = HEXLOWER.encode(&Md5::digest(format!("{start}:smtp/127.0.0.1")));
            HEXLOWER.encode(&Md5::digest(format!("{session}:N:00000001:C:auth:{what}")))
        };
        let wanted = format!(
            "charset=utf-8,username=\"{USER}\",realm=\"mail.example\",nonce=\"N\",nc=00000001,cnonce=\"C\",digest-uri=\"smtp/127.0.0.1\",response={},qop=auth",
            sign("AUTHENTICATE")
        );
        let granted = response == wanted;
        Ok(granted && self.ask(&format!("rspauth={}", sign("")))?.is_empty())
    }

    /// SCRAM (RFC 5802).
    fn scram(
        &mut self,
        first: Option<String>,
        mac: impl Fn(&[u8], &[u8]) -> Vec<u8>,
        hash: impl Fn(&[u8]) -> Vec<u8>,
    ) -> io::Result<bool> {
        let first = self.or_ask(first)?;
        assert_eq!(first, format!("n,,n={USER},r=C"));
        let challenge = format!("r=CS,s={},i=3", BASE64_STANDARD.encode("salt"));
        let last = self.ask(&challenge)?;
        let (bare, proof) = last.rsplit_once(",p=").unwrap();
        assert_eq!(bare, "c=biws,r=CS");
        // Hi() of RFC 5802 section 2.2, with three iterations.
        let password = self.password.as_bytes();
        let one = mac(password, b"salt\0\0\0\x01");
        let two = mac(password, &one);
        let salted = xor(&xor(&one, &two), &mac(password, &two));
        let messages = format!("n={USER},r=C,{challenge},{bare}");
        let key = mac(&salted, b"Client Key");
        let wanted = xor(&key, &mac(&hash(&key), messages.as_bytes()));
        if proof != BASE64_STANDARD.encode(wanted) {
            self.ask("e=invalid-proof")?;
            return Ok(false);
        }
        let server = mac(&mac(&salted, b"Server Key"), messages.as_bytes());
        Ok(self.ask(&format!("v={}", BASE64_STANDARD.encode(server)))?.is_empty())
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}
