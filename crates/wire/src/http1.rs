//! HTTP/1.1 responses (RFC 9112), for a client that must see exactly what a server sends: repeated
//! fields, their order, bytes that are no text, the framing, and framing that contradicts itself.

use std::fmt;

/// What is known about the exchange, and how much is read.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    /// The response answers a HEAD request: it has no body, whatever its fields say.
    pub head: bool,
    /// The connection has been closed: no more bytes will come.
    pub closed: bool,
    /// The longest status line and fields, in bytes.
    pub max_head: usize,
    /// The longest body, in bytes, after chunks are joined.
    pub max_body: usize,
}

impl Default for Exchange {
    /// An open connection; 64 KiB of head, 4 MiB of body.
    fn default() -> Exchange {
        Exchange {
            head: false,
            closed: false,
            max_head: 64 * 1024,
            max_body: 4 * 1024 * 1024,
        }
    }
}

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body: a HEAD request, status 1xx, 204 or 304.
    None,
    /// By `Content-Length`.
    Length,
    /// By `Transfer-Encoding: chunked`.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// A response. Interim ones (1xx) are responses of their own; read on after `consumed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The minor version: 0 or 1.
    pub minor: u8,
    /// The status code, 100 to 999.
    pub status: u16,
    /// The reason phrase; may be empty.
    pub reason: Vec<u8>,
    /// Fields in order, repeats kept; names as sent, values without the space around them.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The content, chunks joined.
    pub body: Vec<u8>,
    /// The trailer fields of a chunked body.
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// How the body's end is known.
    pub framing: Framing,
    /// Some line ended with a bare line feed, which RFC 9112 §2.2 lets a reader accept.
    pub bare_lf: bool,
    /// How many bytes of the input the response takes.
    pub consumed: usize,
}

impl Response {
    /// The values of a field, in order; the case of the name does not matter.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let fields = self.headers.iter();
        fields
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, v)| v.as_slice())
    }
}

/// Why bytes are no response. Nothing after such an error can be trusted: close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The first line is no status line (§4).
    StatusLine,
    /// A line is no field line (§5): no colon, no name, space before the colon, or a control
    /// character.
    FieldLine,
    /// A field value goes on in the next line (§5.2).
    Folded,
    /// The head is longer than [`Exchange::max_head`].
    HeadTooLong,
    /// `Content-Length` is no number, or there are two different ones (§6.3).
    ContentLength,
    /// A transfer coding other than one `chunked` (§6.1).
    TransferEncoding,
    /// Both `Content-Length` and `Transfer-Encoding`: two readers may see two bodies (§6.3).
    Ambiguous,
    /// A chunk's size or end is malformed (§7.1).
    Chunk,
    /// The body is longer than [`Exchange::max_body`].
    BodyTooLong,
    /// The connection closed before the response was complete (§8).
    Truncated,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::StatusLine => "the first line is no status line (RFC 9112 §4)",
            Error::FieldLine => "a line of the head is no field (RFC 9112 §5)",
            Error::Folded => "a field is folded over two lines (RFC 9112 §5.2)",
            Error::HeadTooLong => "the head is longer than is read",
            Error::ContentLength => "Content-Length is malformed or contradicts itself",
            Error::TransferEncoding => "a transfer coding other than chunked",
            Error::Ambiguous => "Content-Length and Transfer-Encoding together (RFC 9112 §6.3)",
            Error::Chunk => "a chunk is malformed (RFC 9112 §7.1)",
            Error::BodyTooLong => "the body is longer than is read",
            Error::Truncated => "the connection closed before the response was complete",
        })
    }
}

impl std::error::Error for Error {}

/// Reads the response at the start of `bytes`; `None` where more bytes are needed.
///
/// Each call begins anew: give it what has come so far, not once a byte.
pub fn read_response(bytes: &[u8], exchange: Exchange) -> Result<Option<Response>, Error> {
    match Reader::new(bytes, exchange).response() {
        Ok(response) => Ok(Some(response)),
        Err(Stop::Wrong(error)) => Err(error),
        Err(Stop::More) if exchange.closed => Err(Error::Truncated),
        Err(Stop::More) => Ok(None),
    }
}

/// Why reading stopped early.
enum Stop {
    More,
    Wrong(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Wrong(error)
    }
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    exchange: Exchange,
    head_left: usize,
    bare_lf: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], exchange: Exchange) -> Reader<'a> {
        Reader {
            bytes,
            at: 0,
            exchange,
            head_left: exchange.max_head,
            bare_lf: false,
        }
    }

    fn response(mut self) -> Result<Response, Stop> {
        let (minor, status, reason) = status_line(self.line(Error::HeadTooLong)?)?;
        let headers = self.fields()?;
        let bodiless = self.exchange.head || matches!(status, 100..=199 | 204 | 304);
        let framing = framing(&headers, bodiless)?;
        let mut trailers = Vec::new();
        let body = match framing {
            Framed::None => Vec::new(),
            Framed::Length(len) if len > self.exchange.max_body => {
                return Err(Error::BodyTooLong.into());
            }
            Framed::Length(len) => self.take(len)?.to_vec(),
            Framed::Chunked => {
                let body = self.chunks()?;
                self.head_left = self.exchange.max_head;
                trailers = self.fields()?;
                body
            }
            Framed::Close => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                if rest.len() > self.exchange.max_body {
                    return Err(Error::BodyTooLong.into());
                }
                if !self.exchange.closed {
                    return Err(Stop::More);
                }
                self.take(rest.len())?.to_vec()
            }
        };
        Ok(Response {
            minor,
            status,
            reason,
            headers,
            body,
            trailers,
            framing: match framing {
                Framed::None => Framing::None,
                Framed::Length(_) => Framing::Length,
                Framed::Chunked => Framing::Chunked,
                Framed::Close => Framing::Close,
            },
            bare_lf: self.bare_lf,
            consumed: self.at,
        })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.checked_add(len).ok_or(Stop::More)?;
        let taken = self.bytes.get(self.at..end).ok_or(Stop::More)?;
        self.at = end;
        Ok(taken)
    }

    /// One line without its end, counted against what is left of the head; `too_long` where it is
    /// longer than that.
    fn line(&mut self, too_long: Error) -> Result<&'a [u8], Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let window = rest.get(..self.head_left).unwrap_or(rest);
        let Some(end) = window.iter().position(|b| *b == b'\n') else {
            return Err(if rest.len() >= self.head_left {
                too_long.into()
            } else {
                Stop::More
            });
        };
        self.head_left -= end + 1;
        self.at += end + 1;
        let line = window.get(..end).unwrap_or_default();
        Ok(line.strip_suffix(b"\r").unwrap_or_else(|| {
            self.bare_lf = true;
            line
        }))
    }

    fn fields(&mut self) -> Result<Fields, Stop> {
        let mut fields = Vec::new();
        loop {
            let line = self.line(Error::HeadTooLong)?;
            if line.is_empty() {
                return Ok(fields);
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                return Err(Error::Folded.into());
            }
            fields.push(field(line).ok_or(Error::FieldLine)?);
        }
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Stop> {
        let mut body = Vec::new();
        loop {
            // Extensions count too, so endless ones are refused.
            self.head_left = self.exchange.max_head;
            let line = self.line(Error::Chunk)?;
            let size = chunk_size(line).ok_or(Error::Chunk)?;
            if size == 0 {
                return Ok(body);
            }
            if size > self.exchange.max_body - body.len() {
                return Err(Error::BodyTooLong.into());
            }
            body.extend_from_slice(self.take(size)?);
            self.head_left = 2;
            if !self.line(Error::Chunk)?.is_empty() {
                return Err(Error::Chunk.into());
            }
        }
    }
}

fn status_line(line: &[u8]) -> Result<(u8, u16, Vec<u8>), Error> {
    let parse = || {
        let (minor, rest) = line.strip_prefix(b"HTTP/1.")?.split_first()?;
        let rest = rest.strip_prefix(b" ")?;
        let (code, rest) = rest.split_at_checked(3)?;
        // The space before an empty reason is often left out.
        let reason = if rest.is_empty() {
            rest
        } else {
            rest.strip_prefix(b" ")?
        };
        let status = std::str::from_utf8(code).ok()?;
        let digits = code.iter().all(u8::is_ascii_digit);
        let status = status.parse::<u16>().ok().filter(|s| digits && *s >= 100)?;
        let minor = char::from(*minor).to_digit(10).filter(|m| *m <= 1)?;
        is_text(reason).then_some((u8::try_from(minor).ok()?, status, reason.to_vec()))
    };
    parse().ok_or(Error::StatusLine)
}

fn field(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let colon = line.iter().position(|b| *b == b':')?;
    let (name, value) = line.split_at(colon);
    let value = trim(value.get(1..)?);
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let good = !name.is_empty() && name.iter().all(token) && is_text(value);
    good.then(|| (name.to_vec(), value.to_vec()))
}

/// No control character but the tab (RFC 9110 §5.5).
fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|b| *b == b'\t' || (*b >= b' ' && *b != 127))
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[derive(Clone, Copy)]
enum Framed {
    None,
    Length(usize),
    Chunked,
    Close,
}

/// RFC 9112 §6.3, as a client reads it.
fn framing(headers: &Fields, bodiless: bool) -> Result<Framed, Error> {
    if bodiless {
        return Ok(Framed::None);
    }
    let values = |name: &'static str| {
        let named = headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
        named.flat_map(|(_, v)| v.split(|b| *b == b',')).map(trim)
    };
    let codings: Vec<_> = values("transfer-encoding").collect();
    let mut lengths = values("content-length").map(length);
    let first = lengths.next();
    match (codings.as_slice(), first) {
        ([], None) => Ok(Framed::Close),
        ([], Some(None)) => Err(Error::ContentLength),
        // The same length twice is one length (§6.3).
        ([], Some(Some(len))) if lengths.all(|other| other == Some(len)) => Ok(Framed::Length(len)),
        ([], Some(Some(_))) => Err(Error::ContentLength),
        (_, Some(_)) => Err(Error::Ambiguous),
        ([coding], None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framed::Chunked),
        (_, None) => Err(Error::TransferEncoding),
    }
}

fn length(digits: &[u8]) -> Option<usize> {
    let good = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| good)?
        .parse()
        .ok()
}

/// The size at the start of a chunk's line; an extension after `;` is read past.
fn chunk_size(line: &[u8]) -> Option<usize> {
    let digits = trim(line.split(|b| *b == b';').next()?);
    let good = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit) && is_text(line);
    usize::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| good)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Response>, Error> {
        read_response(text.as_bytes(), Exchange::default())
    }

    #[test]
    fn the_length_decides_where_the_body_ends() {
        let r = read(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a\r\nset-cookie:b \r\n\r\nhi HTTP",
        )
        .unwrap()
        .unwrap();
        assert_eq!(
            (r.minor, r.status, r.reason.as_slice()),
            (1, 200, &b"OK"[..])
        );
        assert_eq!(r.values("set-cookie").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(
            (r.body.as_slice(), r.framing, r.bare_lf),
            (&b"hi"[..], Framing::Length, false)
        );
        assert_eq!(
            read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi"),
            Ok(None)
        );
    }

    #[test]
    fn chunks_are_joined() {
        let text = "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n";
        let r = read(text).unwrap().unwrap();
        assert_eq!(r.body, b"abc0123456789");
        assert_eq!(r.trailers, [(b"T".to_vec(), b"v".to_vec())]);
        assert_eq!(r.consumed, text.len());
    }

    #[test]
    fn a_body_may_end_with_the_connection() {
        let text = b"HTTP/1.0 400 Bad\n\nrest";
        assert_eq!(read_response(text, Exchange::default()), Ok(None));
        let closed = Exchange {
            closed: true,
            ..Exchange::default()
        };
        let r = read_response(text, closed).unwrap().unwrap();
        assert_eq!(
            (r.body.as_slice(), r.framing, r.bare_lf),
            (&b"rest"[..], Framing::Close, true)
        );
        assert_eq!(
            read_response(b"HTTP/1.1 200 OK\r\n", closed),
            Err(Error::Truncated)
        );
    }

    #[test]
    fn a_head_answer_has_no_body() {
        let head = Exchange {
            head: true,
            ..Exchange::default()
        };
        let r = read_response(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", head)
            .unwrap()
            .unwrap();
        assert_eq!(r.framing, Framing::None);
        assert_eq!(
            read("HTTP/1.1 204 No\r\n\r\n").unwrap().unwrap().framing,
            Framing::None
        );
    }

    #[test]
    fn what_two_readers_may_read_differently_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(70_000));
        for (text, error) in [
            ("HTTP/2 200 OK\r\n\r\n", Error::StatusLine),
            ("HTTP/1.1 99 OK\r\n\r\n", Error::StatusLine),
            ("HTTP/1.1 +20 OK\r\n\r\n", Error::StatusLine),
            ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Error::FieldLine),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Error::FieldLine),
            ("HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", Error::FieldLine),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Error::Folded),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                Error::ContentLength,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
                Error::ContentLength,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Error::Ambiguous,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
                Error::TransferEncoding,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
                Error::TransferEncoding,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
                Error::Chunk,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
                Error::Chunk,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
                Error::BodyTooLong,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
                Error::BodyTooLong,
            ),
            (&long, Error::HeadTooLong),
        ] {
            assert_eq!(read(text), Err(error), "{}", text.get(..80).unwrap_or(text));
        }
        assert!(
            read("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx")
                .unwrap()
                .is_some()
        );
    }
}
