//! Forgeries with the issuer's own key: the signature is right and one thing that the token says is wrong, so that a refusal shows that the
//! resource server has looked at just that (RFC 9068 §4).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::{Claims, Forge, NotApplicable, Signer, Token, forge::not};

/// Beyond any leeway for clocks that differ (RFC 9068 §4 speaks of a few minutes).
const HOUR: u64 = 3600;

/// The token with one thing changed and signed again; `None` when this forgery is none of these.
pub(crate) fn apply(
    forge: Forge,
    text: &str,
    token: &Token,
    issuer: &Signer,
) -> Option<Result<String, NotApplicable>> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let claim = |name: &str| token.claim_str(name);
    let iss = claim("iss").unwrap_or_default().to_owned();
    let audience = match token.claims.get("aud") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(several)) => several
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        _ => String::new(),
    };
    let with = |name: &str, value: Value| {
        let mut claims = token.claims.clone();
        claims.insert(name.to_owned(), value);
        Ok(again(token.header.clone(), &claims, issuer))
    };
    let without = |name: &str| {
        let mut claims = token.claims.clone();
        match claims.remove(name) {
            Some(_) => Ok(again(token.header.clone(), &claims, issuer)),
            None => not(format!("a valid token of this issuer has no {name}")),
        }
    };
    let header = |edit: &dyn Fn(&mut Map<String, Value>)| {
        let mut header = token.header.clone();
        edit(&mut header);
        Ok(again(header, &token.claims, issuer))
    };
    let typ = token
        .header_str("typ")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let typed = matches!(typ.as_str(), "at+jwt" | "application/at+jwt");
    let retyped = |other: Option<&str>| {
        if !typed {
            return not("a valid token of this issuer is not typed at+jwt (RFC 9068 §2.1)");
        }
        header(&|header| {
            match other {
                Some(other) => header.insert("typ".into(), other.into()),
                None => header.remove("typ"),
            };
        })
    };
    let bound = !audience.is_empty();
    let aimed = |value: Value| {
        if bound {
            with("aud", value)
        } else {
            not("a valid token of this issuer has no aud")
        }
    };
    let other = "https://attacker.example";
    Some(match forge {
        Forge::SignedIssOther => with("iss", other.into()),
        Forge::SignedIssArray => with("iss", json!([other, iss])),
        Forge::SignedIssArrayFirst => with("iss", json!([iss, other])),
        Forge::SignedIssMissing => without("iss"),
        Forge::SignedIssExtended => with("iss", format!("{iss}.attacker.example").into()),
        Forge::SignedIssSlash => {
            let slashed = iss.strip_suffix('/').map(str::to_owned);
            with("iss", slashed.unwrap_or_else(|| format!("{iss}/")).into())
        }
        Forge::SignedAudOther => aimed("https://other-resource.example/".into()),
        Forge::SignedAudMissing => without("aud"),
        Forge::SignedAudEmpty => aimed(json!([])),
        Forge::SignedAudExtended => aimed(format!("{audience}.attacker.example").into()),
        Forge::SignedAudClient => match claim("client_id") {
            Some(client) => aimed(client.into()),
            None => not("a valid token of this issuer has no client_id"),
        },
        Forge::SignedExpPast => {
            let mut claims = token.claims.clone();
            claims.insert("iat".into(), now.saturating_sub(2 * HOUR).into());
            claims.insert("exp".into(), now.saturating_sub(HOUR).into());
            Ok(again(token.header.clone(), &claims, issuer))
        }
        Forge::SignedExpMissing => without("exp"),
        Forge::SignedExpText => with("exp", "1999-12-31T23:59:59Z".into()),
        Forge::SignedExpNull => with("exp", Value::Null),
        Forge::SignedExpArray => with("exp", json!([now.saturating_sub(HOUR), now + HOUR])),
        Forge::SignedNbfFuture => with("nbf", (now + HOUR).into()),
        Forge::SignedNbfText => with("nbf", "2999-12-31T23:59:59Z".into()),
        Forge::SignedTypMissing => retyped(None),
        Forge::SignedTypJwt => retyped(Some("JWT")),
        Forge::SignedTypLogout => retyped(Some("logout+jwt")),
        Forge::SignedCritUnknown => header(&|header| {
            header.insert("crit".into(), json!(["https://attacker.example/unknown"]));
            header.insert("https://attacker.example/unknown".into(), true.into());
        }),
        Forge::SignedNested => Ok(nested(token, text, issuer)),
        _ => return None,
    })
}

fn again(header: Map<String, Value>, claims: &Claims, issuer: &Signer) -> String {
    issuer.sign(&header, claims)
}

/// `cty` JWT, and the whole token as the payload.
fn nested(token: &Token, text: &str, issuer: &Signer) -> String {
    let mut header = token.header.clone();
    header.insert("cty".into(), "JWT".into());
    issuer.sign_payload(&header, text.as_bytes())
}
