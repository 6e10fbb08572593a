//! Payloads: bytes and shapes that parsers have stumbled over, and words taken from the target.
//!
//! Percent-encoded payloads go out through [`super::operation::Edit::Raw`], the others are encoded
//! like any value. Nothing in here is aimed at one product; the sources are the classes of bugs that
//! public reports describe.

use std::collections::BTreeSet;

use crate::flow::World;

/// One byte, percent-encoded: the bytes parsers treat specially.
pub const ODD_BYTES: &[&str] = &[
    "%00", "%01", "%07", "%08", "%09", "%0a", "%0b", "%0c", "%0d", "%1b", "%1f", "%20", "%21",
    "%22", "%23", "%24", "%25", "%26", "%27", "%28", "%29", "%2a", "%2b", "%2c", "%2e", "%2f",
    "%3a", "%3b", "%3c", "%3d", "%3e", "%3f", "%40", "%5b", "%5c", "%5d", "%5e", "%60", "%7b",
    "%7c", "%7d", "%7e", "%7f", "%80", "%85", "%a0", "%bf", "%c0", "%e2", "%ed", "%f0", "%f8",
    "%fe", "%ff",
];

/// Several bytes that are no text, or text of another encoding.
pub const BROKEN_TEXT: &[&str] = &[
    "%c0%af",
    "%c0%80",
    "%e0%80%af",
    "%ed%a0%80",
    "%ed%b0%80",
    "%f4%90%80%80",
    "%f8%88%80%80%80",
    "%ff%fe",
    "%fe%ff",
    "%ef%bb%bf",
    "%e2%82",
    "%80%80",
    "%a0%a1",
];

/// Escapes that are none.
pub const BROKEN_ESCAPES: &[&str] = &[
    "%", "%%", "%2", "%zz", "%u0041", "%u2028", "%0", "%25%", "%-1", "%+1",
];

/// Characters that look like others, vanish, or change when text is normalised.
pub const LOOK_ALIKES: &[&str] = &[
    "\u{ff0f}",
    "\u{ff20}",
    "\u{ff03}",
    "\u{ff1f}",
    "\u{ff0e}",
    "\u{3002}",
    "\u{2100}",
    "\u{200b}",
    "\u{200d}",
    "\u{2060}",
    "\u{feff}",
    "\u{ad}",
    "\u{202e}",
    "\u{200f}",
    "\u{2028}",
    "\u{2029}",
    "\u{85}",
    "\u{a0}",
    "\u{130}",
    "\u{131}",
    "\u{17f}",
    "\u{212a}",
    "\u{301}",
    "\u{fdfa}",
    "\u{fb01}",
    "\u{1d400}",
    "\u{1f600}",
    "\u{10ffff}",
    "\u{fffd}",
    "\u{e000}",
];

/// Ends of lines, with a header after them.
pub const LINE_ENDS: &[&str] = &[
    "%0d%0aX-Oauthspec-Injected:%201",
    "%0aX-Oauthspec-Injected:%201",
    "%0dX-Oauthspec-Injected:%201",
    "%0d%0a%0d%0aX-Oauthspec-Injected:%201",
    "%0d%0aSet-Cookie:%20oauthspec=1",
    "%e5%98%8a%e5%98%8dX-Oauthspec-Injected:%201",
    "%0d%0a%20folded",
    "%0a",
    "%0d",
];

/// What comes before or after a registered redirect URI: `{}` is the URI, `{h}` its authority, `{p}` its path,
/// `{s}` its scheme.
pub const REDIRECTS: &[&str] = &[
    "{}/",
    "{}//",
    "{}/.",
    "{}/..",
    "{}/../x",
    "{}/%2e%2e/x",
    "{}%2f..%2fx",
    "{}/..;/x",
    "{};x",
    "{}\\x",
    "{}?",
    "{}?x=1",
    "{}?code=x&state=y",
    "{}#",
    "{}#x",
    "{}&code=x",
    "{}%00",
    "{}%00.attacker.example",
    "{}%0a",
    "{}%09",
    "{} ",
    "{}\t",
    "{}\n",
    "{}\r\n",
    "{}x",
    "{}.attacker.example",
    "{},https://attacker.example/cb",
    "{} https://attacker.example/cb",
    "{}|https://attacker.example/cb",
    "\t{}",
    " {}",
    "\u{feff}{}",
    "{s}:{p}",
    "{s}:/{h}{p}",
    "{s}:///{h}{p}",
    "{s}://{h}",
    "{s}://{h}/",
    "{s}://{h}//{p}",
    "{s}://{h}/%2e{p}",
    "{s}://{h}.{p}",
    "{s}://{h}:443{p}",
    "{s}://{h}:80{p}",
    "{s}://{h}:{p}",
    "{s}://{h}:8443{p}",
    "{s}://{h}:065536{p}",
    "{s}://user@{h}{p}",
    "{s}://user:pw@{h}{p}",
    "{s}://{h}@attacker.example{p}",
    "{s}://{h}:x@attacker.example{p}",
    "{s}://{h}%40attacker.example{p}",
    "{s}://{h}%2540attacker.example{p}",
    "{s}://attacker.example@{h}{p}",
    "{s}://attacker.example\\@{h}{p}",
    "{s}://{h}\\@attacker.example{p}",
    "{s}://attacker.example%5c@{h}{p}",
    "{s}://attacker.example#@{h}{p}",
    "{s}://attacker.example%23@{h}{p}",
    "{s}://attacker.example?@{h}{p}",
    "{s}://attacker.example/{}",
    "{s}://attacker.example/?{}",
    "{s}://attacker.example/cb",
    "{s}://{h}.attacker.example{p}",
    "{s}://attacker{h}{p}",
    "{s}://attacker.{h}{p}",
    "{s}://{h}\u{3002}attacker.example{p}",
    "{s}://{h}\u{ff0f}@attacker.example{p}",
    "{s}://{h}\u{2100}.attacker.example{p}",
    "{s}://attacker.example\u{ff0f}{h}{p}",
    "//{h}{p}",
    "//attacker.example{p}",
    "/\\attacker.example",
    "{p}",
    "http://{h}{p}",
    "HTTPS://{h}{p}",
    "javascript:alert(1)",
    "javascript://{h}{p}%0aalert(1)",
    "data:text/html,oauthspec",
    "vbscript:x",
    "file:///etc/passwd",
    "about:blank",
    "http://127.0.0.1{p}",
    "http://[::1]{p}",
    "http://2130706433{p}",
    "http://0x7f.1{p}",
    "http://[::ffff:127.0.0.1]{p}",
    "http://localhost{p}",
    "http://127.0.0.1.attacker.example{p}",
    "https://{h}{p}\u{200b}",
    "{s}://{h}/\u{0}{p}",
    "https://attacker.example/cb#{}",
    "*",
    "https://*",
    "null",
    "urn:ietf:wg:oauth:2.0:oob",
    "com.example.app:/cb",
];

/// Hosts and URIs whose reading takes some parsers very long.
pub const HEAVY_URIS: &[(&str, &str, &str)] = &[
    ("https://", "@", "/"),
    ("https://a", "/..", "/x"),
    ("https://", "a.", "example/"),
    ("https://[", ":", "]/"),
    ("https://a/?", "&a=", "x"),
    ("https://a/", "%25", "41"),
    ("https://a:", "0", "443/"),
    ("", "a", ":"),
];

/// What may stand where a word from a closed set belongs.
pub const WORDS: &[&str] = &[
    "",
    " ",
    "null",
    "undefined",
    "true",
    "0",
    "-1",
    "[]",
    "{}",
    "NaN",
    "none",
    "None",
    "code token",
    "token",
    "id_token",
    "code id_token",
    "code code",
    "code ",
    " code",
    "Code",
    "CODE",
    "plain",
    "s256",
    "S512",
    "S256 ",
    "S256\u{0}",
    "password",
    "implicit",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:device_code",
    "authorization_code",
    "AUTHORIZATION_CODE",
    "authorization_code ",
    "refresh_token",
    "Refresh_Token",
    "urn:x",
    "constructor",
    "__proto__",
    "toString",
    "hasOwnProperty",
    "../../etc/passwd",
    "${7*7}",
    "{{7*7}}",
    "' OR '1'='1",
    "%n%s",
    "fragment",
    "form_post",
    "query",
    "web_message",
    "access_token",
];

/// Optional parameters of the authorization request with values nobody sends.
pub const OPTIONAL: &[(&str, &str)] = &[
    ("response_mode", "fragment"),
    ("response_mode", "form_post"),
    ("response_mode", "web_message"),
    ("response_mode", "query.jwt"),
    ("response_mode", "x"),
    ("prompt", "none"),
    ("prompt", "none login"),
    ("prompt", "login consent"),
    ("prompt", "create"),
    ("prompt", "x"),
    ("prompt", "none\u{0}"),
    ("max_age", "-1"),
    ("max_age", "0"),
    ("max_age", "x"),
    ("max_age", "99999999999999999999"),
    ("max_age", "1e3"),
    ("display", "popup"),
    ("display", "x"),
    ("ui_locales", "en-US x-klingon *"),
    ("ui_locales", "%"),
    ("ui_locales", "../../x"),
    ("claims", "{}"),
    ("claims", "{\"id_token\":{\"sub\":{\"value\":\"x\"}}}"),
    ("claims", "[]"),
    ("claims", "{"),
    ("claims_locales", "x"),
    ("acr_values", "x"),
    ("id_token_hint", "x.y.z"),
    ("id_token_hint", "e30.e30."),
    ("login_hint", "' OR 1=1 --"),
    ("login_hint", "x\u{0}y"),
    ("nonce", ""),
    ("nonce", "\u{0}"),
    ("request", "e30.e30."),
    ("request", "x"),
    ("request_uri", "urn:ietf:params:oauth:request_uri:x"),
    ("request_uri", "https://attacker.example/r"),
    ("dpop_jkt", "x"),
    ("registration", "{}"),
    ("audience", "x"),
    ("access_type", "offline"),
    ("user_id", "1"),
    ("iss", "x"),
    ("code", "x"),
    ("error", "x"),
    ("client_secret", "x"),
    ("client_assertion", "e30.e30."),
    ("grant_type", "x"),
    ("_method", "PUT"),
];

/// Optional parameters of token requests.
pub const TOKEN_OPTIONAL: &[(&str, &str)] = &[
    ("client_assertion", "e30.e30."),
    ("client_assertion", "x"),
    ("client_assertion_type", "x"),
    (
        "client_assertion_type",
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    ),
    ("token_type_hint", "access_token"),
    ("token_type_hint", "refresh_token"),
    ("token_type_hint", "id_token"),
    ("token_type_hint", "x"),
    ("token_type_hint", ""),
    ("requested_token_type", "x"),
    ("subject_token", "x"),
    ("actor_token", "x"),
    ("assertion", "e30.e30."),
    ("device_code", "x"),
    ("username", "x"),
    ("password", "x"),
    ("audience", "x"),
    ("nonce", "x"),
    ("state", "x"),
    ("access_token", "x"),
    ("code_challenge", "x"),
    ("code_challenge_method", "plain"),
    ("expires_in", "999999"),
    ("sub", "x"),
    ("dpop_jkt", "x"),
    ("scope", "read"),
    ("_method", "GET"),
    ("format", "xml"),
    ("callback", "x"),
];

/// Content types, from merely unusual to broken.
pub const CONTENT_TYPES: &[&str] = &[
    "",
    "text/plain",
    "application/json",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/x-www-form-urlencoded; charset=utf-16",
    "application/x-www-form-urlencoded; charset=x-unknown",
    "application/x-www-form-urlencoded; charset=\"utf-8",
    "application/x-www-form-urlencoded; charset=utf-8; charset=utf-16",
    "application/x-www-form-urlencoded;",
    "application/x-www-form-urlencoded; =",
    "application/x-www-form-urlencoded, text/plain",
    "application/x-www-form-urlencoded\t",
    "APPLICATION/X-WWW-FORM-URLENCODED ; x",
    "application/x-www-form-urlencodedx",
    "text/plain; x=application/x-www-form-urlencoded",
    "application/json; x=application/x-www-form-urlencoded",
    "application",
    "/",
    ";",
    "application/",
    "a/b/c",
    "*/*",
    "application/x-www-form-urlencoded; boundary=\"",
    "application/jwt",
    "application/json; charset=utf-7",
    "application/vnd.api+json",
    "text/html; charset=\u{fc}",
];

/// Methods.
pub const METHODS: &[&str] = &[
    "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "post", "Post", "X",
    "POSTX", "QUERY",
];

/// Request headers: name and value.
pub const HEADERS: &[(&str, &str)] = &[
    ("X-Forwarded-Host", "attacker.example"),
    ("X-Forwarded-Proto", "javascript"),
    ("X-Forwarded-For", "127.0.0.1, x"),
    ("Forwarded", "host=attacker.example;proto=http"),
    ("X-Original-URL", "/"),
    ("X-Rewrite-URL", "/"),
    ("X-HTTP-Method-Override", "GET"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-HTTP-Method-Override", "OPTIONS"),
    ("X-Method-Override", "PUT"),
    ("Origin", "null"),
    ("Origin", "https://attacker.example"),
    ("Origin", "x"),
    ("Referer", "https://attacker.example/"),
    ("Accept", "text/html"),
    ("Accept", "text/xml"),
    ("Accept", "application/xml;q=0.9"),
    ("Accept", "*/*;q=x"),
    ("Accept", "application/json;version=9"),
    ("Accept-Language", "*"),
    ("Accept-Language", "en;q=9"),
    ("Accept-Language", "../../x"),
    ("Accept-Language", "\u{0e01}"),
    ("Accept-Charset", "utf-16"),
    ("Accept-Encoding", "gzip;q=0, *;q=x"),
    ("Content-Encoding", "gzip"),
    ("Content-Encoding", "x"),
    ("Range", "bytes=0-0"),
    ("Range", "bytes=9-1"),
    ("If-None-Match", "*"),
    ("If-Modified-Since", "x"),
    ("Expect", "x"),
    ("Cookie", "a"),
    ("Cookie", "=; =="),
    ("Cookie", "$Version=1"),
    ("Cookie", "a=\"b; c=d"),
    ("DPoP", "x"),
    ("DPoP", "e30.e30."),
    ("Upgrade", "websocket"),
    ("Via", "x"),
    ("Max-Forwards", "-1"),
    ("traceparent", "00-0-0-0"),
    ("X-Request-Id", "<svg>"),
    ("Content-Language", "x"),
    ("Prefer", "respond-async"),
    ("Depth", "infinity"),
    ("Host", "attacker.example"),
    ("Host", ""),
    ("Authorization", "Basic"),
    ("Authorization", "Basic "),
    ("Authorization", "Basic !!!"),
    ("Authorization", "Basic Og=="),
    ("Authorization", "Basic eA=="),
    ("Authorization", "Basic /////w=="),
    ("Authorization", "basic x:y"),
    ("Authorization", "Basic eDp5OnoK"),
    ("Authorization", "Digest x"),
    ("Authorization", "Negotiate x"),
    ("Authorization", "x"),
    ("Authorization", ","),
    ("Authorization", "Bearer"),
    ("Authorization", "Bearer "),
    ("Authorization", "Bearer x"),
    ("Authorization", "Bearer x, Bearer y"),
    ("Authorization", "Bearer\tx"),
    ("Authorization", "Bearer e30.e30."),
    ("Authorization", "Bearer \u{e9}"),
    ("Authorization", "DPoP x"),
    ("Authorization", "Bearer realm=\"x\""),
];

/// JSON texts that may stand where another value belongs.
pub const JSON_VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1.0",
    "1e400",
    "-1e400",
    "9007199254740993",
    "99999999999999999999999999999999",
    "1E+2",
    "0.1e1",
    "\"\"",
    "\" \"",
    "\"x\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"\\u202e\"",
    "\"\\/\"",
    "[]",
    "[null]",
    "[[]]",
    "[{}]",
    "[\"\"]",
    "[1]",
    "[true]",
    "[\"x\",null]",
    "{}",
    "{\"\":\"\"}",
    "{\"__proto__\":{\"x\":1}}",
    "{\"constructor\":{}}",
    "{\"toString\":1}",
    "{\"length\":100}",
    "{\"$ref\":\"#\"}",
    "{\"a\":1,\"a\":2}",
    "NaN",
    "Infinity",
    "01",
    "+1",
    ".5",
    "0x10",
    "'x'",
    "undefined",
    "[1,]",
    "{\"a\":1,}",
    "// x\n1",
    "/* x */1",
    "\"\t\"",
    "\"\u{2028}\"",
    "\u{feff}1",
    "1 2",
    "",
];

/// URIs for registered metadata.
pub const METADATA_URIS: &[&str] = &[
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "http://169.254.169.254/",
    "//x",
    "/x",
    "x",
    "https://",
    "https://a b/",
    "https://[",
    "https://x/#f",
    "https://u:p@x/",
    "gopher://x:1/",
    "HTTPS://X",
    "https://x:99999/",
    "https://\u{ff0f}/",
    "ftp://x/",
    "\u{0}",
];

/// Members of registered metadata besides those of a correct registration.
pub const MEMBERS: &[&str] = &[
    "client_id",
    "client_secret",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
    "contacts",
    "jwks",
    "jwks_uri",
    "software_id",
    "software_statement",
    "software_version",
    "sector_identifier_uri",
    "default_max_age",
    "require_auth_time",
    "request_uris",
    "initiate_login_uri",
    "id_token_signed_response_alg",
    "subject_type",
    "application_type",
    "post_logout_redirect_uris",
    "default_acr_values",
    "registration_access_token",
    "client_id_issued_at",
    "client_secret_expires_at",
    "scope",
    "__proto__",
    "constructor",
    "client_name#de",
    "authorization_details_types",
    "dpop_bound_access_tokens",
    "x",
];

/// Names that make parsers of bracketed parameters work hard: the whole text after the first `&`.
pub const HEAVY_FORMS: &[&str] = &[
    "grant_type[__proto__]=b&grant_type[__proto__]&grant_type[length]=40000000",
    "a[__proto__]=b&a[__proto__]&a[length]=40000000",
    "a[length]=40000000&a[]=1",
    "a[999999999]=x",
    "a[constructor][prototype][x]=1",
    "__proto__[x]=1",
    "constructor.prototype.x=1",
    "a[b]=1&a=2&a[c]=3",
    "a[]=1&a[b]=2",
    "a[[]=1",
    "[]=1",
    "a[%5d]=1",
];

/// Words that are this target's own.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    /// Values and names from metadata, forms and earlier answers.
    pub words: Vec<String>,
    /// Parameter and member names seen.
    pub names: Vec<String>,
}

/// The most words that are kept.
const MOST_WORDS: usize = 400;

impl Dictionary {
    /// What the metadata and the target file give.
    pub fn of(world: &World) -> Dictionary {
        let mut words = BTreeSet::new();
        let mut names = BTreeSet::new();
        if let Some(metadata) = &world.metadata {
            for (name, value) in metadata {
                names.insert(name.clone());
                let texts = value
                    .as_array()
                    .map(Vec::as_slice)
                    .unwrap_or(std::slice::from_ref(value));
                for text in texts.iter().filter_map(serde_json::Value::as_str) {
                    if text.len() <= 64 && !text.contains("://") {
                        words.insert(text.to_owned());
                    }
                }
            }
        }
        for resource in &world.target.resources {
            words.extend(
                resource
                    .scope
                    .iter()
                    .flat_map(|scope| scope.split_whitespace().map(str::to_owned)),
            );
        }
        for step in &world.target.login.steps {
            names.extend(step.fill.iter().map(|(name, _)| name.clone()));
        }
        Dictionary {
            words: words.into_iter().collect(),
            names: names.into_iter().collect(),
        }
    }

    /// Learns a name from an answer; tells whether it was new.
    pub fn learn_name(&mut self, name: &str) -> bool {
        let fits = (2..=40).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let room = self.names.len() < MOST_WORDS;
        if !fits || !room || self.names.iter().any(|known| known == name) {
            return false;
        }
        self.names.push(name.to_owned());
        true
    }
}
