//! A JWT taken apart, so that one thing of it can be another one.

use serde_json::{Map, Value};

use crate::{
    Alg, Claims, Jwks, SigningKey, Token,
    forge::{Context, NotApplicable, not},
    hash::base64url,
    token::sign_hs256,
};

/// A JWT taken apart for editing.
pub(crate) struct Parts {
    pub token: Token,
    /// `None`: a symmetric one.
    pub alg: Option<Alg>,
}

fn segment(members: &Map<String, Value>) -> String {
    base64url(Value::Object(members.clone()).to_string())
}

impl Parts {
    /// The token's algorithm.
    pub fn asymmetric(&self) -> Result<Alg, NotApplicable> {
        self.alg.ok_or_else(|| {
            NotApplicable(format!(
                "the token's alg {:?} is not an asymmetric one",
                self.token.header_str("alg").unwrap_or("?")
            ))
        })
    }

    pub fn old_signature(&self) -> String {
        base64url(&self.token.signature)
    }

    /// Other claims under the old signature.
    pub fn with_claims(&self, edit: impl FnOnce(&mut Claims)) -> String {
        let mut claims = self.token.claims.clone();
        edit(&mut claims);
        let header = self
            .token
            .signing_input
            .split('.')
            .next()
            .unwrap_or_default();
        format!("{header}.{}.{}", segment(&claims), self.old_signature())
    }

    pub fn payload(&self) -> &str {
        self.token
            .signing_input
            .split('.')
            .nth(1)
            .unwrap_or_default()
    }

    /// Another header under the old signature.
    pub fn with_header(&self, edit: impl FnOnce(&mut Map<String, Value>)) -> String {
        let mut header = self.token.header.clone();
        edit(&mut header);
        format!(
            "{}.{}.{}",
            segment(&header),
            self.payload(),
            self.old_signature()
        )
    }

    /// Without a signature, as `alg` says.
    pub fn unsecured(&self, alg: &str) -> String {
        let mut header = self.token.header.clone();
        header.insert("alg".into(), alg.into());
        format!("{}.{}.", segment(&header), self.payload())
    }

    /// Signed with a secret; under this `kid`, if there is one.
    pub fn hs256(&self, secret: &[u8], kid: Option<&str>) -> String {
        let mut header = self.token.header.clone();
        header.insert("alg".into(), "HS256".into());
        if let Some(kid) = kid {
            header.insert("kid".into(), kid.into());
        }
        sign_hs256(&header, &self.token.claims, secret)
    }

    /// Signed by a key of ours of the same algorithm, after the edits.
    pub fn resigned(
        &self,
        alg: Alg,
        context: &Context<'_>,
        edit_header: impl FnOnce(&mut Map<String, Value>, &SigningKey),
        edit_claims: impl FnOnce(&mut Claims),
    ) -> String {
        let fresh;
        let key = if context.attacker.alg() == alg {
            context.attacker
        } else {
            fresh = SigningKey::generate(alg);
            &fresh
        };
        let (mut header, mut claims) = (self.token.header.clone(), self.token.claims.clone());
        edit_header(&mut header, key);
        edit_claims(&mut claims);
        let input = format!("{}.{}", segment(&header), segment(&claims));
        let signature = base64url(key.sign_bytes(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// The server's public key for this token.
    pub fn public_key(&self, context: &Context<'_>) -> Result<crate::Jwk, NotApplicable> {
        let alg = self.asymmetric()?;
        let Some(jwks) = context.jwks.and_then(|value| Jwks::from_json(value).ok()) else {
            return not("the server publishes no key set");
        };
        match jwks.find(self.token.header_str("kid"), alg) {
            Ok(key) => Ok(key.clone()),
            Err(_) => not("the server's key set has no single key for this token"),
        }
    }

    /// With this in place of an ES256 signature.
    pub fn es256(&self, edit: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<String, NotApplicable> {
        if self.alg != Some(Alg::ES256) {
            return not("the token's alg is not ES256");
        }
        Ok(format!(
            "{}.{}",
            self.token.signing_input,
            base64url(edit(&self.token.signature))
        ))
    }

    /// With this number in place of an RSA signature.
    pub fn rsa(&self, number: u8) -> Result<String, NotApplicable> {
        if self.alg.is_none_or(|alg| alg.kty() != "RSA") {
            return not("the token's alg is not an RSA one");
        }
        let mut signature = vec![0; self.token.signature.len().max(1)];
        if let Some(last) = signature.last_mut() {
            *last = number;
        }
        Ok(format!(
            "{}.{}",
            self.token.signing_input,
            base64url(signature)
        ))
    }
}
