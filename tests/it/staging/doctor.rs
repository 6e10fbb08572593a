//! Every mistake a configuration can hold is named by the doctor, with what to do, and is never taken for a
//! failure of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use oauthspec::doctor::{Report, State, examine};
use oauthspec::run::Options;
use oauthspec::targets::model::{
    Client, ClientAuth, ClientKind, Driver, Hook, Login, LoginStep, Target,
};
use oauthspec::targets::reference::Reference;
use refserver::Face;
use tokio::io::AsyncWriteExt as _;

use super::odd::{Odd, Oddities, Style};
use super::tls::{Authority, TlsServer};

pub(super) async fn diagnosis(target: Target) -> Report {
    examine(target, &Options::default()).await
}

pub(super) fn told(report: &Report) -> String {
    let lines = report.findings.iter().map(|finding| {
        let (state, name) = (finding.state, finding.name);
        format!("{state:?} {name}: {} -> {}", finding.what, finding.fix)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The first problem has this name, and its fix says where to mend it.
fn named(report: &Report, name: &str, fix: &str) -> bool {
    report
        .first_problem()
        .is_some_and(|problem| problem.name == name && problem.fix.contains(fix))
}

pub(super) fn assert_named(report: &Report, mistake: &str, name: &str, fix: &str) {
    assert!(
        named(report, name, fix),
        "{mistake} is not named {name}:\n{}",
        told(report)
    );
}

async fn reference() -> Reference {
    Reference::start(Face::default(), Vec::new(), 0)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_right_configuration_is_ready_to_run() {
    let server = reference().await;
    let report = diagnosis(server.target.clone()).await;
    assert!(report.first_problem().is_none(), "{}", told(&report));
    assert!(
        report.capabilities.iter().any(|own| own == "rs"),
        "{:?}",
        report.capabilities
    );
    assert!(report.leftovers.is_empty(), "{:?}", report.leftovers);
    server.stop().await;
}

fn client<'t>(target: &'t mut Target, name: &str) -> &'t mut Client {
    target
        .clients
        .iter_mut()
        .find(|client| client.name == name)
        .unwrap()
}

/// Only the client of this name, as `a`.
fn only(target: &mut Target, name: &str) {
    target.clients.retain(|client| client.name == name);
    target.introspection_client = None;
    for client in &mut target.clients {
        client.name = "a".to_owned();
    }
}

fn step(target: &mut Target, number: usize) -> &mut LoginStep {
    &mut target.login.steps[number]
}

fn approval(target: &mut Target) -> &mut LoginStep {
    let mut steps = target.login.steps.iter_mut();
    steps.find(|step| step.deny.is_some()).unwrap()
}

fn password(target: &mut Target, user: usize, value: &str) {
    target.users[user].fields[1].1 = value.to_owned();
}

type Seed = (&'static str, &'static str, &'static str, fn(&mut Target));

/// Mistakes against the reference server: what, the name the doctor gives it, a word of the fix.
const MISTAKES: &[Seed] = &[
    (
        "a slash too many",
        "issuer-spelling",
        "write issuer = \"http://127.0.0.1:",
        |t| t.issuer.push('/'),
    ),
    (
        "localhost for 127.0.0.1",
        "issuer-spelling",
        "write issuer = \"http://127.0.0.1:",
        |t| {
            t.issuer = t.issuer.replace("127.0.0.1", "localhost");
        },
    ),
    (
        "the metadata's address",
        "issuer-is-a-document",
        "write issuer = \"http://127.0.0.1:",
        |t| {
            t.issuer.push_str("/.well-known/oauth-authorization-server");
        },
    ),
    (
        "a path too many",
        "issuer-path",
        "write issuer = \"http://127.0.0.1:",
        |t| t.issuer.push_str("/tenant/one"),
    ),
    (
        "https where there is none",
        "tls-not-spoken",
        "http://127.0.0.1:",
        |t| t.issuer = t.issuer.replace("http:", "https:"),
    ),
    ("a wrong port", "port-closed", "port", |t| {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        t.issuer = format!("http://{}", free.local_addr().unwrap());
    }),
    (
        "somebody else's server",
        "not-authorized",
        "--i-am-authorized",
        |t| t.issuer = "https://as.example".to_owned(),
    ),
    ("a proxy that is not there", "proxy", "[network]", |t| {
        t.issuer = "http://as.example".to_owned();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        t.network.proxy = Some(format!("http://{}", free.local_addr().unwrap()));
    }),
    (
        "a CA file without a certificate",
        "network-files",
        "[network]",
        |t| t.network.ca = b"-----".to_vec(),
    ),
    ("no client", "no-client", "[client.a]", |t| {
        t.clients.clear()
    }),
    ("a wrong client id", "client-unknown", "[client.a]", |t| {
        client(t, "a").id = Some("nobody".to_owned())
    }),
    (
        "a wrong secret",
        "client-secret",
        "secret under [client.a]",
        |t| {
            only(t, "confidential");
            client(t, "a").secret = Some("wrong".to_owned());
        },
    ),
    (
        "the wrong way to send it",
        "client-auth-method",
        "auth = \"client_secret_post\"",
        |t| {
            only(t, "confidential-b");
            client(t, "a").auth = ClientAuth::Basic;
        },
    ),
    (
        "a confidential client without its secret",
        "client-secret-missing",
        "secret.env",
        |t| {
            only(t, "confidential");
            let client = client(t, "a");
            (client.auth, client.kind, client.secret) =
                (ClientAuth::None, ClientKind::Public, None);
        },
    ),
    (
        "a redirect URI that is not registered",
        "redirect-uri",
        "redirect_uris under [client.a]",
        |t| {
            client(t, "a").redirect_uris = vec!["https://client-a.example/callback".to_owned()];
        },
    ),
    (
        "JSON to a token endpoint that takes forms",
        "token-body",
        "token_body = \"form\"",
        |t| t.policy.token_body_json = true,
    ),
    (
        "a token endpoint that is none",
        "token-endpoint",
        "[endpoints]",
        |t| {
            t.endpoints.token = Some(format!("{}/tokens", t.issuer));
        },
    ),
    ("an unknown scope", "scope-unknown", "scope", |t| {
        t.policy.scope = Some("read everything".to_owned())
    }),
    (
        "an unknown resource",
        "resource-id",
        "id under [resource.a]",
        |t| {
            for resource in &mut t.resources {
                resource.id = Some(format!("{}/nowhere", t.issuer));
            }
        },
    ),
    (
        "no login where there is one",
        "login-missing",
        "driver = \"form\"",
        |t| {
            t.login = Login {
                driver: Driver::None,
                ..Login::default()
            };
        },
    ),
    (
        "a field that is not there",
        "login-step",
        "[[login.step]]",
        |t| step(t, 0).fill[0].0 = "e-mail".to_owned(),
    ),
    (
        "a button that is not there",
        "login-step",
        "[[login.step]]",
        |t| step(t, 0).press = Some("Sign in".to_owned()),
    ),
    (
        "no step for the consent",
        "login-step",
        "[[login.step]]",
        |t| t.login.steps.truncate(1),
    ),
    ("a wrong password", "login-credentials", "[user.a]", |t| {
        password(t, 0, "wrong password")
    }),
    ("a deny button that approves", "login-deny", "deny", |t| {
        approval(t).deny = Some("Approve".to_owned())
    }),
    (
        "a deny button that is not there",
        "login-deny",
        "deny",
        |t| approval(t).deny = Some("Refuse".to_owned()),
    ),
    (
        "a second user who cannot log in",
        "user-b",
        "[user.b]",
        |t| password(t, 1, "wrong password"),
    ),
    ("one person twice", "users-same", "[user.b]", |t| {
        let fields = t.users[0].fields.clone();
        t.users[1].fields = fields;
    }),
    (
        "a probe that is not there",
        "probe-path",
        "[resource.a]",
        |t| t.resources[0].url.set_path("/a/nothing"),
    ),
    (
        "a probe that needs no token",
        "probe-open",
        "[resource.a]",
        |t| {
            t.resources[0]
                .url
                .set_path("/.well-known/oauth-authorization-server");
        },
    ),
    (
        "a probe that needs more scope",
        "scope-missing",
        "[resource.a]",
        |t| {
            t.policy.scope = Some("read".to_owned());
            t.resources[0].method = "POST".to_owned();
            t.resources[0].body = Some(("{}".to_owned(), "application/json".to_owned()));
        },
    ),
    (
        "a client that may not introspect",
        "introspection-client",
        "[introspection]",
        |t| {
            t.introspection_client = Some("confidential".to_owned());
        },
    ),
    ("a hook that is not there", "hook", "command", |t| {
        t.login = Login {
            driver: Driver::Hook,
            hook: Some(Hook {
                command: vec!["./no-such-command".to_owned()],
                folder: None,
            }),
            ..Login::default()
        };
    }),
    ("a dead token", "token-dead", "token.a", |t| {
        t.login = Login {
            driver: Driver::Tokens,
            tokens: vec![("a".to_owned(), "dead-token-0123456789".to_owned())],
            ..Login::default()
        };
    }),
];

#[tokio::test]
async fn mistakes_in_a_target_file_are_named() {
    let kinds: std::collections::BTreeSet<&str> =
        MISTAKES.iter().map(|mistake| mistake.1).collect();
    assert!(MISTAKES.len() >= 30 && kinds.len() >= 25, "{kinds:?}");
    let server = reference().await;
    let mut unnamed = Vec::new();
    for (mistake, name, fix, seed) in MISTAKES {
        let mut target = server.target.clone();
        seed(&mut target);
        let options = Options {
            i_am_authorized: *name == "proxy",
            ..Options::default()
        };
        let report = examine(target, &options).await;
        if !named(&report, name, fix) {
            unnamed.push(format!(
                "{mistake} is not named {name}:\n{}\n",
                told(&report)
            ));
        }
        let blamed = report
            .findings
            .iter()
            .any(|finding| finding.name == "server-error");
        assert!(!blamed, "{mistake}: the server was blamed");
    }
    assert!(unnamed.is_empty(), "{}", unnamed.join("\n"));
    server.stop().await;
}

const LOGIN: &str = "[login]\ndriver = \"form\"\n[[login.step]]\npress = \"Allow\"\n";

#[tokio::test]
async fn oddities_of_a_server_are_named() {
    let start = async |oddities| Odd::start(oddities).await;
    let usual = Oddities::default;

    let odd = start(Oddities {
        clock_offset: -900,
        ..usual()
    })
    .await;
    assert_named(
        &diagnosis(odd.load(LOGIN)).await,
        "a clock",
        "clock-skew",
        "clock",
    );

    let odd = start(Oddities {
        issuer: Some("https://other.example".to_owned()),
        ..usual()
    })
    .await;
    assert_named(
        &diagnosis(odd.load(LOGIN)).await,
        "another issuer",
        "issuer-other",
        "issuer",
    );

    let odd = start(Oddities {
        throttle: Some(1),
        ..usual()
    })
    .await;
    assert_named(
        &diagnosis(odd.load(LOGIN)).await,
        "a throttle",
        "throttled",
        "--rate",
    );

    let odd = start(Oddities {
        style: Style::Script,
        ..usual()
    })
    .await;
    let report = diagnosis(odd.load(LOGIN)).await;
    assert_named(
        &report,
        "a page of scripts",
        "login-needs-browser",
        "driver = \"browser\"",
    );

    let odd = start(usual()).await;
    let text = odd
        .target(LOGIN)
        .replace("id = \"client-a\"", "register = true");
    let report = diagnosis(odd.load_text(&text)).await;
    assert_named(
        &report,
        "no registration",
        "registration-missing",
        "write id",
    );
}

/// A server on a loopback port that does one thing with every connection.
async fn listener(answer: &'static [u8]) -> (String, Arc<AtomicU32>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let visits = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&visits);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            if answer.starts_with(b"HTTP") {
                let mut head = [0; 4096];
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await;
            }
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (base, visits)
}

fn issuer_only(issuer: &str) -> Target {
    oauthspec::targets::from_issuer(issuer).unwrap()
}

#[tokio::test]
async fn what_is_no_oauth_server_is_named() {
    let (base, _) = listener(b"220 mail.example ESMTP\r\n").await;
    assert_named(
        &diagnosis(issuer_only(&base)).await,
        "a mail server",
        "no-http",
        "port",
    );

    let (base, _) = listener(
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=staging\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert_named(
        &diagnosis(issuer_only(&base)).await,
        "a front door",
        "front-door",
        "ask",
    );

    let (base, _) = listener(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<h1>Hello!</h1>",
    )
    .await;
    assert_named(
        &diagnosis(issuer_only(&base)).await,
        "a web site",
        "no-metadata",
        "[endpoints]",
    );
}

#[tokio::test]
async fn a_metadata_document_cannot_send_our_secret_elsewhere() {
    let (elsewhere, visits) =
        listener(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").await;
    let odd = Odd::start(Oddities {
        token_endpoint: Some(format!("{elsewhere}/token")),
        ..Oddities::default()
    })
    .await;
    let text = odd.target(LOGIN).replace(
        "id = \"client-a\"",
        "id = \"client-a\"\nsecret.env = \"ODD_PASSWORD\"\nauth = \"client_secret_post\"",
    );
    let target = odd.load_text(&text);
    let report = diagnosis(target.clone()).await;
    assert_named(&report, "a hostile document", "endpoint-foreign", "hosts");

    // A run does not fall for it either.
    let suites = crate::suites::with_known(oauthspec::suite::load::load_builtin).unwrap();
    let end = oauthspec::run::run(
        target,
        &suites,
        &Options::default(),
        &mut |_| {},
        oauthspec::run::never(),
    )
    .await;
    assert_eq!(
        (end.exit_code, end.summary.fail),
        (3, 0),
        "{:?}",
        end.problems
    );
    assert_eq!(
        visits.load(Ordering::Relaxed),
        0,
        "the foreign host was contacted"
    );
}

#[tokio::test]
async fn trouble_with_certificates_is_named() {
    let authority = Authority::new();
    let at =
        |server: &TlsServer| issuer_only(&format!("https://127.0.0.1:{}", server.address.port()));
    let start = async |names: &[&str], expired, clients: Option<&Authority>| {
        TlsServer::start(
            "127.0.0.1",
            "127.0.0.1",
            authority.issue(names, expired),
            clients,
            false,
        )
        .await
    };
    let trusting = |mut target: Target| {
        target.network.ca = authority.pem.clone().into_bytes();
        target
    };

    let server = start(&["127.0.0.1"], false, None).await;
    assert_named(
        &diagnosis(at(&server)).await,
        "a private CA",
        "tls-untrusted",
        "ca = ",
    );
    let report = diagnosis(trusting(at(&server))).await;
    let reached = report
        .findings
        .iter()
        .any(|f| f.name == "metadata" && f.state == State::Good);
    assert!(reached, "{}", told(&report));
    let plain = issuer_only(&format!("http://127.0.0.1:{}", server.address.port()));
    assert_named(
        &diagnosis(plain).await,
        "http to a TLS port",
        "https-wanted",
        "write issuer = \"https://127.0.0.1:",
    );

    let server = start(&["other.example"], false, None).await;
    assert_named(
        &diagnosis(trusting(at(&server))).await,
        "another name",
        "tls-name",
        "name",
    );
    let server = start(&["127.0.0.1"], true, None).await;
    assert_named(
        &diagnosis(trusting(at(&server))).await,
        "an old certificate",
        "tls-expired",
        "renewed",
    );
    let server = start(&["127.0.0.1"], false, Some(&authority)).await;
    let report = diagnosis(trusting(at(&server))).await;
    assert_named(
        &report,
        "no client certificate",
        "tls-client-certificate",
        "certificate and key",
    );
}
