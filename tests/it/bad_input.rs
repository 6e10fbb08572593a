//! Wrong files, wrong targets, wrong servers: what the binary says, and the exit code that goes with it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A folder of its own for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("oauthspec-bad-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The exit code and all the binary says of a run, whose report stays in the folder.
fn says(folder: &Path, arguments: &[&str]) -> String {
    told(
        folder,
        &[arguments, &["--report", "json=report.json"]].concat(),
    )
}

/// The exit code and all the binary says.
fn told(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_oauthspec"))
        .current_dir(folder)
        .args(arguments)
        .env_remove("CI")
        .env_remove("GITHUB_ACTIONS")
        .output()
        .unwrap();
    let mut text = format!("exit code {}\n", output.status.code().unwrap());
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text.push_str(&String::from_utf8_lossy(&output.stdout));
    text
}

/// Asserts the exit code and that each of the words is said.
#[track_caller]
fn expect(said: &str, code: u8, words: &[&str]) {
    assert!(said.starts_with(&format!("exit code {code}\n")), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not said:\n{said}");
    }
}

/// Answers every connection with what `answer` makes of the request's first line, on a thread that ends with the test.
fn serve(answer: impl Fn(&str, u16) -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = one(stream, &answer, port);
        }
    });
    port
}

fn one(
    mut stream: TcpStream,
    answer: &impl Fn(&str, u16) -> String,
    port: u16,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&chunk[..count]),
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let body = answer(text.lines().next().unwrap_or_default(), port);
    stream.write_all(body.as_bytes())
}

fn http(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// A target file for a server on this port, with a form login.
fn target(port: u16) -> String {
    format!(
        "issuer = \"http://127.0.0.1:{port}\"\n\
         [endpoints]\nauthorization = \"/authorize\"\ntoken = \"/token\"\n\
         [client.a]\nid = \"a\"\nauth = \"none\"\nredirect_uris = [\"https://app.example/cb\"]\n\
         [user.a]\nusername = \"alice\"\npassword.env = \"HOME\"\n\
         [login]\ndriver = \"form\"\n\
         [[login.step]]\nfill = {{ username = \"$user.username\", password = \"$user.password\" }}\npress = \"Log in\"\n"
    )
}

const SUITE: &str = "suite = \"mine\"\ntitle = \"My cases\"\n[[case]]\nid = \"one\"\ntitle = \"One\"\nlevel = \"must\"\n\
    severity = \"low\"\nrefs = [\"rfc6749#3.1\"]\nwhy = \"Because.\"\nfix = \"Mend it.\"\n";

#[test]
fn an_unknown_key_in_a_suite_is_named_with_its_place_and_the_right_spelling() {
    let folder = Folder::new("key");
    folder.write(
        "mine.toml",
        &format!("{SUITE}stepp = [{{ do = \"authorize\" }}]\n"),
    );
    let said = says(&folder.0, &["run", "--suite", "mine.toml"]);
    expect(
        &said,
        2,
        &[
            "unknown key `stepp`",
            "mine.toml:11:1",
            "did you mean `step`?",
        ],
    );
}

#[test]
fn an_unknown_reference_in_a_suite_is_named_with_its_place() {
    let folder = Folder::new("reference");
    folder.write(
        "mine.toml",
        &format!("{SUITE}step = [{{ do = \"authorize\", with.state = \"$clent.id\" }}]\n"),
    );
    let said = says(&folder.0, &["run", "--suite", "mine.toml"]);
    expect(&said, 2, &["$clent", "mine.toml:11:", "did you mean"]);
}

#[test]
fn a_target_file_that_is_not_there_is_told() {
    let folder = Folder::new("missing");
    let said = says(&folder.0, &["run", "nowhere.toml"]);
    expect(&said, 2, &["nowhere.toml", "No such file"]);
}

#[test]
fn an_issuer_that_does_not_answer_is_told_with_what_to_check() {
    let folder = Folder::new("unreachable");
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let issuer = format!("http://{free}");
    let run = says(&folder.0, &["run", &issuer]);
    // A fuzzer lacks a client as well, but that can wait until somebody answers.
    let fuzz = told(&folder.0, &["fuzz", &issuer]);
    for said in [run, fuzz] {
        expect(
            &said,
            3,
            &["does not answer", "refused", "Check the URL, the port"],
        );
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_told_as_that() {
    let folder = Folder::new("tls");
    // It speaks first, and not TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let said = says(
        &folder.0,
        &[
            "run",
            &format!("https://127.0.0.1:{port}"),
            "--timeout",
            "3s",
        ],
    );
    expect(&said, 3, &["does not answer", "cannot connect"]);
}

#[test]
fn a_wrong_client_secret_fails_the_preflight_and_names_what_to_check() {
    let folder = Folder::new("secret");
    let port = serve(|line, _| {
        if line.starts_with("GET /authorize") {
            let query = line.split([' ', '?']).nth(2).unwrap_or_default();
            let state = query
                .split('&')
                .find(|pair| pair.starts_with("state="))
                .unwrap_or_default();
            format!(
                "HTTP/1.1 302 Found\r\nLocation: https://app.example/cb?code=c0de&{state}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        } else if line.starts_with("POST /token") {
            http(
                "401 Unauthorized",
                "application/json",
                "{\"error\":\"invalid_client\"}",
            )
        } else {
            http("404 Not Found", "text/plain", "")
        }
    });
    let file = target(port).replace(
        "auth = \"none\"",
        "auth = \"client_secret_basic\"\nsecret.env = \"PATH\"\ntype = \"confidential\"",
    );
    folder.write("target.toml", &file);
    let said = says(&folder.0, &["run", "target.toml"]);
    expect(
        &said,
        3,
        &[
            "invalid_client",
            "Check the client's id, secret and `auth` method",
        ],
    );
}

#[test]
fn a_login_page_that_comes_back_for_ever_is_told_and_does_not_hang() {
    let folder = Folder::new("circle");
    let port = serve(|line, _| {
        if line.contains(" /authorize") {
            let form = "<form method=post action=/authorize><input name=username><input name=password type=password><button>Log in</button></form>";
            http("200 OK", "text/html", form)
        } else {
            http("404 Not Found", "text/plain", "")
        }
    });
    folder.write("target.toml", &target(port));
    let said = says(&folder.0, &["run", "target.toml"]);
    expect(
        &said,
        3,
        &["came back", "[[login.step]] in the target file"],
    );
}

#[test]
fn a_server_that_is_not_on_this_machine_needs_permission() {
    let folder = Folder::new("permission");
    let said = says(&folder.0, &["run", "https://as.example"]);
    expect(&said, 2, &["--i-am-authorized"]);
}

#[test]
fn a_fault_turns_its_case_red_and_ends_with_1() {
    for (fault, id) in [
        ("redirect-prefix", "redirect.path-confusion"),
        ("pkce-plain", "pkce.plain-rejected"),
        ("code-reusable", "token.code-once"),
        ("iss-missing", "iss.success"),
        ("scope-unreported", "scope.omitted"),
    ] {
        let folder = Folder::new(fault);
        let said = says(
            &folder.0,
            &[
                "run",
                "reference",
                "--fault",
                fault,
                "--case",
                id,
                "--quiet",
            ],
        );
        expect(&said, 1, &[&format!("fail {id}")]);
        let clean = says(&folder.0, &["run", "reference", "--case", id, "--quiet"]);
        expect(&clean, 0, &[]);
    }
}
