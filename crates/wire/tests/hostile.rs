//! A quarter of a megabyte of the shapes that make careless readers slow, deep or large.
//! Not under Miri: these are about time and amounts, and the readers are the same for small inputs.

#![cfg(not(miri))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at the first thing that is not as it should be"
)]

use std::time::{Duration, Instant};
use wire::{challenge, cookie, form, http1, json, jwt, location, metadata, rar, redirect_uri};

const SIZE: usize = 256 * 1024;

/// Far above what linear work takes even in a slow build, far below what quadratic work takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pieces that are repeated to the full size.
const PIECES: [&str; 28] = [
    "&", "a", "a=&", "%", "%41", "[", "{\"a\":", "{\"a\":[", "[],", "\"", "\\", "\\u0041",
    "\\ud800", "1", ",", "a=b,", "a=\"", "a ", "=", ".", "/..", "../", "a/", "//", ";", "; Path=/",
    "\r\n", "A:b\r\n",
];

/// A reader's name and a call of it.
type Reader = (&'static str, fn(&[u8]));

const READERS: [Reader; 10] = [
    ("form", |d| drop(form::Pairs::parse(d).encode())),
    ("json", |d| {
        drop(json::scan(
            d,
            json::Limits {
                max_nodes: usize::MAX,
                ..json::Limits::default()
            },
        ))
    }),
    ("rar", |d| drop(rar::read(d))),
    ("challenge", |d| {
        let read = challenge::parse([d, b"x"]);
        assert!(read.problems.len() <= challenge::MAX_PROBLEMS);
    }),
    ("location", |d| {
        drop(location::read(d, Some("https://as.example/a/b")))
    }),
    ("longest location", |d| {
        drop(location::read(
            &d[..location::LONGEST],
            Some("https://a.example/"),
        ))
    }),
    ("redirect_uri", |d| {
        let text = String::from_utf8_lossy(d);
        drop(redirect_uri::problems(&text));
        assert!(redirect_uri::same_loopback(&text, &text));
    }),
    ("jwt", |d| {
        let text = String::from_utf8_lossy(d);
        drop(jwt::decode_segment(&text));
        assert!(!jwt::looks_like_jwt(&text));
    }),
    ("http1", |d| {
        drop(http1::read_response(d, http1::Exchange::default()))
    }),
    ("cookie", |d| drop(cookie::parse_set_cookie(d))),
];

#[test]
fn much_of_anything_is_read_in_linear_time() {
    for piece in PIECES {
        for before in [
            "",
            "Bearer ",
            "https://h/",
            "{\"a\":\"",
            "HTTP/1.1 200 OK\r\n",
            "a=b;",
        ] {
            let mut data = before.as_bytes().to_vec();
            data.extend(piece.as_bytes().iter().cycle().take(SIZE - before.len()));
            for (name, read) in READERS {
                let start = Instant::now();
                read(&data);
                let took = start.elapsed();
                assert!(
                    took < PATIENCE,
                    "{name} took {took:?} for {before:?} and many {piece:?}"
                );
            }
        }
    }
}

#[test]
fn listing_repeated_names_takes_bounded_memory() {
    // A long name above many repeats would make long pointers, one for each.
    let long = "k".repeat(SIZE / 2);
    let repeats = "\"a\":1,".repeat(50_000);
    let text = format!("{{\"{long}\":{{{repeats}\"a\":1}}}}");
    let doc = json::scan(text.as_bytes(), json::Limits::default()).unwrap();
    assert!(!doc.duplicates.is_empty());
    assert!(doc.duplicates.iter().map(String::len).sum::<usize>() < 2 * SIZE);
    let many = format!("{{{repeats}\"a\":1}}");
    let doc = json::scan(many.as_bytes(), json::Limits::default()).unwrap();
    assert_eq!(doc.duplicates.len(), json::MAX_DUPLICATES);
}

#[test]
fn a_key_set_of_bad_keys_lists_a_bounded_number_of_problems() {
    let text = format!("{{\"keys\":[{}1]}}", "{\"d\":1},".repeat(20_000));
    let doc = json::scan(text.as_bytes(), json::Limits::default()).unwrap();
    let set = metadata::jwks(&doc);
    assert_eq!(set.keys.len(), 20_000);
    assert_eq!(set.problems.len(), wire::jwks::MAX_PROBLEMS);
}
