//! JWT access tokens (RFC 9068).

use aws_lc_rs::hmac;
use jose::{Alg, Error, Jwks, Token};
use serde_json::Value as Json;

use super::token::success;
use super::view::{View, quote, scope_text, words};
use super::{Check, Finding, Look};

pub(super) const CHECKS: &[Check] = &[
    Check("jwt-header", Look::At(header)),
    Check("jwt-claims", Look::At(claims)),
    Check("jwt-consistent", Look::At(consistent)),
    Check("jwt-verifies", Look::At(verifies)),
    Check("jwt-secret-not-guessable", Look::At(not_guessable)),
];

/// The step's access token as a JWT.
fn token(view: &View<'_>) -> Result<Token, Finding> {
    let token = success(view)?.field("access_token").unwrap_or_default();
    if !wire::jwt::looks_like_jwt(token) {
        return Err(Finding::not_applicable("the access token is not a JWT"));
    }
    Token::parse(token)
        .map_err(|error| Finding::fail(format!("the access token cannot be read: {error}")))
}

fn keys(view: &View<'_>) -> Result<Jwks, Finding> {
    let jwks = view
        .jwks
        .ok_or_else(|| Finding::undecided("no key set of the server is known"))?;
    Jwks::from_json(jwks).map_err(|error| Finding::undecided(format!("the key set: {error}")))
}

fn header(view: &View<'_>) -> Result<Finding, Finding> {
    let token = token(view)?;
    let alg = token.header_str("alg").unwrap_or_default();
    if alg.eq_ignore_ascii_case("none") || alg.is_empty() {
        return Err(Finding::fail(format!("`alg` is {}", quote(alg))));
    }
    if alg.starts_with("HS") {
        return Err(Finding::warn(format!(
            "`alg` is {alg}: whoever verifies the token can forge it"
        )));
    }
    let Some(kid) = token.header_str("kid") else {
        return Err(Finding::warn("the header has no `kid`"));
    };
    let keys = keys(view)?;
    if !keys.keys().iter().any(|key| key.kid() == Some(kid)) {
        return Err(Finding::fail(format!(
            "`kid` {} is not in the key set",
            quote(kid)
        )));
    }
    let typ = token.header_str("typ").unwrap_or_default();
    let known = ["at+jwt", "application/at+jwt"]
        .iter()
        .any(|good| typ.eq_ignore_ascii_case(good));
    if !known {
        return Err(Finding::warn(format!(
            "`typ` is {}, not at+jwt",
            quote(typ)
        )));
    }
    Ok(Finding::pass(format!("at+jwt, {alg}, a known `kid`")))
}

fn claims(view: &View<'_>) -> Result<Finding, Finding> {
    let token = token(view)?;
    let claim = |name: &str| token.claims.get(name);
    let is_text = |name: &str| claim(name).is_some_and(Json::is_string);
    for name in ["iss", "sub", "jti"] {
        if !is_text(name) {
            return Err(Finding::fail(format!("there is no string `{name}`")));
        }
    }
    for name in ["exp", "iat"] {
        if !claim(name).is_some_and(Json::is_number) {
            return Err(Finding::fail(format!("there is no number `{name}`")));
        }
    }
    let audience = match claim("aud") {
        Some(Json::String(_)) => true,
        Some(Json::Array(items)) => items.iter().all(Json::is_string),
        _ => false,
    };
    if !audience {
        return Err(Finding::fail("`aud` is no string and no array of strings"));
    }
    if !is_text("client_id") {
        return Err(if claim("client_id").is_none() && is_text("azp") {
            Finding::warn("the client is named by `azp`, not by `client_id`")
        } else {
            Finding::fail("there is no string `client_id`")
        });
    }
    if claim("scope").is_none() && claim("scp").is_some() {
        return Err(Finding::warn("the scope is named by `scp`, not by `scope`"));
    }
    Ok(Finding::pass("the claims of RFC 9068 are there"))
}

fn consistent(view: &View<'_>) -> Result<Finding, Finding> {
    let token = token(view)?;
    let differs = |name: &str, got: &str, expected: &str| {
        Finding::fail(format!(
            "`{name}` is {}, expected {}",
            quote(got),
            quote(expected)
        ))
    };
    let iss = token.claim_str("iss").unwrap_or_default();
    if iss != view.target.issuer {
        return Err(differs("iss", iss, &view.target.issuer));
    }
    let client = token.claim_str("client_id").or(token.claim_str("azp"));
    if let (Some(got), Some(expected)) =
        (client, view.client.and_then(|client| client.id.as_deref()))
        && got != expected
    {
        return Err(differs("client_id", got, expected));
    }
    let number = |name: &str| token.claims.get(name).and_then(Json::as_f64);
    let told = view
        .outcome
        .field("expires_in")
        .and_then(|text| text.parse::<f64>().ok());
    if let (Some(exp), Some(iat), Some(told)) = (number("exp"), number("iat"), told)
        && (exp - iat - told).abs() > 60.0
    {
        return Err(Finding::fail(format!(
            "`exp` − `iat` is {} s, and `expires_in` {told} s",
            exp - iat
        )));
    }
    let inner = ["scope", "scp"]
        .iter()
        .find_map(|name| scope_text(token.claims.get(*name)?));
    if let (Some(inner), Some(outer)) = (&inner, view.outcome.field("scope"))
        && words(inner) != words(outer)
    {
        return Err(Finding::fail(format!(
            "the token's scope is {}, and the answer's {}",
            quote(inner),
            quote(outer)
        )));
    }
    if let Some(jti) = token.claim_str("jti") {
        let own = view.outcome.field("access_token");
        let twin = view.earlier().iter().find(|earlier| {
            earlier
                .field("access_token")
                .filter(|other| Some(*other) != own)
                .and_then(|other| Token::parse(other).ok())
                .is_some_and(|other| other.claim_str("jti") == Some(jti))
        });
        if let Some(twin) = twin {
            return Err(Finding::fail(format!(
                "`jti` {} is that of the token of step {}",
                quote(jti),
                twin.label
            )));
        }
    }
    Ok(Finding::pass("the token agrees with the answer"))
}

fn verifies(view: &View<'_>) -> Result<Finding, Finding> {
    let token = token(view)?;
    let keys = keys(view)?;
    match token.verify(&keys, Alg::ALL) {
        Ok(()) => Ok(Finding::pass("the signature verifies")),
        Err(Error::NoKey) => Err(Finding::warn("no published key is for this token")),
        Err(error) => Err(Finding::fail(format!(
            "the signature does not verify: {error}"
        ))),
    }
}

/// Secrets that stand in tutorials and default configurations.
const GUESSES: &[&str] = &[
    "",
    "secret",
    "Secret",
    "SECRET",
    "mysecret",
    "my-secret",
    "my_secret",
    "supersecret",
    "super-secret",
    "super_secret",
    "topsecret",
    "password",
    "passwd",
    "changeme",
    "change-me",
    "changeit",
    "default",
    "test",
    "testing",
    "dev",
    "development",
    "production",
    "key",
    "mykey",
    "my-key",
    "jwt",
    "jwtsecret",
    "jwt-secret",
    "jwt_secret",
    "jwt-key",
    "token",
    "admin",
    "root",
    "qwerty",
    "123456",
    "12345678",
    "1234567890",
    "letmein",
    "private",
    "privatekey",
    "signing-key",
    "signingkey",
    "hmac",
    "shhhhh",
    "keyboard cat",
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    "your_secret",
    "your-secret",
    "your_jwt_secret",
    "secretkey",
    "secret-key",
    "secret_key",
    "SECRET_KEY",
    "JWT_SECRET",
    "oauth",
    "oauth2",
    "example",
    "null",
    "undefined",
];

fn not_guessable(view: &View<'_>) -> Result<Finding, Finding> {
    let jwt = token(view)?;
    let alg = jwt.header_str("alg").unwrap_or_default();
    let algorithm = match alg {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        other => {
            return Err(Finding::not_applicable(format!(
                "`alg` is {}: no shared secret signs this token",
                quote(other)
            )));
        }
    };
    let text = view.outcome.field("access_token").unwrap_or_default();
    let parts = wire::jwt::split(text)
        .ok_or_else(|| Finding::undecided("the token cannot be taken apart"))?;
    let signature = wire::jwt::decode_segment(parts.signature)
        .ok_or_else(|| Finding::undecided("the signature is not base64url"))?;
    let input = parts.signing_input();
    let opens = |secret: &str| {
        let key = hmac::Key::new(algorithm, secret.as_bytes());
        hmac::verify(&key, input.as_bytes(), &signature).is_ok()
    };
    let client = view.client;
    let own = [
        (
            "the client's identifier",
            client.and_then(|client| client.id.as_deref()),
        ),
        (
            "the client's secret",
            client.and_then(|client| client.secret.as_deref()),
        ),
    ];
    for (what, secret) in own {
        if secret.is_some_and(opens) {
            return Err(Finding::fail(format!("{what} signs the token")));
        }
    }
    match GUESSES.iter().find(|guess| opens(guess)) {
        Some(guess) => Err(Finding::fail(format!(
            "the token is signed with {}",
            quote(guess)
        ))),
        None => Ok(Finding::pass(format!(
            "{alg}, and none of {} usual secrets signs it",
            GUESSES.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, of, quoted_jwt};
    use crate::check::Found::{Fail, NotApplicable, Pass, Undecided, Warn};
    use serde_json::{Map, Value, json};

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    /// A grant of this token, whose key the server publishes.
    fn signed(header: Value, claims: Value) -> Stage {
        let key = jose::SigningKey::generate(jose::Alg::ES256);
        let mut stage = granted(&key.sign(&map(header), &map(claims)));
        stage.jwks = Some(key.public_jwks());
        stage
    }

    fn granted(token: &str) -> Stage {
        let mut stage = Stage::new();
        stage.grant(&json!({"access_token": token, "expires_in": 300, "scope": "a"}).to_string());
        stage
    }

    fn good() -> Value {
        json!({"iss": "https://as.example/t", "sub": "alice", "aud": "x", "client_id": "app-a",
            "jti": "1", "iat": 1000, "exp": 1300, "scope": "a"})
    }

    fn but(name: &str, value: Value) -> Value {
        let mut claims = map(good());
        claims.insert(name.into(), value);
        Value::Object(claims)
    }

    #[test]
    fn an_opaque_token_is_left_alone() {
        for check in ["jwt-header", "jwt-claims", "jwt-verifies", "jwt-consistent"] {
            assert_eq!(of(check, &granted("opaque")), NotApplicable, "{check}");
            assert_eq!(of(check, &Stage::silent()), Undecided, "{check}");
        }
    }

    #[test]
    fn the_header_says_what_the_token_is() {
        let check = "jwt-header";
        assert_eq!(of(check, &signed(json!({"typ": "at+JWT"}), good())), Pass);
        assert_eq!(of(check, &signed(json!({"typ": "JWT"}), good())), Warn);
        assert_eq!(
            of(
                check,
                &signed(json!({"typ": "at+jwt", "kid": "no"}), good())
            ),
            Fail
        );
        assert_eq!(
            of(
                check,
                &signed(json!({"typ": "at+jwt", "alg": "none"}), good())
            ),
            Fail
        );
        let hs = jose::sign_hs256(&Map::new(), &map(good()), b"x");
        assert_eq!(of(check, &granted(&hs)), Warn);
    }

    #[test]
    fn the_claims_are_there() {
        let with = |claims: Value| of("jwt-claims", &granted_claims(claims));
        assert_eq!(with(good()), Pass);
        assert_eq!(with(but("exp", json!("soon"))), Fail);
        assert_eq!(with(but("aud", json!(7))), Fail);
        assert_eq!(with(but("sub", Value::Null)), Fail);
        let mut azp = map(good());
        azp.remove("client_id");
        azp.insert("azp".into(), json!("app-a"));
        assert_eq!(with(Value::Object(azp)), Warn);
    }

    fn granted_claims(claims: Value) -> Stage {
        let token = quoted_jwt(&claims.to_string());
        granted(token.trim_matches('"'))
    }

    #[test]
    fn the_token_agrees_with_its_answer() {
        let with = |claims: Value| of("jwt-consistent", &granted_claims(claims));
        assert_eq!(with(good()), Pass);
        assert_eq!(with(but("iss", json!("https://other.example"))), Fail);
        assert_eq!(with(but("client_id", json!("app-b"))), Fail);
        assert_eq!(with(but("exp", json!(9000))), Fail);
        assert_eq!(with(but("scope", json!("a b"))), Fail);
        let mut stage = granted_claims(good());
        let twin = quoted_jwt(&but("sub", json!("bob")).to_string());
        stage.grant(&format!(r#"{{"access_token":{twin}}}"#));
        assert_eq!(of("jwt-consistent", &stage), Fail);
    }

    #[test]
    fn the_signature_verifies() {
        let check = "jwt-verifies";
        let mut stage = signed(json!({}), good());
        assert_eq!(of(check, &stage), Pass);
        let other = jose::SigningKey::generate(jose::Alg::ES256);
        stage.jwks = Some(other.public_jwks());
        assert_eq!(of(check, &stage), Warn);
        let kid = stage.jwks.as_ref().map(|_| "same").unwrap_or_default();
        let mut stage = signed(json!({"kid": kid}), good());
        stage.jwks = Some(other.with_kid(kid).public_jwks());
        assert_eq!(of(check, &stage), Fail);
        stage.jwks = None;
        assert_eq!(of(check, &stage), Undecided);
    }

    #[test]
    fn a_shared_secret_cannot_be_guessed() {
        let check = "jwt-secret-not-guessable";
        let with = |secret: &[u8]| {
            of(
                check,
                &granted(&jose::sign_hs256(&Map::new(), &map(good()), secret)),
            )
        };
        assert_eq!(with(b"secret"), Fail);
        assert_eq!(with(b""), Fail);
        assert_eq!(with(b"app-a"), Fail);
        assert_eq!(with(jose::random_token(32).as_bytes()), Pass);
        assert_eq!(of(check, &signed(json!({}), good())), NotApplicable);
    }
}
