//! Pushed authorization requests.

use std::time::Duration;

use oauthspec_refserver::Fault;

use crate::support::{Answer, Browser, CHALLENGE, Target, form};

/// Pushes a correct request of a client, with some parameters replaced (`""` leaves one out).
pub async fn push(t: &Target, client: &str, changes: &[(&str, &str)]) -> Answer {
    let request = t.request(client, changes);
    let (_, query) = request.split_once('?').unwrap();
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    t.send("POST", "/par", &headers, query).await
}

/// Follows a reference, with these parameters beside it.
pub async fn follow(t: &Target, uri: &str, beside: &[(&str, &str)]) -> Answer {
    let mut pairs = vec![("request_uri", uri)];
    pairs.extend(beside);
    let request = format!("/authorize?{}", form(&pairs));
    t.authorize_as(&mut Browser::default(), &request, "a", "approve")
        .await
}

fn gave_code(answer: &Answer) -> bool {
    answer.param("code").is_some()
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    let id = t.client("a").id.clone();
    let own = ("client_id", id.as_str());
    let pushed = async |changes: &[(&str, &str)]| push(t, "a", changes).await.text("request_uri");
    Some(match fault {
        Fault::ParStatus200 => push(t, "a", &[]).await.status == 200,
        Fault::ParUnauthenticated => push(t, "confidential", &[]).await.status == 201,
        Fault::ParRedirectUnchecked => {
            let uri = pushed(&[("redirect_uri", "https://attacker.example/cb")]).await;
            gave_code(&follow(t, &uri, &[own]).await)
        }
        Fault::ParPkceOptional => {
            let bare = [("code_challenge", ""), ("code_challenge_method", "")];
            gave_code(&follow(t, &pushed(&bare).await, &[own]).await)
        }
        Fault::ParRequestUriPushed => {
            push(t, "a", &[("request_uri", "urn:x:y")]).await.status == 201
        }
        Fault::ParAnyClient => {
            let other = t.client("b").id.clone();
            gave_code(&follow(t, &pushed(&[]).await, &[("client_id", &other)]).await)
        }
        Fault::ParFrontWins => {
            let answer = follow(t, &pushed(&[]).await, &[own, ("state", "front")]).await;
            assert!(gave_code(&answer));
            answer.param("state").as_deref() == Some("front")
        }
        Fault::ParClientIdOptional => gave_code(&follow(t, &pushed(&[]).await, &[]).await),
        Fault::ParReusable => {
            let uri = pushed(&[]).await;
            assert!(gave_code(&follow(t, &uri, &[own]).await));
            gave_code(&follow(t, &uri, &[own]).await)
        }
        Fault::ParNeverExpires => {
            let brief = t.client("brief").id.clone();
            let uri = push(t, "brief", &[]).await.text("request_uri");
            tokio::time::sleep(Duration::from_millis(1100)).await;
            gave_code(&follow(t, &uri, &[("client_id", &brief)]).await)
        }
        Fault::ParUnrequired => {
            let metadata = r#"{"redirect_uris":["https://r.example/cb"],"token_endpoint_auth_method":"none","require_pushed_authorization_requests":true}"#;
            let headers = [("Content-Type", "application/json")];
            let registered = t.send("POST", "/register", &headers, metadata).await;
            let request = form(&[
                ("response_type", "code"),
                ("client_id", &registered.text("client_id")),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ]);
            let request = format!("/authorize?{request}");
            let mut browser = Browser::default();
            gave_code(&t.authorize_as(&mut browser, &request, "a", "approve").await)
        }
        Fault::ParByGet => {
            let request = t.request("a", &[]).replace("/authorize", "/par");
            t.send("GET", &request, &[], "").await.status == 201
        }
        Fault::ParGuessable => pushed(&[]).await.len() < 50,
        _ => return None,
    })
}
