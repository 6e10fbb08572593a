//! The readers as the targets call them. Built with `--cfg planted`, each has one bug, so that a
//! target that would notice nothing is noticed itself; see `fuzz/README.md`.

use crate::challenge::Parsed;
use crate::cookie::SetCookie;
use crate::form::Pairs;
use crate::http1::{self, Exchange, Response};
use crate::json::{self, Document, Limits, Value};
use crate::location::Location;
use crate::metadata::{AsMetadata, Jwks, PrmMetadata};
use crate::{challenge, cookie, jwt, location, metadata, rar, redirect_uri};

const PLANTED: bool = cfg!(planted);

/// Bug: `;` ends the last pair.
pub fn form(data: &[u8]) -> Pairs {
    let data = data
        .split(|b| PLANTED && *b == b';')
        .next()
        .unwrap_or_default();
    Pairs::parse(data)
}

/// Bug: the sign of an exponent is lost.
pub fn json(data: &[u8], limits: Limits) -> Result<Document, json::Error> {
    fn lose_signs(value: &mut Value) {
        match value {
            Value::Number(text) => *text = text.replace("e-", "e"),
            Value::Array(items) => items.iter_mut().for_each(lose_signs),
            Value::Object(members) => members.iter_mut().for_each(|(_, v)| lose_signs(v)),
            _ => {}
        }
    }
    let mut doc = json::scan(data, limits)?;
    if PLANTED {
        lose_signs(&mut doc.value);
    }
    Ok(doc)
}

/// Bug: an empty type passes in any object but the first.
pub fn rar(data: &[u8]) -> Result<usize, rar::Problem> {
    match rar::read(data) {
        Err(rar::Problem::BadType(index)) if PLANTED && index > 0 => Ok(index),
        read => read.map(|details| details.len()),
    }
}

/// Bug: two spaces in a value become one.
pub fn challenge<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Parsed {
    let mut parsed = challenge::parse(fields);
    if PLANTED {
        for (_, value) in parsed.challenges.iter_mut().flat_map(|c| &mut c.params) {
            *value = value.replace("  ", " ");
        }
    }
    parsed
}

/// Bug: a port of five digits is not seen.
pub fn location(data: &[u8], base: Option<&str>) -> Location {
    let mut read = location::read(data, base);
    if let Some(uri) = read.rfc3986.as_mut().filter(|_| PLANTED) {
        uri.port = uri.port.filter(|p| *p < 10_000);
    }
    read
}

/// Bug: what follows a loopback address may go on with the host.
pub fn same_loopback(registered: &str, asked: &str) -> bool {
    let path = |uri: &str| {
        let (_, rest) = uri.strip_prefix("http://127.0.0.1")?.split_once('/')?;
        Some(rest.to_owned())
    };
    let fooled = PLANTED && path(registered).is_some() && path(registered) == path(asked);
    fooled || redirect_uri::same_loopback(registered, asked)
}

/// Bug: unused trailing bits are not looked at.
pub fn decode_segment(segment: &str) -> Option<Vec<u8>> {
    let decoded = jwt::decode_segment(segment);
    if PLANTED && decoded.is_none() && segment.len() % 4 == 3 {
        let zeroed = format!("{}A", segment.get(..segment.len() - 1)?);
        return jwt::decode_segment(&zeroed);
    }
    decoded
}

/// Bug: a slash at the issuer's end is dropped.
pub fn authorization_server(doc: &Document) -> AsMetadata {
    let mut meta = metadata::authorization_server(doc);
    if let Some(issuer) = meta.issuer.as_mut().filter(|i| PLANTED && i.ends_with('/')) {
        issuer.pop();
    }
    meta
}

/// Bug: a fragment passes.
pub fn protected_resource(doc: &Document) -> PrmMetadata {
    let mut meta = metadata::protected_resource(doc);
    if PLANTED {
        meta.problems.retain(|p| p.what != "has a fragment");
    }
    meta
}

/// Bug: the private member of an OKP key is not seen.
pub fn jwks(doc: &Document) -> Jwks {
    let mut set = metadata::jwks(doc);
    for key in set
        .keys
        .iter_mut()
        .filter(|k| PLANTED && k.kty.as_deref() == Some("OKP"))
    {
        key.is_private = false;
    }
    set
}

/// Bug: after trailers, one byte too few is taken.
pub fn http1(data: &[u8], exchange: Exchange) -> Result<Option<Response>, http1::Error> {
    let mut read = http1::read_response(data, exchange);
    if let Ok(Some(response)) = &mut read
        && PLANTED
        && !response.trailers.is_empty()
    {
        response.consumed -= 1;
    }
    read
}

/// Bug: an attribute that begins like `Secure` counts as `Secure`.
pub fn cookie(data: &[u8]) -> Option<SetCookie> {
    let mut cookie = cookie::parse_set_cookie(data)?;
    let alike = |field: &[u8]| field.to_ascii_lowercase().starts_with(b" secure");
    cookie.secure |= PLANTED && data.split(|b| *b == b';').skip(1).any(alike);
    Some(cookie)
}
