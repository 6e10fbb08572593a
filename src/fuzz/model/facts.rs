//! A request's parameters, read off its bytes.

use std::borrow::Cow;

use base64::Engine as _;

use crate::targets::model::{Client, ClientAuth};
use crate::transport::Request;

/// A request's parameters as a reader could see them.
#[derive(Debug, Clone, Default)]
pub struct Facts<'r> {
    /// Names as sent and values, decoded: those of the place where they belong.
    pub pairs: Pairs<'r>,
    /// So many of them every reader sees: for most a URL's query ends at a `#`.
    certain: usize,
    /// Authorization headers.
    pub authorization: Vec<&'r str>,
    /// Escapes or text are broken, or a parameter is repeated: a strict server refuses the whole.
    pub unclean: bool,
}

/// Names and values; those that are sent as they are read are not copied.
type Pairs<'r> = Vec<(Cow<'r, str>, Cow<'r, str>)>;

impl<'r> Facts<'r> {
    /// Reads a request. Parameters belong in the query unless it is a POST.
    pub fn of(request: &'r Request) -> Facts<'r> {
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        let body = if posts(request) {
            request.body.as_slice()
        } else {
            query.as_bytes()
        };
        let certain = match request.url.split_once('#') {
            Some((before, _)) if !posts(request) => {
                let query = before.split_once('?').map_or("", |(_, query)| query);
                let whole = query.rsplit_once('&').map_or("", |(whole, _)| whole);
                whole.split('&').filter(|pair| !pair.is_empty()).count()
            }
            _ => usize::MAX,
        };
        let mut unclean = false;
        let mut pairs = pairs(body, &mut unclean);
        let repeated = |(at, (name, _)): (usize, &(Cow<'_, str>, _))| {
            name != "resource" && pairs.iter().take(at).any(|(other, _)| other == name)
        };
        unclean |= pairs.iter().enumerate().any(repeated);
        if posts(request)
            && let Some(members) = members(body)
        {
            pairs = members;
        }
        Facts {
            pairs,
            certain,
            authorization: request
                .headers
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
                .map(|(_, value)| value.as_str())
                .collect(),
            unclean,
        }
    }

    /// Whether the body is not what the content type promises, or the content type is not that of a form.
    pub fn odd(request: &Request) -> bool {
        const FORM: &str = "application/x-www-form-urlencoded";
        let form = request.header("content-type").is_some_and(|kind| {
            let start = kind.get(..FORM.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(FORM))
        });
        posts(request) && !form
    }

    /// Every value of a parameter, under any spelling of its name a lenient parser may take for it.
    pub fn values<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.pairs
            .iter()
            .filter(move |(key, _)| same_name(key, name))
            .map(|(_, value)| value.as_ref())
    }

    /// Every value of a parameter under its own name that is not empty and that every reader sees.
    pub fn exactly<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.pairs
            .iter()
            .take(self.certain)
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_ref())
    }

    /// Whether some value of a parameter is this one, perhaps after decoding it once more.
    pub fn has(&self, name: &str, wanted: &str) -> bool {
        self.values(name).any(|value| {
            value == wanted
                || (value.contains('%')
                    && wire::form::decode_component(value.as_bytes()) == wanted.as_bytes())
        })
    }

    /// Whether the parameter was sent with a value.
    pub fn sent(&self, name: &str) -> bool {
        self.values(name).any(|value| !value.is_empty())
    }

    /// Parameters that came more than once with different values, `resource` apart (RFC 8707 §2).
    pub fn ambiguous(&self, known: &[&str]) -> Vec<String> {
        known
            .iter()
            .filter(|name| **name != "resource")
            .filter(|name| {
                let mut values = self
                    .pairs
                    .iter()
                    .take(self.certain)
                    .filter(|(key, _)| key == *name)
                    .map(|(_, value)| value);
                let first = values.next();
                values.any(|other| Some(other) != first)
            })
            .map(|name| (*name).to_owned())
            .collect()
    }

    /// Whether the client is named and has shown what it must.
    pub(super) fn client(&self, client: &Client) -> bool {
        let Some(id) = client.id.as_deref() else {
            return true;
        };
        let basic = self.basic(id);
        match (client.auth, client.secret.as_deref()) {
            (ClientAuth::None, _) | (_, None) => self.has("client_id", id) || basic.is_some(),
            (ClientAuth::PrivateKeyJwt, _) => self.sent("client_assertion"),
            (_, Some(secret)) => {
                self.has("client_secret", secret) || basic.as_deref() == Some(secret)
            }
        }
    }

    /// The secret of Basic credentials for this client.
    fn basic(&self, id: &str) -> Option<String> {
        self.authorization.iter().find_map(|value| {
            let (scheme, rest) = value.split_once(' ')?;
            if !scheme.eq_ignore_ascii_case("basic") {
                return None;
            }
            let decoded = base64::engine::general_purpose::STANDARD
                .decode(rest.trim())
                .ok()?;
            let text = String::from_utf8(decoded).ok()?;
            let (user, secret) = text.split_once(':')?;
            let decode =
                |part: &str| String::from_utf8(wire::form::decode_component(part.as_bytes())).ok();
            (decode(user)? == id).then(|| decode(secret))?
        })
    }
}

/// The members of a JSON object as parameters, for servers whose token endpoint takes JSON.
fn members<'r>(body: &[u8]) -> Option<Pairs<'r>> {
    if body.first() != Some(&b'{') {
        return None;
    }
    let document = wire::json::scan(body, wire::json::Limits::default()).ok()?;
    let members = document.value.as_object()?;
    let text = |text: &str| Cow::Owned(text.to_owned());
    Some(
        members
            .iter()
            .filter_map(|(name, value)| Some((text(name), text(value.as_str()?))))
            .collect(),
    )
}

/// Whether parameters belong in the body.
fn posts(request: &Request) -> bool {
    match request.method.as_str() {
        "POST" => true,
        "GET" | "HEAD" | "OPTIONS" => false,
        // Another method changes nothing about where the parameters are.
        _ => !request.body.is_empty(),
    }
}

/// Parameters, names and values decoded; what is no UTF-8 is replaced. `unclean` becomes true where an escape or a text
/// is broken.
fn pairs<'r>(bytes: &'r [u8], unclean: &mut bool) -> Pairs<'r> {
    let segments = bytes.split(|byte| *byte == b'&');
    segments
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            let at = segment.iter().position(|byte| *byte == b'=');
            let (name, value) = segment.split_at(at.unwrap_or(segment.len()));
            let value = value.strip_prefix(b"=").unwrap_or_default();
            (text(name, unclean), text(value, unclean))
        })
        .collect()
}

fn text<'r>(bytes: &'r [u8], unclean: &mut bool) -> Cow<'r, str> {
    if bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        let decoded = wire::form::decode_component(bytes);
        *unclean |= wire::form::has_bad_escape(bytes);
        return Cow::Owned(String::from_utf8(decoded).unwrap_or_else(|broken| {
            *unclean = true;
            String::from_utf8_lossy(broken.as_bytes()).into_owned()
        }));
    }
    std::str::from_utf8(bytes).map_or_else(
        |_| {
            *unclean = true;
            String::from_utf8_lossy(bytes)
        },
        Cow::Borrowed,
    )
}

/// Whether a lenient parser may take one name for the other: case, brackets, space around it.
fn same_name(key: &str, name: &str) -> bool {
    if key.len() <= name.len() {
        return key.eq_ignore_ascii_case(name);
    }
    let stripped = key
        .trim_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}' || c == '+')
        .split('[')
        .next()
        .unwrap_or_default();
    stripped.eq_ignore_ascii_case(name)
}
