//! Starting and stopping.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at the first thing that is not as it should be"
)]

mod support;

use std::time::{Duration, Instant};

use oauthspec_refserver::{Face, Options, serve};
use support::start;
use tokio::{io::AsyncWriteExt, net::TcpStream};

#[tokio::test]
async fn a_server_stops_within_a_second_whatever_its_clients_do() {
    let t = start(&[]).await;
    let mut half = TcpStream::connect(("127.0.0.1", t.port)).await.unwrap();
    half.write_all(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        .await
        .unwrap();
    let _idle = TcpStream::connect(("127.0.0.1", t.port)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let port = t.port;
    let began = Instant::now();
    t.server.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let t = start(&[]).await;
    assert!(
        serve(Options {
            port: t.port,
            ..Options::default()
        })
        .await
        .is_err()
    );
}

#[tokio::test]
async fn secrets_differ_from_run_to_run() {
    let (one, two) = (start(&[]).await, start(&[]).await);
    assert_ne!(
        one.client("confidential").secret,
        two.client("confidential").secret
    );
    assert_ne!(
        one.server.facts().users[0].fields,
        two.server.facts().users[0].fields
    );
    assert_ne!(one.client("a").id, two.client("a").id);
}

#[test]
fn faces_parse_back() {
    for face in Face::ALL {
        assert_eq!(Face::parse(face.name()), Some(*face));
    }
}
