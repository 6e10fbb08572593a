//! The fixtures are what they are said to be: every server starts and answers, and every known bug is in the one version
//! and not in the other. Without this a green run against them would prove nothing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

use crate::servers::Real;

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const FORM: &str = "application/x-www-form-urlencoded";

/// One answer, as far as these tests look.
struct Answer {
    status: u16,
    location: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// The parameter of this name in the redirect.
    fn redirected(&self, parameter: &str) -> Option<String> {
        let url = url::Url::parse(&self.location).ok()?;
        let mut query = url.query_pairs();
        let (_, value) = query.find(|(name, _)| name == parameter)?;
        Some(value.into_owned())
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .expect("a client without options of the outside")
}

async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("the server answers");
    let location = response.headers().get("location");
    Answer {
        status: response.status().as_u16(),
        location: location
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        body: response.text().await.expect("the body arrives"),
    }
}

async fn get(url: String) -> Answer {
    send(client().get(url)).await
}

async fn post(url: String, content_type: &str, body: String) -> Answer {
    let request = client().post(url).header("content-type", content_type);
    send(request.body(body)).await
}

/// Posts a form as a confidential client.
async fn post_as(url: String, (id, secret): (&str, &str), body: String) -> Answer {
    let request = client().post(url).basic_auth(id, Some(secret));
    send(request.header("content-type", FORM).body(body)).await
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

#[tokio::test]
async fn oidc_provider_publishes_its_metadata_in_both_modes() {
    for (mode, token) in [("hightop", "/oauth/token"), ("hasp", "/v1/oauth/token")] {
        let Some(server) = Real::start("oidc-provider", &[mode]) else {
            return;
        };
        let path = "/.well-known/oauth-authorization-server";
        let metadata = get(server.base() + path).await.json();
        assert_eq!(metadata["issuer"], server.base());
        assert_eq!(metadata["token_endpoint"], server.base() + token);
    }
}

#[tokio::test]
async fn node_oauth_shows_a_login_page_and_publishes_no_metadata() {
    let Some(server) = Real::start("node-oauth", &[]) else {
        return;
    };
    let login = get(server.base() + "/oauth/authorize?client_id=public-client").await;
    assert_eq!(login.status, 200);
    assert!(login.body.contains("name=password"), "{}", login.body);
    let metadata = get(server.base() + "/.well-known/oauth-authorization-server").await;
    assert_eq!(metadata.status, 404);
}

/// Registers a public client and gives its identifier.
async fn register(base: &str) -> String {
    let client = json!({
        "client_name": "test",
        "redirect_uris": ["https://client.example/cb"],
        "token_endpoint_auth_method": "none",
    });
    let url = format!("{base}/register");
    let answer = post(url, "application/json", client.to_string()).await;
    let registered = answer.json();
    registered["client_id"]
        .as_str()
        .expect("a client_id")
        .to_owned()
}

#[tokio::test]
async fn workers_sends_a_code_to_an_unregistered_uri_in_0_0_4_only() {
    for (version, has_bug) in [("0.0.4", true), ("0.0.5", false)] {
        let Some(server) = Real::start("known-bugs/workers", &[version]) else {
            return;
        };
        let id = register(&server.base()).await;
        let authorize = async |redirect_uri| {
            let query = query(&[
                ("response_type", "code"),
                ("client_id", &id),
                ("redirect_uri", redirect_uri),
                ("scope", "read"),
                ("state", "s"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ]);
            get(format!("{}/authorize?{query}", server.base())).await
        };
        let control = authorize("https://client.example/cb").await;
        assert!(
            control.location.starts_with("https://client.example/cb?"),
            "{version}"
        );
        assert!(control.redirected("code").is_some(), "{version}");
        let attack = authorize("https://attacker.example/cb").await;
        assert_eq!(attack.redirected("code").is_some(), has_bug, "{version}");
    }
}

#[tokio::test]
async fn workers_answers_an_odd_content_type_with_500_in_0_8_2_only() {
    for (version, expected) in [("0.8.2", 500), ("0.8.3", 400)] {
        let Some(server) = Real::start("known-bugs/workers", &[version]) else {
            return;
        };
        let id = register(&server.base()).await;
        let body = query(&[
            ("grant_type", "authorization_code"),
            ("client_id", &id),
            ("code", "x"),
        ]);
        let url = server.base() + "/token";
        let control = post(url.clone(), FORM, body.clone()).await;
        assert_eq!(control.status, 400, "{version}");
        let odd = post(url, &format!("text/plain; x={FORM}"), body).await;
        assert_eq!(odd.status, expected, "{version}: {}", odd.body);
    }
}

#[tokio::test]
async fn node_oauth_redeems_a_plain_challenge_in_5_2_1_only() {
    for (version, has_bug) in [("5.2.1", true), ("5.3.0", false)] {
        let Some(server) = Real::start("known-bugs/node-oauth", &[version]) else {
            return;
        };
        let redeems = async |pkce: &[(&str, &str)]| {
            let mut request = vec![
                ("response_type", "code"),
                ("client_id", "pub"),
                ("redirect_uri", "https://client.example/cb"),
                ("state", "s"),
            ];
            request.extend(pkce);
            let authorized = get(format!("{}/authorize?{}", server.base(), query(&request))).await;
            let Some(code) = authorized.redirected("code") else {
                return false;
            };
            let redemption = query(&[
                ("grant_type", "authorization_code"),
                ("client_id", "pub"),
                ("code", &code),
                ("redirect_uri", "https://client.example/cb"),
                ("code_verifier", VERIFIER),
            ]);
            let answer = post(server.base() + "/token", FORM, redemption).await;
            answer.json()["access_token"].is_string()
        };
        let s256 = [
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        assert!(redeems(&s256).await, "{version}: control");
        let plain = [
            ("code_challenge", VERIFIER),
            ("code_challenge_method", "plain"),
        ];
        assert_eq!(redeems(&plain).await, has_bug, "{version}: plain");
        let without = [("code_challenge", VERIFIER)];
        assert_eq!(redeems(&without).await, has_bug, "{version}: no method");
    }
}

#[tokio::test]
async fn jmondi_lets_a_client_revoke_anothers_token_in_4_0_5_only() {
    for (version, has_bug) in [("4.0.5", true), ("4.2.2", false)] {
        let Some(server) = Real::start("known-bugs/jmondi", &[version]) else {
            return;
        };
        let owner = ("cc1", server.secret("CC1_SECRET"));
        let other = ("cc2", server.secret("CC2_SECRET"));
        let dead_after_revocation_by = async |client| {
            let wanted = query(&[("grant_type", "client_credentials"), ("scope", "read")]);
            let issued = post_as(server.base() + "/token", owner, wanted).await;
            let token = issued.json()["access_token"]
                .as_str()
                .expect("a token")
                .to_owned();
            let named = query(&[("token_type_hint", "access_token"), ("token", &token)]);
            let introspect = server.base() + "/introspect";
            let before = post_as(introspect.clone(), owner, named.clone()).await;
            assert_eq!(before.json()["active"], true, "{version}");
            post_as(server.base() + "/revoke", client, named.clone()).await;
            let after = post_as(introspect, owner, named).await;
            after.json()["active"] == false
        };
        assert!(dead_after_revocation_by(owner).await, "{version}: control");
        assert_eq!(dead_after_revocation_by(other).await, has_bug, "{version}");
    }
}

#[tokio::test]
async fn fast_jwt_takes_a_list_of_issuers_in_5_0_5_only() {
    for (version, has_bug) in [("5.0.5", true), ("5.0.6", false)] {
        let Some(server) = Real::start("known-bugs/fast-jwt", &[version]) else {
            return;
        };
        let status = async |issuer: Value| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let claims = json!({
                "iss": issuer,
                "aud": server.base() + "/api",
                "sub": "alice",
                "exp": now.expect("after 1970").as_secs() + 600,
            });
            let token = hs256(&claims, server.secret("ISSUER_SECRET"));
            let request = client().get(server.base() + "/api").bearer_auth(token);
            send(request).await.status
        };
        let attacker = "https://attacker.example";
        assert_eq!(status(json!(server.base())).await, 200, "{version}");
        assert_eq!(status(json!(attacker)).await, 401, "{version}");
        let list = json!([attacker, server.base()]);
        assert_eq!(status(list).await == 200, has_bug, "{version}");
    }
}

/// A compact JWS with HMAC SHA-256 (RFC 7515 appendix A.1).
fn hs256(claims: &Value, secret: &str) -> String {
    let encode = |value: &Value| BASE64URL.encode(value.to_string());
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let input = format!("{}.{}", encode(&header), encode(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, input.as_bytes());
    format!("{input}.{}", BASE64URL.encode(signature))
}

#[tokio::test]
async fn express_is_kept_busy_by_a_bracketed_length_in_4_17_1_only() {
    for (version, has_bug) in [("4.17.1", true), ("4.17.3", false)] {
        let Some(server) = Real::start("known-bugs/express", &[version]) else {
            return;
        };
        let token = server.base() + "/token";
        let cc1 = ("cc1", server.secret("CC1_SECRET"));
        let grant = query(&[("grant_type", "client_credentials")]);
        let control = post_as(token.clone(), cc1, grant).await;
        assert!(control.json()["access_token"].is_string(), "{version}");
        let trap = "grant_type[__proto__]=b&grant_type[__proto__]&grant_type[length]=100000000";
        let request = client()
            .post(token)
            .basic_auth(cc1.0, Some(cc1.1))
            .header("content-type", FORM)
            .timeout(Duration::from_secs(3))
            .body(trap);
        let answered = request.send().await.is_ok();
        assert_eq!(!answered, has_bug, "{version}");
    }
}
