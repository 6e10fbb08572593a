//! Proof of possession.

use jose::{Alg, Flaw, SigningKey, dpop::Request};
use oauthspec_refserver::Fault;

use crate::support::{Answer, Target, VERIFIER, form};

/// A client with a key.
struct Holder<'t> {
    t: &'t Target,
    key: SigningKey,
}

impl<'t> Holder<'t> {
    fn new(t: &'t Target) -> Holder<'t> {
        let key = SigningKey::generate(Alg::ES256);
        Holder { t, key }
    }

    fn thumbprint(&self) -> String {
        let jwk = jose::Jwk::from_json(&self.key.public_jwk()).unwrap();
        jwk.thumbprint().unwrap()
    }

    fn proof(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        nonce: &str,
        flaw: Option<Flaw>,
    ) -> String {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let request = Request {
            method,
            url: &format!("http://127.0.0.1:{}{path}", self.t.port),
            token,
            nonce: Some(nonce),
            now: now.as_secs() as i64,
        };
        jose::dpop::proof(&self.key, &request, flaw)
    }

    /// A token request with a proof, the nonce supplied.
    async fn token(&self, pairs: &[(&str, &str)], flaw: Option<Flaw>) -> Answer {
        let mut nonce = String::new();
        let mut answer = Answer::default();
        for _ in 0..2 {
            let proof = self.proof("POST", "/token", None, &nonce, flaw);
            let second = self.proof("POST", "/token", None, &nonce, flaw);
            let mut headers = vec![
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("DPoP", proof.as_str()),
            ];
            if flaw == Some(Flaw::Twice) {
                headers.push(("DPoP", &second));
            }
            answer = self.t.send("POST", "/token", &headers, &form(pairs)).await;
            nonce = match answer.header("dpop-nonce") {
                Some(nonce) if flaw != Some(Flaw::OtherNonce) => nonce.to_owned(),
                _ => break,
            };
        }
        answer
    }

    async fn redeem(&self, code: &str, flaw: Option<Flaw>) -> Answer {
        let fact = self.t.client("a");
        let uri = fact.redirect_uris.first().cloned().unwrap_or_default();
        let pairs = [
            ("grant_type", "authorization_code"),
            ("client_id", fact.id.as_str()),
            ("code", code),
            ("redirect_uri", uri.as_str()),
            ("code_verifier", VERIFIER),
        ];
        self.token(&pairs, flaw).await
    }

    async fn grant(&self, flaw: Option<Flaw>) -> Answer {
        let code = self.t.code("a", &[]).await;
        self.redeem(&code, flaw).await
    }

    /// A call with a proof, the nonce supplied; the answers to the proof and to its replay.
    async fn call(&self, token: &str, flaw: Option<Flaw>) -> (Answer, Answer) {
        let authorization = format!("DPoP {token}");
        let mut nonce = String::new();
        loop {
            let proof = self.proof("GET", "/a/items", Some(token), &nonce, flaw);
            let headers = [
                ("Authorization", authorization.as_str()),
                ("DPoP", proof.as_str()),
            ];
            let first = self.t.send("GET", "/a/items", &headers, "").await;
            if let Some(supplied) = first.header("dpop-nonce")
                && nonce.is_empty()
            {
                nonce = supplied.to_owned();
                continue;
            }
            return (first, self.t.send("GET", "/a/items", &headers, "").await);
        }
    }
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    let holder = Holder::new(t);
    let flawed = async |flaw: Flaw| holder.grant(Some(flaw)).await.status == 200;
    Some(match fault {
        Fault::DpopUnbound | Fault::DpopThumbprint => {
            let answer = holder.grant(None).await;
            assert_eq!(answer.text("token_type"), "DPoP", "{answer:?}");
            let token = jose::Token::parse(&answer.text("access_token")).unwrap();
            let jkt = token.claims.get("cnf").map(|cnf| cnf["jkt"].clone());
            match fault {
                Fault::DpopUnbound => jkt.is_none(),
                _ => jkt != Some(holder.thumbprint().into()),
            }
        }
        Fault::DpopSignature => flawed(Flaw::Signature).await,
        Fault::DpopAlgNone => flawed(Flaw::AlgNone).await,
        Fault::DpopHs256 => flawed(Flaw::Hs256).await,
        Fault::DpopPrivateJwk => flawed(Flaw::PrivateJwk).await,
        Fault::DpopTyp => flawed(Flaw::Typ).await,
        Fault::DpopHtm => flawed(Flaw::Htm).await,
        Fault::DpopHtu => flawed(Flaw::Htu).await,
        Fault::DpopIat => flawed(Flaw::IatPast).await,
        Fault::DpopJtiMissing => flawed(Flaw::NoJti).await,
        Fault::DpopTwoProofs => flawed(Flaw::Twice).await,
        Fault::DpopNonceAny => flawed(Flaw::OtherNonce).await,
        Fault::DpopReplay => {
            let token = holder.grant(None).await.text("access_token");
            let (first, again) = holder.call(&token, None).await;
            assert_eq!(first.status, 200, "{first:?}");
            again.status == 200
        }
        Fault::DpopProofMissing => {
            let token = holder.grant(None).await.text("access_token");
            let authorization = format!("DPoP {token}");
            let headers = [("Authorization", authorization.as_str())];
            t.send("GET", "/a/items", &headers, "").await.status == 200
        }
        Fault::DpopAnyKey => {
            let token = holder.grant(None).await.text("access_token");
            Holder::new(t).call(&token, None).await.0.status == 200
        }
        Fault::DpopAth => {
            let token = holder.grant(None).await.text("access_token");
            holder.call(&token, Some(Flaw::OtherAth)).await.0.status == 200
        }
        Fault::DpopBearer => {
            let token = holder.grant(None).await.text("access_token");
            t.call("GET", "/a/items", &token).await.status == 200
        }
        Fault::DpopRefreshUnbound => {
            let token = holder.grant(None).await.text("refresh_token");
            let id = t.client("a").id.clone();
            let pairs = [
                ("grant_type", "refresh_token"),
                ("client_id", id.as_str()),
                ("refresh_token", token.as_str()),
            ];
            Holder::new(t).token(&pairs, None).await.status == 200
        }
        Fault::DpopJktIgnored => {
            let jkt = holder.thumbprint();
            let code = t.code("a", &[("dpop_jkt", &jkt)]).await;
            Holder::new(t).redeem(&code, None).await.status == 200
        }
        _ => return None,
    })
}
