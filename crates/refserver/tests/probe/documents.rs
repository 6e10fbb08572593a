//! Metadata and keys.

use oauthspec_refserver::Fault;
use serde_json::Value;

use crate::support::Target;

const AS: &str = "/.well-known/oauth-authorization-server";
const OIDC: &str = "/.well-known/openid-configuration";
const PRM_A: &str = "/.well-known/oauth-protected-resource/a";
const PRM_B: &str = "/.well-known/oauth-protected-resource/b";

fn has(list: &Value, word: &str) -> bool {
    list.as_array()
        .is_some_and(|items| items.iter().any(|item| item == word))
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    let get = async |path: &str| t.send("GET", path, &[], "").await;
    let issuer = t.server.facts().issuer.clone();
    let document = get(AS).await.json();
    let keys = get("/jwks").await.json()["keys"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let prm = get(PRM_A).await.json();
    let challenge = get("/a/items")
        .await
        .header("www-authenticate")
        .unwrap_or_default()
        .to_owned();
    Some(match fault {
        Fault::MetadataIssuerDiffers => document["issuer"] == "https://staging.example",
        Fault::MetadataIssuerSlash => document["issuer"] == format!("{issuer}/"),
        Fault::MetadataIssuerFromHost => t
            .send("GET", AS, &[("X-Forwarded-Host", "attacker.example")], "")
            .await
            .body
            .contains("attacker.example"),
        Fault::MetadataPlainAdvertised => {
            has(&document["code_challenge_methods_supported"], "plain")
        }
        Fault::MetadataPasswordAdvertised => has(&document["grant_types_supported"], "password"),
        Fault::MetadataEmptyArray => document
            .as_object()?
            .values()
            .any(|value| value.as_array().is_some_and(Vec::is_empty)),
        Fault::MetadataOidcDisagrees => get(OIDC).await.json() != document,
        Fault::MetadataContentType => {
            get(AS).await.header("content-type") != Some("application/json")
        }
        Fault::MetadataMemberMissing => document.get("response_types_supported").is_none(),
        Fault::MetadataPkceMissing => document.get("code_challenge_methods_supported").is_none(),
        Fault::MetadataAlgNone => has(
            &document["token_endpoint_auth_signing_alg_values_supported"],
            "none",
        ),
        Fault::MetadataGrantsLie => !has(&document["grant_types_supported"], "refresh_token"),
        Fault::RegistrationHidden => {
            let named = |name| document.get(name).is_some();
            !named("registration_endpoint") && !named("client_id_metadata_document_supported")
        }
        Fault::PrmContentType => get(PRM_A).await.header("content-type") == Some("text/html"),
        Fault::DcrErrors200 => {
            let headers = [("Content-Type", "application/json")];
            t.send("POST", "/register", &headers, "x").await.status == 200
        }
        Fault::DcrStatementBelieved => {
            let headers = [("Content-Type", "application/json")];
            let metadata =
                r#"{"redirect_uris":["https://r.example/cb"],"software_statement":"e30.e30."}"#;
            t.send("POST", "/register", &headers, metadata).await.status == 201
        }
        Fault::BigBody500 => {
            let big = "x".repeat(70_000);
            t.post("/token", &[("x", &big)]).await.status == 500
        }
        Fault::PlusKept => {
            let request = t.request("a", &[("state", "")]) + "&state=a+b";
            let mut browser = crate::support::Browser::default();
            let answer = t.authorize_as(&mut browser, &request, "a", "approve").await;
            answer.param("state").as_deref() == Some("a+b")
        }
        Fault::CorsUnexposed => get("/a/items")
            .await
            .header("access-control-expose-headers")
            .is_none(),
        Fault::ReferrerUnset => get("/authorize").await.header("referrer-policy").is_none(),
        Fault::MetadataRedirected => get(AS).await.status == 302,
        Fault::MetadataRelative => document["introspection_endpoint"] == "/introspect",
        Fault::JwksPrivateKey => keys.iter().any(|key| key.get("d").is_some()),
        Fault::JwksSymmetricKey => keys.iter().any(|key| key["kty"] == "oct"),
        Fault::JwksDuplicateKid => keys.len() == 2 && keys[0]["kid"] == keys[1]["kid"],
        Fault::PrmResourceDiffers => prm["resource"] == issuer,
        Fault::PrmSameForAll => get(PRM_B).await.text("resource") == t.resource("a"),
        Fault::PrmChallengeOther => challenge.contains("oauth-protected-resource/b"),
        Fault::PrmChallengeRelative => challenge.contains("resource_metadata=\"/"),
        Fault::PrmEmptyArray => prm
            .as_object()?
            .values()
            .any(|value| value.as_array().is_some_and(Vec::is_empty)),
        Fault::PrmIssuerSlash => prm["authorization_servers"][0] != issuer,
        Fault::PrmQueryAdvertised => has(&prm["bearer_methods_supported"], "query"),
        Fault::PrmScopesText => prm["scopes_supported"].is_string(),
        Fault::IssUnadvertised => {
            document["authorization_response_iss_parameter_supported"] != true
        }
        Fault::RarUnadvertised => has(
            &document["authorization_details_types_supported"],
            "transfer",
        ),
        Fault::JwtUnknownKey => {
            let jwks = jose::Jwks::from_json(&get("/jwks").await.json()).unwrap();
            let token = t.grant("a", &[]).await.text("access_token");
            jose::verify(&token, &jwks, &[jose::Alg::ES256]).is_err()
        }
        _ => return None,
    })
}
