//! Private keys stay where they are, and a crash says nothing of what it was about.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use oauthspec::targets::reference::Reference;
use refserver::{AloneFault, Face, Fault};

/// A private key, and every way in which what is secret of it may be written.
struct Key {
    der: Vec<u8>,
    pem: String,
    canaries: Vec<String>,
}

impl Key {
    fn fresh() -> Key {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der = key.to_pkcs8v1().unwrap().as_ref().to_vec();
        let secret = key.private_key().as_be_bytes().unwrap().as_ref().to_vec();
        let at = der
            .windows(secret.len())
            .position(|bytes| bytes == secret)
            .expect("PKCS#8 holds the private scalar");
        let text = STANDARD.encode(&der);
        // The letters of the PEM text that only the secret bytes decide.
        let own = text[at * 4 / 3 + 2..(at + secret.len()) * 4 / 3 - 2].to_owned();
        let mut canaries = vec![
            own.replace('+', "-").replace('/', "_"),
            own,
            secret.iter().map(|byte| format!("{byte:02x}")).collect(),
            secret.iter().map(|byte| format!("{byte:02X}")).collect(),
        ];
        for skipped in 0..3 {
            let part = &secret[skipped..skipped + 27];
            canaries.extend([STANDARD.encode(part), URL_SAFE_NO_PAD.encode(part)]);
        }
        // The label stands apart: searchers for leaked keys look for the whole line.
        let label = "PRIVATE KEY";
        let pem = format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
        Key { der, pem, canaries }
    }

    /// Whether any sixteen characters in a row of a spelling stand there.
    fn stands_in(&self, text: &str) -> bool {
        self.canaries.iter().any(|canary| {
            let last = canary.len() - 16;
            [0, last / 2, last]
                .into_iter()
                .any(|at| text.contains(&canary[at..at + 16]))
        })
    }
}

fn oauthspec(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_oauthspec"))
        .current_dir(folder)
        .args(arguments)
        .env("GITHUB_ACTIONS", "true")
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .output()
        .unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("oauthspec-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What a command printed and wrote, by name, without the files that hold the keys by intent.
fn outputs(folder: &Path, output: &Output, given: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::from([
        ("stdout".to_owned(), text(&output.stdout)),
        ("stderr".to_owned(), text(&output.stderr)),
    ]);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_file() && !given.contains(&name.as_str()) {
            found.insert(name, text(&std::fs::read(path).unwrap()));
        }
    }
    found
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn private_keys_of_an_issuer_and_of_a_client_certificate_are_in_no_output() {
    let folder = folder("keys");
    let (issuer_key, client_key) = (Key::fresh(), Key::fresh());
    let pair = rcgen::KeyPair::try_from(client_key.der.as_slice()).unwrap();
    let names = vec!["client.example".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap();
    let certificate = certificate.self_signed(&pair).unwrap().pem();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://127.0.0.1:{}/t", socket.local_addr().unwrap().port());
    drop(socket);
    // A fault, so that failures show exchanges.
    let faults = vec![Fault::Alone(AloneFault::IssArray)];
    let reference = Reference::trusting(Face::Alone, faults, 0, Some(issuer.clone()));
    let reference = reference.await.unwrap();
    let resource = &reference.target.resources[0];
    let target = format!(
        "issuer = \"{issuer}\"\n[resource.a]\nid = \"{}\"\nprobe = \"GET {}\"\nscope = \"read\"\n\
         [mint]\nkey.file = \"issuer.pem\"\nserve = true\n[network]\ncertificate = \"client.pem\"\nkey = \"client.key\"\n",
        resource.id.as_deref().unwrap(),
        resource.url,
    );
    let write = |name: &str, content: &str| std::fs::write(folder.join(name), content).unwrap();
    write("target.toml", &target);
    write("issuer.pem", &issuer_key.pem);
    write("client.pem", &certificate);
    write("client.key", &client_key.pem);
    let wrong = target.replace("\"client.pem\"", "\"client.key\"");
    write("wrong.toml", &wrong);
    let half = issuer_key.pem.replace("-----END", "----END");
    write("half.pem", &half);
    write("half.toml", &target.replace("issuer.pem", "half.pem"));
    let inside = format!("key = \"\"\"{}\"\"\"", issuer_key.pem);
    write(
        "inside.toml",
        &target.replace("key.file = \"issuer.pem\"", &inside),
    );
    let given = ["issuer.pem", "client.key", "half.pem", "inside.toml"];
    // The search finds a key where one is.
    assert!(issuer_key.stands_in(&issuer_key.pem) && client_key.stands_in(&client_key.pem));
    assert!(issuer_key.stands_in(&half));

    let formats = ["json", "junit", "sarif", "html", "markdown", "har", "badge"];
    let reports: Vec<String> = formats
        .iter()
        .flat_map(|format| ["--report".to_owned(), format!("{format}=r.{format}")])
        .collect();
    let mut run = vec!["run", "target.toml"];
    run.extend(reports.iter().map(String::as_str));
    let raw = [&run[..], &["--keep-secrets"]].concat();
    for (words, exit) in [
        (&run[..], 1),
        (&raw[..], 1),
        (&["doctor", "target.toml"], 0),
        (&["list", "--json", "target.toml"], 0),
        (&["doctor", "wrong.toml"], 2),
        (&["doctor", "half.toml"], 2),
        (&["run", "inside.toml", "--case", "none.*"], 4),
    ] {
        let output = oauthspec(&folder, words);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{words:?}\n{said}");
        for (name, content) in outputs(&folder, &output, &given) {
            for key in [&issuer_key, &client_key] {
                assert!(!key.stands_in(&content), "{words:?}: {name}");
            }
        }
    }
    let report = std::fs::read_to_string(folder.join("r.json")).unwrap();
    assert!(
        report.contains("rs.issuer-exact"),
        "the run judged something"
    );
    reference.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}

const SECRET: &str = "OAUTHSPEC_TEST_SECRET";

/// Not a test by itself: what the next one runs in a process of its own.
#[test]
#[ignore = "it ends the process, as the test of crash messages asks for"]
fn the_program_crashes() {
    let Ok(secret) = std::env::var(SECRET) else {
        return;
    };
    // The program's own entry, which says how a crash is told.
    let _ = oauthspec::cli::main(["oauthspec", "explain", "0"].map(Into::into));
    let sent = format!("code={secret}&client_secret={secret}");
    let within = std::thread::spawn(move || {
        let answer = sent.parse::<u8>().map_err(|_| sent);
        answer.expect("the answer is a number")
    });
    let _ = within.join();
    let _ = writeln!(std::io::stderr(), "crashed and caught");
    panic!("{secret}");
}

#[test]
fn a_crash_names_its_place_and_nothing_that_was_sent() {
    let secret = "a-code-that-was-sent-0123456789";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["keys_and_crashes::the_program_crashes", "--exact"])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .env(SECRET, secret)
        .env("RUST_BACKTRACE", "full")
        .output()
        .unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(said.contains("crashed and caught"), "{said}");
    assert_eq!(
        said.matches("this is a defect of oauthspec").count(),
        2,
        "{said}"
    );
    assert!(said.contains("keys_and_crashes.rs:"), "the place: {said}");
    assert!(!said.contains(secret), "{said}");
}
