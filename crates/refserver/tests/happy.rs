//! The clean server does everything it offers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at the first thing that is not as it should be"
)]

mod support;

use serde_json::json;
use support::{Browser, basic, form, start};

#[tokio::test]
async fn a_code_becomes_tokens_that_work_and_can_be_refreshed() {
    let t = start(&[]).await;
    let answer = t.authorize("a", &[("state", "a b&c=é%2B\"")]).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(
        answer
            .header("location")
            .unwrap()
            .starts_with("https://client-a.example/cb?code=")
    );
    assert_eq!(answer.param("state").unwrap(), "a b&c=é%2B\"");
    assert_eq!(answer.param("iss").unwrap(), t.server.facts().issuer);
    let tokens = t.redeem("a", &answer.param("code").unwrap(), &[]).await;
    assert_eq!(
        (
            tokens.status,
            tokens.text("token_type").as_str(),
            tokens.text("scope").as_str()
        ),
        (200, "Bearer", "read")
    );
    assert_eq!(tokens.header("cache-control"), Some("no-store"));
    assert_eq!(
        t.call("GET", "/a/items", &tokens.text("access_token"))
            .await
            .status,
        200
    );
    let next = t.refresh("a", &tokens.text("refresh_token"), &[]).await;
    assert_eq!(next.status, 200, "{next:?}");
    assert_ne!(next.text("refresh_token"), tokens.text("refresh_token"));
    assert_eq!(
        t.call("GET", "/a/items", &next.text("access_token"))
            .await
            .status,
        200
    );
    t.server.stop().await;
}

#[tokio::test]
async fn metadata_describes_the_server() {
    let t = start(&[]).await;
    let oauth = t
        .send("GET", "/.well-known/oauth-authorization-server", &[], "")
        .await;
    let openid = t
        .send("GET", "/.well-known/openid-configuration", &[], "")
        .await;
    assert_eq!(
        (oauth.status, oauth.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(oauth.json(), openid.json());
    assert_eq!(oauth.text("issuer"), t.server.facts().issuer);
    for resource in ["a", "b"] {
        let document = t
            .send(
                "GET",
                &format!("/.well-known/oauth-protected-resource/{resource}"),
                &[],
                "",
            )
            .await;
        assert_eq!(document.text("resource"), t.resource(resource));
        assert_eq!(
            document.json()["authorization_servers"],
            json!([t.server.facts().issuer])
        );
    }
    assert_eq!(
        t.send("GET", "/.well-known/oauth-protected-resource/c", &[], "")
            .await
            .status,
        404
    );
    let keys = t.send("GET", "/jwks", &[], "").await.json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    assert!(keys["keys"][0].get("d").is_none());
}

#[tokio::test]
async fn the_access_token_of_a_is_an_rfc_9068_jwt_and_that_of_b_is_opaque() {
    let t = start(&[]).await;
    let tokens = t
        .grant("a", &[("scope", "read openid"), ("nonce", "n")])
        .await;
    let jwks = jose::Jwks::from_json(&t.send("GET", "/jwks", &[], "").await.json()).unwrap();
    let token = jose::Token::parse(&tokens.text("access_token")).unwrap();
    token.verify(&jwks, &[jose::Alg::ES256]).unwrap();
    assert_eq!(token.header["typ"], "at+jwt");
    for claim in ["iss", "sub", "client_id", "iat", "exp", "jti", "scope"] {
        assert!(token.claims.contains_key(claim), "{claim}");
    }
    assert_eq!(token.claims["aud"], t.resource("a"));
    let id_token = jose::Token::parse(&tokens.text("id_token")).unwrap();
    assert_eq!(id_token.claims["nonce"], "n");
    assert_eq!(
        t.call("GET", "/a/items", &tokens.text("id_token"))
            .await
            .status,
        401
    );

    let other = t.grant("a", &[("resource", &t.resource("b"))]).await;
    assert!(jose::Token::parse(&other.text("access_token")).is_err());
    assert_eq!(
        t.call("GET", "/b/items", &other.text("access_token"))
            .await
            .status,
        200
    );
    assert_eq!(
        t.call("GET", "/a/items", &other.text("access_token"))
            .await
            .error(),
        "invalid_token"
    );
    assert_eq!(
        t.call("GET", "/b/items", &tokens.text("access_token"))
            .await
            .error(),
        "invalid_token"
    );
}

#[tokio::test]
async fn confidential_clients_authenticate_by_header_or_body_and_can_act_for_themselves() {
    let t = start(&[]).await;
    for (name, by_header) in [("confidential", true), ("confidential-b", false)] {
        let client = t.client(name).clone();
        let secret = client.secret.unwrap();
        let code = t.code(name, &[]).await;
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("code_verifier", support::VERIFIER),
        ];
        let authorization = basic(&client.id, &secret);
        let mut headers = vec![(
            "Content-Type",
            "application/x-www-form-urlencoded; charset=UTF-8",
        )];
        if by_header {
            headers.push(("Authorization", &authorization));
        } else {
            pairs.extend([
                ("client_id", client.id.as_str()),
                ("client_secret", secret.as_str()),
            ]);
        }
        let tokens = t.send("POST", "/token", &headers, &form(&pairs)).await;
        assert_eq!(tokens.status, 200, "{name} {tokens:?}");
        pairs.retain(|(name, _)| name.starts_with("client_"));
        pairs.push(("grant_type", "client_credentials"));
        let own = t.send("POST", "/token", &headers, &form(&pairs)).await;
        assert_eq!(own.status, 200, "{name} {own:?}");
        assert!(own.json().get("refresh_token").is_none());
        assert_eq!(
            t.call("GET", "/a/items", &own.text("access_token"))
                .await
                .status,
            200
        );
    }
}

#[tokio::test]
async fn native_clients_use_any_port_and_clients_with_several_uris_name_one() {
    let t = start(&[]).await;
    for uri in [
        "http://127.0.0.1:49152/cb",
        "http://[::1]:8080/cb",
        "http://127.0.0.1/cb",
    ] {
        assert!(
            t.authorize("native", &[("redirect_uri", uri)])
                .await
                .header("location")
                .unwrap()
                .starts_with(uri)
        );
    }
    assert!(
        t.authorize("many", &[("redirect_uri", "https://many.example/two")])
            .await
            .param("code")
            .is_some()
    );
    assert_eq!(
        t.authorize("many", &[("redirect_uri", "")]).await.status,
        400
    );
    assert!(
        t.authorize(
            "legacy",
            &[("code_challenge", ""), ("code_challenge_method", "")]
        )
        .await
        .param("code")
        .is_some()
    );
}

#[tokio::test]
async fn authorization_details_travel_from_consent_to_the_resource_server() {
    let t = start(&[]).await;
    let details = t.server.facts().rar[0].1.clone();
    let first = t
        .send(
            "GET",
            &t.request("a", &[("authorization_details", &details)]),
            &[],
            "",
        )
        .await;
    let mut browser = Browser::default();
    let request = t.request(
        "a",
        &[("authorization_details", &details), ("scope", "read write")],
    );
    assert_eq!(first.status, 302);
    let began = t.browse(&mut browser, "GET", &request, None).await;
    let (page, _) = t.to_consent(&mut browser, &began, "a").await.unwrap();
    for shown in [
        "Example client a",
        "read",
        "write",
        "initiate",
        &t.resource("a"),
        "client-a.example",
    ] {
        assert!(page.body.contains(shown), "{shown}");
    }
    let tokens = t.grant("a", &[("authorization_details", &details)]).await;
    assert_eq!(tokens.json()["authorization_details"][0]["type"], "pay");
    let token = tokens.text("access_token");
    assert_eq!(
        jose::Token::parse(&token).unwrap().claims["authorization_details"][0]["limit"],
        50
    );
    assert_eq!(t.call("POST", "/a/payments", &token).await.status, 201);
    let rs = t.client("rs").clone();
    let authorization = basic(&rs.id, &rs.secret.unwrap());
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Authorization", authorization.as_str()),
    ];
    let said = t
        .send("POST", "/introspect", &headers, &form(&[("token", &token)]))
        .await;
    assert_eq!(said.json()["active"], true, "{said:?}");
    assert_eq!(said.json()["authorization_details"][0]["type"], "pay");
    let narrower = r#"[{"type":"pay","actions":["status"],"currency":"EUR","limit":5}]"#;
    let narrowed = t
        .refresh(
            "a",
            &tokens.text("refresh_token"),
            &[("authorization_details", narrower)],
        )
        .await;
    assert_eq!(
        narrowed.json()["authorization_details"][0]["limit"],
        5,
        "{narrowed:?}"
    );
    assert_eq!(
        t.call("POST", "/a/payments", &narrowed.text("access_token"))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn a_client_can_register_change_and_delete_itself() {
    let t = start(&[]).await;
    let body = json!({"redirect_uris": ["https://new.example/cb"], "client_name": "New", "token_endpoint_auth_method": "none", "x_unknown": 1});
    let json_type = ("Content-Type", "application/json");
    let made = t
        .send("POST", "/register", &[json_type], &body.to_string())
        .await;
    assert_eq!(
        (made.status, made.header("cache-control")),
        (201, Some("no-store")),
        "{made:?}"
    );
    let id = made.text("client_id");
    let path = format!("/register/{id}");
    assert_eq!(
        made.text("registration_client_uri"),
        format!("{}{path}", t.server.facts().issuer)
    );
    let bearer = format!("Bearer {}", made.text("registration_access_token"));
    let authorization = ("Authorization", bearer.as_str());
    assert_eq!(
        t.send("GET", &path, &[authorization], "")
            .await
            .text("client_name"),
        "New"
    );
    assert_eq!(t.send("GET", &path, &[], "").await.status, 401);
    let change = json!({"client_id": id, "redirect_uris": ["https://new.example/two"], "token_endpoint_auth_method": "none"});
    let changed = t
        .send(
            "PUT",
            &path,
            &[json_type, authorization],
            &change.to_string(),
        )
        .await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert!(changed.json().get("client_name").is_none());
    let bad = json!({"client_id": id, "redirect_uris": ["javascript:alert(1)"], "token_endpoint_auth_method": "none"});
    assert_eq!(
        t.send("PUT", &path, &[json_type, authorization], &bad.to_string())
            .await
            .error(),
        "invalid_redirect_uri"
    );
    assert_eq!(
        t.send("DELETE", &path, &[authorization], "").await.status,
        204
    );
    assert_eq!(t.send("GET", &path, &[authorization], "").await.status, 401);
}
