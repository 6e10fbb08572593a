//! From nothing to a run: `init` finds out what a server wants, `doctor` finds nothing wrong with the file it
//! writes, `run` judges with it, and nobody edits anything; credentials come from the environment.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use oauthspec::targets::reference::Reference;
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

/// A reference server in a process of its own, as a person starts it.
struct Served {
    newcomer: Newcomer,
    child: Child,
    file: String,
}

impl Newcomer {
    /// `oauthspec serve` in this folder; returns when it listens.
    fn serves(self, face: &str, flags: &[&str]) -> Served {
        let mut child = Command::new(env!("CARGO_BIN_EXE_oauthspec"))
            .current_dir(&self.folder)
            .args(["serve", face])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let listens = said.any(|line| line.unwrap().contains("listening on"));
        assert!(listens, "the server does not start");
        let told = BufReader::new(child.stdout.take().unwrap()).lines();
        // The file is whole before it listens; its first line with the issuer is enough here.
        let file = told
            .map(|line| line.unwrap())
            .find(|line| line.starts_with("issuer"));
        Served {
            newcomer: self,
            child,
            file: file.unwrap(),
        }
    }
}

impl Served {
    fn issuer(&self) -> String {
        self.file.split('"').nth(1).unwrap().to_owned()
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
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

/// What somebody knows who meets this face: where to begin, and the flags that nothing but its owner can say.
fn known(server: &Reference, face: Face, ca: &Path) -> (String, Vec<String>) {
    let target = &server.target;
    let own = |name: &str| target.resource(name).map(|one| one.url.to_string());
    if matches!(face, Face::Mcp | Face::Mcp2025) {
        return (own("mcp").unwrap(), Vec::new());
    }
    let mut flags = vec!["--probe".to_owned(), probe(server)];
    let mut also = |flag: &str, value: &str| flags.extend([flag.to_owned(), value.to_owned()]);
    if face == Face::Tenant {
        std::fs::write(ca, &target.network.ca).unwrap();
        also("--ca", ca.to_str().unwrap());
    }
    // Nobody can register at these two.
    if matches!(face, Face::Agnicpay | Face::Hasp) {
        let client = target.client("a").unwrap();
        also("--client-id", client.id.as_deref().unwrap());
        also("--redirect-uri", &client.redirect_uris[0]);
        if let Some(scope) = &target.policy.scope {
            also("--scope", scope);
        }
        for (name, value) in &target.params {
            also("--param", &format!("{name}={value}"));
        }
        for (_, details) in &target.rar {
            also("--rar", details);
        }
    }
    if face == Face::Hasp {
        also("--endpoint", "authorization=/v1/oauth/authorize");
        also("--endpoint", "token=/v1/oauth/token");
    }
    if face == Face::Alone {
        flags.push("--mint".to_owned());
    }
    (target.issuer.clone(), flags)
}

/// Cases of every kind that a face has, and how many of them pass at least.
fn tried(face: Face) -> (&'static [&'static str], u64) {
    match face {
        Face::Mcp => (&["mcp.*", "prm.*", "rs.no-token*", "pkce.p*"], 20),
        Face::Mcp2025 => (&["mcp.*", "prm.*", "rs.no-token*"], 20),
        Face::Tenant => (
            &[
                "pkce.p*",
                "as-meta.*",
                "rs.no-token*",
                "tls.*",
                "device.code-*",
            ],
            20,
        ),
        Face::Reference => (
            &["pkce.p*", "as-meta.*", "rs.no-token*", "device.code-*"],
            15,
        ),
        Face::Agnicpay | Face::Hasp => (&["pkce.s256*", "pkce.v*", "rs.no-token*", "authz.d*"], 4),
        Face::Alone => (&["rs.*", "prm.*"], 10),
        Face::Hightop | Face::HightopScript => (&["pkce.p*", "as-meta.*", "rs.no-token*"], 10),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_face_is_met_from_nothing() {
    for &face in Face::ALL.iter().filter(|face| !by_scripts(face)) {
        meets(face).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_behind_scripts_is_met_with_a_browser() {
    if super::staging::browser_here() {
        for &face in Face::ALL.iter().filter(|face| by_scripts(face)) {
            meets(face).await;
        }
    }
}

fn by_scripts(face: &Face) -> bool {
    face.name().ends_with("-script")
}

/// Meets a server of this face with what its owner knows, and runs cases of every kind.
async fn meets(face: Face) {
    // The issuer that the face `alone` trusts is oauthspec itself.
    let trust = (face == Face::Alone).then(|| {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", port.local_addr().unwrap())
    });
    let server = Reference::trusting(face, Vec::new(), 0, trust)
        .await
        .unwrap();
    let mut people = people(&server);
    // Nobody but user a may act for the agent that is named in the request.
    people.retain(|(name, _)| face != Face::Hasp || name.starts_with("ALICE"));
    let newcomer = Newcomer::new(face.name(), people);
    let (start, flags) = known(&server, face, &newcomer.folder.join("ca.pem"));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let (cases, least) = tried(face);
    let run: Vec<&str> = cases.iter().flat_map(|case| ["--case", case]).collect();
    let report = newcomer.goes_through(&start, &flags, &run).await;
    all_is_well(face, &report, least);
    let file = std::fs::read_to_string(newcomer.folder.join("target.toml")).unwrap();
    for (of, part) in [
        (Face::Mcp, "mcp = \"2026-07-28\""),
        (Face::Mcp, "profiles = [\"mcp-2026-07-28\"]"),
        (Face::Mcp2025, "mcp = \"2025-11-25\""),
        (Face::Mcp2025, "profiles = [\"mcp-2025-11-25\"]"),
        (Face::Mcp2025, r#""method":"tools/call""#),
        (Face::Tenant, "BEGIN CERTIFICATE"),
        (Face::Tenant, "user_code = \"$user.user_code\""),
        (
            Face::Agnicpay,
            "announces no client authentication by a secret",
        ),
    ] {
        assert!(of != face || file.contains(part), "{part}\n{file}");
    }
    server.stop().await;
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
async fn an_mcp_server_beside_an_api_is_named_by_its_owner_and_nothing_is_guessed() {
    let server = Reference::start(Face::Mcp2025, Vec::new(), 0)
        .await
        .unwrap();
    let newcomer = Newcomer::new("beside", people(&server));
    let (api, mcp) = (
        probe(&server),
        server.target.resource("mcp").unwrap().url.to_string(),
    );
    let issuer = server.target.issuer.clone();
    // Whoever names only the API is told of the other.
    let flags = ["init", issuer.as_str(), "--probe", &api];
    let (exit, file, said) = newcomer.oauthspec(&flags).await;
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains(&format!("--mcp {mcp}")), "{said}");
    assert!(!file.contains("[resource.mcp]") && file.contains("profiles = [\"oauth21\"]"));
    let report = newcomer
        .goes_through(
            &issuer,
            &["--probe", &api, "--mcp", &mcp],
            &["--case", "mcp.cross-audience", "--case", "rs.no-token*"],
        )
        .await;
    all_is_well(Face::Mcp2025, &report, 2);
    // What says nothing to a message is none, whatever its owner calls it.
    let elsewhere = server.target.resource("a").unwrap().url.to_string();
    let flags = ["init", issuer.as_str(), "--mcp", &elsewhere];
    let (exit, file, said) = newcomer.oauthspec(&flags).await;
    assert_eq!(exit, Some(0), "{said}");
    assert!(
        said.contains("no MCP server of a known revision answers there"),
        "{said}"
    );
    assert!(file.contains("# [resource.mcp]") && file.contains("profiles = [\"oauth21\"]"));
    // Without a login nobody can ask for the revision.
    let flags = ["init", mcp.as_str(), "--no-login"];
    let (exit, file, said) = newcomer.oauthspec(&flags).await;
    assert_eq!(exit, Some(0), "{said}");
    assert!(file.contains("to do: its revision"), "{file}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_ones_own_is_named_where_it_is_missing_and_taken_where_it_is_given() {
    let mut server = Newcomer::new("served", Vec::new()).serves("tenant", &["--ca-out", "ca.pem"]);
    let issuer = server.issuer();
    let newcomer = &server.newcomer;
    for command in [["init", issuer.as_str()], ["doctor", issuer.as_str()]] {
        let (exit, told, said) = newcomer.oauthspec(&command).await;
        assert_eq!(exit, Some(3), "{told}{said}");
        assert!(format!("{told}{said}").contains("--ca "), "{told}{said}");
    }
    let run = [
        "scan",
        &issuer,
        "--ca",
        "ca.pem",
        "--rate",
        "200/s",
        "--deadline",
        "5m",
    ];
    let (exit, told, said) = newcomer.oauthspec(&run).await;
    assert_eq!(exit, Some(0), "{told}{said}");
    std::fs::write(newcomer.folder.join("no.pem"), "no certificate").unwrap();
    let (exit, _, said) = newcomer
        .oauthspec(&["init", &issuer, "--ca", "no.pem"])
        .await;
    assert_eq!(exit, Some(2), "{said}");
    assert!(said.contains("no.pem holds no certificate"), "{said}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_not_set_is_all_that_is_said_about_its_fields() {
    let newcomer = Newcomer::new("unset", Vec::new());
    let file = "issuer = \"${NEWCOMER_ISSUER}\"\n[client.a]\nid = \"x\"\nredirect_uris = [\"https://app.example/cb\"]\n\
                [resource.a]\nprobe = \"GET ${NEWCOMER_ISSUER}/me\"\n\
                [user.a]\nusername = \"alice\"\npassword.env = \"NEWCOMER_PASSWORD\"\n\
                [login]\ndriver = \"form\"\n[[login.step]]\nfill = { password = \"$user.password\" }\npress = \"Go\"\n";
    std::fs::write(newcomer.folder.join("target.toml"), file).unwrap();
    for command in [
        &["run", "target.toml"][..],
        &["login", "test", "target.toml"],
    ] {
        let (exit, told, said) = newcomer.oauthspec(command).await;
        assert_eq!(exit, Some(2), "{told}{said}");
        let said = format!("{told}{said}");
        assert!(
            said.contains("NEWCOMER_ISSUER") && said.contains("NEWCOMER_PASSWORD"),
            "{said}"
        );
        let more = ["has no field", "no absolute URL", "neither a path"];
        assert!(!more.iter().any(|more| said.contains(more)), "{said}");
    }
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
