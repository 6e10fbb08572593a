//! Files that are right: what is read from them, and that documents, schemas and loaders agree.

use std::path::{Path, PathBuf};
use std::time::Duration;

use oauthspec::suite::model::{Part, Value};
use oauthspec::suite::{self, Known};
use oauthspec::targets::load::{Loaded, Surroundings, load_str};
use oauthspec::targets::model::{ClientAuth, ClientKind, Driver};
use oauthspec::{schema, targets};

use crate::suites::with_known;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap()
}

/// Every variable has a value, the folder is empty but for a secret.
fn load_target(file: &str, text: &str) -> Loaded {
    let env = |name: &str| {
        Some(match name {
            "PORT" => "8080".to_owned(),
            name if name.ends_with("_REDIRECT_URI") => "https://app.example/callback".to_owned(),
            name => format!("value of {name}"),
        })
    };
    let folder = std::env::temp_dir().join(format!("oauthspec-right-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // Tests run at once and write the same.
    std::fs::write(folder.join("secret.txt"), "from the file\n").unwrap();
    let around = Surroundings {
        env: &env,
        folder: Some(&folder),
    };
    load_str(file, text, &around).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The keys of every table of a schema.
fn keys(name: &str) -> Vec<String> {
    let schema: serde_json::Value = serde_json::from_str(&schema::schema(name).unwrap()).unwrap();
    let tables = schema["definitions"].as_object().unwrap().values();
    tables
        .chain([&schema])
        .filter_map(|table| table["properties"].as_object())
        .flat_map(|properties| properties.keys().cloned())
        .collect()
}

#[test]
fn a_suite_may_use_every_key_of_its_schema() {
    let text = read("fixtures/right/suite.toml");
    for key in keys("suite") {
        let used = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        assert!(
            used.into_iter().any(|word| word == key),
            "{key} is not tried"
        );
    }
    let suite = with_known(|known| suite::load_str("suite.toml", &text, known))
        .unwrap_or_else(|problems| panic!("{problems}"));
    let [everything, promise] = suite.cases.as_slice() else {
        panic!("{} cases", suite.cases.len());
    };
    assert_eq!(everything.id, "right.everything");
    let names: Vec<&str> = everything
        .variants
        .iter()
        .map(|v| v.name.as_str())
        .collect();
    assert_eq!(names, ["slash", "gone", "bytes", "asked", "write"]);
    // What goes without saying was added.
    for need in ["login", "client.a", "resource.a"] {
        assert!(everything.needs.iter().any(|have| have == need), "{need}");
    }
    assert_eq!(everything.source.line, 15);
    assert_eq!(
        promise.variants[0].change.with,
        [("limit".to_owned(), Value::Number(5.0))]
    );
    let new = &everything.steps[0].given[0];
    assert_eq!(new.0, "client_name");
    let Value::Text(template) = &new.1 else {
        panic!("{new:?}");
    };
    assert_eq!(template.0, [Part::Text("a $ of ours".to_owned())]);
}

#[test]
fn a_case_without_each_has_one_unnamed_variant() {
    with_known(|known| {
        for suite in
            suite::load::load_builtin(known).unwrap_or_else(|problems| panic!("{problems}"))
        {
            for case in suite.cases {
                assert!(!case.variants.is_empty(), "{}", case.id);
                assert!(!case.steps.is_empty(), "{}", case.id);
            }
        }
    });
}

#[test]
fn a_target_may_use_every_key_of_its_schema() {
    let text = read("fixtures/right/target.toml");
    let more = read("fixtures/right/target-json.toml") + &read("fixtures/right/target-mint.toml");
    for key in keys("target") {
        let used = [text.as_str(), &more].join("\n");
        let used = used.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        assert!(
            used.into_iter().any(|word| word == key),
            "{key} is not tried"
        );
    }
    let loaded = load_target("right.toml", &text);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let target = loaded.target;
    assert_eq!(target.name, "right");
    assert_eq!(target.issuer, "http://127.0.0.1:8080");
    let confidential = target.client("confidential").unwrap();
    assert_eq!(confidential.secret.as_deref(), Some("value of APP_SECRET"));
    let rs = target.client("rs").unwrap();
    assert_eq!(rs.secret.as_deref(), Some("from the file"));
    assert_eq!(
        (rs.auth, rs.kind),
        (ClientAuth::Basic, ClientKind::Confidential)
    );
    assert_eq!(
        target.resource("a").unwrap().url.as_str(),
        "http://127.0.0.1:8080/v1/me"
    );
    assert_eq!(
        target.resource("a").unwrap().broader.as_deref(),
        Some("admin")
    );
    assert_eq!(
        target.endpoints.token.as_deref(),
        Some("http://127.0.0.1:8080/token")
    );
    assert_eq!(
        target.hosts,
        [
            "https://login.example",
            "https://api.example:8443",
            "https://device.example"
        ]
    );
    assert_eq!(
        target.users[0].fields[0],
        ("username".to_owned(), "alice".to_owned())
    );
    assert_eq!(target.login.driver, Driver::Form);
    assert!(target.login.can_withhold());
    assert_eq!(target.policy.revocation_lag, Duration::from_millis(500));
    assert!(target.policy.token_body_json && target.policy.pkce_optional);
    assert_eq!(
        target.policy.times,
        [("session_end".to_owned(), Duration::from_secs(60))]
    );
}

#[test]
fn a_login_by_api_and_a_network_are_read() {
    let loaded = load_target("json.toml", &read("fixtures/right/target-json.toml"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let target = loaded.target;
    let login = &target.login;
    assert_eq!(
        (login.driver, login.timeout),
        (Driver::Json, Duration::from_secs(30))
    );
    assert!(login.share_session && !login.open && login.can_deny());
    assert_eq!(
        login.tokens,
        [("a".to_owned(), "value of ACCESS_TOKEN".to_owned())]
    );
    assert_eq!(
        login.hook.as_ref().unwrap().command,
        ["./code.sh", "--newest"]
    );
    let calls: Vec<&str> = login
        .steps
        .iter()
        .map(|step| step.call.as_ref().unwrap().method.as_str())
        .collect();
    assert_eq!(calls, ["GET", "PUT", "POST", "OPEN"]);
    let body = login.steps[1].call.as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!(
        (&body["remember"], &body["days"]),
        (&false.into(), &30.into())
    );
    let network = &target.network;
    assert!(network.http1_only && network.identity.is_some());
    assert_eq!(network.ca, b"from the file\n");
    let address = network.address_of("login.example", 443).unwrap();
    assert_eq!(address.to_string(), "[::1]:8443");
}

#[test]
fn a_target_whose_issuer_we_are_is_read() {
    let loaded = load_target("mint.toml", &read("fixtures/right/target-mint.toml"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let target = loaded.target;
    assert_eq!(target.login.driver, Driver::Mint);
    assert_eq!(target.clients[0].id.as_deref(), Some("oauthspec"));
    let mint = target.mint.unwrap();
    assert_eq!(
        (mint.signer.alg(), mint.signer.kid()),
        ("RS256", Some("one"))
    );
    assert!(mint.serve);
    assert_eq!(mint.lifetime, Duration::from_secs(120));
    assert_eq!(mint.claims["tenant"]["id"], 7);
}

#[test]
fn the_examples_in_the_documents_load() {
    let targets = read("docs/targets.md");
    load_target("docs.toml", block(&targets));
    // Its other examples are parts: a login, a network.
    let login = format!(
        "{}{}",
        block(&targets).split("[login]").next().unwrap(),
        nth_block(&targets, 1)
    );
    load_target(
        "docs-login.toml",
        &login.replace("$user.email", "$user.username"),
    );
    // The last one is a target whose issuer we are; its key is made elsewhere.
    let minted = targets.split("## A resource server alone").nth(1).unwrap();
    load_target("docs-mint.toml", nth_block(minted, 1));
    let suites = read("docs/suites.md");
    let known = Known {
        checks: &[],
        forges: &[],
    };
    suite::load_str("docs.toml", block(&suites), &known)
        .unwrap_or_else(|problems| panic!("{problems}"));
}

/// The first TOML block of a document.
fn block(document: &str) -> &str {
    nth_block(document, 0)
}

fn nth_block(document: &str, number: usize) -> &str {
    let rest = document.split("```toml\n").nth(number + 1).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn every_target_file_of_the_repository_loads_without_a_warning() {
    let mut seen = 0;
    for entry in std::fs::read_dir(root("fixtures/targets")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let loaded = load_target(&path.display().to_string(), &text);
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
            seen += 1;
        }
    }
    assert!(seen > 3, "{seen} target files");
}

#[test]
fn a_url_is_a_target_of_its_own() {
    let target = targets::from_issuer("https://as.example/tenant").unwrap();
    assert_eq!(target.issuer, "https://as.example/tenant");
    assert!(target.clients.is_empty() && target.login.steps.is_empty());
    for wrong in [
        "as.example",
        "ftp://as.example",
        "https://as.example?x=1",
        "",
    ] {
        let problems = targets::from_issuer(wrong).unwrap_err();
        assert!(
            problems.to_string().contains("help: give an issuer"),
            "{problems}"
        );
    }
}

#[test]
fn an_environment_variable_is_put_in_once_and_a_doubled_dollar_is_not_one() {
    let text = "issuer = \"http://127.0.0.1:${PORT}\"\n[params]\na = \"$${PORT} ${X}\"\n";
    let env = |name: &str| match name {
        "PORT" => Some("8080".to_owned()),
        "X" => Some("${PORT}".to_owned()),
        _ => None,
    };
    let around = Surroundings {
        env: &env,
        folder: None,
    };
    let target = load_str("t.toml", text, &around).unwrap().target;
    assert_eq!(
        target.params,
        [("a".to_owned(), "${PORT} ${PORT}".to_owned())]
    );
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_does_not_lead_a_secret_out_of_its_folder() {
    let folder = std::env::temp_dir().join(format!("oauthspec-link-{}", std::process::id()));
    let inside = folder.join("inside");
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::write(folder.join("outside.txt"), "x").unwrap();
    let link = inside.join("link.txt");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(folder.join("outside.txt"), &link).unwrap();
    let around = Surroundings {
        env: &|_| None,
        folder: Some(&inside),
    };
    let text = "issuer = \"https://a.example\"\n[client.a]\nid = \"a\"\nauth = \"client_secret_basic\"\n\
                secret.file = \"link.txt\"\nredirect_uris = [\"https://a.example/cb\"]\n";
    let problems = load_str("t.toml", text, &around).unwrap_err();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(
        problems
            .to_string()
            .contains("outside the target file's folder"),
        "{problems}"
    );
}
