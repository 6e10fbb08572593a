//! The table of mutations: one entry an operator, with what it does.
//!
//! An operator makes the edits of one deviation at one place. `equivalent` operators change nothing
//! that a correct server may look at: what was accepted must be accepted still. What the others make
//! of a request, the model reads off the request as it is sent (see [`super::model`]).

use super::dictionary::Dictionary;
use super::operation::{Deviation, Edit, Kind, Piece, Text};
use super::place::{Place, Role};
use super::strategy::Draw;
use super::words;

/// What an operator has at hand.
pub struct Maker<'m> {
    /// Chance.
    pub draw: &'m mut Draw,
    /// The target's own words.
    pub dictionary: &'m Dictionary,
    /// Where.
    pub place: Place,
    /// The redirect URI of the acting client, in pieces: the URI, scheme, authority, path.
    pub redirect: [&'m str; 4],
    /// A valid text for a JSON parameter.
    pub json: &'m str,
}

/// An operator.
pub struct Operator {
    /// Its name, for buckets.
    pub name: &'static str,
    /// Its group in the table.
    pub group: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Where it makes sense.
    pub on: &'static [Role],
    /// Whether a correct server treats the request as before.
    pub equivalent: bool,
    /// Makes the edits.
    pub make: fn(&mut Maker<'_>) -> Vec<Edit>,
}

impl Operator {
    /// Whether it makes sense at a place.
    pub fn fits(&self, place: Place) -> bool {
        let posts = matches!(
            place.kind,
            Kind::Exchange | Kind::Refresh | Kind::Revoke | Kind::Introspect | Kind::Direct
        );
        let form = posts || place.kind == Kind::Authorize;
        self.on.contains(&place.role)
            && match self.group {
                "form" => form,
                "authentication" => posts,
                "authorization" => place.kind == Kind::Authorize,
                "body" => posts || place.kind == Kind::Register,
                "json-body" => place.kind == Kind::Register,
                "redirect" => place.kind != Kind::Register || place.role == Role::Member,
                _ => true,
            }
    }

    /// The deviation it makes.
    pub fn apply(&self, maker: &mut Maker<'_>) -> Deviation {
        let edits = (self.make)(maker);
        Deviation {
            operator: self.name.to_owned(),
            parameter: maker.place.name.to_owned(),
            equivalent: self.equivalent,
            edits,
        }
    }
}

impl Maker<'_> {
    fn name(&self) -> String {
        self.place.name.to_owned()
    }

    fn with(&self, text: Text) -> Vec<Edit> {
        vec![Edit::With(self.name(), vec![text])]
    }

    fn raw(&self, text: Text) -> Vec<Edit> {
        vec![Edit::Raw(self.name(), text)]
    }

    /// The own value with something raw before or after it.
    fn beside(&mut self, what: &str) -> Vec<Edit> {
        let text = if self.draw.one_in(4) {
            Text::around(what, "")
        } else {
            Text::around("", what)
        };
        self.raw(text)
    }

    /// Raw text after the request's own parameters, behind a parameter nobody knows.
    fn appended(&mut self, text: Text) -> Vec<Edit> {
        let mut pieces = vec![Piece::Text("1&".into())];
        pieces.extend(text.0);
        let anchor = format!("z{}", self.draw.below(9));
        vec![Edit::Raw(anchor, Text(pieces))]
    }

    /// A wrong value for this place.
    fn wrong(&mut self) -> Text {
        match self.place.role {
            Role::Redirect => Text::plain("https://attacker.example/cb"),
            Role::Resource => Text::plain("https://attacker.example/"),
            Role::Choice => Text::plain(self.draw.pick(words::WORDS)),
            Role::Secret => Text::named("random", "token"),
            _ => Text::plain("oauthspec-x"),
        }
    }

    fn header(name: &str, value: Text) -> Vec<Edit> {
        let name = match name {
            "Authorization" => "@authorization".to_owned(),
            other => format!("@header.{other}"),
        };
        vec![Edit::With(name, vec![value])]
    }
}

const VALUES: &[Role] = &[
    Role::Secret,
    Role::Bearer,
    Role::Redirect,
    Role::Resource,
    Role::Scope,
    Role::Choice,
    Role::Name,
    Role::Free,
    Role::Challenge,
    Role::Json,
];
const PARAMETERS: &[Role] = &[
    Role::Secret,
    Role::Redirect,
    Role::Resource,
    Role::Scope,
    Role::Choice,
    Role::Name,
    Role::Free,
    Role::Challenge,
    Role::Json,
];
const REQUEST: &[Role] = &[Role::Request];

macro_rules! table {
    ($($group:literal { $($name:literal $(=$same:ident)? [$on:expr] $doc:literal, $make:expr;)* })*) => {
        /// Every operator.
        pub const TABLE: &[Operator] = &[$($(Operator {
            name: $name,
            group: $group,
            doc: $doc,
            on: $on,
            equivalent: table!(@same $($same)?),
            make: $make,
        },)*)*];
    };
    (@same equivalent) => { true };
    (@same) => { false };
}

table! {
    "form" {
        "omitted" [PARAMETERS] "The parameter is left out.", |m| vec![Edit::Without(m.name())];
        "empty" [PARAMETERS] "The parameter has no value, which means left out.", |m| m.raw(Text::plain(""));
        "name-only" [PARAMETERS] "The parameter's name stands alone, without `=`.", |m| {
            let name = m.name();
            let mut edits = vec![Edit::Without(m.name())];
            edits.extend(m.appended(Text::plain(name)));
            edits
        };
        "twice-same" [PARAMETERS] "The parameter comes twice with its own value.", |m| vec![Edit::With(m.name(), vec![Text::own(), Text::own()])];
        "good-bad" [PARAMETERS] "The parameter comes twice: right, then wrong.", |m| { let wrong = m.wrong(); vec![Edit::With(m.name(), vec![Text::own(), wrong])] };
        "bad-good" [PARAMETERS] "The parameter comes twice: wrong, then right.", |m| { let wrong = m.wrong(); vec![Edit::With(m.name(), vec![wrong, Text::own()])] };
        "other-case" [PARAMETERS] "The name in another case, with a wrong value.", |m| {
            let name = if m.draw.one_in(2) { m.name().to_ascii_uppercase() } else { capitalised(m.place.name) };
            let wrong = m.wrong();
            vec![Edit::With(name, vec![wrong])]
        };
        "only-other-case" [PARAMETERS] "The name in another case only.", |m| vec![Edit::Without(m.name()), Edit::With(capitalised(m.place.name), vec![Text::own()])];
        "bracketed" [PARAMETERS] "The name with brackets, besides the parameter.", |m| {
            let suffix = m.draw.pick(&["[]", "[0]", "[1]", "[x]", "%5B%5D", "[__proto__]", "[$ne]", "[", "."]);
            let wrong = m.draw.pick(&["1", "x", "", "true"]);
            let text = Text::plain(format!("{}{suffix}={wrong}", m.place.name));
            m.appended(text)
        };
        "only-bracketed" [PARAMETERS] "The name with brackets only.", |m| {
            let suffix = m.draw.pick(&["[]", "[0]", "[x]", "[$ne]", "[length]"]);
            vec![Edit::Without(m.name()), Edit::With(format!("{}{suffix}", m.place.name), vec![Text::own()])]
        };
        "semicolon" [PARAMETERS] "A wrong value behind a semicolon, as if `;` separated parameters.", |m| {
            let name = m.name();
            m.raw(Text(vec![Piece::Own, Piece::Text(format!(";{name}=https%3A%2F%2Fattacker.example%2Fcb"))]))
        };
        "semicolon-other" [PARAMETERS] "Another parameter smuggled behind a semicolon.", |m| {
            let other = m.draw.pick(&["redirect_uri=https%3A%2F%2Fattacker.example%2Fcb", "scope=write", "client_id=x", "prompt=none", "response_type=token"]);
            m.raw(Text::around("", format!(";{other}")))
        };
        "padded-name" [PARAMETERS] "The name with a space, a plus or a NUL beside it, with a wrong value.", |m| {
            let name = m.place.name;
            let spelt = m.draw.pick(&["%20{}", "{}%20", "+{}", "{}+", "{}%00", "%00{}", "{}%0a", "%ef%bb%bf{}"]).replace("{}", name);
            let text = Text::plain(format!("{spelt}=oauthspec-x"));
            m.appended(text)
        };
        "unknown" =equivalent [REQUEST] "A parameter nobody knows, which must be ignored.", |m| {
            let name = match m.draw.below(3) {
                0 => m.draw.pick(&["x", "oauthspec_unknown", "utm_source", "a.b", "X-Y", "resourceid", "codeid"]).to_owned(),
                1 => format!("x{}", "y".repeat(m.draw.below(80))),
                _ => format!("oauthspec{}", m.draw.below(1000)),
            };
            vec![Edit::With(name, vec![Text::plain("1")])]
        };
        "known-elsewhere" [REQUEST] "A name that the server uses elsewhere, as a parameter.", |m| {
            let Some(name) = m.draw.pick_owned(&m.dictionary.names) else { return vec![Edit::With("x".into(), vec![Text::plain("1")])] };
            let value = m.draw.pick(&["1", "", "x", "null", "[]", "%00"]);
            vec![Edit::With(name, vec![Text::plain(value)])]
        };
        "many-parameters" [REQUEST] "A thousand parameters and more.", |m| {
            let times = m.draw.among(&[64, 256, 1100, 5000]);
            m.appended(Text::repeat("a=1&", times))
        };
        "many-names" [REQUEST] "The same bracketed parameter very often.", |m| { let times = m.draw.among(&[50, 500, 3000]); m.appended(Text::repeat("a[]=1&", times)) };
        "deep-brackets" [REQUEST] "A parameter nested deeply in brackets.", |m| {
            let times = m.draw.among(&[6, 30, 200, 1500]);
            m.appended(Text(vec![Piece::Text("a".into()), Piece::Repeat("[a]".into(), times), Piece::Text("=1".into())]))
        };
        "heavy-form" [PARAMETERS] "The parameter in brackets that keep some parsers busy, and only so.", |m| {
            let text = m.draw.pick(words::HEAVY_FORMS).replace("{}", m.place.name);
            let mut edits = vec![Edit::Without(m.name())];
            edits.extend(m.appended(Text::plain(text)));
            edits
        };
        "heavy-name" [REQUEST] "The same with a name nobody knows.", |m| {
            let name = m.draw.pick(&["a", "", "__proto__", "constructor"]);
            let text = m.draw.pick(words::HEAVY_FORMS).replace("{}", name);
            m.appended(Text::plain(text))
        };
        "separators" [REQUEST] "Separators without parameters between them.", |m| { let text = m.draw.pick(&["&&&&", "=", "&=&=", "=x", "&&a&&", "?", "#", "&amp;a=1", "%26a=1"]); m.appended(Text::plain(text)) };
        "reserved-name" [REQUEST] "A name with a meaning of its own in the server's language.", |m| {
            let name = m.draw.pick(&["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "__class__", "_method", "self", "class", "$where", "utf8", "_charset_"]);
            let value = m.draw.pick(&["1", "PUT", "utf-16", "x"]);
            vec![Edit::With(name.into(), vec![Text::plain(value)])]
        };
    }
    "encoding" {
        "odd-byte" [PARAMETERS] "One odd byte beside the value.", |m| { let byte = m.draw.pick(words::ODD_BYTES); m.beside(byte) };
        "any-byte" [PARAMETERS] "One byte, any, beside the value.", |m| { let byte = format!("%{:02x}", m.draw.below(256)); m.beside(&byte) };
        "odd-byte-alone" [PARAMETERS] "One odd byte in place of the value.", |m| { let byte = m.draw.pick(words::ODD_BYTES); m.raw(Text::plain(byte)) };
        "broken-text" [PARAMETERS] "Bytes that are no UTF-8, beside the value.", |m| { let bytes = m.draw.pick(words::BROKEN_TEXT); m.beside(bytes) };
        "broken-escape" [PARAMETERS] "A percent sign that begins no escape.", |m| { let text = m.draw.pick(words::BROKEN_ESCAPES); m.beside(text) };
        "look-alike" [VALUES] "A character that looks like another one or like none, beside the value.", |m| {
            let text = m.draw.pick(words::LOOK_ALIKES);
            let text = if m.draw.one_in(3) { Text::around(text, "") } else { Text::around("", text) };
            m.with(text)
        };
        "look-alikes" [VALUES] "All such characters beside the value: what drops or changes one of them is found at once.", |m| { let text = words::LOOK_ALIKES.concat(); m.with(Text::around("", text)) };
        "odd-bytes" [PARAMETERS] "Several odd bytes beside the value.", |m| { let bytes: String = (0..8).map(|_| m.draw.pick(words::ODD_BYTES)).collect(); m.beside(&bytes) };
        "full-width" [VALUES] "A full-width letter in place of the value.", |m| { let n = m.draw.below(94) as u32; let c = char::from_u32(0xff01 + n).unwrap_or('\u{ff21}'); m.with(Text::plain(c.to_string())) };
        "line-end" [PARAMETERS] "The end of a line, and a header after it.", |m| { let text = m.draw.pick(words::LINE_ENDS); m.beside(text) };
        "nul-after" [PARAMETERS] "A NUL after the value, and more.", |m| { let more = m.draw.pick(&["", "x", ".", "%20", "%00"]); m.raw(Text::around("", format!("%00{more}"))) };
        "longer" [VALUES] "Something harmless after the value.", |m| { let more = m.draw.pick(&["x", "A", "=", "==", "~", ".", "-", "_", "/", " ", "\t", "\n", ",", "|", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]); m.with(Text::around("", more)) };
        "before" [VALUES] "Something harmless before the value.", |m| { let more = m.draw.pick(&["x", " ", "\t", "\n", "~", "/", "\"", "'"]); m.with(Text::around(more, "")) };
        "quoted" [VALUES] "The value in quotation marks.", |m| { let mark = m.draw.pick(&["\"", "'", "`"]); m.with(Text::around(mark, mark)) };
        "encoded-twice" [PARAMETERS] "An escaped letter, escaped again, after the value.", |m| { let text = m.draw.pick(&["%2541", "%2500", "%252f", "%250a", "%2526a%253d1"]); m.raw(Text::around("", text)) };
        "needless-escape" =equivalent [&[Role::Free, Role::Choice]] "A letter that need not be escaped is escaped.", |m| {
            match m.place.role {
                Role::Free => m.raw(Text::plain("%6fauthspec-%73tate")),
                _ => match m.place.name {
                    "response_type" => m.raw(Text::plain("%63ode")),
                    "code_challenge_method" => m.raw(Text::plain("S%32%35%36")),
                    "grant_type" if m.place.kind == Kind::Refresh => m.raw(Text::plain("refresh%5ftoken")),
                    "grant_type" if m.place.kind == Kind::Direct => m.raw(Text::plain("client%5fcredentials")),
                    "grant_type" => m.raw(Text::plain("authorization%5Fcode")),
                    _ => m.raw(Text::own()),
                },
            }
        };
        "utf-16" [REQUEST] "Text in another encoding after the parameters.", |m| m.appended(Text::plain("%00s%00t%00a%00t%00e%00=%001"));
        "byte-order-mark" [REQUEST] "A byte order mark before a parameter's name.", |m| m.appended(Text::plain("%ef%bb%bfscope=x"));
    }
    "size" {
        "long" [VALUES] "A long text after the value.", |m| { let times = m.draw.among(&[128, 300, 1100, 4200, 9000, 70_000]); let unit = m.draw.pick(&["a", "A", "%", "/", "0", " ", "\u{e9}"]); m.with(Text(vec![Piece::Own, Piece::Repeat(unit.into(), times)])) };
        "long-alone" [VALUES] "A long text in place of the value.", |m| { let times = m.draw.among(&[42, 44, 128, 129, 256, 1025, 4097, 8193, 66_000]); m.with(Text::repeat("a", times)) };
        "many-words" [&[Role::Scope]] "Very many words.", |m| { let times = m.draw.among(&[20, 200, 1100, 10_000]); let word = m.draw.pick(&["a ", "read ", "openid ", "x:y "]); m.with(Text(vec![Piece::Repeat(word.into(), times), Piece::Text("a".into())])) };
        "short" [VALUES] "One character.", |m| { let text = m.draw.pick(&["a", "0", "-", ".", "~", "%"]); m.with(Text::plain(text)) };
        "proof-length" [&[Role::Secret, Role::Challenge]] "As long as the shortest or longest proof, or one more or less.", |m| { let times = m.draw.among(&[0, 1, 42, 43, 44, 127, 128, 129]); m.with(Text::repeat("a", times)) };
        "long-header" [REQUEST] "A long header.", |m| { let times = m.draw.among(&[1000, 4100, 8200, 16_400]); let name = m.draw.pick(&["X-Long", "Accept", "Accept-Language", "Origin", "Referer", "User-Agent", "Cookie", "DPoP"]); Maker::header(name, Text::repeat("a", times)) };
    }
    "redirect" {
        "redirect-trick" [&[Role::Redirect]] "A redirect URI near the registered one, or far from it.", |m| { let text = trick(m); m.with(Text::plain(text)) };
        "redirect-trick-raw" [&[Role::Redirect]] "The same, with as little escaping as possible.", |m| {
            let text: String = trick(m).chars().map(|c| match c { ' ' => "%20".into(), '\t' => "%09".into(), '\n' => "%0a".into(), '\r' => "%0d".into(), '#' => "%23".into(), '&' => "%26".into(), '+' => "%2b".into(), '\0' => "%00".into(), c => c.to_string() }).collect();
            m.raw(Text::plain(text))
        };
        "heavy-uri" [&[Role::Redirect, Role::Resource]] "A URI that takes some parsers very long.", |m| {
            let (head, unit, tail) = m.draw.among(words::HEAVY_URIS);
            let times = m.draw.among(&[30, 120, 1000, 5000]);
            m.with(Text(vec![Piece::Text(head.into()), Piece::Repeat(unit.into(), times), Piece::Text(tail.into())]))
        };
        "heavy-uris" [&[Role::Redirect, Role::Resource]] "All of that in one URI.", |m| {
            let times = m.draw.among(&[30, 150, 600]);
            let units = words::HEAVY_URIS.iter().map(|(_, unit, _)| Piece::Repeat((*unit).into(), times));
            m.with(Text(std::iter::once(Piece::Text("https://a".into())).chain(units).collect()))
        };
        "markup-in-uri" [&[Role::Redirect]] "Markup in a foreign redirect URI.", |m| m.with(Text(vec![Piece::Text("https://attacker.example/".into()), Piece::Named("canary".into(), "html".into())]));
        "other-client" [&[Role::Redirect]] "The redirect URI of another client.", |m| m.with(Text::named("client-b", "redirect_uri"));
        "resource-trick" [&[Role::Resource]] "A resource near the right one.", |m| {
            let text = m.draw.pick(&["/", "#", "#x", "?", "?x=1", "/..", "/.", "//", "%00", ".attacker.example", "\u{200b}", " ", "x"]);
            m.with(Text::around("", text))
        };
        "resource-list" [&[Role::Resource]] "Several resources.", |m| {
            let other = m.draw.pick(&["https://attacker.example/", "urn:x", "", "x", "/"]);
            vec![Edit::With(m.name(), vec![Text::own(), Text::plain(other)])]
        };
    }
    "words" {
        "other-word" [&[Role::Choice]] "Another word.", |m| { let word = m.draw.pick(words::WORDS); m.with(Text::plain(word)) };
        "odd-word" [&[Role::Free, Role::Name, Role::Secret, Role::Scope, Role::Challenge]] "A word with a meaning in some language.", |m| { let word = m.draw.pick(words::WORDS); m.with(Text::plain(word)) };
        "own-word" [&[Role::Choice, Role::Scope]] "A word from the server's own metadata.", |m| { match m.draw.pick_owned(&m.dictionary.words) { Some(word) => m.with(Text::plain(word)), None => m.with(Text::plain("openid")) } };
        "scope-words" [&[Role::Scope]] "Scopes spelt oddly.", |m| {
            let text = m.draw.pick(&["read  write", " read", "read ", "read,write", "read+write", "READ", "read read", "read\twrite", "read\nwrite", "*", "read:*", "\"read\"", "read\\", "read\u{a0}write", "openid openid", "openid read", "offline_access", "root", "write openid read"]);
            m.with(Text::plain(text))
        };
        "markup" [&[Role::Free, Role::Name, Role::Scope, Role::Choice, Role::Challenge, Role::Redirect, Role::Json]] "Markup in place of the value.", |m| m.with(Text::named("canary", "html"));
        "markup-elsewhere" [REQUEST] "Markup in an optional parameter.", |m| {
            let name = m.draw.pick(&["display", "ui_locales", "login_hint", "nonce", "claims", "acr_values", "error", "error_description", "message", "title", "lang", "theme", "prompt", "response_mode", "request_uri", "hint", "brand", "_csrf"]);
            vec![Edit::With(name.into(), vec![Text::named("canary", "html")])]
        };
    }
    "authorization" {
        "optional" [REQUEST] "An optional parameter with a value nobody sends.", |m| { let (name, value) = m.draw.among(words::OPTIONAL); vec![Edit::With(name.into(), vec![Text::plain(value)])] };
        "by-post" [REQUEST] "The authorization request is posted.", |_| vec![Edit::With("@method".into(), vec![Text::plain("POST")])];
        "by-post-second-redirect" [REQUEST] "Posted, with a second redirect URI that is foreign.", |m| {
            let values = if m.draw.one_in(2) { vec![Text::own(), Text::plain("https://attacker.example/cb")] } else { vec![Text::plain("https://attacker.example/cb"), Text::own()] };
            vec![Edit::With("@method".into(), vec![Text::plain("POST")]), Edit::With("redirect_uri".into(), values)]
        };
        "foreign-and-wrong" [REQUEST] "A foreign redirect URI, and something else that is wrong: the error must not go there.", |m| {
            let (name, value) = m.draw.among(&[
                ("response_type", "x"), ("response_mode", "x"), ("scope", "oauthspec-x"), ("scope", "\""), ("resource", "https://attacker.example/"), ("resource", "#"),
                ("authorization_details", "x"), ("authorization_details", "[]"), ("prompt", "none"), ("prompt", "none login"), ("request", "x"), ("request_uri", "x"),
                ("code_challenge", "x"), ("code_challenge_method", "x"), ("claims", "{"), ("max_age", "x"), ("id_token_hint", "x"), ("nonce", ""), ("registration", "{}"), ("display", "x"), ("acr_values", ""),
            ]);
            vec![Edit::With("redirect_uri".into(), vec![Text::plain("https://attacker.example/cb")]), Edit::With(name.into(), vec![Text::plain(value)])]
        };
        "foreign-and-twice" [REQUEST] "A foreign redirect URI, and a repeated parameter.", |m| {
            let name = m.draw.pick(&["scope", "state", "response_type", "code_challenge", "nonce"]);
            vec![Edit::With("redirect_uri".into(), vec![Text::plain("https://attacker.example/cb")]), Edit::With(name.into(), vec![Text::plain("x"), Text::plain("y")])]
        };
        "response-type-mode" [REQUEST] "Another response type in another response mode.", |m| {
            let kind = m.draw.pick(&["token", "code token", "id_token", "none", "code id_token token", "code"]);
            let mode = m.draw.pick(&["query", "fragment", "form_post", "web_message", "jwt"]);
            vec![Edit::With("response_type".into(), vec![Text::plain(kind)]), Edit::With("response_mode".into(), vec![Text::plain(mode)])]
        };
        "mode-and-prompt" [REQUEST] "A response mode together with a prompt: the answer is made without a page, or with another one.", |m| {
            let mode = m.draw.pick(&["query", "fragment", "form_post", "web_message", "jwt"]);
            let prompt = m.draw.pick(&["none", "login", "consent", "select_account", "create", "none login"]);
            vec![Edit::With("response_mode".into(), vec![Text::plain(mode)]), Edit::With("prompt".into(), vec![Text::plain(prompt)])]
        };
        "no-proof" [REQUEST] "No code challenge at all.", |_| vec![Edit::Without("code_challenge".into()), Edit::Without("code_challenge_method".into())];
        "state-last" =equivalent [REQUEST] "The parameters come in another order: state last.", |_| vec![Edit::Without("state".into()), Edit::Raw("state".into(), Text::plain("oauthspec-state"))];
    }
    "authentication" {
        "optional" [REQUEST] "A parameter of another grant or another authentication method.", |m| { let (name, value) = m.draw.among(words::TOKEN_OPTIONAL); vec![Edit::With(name.into(), vec![Text::plain(value)])] };
        "all-optional" [REQUEST] "Every optional parameter that the request may carry; a resource may come twice (RFC 8707 §2).", |m| {
            let names: &[(&str, usize)] = match m.place.kind {
                Kind::Exchange | Kind::Refresh => &[("scope", 1), ("resource", 2)],
                Kind::Direct => &[("scope", 1)],
                _ => &[("token_type_hint", 1)],
            };
            names.iter().map(|(name, times)| Edit::With((*name).into(), vec![Text::own(); *times])).collect()
        };
        "made-up-secret" [REQUEST] "A secret from a client that has none, or the wrong one.", |m| { let text = m.draw.pick(&["x", "", "null", "undefined", "\u{0}", "secret"]); vec![Edit::With("client_secret".into(), vec![Text::plain(text)])] };
        "in-query" [PARAMETERS] "The parameter in the query instead of the body.", |m| vec![Edit::Without(m.name()), Edit::With(format!("@query.{}", m.place.name), vec![Text::own()])];
        "in-query-too" [REQUEST] "A parameter also in the query, with another value.", |m| {
            let name = m.draw.pick(&["code", "client_id", "grant_type", "refresh_token", "scope", "redirect_uri", "token", "code_verifier"]);
            vec![Edit::Raw("@query.x".into(), Text::plain(format!("1&{name}=oauthspec-x")))]
        };
        "basic" [REQUEST] "Basic credentials of every kind of brokenness.", |m| {
            let text = m.draw.pick(&["Basic", "Basic ", "Basic !!!", "Basic eA==", "Basic Og==", "Basic eDo=", "Basic OngK", "Basic eDp5OnoK", "Basic /////w==", "Basic eDp5%3d", "basic eDp5", "Basic eDp5,Basic eDp5", "Basic eDp5 x", "Bearer x", "Basic\teDp5", "Basic JTAwOiUwMA==", "Basic JXp6OiU=", "Basic  eDp5", "Basic gDqA"]);
            vec![Edit::With("@authorization".into(), vec![Text::plain(text)])]
        };
        "basic-twice" [REQUEST] "Two Authorization headers.", |_| vec![Edit::With("@header.Authorization".into(), vec![Text::plain("Basic eDp5"), Text::plain("Basic eDp6")])];
    }
    "body" {
        "content-type" [REQUEST] "Another content type.", |m| { let text = m.draw.pick(words::CONTENT_TYPES); vec![Edit::With("@content-type".into(), vec![Text::plain(text)])] };
        "content-type-parameter" [REQUEST] "The right content type with an odd parameter.", |m| {
            let base = if m.place.kind == Kind::Register { "application/json" } else { "application/x-www-form-urlencoded" };
            let text = m.draw.pick(&["; charset=utf-16", "; charset=x", "; charset", "; charset=\"", "; charset=utf-8; charset=x", ";;", "; boundary=x", "; =x", "; q=1, text/plain", "; charset=\u{fc}", "; charset=UTF-7", "; x=\"\\\"\""]);
            vec![Edit::With("@content-type".into(), vec![Text::plain(format!("{base}{text}"))])]
        };
        "heavy-content-type" [REQUEST] "A content type that takes some parsers very long.", |m| {
            let unit = m.draw.pick(&[" ", "; ", ";a", "; a=b", ";\t", "a/", "\"", "; a=\"\\", ","]);
            let times = m.draw.among(&[50, 400, 3000]);
            let base = if m.place.kind == Kind::Register { "application/json" } else { "application/x-www-form-urlencoded" };
            vec![Edit::With("@content-type".into(), vec![Text(vec![Piece::Text(base.into()), Piece::Repeat(unit.into(), times), Piece::Text("x".into())])])]
        };
        "content-type-twice" [REQUEST] "Two Content-Type headers.", |m| { let text = m.draw.pick(&["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]); Maker::header("Content-Type", Text::plain(text)) };
        "empty-body" [REQUEST] "No body.", |_| vec![Edit::With("@body".into(), vec![Text::plain("")])];
        "odd-body" [REQUEST] "A body of another kind.", |m| {
            let text = m.draw.pick(&["{}", "[]", "null", "{\"grant_type\":\"authorization_code\"}", "<x/>", "\u{feff}", "\u{feff}{}", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--", "=", "&", "\u{0}", "%", "a", "\"x\"", "{\"a\":1,\"a\":2}", "{", "[1,]", "1e400", "\"\\ud800\"", "{\"__proto__\":{}}"]);
            let kind = m.draw.pick(&["", "application/json", "text/plain"]);
            let mut edits = vec![Edit::With("@body".into(), vec![Text::plain(text)])];
            if !kind.is_empty() { edits.push(Edit::With("@content-type".into(), vec![Text::plain(kind)])); }
            edits
        };
        "deep-body" [REQUEST] "A JSON body nested deeply.", |m| {
            let unit = m.draw.pick(&["[", "{\"a\":", "[[", "{\"a\":["]);
            let times = m.draw.among(&[20, 70, 130, 1000, 20_000]);
            vec![Edit::With("@body".into(), vec![Text::repeat(unit, times)]), Edit::With("@content-type".into(), vec![Text::plain("application/json")])]
        };
        "marked-body" [&[Role::Request]] "The body begins with a byte order mark.", |_| vec![Edit::With("@body".into(), vec![Text::plain("\u{feff}grant_type=authorization_code")])];
    }
    "method" {
        "method" [REQUEST] "Another method.", |m| { let text = m.draw.pick(words::METHODS); vec![Edit::With("@method".into(), vec![Text::plain(text)])] };
    }
    "header" {
        "header" [REQUEST] "An unusual header.", |m| { let (name, value) = m.draw.among(words::HEADERS); Maker::header(name, Text::plain(value)) };
        "header-twice" [REQUEST] "A header twice.", |m| {
            let (name, one, two) = m.draw.among(&[("Authorization", "Bearer x", "Bearer y"), ("Authorization", "Basic eDp5", "Bearer x"), ("Content-Type", "text/plain", "application/json"), ("Accept", "text/html", "application/json"), ("Cookie", "a=1", "a=2"), ("Origin", "https://a.example", "https://b.example"), ("X-Forwarded-Host", "a.example", "b.example")]);
            vec![Edit::With(format!("@header.{name}"), vec![Text::plain(one), Text::plain(two)])]
        };
        "another-header" =equivalent [REQUEST] "A header nobody knows.", |m| { let n = m.draw.below(100); Maker::header("X-Oauthspec", Text::plain(n.to_string())) };
        "bearer" [&[Role::Bearer]] "The token in an odd credential.", |m| {
            let (before, after) = m.draw.among(&[("Bearer  ", ""), ("Bearer\t", ""), ("Bearer ", " "), ("Bearer ", ","), ("Bearer ", ", Bearer x"), ("Bearer \"", "\""), ("Bearer token=", ""), ("bearer=", ""), ("Bearer:", ""), ("Token ", ""), ("DPoP ", ""), ("Basic ", ""), ("", ""), ("Bearer", ""), ("Bearer Bearer ", ""), ("Bearer ", " x"), ("Bearer ", ";"), ("Bearer ", "."), ("Bearer ", "="), ("Bearer x,Bearer ", ""), (" Bearer ", "")]);
            vec![Edit::With("@authorization".into(), vec![Text::around(before, after)])]
        };
        "bearer-case" =equivalent [&[Role::Bearer]] "The scheme in another case.", |m| { let scheme = m.draw.pick(&["bearer ", "BEARER ", "bEARER "]); vec![Edit::With("@authorization".into(), vec![Text::around(scheme, "")])] };
        "bearer-twice" [&[Role::Bearer]] "Two Authorization headers, one of them right.", |m| {
            let other = m.draw.pick(&["Bearer x", "Basic eDp5", "Bearer", "", "x"]);
            vec![Edit::With("@header.Authorization".into(), vec![Text::plain(other)])]
        };
        "bearer-none" [&[Role::Bearer]] "No token at all.", |_| vec![Edit::Without("token".into())];
        "bearer-cut" [&[Role::Bearer]] "A token nobody issued.", |m| { let text = m.draw.pick(&["x", "e30.e30.", "..", ".", "a.b.c", "a.b.c.d.e", "null", "undefined", "e30.e30.e30", "eyJhbGciOiJub25lIn0.e30."]); m.with(Text::plain(text)) };
    }
    "json" {
        "json-value" [&[Role::Json]] "Another JSON value.", |m| { let text = m.draw.pick(words::JSON_VALUES); m.with(Text::plain(text)) };
        "json-in-array" [&[Role::Json]] "Another JSON value in the array.", |m| { let text = m.draw.pick(words::JSON_VALUES); m.with(Text::plain(format!("[{text}]"))) };
        "json-member" [&[Role::Json]] "A member of the valid text has another value.", |m| { let text = changed_member(m); m.with(Text::plain(text)) };
        "json-extra-member" [&[Role::Json]] "The valid text has one member more.", |m| {
            let name = m.draw.pick(&["__proto__", "constructor", "x", "", "$ref", "toString", "Type", "type ", "locations", "actions", "\\u0000"]);
            let value = m.draw.pick(words::JSON_VALUES);
            let text = m.json.replacen('{', &format!("{{\"{name}\":{value},"), 1);
            m.with(Text::plain(text))
        };
        "json-twice" [&[Role::Json]] "A member comes twice with two values.", |m| {
            let spelt = m.draw.pick(&["type", "\\u0074ype", "t\\u0079pe", "actions", "typ\\u0065", "\\u0061ctions"]);
            let value = m.draw.pick(&["\"x\"", "\"oauthspec\"", "null", "[]", "1", "\"records\"", "\"pay\"", "[\"x\"]"]);
            let text = if m.draw.one_in(2) { m.json.replacen('{', &format!("{{\"{spelt}\":{value},"), 1) } else { replace_last(m.json, '}', &format!(",\"{spelt}\":{value}}}")) };
            m.with(Text::plain(text))
        };
        "json-around" [&[Role::Json]] "Something before or after the valid text.", |m| {
            let (before, after) = m.draw.among(&[("\u{feff}", ""), ("", " x"), ("", ","), ("", "]"), ("", "[]"), ("// x\n", ""), ("/**/", ""), ("[", "]"), ("", "\u{0}"), ("\u{0}", ""), (")]}'\n", ""), ("", "\n\n"), ("\u{2028}", "")]);
            let text = format!("{before}{}{after}", m.json);
            m.with(Text::plain(text))
        };
        "json-deep" [&[Role::Json]] "JSON nested deeply.", |m| {
            let (open, close) = m.draw.among(&[("[", "]"), ("{\"type\":", "}"), ("[{\"type\":[", "]}]")]);
            let times = m.draw.among(&[8, 20, 65, 130, 1000, 8000]);
            m.with(Text(vec![Piece::Repeat(open.into(), times), Piece::Text("1".into()), Piece::Repeat(close.into(), times)]))
        };
        "json-many" [&[Role::Json]] "The valid object very often.", |m| {
            let inner = m.json.trim().trim_start_matches('[').trim_end_matches(']').to_owned();
            let times = m.draw.among(&[3, 50, 400]);
            m.with(Text(vec![Piece::Text("[".into()), Piece::Repeat(format!("{inner},"), times), Piece::Text(format!("{inner}]"))]))
        };
    }
    "json-body" {
        "member-value" [&[Role::Member]] "A member has another JSON value.", |m| { let text = m.draw.pick(words::JSON_VALUES); m.raw(Text::plain(text)) };
        "member-in-array" [&[Role::Member]] "A member is an array of something else.", |m| { let text = m.draw.pick(words::JSON_VALUES); m.raw(Text::plain(format!("[{text}]"))) };
        "member-omitted" [&[Role::Member]] "A member is left out.", |m| vec![Edit::Without(m.name())];
        "member-twice" [&[Role::Member]] "A member comes twice.", |m| { let value = m.draw.pick(&["null", "[]", "\"x\"", "[\"https://attacker.example/cb\"]", "{}"]); let name = m.name(); m.raw(Text(vec![Piece::Own, Piece::Text(format!(",\"{name}\":{value}"))])) };
        "member-uri" [&[Role::Member]] "A member has a URI that must not be one.", |m| { let text = m.draw.pick(words::METADATA_URIS); let json = serde_json::Value::from(text).to_string(); let json = if m.place.name.ends_with('s') { format!("[{json}]") } else { json }; m.raw(Text::plain(json)) };
        "member-look-alike" [&[Role::Member]] "A member is a text of odd characters.", |m| { let text = m.draw.pick(words::LOOK_ALIKES); m.raw(Text::plain(serde_json::Value::from(text).to_string())) };
        "member-long" [&[Role::Member]] "A member is very long.", |m| { let times = m.draw.among(&[257, 1100, 5000, 30_000]); m.raw(Text(vec![Piece::Text("\"".into()), Piece::Repeat("a".into(), times), Piece::Text("\"".into())])) };
        "member-many" [&[Role::Member]] "A member is an array of very many.", |m| { let times = m.draw.among(&[33, 300, 1500]); m.raw(Text(vec![Piece::Text("[".into()), Piece::Repeat("\"https://x.example/cb\",".into(), times), Piece::Text("\"https://x.example/cb\"]".into())])) };
        "member-deep" [&[Role::Member]] "A member is nested deeply.", |m| { let times = m.draw.among(&[9, 65, 130, 1000, 8000]); m.raw(Text(vec![Piece::Repeat("[".into(), times), Piece::Repeat("]".into(), times)])) };
        "member-markup" [&[Role::Member]] "A member is markup.", |m| m.with(Text::named("canary", "html"));
        "member-extra" [REQUEST] "A member nobody sends, or one that only the server may choose.", |m| { let name = m.draw.pick(words::MEMBERS); let value = if m.draw.one_in(3) { serde_json::Value::from(m.draw.pick(words::METADATA_URIS)).to_string() } else { m.draw.pick(words::JSON_VALUES).to_owned() }; vec![Edit::Raw(name.into(), Text::plain(value))] };
        "member-unknown" =equivalent [REQUEST] "A member nobody knows, which must be ignored.", |m| { let n = m.draw.below(100); vec![Edit::With(format!("oauthspec_{n}"), vec![Text::plain("x")])] };
        "body-around" [REQUEST] "A body that is nearly a registration.", |m| { let text = m.draw.pick(&["\u{feff}{\"redirect_uris\":[\"https://x.example/cb\"]}", "{\"redirect_uris\":[\"https://x.example/cb\"]}x", "[{\"redirect_uris\":[\"https://x.example/cb\"]}]", "{\"redirect_uris\":[\"https://x.example/cb\"],}", "{'redirect_uris':['https://x.example/cb']}", "{\"redirect_uris\":[\"https://x.example/cb\"]}{}", "", " ", "\u{0}"]); vec![Edit::With("@body".into(), vec![Text::plain(text)])] };
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

fn trick(m: &mut Maker<'_>) -> String {
    let [uri, scheme, authority, path] = m.redirect;
    m.draw
        .pick(words::REDIRECTS)
        .replace("{}", uri)
        .replace("{s}", scheme)
        .replace("{h}", authority)
        .replace("{p}", path)
}

fn replace_last(text: &str, what: char, with: &str) -> String {
    match text.rfind(what) {
        Some(at) => format!(
            "{}{with}{}",
            text.get(..at).unwrap_or_default(),
            text.get(at + what.len_utf8()..).unwrap_or_default()
        ),
        None => text.to_owned(),
    }
}

/// The valid text with the value of one member replaced.
fn changed_member(m: &mut Maker<'_>) -> String {
    let Ok(serde_json::Value::Array(items)) = serde_json::from_str(m.json) else {
        return "[]".into();
    };
    let Some(serde_json::Value::Object(members)) = items.first() else {
        return "[]".into();
    };
    let at = m.draw.below(members.len().max(1));
    let value = m.draw.pick(words::JSON_VALUES);
    let parts: Vec<String> = members
        .iter()
        .enumerate()
        .map(|(index, (name, own))| {
            let text = if index == at {
                value.to_owned()
            } else {
                own.to_string()
            };
            format!("{}:{text}", serde_json::Value::from(name.as_str()))
        })
        .collect();
    format!("[{{{}}}]", parts.join(","))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::place::places;
    use super::*;

    #[test]
    fn every_operator_has_a_name_of_its_own_in_its_group_and_says_what_it_does() {
        let mut seen = BTreeSet::new();
        for operator in TABLE {
            assert!(
                seen.insert((operator.group, operator.name)),
                "{}",
                operator.name
            );
            assert!(operator.doc.ends_with('.'), "{}", operator.name);
        }
    }

    #[test]
    fn every_operator_fits_somewhere_and_makes_edits() {
        let dictionary = Dictionary::default();
        let mut draw = Draw::new(7);
        for operator in TABLE {
            let place = Kind::ALL
                .into_iter()
                .flat_map(|kind| places(kind, true, true, true))
                .find(|place| operator.fits(*place));
            let place = place.unwrap_or_else(|| panic!("{} fits nowhere", operator.name));
            for _ in 0..50 {
                let deviation = operator.apply(&mut Maker {
                    draw: &mut draw,
                    dictionary: &dictionary,
                    place,
                    redirect: ["https://a.example/cb", "https", "a.example", "/cb"],
                    json: r#"[{"type":"pay","actions":["x"]}]"#,
                });
                assert!(!deviation.edits.is_empty(), "{}", operator.name);
            }
        }
    }
}
