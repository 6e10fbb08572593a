//! Dynamic client registration, its management, and what is fetched because of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use jose::SigningKey;
use oauthspec_refserver::Fault;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{Answer, Browser, Target};

/// A listener that counts its visitors and serves one body, or redirects where told.
pub struct Listener {
    pub url: String,
    visits: Arc<AtomicUsize>,
}

impl Listener {
    pub fn start(socket: TcpListener, body: &str, redirects: BTreeMap<String, String>) -> Listener {
        let url = format!("http://{}", socket.local_addr().unwrap());
        let visits = Arc::new(AtomicUsize::new(0));
        let (count, body) = (Arc::clone(&visits), body.to_owned());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = socket.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&buffer[..read]).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let answer = match redirects.get(&path) {
                    Some(target) => format!("HTTP/1.0 302 Found\r\nLocation: {target}\r\n\r\n"),
                    None => {
                        format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}")
                    }
                };
                let _sent = stream.write_all(answer.as_bytes()).await;
            }
        });
        Listener { url, visits }
    }

    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Registers a public client with some metadata replaced or added.
async fn register(t: &Target, changes: Value) -> Answer {
    let mut body = json!({"redirect_uris": ["https://new.example/cb"], "token_endpoint_auth_method": "none", "client_name": "New"});
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    t.send("POST", "/register", &[JSON], &body.to_string())
        .await
}

/// Whether a redirect URI can be registered.
async fn takes(t: &Target, uri: &str) -> bool {
    let answer = register(t, json!({"redirect_uris": [uri]})).await;
    assert!(
        answer.status == 201 || answer.error() == "invalid_redirect_uri",
        "{answer:?}"
    );
    answer.status == 201
}

/// Whether a client whose keys are at `jwks_uri` can authenticate.
async fn authenticates(t: &Target, key: &SigningKey, jwks_uri: &str) -> bool {
    let metadata = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": jwks_uri, "grant_types": ["client_credentials"], "response_types": []});
    let id = register(t, metadata).await.text("client_id");
    let soon = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 60;
    let claims = json!({"iss": id, "sub": id, "aud": t.server.facts().issuer, "exp": soon, "jti": jose::random_token(8)});
    let assertion = key.sign(&Default::default(), claims.as_object().unwrap());
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", kind),
        ("client_assertion", &assertion),
    ];
    t.post("/token", &pairs).await.status == 200
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    let made = async |changes: Value| register(t, changes).await;
    let listen = async |address: &str, body: &str, redirects| {
        Listener::start(TcpListener::bind(address).await.unwrap(), body, redirects)
    };
    let confidential = json!({"token_endpoint_auth_method": "client_secret_post"});
    Some(match fault {
        Fault::DcrScript => takes(t, "javascript:alert(1)").await,
        Fault::DcrFragment => takes(t, "https://new.example/cb#f").await,
        Fault::DcrHttp => takes(t, "http://new.example/cb").await,
        Fault::DcrUserinfo => takes(t, "https://user@new.example/cb").await,
        Fault::DcrRelative => takes(t, "/cb").await,
        Fault::DcrWildcard => takes(t, "https://new.example/*").await,
        Fault::DcrPrivateScheme => takes(t, "myapp:/cb").await,
        Fault::DcrReservedQuery => takes(t, "https://new.example/cb?code=1").await,
        Fault::DcrStatus200 => made(json!({})).await.status == 200,
        Fault::DcrChosenId => {
            made(json!({"client_id": "chosen"})).await.text("client_id") == "chosen"
        }
        Fault::DcrLegacyGrants => {
            made(json!({"grant_types": ["implicit"], "response_types": ["token"]}))
                .await
                .status
                == 201
        }
        Fault::DcrTypesUnchecked => made(json!({"client_name": 1})).await.status == 201,
        Fault::DcrUnknownRefused => made(json!({"x_unknown": 1})).await.status != 201,
        Fault::DcrScopeAll => made(json!({"scope": "read"})).await.text("scope") != "read",
        Fault::DcrSecretShort => made(confidential).await.text("client_secret").len() < 22,
        Fault::DcrScopeUnenforced => {
            let id = made(json!({"scope": "read"})).await.text("client_id");
            let changes = [
                ("client_id", id.as_str()),
                ("redirect_uri", "https://new.example/cb"),
                ("scope", "read write"),
            ];
            t.send("GET", &t.request("a", &changes), &[], "")
                .await
                .param("error")
                .is_none()
        }
        Fault::DcrGrantUnenforced => {
            let client = made(json!({"token_endpoint_auth_method": "client_secret_post", "grant_types": ["authorization_code"]})).await;
            let pairs = [
                ("grant_type", "client_credentials"),
                ("client_id", &client.text("client_id")),
                ("client_secret", &client.text("client_secret")),
            ];
            t.post("/token", &pairs).await.status == 200
        }
        Fault::DcrNameUnescaped => {
            let html = "<b id=x>";
            let id = made(json!({"client_name": html})).await.text("client_id");
            let changes = [
                ("client_id", id.as_str()),
                ("redirect_uri", "https://new.example/cb"),
            ];
            let mut browser = Browser::default();
            let began = t
                .browse(&mut browser, "GET", &t.request("a", &changes), None)
                .await;
            let (page, _) = t.to_consent(&mut browser, &began, "a").await?;
            assert!(page.body.contains("id=x"));
            page.body.contains(html)
        }
        Fault::DcrLogoFetched
        | Fault::DcrPolicyFetched
        | Fault::DcrSectorFetched
        | Fault::DcrJwksFetchedAtOnce => {
            let listener = listen("127.0.0.1:0", "{}", BTreeMap::new()).await;
            let name = match fault {
                Fault::DcrLogoFetched => "logo_uri",
                Fault::DcrPolicyFetched => "policy_uri",
                Fault::DcrSectorFetched => "sector_identifier_uri",
                _ => "jwks_uri",
            };
            assert_eq!(made(json!({name: listener.url})).await.status, 201);
            listener.visits() > 0
        }
        Fault::FetchSpecialUse | Fault::FetchRedirects => {
            let key = SigningKey::generate(jose::Alg::ES256);
            let body = key.public_jwks().to_string();
            let special = listen("127.0.0.2:0", &body, BTreeMap::new()).await;
            let plain = listen(
                "127.0.0.1:0",
                &body,
                BTreeMap::from([("/away".to_owned(), special.url.clone())]),
            )
            .await;
            assert!(
                authenticates(t, &key, &plain.url).await,
                "the exemption for development"
            );
            let uri = if fault == Fault::FetchRedirects {
                format!("{}/away", plain.url)
            } else {
                special.url.clone()
            };
            let through = authenticates(t, &key, &uri).await;
            assert_eq!(through, special.visits() > 0);
            through
        }
        Fault::DcrBadKeys => {
            let keys = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]});
            made(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}))
                .await
                .status
                == 201
        }
        _ => return managed(t, fault).await,
    })
}

async fn managed(t: &Target, fault: Fault) -> Option<bool> {
    let client = register(
        t,
        json!({"token_endpoint_auth_method": "client_secret_post"}),
    )
    .await;
    let (id, secret) = (client.text("client_id"), client.text("client_secret"));
    let path = format!("/register/{id}");
    let own = format!("Bearer {}", client.text("registration_access_token"));
    let put = async |changes: Value| {
        let mut body = json!({"client_id": id, "redirect_uris": ["https://new.example/cb"], "token_endpoint_auth_method": "client_secret_post"});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        t.send(
            "PUT",
            &path,
            &[JSON, ("Authorization", &own)],
            &body.to_string(),
        )
        .await
    };
    Some(match fault {
        Fault::DcrmOpen => t.send("GET", &path, &[], "").await.status == 200,
        Fault::DcrmAnyToken => {
            let other = format!(
                "Bearer {}",
                register(t, json!({}))
                    .await
                    .text("registration_access_token")
            );
            t.send("GET", &path, &[("Authorization", &other)], "")
                .await
                .status
                == 200
        }
        Fault::DcrmMerges => put(json!({})).await.text("client_name") == "New",
        Fault::DcrmUnvalidated => {
            put(json!({"redirect_uris": ["javascript:alert(1)"]}))
                .await
                .status
                == 200
        }
        Fault::DcrmImmutable => {
            put(json!({"client_secret": "chosen"}))
                .await
                .text("client_secret")
                == "chosen"
        }
        Fault::DcrmLeavesTokens => {
            let changes = [
                ("client_id", id.as_str()),
                ("redirect_uri", "https://new.example/cb"),
            ];
            let code = t.code("a", &changes).await;
            let changes = [
                ("client_id", id.as_str()),
                ("client_secret", secret.as_str()),
                ("redirect_uri", "https://new.example/cb"),
            ];
            let token = t.redeem("a", &code, &changes).await.text("access_token");
            assert_eq!(t.call("GET", "/a/items", &token).await.status, 200);
            assert_eq!(
                t.send("DELETE", &path, &[("Authorization", &own)], "")
                    .await
                    .status,
                204
            );
            t.call("GET", "/a/items", &token).await.status == 200
        }
        _ => return None,
    })
}
