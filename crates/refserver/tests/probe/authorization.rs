//! The authorization endpoint, login and consent, and the authorization response.

use oauthspec_refserver::Fault;

use crate::support::{Answer, Browser, Target, form, hidden};

/// How the first answer to a request looks: `login`, `page` or the error told to the client.
async fn first(t: &Target, client: &str, changes: &[(&str, &str)]) -> String {
    said(
        t,
        &t.send("GET", &t.request(client, changes), &[], "").await,
    )
}

fn said(t: &Target, answer: &Answer) -> String {
    match (t.path(answer), answer.param("error")) {
        (Some(path), _) => path.split('/').nth(1).unwrap_or_default().to_owned(),
        (None, Some(error)) => error,
        (None, None) if answer.header("location").is_some() => "redirect".into(),
        _ => "page".into(),
    }
}

/// Logs in and stays on the consent page.
async fn consent_page(
    t: &Target,
    browser: &mut Browser,
    changes: &[(&str, &str)],
    user: &str,
) -> (Answer, String) {
    let began = t
        .browse(browser, "GET", &t.request("a", changes), None)
        .await;
    t.to_consent(browser, &began, user)
        .await
        .expect("a consent page")
}

async fn decide(
    t: &Target,
    browser: &mut Browser,
    page: &Answer,
    path: &str,
    decision: &str,
) -> Answer {
    t.browse(
        browser,
        "POST",
        path,
        Some(&form(&[("csrf", &hidden(page)), ("decision", decision)])),
    )
    .await
}

/// A second request in a session that has approved client `a`: the error, `consent`, or `redirect` with a code.
async fn returning(t: &Target, client: &str, changes: &[(&str, &str)]) -> String {
    let mut browser = Browser::default();
    let (page, path) = consent_page(t, &mut browser, &[], "a").await;
    decide(t, &mut browser, &page, &path, "approve").await;
    said(
        t,
        &t.browse(&mut browser, "GET", &t.request(client, changes), None)
            .await,
    )
}

/// Whether user a, logged in, ends up with a token for somebody else.
async fn impersonates(t: &Target, changes: &[(&str, &str)]) -> bool {
    let subject = |answer: Answer| {
        jose::Token::parse(&answer.text("access_token"))
            .unwrap()
            .claims["sub"]
            .clone()
    };
    let own = subject(t.grant("a", &[]).await);
    subject(t.grant("a", changes).await) != own
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    let mut browser = Browser::default();
    let evil = "https://attacker.example/cb";
    let html = "<b id=x>";
    let get = async |path: &str| t.send("GET", path, &[], "").await;
    Some(match fault {
        Fault::ImplicitIssued => t
            .authorize("a", &[("response_type", "token")])
            .await
            .param("access_token")
            .is_some(),
        Fault::HybridIssued => t
            .authorize("a", &[("response_type", "code token")])
            .await
            .param("access_token")
            .is_some(),
        Fault::UnknownClientRedirected => {
            first(t, "a", &[("client_id", "nobody"), ("redirect_uri", evil)]).await != "page"
        }
        Fault::MissingClientGuessed => {
            first(t, "a", &[("client_id", ""), ("redirect_uri", evil)]).await != "page"
        }
        Fault::CodeWithoutUser => get(&t.request("a", &[])).await.param("code").is_some(),
        Fault::UserIdChoosesSubject
        | Fault::LoginHintChoosesSubject
        | Fault::ClaimsChoosesSubject
        | Fault::IdTokenHintChoosesSubject => {
            let other = t.server.facts().users[1].fields[0].1.clone();
            let claims = serde_json::json!({"id_token": {"sub": {"value": other}}}).to_string();
            let key = jose::SigningKey::generate(jose::Alg::ES256);
            let hint = key.sign(
                &Default::default(),
                serde_json::json!({"sub": other}).as_object().unwrap(),
            );
            let (name, value) = match fault {
                Fault::UserIdChoosesSubject => ("user_id", other.as_str()),
                Fault::LoginHintChoosesSubject => ("login_hint", other.as_str()),
                Fault::ClaimsChoosesSubject => ("claims", claims.as_str()),
                _ => ("id_token_hint", hint.as_str()),
            };
            impersonates(t, &[(name, value)]).await
        }
        Fault::ClientIdUnescaped => get(&t.request("a", &[("client_id", html)]))
            .await
            .body
            .contains(html),
        Fault::RedirectUriUnescaped => get(&t.request("a", &[("redirect_uri", html)]))
            .await
            .body
            .contains(html),
        Fault::StateUnescaped => {
            let began = t
                .browse(
                    &mut browser,
                    "GET",
                    &t.request("a", &[("state", html)]),
                    None,
                )
                .await;
            t.browse(&mut browser, "GET", &t.path(&began)?, None)
                .await
                .body
                .contains(html)
        }
        Fault::HeaderInjection => t
            .authorize("a", &[("state", "x\r\nX-Injected: 1")])
            .await
            .header("x-injected")
            .is_some(),
        Fault::StateUnencoded => t
            .authorize("a", &[("state", "x&code=evil")])
            .await
            .header("location")?
            .contains("&code=evil"),
        Fault::StateTrimmed => t.authorize("a", &[("state", " x ")]).await.param("state")? != " x ",
        Fault::StateCut => {
            t.authorize("a", &[("state", &"x".repeat(512))])
                .await
                .param("state")?
                .len()
                != 512
        }
        Fault::StateInvented => t
            .authorize("a", &[("state", "")])
            .await
            .param("state")
            .is_some(),
        Fault::StateLostOnError => get(&t.request("a", &[("scope", "banana")]))
            .await
            .param("state")
            .is_none(),
        Fault::ErrorDescriptionRaw => get(&t.request("a", &[("scope", "é\"")]))
            .await
            .param("error_description")?
            .contains('"'),
        Fault::DuplicateLastWins => get(&format!("{}&scope=write", t.request("a", &[])))
            .await
            .param("error")
            .is_none(),
        Fault::EmptyNotOmitted => get(&format!("{}&scope=", t.request("a", &[("scope", "")])))
            .await
            .param("error")
            .is_some(),
        Fault::UnknownParamRefused => first(t, "a", &[("x_unknown", "1")]).await != "login",
        Fault::ResponseTypeAssumed => first(t, "a", &[("response_type", "")]).await == "login",
        Fault::UnknownResponseTypeAccepted => {
            first(t, "a", &[("response_type", "banana")]).await == "login"
        }
        Fault::InteractionReusable | Fault::ApproveAfterDeny => {
            let earlier = if fault == Fault::ApproveAfterDeny {
                "deny"
            } else {
                "approve"
            };
            let (page, path) = consent_page(t, &mut browser, &[], "a").await;
            decide(t, &mut browser, &page, &path, earlier).await;
            decide(t, &mut browser, &page, &path, "approve")
                .await
                .param("code")
                .is_some()
        }
        Fault::InteractionRace => {
            let (page, path) = consent_page(t, &mut browser, &[], "a").await;
            let mut other = browser.clone();
            let both = tokio::join!(
                decide(t, &mut browser, &page, &path, "approve"),
                decide(t, &mut other, &page, &path, "approve")
            );
            both.0.param("code").is_some() && both.1.param("code").is_some()
        }
        Fault::InteractionAnyBrowser => {
            let (page, path) = consent_page(t, &mut browser, &[], "a").await;
            let mut other = Browser::default();
            consent_page(t, &mut other, &[], "b").await;
            decide(t, &mut other, &page, &path, "approve")
                .await
                .param("code")
                .is_some()
        }
        Fault::ConsentWithoutCsrf => {
            let (_, path) = consent_page(t, &mut browser, &[], "a").await;
            t.browse(&mut browser, "POST", &path, Some("decision=approve"))
                .await
                .param("code")
                .is_some()
        }
        Fault::DenialApproves => {
            let answer = t
                .authorize_as(&mut browser, &t.request("a", &[]), "a", "deny")
                .await;
            assert!(answer.param("code").is_some() || answer.error() == "access_denied");
            answer.param("code").is_some()
        }
        Fault::PromptNoneCode => first(t, "a", &[("prompt", "none")]).await != "login_required",
        Fault::PromptNoneSkipsConsent => {
            returning(t, "b", &[("prompt", "none")]).await != "consent_required"
        }
        Fault::PromptNoneCombined => {
            returning(t, "a", &[("prompt", "none login")]).await != "invalid_request"
        }
        Fault::ResponseModeFragment => t
            .authorize("a", &[("response_mode", "fragment")])
            .await
            .header("location")?
            .contains("#code="),
        Fault::AutoApprove => returning(t, "a", &[]).await != "consent",
        Fault::ConsentForAnyClient => returning(t, "b", &[]).await != "consent",
        Fault::PartialConsentIgnored => {
            let both = [("scope", "read write")];
            let (page, path) = consent_page(t, &mut browser, &both, "a").await;
            let csrf = hidden(&page);
            let decision = [
                ("csrf", csrf.as_str()),
                ("decision", "approve"),
                ("withhold_write", "yes"),
            ];
            let answer = t
                .browse(&mut browser, "POST", &path, Some(&form(&decision)))
                .await;
            let code = answer.param("code").unwrap_or_default();
            t.redeem("a", &code, &[]).await.text("scope") != "read"
        }
        Fault::ConsentUninformed => !consent_page(t, &mut browser, &[], "a")
            .await
            .0
            .body
            .contains("Example client a"),
        Fault::CodeGuessable => t.code("a", &[]).await.starts_with("code-0"),
        Fault::CodeShort => t.code("a", &[]).await.len() < 22,
        Fault::RedirectQueryLost => {
            let body = serde_json::json!({"redirect_uris": ["https://q.example/cb?tenant=1"], "token_endpoint_auth_method": "none"});
            let made = t
                .send(
                    "POST",
                    "/register",
                    &[("Content-Type", "application/json")],
                    &body.to_string(),
                )
                .await;
            let changes = [
                ("client_id", made.text("client_id")),
                ("redirect_uri", "https://q.example/cb?tenant=1".into()),
            ];
            let changes: Vec<(&str, &str)> = changes
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            t.authorize("a", &changes).await.param("tenant").is_none()
        }
        Fault::ScopeOrderMatters => first(t, "a", &[("scope", "write read")]).await != "login",
        Fault::Redirect307 => t.authorize("a", &[]).await.status == 307,
        Fault::FramingAllowed => consent_page(t, &mut browser, &[], "a")
            .await
            .0
            .header("x-frame-options")
            .is_none(),
        Fault::CorsOnAuthorize => {
            let answer = t
                .send("GET", &t.request("a", &[]), &[("Origin", evil)], "")
                .await;
            answer.header("access-control-allow-origin").is_some()
        }
        Fault::SessionCookieOpen => !get(&t.request("a", &[]))
            .await
            .header("set-cookie")?
            .contains("HttpOnly"),
        Fault::IssMissing => t.authorize("a", &[]).await.param("iss").is_none(),
        Fault::IssWrong | Fault::IssSlash => {
            t.authorize("a", &[]).await.param("iss")? != t.server.facts().issuer
        }
        Fault::IssTwice => {
            t.authorize("a", &[])
                .await
                .header("location")?
                .matches("iss=")
                .count()
                == 2
        }
        Fault::IssMissingOnError => get(&t.request("a", &[("scope", "banana")]))
            .await
            .param("iss")
            .is_none(),
        Fault::PkceOptional => {
            first(
                t,
                "a",
                &[("code_challenge", ""), ("code_challenge_method", "")],
            )
            .await
                == "login"
        }
        Fault::PkceConfidentialOptional => {
            first(
                t,
                "confidential",
                &[("code_challenge", ""), ("code_challenge_method", "")],
            )
            .await
                == "login"
        }
        Fault::PkcePlain => first(t, "a", &[("code_challenge_method", "plain")]).await == "login",
        Fault::PkceOmittedMeansPlain => {
            let code = t
                .authorize(
                    "a",
                    &[
                        ("code_challenge", crate::support::VERIFIER),
                        ("code_challenge_method", ""),
                    ],
                )
                .await
                .param("code");
            code.is_some() && t.redeem("a", &code?, &[]).await.status == 200
        }
        Fault::PkceUnknownMethod => {
            first(t, "a", &[("code_challenge_method", "S512")]).await == "login"
        }
        Fault::PkceMethodCase => {
            first(t, "a", &[("code_challenge_method", "s256")]).await == "login"
        }
        Fault::PkceLengthUnchecked => {
            first(t, "a", &[("code_challenge", "short")]).await == "login"
        }
        Fault::CodeCarriesChallenge => {
            let code = t.code("a", &[]).await;
            jose::base64url_decode(&code).is_some_and(|bytes| {
                String::from_utf8_lossy(&bytes).contains(crate::support::CHALLENGE)
            })
        }
        Fault::ScopeUnknownGranted => t
            .authorize("a", &[("scope", "read banana")])
            .await
            .param("code")
            .is_some(),
        Fault::ScopeMalformed => first(t, "a", &[("scope", "read \"x")]).await == "login",
        Fault::ScopePrefix => first(t, "a", &[("scope", "read-x")]).await == "login",
        Fault::ResourceUnknown => {
            first(t, "a", &[("resource", "https://unknown.example/")]).await == "login"
        }
        Fault::ResourcePrefix => {
            first(
                t,
                "a",
                &[("resource", &format!("{}/below", t.resource("a")))],
            )
            .await
                == "login"
        }
        Fault::ResourceHostOnly => {
            first(
                t,
                "a",
                &[("resource", &format!("{}/other", t.server.facts().issuer))],
            )
            .await
                == "login"
        }
        Fault::ResourceMalformed => {
            first(t, "a", &[("resource", &format!("{}#f", t.resource("a")))]).await == "login"
        }
        Fault::ResourceSpelling => {
            first(t, "a", &[("resource", &format!("{}/", t.resource("a")))]).await == "login"
        }
        Fault::RarUnknownAccepted | Fault::RarUnknownDropped => {
            details(t, r#"[{"type":"banana"}]"#).await
        }
        Fault::RarTypeCase => details(t, r#"[{"type":"RECORDS","actions":["list"]}]"#).await,
        Fault::RarFieldUnknown => {
            details(t, r#"[{"type":"records","actions":["list"],"x":1}]"#).await
        }
        Fault::RarFieldMissing => details(t, r#"[{"type":"records"}]"#).await,
        Fault::RarFieldType => details(t, r#"[{"type":"records","actions":"list"}]"#).await,
        Fault::RarObjectAccepted => details(t, r#"{"type":"records","actions":["list"]}"#).await,
        Fault::RarEmptyAccepted => details(t, "[]").await,
        Fault::RarDuplicateKeys => {
            details(t, r#"[{"type":"x","type":"records","actions":["list"]}]"#).await
        }
        Fault::ServerError500 => get("/authorize?state=%zz").await.status == 500,
        _ => return None,
    })
}

/// Whether authorization details are accepted.
async fn details(t: &Target, text: &str) -> bool {
    let said = first(t, "a", &[("authorization_details", text)]).await;
    assert!(
        said == "login" || said == "invalid_authorization_details",
        "{said}"
    );
    said == "login"
}
