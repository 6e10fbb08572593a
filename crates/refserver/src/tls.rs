//! TLS for the faces on https: a certificate of this run, and connections that have shaken hands before HTTP sees them.
//!
//! The certificate is for 127.0.0.1 and vouches for itself: whoever is to trust it gets it in [`crate::Facts`]. By fault the server negotiates
//! what TLS has given up. The library does not know those versions and suites any more, so a broken server answers with the one record that shows
//! that it would go on.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::serve::Listener;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
    server::TlsStream,
};

use crate::{Fault, TenantFault, state::now};

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that have shaken hands and wait to be served.
const WAITING: usize = 64;
const DAY: u64 = 86_400;

/// A certificate and its key, made now.
pub(crate) struct Certificate {
    der: Vec<u8>,
    /// PKCS#8.
    key: Vec<u8>,
}

impl Certificate {
    /// A certificate for 127.0.0.1, or what the faults make of it.
    ///
    /// # Errors
    /// When there is no randomness for a key.
    pub(crate) fn new(faults: &[Fault]) -> io::Result<Certificate> {
        let broken = |fault: TenantFault| faults.contains(&fault.into());
        let failed = |_| io::Error::other("no key for the certificate could be made");
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(failed)?;
        let key = key.as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key)
            .map_err(|_| io::Error::other("the key of the certificate cannot be read"))?;
        let ends = match broken(TenantFault::CertificateEnds) {
            true => now() + 3 * DAY,
            false => now() + 365 * DAY,
        };
        let host = match broken(TenantFault::CertificateName) {
            true => der(0x82, &[b"elsewhere.example"]),
            false => der(0x87, &[&[127, 0, 0, 1]]),
        };
        let body = to_be_signed(pair.public_key().as_ref(), &host, now() - DAY, ends);
        let signature = pair.sign(&random, &body).map_err(failed)?;
        let algorithm = ecdsa_with_sha256();
        let signature = der(BIT_STRING, &[&[0], signature.as_ref()]);
        Ok(Certificate {
            der: der(SEQUENCE, &[&body, &algorithm, &signature]),
            key,
        })
    }

    /// As a file of certificates has it (RFC 7468 §5).
    pub(crate) fn pem(&self) -> String {
        let label = "CERTIFICATE";
        let text = STANDARD.encode(&self.der);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .filter_map(|line| std::str::from_utf8(line).ok())
            .collect();
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        )
    }
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// One value of DER: tag, length, content.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let long = length.to_be_bytes();
            let used: Vec<u8> = long.into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | u8::try_from(used.len()).unwrap_or_default());
            bytes.extend(used);
        }
    }
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// 1.2.840.10045.4.3.2
fn ecdsa_with_sha256() -> Vec<u8> {
    let oid = der(
        OBJECT_IDENTIFIER,
        &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]],
    );
    der(SEQUENCE, &[&oid])
}

/// RFC 5280 §4.1: what the issuer signs.
fn to_be_signed(public_key: &[u8], host: &[u8], begins: u64, ends: u64) -> Vec<u8> {
    let version = der(0xa0, &[&der(INTEGER, &[&[2]])]);
    let serial = der(INTEGER, &[&[1]]);
    let common_name = der(OBJECT_IDENTIFIER, &[&[0x55, 4, 3]]);
    let called = der(UTF8_STRING, &[b"oauthspec reference server"]);
    let name = der(SET, &[&der(SEQUENCE, &[&common_name, &called])]);
    let name = der(SEQUENCE, &[&name]);
    let begins = der(UTC_TIME, &[utc(begins).as_bytes()]);
    let ends = der(UTC_TIME, &[utc(ends).as_bytes()]);
    let validity = der(SEQUENCE, &[&begins, &ends]);
    let ec = der(OBJECT_IDENTIFIER, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]]);
    let p256 = der(
        OBJECT_IDENTIFIER,
        &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]],
    );
    let algorithm = der(SEQUENCE, &[&ec, &p256]);
    let point = der(BIT_STRING, &[&[0], public_key]);
    let key = der(SEQUENCE, &[&algorithm, &point]);
    let alternative = der(OBJECT_IDENTIFIER, &[&[0x55, 0x1d, 0x11]]);
    let hosts = der(OCTET_STRING, &[&der(SEQUENCE, &[host])]);
    let extension = der(SEQUENCE, &[&alternative, &hosts]);
    let extensions = der(0xa3, &[&der(SEQUENCE, &[&extension])]);
    der(
        SEQUENCE,
        &[
            &version,
            &serial,
            &ecdsa_with_sha256(),
            &name,
            &validity,
            &name,
            &key,
            &extensions,
        ],
    )
}

/// `YYMMDDhhmmssZ` (RFC 5280 §4.1.2.5.1), good until 2049.
fn utc(seconds: u64) -> String {
    let (mut days, time) = (seconds / DAY, seconds % DAY);
    let mut year = 1970;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!(
        "{:02}{month:02}{:02}{:02}{:02}{:02}Z",
        year % 100,
        days + 1,
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

/// What is served over: TLS, or by fault the bare connection.
pub(crate) enum Stream {
    Tls(Box<TlsStream<TcpStream>>),
    Plain(TcpStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// Connections after their handshake. Each shakes hands in a task of its own: a slow one keeps nobody waiting.
pub(crate) struct Secured {
    address: SocketAddr,
    ready: mpsc::Receiver<(Stream, SocketAddr)>,
    /// Ends with this listener.
    accepting: tokio::task::JoinHandle<()>,
}

impl Secured {
    /// Serves TLS at this socket.
    ///
    /// # Errors
    /// When the certificate cannot be used.
    pub(crate) fn new(
        listener: TcpListener,
        certificate: Certificate,
        faults: &[Fault],
    ) -> io::Result<Secured> {
        let address = listener.local_addr()?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certificate.key));
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(certificate.der)], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let broken = |fault: TenantFault| faults.contains(&fault.into());
        let lax = Lax {
            plaintext: broken(TenantFault::Plaintext),
            old: broken(TenantFault::OldVersion),
            weak: broken(TenantFault::WeakCipher),
        };
        let (send, ready) = mpsc::channel(WAITING);
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((stream, peer)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                stream.set_nodelay(true).ok();
                let (acceptor, send) = (acceptor.clone(), send.clone());
                tokio::spawn(async move {
                    if let Ok(Some(stream)) = timeout(PATIENCE, lax.greet(stream, acceptor)).await {
                        drop(send.send((stream, peer)).await);
                    }
                });
            }
        });
        Ok(Secured {
            address,
            ready,
            accepting,
        })
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for Secured {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self.ready.recv().await {
            Some(next) => next,
            // The task that accepts has ended, which it never does by itself.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// What a broken server lets pass.
#[derive(Clone, Copy)]
struct Lax {
    plaintext: bool,
    old: bool,
    weak: bool,
}

impl Lax {
    /// Shakes hands; `None`: there is nothing to serve.
    async fn greet(self, mut stream: TcpStream, acceptor: TlsAcceptor) -> Option<Stream> {
        if self.plaintext || self.old || self.weak {
            let mut seen = [0_u8; 1024];
            let length = stream.peek(&mut seen).await.ok()?;
            let seen = seen.get(..length)?;
            if self.plaintext && seen.first() != Some(&HANDSHAKE) {
                return Some(Stream::Plain(stream));
            }
            if let Some(hello) = self.would_go_on(seen) {
                stream.write_all(&hello).await.ok()?;
                stream.shutdown().await.ok()?;
                return None;
            }
        }
        let stream = acceptor.accept(stream).await.ok()?;
        Some(Stream::Tls(Box::new(stream)))
    }

    /// The first record of a server that agrees to what should have been refused.
    fn would_go_on(self, client_hello: &[u8]) -> Option<Vec<u8>> {
        let (version, suites) = offered(client_hello)?;
        let old = version < [3, 3];
        let weak = !old && suites.iter().all(|suite| WEAK.contains(suite));
        let first = suites.first().copied()?;
        if !(old && self.old || weak && self.weak) {
            return None;
        }
        let mut body = version.to_vec();
        body.extend([7; 32]);
        // No session, the first suite of the client, no compression.
        body.push(0);
        body.extend(first.to_be_bytes());
        body.push(0);
        let length = u8::try_from(body.len()).ok()?;
        let mut record = vec![HANDSHAKE, version[0], version[1], 0, length + 4];
        record.extend([SERVER_HELLO, 0, 0, length]);
        record.extend(body);
        Some(record)
    }
}

/// RFC 5246 §6.2.1, §7.4.
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;

/// NULL, anonymous, RC4, export and triple DES suites, and AES without forward secrecy.
const WEAK: &[u16] = &[
    0x0001, 0x0002, 0x003b, 0xc010, 0x0018, 0x0034, 0xc018, 0x0003, 0x0006, 0x0008, 0x0004, 0x0005,
    0xc011, 0xc007, 0x000a, 0x0016, 0xc012, 0xc008, 0x002f, 0x0035, 0x003c, 0x003d,
];

/// Version and cipher suites of a ClientHello (RFC 5246 §7.4.1.2), the signalling one of RFC 5746 left out.
fn offered(record: &[u8]) -> Option<([u8; 2], Vec<u16>)> {
    if record.first() != Some(&HANDSHAKE) {
        return None;
    }
    let version = [*record.get(9)?, *record.get(10)?];
    let session = usize::from(*record.get(43)?);
    let at = 44 + session;
    let length = usize::from(u16::from_be_bytes([*record.get(at)?, *record.get(at + 1)?]));
    let suites = record.get(at + 2..at + 2 + length)?.chunks_exact(2);
    let suites = suites
        .filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)))
        .filter(|suite| *suite != 0x00ff)
        .collect();
    Some((version, suites))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_certificates_have_them() {
        assert_eq!(utc(0), "700101000000Z");
        assert_eq!(utc(951_782_400), "000229000000Z");
        assert_eq!(utc(1_798_761_599), "261231235959Z");
        assert_eq!(utc(1_798_761_600), "270101000000Z");
    }

    #[test]
    fn lengths_above_127_take_further_bytes() {
        assert_eq!(der(4, &[&[0; 127]]).get(..2), Some(&[4, 127][..]));
        assert_eq!(der(4, &[&[0; 200]]).get(..3), Some(&[4, 0x81, 200][..]));
        assert_eq!(der(4, &[&[0; 300]]).get(..4), Some(&[4, 0x82, 1, 44][..]));
    }
}
