//! The token endpoint.

use std::time::Duration;

use oauthspec_refserver::Fault;

use crate::support::{Answer, CHALLENGE, Target, VERIFIER, basic, form};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// A correct redemption by a client that authenticates, with parameters replaced (`-` leaves one out).
async fn redeem_confidential(
    t: &Target,
    name: &str,
    headers: &[(&str, &str)],
    changes: &[(&str, &str)],
) -> Answer {
    let client = t.client(name).clone();
    let code = t.code(name, &[]).await;
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
    ];
    if headers.is_empty() {
        pairs.push(("client_id", &client.id));
    }
    for (name, _) in changes {
        pairs.retain(|(own, _)| own != name);
    }
    pairs.extend(changes.iter().filter(|(_, value)| *value != "-"));
    t.send(
        "POST",
        "/token",
        &[&[FORM], headers].concat(),
        &form(&pairs),
    )
    .await
}

/// Whether a grant's access and refresh token are both dead.
pub async fn dead(t: &Target, tokens: &Answer) -> (bool, bool) {
    let access = t
        .call("GET", "/a/items", &tokens.text("access_token"))
        .await
        .status
        == 401;
    let refresh = t
        .refresh("a", &tokens.text("refresh_token"), &[])
        .await
        .error()
        == "invalid_grant";
    (access, refresh)
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    if let Some(shown) = codes(t, fault).await {
        return Some(shown);
    }
    if let Some(shown) = clients(t, fault).await {
        return Some(shown);
    }
    refreshing(t, fault).await
}

async fn codes(t: &Target, fault: Fault) -> Option<bool> {
    let works = async |changes: &[(&str, &str)]| {
        let code = t.code("a", &[]).await;
        let answer = t.redeem("a", &code, changes).await;
        assert!(
            answer.status == 200 || !answer.error().is_empty(),
            "{answer:?}"
        );
        answer.status == 200
    };
    let pkce = |value: &str| [("code_verifier".to_owned(), value.to_owned())];
    let verifier = async |value: String| {
        let pairs = pkce(&value);
        let changes: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        works(&changes).await
    };
    let code = async |changes: &[(&str, &str)]| t.code("a", changes).await;
    let tokens = async || t.grant("a", &[]).await;
    let raw = async |headers: &[(&str, &str)], extra: &str| {
        let code = t.code("a", &[]).await;
        let id = t.client("a").id.clone();
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("client_id", &id),
            ("code_verifier", VERIFIER),
        ]);
        t.send("POST", "/token", headers, &format!("{body}{extra}"))
            .await
    };
    Some(match fault {
        Fault::PkceVerifierUnchecked => verifier("x".repeat(43)).await,
        Fault::PkceVerifierOptional => works(&[("code_verifier", "-")]).await,
        Fault::PkceVerifierEmpty => works(&[("code_verifier", "")]).await,
        Fault::PkceVerifierNear => verifier(format!("X{}", &VERIFIER[1..])).await,
        Fault::PkceVerifierCase => {
            verifier(VERIFIER.to_ascii_uppercase()).await || {
                let swapped: String = VERIFIER
                    .chars()
                    .map(|c| {
                        if c.is_ascii_lowercase() {
                            c.to_ascii_uppercase()
                        } else {
                            c.to_ascii_lowercase()
                        }
                    })
                    .collect();
                verifier(swapped).await
            }
        }
        Fault::PkceVerifierTrimmed => verifier(format!("{VERIFIER}\n")).await,
        Fault::PkceVerifierPadded => verifier(format!("{VERIFIER}=")).await,
        Fault::PkceVerifierOfOther => {
            let other = "x".repeat(43);
            code(&[("code_challenge", &jose::s256(&other))]).await;
            verifier(other).await
        }
        Fault::PkceChallengeAsVerifier => verifier(CHALLENGE.into()).await,
        Fault::PkceMethodAtToken => {
            works(&[
                ("code_verifier", CHALLENGE),
                ("code_challenge_method", "plain"),
            ])
            .await
        }
        Fault::PkceVerifierWithoutChallenge => {
            let client = t.client("legacy").clone();
            let code = t
                .code(
                    "legacy",
                    &[("code_challenge", ""), ("code_challenge_method", "")],
                )
                .await;
            let authorization = basic(&client.id, &client.secret?);
            let pairs = [
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("code_verifier", VERIFIER),
            ];
            t.send(
                "POST",
                "/token",
                &[FORM, ("Authorization", &authorization)],
                &form(&pairs),
            )
            .await
            .status
                == 200
        }
        Fault::CodeReusable => {
            let code = code(&[]).await;
            t.redeem("a", &code, &[]).await;
            t.redeem("a", &code, &[]).await.status == 200
        }
        Fault::CodeRace => {
            let code = code(&[]).await;
            let both = tokio::join!(t.redeem("a", &code, &[]), t.redeem("a", &code, &[]));
            both.0.status == 200 && both.1.status == 200
        }
        Fault::CodeRaceForks => {
            let code = code(&[]).await;
            let (one, other) = tokio::join!(t.redeem("a", &code, &[]), t.redeem("a", &code, &[]));
            if one.status != 200 || other.status != 200 {
                return Some(false);
            }
            let id = t.client("a").id.clone();
            let body = [
                ("client_id", id.as_str()),
                ("token", &one.text("refresh_token")),
            ];
            t.post("/revoke", &body).await;
            let left = other.text("access_token");
            t.call("GET", "/a/items", &left).await.status == 200
        }
        Fault::CodeAnyClient => {
            let code = code(&[]).await;
            t.redeem(
                "b",
                &code,
                &[("redirect_uri", "https://client-a.example/cb")],
            )
            .await
            .status
                == 200
        }
        Fault::CodeReplayHarmless | Fault::CodeReplayLeavesChain | Fault::CodeReplayFragile => {
            let code = code(&[]).await;
            let mut tokens = t.redeem("a", &code, &[]).await;
            if fault == Fault::CodeReplayLeavesChain {
                tokens = t.refresh("a", &tokens.text("refresh_token"), &[]).await;
            }
            let fragile = fault == Fault::CodeReplayFragile;
            let wrong = "x".repeat(43);
            let changes = [("code_verifier", wrong.as_str())];
            let replay = t
                .redeem("a", &code, if fragile { &changes } else { &[] })
                .await;
            assert_eq!(replay.error(), "invalid_grant");
            dead(t, &tokens).await.0 == fragile
        }
        Fault::CodePrefix => {
            let code = code(&[]).await;
            t.redeem("a", &code[..code.len() / 2], &[]).await.status == 200
        }
        Fault::CodeNeverExpires => {
            let code = t.code("brief", &[]).await;
            tokio::time::sleep(Duration::from_millis(1100)).await;
            t.redeem("brief", &code, &[]).await.status == 200
        }
        Fault::TokenByGet => {
            let code = code(&[]).await;
            let id = t.client("a").id.clone();
            let query = form(&[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("client_id", &id),
                ("code_verifier", VERIFIER),
            ]);
            t.send("GET", &format!("/token?{query}"), &[], "")
                .await
                .status
                == 200
        }
        Fault::TokenFromQuery => {
            let code = code(&[]).await;
            let id = t.client("a").id.clone();
            let query = form(&[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("client_id", &id),
                ("code_verifier", VERIFIER),
            ]);
            t.send("POST", &format!("/token?{query}"), &[FORM], "")
                .await
                .status
                == 200
        }
        Fault::TokenDuplicates => {
            raw(&[FORM], &format!("&code_verifier={VERIFIER}"))
                .await
                .status
                == 200
        }
        Fault::TokenUnknownRefused => !works(&[("x_unknown", "1")]).await,
        Fault::TokenContentType => raw(&[("Content-Type", "text/plain")], "").await.status == 200,
        Fault::TokenCharsetRefused => {
            raw(
                &[(
                    "Content-Type",
                    "application/x-www-form-urlencoded;charset=UTF-8",
                )],
                "",
            )
            .await
            .status
                != 200
        }
        Fault::GrantTypeCase => works(&[("grant_type", "Authorization_Code")]).await,
        Fault::GrantTypeGuessed => works(&[("grant_type", "-")]).await,
        Fault::ClientIdOptional => works(&[("client_id", "-")]).await,
        Fault::TokenErrors200 => t.redeem("a", "banana", &[]).await.status == 200,
        Fault::StackTrace => t
            .redeem("a", "banana", &[])
            .await
            .body
            .contains("Traceback"),
        Fault::TokenCacheable => tokens().await.header("cache-control").is_none(),
        Fault::TokenTypeMissing => tokens().await.text("token_type").is_empty(),
        Fault::ExpiresInText => !tokens().await.json()["expires_in"].is_u64(),
        Fault::AccessLongLived => tokens().await.json()["expires_in"].as_u64().or(Some(0))? > 3600,
        Fault::RefreshGuessable => tokens()
            .await
            .text("refresh_token")
            .starts_with("refresh-0"),
        Fault::ScopeUnreported => tokens().await.text("scope").is_empty(),
        Fault::PasswordGrant => {
            let id = t.client("a").id.clone();
            t.post(
                "/token",
                &[
                    ("grant_type", "password"),
                    ("client_id", &id),
                    ("username", "x"),
                    ("password", "y"),
                ],
            )
            .await
            .status
                == 200
        }
        Fault::ResourceTokenUnknown => works(&[("resource", "https://unknown.example/api")]).await,
        Fault::ResourceTokenSwitch => works(&[("resource", &t.resource("b"))]).await,
        Fault::ResourceFirstOnly => {
            let request = format!(
                "{}&{}",
                t.request("a", &[]),
                form(&[("resource", &t.resource("b"))])
            );
            let answer = t
                .authorize_as(&mut Default::default(), &request, "a", "approve")
                .await;
            let token = t
                .redeem("a", &answer.param("code")?, &[])
                .await
                .text("access_token");
            assert_eq!(t.call("GET", "/a/items", &token).await.status, 200);
            t.call("GET", "/b/items", &token).await.status == 401
        }
        Fault::ResourceNarrowSticks => {
            let request = format!(
                "{}&{}",
                t.request("a", &[]),
                form(&[("resource", &t.resource("b"))])
            );
            let answer = t
                .authorize_as(&mut Default::default(), &request, "a", "approve")
                .await;
            let first = t
                .redeem(
                    "a",
                    &answer.param("code")?,
                    &[("resource", &t.resource("a"))],
                )
                .await;
            assert_eq!(
                t.call("GET", "/b/items", &first.text("access_token"))
                    .await
                    .status,
                401
            );
            t.refresh(
                "a",
                &first.text("refresh_token"),
                &[("resource", &t.resource("b"))],
            )
            .await
            .status
                != 200
        }
        Fault::RarNotReturned | Fault::RarTokenWidens | Fault::RarRefreshWidens => {
            let details = t.server.facts().rar[0].1.clone();
            let wider = r#"[{"type":"pay","actions":["initiate"],"currency":"EUR","limit":51}]"#;
            let code = code(&[("authorization_details", &details)]).await;
            match fault {
                Fault::RarTokenWidens => {
                    t.redeem("a", &code, &[("authorization_details", wider)])
                        .await
                        .status
                        == 200
                }
                Fault::RarNotReturned => t
                    .redeem("a", &code, &[])
                    .await
                    .json()
                    .get("authorization_details")
                    .is_none(),
                _ => {
                    let tokens = t.redeem("a", &code, &[]).await;
                    t.refresh(
                        "a",
                        &tokens.text("refresh_token"),
                        &[("authorization_details", wider)],
                    )
                    .await
                    .status
                        == 200
                }
            }
        }
        _ => return None,
    })
}

async fn clients(t: &Target, fault: Fault) -> Option<bool> {
    let post = t.client("confidential-b").clone();
    let post_secret = post.secret.clone()?;
    let other = t.client("confidential").clone();
    let other_secret = other.secret.clone()?;
    let with_secret = async |secret: &str| {
        redeem_confidential(t, "confidential-b", &[], &[("client_secret", secret)])
            .await
            .status
            == 200
    };
    let credentials = async |name: &str, changes: &[(&str, &str)]| {
        let client = t.client(name).clone();
        let authorization = basic(&client.id, client.secret.as_deref().unwrap_or_default());
        let headers = if client.auth == "client_secret_basic" {
            vec![FORM, ("Authorization", authorization.as_str())]
        } else {
            vec![FORM]
        };
        let pairs = [&[("grant_type", "client_credentials")], changes].concat();
        t.send("POST", "/token", &headers, &form(&pairs)).await
    };
    Some(match fault {
        Fault::SecretUnchecked => with_secret("wrong").await,
        Fault::SecretEmpty => with_secret("").await,
        Fault::SecretOmitted => with_secret("-").await,
        Fault::SecretAnyClient => with_secret(&other_secret).await,
        Fault::SecretPrefix => with_secret(&format!("{post_secret}x")).await,
        Fault::MultipleAuthAccepted => {
            let authorization = basic(&other.id, &other_secret);
            let headers = [("Authorization", authorization.as_str())];
            redeem_confidential(
                t,
                "confidential",
                &headers,
                &[("client_secret", &other_secret)],
            )
            .await
            .status
                == 200
        }
        Fault::AuthClientMismatch => {
            let authorization = basic(&other.id, &other_secret);
            let headers = [("Authorization", authorization.as_str())];
            redeem_confidential(t, "confidential-b", &headers, &[("client_id", &post.id)])
                .await
                .status
                == 200
        }
        Fault::BasicWithoutChallenge => {
            let authorization = basic(&other.id, "wrong");
            redeem_confidential(t, "confidential", &[("Authorization", &authorization)], &[])
                .await
                .header("www-authenticate")
                .is_none()
        }
        Fault::DcrMethodUnenforced => {
            let changes = [
                ("client_id", other.id.as_str()),
                ("client_secret", other_secret.as_str()),
            ];
            redeem_confidential(t, "confidential", &[], &changes)
                .await
                .status
                == 200
        }
        Fault::PublicClientCredentials => {
            let id = t.client("a").id.clone();
            credentials("a", &[("client_id", &id)]).await.status == 200
        }
        Fault::BasicNotDecoded => {
            let special = t.client("special");
            let secret = special.secret.as_deref().unwrap_or_default();
            let authorization = basic(&special.id, secret);
            let headers = [FORM, ("Authorization", authorization.as_str())];
            let body = form(&[("grant_type", "client_credentials")]);
            t.send("POST", "/token", &headers, &body).await.status != 200
        }
        Fault::ClientCredentialsAsUser => {
            let login = t.server.facts().users[0].fields[0].1.clone();
            let named = credentials("confidential", &[("username", &login)]).await;
            let token = jose::Token::parse(&named.text("access_token")).unwrap();
            token.claim_str("sub") != token.claim_str("client_id")
        }
        Fault::ClientCredentialsRefresh => credentials("confidential", &[])
            .await
            .json()
            .get("refresh_token")
            .is_some(),
        Fault::RefreshSecretUnchecked => {
            let tokens =
                redeem_confidential(t, "confidential-b", &[], &[("client_secret", &post_secret)])
                    .await;
            t.refresh("confidential-b", &tokens.text("refresh_token"), &[])
                .await
                .status
                == 200
        }
        Fault::RevokeUnauthenticated => {
            let tokens =
                redeem_confidential(t, "confidential-b", &[], &[("client_secret", &post_secret)])
                    .await;
            t.post(
                "/revoke",
                &[
                    ("client_id", &post.id),
                    ("token", &tokens.text("refresh_token")),
                ],
            )
            .await
            .status
                == 200
        }
        _ => return None,
    })
}

async fn refreshing(t: &Target, fault: Fault) -> Option<bool> {
    let grant = async |scope: &str| t.grant("a", &[("scope", scope)]).await;
    let use_one =
        async |token: &str, changes: &[(&str, &str)]| t.refresh("a", token, changes).await;
    Some(match fault {
        Fault::RefreshClientGuessed => {
            let refresh = t.grant("a", &[]).await.text("refresh_token");
            let pairs = [
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh.as_str()),
            ];
            t.post("/token", &pairs).await.status == 200
        }
        Fault::RefreshNoRotation => {
            let first = grant("read").await.text("refresh_token");
            use_one(&first, &[]).await.text("refresh_token") == first
        }
        Fault::RefreshOldWorks => {
            let first = grant("read").await.text("refresh_token");
            use_one(&first, &[]).await;
            use_one(&first, &[]).await.status == 200
        }
        Fault::RefreshReplayHarmless
        | Fault::RefreshReplayKillsParent
        | Fault::RefreshReplayLeavesAccess
        | Fault::RefreshReplayTooBroad => {
            let (first, sibling) = (grant("read").await, grant("read").await);
            let next = use_one(&first.text("refresh_token"), &[]).await;
            assert_eq!(
                use_one(&first.text("refresh_token"), &[]).await.error(),
                "invalid_grant"
            );
            match fault {
                Fault::RefreshReplayLeavesAccess => {
                    let (access, refresh) = dead(t, &next).await;
                    assert!(refresh);
                    !access
                }
                Fault::RefreshReplayTooBroad => dead(t, &sibling).await == (true, true),
                _ => dead(t, &next).await == (false, false),
            }
        }
        Fault::RefreshAnyClient => {
            t.refresh("b", &grant("read").await.text("refresh_token"), &[])
                .await
                .status
                == 200
        }
        Fault::RefreshWidens => {
            use_one(
                &grant("read").await.text("refresh_token"),
                &[("scope", "read write")],
            )
            .await
            .status
                == 200
        }
        Fault::RefreshNarrowSticks | Fault::RefreshNarrowIgnored => {
            let narrow = use_one(
                &grant("read write").await.text("refresh_token"),
                &[("scope", "read")],
            )
            .await;
            let full = use_one(&narrow.text("refresh_token"), &[]).await;
            match fault {
                Fault::RefreshNarrowIgnored => narrow.text("scope") != "read",
                _ => full.text("scope") != "read write",
            }
        }
        Fault::RefreshRace => {
            let first = grant("read").await.text("refresh_token");
            let both = tokio::join!(use_one(&first, &[]), use_one(&first, &[]));
            both.0.status == 200 && both.1.status == 200
        }
        Fault::RefreshPrefix => {
            use_one(&grant("read").await.text("refresh_token")[..12], &[])
                .await
                .status
                == 200
        }
        Fault::RefreshByAccess => {
            use_one(&grant("read").await.text("access_token"), &[])
                .await
                .status
                == 200
        }
        Fault::ResourceRefreshSwitch => {
            use_one(
                &grant("read").await.text("refresh_token"),
                &[("resource", &t.resource("b"))],
            )
            .await
            .status
                == 200
        }
        _ => return None,
    })
}
