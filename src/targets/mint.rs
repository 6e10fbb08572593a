//! `[mint]`: nobody issues tokens but oauthspec, which has the key of the issuer that the resource servers trust.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jose::{Alg, Signer, SigningKey};
use serde_json::{Map, Value};
use toml::de::DeValue;
use url::Url;

use super::access::json;
use super::load::is_loopback;
use super::model::{Driver, Login, Mint};
use super::read::{Pieces, SHAPES};
use crate::reader::{At, Table};

/// Tokens live this long when the file says nothing.
const LIFETIME: Duration = Duration::from_secs(300);
/// The longest lifetime that makes sense for a test.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Claims that say who a valid token is for: they follow the target file's resources and clients.
const OURS: [&str; 5] = ["iss", "iat", "exp", "scope", "jti"];

/// The issuer's key, as the file has it.
enum Key {
    /// Handed over.
    Given(Signer),
    /// To be made for the run.
    Fresh(Alg),
}

impl Key {
    /// Whether those who verify would have to know the secret itself.
    fn is_shared(&self) -> bool {
        matches!(self, Key::Given(Signer::Secret { .. }))
    }

    fn signer(self, kid: Option<String>) -> Arc<Signer> {
        let signer = match self {
            Key::Given(signer) => signer,
            Key::Fresh(alg) => Signer::Key(SigningKey::generate(alg)),
        };
        Arc::new(match kid {
            Some(kid) => signer.with_kid(kid),
            None => signer,
        })
    }
}

impl Pieces<'_> {
    /// The table, and what it makes of the login: nobody logs in.
    pub(super) fn mint(
        &self,
        root: &Table<'_, '_>,
        issuer: Option<&Url>,
        login: &mut Login,
    ) -> Option<Mint> {
        let table = root.table("mint", "the minting of tokens", &SHAPES.mint)?;
        if let Some(entry) = root.entry("login") {
            self.error(
                &entry.key_span,
                "nobody logs in where oauthspec is the issuer",
            )
            .help("keep [mint], or [login], not both")
            .report();
        }
        login.driver = Driver::Mint;
        let names: Vec<&str> = ["HS256"]
            .into_iter()
            .chain(Alg::ALL.iter().map(|alg| alg.name()))
            .collect();
        let alg = table.word("alg", &names, |word| match word {
            "HS256" => Some(None),
            other => Alg::parse(other).map(Some),
        });
        let serve = table.flag("serve").filter(|serve| serve.value);
        let claims = self.template(&table);
        let key = self.key(&table, alg.as_ref(), serve.is_some())?;
        let kid = table.owned("kid");
        if let Some(serve) = &serve {
            let here = issuer.is_none_or(|url| url.scheme() == "http" && is_loopback(url));
            if !here || key.is_shared() {
                self.error(&serve.span, "the issuer's documents cannot be served")
                    .help(
                        "serving needs an asymmetric key and an issuer on loopback: issuer = \"http://127.0.0.1:9601\" is \
                         served at that port; for another issuer hand its key over: key.file = \"key.pem\"",
                    )
                    .report();
            }
        }
        Some(Mint {
            signer: Arc::new(LazyLock::new(Box::new(move || key.signer(kid)))),
            serve: serve.is_some(),
            typ: table.owned("typ").unwrap_or_else(|| "at+jwt".to_owned()),
            lifetime: table
                .duration("lifetime", LONGEST)
                .map_or(LIFETIME, |lifetime| lifetime.value),
            claims,
        })
    }

    fn key(
        &self,
        table: &Table<'_, '_>,
        alg: Option<&At<Option<Alg>>>,
        serve: bool,
    ) -> Option<Key> {
        let entry = table.entry("key");
        let Some(entry) = entry else {
            return match alg.map(|alg| alg.value) {
                _ if !serve => {
                    self.error(&table.span, "there is no key to sign tokens with")
                        .help(
                            "hand over the issuer's: key.file = \"issuer.pem\" (or key.env; a private key as PKCS#8 PEM, or with \
                             alg = \"HS256\" the shared secret); or let oauthspec make one and publish it: serve = true",
                        )
                        .report();
                    None
                }
                Some(None) => {
                    self.error(&table.span, "a secret cannot be published")
                        .help("hand it over as key.env, without serve; or use another alg")
                        .report();
                    None
                }
                Some(Some(alg)) => Some(Key::Fresh(alg)),
                None => Some(Key::Fresh(Alg::ES256)),
            };
        };
        let text = self.secret(table, "key", "the issuer's key")?;
        if let Some(At { value: None, .. }) = alg {
            return Some(Key::Given(Signer::Secret {
                secret: text.into_bytes(),
                kid: None,
            }));
        }
        match Signer::from_pem(&text, alg.and_then(|alg| alg.value)) {
            Ok(signer) => Some(Key::Given(signer)),
            Err(why) => {
                self.error(&entry.span, format!("the issuer's key cannot be used: {why}"))
                    .help(
                        "convert it: openssl pkcs8 -topk8 -nocrypt -in key.pem -out pkcs8.pem; a shared secret needs alg = \"HS256\"",
                    )
                    .report();
                None
            }
        }
    }

    /// Further claims, and other values for some of ours.
    fn template(&self, table: &Table<'_, '_>) -> Map<String, Value> {
        let mut claims = Map::new();
        for row in table.map("claims").unwrap_or_default() {
            if OURS.contains(&row.key) {
                self.error(
                    &row.key_span,
                    format!("`{}` is filled in for every token", row.key),
                )
                .help("iss is the target's issuer, scope that of [resource.NAME], lifetime decides exp")
                .report();
            }
            let value = match row.value {
                DeValue::Datetime(_) => Value::Null,
                other => json(other),
            };
            claims.insert(row.key.to_owned(), value);
        }
        claims
    }
}
