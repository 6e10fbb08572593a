//! The first messages of TLS (RFC 8446 §4.1, RFC 5246 §7.4.1), by hand where the library knows no way: what does a server agree to that
//! offers nothing but what has been given up?
//!
//! A probe sends one ClientHello, reads the first record of the answer and closes the connection. It negotiates nothing to its end, and no
//! secret travels.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::rustls;
use wire::x509::{Moment, not_after};

use super::raw::{self, Parts, Way};

/// What a ClientHello offers, and nothing besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// TLS 1.0 with the suites of its time.
    Tls10,
    /// TLS 1.1 with the same.
    Tls11,
    /// TLS 1.2 without encryption.
    Null,
    /// TLS 1.2 without a certificate: anybody can sit in between.
    Anonymous,
    /// TLS 1.2 with keys of 40 bits.
    Export,
    /// TLS 1.2 with RC4.
    Rc4,
    /// TLS 1.2 with triple DES.
    TripleDes,
    /// TLS 1.2 with AES and no forward secrecy: the key is encrypted to the certificate.
    StaticRsa,
}

impl Offer {
    /// Every one, with its word in a suite file.
    pub const ALL: &[(&str, Offer)] = &[
        ("tls-1.0", Offer::Tls10),
        ("tls-1.1", Offer::Tls11),
        ("null", Offer::Null),
        ("anonymous", Offer::Anonymous),
        ("export", Offer::Export),
        ("rc4", Offer::Rc4),
        ("3des", Offer::TripleDes),
        ("static-rsa", Offer::StaticRsa),
    ];

    /// The offer of this word.
    pub fn parse(word: &str) -> Option<Offer> {
        let (_, offer) = Offer::ALL.iter().find(|(own, _)| *own == word)?;
        Some(*offer)
    }

    fn version(self) -> [u8; 2] {
        match self {
            Offer::Tls10 => [3, 1],
            Offer::Tls11 => [3, 2],
            _ => [3, 3],
        }
    }

    /// Numbers of the TLS registry.
    fn suites(self) -> &'static [u16] {
        match self {
            Offer::Tls10 | Offer::Tls11 => &[
                0xc009, 0xc00a, 0xc013, 0xc014, 0x0033, 0x0039, 0x002f, 0x0035, 0x000a,
            ],
            Offer::Null => &[0x0001, 0x0002, 0x003b, 0xc006, 0xc010],
            Offer::Anonymous => &[
                0x0018, 0x001b, 0x0034, 0x003a, 0x006c, 0x00a6, 0xc018, 0xc019,
            ],
            Offer::Export => &[0x0003, 0x0006, 0x0008, 0x0014],
            Offer::Rc4 => &[0x0004, 0x0005, 0xc007, 0xc011],
            Offer::TripleDes => &[0x000a, 0x0016, 0xc008, 0xc012],
            Offer::StaticRsa => &[0x002f, 0x0035, 0x003c, 0x003d, 0x009c, 0x009d],
        }
    }
}

/// What a server did with a ClientHello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// It would go on: version and cipher suite, in words.
    Agreed(String),
    /// It said no: the alert, or that it closed the connection.
    Refused(String),
    /// It could not be seen, and why.
    Unknown(String),
}

/// Sends the ClientHello to the host of this URL, and reads what it makes of it.
pub(super) async fn offer(url: &str, offer: Offer, patience: Duration, way: &Way) -> Hello {
    match timeout(patience, exchange(url, offer, way)).await {
        Ok(Ok(hello) | Err(hello)) => hello,
        Err(_) => Hello::Unknown("no answer to the ClientHello in time".to_owned()),
    }
}

async fn exchange(url: &str, offer: Offer, way: &Way) -> Result<Hello, Hello> {
    let mut parts = raw::parts(url).map_err(Hello::Unknown)?;
    let mut stream = raw::reach(&mut parts, way).await.map_err(Hello::Unknown)?;
    let hello = client_hello(offer, &parts);
    if let Err(error) = stream.write_all(&hello).await {
        return Ok(Hello::Refused(format!("closed the connection ({error})")));
    }
    let mut answer = Vec::new();
    // As much as a server's first record needs; the certificate that follows is not waited for.
    let mut bounded = stream.take(128);
    loop {
        match bounded.read_buf(&mut answer).await {
            Ok(0) => break,
            Ok(_) => {
                if let Some(hello) = read(&answer) {
                    return Ok(hello);
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => return Err(Hello::Unknown(format!("the answer broke off: {error}"))),
        }
    }
    Ok(match answer.is_empty() {
        true => Hello::Refused("closed the connection".to_owned()),
        false => Hello::Unknown("the answer is no TLS".to_owned()),
    })
}

/// RFC 5246 §6.2.1.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

fn client_hello(offer: Offer, parts: &Parts) -> Vec<u8> {
    // A length of two bytes, and what it counts.
    let counted = |content: &[u8]| {
        let mut bytes = u16::try_from(content.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes()
            .to_vec();
        bytes.extend_from_slice(content);
        bytes
    };
    let extension = |number: u16, content: &[u8]| {
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.extend(counted(content));
        bytes
    };
    let mut extensions = Vec::new();
    if let Some(name) = parts.server_name() {
        let mut entry = vec![0];
        entry.extend(counted(name.as_bytes()));
        extensions.extend(extension(0, &counted(&entry)));
    }
    // Groups: secp256r1, secp384r1, x25519. Points: uncompressed. Signatures: RSA and ECDSA with SHA-256, 384 and 1.
    extensions.extend(extension(10, &counted(&[0, 23, 0, 24, 0, 29])));
    extensions.extend(extension(11, &[1, 0]));
    extensions.extend(extension(
        13,
        &counted(&[4, 1, 4, 3, 5, 1, 5, 3, 8, 4, 2, 1, 2, 3]),
    ));
    let mut suites: Vec<u8> = offer
        .suites()
        .iter()
        .flat_map(|one| one.to_be_bytes())
        .collect();
    // Renegotiation is known about (RFC 5746 §3.3): some servers refuse those who do not say so.
    suites.extend([0x00, 0xff]);
    let mut body = offer.version().to_vec();
    body.extend(random());
    body.push(0);
    body.extend(counted(&suites));
    body.extend([1, 0]);
    body.extend(counted(&extensions));
    let mut message = vec![1, 0];
    message.extend(counted(&body));
    let mut record = vec![HANDSHAKE, 3, 1];
    record.extend(counted(&message));
    record
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    // Nothing is encrypted with it: that the bytes differ is enough.
    for (byte, text) in bytes.iter_mut().zip(jose::random_token(32).bytes()) {
        *byte = text;
    }
    bytes
}

/// The first record of an answer, once enough of it is there.
fn read(bytes: &[u8]) -> Option<Hello> {
    match *bytes.first()? {
        ALERT => {
            let number = *bytes.get(6)?;
            let name = match number {
                40 => " handshake_failure",
                70 => " protocol_version",
                71 => " insufficient_security",
                80 => " internal_error",
                _ => "",
            };
            Some(Hello::Refused(format!(
                "answered with alert {number}{name}"
            )))
        }
        HANDSHAKE => {
            if *bytes.get(5)? != 2 {
                return Some(Hello::Unknown("the answer is no ServerHello".to_owned()));
            }
            let version = match [*bytes.get(9)?, *bytes.get(10)?] {
                [3, 0] => "SSL 3.0".to_owned(),
                [3, minor @ 1..=3] => format!("TLS 1.{}", minor - 1),
                [major, minor] => format!("version {major}.{minor}"),
            };
            let at = 44 + usize::from(*bytes.get(43)?);
            let suite = [*bytes.get(at)?, *bytes.get(at + 1)?];
            Some(Hello::Agreed(format!(
                "{version} with cipher suite 0x{:04x}",
                u16::from_be_bytes(suite)
            )))
        }
        _ => Some(Hello::Unknown("the answer is no TLS".to_owned())),
    }
}

/// What a handshake by the rules showed of a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// It verifies, and this is when it ends (as far as that can be read).
    Valid(Option<Moment>),
    /// It does not, and why.
    Invalid(String),
    /// It could not be seen, and why.
    Unknown(String),
}

/// Shakes hands with the host of this URL as every request does.
pub(super) async fn certificate(url: &str, patience: Duration, way: &Way) -> Shown {
    match timeout(patience, look(url, way)).await {
        Ok(Ok(shown) | Err(shown)) => shown,
        Err(_) => Shown::Unknown("the handshake did not end in time".to_owned()),
    }
}

async fn look(url: &str, way: &Way) -> Result<Shown, Shown> {
    let mut parts = raw::parts(url).map_err(Shown::Unknown)?;
    let stream = raw::reach(&mut parts, way).await.map_err(Shown::Unknown)?;
    let stream = match raw::secure(stream, &parts, way).await {
        Ok(stream) => stream,
        Err(raw::Insecure::NotSetUp(why)) => return Err(Shown::Unknown(why)),
        Err(raw::Insecure::Failed(error)) => {
            let cause = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>());
            return Ok(match cause {
                Some(rustls::Error::InvalidCertificate(why)) => Shown::Invalid(format!("{why:?}")),
                _ => Shown::Unknown(format!("TLS failed: {error}")),
            });
        }
    };
    let chain = stream.get_ref().1.peer_certificates();
    let first = chain.and_then(|chain| chain.first());
    Ok(Shown::Valid(first.and_then(|first| not_after(first))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_hello_says_how_long_it_is() {
        for (word, offer) in Offer::ALL {
            let parts = raw::parts("https://as.example/x").unwrap();
            let bytes = client_hello(*offer, &parts);
            let length = |at: usize| {
                let pair = bytes.get(at..at + 2).unwrap();
                usize::from(u16::from_be_bytes(pair.try_into().unwrap()))
            };
            assert_eq!(length(3), bytes.len() - 5, "{word}");
            assert_eq!(length(7), bytes.len() - 9, "{word}");
            assert_eq!(bytes.get(9..11).unwrap(), offer.version());
            assert_eq!(length(44), offer.suites().len() * 2 + 2, "{word}");
            assert!(bytes.windows(10).any(|part| part == b"as.example"));
            assert_eq!(Offer::parse(word), Some(*offer));
        }
        let parts = raw::parts("https://127.0.0.1:1/x").unwrap();
        let bytes = client_hello(Offer::Rc4, &parts);
        assert!(!bytes.windows(9).any(|part| part == b"127.0.0.1"));
    }

    #[test]
    fn an_answer_is_an_alert_a_hello_or_nothing_known() {
        let alert = [21, 3, 1, 0, 2, 2, 70];
        assert_eq!(
            read(&alert),
            Some(Hello::Refused(
                "answered with alert 70 protocol_version".into()
            ))
        );
        let mut hello = vec![22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
        hello.extend([9; 32]);
        hello.extend([0, 0xc0, 0x13, 0]);
        assert_eq!(
            read(&hello),
            Some(Hello::Agreed("TLS 1.0 with cipher suite 0xc013".into()))
        );
        for cut in 1..hello.len() - 1 {
            assert_eq!(read(hello.get(..cut).unwrap()), None, "{cut}");
        }
        assert!(matches!(read(b"HTTP/1.1 400"), Some(Hello::Unknown(_))));
    }
}
