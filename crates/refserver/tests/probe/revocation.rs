//! Revocation and introspection.

use oauthspec_refserver::Fault;

use crate::{
    probe::token_endpoint::dead,
    support::{Answer, Target, basic, form},
};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

async fn introspect(
    t: &Target,
    method: &str,
    authorization: Option<&str>,
    pairs: &[(&str, &str)],
) -> Answer {
    let mut headers = vec![FORM];
    headers.extend(authorization.map(|value| ("Authorization", value)));
    match method {
        "GET" => {
            t.send(
                "GET",
                &format!("/introspect?{}", form(pairs)),
                &headers[1..],
                "",
            )
            .await
        }
        _ => t.send("POST", "/introspect", &headers, &form(pairs)).await,
    }
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    let tokens = t.grant("a", &[]).await;
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let id = t.client("a").id.clone();
    let revoke = async |token: &str, hint: &str| {
        t.post(
            "/revoke",
            &[
                ("client_id", &id),
                ("token", token),
                ("token_type_hint", hint),
            ],
        )
        .await
    };
    let rs = t.client("rs").clone();
    let authorization = basic(&rs.id, &rs.secret?);
    let told =
        async |token: &str| introspect(t, "POST", Some(&authorization), &[("token", token)]).await;
    Some(match fault {
        Fault::RevokeNothing => {
            assert_eq!(revoke(&refresh, "").await.status, 200);
            !dead(t, &tokens).await.1
        }
        Fault::RevokeLeavesAccess => {
            revoke(&refresh, "").await;
            let (access, refresh) = dead(t, &tokens).await;
            assert!(refresh);
            !access
        }
        Fault::RevokeAccessNothing => {
            assert_eq!(revoke(&access, "").await.status, 200);
            !dead(t, &tokens).await.0
        }
        Fault::RevokeAnyClient => {
            let other = t.client("b").id.clone();
            t.post("/revoke", &[("client_id", &other), ("token", &refresh)])
                .await;
            dead(t, &tokens).await.1
        }
        Fault::RevokeHintTrusted => {
            revoke(&refresh, "access_token").await;
            !dead(t, &tokens).await.1
        }
        Fault::RevokeAgain400 => {
            assert_eq!(revoke(&refresh, "").await.status, 200);
            revoke(&refresh, "").await.status != 200
        }
        Fault::RevokeUnknown400 => revoke("banana", "").await.status != 200,
        Fault::RevokeGet => {
            let answer = t
                .send(
                    "GET",
                    &format!(
                        "/revoke?{}",
                        form(&[("client_id", &id), ("token", &refresh)])
                    ),
                    &[],
                    "",
                )
                .await;
            answer.status == 200
        }
        Fault::RevokeTooBroad => {
            let sibling = t.grant("a", &[]).await;
            revoke(&refresh, "").await;
            dead(t, &sibling).await == (true, true)
        }
        Fault::IntrospectOpen => {
            introspect(t, "POST", None, &[("token", &access)])
                .await
                .status
                == 200
        }
        Fault::IntrospectPublic => {
            introspect(t, "POST", None, &[("token", &access), ("client_id", &id)])
                .await
                .status
                == 200
        }
        Fault::IntrospectRevokedActive => {
            revoke(&access, "").await;
            told(&access).await.json()["active"] == true
        }
        Fault::IntrospectTalkative => told("banana").await.body != r#"{"active":false}"#,
        Fault::IntrospectText => told(&access).await.json()["active"] == "true",
        Fault::IntrospectGet => {
            introspect(t, "GET", Some(&authorization), &[("token", &access)])
                .await
                .status
                == 200
        }
        _ => return None,
    })
}
