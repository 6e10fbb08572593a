//! Signed request objects, and clients that are documents.

use std::sync::{Arc, Mutex};

use jose::{Alg, SigningKey};
use oauthspec_refserver::Fault;
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{Answer, Browser, CHALLENGE, Target, VERIFIER, form};

const CB: &str = "https://signed.example/cb";

/// A web server on this address of loopback: it answers each path with what is written for it, and remembers every path.
struct Web {
    url: String,
    hits: Arc<Mutex<Vec<String>>>,
    pages: Arc<Mutex<Vec<(String, String)>>>,
}

async fn web(address: &str) -> Web {
    let socket = TcpListener::bind((address, 0)).await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let web = Web {
        url,
        hits: Arc::default(),
        pages: Arc::default(),
    };
    let (hits, pages) = (Arc::clone(&web.hits), Arc::clone(&web.pages));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let mut bytes = vec![0; 4096];
            let got = stream.read(&mut bytes).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&bytes[..got]).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
            let page = pages
                .lock()
                .unwrap()
                .iter()
                .find(|(own, _)| *own == path)
                .map_or("404 Not Found\r\n\r\n".to_owned(), |(_, page)| page.clone());
            hits.lock().unwrap().push(path);
            let answer = format!("HTTP/1.0 {page}");
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    web
}

impl Web {
    /// Publishes a document, with this status line and headers before it, and returns its URL.
    fn put(&self, path: &str, head: &str, body: &str) -> String {
        let page = format!("{head}\r\n\r\n{body}");
        let mut pages = self.pages.lock().unwrap();
        pages.retain(|(own, _)| own != path);
        pages.push((path.to_owned(), page));
        format!("{}{path}", self.url)
    }

    fn document(&self, path: &str, head: &str, members: &[(&str, Value)]) -> String {
        let mut document = json!({
            "client_id": format!("{}{path}", self.url),
            "redirect_uris": [CB],
            "token_endpoint_auth_method": "none",
        });
        for (name, value) in members {
            document[*name] = value.clone();
        }
        self.put(path, head, &document.to_string())
    }

    fn was_asked(&self, path: &str) -> bool {
        self.hits.lock().unwrap().iter().any(|hit| hit == path)
    }
}

const OK: &str = "200 OK\r\nContent-Type: application/json";

/// The answer to a request of this client, after login and approval.
async fn ask(t: &Target, client: &str, redirect_uri: &str) -> Answer {
    let request = form(&[
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", redirect_uri),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let request = format!("/authorize?{request}");
    t.authorize_as(&mut Browser::default(), &request, "a", "approve")
        .await
}

async fn accepted(t: &Target, client: &str) -> bool {
    ask(t, client, CB).await.param("code").is_some()
}

/// Whether a token request of the client with its code succeeds, without any authentication.
async fn redeemed(t: &Target, client: &str) -> bool {
    let code = ask(t, client, CB).await.param("code").unwrap();
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", &code),
        ("redirect_uri", CB),
        ("code_verifier", VERIFIER),
    ];
    t.post("/token", &pairs).await.status == 200
}

async fn documents(t: &Target, fault: Fault) -> Option<bool> {
    let home = web("127.0.0.1").await;
    Some(match fault {
        Fault::CimdTokenUnknown => !redeemed(t, &home.document("/c", OK, &[])).await,
        Fault::CimdIdUnchecked => {
            let other = [("client_id", json!("https://other.example/c"))];
            accepted(t, &home.document("/c", OK, &other)).await
        }
        Fault::CimdRedirectUnchecked => {
            let client = home.document("/c", OK, &[]);
            let answer = ask(t, &client, "https://attacker.example/cb").await;
            answer.param("code").is_some()
        }
        Fault::CimdUrlUnchecked => {
            accepted(t, &home.document("/c#f", OK, &[])).await || home.was_asked("/c")
        }
        Fault::CimdRedirected => {
            let head = format!("302 Found\r\nLocation: {}/elsewhere", home.url);
            ask(t, &home.put("/c", &head, ""), CB).await;
            home.was_asked("/elsewhere")
        }
        Fault::CimdStatusIgnored => accepted(t, &home.document("/c", "404 Not Found", &[])).await,
        Fault::CimdSizeUnlimited => {
            let long = [("software_version", json!("x".repeat(20_000)))];
            accepted(t, &home.document("/c", OK, &long)).await
        }
        Fault::CimdErrorsCached => {
            let client = home.put("/c", "500 Down", "");
            assert!(!accepted(t, &client).await);
            home.document("/c", OK, &[]);
            !accepted(t, &client).await
        }
        Fault::CimdSecretAccepted => {
            let secret = [("token_endpoint_auth_method", json!("client_secret_post"))];
            accepted(t, &home.document("/c", OK, &secret)).await
        }
        Fault::CimdAuthUnenforced => {
            let key = SigningKey::generate(Alg::ES256);
            let keyed = [
                ("token_endpoint_auth_method", json!("private_key_jwt")),
                ("jwks", key.public_jwks()),
            ];
            redeemed(t, &home.document("/c", OK, &keyed)).await
        }
        Fault::CimdSpecialUse => {
            let other = web("127.0.0.2").await;
            accepted(t, &other.document("/c", OK, &[])).await
        }
        Fault::CimdLogoFetched => {
            let logo = [("logo_uri", json!(format!("{}/logo", home.url)))];
            assert!(accepted(t, &home.document("/c", OK, &logo)).await);
            home.was_asked("/logo")
        }
        Fault::CimdHostHidden | Fault::CimdLocalUnwarned => {
            let local = [("redirect_uris", json!(["http://127.0.0.1/cb"]))];
            let client = home.document("/c", OK, &local);
            let request = form(&[
                ("response_type", "code"),
                ("client_id", &client),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ]);
            let mut browser = Browser::default();
            let request = format!("/authorize?{request}");
            let first = t.browse(&mut browser, "GET", &request, None).await;
            let (page, _) = t.to_consent(&mut browser, &first, "a").await?;
            match fault {
                Fault::CimdHostHidden => !page.body.contains("You will be sent to"),
                _ => !page.body.contains("Any program on this computer"),
            }
        }
        _ => return None,
    })
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    if let Some(shown) = documents(t, fault).await {
        return Some(shown);
    }
    let key = SigningKey::generate(Alg::ES256);
    let metadata = json!({
        "redirect_uris": [CB],
        "token_endpoint_auth_method": "none",
        "jwks": key.public_jwks(),
    });
    let headers = [("Content-Type", "application/json")];
    let registered = t
        .send("POST", "/register", &headers, &metadata.to_string())
        .await;
    let id = registered.text("client_id");
    // A sound object with some claims replaced, signed by this key with this in the header.
    let object = |key: &SigningKey, header: Value, claims: Value| {
        let mut all = json!({
            "iss": id, "client_id": id, "aud": t.server.facts().issuer,
            "response_type": "code", "redirect_uri": CB, "state": "inside",
            "code_challenge": CHALLENGE, "code_challenge_method": "S256",
        });
        for (name, value) in claims.as_object().cloned().unwrap_or_default() {
            all[name] = value;
        }
        let empty = Map::new();
        key.sign(
            header.as_object().unwrap_or(&empty),
            all.as_object().unwrap_or(&empty),
        )
    };
    let send = async |object: &str, beside: &[(&str, &str)]| {
        let mut pairs = vec![("client_id", id.as_str()), ("request", object)];
        pairs.extend(beside);
        let request = format!("/authorize?{}", form(&pairs));
        t.authorize_as(&mut Browser::default(), &request, "a", "approve")
            .await
    };
    let gave_code = |answer: Answer| answer.param("code").is_some();
    let sound = object(&key, json!({}), json!({}));
    assert!(
        gave_code(send(&sound, &[]).await),
        "a sound object is taken"
    );
    let stranger = SigningKey::generate(Alg::ES256);
    Some(match fault {
        Fault::JarUnverified => {
            gave_code(send(&object(&stranger, json!({}), json!({})), &[]).await)
        }
        Fault::JarAlgNone => {
            let (_, rest) = sound.split_once('.')?;
            let (payload, _) = rest.split_once('.')?;
            let header = jose::base64url(r#"{"alg":"none"}"#);
            gave_code(send(&format!("{header}.{payload}."), &[]).await)
        }
        Fault::JarEmbeddedKey => {
            let header = json!({"jwk": stranger.public_jwk()});
            gave_code(send(&object(&stranger, header, json!({})), &[]).await)
        }
        Fault::JarClientUnchecked => {
            let b = t.client("b");
            let of_b = json!({"client_id": b.id, "redirect_uri": b.redirect_uris.first()});
            gave_code(send(&object(&key, json!({}), of_b), &[]).await)
        }
        Fault::JarClaimsUnchecked => {
            gave_code(send(&object(&key, json!({}), json!({"exp": 1})), &[]).await)
        }
        Fault::JarMerged => {
            let answer = send(&sound, &[("state", "front")]).await;
            answer.param("state").as_deref() == Some("front")
        }
        Fault::JarRequestUriFetched => {
            let home = web("127.0.0.1").await;
            let uri = format!("{}/object", home.url);
            t.authorize("a", &[("request_uri", &uri)]).await;
            home.was_asked("/object")
        }
        _ => return None,
    })
}
