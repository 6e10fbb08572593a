//! What a correct server may make of a request, read off the request as it is sent.
//!
//! A *guard* is something without which a request must not succeed: the verifier of the code, the
//! live token, the client's secret. It is violated when **no** value in the request satisfies it,
//! whichever of several a server may read: so leniency is not called a fault, and whatever is called
//! one is. Soft guards are those a server may lawfully lack (a redirect URI at the token endpoint, a
//! known resource); they count once the plain violation was seen to be refused.

mod facts;

pub use facts::Facts;

use crate::targets::model::Client;

/// A guard's name, as in findings.
pub type Guard = &'static str;

/// The soft guard of a refresh token that was rotated away: some servers go on taking it for a while, so that a client
/// that lost an answer can try again.
pub const SPENT: Guard = "spent refresh token";

/// Parameters that every server reads: common parsers stop after a thousand.
const MOST_READ: usize = 500;

/// What was violated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations {
    /// No server may accept this.
    pub hard: Vec<Guard>,
    /// No server that enforces the guard may.
    pub soft: Vec<Guard>,
    /// A parameter came more than once with different values: which of them counts is anybody's guess.
    pub ambiguous: Vec<String>,
    /// A guard is satisfied only for a lenient reader: a strict one may lawfully not see what is meant.
    pub lenient: bool,
    /// Whoever reads it so sees a lawful request of another kind, about which nothing else is asked.
    pub itself: bool,
}

impl Violations {
    /// Nothing is wrong.
    pub fn none(&self) -> bool {
        self.hard.is_empty() && self.soft.is_empty() && self.ambiguous.is_empty()
    }
}

/// Whether the request is, to whoever reads it so, a lawful one of another kind: a confidential client
/// that asks for a token for itself (RFC 6749 §4.4).
fn for_itself(facts: &Facts<'_>, client: &Client) -> bool {
    client.secret.is_some()
        && facts.client(client)
        && facts
            .values("grant_type")
            .any(|kind| kind.trim().eq_ignore_ascii_case("client_credentials"))
}

/// What a redemption needs.
pub struct Redemption<'m> {
    /// The code.
    pub code: &'m str,
    /// Its verifier, when a challenge was sent.
    pub verifier: Option<&'m str>,
    /// The redirect URI of the authorization request.
    pub redirect_uri: Option<&'m str>,
    /// The resource asked for.
    pub resource: Option<&'m str>,
    /// Whose code it is.
    pub client: &'m Client,
}

/// RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 8707 §2.2.
pub fn redemption(facts: &Facts<'_>, need: &Redemption<'_>) -> Violations {
    let mut found = Violations {
        ambiguous: facts.ambiguous(&[
            "grant_type",
            "code",
            "redirect_uri",
            "client_id",
            "code_verifier",
            "client_secret",
        ]),
        ..Violations::default()
    };
    if for_itself(facts, need.client) {
        return Violations {
            itself: true,
            ..Violations::default()
        };
    }
    if !facts.has("code", need.code) {
        found.hard.push("code");
    }
    if need
        .verifier
        .is_some_and(|verifier| !facts.has("code_verifier", verifier))
    {
        found.hard.push("code_verifier");
    }
    if !facts.client(need.client) {
        found.hard.push("client");
    }
    if let Some(uri) = need.redirect_uri
        && facts.exactly("redirect_uri").next().is_some()
        && !facts.has("redirect_uri", uri)
    {
        found.soft.push("redirect_uri");
    }
    if !facts.has("grant_type", "authorization_code") {
        found.soft.push("grant_type");
    }
    resource(facts, need.resource, &mut found);
    found
}

/// RFC 6749 §6.
pub fn renewal(facts: &Facts<'_>, token: &str, asked: Option<&str>, client: &Client) -> Violations {
    let mut found = Violations {
        ambiguous: facts.ambiguous(&[
            "grant_type",
            "refresh_token",
            "client_id",
            "client_secret",
            "scope",
        ]),
        ..Violations::default()
    };
    if for_itself(facts, client) {
        return Violations {
            itself: true,
            ..Violations::default()
        };
    }
    if !facts.has("refresh_token", token) {
        found.hard.push("refresh_token");
    }
    if !facts.client(client) {
        found.hard.push("client");
    }
    if !facts.has("grant_type", "refresh_token") {
        found.soft.push("grant_type");
    }
    resource(facts, asked, &mut found);
    found
}

fn resource(facts: &Facts<'_>, granted: Option<&str>, found: &mut Violations) {
    let Some(granted) = granted else {
        return;
    };
    // What stands behind very many parameters is not read by every server, and so not asked for.
    if facts.pairs.len() > MOST_READ {
        return;
    }
    if facts.exactly("resource").any(|value| value != granted) {
        found.soft.push("resource");
    }
}

/// RFC 6749 §4.4.2.
pub fn direct(facts: &Facts<'_>, client: &Client) -> Violations {
    let mut found = Violations {
        ambiguous: facts.ambiguous(&["grant_type", "client_id", "client_secret", "scope"]),
        ..Violations::default()
    };
    if !facts.client(client) {
        found.hard.push("client");
    }
    if !facts.has("grant_type", "client_credentials") {
        found.soft.push("grant_type");
    }
    found
}

/// RFC 7009 §2.1, RFC 7662 §2.1.
pub fn about_token(facts: &Facts<'_>, token: &str, client: &Client) -> Violations {
    let mut found = Violations {
        ambiguous: facts.ambiguous(&["token", "client_id", "client_secret"]),
        ..Violations::default()
    };
    found.lenient = facts.unclean || !facts.exactly("token").eq([token]);
    if !facts.has("token", token) {
        found.hard.push("token");
    }
    if !facts.client(client) {
        found.hard.push("client");
    }
    found
}

/// RFC 6750 §2.1: the token in the header, scheme in any case. Padding behind a token that is decoded anyway (RFC 7515
/// §2 has none, and many decoders take some) makes no other token of it.
pub fn call(facts: &Facts<'_>, token: &str) -> Violations {
    let mut found = Violations::default();
    let shown = facts.authorization.iter().any(|value| {
        let value = value.trim();
        value.split_once([' ', '\t']).is_some_and(|(scheme, rest)| {
            scheme.eq_ignore_ascii_case("bearer")
                && rest.trim().trim_end_matches('=') == token.trim_end_matches('=')
        })
    });
    if !shown {
        found.hard.push("token");
    }
    found
}

/// What an authorization request needs.
pub struct Authorization<'m> {
    /// The acting client.
    pub client: &'m Client,
    /// Resource identifiers there are.
    pub resources: Vec<&'m str>,
    /// Authorization detail types there are.
    pub types: Vec<String>,
    /// Whether a challenge must come along.
    pub proof: bool,
}

/// RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2, RFC 9396 §5. The redirect URI has an oracle of its own.
pub fn authorization(facts: &Facts<'_>, need: &Authorization<'_>) -> Violations {
    let mut found = Violations {
        ambiguous: facts.ambiguous(&[
            "response_type",
            "client_id",
            "redirect_uri",
            "scope",
            "code_challenge",
            "code_challenge_method",
            "state",
            "authorization_details",
        ]),
        ..Violations::default()
    };
    if need
        .client
        .id
        .as_deref()
        .is_some_and(|id| !facts.has("client_id", id))
    {
        found.hard.push("client_id");
    }
    if !facts
        .values("response_type")
        .any(|value| value.split_whitespace().any(|word| word == "code"))
    {
        found.soft.push("response_type");
    }
    if need.proof {
        let sound = |value: &str| {
            (43..=128).contains(&value.len())
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        if !facts.values("code_challenge").any(sound) {
            found.soft.push("code_challenge");
        }
        if !facts
            .values("code_challenge_method")
            .any(|value| value.eq_ignore_ascii_case("S256"))
        {
            found.soft.push("code_challenge_method");
        }
    }
    if !need.resources.is_empty()
        && facts
            .exactly("resource")
            .any(|value| !need.resources.contains(&value))
    {
        found.soft.push("resource");
    }
    let details: Vec<&str> = facts.exactly("authorization_details").collect();
    if !details.is_empty() && !details.iter().any(|text| sound_details(text, &need.types)) {
        // Of a member that comes twice, which one counts is as open as with a parameter.
        if details.iter().any(|text| repeats(text)) {
            found.ambiguous.push("authorization_details".into());
        } else {
            found.soft.push("authorization_details");
        }
    }
    found
}

/// Whether a member of a JSON text comes twice.
fn repeats(text: &str) -> bool {
    wire::json::scan(text.as_bytes(), wire::json::Limits::default())
        .is_ok_and(|document| !document.duplicates.is_empty())
}

/// A JSON array of objects, no member twice, every type a known one.
fn sound_details(text: &str, types: &[String]) -> bool {
    let Ok(document) = wire::json::scan(text.as_bytes(), wire::json::Limits::default()) else {
        return false;
    };
    if !document.duplicates.is_empty() || document.bom {
        return false;
    }
    let Some(items) = document.value.as_array() else {
        return false;
    };
    !items.is_empty()
        && items.iter().all(|item| {
            item.get("type")
                .and_then(wire::json::Value::as_str)
                .is_some_and(|kind| types.iter().any(|known| known == kind))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;

    use crate::targets::model::{ClientAuth, ClientKind};
    use crate::transport::Request;

    fn client(auth: ClientAuth) -> Client {
        Client {
            name: "a".into(),
            register: false,
            id: Some("id".into()),
            secret: (auth != ClientAuth::None).then(|| "se cret".into()),
            auth,
            kind: ClientKind::Public,
            redirect_uris: vec![],
        }
    }

    fn request(body: &str) -> Request {
        Request::post(
            "http://h/token?x=1",
            "application/x-www-form-urlencoded",
            body.into(),
        )
    }

    fn redeemed(body: &str) -> Violations {
        redemption(
            &Facts::of(&request(body)),
            &Redemption {
                code: "c",
                verifier: Some("v"),
                redirect_uri: Some("u"),
                resource: None,
                client: &client(ClientAuth::None),
            },
        )
    }

    #[test]
    fn a_correct_redemption_violates_nothing_however_it_is_spelt() {
        for body in [
            "grant_type=authorization_code&code=c&code_verifier=v&client_id=id&redirect_uri=u",
            "client_id=id&code=%63&x=1&code_verifier=v&grant_type=authorization%5fcode",
            "CODE=c&code_verifier[]=%2576&client_id=id&grant_type=authorization_code",
        ] {
            assert!(redeemed(body).none(), "{body}: {:?}", redeemed(body));
        }
    }

    #[test]
    fn a_guard_is_violated_when_no_value_satisfies_it() {
        let found = redeemed(
            "grant_type=authorization_code&code=c%00&code_verifier=vx&client_id=id&redirect_uri=w",
        );
        assert_eq!(found.hard, ["code", "code_verifier"]);
        assert_eq!(found.soft, ["redirect_uri"]);
        let found = redeemed(
            "grant_type=authorization_code&code=c&code_verifier=x&code_verifier=v&client_id=id",
        );
        assert_eq!(found.hard, [] as [&str; 0]);
        assert_eq!(found.ambiguous, ["code_verifier"]);
    }

    #[test]
    fn a_confidential_client_may_ask_for_a_token_for_itself_whatever_else_it_sends() {
        let client = client(ClientAuth::Post);
        let renewed = |body| renewal(&Facts::of(&request(body)), "t", None, &client);
        let found = renewed(
            "grant_type=client_credentials&refresh_token=x&client_id=id&client_secret=se+cret",
        );
        assert!(found.itself && found.none());
        assert_eq!(
            renewed("grant_type=client_credentials&refresh_token=x&client_id=id").hard,
            ["refresh_token", "client"]
        );
    }

    #[test]
    fn what_stands_behind_a_hash_was_perhaps_never_sent() {
        let client = client(ClientAuth::None);
        let asked = |query: &str| {
            let request = Request::get(format!("http://h/authorize?{query}"));
            let need = Authorization {
                client: &client,
                resources: vec!["r"],
                types: vec!["pay".into()],
                proof: false,
            };
            authorization(&Facts::of(&request), &need)
        };
        let plain = "client_id=id&response_type=code&resource=";
        assert_eq!(asked(&format!("{plain}x&state=1")).soft, ["resource"]);
        for query in [
            "r#x",
            "r&z=#&resource=x&authorization_details=%",
            "r&state=1#&state=2",
            "#",
        ] {
            let found = asked(&format!("{plain}{query}"));
            assert!(found.none(), "{query}: {found:?}");
        }
        // What is needed counts wherever it stands.
        assert!(asked("#&client_id=id&response_type=code").none());
        assert_eq!(asked("response_type=code#&client_id=x").hard, ["client_id"]);
    }

    #[test]
    fn a_secret_counts_in_the_header_and_in_the_body() {
        let client = client(ClientAuth::Basic);
        let mut request = Request::post(
            "http://h/",
            "application/x-www-form-urlencoded",
            b"token=t".to_vec(),
        );
        assert_eq!(
            about_token(&Facts::of(&request), "t", &client).hard,
            ["client"]
        );
        let credentials = base64::engine::general_purpose::STANDARD.encode("id:se+cret");
        request
            .headers
            .push(("authorization".into(), format!("Basic {credentials}")));
        assert!(about_token(&Facts::of(&request), "t", &client).none());
    }

    #[test]
    fn details_with_a_member_twice_are_not_sound_even_when_it_is_spelt_otherwise() {
        let types = ["pay".to_owned()];
        assert!(sound_details(r#"[{"type":"pay"}]"#, &types));
        for text in [
            r#"[{"type":"x","type":"pay"}]"#,
            r#"[{"t\u0079pe":"x","type":"pay"}]"#,
            "[]",
            "[1]",
            r#"{"type":"pay"}"#,
            r#"[{"type":"x"}]"#,
        ] {
            assert!(!sound_details(text, &types), "{text}");
        }
    }
}
