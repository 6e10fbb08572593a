//! Networks as they are: private CAs, client certificates, names with addresses of their own, HTTP/2, IPv6,
//! proxies. Every way is tried with both transports.

use std::sync::{Arc, Mutex};

use oauthspec::transport::network::{Identity, parse_address};
use oauthspec::transport::{AllowList, Limits, Network, Recorded, Request, Transport};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::tls::{Authority, TlsServer};

/// Gets metadata once with the ordinary transport and once with exact bytes.
async fn both(base: &str, network: Network) -> [Recorded; 2] {
    let allow = AllowList::new([base], true);
    let transport = Transport::through(allow, Limits::default(), None, network).unwrap();
    [
        transport
            .send(Request::get(format!("{base}/metadata")))
            .await,
        // A dot segment is sent as it stands by the exact transport only.
        transport
            .send(Request::get(format!("{base}/x/../metadata")))
            .await,
    ]
}

fn http_version(recorded: &Recorded) -> u64 {
    let reply = recorded
        .reply
        .as_ref()
        .unwrap_or_else(|why| panic!("{why}"));
    reply
        .json()
        .and_then(|object| object.get("http").and_then(Value::as_u64))
        .unwrap()
}

#[tokio::test]
async fn a_private_ca_and_a_client_certificate_and_an_address_of_its_own() {
    let authority = Authority::new();
    let issued = authority.issue(&["as.example"], false);
    let server = TlsServer::start("as.example", "127.0.0.1", issued, Some(&authority), false).await;
    let ours = authority.issue(&["client"], false);
    let port = server.address.port();
    let base = format!("https://as.example:{port}");
    let network = Network {
        ca: authority.pem.clone().into_bytes(),
        identity: Some(Identity {
            certificates: ours.certificate_pem.into_bytes(),
            key: ours.key_pem.into_bytes(),
        }),
        resolve: vec![parse_address("as.example", "127.0.0.1").unwrap()],
        ..Network::default()
    };
    for recorded in both(&base, network.clone()).await {
        assert_eq!(http_version(&recorded), 1);
    }
    let nameless = Network {
        identity: None,
        ..network
    };
    for recorded in both(&base, nameless).await {
        let why = recorded.reply.unwrap_err();
        assert!(why.to_lowercase().contains("certificate"), "{why}");
    }
}

#[tokio::test]
async fn http_2_is_spoken_where_the_server_prefers_it() {
    let authority = Authority::new();
    let issued = authority.issue(&["127.0.0.1"], false);
    let server = TlsServer::start("127.0.0.1", "127.0.0.1", issued, None, true).await;
    let base = format!("https://127.0.0.1:{}", server.address.port());
    let network = Network {
        ca: authority.pem.clone().into_bytes(),
        ..Network::default()
    };
    let [ordinary, _] = both(&base, network).await;
    assert_eq!(http_version(&ordinary), 2);
}

#[tokio::test]
async fn ipv6_is_reached() {
    let authority = Authority::new();
    let issued = authority.issue(&["::1"], false);
    let server = TlsServer::start("[::1]", "::1", issued, None, false).await;
    let base = format!("https://[::1]:{}", server.address.port());
    let network = Network {
        ca: authority.pem.clone().into_bytes(),
        ..Network::default()
    };
    for recorded in both(&base, network).await {
        assert_eq!(http_version(&recorded), 1);
    }
}

/// A proxy that tunnels everything to one server, and keeps the first lines it saw.
async fn proxy(to: std::net::SocketAddr) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://user:secret@{}", listener.local_addr().unwrap());
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = client.read_u8().await else {
                        return;
                    };
                    head.push(byte);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let authorized = head
                    .to_lowercase()
                    .contains("proxy-authorization: basic dxnlcjpzzwnyzxq=");
                kept.lock().unwrap().push(format!(
                    "{} {authorized}",
                    head.lines().next().unwrap_or_default()
                ));
                let mut server = tokio::net::TcpStream::connect(to).await.unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, seen)
}

#[tokio::test]
async fn a_proxy_is_asked_for_hosts_elsewhere_and_never_for_loopback() {
    let authority = Authority::new();
    let server = TlsServer::start(
        "as.example",
        "127.0.0.1",
        authority.issue(&["as.example"], false),
        None,
        false,
    )
    .await;
    let (address, seen) = proxy(server.address).await;
    let network = Network {
        ca: authority.pem.clone().into_bytes(),
        proxy: Some(address),
        ..Network::default()
    };
    for recorded in both("https://as.example", network.clone()).await {
        assert_eq!(http_version(&recorded), 1);
    }
    let line = "CONNECT as.example:443 HTTP/1.1 true";
    assert_eq!(*seen.lock().unwrap(), [line, line]);

    let local = TlsServer::start(
        "127.0.0.1",
        "127.0.0.1",
        authority.issue(&["127.0.0.1"], false),
        None,
        false,
    )
    .await;
    for recorded in both(
        &format!("https://127.0.0.1:{}", local.address.port()),
        network,
    )
    .await
    {
        assert_eq!(http_version(&recorded), 1);
    }
    assert_eq!(seen.lock().unwrap().len(), 2);
}
