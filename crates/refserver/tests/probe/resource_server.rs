//! The resource servers and the access tokens themselves.

use std::{collections::BTreeMap, time::Duration};

use jose::{Context, Forge, SigningKey, Token};
use oauthspec_refserver::Fault;
use tokio::net::TcpListener;

use crate::{
    probe::registration::Listener,
    support::{Answer, Target, basic, form},
};

/// What a resource server says to a forged token.
async fn forged(t: &Target, forge: Forge, listener: Option<&str>) -> u16 {
    let token = t.grant("a", &[]).await.text("access_token");
    let jwks = t.send("GET", "/jwks", &[], "").await.json();
    let attacker = SigningKey::generate(jose::Alg::ES256);
    let context = Context {
        jwks: Some(&jwks),
        attacker: &attacker,
        listener,
        issuer: None,
    };
    let forged = forge.apply(&token, &context).unwrap();
    t.call("GET", "/a/items", &forged).await.status
}

/// The forgery that a fault of the signature check falls for.
fn forgery(fault: Fault) -> Option<Forge> {
    Some(match fault {
        Fault::RsSignature => Forge::PayloadEdited,
        Fault::RsSignatureEmpty => Forge::SignatureEmpty,
        Fault::RsSignatureStripped => Forge::SignatureStripped,
        Fault::RsAlgNone => Forge::AlgNone,
        Fault::RsAlgNoneCased => Forge::AlgNoneCased,
        Fault::RsHs256Pem => Forge::Hs256PublicPem,
        Fault::RsHs256Jwk => Forge::Hs256PublicJwk,
        Fault::RsKidOnly => Forge::ForeignKeySameKid,
        Fault::RsEmbeddedJwk => Forge::ForeignKeyEmbeddedJwk,
        Fault::RsKidPath => Forge::KidPath,
        Fault::RsKidSql => Forge::KidSql,
        Fault::RsSignatureZero => Forge::Es256Zero,
        Fault::RsSignatureOrder => Forge::Es256Order,
        Fault::RsSignatureDer => Forge::Es256Der,
        Fault::RsSignatureTrailing => Forge::Es256Long,
        _ => return None,
    })
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    if let Some(forge) = forgery(fault) {
        return Some(forged(t, forge, None).await == 200);
    }
    let tokens = t.grant("a", &[("scope", "read openid")]).await;
    let token = tokens.text("access_token");
    let at_b = async || {
        t.grant("a", &[("resource", &t.resource("b"))])
            .await
            .text("access_token")
    };
    let get = async |headers: &[(&str, &str)]| t.send("GET", "/a/items", headers, "").await;
    let call = async |token: &str| t.call("GET", "/a/items", token).await;
    let write = async || t.call("POST", "/a/items", &token).await;
    let claims = || {
        Token::parse(&token)
            .map(|token| token.claims)
            .unwrap_or_default()
    };
    let challenge = |answer: &Answer| {
        answer
            .header("www-authenticate")
            .unwrap_or_default()
            .to_owned()
    };
    let bearer = format!("Bearer {token}");
    Some(match fault {
        Fault::RsJku | Fault::RsX5u | Fault::RsIssuerTrusted => {
            let listener = Listener::start(
                TcpListener::bind("127.0.0.1:0").await.unwrap(),
                "{}",
                BTreeMap::new(),
            );
            let forge = match fault {
                Fault::RsJku => Forge::Jku,
                Fault::RsX5u => Forge::X5u,
                _ => Forge::IssEditedToListener,
            };
            assert_eq!(forged(t, forge, Some(&listener.url)).await, 401);
            listener.visits() > 0
        }
        Fault::RsIdToken => call(&tokens.text("id_token")).await.status == 200,
        Fault::RsAudienceA => call(&at_b().await).await.status == 200,
        Fault::RsAudienceB => t.call("GET", "/b/items", &token).await.status == 200,
        Fault::AudienceAll => t.call("GET", "/b/items", &token).await.status == 200,
        Fault::ResourceIgnored => call(&at_b().await).await.status == 200,
        Fault::AudienceMissing => !claims().contains_key("aud"),
        Fault::RsExpired => {
            let brief = t.grant("brief", &[]).await.text("access_token");
            assert_eq!(call(&brief).await.status, 200);
            tokio::time::sleep(Duration::from_millis(2100)).await;
            call(&brief).await.status == 200
        }
        Fault::RsRevoked => {
            let id = t.client("a").id.clone();
            t.post("/revoke", &[("client_id", &id), ("token", &token)])
                .await;
            call(&token).await.status == 200
        }
        Fault::RsScope => write().await.status == 201,
        Fault::RsScope401 => write().await.status == 401,
        Fault::RsScopeNoChallenge => challenge(&write().await).is_empty(),
        Fault::RsScopeUnnamed => !challenge(&write().await).contains("scope=\"write\""),
        Fault::RsLeak => write().await.body.contains("protected item"),
        Fault::RsNoChallenge => challenge(&get(&[]).await).is_empty(),
        Fault::RsErrorWithoutToken => challenge(&get(&[]).await).contains("error="),
        Fault::RsChallengeSyntax => !challenge(&get(&[]).await).contains("resource_metadata=\""),
        Fault::RsAnyToken => call("banana").await.status == 200,
        Fault::RsEmptyToken => get(&[("Authorization", "Bearer ")]).await.status == 200,
        Fault::RsTokenPrefix => {
            let token = at_b().await;
            t.call("GET", "/b/items", &token[..token.len() * 3 / 4])
                .await
                .status
                == 200
        }
        Fault::RsTokenTail => {
            t.call("GET", "/b/items", &format!("{}AAAA", at_b().await))
                .await
                .status
                == 200
        }
        Fault::RsTokenSize500 => call(&"A".repeat(5000)).await.status == 500,
        Fault::RsJwt500 => call("b2F1dGg.b2F1dGg.b2F1dGg").await.status == 500,
        Fault::RsRefreshToken => call(&tokens.text("refresh_token")).await.status == 200,
        Fault::RsQueryToken => {
            t.send("GET", &format!("/a/items?access_token={token}"), &[], "")
                .await
                .status
                == 200
        }
        Fault::RsTwoMethods => {
            get(&[("Authorization", "Bearer x"), ("Authorization", &bearer)])
                .await
                .status
                == 200
        }
        Fault::RsSchemeCase => {
            get(&[("Authorization", &bearer.replacen("Bearer", "bEARER", 1))])
                .await
                .status
                != 200
        }
        Fault::RsOtherMethod => t.send("PUT", "/a/items", &[], "").await.status == 200,
        Fault::RsSlash => t.send("GET", "/a/items/", &[], "").await.status == 200,
        Fault::RsOverride => get(&[("X-HTTP-Method-Override", "OPTIONS")]).await.status == 200,
        Fault::RsFragile => {
            let (input, signature) = token.rsplit_once('.')?;
            let first = if signature.starts_with('A') { 'B' } else { 'A' };
            call(&format!("{input}.{first}{}", &signature[1..])).await;
            call(&token).await.status != 200
        }
        Fault::WeakSecret => jose::verify_hs256(&token, b"secret").is_ok(),
        Fault::EmptySecret => jose::verify_hs256(&token, b"").is_ok(),
        Fault::JwtTyp => Token::parse(&token).ok()?.header["typ"] == "JWT",
        Fault::JwtClaimMissing => !claims().contains_key("client_id"),
        Fault::JwtTimesText => claims()["exp"].is_string(),
        Fault::JwtScopeLies => claims()["scope"] != tokens.text("scope"),
        Fault::RarUnenforced => t.call("POST", "/a/payments", &token).await.status == 201,
        Fault::RarActionUnenforced => {
            let details = r#"[{"type":"pay","actions":["status"],"currency":"EUR","limit":5}]"#;
            let token = t
                .grant("a", &[("authorization_details", details)])
                .await
                .text("access_token");
            t.call("POST", "/a/payments", &token).await.status == 201
        }
        Fault::RarHidden => {
            let token = t
                .grant(
                    "a",
                    &[("authorization_details", &t.server.facts().rar[0].1)],
                )
                .await
                .text("access_token");
            let rs = t.client("rs").clone();
            let authorization = basic(&rs.id, &rs.secret?);
            let headers = [
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Authorization", authorization.as_str()),
            ];
            let told = t
                .send("POST", "/introspect", &headers, &form(&[("token", &token)]))
                .await;
            let inside = Token::parse(&token)
                .ok()?
                .claims
                .contains_key("authorization_details");
            !inside && told.json().get("authorization_details").is_none()
        }
        _ => return None,
    })
}
