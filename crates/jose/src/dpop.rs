//! DPoP proofs (RFC 9449 §4.2), and proofs with one deliberate flaw.

use serde_json::{Map, Value, json};

use crate::{
    SigningKey,
    hash::{base64url, random_token, sha256},
    token::sign_hs256,
};

macro_rules! flaws {
    ($($variant:ident $name:literal $doc:literal;)*) => {
        /// A named way to break a DPoP proof. Everything else in the proof is right.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Flaw { $(#[doc = $doc] $variant,)* }

        impl Flaw {
            /// Every flaw, in the order of the documentation.
            pub const ALL: &[Flaw] = &[$(Flaw::$variant,)*];

            /// The name used in suite files.
            pub fn name(self) -> &'static str {
                match self { $(Flaw::$variant => $name,)* }
            }

            /// What it does, in one sentence.
            pub fn doc(self) -> &'static str {
                match self { $(Flaw::$variant => $doc,)* }
            }
        }
    };
}

flaws! {
    Signature "dpop.signature" "The proof is signed by another key than its `jwk`.";
    AlgNone "dpop.alg-none" "`alg` of the proof is `none` and the signature empty.";
    Hs256 "dpop.hs256" "The proof is signed with HS256, the secret being the text of its own `jwk`.";
    PrivateJwk "dpop.private-jwk" "`jwk` of the proof has a private member.";
    Typ "dpop.typ" "`typ` of the proof is `JWT`.";
    Htm "dpop.htm" "`htm` of the proof is another method.";
    Htu "dpop.htu" "`htu` of the proof is another URL of the same server.";
    IatPast "dpop.iat-past" "`iat` of the proof is an hour ago.";
    IatFuture "dpop.iat-future" "`iat` of the proof is an hour ahead.";
    NoJti "dpop.no-jti" "The proof has no `jti`.";
    Twice "dpop.twice" "Two DPoP headers, each with a proof that is right.";
    Replayed "dpop.replayed" "The request is sent twice with one and the same proof; the second answer counts.";
    NoNonce "dpop.no-nonce" "The proof has no `nonce`, and a challenge for one is not followed.";
    OtherNonce "dpop.other-nonce" "`nonce` of the proof is made up.";
    NoAth "dpop.no-ath" "The proof does not name the access token.";
    OtherAth "dpop.other-ath" "`ath` of the proof is the hash of another token.";
}

impl Flaw {
    /// The flaw of that name.
    pub fn parse(name: &str) -> Option<Flaw> {
        Flaw::ALL.iter().copied().find(|flaw| flaw.name() == name)
    }
}

/// The names of everything `forge` may say in a suite: of tokens and of proofs.
pub fn forgeries() -> Vec<&'static str> {
    let tokens = crate::Forge::ALL.iter().map(|forge| forge.name());
    tokens
        .chain(Flaw::ALL.iter().map(|flaw| flaw.name()))
        .collect()
}

/// The request a proof is for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The HTTP method.
    pub method: &'r str,
    /// The URL; query and fragment are left out of the proof.
    pub url: &'r str,
    /// The access token that goes along, at a resource server.
    pub token: Option<&'r str>,
    /// The nonce the server has supplied.
    pub nonce: Option<&'r str>,
    /// Seconds since the epoch.
    pub now: i64,
}

/// A proof for this request by this key, flawed when a flaw is given.
pub fn proof(key: &SigningKey, request: &Request<'_>, flaw: Option<Flaw>) -> String {
    let has = |wanted: Flaw| flaw == Some(wanted);
    let mut jwk = key.public_jwk();
    if let Some(members) = jwk.as_object_mut() {
        // What identifies the key, and nothing else.
        members.retain(|name, _| matches!(name.as_str(), "kty" | "crv" | "x" | "y" | "n" | "e"));
        if has(Flaw::PrivateJwk) {
            members.insert("d".into(), random_token(32).into());
        }
    }
    let mut header = Map::new();
    let typ = if has(Flaw::Typ) { "JWT" } else { "dpop+jwt" };
    header.insert("typ".into(), typ.into());
    let url = request.url.split(['?', '#']).next().unwrap_or_default();
    let other = if request.method == "PUT" {
        "POST"
    } else {
        "PUT"
    };
    let shift = match flaw {
        Some(Flaw::IatPast) => -3600,
        Some(Flaw::IatFuture) => 3600,
        _ => 0,
    };
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    put(
        "htm",
        if has(Flaw::Htm) {
            other
        } else {
            request.method
        }
        .into(),
    );
    let htu = if has(Flaw::Htu) {
        format!("{url}-elsewhere")
    } else {
        url.to_owned()
    };
    put("htu", htu.into());
    put("iat", (request.now + shift).into());
    if !has(Flaw::NoJti) {
        put("jti", random_token(16).into());
    }
    match request.nonce {
        _ if has(Flaw::OtherNonce) => put("nonce", random_token(16).into()),
        Some(nonce) if !has(Flaw::NoNonce) => put("nonce", nonce.into()),
        _ => {}
    }
    match request.token {
        Some(_) if has(Flaw::OtherAth) => put("ath", base64url(sha256(b"another token")).into()),
        Some(token) if !has(Flaw::NoAth) => put("ath", base64url(sha256(token.as_bytes())).into()),
        _ => {}
    }
    if has(Flaw::Hs256) {
        let secret = jwk.to_string();
        header.insert("jwk".into(), jwk);
        return sign_hs256(&header, &claims, secret.as_bytes());
    }
    header.insert("jwk".into(), jwk);
    let alg = if has(Flaw::AlgNone) {
        "none"
    } else {
        key.alg().name()
    };
    header.insert("alg".into(), alg.into());
    let input = format!(
        "{}.{}",
        base64url(Value::Object(header).to_string()),
        base64url(json!(claims).to_string())
    );
    let signature = match flaw {
        Some(Flaw::AlgNone) => Vec::new(),
        Some(Flaw::Signature) => SigningKey::generate(key.alg()).sign_bytes(input.as_bytes()),
        _ => key.sign_bytes(input.as_bytes()),
    };
    format!("{input}.{}", base64url(signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Alg, Jwk, Token};

    const REQUEST: Request<'static> = Request {
        method: "POST",
        url: "https://as.example/token?x=1",
        token: Some("token"),
        nonce: Some("nonce"),
        now: 1_900_000_000,
    };

    fn parsed(flaw: Option<Flaw>) -> Token {
        let key = SigningKey::generate(Alg::ES256);
        Token::parse(&proof(&key, &REQUEST, flaw)).unwrap()
    }

    fn verifies(token: &Token) -> bool {
        Jwk::from_json(&token.header["jwk"]).is_some_and(|jwk| {
            jwk.verify(Alg::ES256, token.signing_input.as_bytes(), &token.signature)
                .is_ok()
        })
    }

    #[test]
    fn a_proof_says_what_rfc_9449_asks_for() {
        let token = parsed(None);
        assert!(verifies(&token));
        assert_eq!(token.header_str("typ"), Some("dpop+jwt"));
        assert_eq!(token.claim_str("htm"), Some("POST"));
        assert_eq!(token.claim_str("htu"), Some("https://as.example/token"));
        assert_eq!(token.claim_str("nonce"), Some("nonce"));
        let ath = base64url(sha256(b"token"));
        assert_eq!(token.claim_str("ath"), Some(ath.as_str()));
        assert!(token.claim_str("jti").is_some() && token.claims["iat"] == 1_900_000_000);
    }

    #[test]
    fn each_flaw_changes_what_it_says() {
        assert!(!verifies(&parsed(Some(Flaw::Signature))));
        assert!(parsed(Some(Flaw::AlgNone)).signature.is_empty());
        assert_eq!(parsed(Some(Flaw::Hs256)).header_str("alg"), Some("HS256"));
        assert!(parsed(Some(Flaw::PrivateJwk)).header["jwk"]["d"].is_string());
        assert_eq!(parsed(Some(Flaw::Typ)).header_str("typ"), Some("JWT"));
        assert_eq!(parsed(Some(Flaw::Htm)).claim_str("htm"), Some("PUT"));
        let htu = parsed(Some(Flaw::Htu));
        assert_eq!(
            htu.claim_str("htu"),
            Some("https://as.example/token-elsewhere")
        );
        assert_eq!(parsed(Some(Flaw::IatPast)).claims["iat"], 1_899_996_400);
        assert_eq!(parsed(Some(Flaw::IatFuture)).claims["iat"], 1_900_003_600);
        assert!(parsed(Some(Flaw::NoJti)).claim_str("jti").is_none());
        assert!(parsed(Some(Flaw::NoNonce)).claim_str("nonce").is_none());
        assert_ne!(
            parsed(Some(Flaw::OtherNonce)).claim_str("nonce"),
            Some("nonce")
        );
        assert!(parsed(Some(Flaw::NoAth)).claim_str("ath").is_none());
        let other = parsed(Some(Flaw::OtherAth));
        assert_ne!(other.claim_str("ath"), parsed(None).claim_str("ath"));
    }

    #[test]
    fn names_are_unique_and_parse_back() {
        let mut names = forgeries();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), crate::Forge::ALL.len() + Flaw::ALL.len());
        for flaw in Flaw::ALL {
            assert_eq!(Flaw::parse(flaw.name()), Some(*flaw));
            assert!(flaw.doc().ends_with('.'));
        }
    }
}
