//! What the clean server refuses, beyond what the faults are about.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at the first thing that is not as it should be"
)]

mod support;

use serde_json::json;
use support::{Browser, form, hidden, start};

#[tokio::test]
async fn a_replayed_code_ends_everything_that_came_out_of_it_and_nothing_else() {
    let t = start(&[]).await;
    let sibling = t.grant("a", &[]).await;
    let code = t.code("a", &[]).await;
    let first = t.redeem("a", &code, &[]).await;
    let next = t.refresh("a", &first.text("refresh_token"), &[]).await;
    assert_eq!(t.redeem("a", &code, &[]).await.error(), "invalid_grant");
    for tokens in [&first, &next] {
        assert_eq!(
            t.call("GET", "/a/items", &tokens.text("access_token"))
                .await
                .status,
            401
        );
        assert_eq!(
            t.refresh("a", &tokens.text("refresh_token"), &[])
                .await
                .error(),
            "invalid_grant"
        );
    }
    assert_eq!(
        t.call("GET", "/a/items", &sibling.text("access_token"))
            .await
            .status,
        200
    );
    assert_eq!(
        t.refresh("a", &sibling.text("refresh_token"), &[])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn redemptions_at_once_give_one_token() {
    let t = start(&[]).await;
    let code = t.code("a", &[]).await;
    let mut answers = Vec::new();
    let (a, b, c, d) = tokio::join!(
        t.redeem("a", &code, &[]),
        t.redeem("a", &code, &[]),
        t.redeem("a", &code, &[]),
        t.redeem("a", &code, &[])
    );
    answers.extend([a, b, c, d]);
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        1
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 200 || answer.error() == "invalid_grant")
    );
}

#[tokio::test]
async fn login_needs_its_own_form_and_its_own_browser() {
    let t = start(&[]).await;
    let fields = t.server.facts().users[0].fields.clone();
    let fill = |csrf: &str| {
        let mut pairs = vec![("csrf", csrf)];
        pairs.extend(
            fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        form(&pairs)
    };
    let mut browser = Browser::default();
    let began = t
        .browse(&mut browser, "GET", &t.request("a", &[]), None)
        .await;
    let path = t.path(&began).unwrap();
    let page = t.browse(&mut browser, "GET", &path, None).await;
    assert_eq!(
        t.browse(&mut browser, "POST", &path, Some(&fill("wrong")))
            .await
            .status,
        403
    );
    assert_eq!(
        t.browse(
            &mut Browser::default(),
            "POST",
            &path,
            Some(&fill(&hidden(&page)))
        )
        .await
        .status,
        400
    );
    let wrong = form(&[
        ("csrf", &hidden(&page)),
        ("username", "x"),
        ("password", "y"),
    ]);
    assert_eq!(
        t.browse(&mut browser, "POST", &path, Some(&wrong))
            .await
            .status,
        400
    );
    let before = browser.cookies.clone();
    assert_eq!(
        t.browse(&mut browser, "POST", &path, Some(&fill(&hidden(&page))))
            .await
            .status,
        303
    );
    assert_ne!(browser.cookies, before, "a new session at login");
}

#[tokio::test]
async fn pages_escape_what_they_show_and_cannot_be_framed_or_cached() {
    let t = start(&[]).await;
    let html = "\"><svg/onload=1>";
    for changes in [[("client_id", html)], [("redirect_uri", html)]] {
        let answer = t.send("GET", &t.request("a", &changes), &[], "").await;
        assert_eq!(answer.status, 400);
        assert!(
            !answer.body.contains(html) && answer.body.contains("&lt;svg"),
            "{answer:?}"
        );
        assert!(
            answer
                .header("content-security-policy")
                .unwrap()
                .contains("frame-ancestors 'none'")
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn several_resources_give_a_token_for_both_and_each_can_be_asked_for_alone() {
    let t = start(&[]).await;
    let request = format!(
        "{}&{}",
        t.request("a", &[]),
        form(&[("resource", &t.resource("b"))])
    );
    let answer = t
        .authorize_as(&mut Browser::default(), &request, "a", "approve")
        .await;
    let both = t.redeem("a", &answer.param("code").unwrap(), &[]).await;
    for path in ["/a/items", "/b/items"] {
        assert_eq!(
            t.call("GET", path, &both.text("access_token")).await.status,
            200
        );
    }
    let only_b = t
        .refresh(
            "a",
            &both.text("refresh_token"),
            &[("resource", &t.resource("b"))],
        )
        .await;
    assert_eq!(
        t.call("GET", "/b/items", &only_b.text("access_token"))
            .await
            .status,
        200
    );
    assert_eq!(
        t.call("GET", "/a/items", &only_b.text("access_token"))
            .await
            .status,
        401
    );
    let foreign = t
        .refresh(
            "a",
            &only_b.text("refresh_token"),
            &[("resource", "https://unknown.example/")],
        )
        .await;
    assert_eq!(foreign.error(), "invalid_target");
}

#[tokio::test]
async fn a_client_assertion_works_once_and_only_with_the_registered_key() {
    let t = start(&[]).await;
    let (key, other) = (
        jose::SigningKey::generate(jose::Alg::ES256),
        jose::SigningKey::generate(jose::Alg::ES256),
    );
    let body = json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks": key.public_jwks(),
        "grant_types": ["client_credentials"], "response_types": [],
    });
    let made = t
        .send(
            "POST",
            "/register",
            &[("Content-Type", "application/json")],
            &body.to_string(),
        )
        .await;
    let id = made.text("client_id");
    let soon = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 60;
    let claims = |audience: &str| json!({"iss": id, "sub": id, "aud": audience, "exp": soon, "jti": jose::random_token(8)});
    let ask = async |assertion: &str| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        t.post(
            "/token",
            &[
                ("grant_type", "client_credentials"),
                ("client_assertion_type", kind),
                ("client_assertion", assertion),
            ],
        )
        .await
    };
    let issuer = t.server.facts().issuer.clone();
    let good = key.sign(&Default::default(), claims(&issuer).as_object().unwrap());
    assert_eq!(ask(&good).await.status, 200);
    assert_eq!(ask(&good).await.error(), "invalid_client");
    for bad in [
        other.sign(&Default::default(), claims(&issuer).as_object().unwrap()),
        key.sign(
            &Default::default(),
            claims("https://other.example").as_object().unwrap(),
        ),
    ] {
        assert_eq!(ask(&bad).await.error(), "invalid_client");
    }
}

#[tokio::test]
async fn every_forged_token_is_refused_at_both_resource_servers() {
    let t = start(&[]).await;
    let jwks = t.send("GET", "/jwks", &[], "").await.json();
    let attacker = jose::SigningKey::generate(jose::Alg::ES256);
    let context = jose::Context {
        jwks: Some(&jwks),
        attacker: &attacker,
        listener: Some("http://127.0.0.1:9"),
        issuer: None,
    };
    for (resource, path) in [("a", "/a/items"), ("b", "/b/items")] {
        let token = t
            .grant("a", &[("resource", &t.resource(resource))])
            .await
            .text("access_token");
        for forge in jose::Forge::ALL {
            let Ok(forged) = forge.apply(&token, &context) else {
                continue;
            };
            let answer = t.call("GET", path, &forged).await;
            assert!(
                [401, 431].contains(&answer.status),
                "{} {}",
                forge.name(),
                answer.status
            );
        }
        assert_eq!(
            t.call("GET", path, &token).await.status,
            200,
            "the real one still works"
        );
    }
}
