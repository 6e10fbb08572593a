//! From nothing to a run: `init` finds out what a server wants, `doctor` finds nothing wrong with the file it
//! writes, `run` judges with it, and nobody edits anything; credentials come from the environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use oauthspec::target::reference::Reference;
use refserver::Face;

use crate::servers::Real;

struct Newcomer {
    folder: PathBuf,
    env: Vec<(String, String)>,
}

impl Newcomer {
    fn new(name: &str, env: Vec<(String, String)>) -> Newcomer {
        let folder =
            std::env::temp_dir().join(format!("oauthspec-first-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Newcomer { folder, env }
    }

    async fn oauthspec(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oauthspec"));
        command
            .current_dir(&self.folder)
            .args(arguments)
            .envs(self.env.iter().cloned());
        let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// init → doctor → run; gives the report.
    async fn goes_through(&self, issuer: &str, flags: &[&str], run: &[&str]) -> serde_json::Value {
        let init = [&["init", issuer, "-o", "target.toml"], flags].concat();
        let (exit, _, said) = self.oauthspec(&init).await;
        assert_eq!(exit, Some(0), "{said}");
        let tokens = if flags.contains(&"--mint") {
            "oauthspec makes the tokens itself"
        } else {
            "with a code"
        };
        assert!(said.contains(tokens), "the login was not learnt:\n{said}");
        let (exit, told, said) = self.oauthspec(&["doctor", "target.toml"]).await;
        let file = std::fs::read_to_string(self.folder.join("target.toml")).unwrap();
        assert_eq!(exit, Some(0), "{told}{said}\n{file}");
        let run = [&["run", "target.toml", "--report", "json=r.json"], run].concat();
        let (_, told, said) = self.oauthspec(&run).await;
        let report = std::fs::read(self.folder.join("r.json"));
        let report: serde_json::Value =
            serde_json::from_slice(&report.unwrap_or_else(|why| panic!("{why}: {told}{said}")))
                .unwrap();
        for (_, secret) in
            (self.env.iter()).filter(|(name, _)| !name.contains("AGENT") && !name.contains("LIMIT"))
        {
            assert!(
                !file.contains(secret.as_str()),
                "a credential is in the file:\n{file}"
            );
        }
        report
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The people of a reference server, as variables.
fn people(server: &Reference) -> Vec<(String, String)> {
    let person = |name: &str, prefix: &str| -> Vec<(String, String)> {
        let fields = server.target.user(name).map(|user| user.fields.clone());
        let fields = fields.unwrap_or_default().into_iter();
        fields
            .map(|(field, value)| (format!("{prefix}_{}", field.to_uppercase()), value))
            .collect()
    };
    [person("a", "ALICE"), person("b", "BOB")].concat()
}

fn probe(server: &Reference) -> String {
    let resource = server.target.resource("a").unwrap();
    format!("{} {}", resource.method, resource.url)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_face_that_lets_clients_register_is_met_from_nothing() {
    // Nobody can register at the first three, and the certificate of the last one is known to none who meet it.
    let closed = [Face::Agnicpay, Face::Alone, Face::Hasp, Face::Tenant];
    for face in Face::ALL.iter().filter(|face| !closed.contains(face)) {
        if face.name().ends_with("-script") && !super::staging::browser_here() {
            continue;
        }
        let server = Reference::start(*face, Vec::new(), 0).await.unwrap();
        let newcomer = Newcomer::new(face.name(), people(&server));
        let report = newcomer
            .goes_through(
                &server.target.issuer,
                &["--probe", &probe(&server)],
                &[
                    "--case",
                    "pkce.p*",
                    "--case",
                    "as-meta.*",
                    "--case",
                    "rs.no-token*",
                ],
            )
            .await;
        all_is_well(*face, &report, 10);
        server.stop().await;
    }
}

/// Nothing undecided or red, and something green.
fn all_is_well(face: Face, report: &serde_json::Value, least: u64) {
    let summary = &report["summary"];
    let bad = ["fail", "warn", "inconclusive", "error"];
    assert!(
        bad.iter().all(|word| summary[word] == 0) && summary["pass"].as_u64() >= Some(least),
        "{}: {summary}",
        face.name()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_that_registers_nobody_is_met_with_the_client_it_was_told() {
    for face in [Face::Agnicpay, Face::Hasp] {
        let server = Reference::start(face, Vec::new(), 0).await.unwrap();
        let mut people = people(&server);
        // Nobody but user a may act for the agent that is named in the request.
        people.retain(|(name, _)| face != Face::Hasp || name.starts_with("ALICE"));
        let newcomer = Newcomer::new(face.name(), people);
        let client = server.target.client("a").unwrap();
        let (id, uri) = (client.id.clone().unwrap(), client.redirect_uris[0].clone());
        let (probe, scope) = (probe(&server), server.target.policy.scope.clone());
        let mut flags = vec![
            "--client-id",
            &id,
            "--redirect-uri",
            &uri,
            "--probe",
            &probe,
        ];
        if let Some(scope) = &scope {
            flags.extend(["--scope", scope]);
        }
        let params: Vec<String> = (server.target.params.iter())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        for param in &params {
            flags.extend(["--param", param]);
        }
        for (_, details) in &server.target.rar {
            flags.extend(["--rar", details]);
        }
        if face == Face::Hasp {
            let documented = ["authorization=/v1/oauth/authorize", "token=/v1/oauth/token"];
            flags.extend(
                documented
                    .iter()
                    .flat_map(|endpoint| ["--endpoint", endpoint]),
            );
        }
        let cases = [
            "--case",
            "pkce.s256*",
            "--case",
            "pkce.v*",
            "--case",
            "rs.no-token*",
            "--case",
            "authz.d*",
        ];
        let report = newcomer
            .goes_through(&server.target.issuer, &flags, &cases)
            .await;
        all_is_well(face, &report, 4);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_server_alone_is_met_by_its_issuer() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", port.local_addr().unwrap());
    drop(port);
    let server = Reference::trusting(Face::Alone, Vec::new(), 0, Some(issuer.clone()))
        .await
        .unwrap();
    let newcomer = Newcomer::new("alone", Vec::new());
    let probe = probe(&server);
    let flags = ["--probe", probe.as_str(), "--mint"];
    let report = newcomer
        .goes_through(&issuer, &flags, &["--case", "rs.*", "--case", "prm.*"])
        .await;
    all_is_well(Face::Alone, &report, 10);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_is_met_from_nothing_in_both_modes_with_its_own_pages_too() {
    let credentials = [
        ("ALICE_EMAIL", "alice@example.com"),
        ("ALICE_OTP", "000000"),
        ("BOB_EMAIL", "bob@example.com"),
        ("BOB_OTP", "000000"),
        ("ALICE_LOGIN", "alice"),
        ("ALICE_PASSWORD", "any-password"),
        ("BOB_LOGIN", "bob"),
        ("BOB_PASSWORD", "any-password"),
    ];
    let credentials: Vec<(String, String)> = credentials
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let details = r#"[{"type":"hasp.data.read","actions":["read"]}]"#;
    for (mode, path) in [("hightop", "/v1/agent/self"), ("hasp", "/v1/data")] {
        for own_pages in [false, true] {
            let env: &[(&str, &str)] = if own_pages {
                &[("DEV_INTERACTIONS", "1")]
            } else {
                &[]
            };
            let Some(server) = Real::start_with("oidc-provider", &[mode], env) else {
                return;
            };
            let newcomer = Newcomer::new(&format!("{mode}-{own_pages}"), credentials.clone());
            let probe = format!("GET {}{path}", server.base());
            let mut flags = vec!["--probe", probe.as_str()];
            if mode == "hasp" {
                flags.extend(["--param", "agent_id=agent-1", "--rar", details]);
            }
            let report = newcomer
                .goes_through(
                    &server.base(),
                    &flags,
                    &["--suite", "pkce", "--suite", "rs"],
                )
                .await;
            let summary = &report["summary"];
            assert!(summary["pass"].as_u64() > Some(20), "{mode}: {summary}");
            assert_eq!(summary["error"], 0, "{mode}: {summary}");
            assert_eq!(summary["inconclusive"], 0, "{mode}: {summary}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_leads_to_its_authorization_server_and_what_is_missing_is_named() {
    let server = Reference::start(Face::Reference, Vec::new(), 0)
        .await
        .unwrap();
    let api = server.target.resource("a").unwrap().url.clone();
    // Nobody has given credentials yet.
    let newcomer = Newcomer::new("api", Vec::new());
    let (exit, file, said) = newcomer.oauthspec(&["init", api.as_str()]).await;
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("is a protected resource of"), "{said}");
    assert!(
        said.contains("set ALICE_USERNAME, ALICE_PASSWORD in the environment"),
        "{said}"
    );
    assert!(
        file.contains(&format!("issuer = \"{}\"", server.target.issuer)),
        "{file}"
    );
    assert!(file.contains("press = \"Log in\""), "{file}");
    let target = newcomer.folder.join("later.toml");
    std::fs::write(&target, &file).unwrap();
    // The same file, with the credentials.
    let later = Newcomer::new("later", people(&server));
    let (exit, told, said) = later
        .oauthspec(&["doctor", &target.display().to_string()])
        .await;
    assert_eq!(exit, Some(0), "{told}{said}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_shown_page_by_page_without_its_secrets() {
    let server = Reference::start(Face::Reference, Vec::new(), 0)
        .await
        .unwrap();
    let newcomer = Newcomer::new("login", Vec::new());
    let file = oauthspec::cli::describe(&server.target, &[]);
    let path: &Path = &newcomer.folder.join("target.toml");
    std::fs::write(path, &file).unwrap();
    let (exit, told, _) = newcomer.oauthspec(&["login", "test", "target.toml"]).await;
    assert_eq!(exit, Some(0), "{told}");
    for part in [
        "page 1: “Log in” (200)",
        "has     a form with fields `username` (“User name”), `password` (“Password”) and buttons “Log in”",
        "step 1  filled in username, password and pressed “Log in” (username = $user.username, password = $user.password)",
        "page 2: “Approve access” (200)",
        "the login works: the browser arrives at the redirect URI with a code",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    for secret in server.secrets() {
        assert!(!told.contains(&secret), "{told}");
    }
    let (exit, told, _) = newcomer
        .oauthspec(&["login", "test", "target.toml", "--deny"])
        .await;
    assert_eq!(exit, Some(0), "{told}");
    assert!(told.contains("denied with “Deny”"), "{told}");

    let password = &server.target.user("a").unwrap().fields[1].1;
    std::fs::write(path, file.replace(password.as_str(), "a-wrong-password")).unwrap();
    let (exit, told, _) = newcomer.oauthspec(&["login", "test", "target.toml"]).await;
    assert_eq!(exit, Some(3), "{told}");
    assert!(
        told.contains("the login does not get through: step 1 was carried out 2 times"),
        "{told}"
    );
    assert!(!told.contains("a-wrong-password"), "{told}");
    server.stop().await;
}

/// The lines of the tutorial that a reader types.
fn tutorial() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/first-contact.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    let lines = blocks.filter_map(|block| block.split_once("```"));
    lines
        .flat_map(|(block, _)| block.lines().map(str::to_owned))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tutorial_works_as_it_is_written() {
    let server = Reference::start(Face::Reference, Vec::new(), 0)
        .await
        .unwrap();
    let newcomer = Newcomer::new("tutorial", people(&server));
    let lines = tutorial();
    assert!(lines.len() >= 10, "{lines:?}");
    let api = server.target.resource("a").unwrap().url.clone();
    for line in lines {
        let line = line
            .replace("https://as.example", &server.target.issuer)
            .replace("https://api.example/me", api.as_str());
        let words = line.strip_prefix("oauthspec ").expect(&line);
        // One word is quoted; the others stand apart by blanks.
        let arguments: Vec<String> = words
            .split('\'')
            .enumerate()
            .flat_map(|(at, part)| match at % 2 {
                1 => vec![part.to_owned()],
                _ => part.split_whitespace().map(str::to_owned).collect(),
            })
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (exit, told, said) = newcomer.oauthspec(&arguments).await;
        assert_eq!(exit, Some(0), "{line}\n{told}{said}");
        if line.contains("scan") {
            assert!(said.contains("A login would add up to"), "{said}");
        }
    }
    for name in [
        "target.toml",
        "first.json",
        "first.html",
        "waivers.toml",
        "second.json",
    ] {
        assert!(newcomer.folder.join(name).is_file(), "{name}");
    }
    server.stop().await;
}

/// What a scan asks fits into ten seconds at its own pace, and a host that stays silent is not waited for longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_scan_asks_no_more_than_ten_seconds_allow() {
    let (a_second, each) = (4, 4);
    let server = Reference::start(Face::Reference, Vec::new(), 0)
        .await
        .unwrap();
    let newcomer = Newcomer::new("scan", Vec::new());
    let issuer = server.target.issuer.clone();
    let flags = [
        "--rate",
        "200/s",
        "--deadline",
        "5m",
        "--report",
        "json=r.json",
    ];
    let (exit, told, said) = newcomer
        .oauthspec(&[&["scan", issuer.as_str()], &flags[..]].concat())
        .await;
    assert_eq!(exit, Some(0), "{told}{said}");
    let report = std::fs::read(newcomer.folder.join("r.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let requests = report["requests"].as_u64().unwrap();
    assert!(requests <= 10 * a_second, "{requests} requests");
    assert!(report["summary"]["pass"].as_u64() > Some(10), "{told}");
    server.stop().await;

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", silent.local_addr().unwrap());
    let visits = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            open.push(stream);
            if open.len() * each > 10 {
                break;
            }
        }
        open.len()
    });
    let flags = ["--timeout", "200ms", "--deadline", "5m"];
    let (exit, told, said) = newcomer
        .oauthspec(&[&["scan", issuer.as_str()], &flags[..]].concat())
        .await;
    assert_eq!(exit, Some(3), "{told}{said}");
    assert!(
        !visits.is_finished(),
        "it waited for more than two exchanges"
    );
    visits.abort();
}
