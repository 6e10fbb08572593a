//! A browser and a client of the smallest kind, over real sockets.
#![allow(dead_code)] // each test file uses its part

use std::collections::BTreeMap;

use oauthspec_refserver::{ClientFact, Fault, Options, Server, serve};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer, read to the end.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub fn text(&self, member: &str) -> String {
        self.json()
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    /// A parameter of the Location's query or fragment.
    pub fn param(&self, name: &str) -> Option<String> {
        let (_, query) = self.header("location")?.split_once(['?', '#'])?;
        wire::form::Pairs::parse(query.as_bytes()).first(name)
    }

    pub fn error(&self) -> String {
        self.param("error").unwrap_or_else(|| self.text("error"))
    }
}

pub struct Target {
    pub server: Server,
    pub port: u16,
}

pub async fn start(faults: &[Fault]) -> Target {
    let server = serve(Options {
        faults: faults.to_vec(),
        ..Options::default()
    })
    .await
    .unwrap();
    let port = server
        .facts()
        .issuer
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap();
    Target { server, port }
}

/// Verifier and its challenge.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = wire::form::Pairs::new();
    for (name, value) in pairs {
        form.push(name, value);
    }
    String::from_utf8(form.encode()).unwrap()
}

/// A browser's cookies.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
}

impl Target {
    pub fn client(&self, name: &str) -> &ClientFact {
        self.server
            .facts()
            .clients
            .iter()
            .find(|client| client.name == name)
            .unwrap()
    }

    pub fn resource(&self, name: &str) -> String {
        self.server
            .facts()
            .resources
            .iter()
            .find(|resource| resource.name == name)
            .unwrap()
            .id
            .clone()
            .unwrap()
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nContent-Length: {}\r\n",
            self.port,
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.raw(&request).await
    }

    /// Exactly these bytes.
    pub async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Answer {
            status,
            headers,
            body: body.to_owned(),
        }
    }

    pub async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.send(
            "POST",
            path,
            &[("Content-Type", "application/x-www-form-urlencoded")],
            &form(pairs),
        )
        .await
    }

    pub async fn call(&self, method: &str, path: &str, token: &str) -> Answer {
        self.send(
            method,
            path,
            &[("Authorization", &format!("Bearer {token}"))],
            "",
        )
        .await
    }

    /// With the browser's cookies, which it keeps up to date.
    pub async fn browse(
        &self,
        browser: &mut Browser,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Answer {
        let cookies: Vec<String> = browser
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("Cookie", cookies.as_str())];
        if body.is_some() {
            headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        let answer = self
            .send(method, path, &headers, body.unwrap_or_default())
            .await;
        for (_, value) in answer
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        {
            let (name, rest) = value.split_once('=').unwrap();
            browser.cookies.insert(
                name.to_owned(),
                rest.split(';').next().unwrap_or_default().to_owned(),
            );
        }
        answer
    }

    /// Path of a Location on this server.
    pub fn path(&self, answer: &Answer) -> Option<String> {
        let prefix = format!("http://127.0.0.1:{}", self.port);
        answer
            .header("location")?
            .strip_prefix(&prefix)
            .map(str::to_owned)
    }

    /// A correct authorization request of a client, with some parameters replaced (`""` leaves one out).
    pub fn request(&self, client: &str, changes: &[(&str, &str)]) -> String {
        let fact = self.client(client);
        let redirect_uri = fact.redirect_uris.first().cloned().unwrap_or_default();
        let resource = self.resource("a");
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", fact.id.as_str()),
            ("redirect_uri", redirect_uri.as_str()),
            ("scope", "read"),
            ("state", "s"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", resource.as_str()),
        ];
        for (name, _) in changes {
            pairs.retain(|(own, _)| own != name);
        }
        pairs.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        format!("/authorize?{}", form(&pairs))
    }

    /// Goes on from an answer of the authorization endpoint to the consent page: logs in if asked. Returns the page and its path.
    pub async fn to_consent(
        &self,
        browser: &mut Browser,
        first: &Answer,
        user: &str,
    ) -> Option<(Answer, String)> {
        let mut path = self.path(first)?;
        let mut page = self.browse(browser, "GET", &path, None).await;
        if path.starts_with("/login/") {
            let fields = self
                .server
                .facts()
                .users
                .iter()
                .find(|fact| fact.name == user)
                .unwrap()
                .fields
                .clone();
            let csrf = hidden(&page);
            let mut pairs = vec![("csrf", csrf.as_str())];
            pairs.extend(
                fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            );
            let answer = self
                .browse(browser, "POST", &path, Some(&form(&pairs)))
                .await;
            assert_eq!(answer.status, 303, "{answer:?}");
            path = self.path(&answer)?;
            page = self.browse(browser, "GET", &path, None).await;
        }
        Some((page, path))
    }

    /// Login and consent; the answer to the last click, or the first answer when it is already final.
    pub async fn authorize_as(
        &self,
        browser: &mut Browser,
        request: &str,
        user: &str,
        decision: &str,
    ) -> Answer {
        let first = self.browse(browser, "GET", request, None).await;
        let Some((page, path)) = self.to_consent(browser, &first, user).await else {
            return first;
        };
        self.browse(
            browser,
            "POST",
            &path,
            Some(&form(&[("csrf", &hidden(&page)), ("decision", decision)])),
        )
        .await
    }

    pub async fn authorize(&self, client: &str, changes: &[(&str, &str)]) -> Answer {
        self.authorize_as(
            &mut Browser::default(),
            &self.request(client, changes),
            "a",
            "approve",
        )
        .await
    }

    pub async fn code(&self, client: &str, changes: &[(&str, &str)]) -> String {
        let answer = self.authorize(client, changes).await;
        answer
            .param("code")
            .unwrap_or_else(|| panic!("no code: {answer:?}"))
    }

    /// Redeems a code of a public client, with parameters replaced.
    pub async fn redeem(&self, client: &str, code: &str, changes: &[(&str, &str)]) -> Answer {
        let fact = self.client(client);
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", fact.id.as_str()),
            (
                "redirect_uri",
                fact.redirect_uris.first().map_or("", String::as_str),
            ),
            ("code_verifier", VERIFIER),
        ];
        for (name, _) in changes {
            pairs.retain(|(own, _)| own != name);
        }
        pairs.extend(changes.iter().filter(|(_, value)| *value != "-"));
        self.post("/token", &pairs).await
    }

    pub async fn grant(&self, client: &str, changes: &[(&str, &str)]) -> Answer {
        let code = self.code(client, changes).await;
        let answer = self.redeem(client, &code, &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    pub async fn refresh(&self, client: &str, token: &str, changes: &[(&str, &str)]) -> Answer {
        let id = self.client(client).id.clone();
        let mut pairs = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", id.as_str()),
        ];
        for (name, _) in changes {
            pairs.retain(|(own, _)| own != name);
        }
        pairs.extend(changes.iter().copied());
        self.post("/token", &pairs).await
    }
}

/// The value of the hidden field.
pub fn hidden(page: &Answer) -> String {
    let (_, rest) = page
        .body
        .split_once("name=\"csrf\" value=\"")
        .unwrap_or_else(|| panic!("no form: {page:?}"));
    rest.split('"').next().unwrap_or_default().to_owned()
}

pub fn basic(id: &str, secret: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let encode = |text: &str| wire::form::encode_component(text.as_bytes());
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(id), encode(secret)))
    )
}
