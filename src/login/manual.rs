//! The `manual` driver: a person logs in with a browser of their own. The address is shown (and opened,
//! if the target file says so); a listener on loopback waits for the client's redirect URI, checks the
//! state and hands the response on. A redirect URI that is not on loopback is pasted by the person.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::login::{End, Visit, Walk, Will, asks_somebody};
use crate::transport::Request;

/// One person does one thing at a time.
static PERSON: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// Who shows a line to the person.
static VOICE: OnceLock<fn(&str)> = OnceLock::new();
/// The longest request head read from a browser.
const LONGEST_HEAD: usize = 64 << 10;
/// How long one connection to the listener may take.
const ONE_VISIT: Duration = Duration::from_secs(10);

/// Sets how lines are shown to the person; the command line does this once.
pub fn speak_through(voice: fn(&str)) {
    let _ = VOICE.set(voice);
}

fn say(line: &str) {
    if let Some(voice) = VOICE.get() {
        voice(line);
    }
}

/// Asks a person.
pub(super) async fn follow(visit: &Visit<'_>, first: Request) -> (End, Walk) {
    let mut walk = match asks_somebody(visit, &first).await {
        Ok(walk) => walk,
        Err(result) => return result,
    };
    walk.answered += 1;
    walk.consents += 1;
    let _turn = PERSON.lock().await;
    let asked = parameter(&first.url, "redirect_uri");
    let state = parameter(&first.url, "state");
    let waiting = match asked.as_deref().and_then(local) {
        Some((host, port, path)) => listen(&host, port).await.map(|all| Some((all, path))),
        None => Ok(None),
    };
    let waiting = match waiting {
        Ok(waiting) => waiting,
        Err(why) => return (End::Stuck(why), walk),
    };
    let user = visit.user.map_or("a", |user| user.name.as_str());
    let what = if visit.will == Will::Deny {
        "DENY"
    } else {
        "approve"
    };
    say(&format!(
        "log in as user {user} and {what}:\n  {}",
        first.url
    ));
    if visit.login.open {
        open(&first.url);
    }
    let answer = async {
        match waiting {
            Some((listeners, path)) => Ok(arrive(&listeners, &path, state.as_deref()).await),
            None => paste(visit).await,
        }
    };
    let end = match tokio::time::timeout(visit.login.timeout, answer).await {
        Ok(Ok(location)) => End::Redirect {
            location: location.into_bytes(),
            post: None,
        },
        Ok(Err(why)) => End::Stuck(why),
        Err(_) => End::Stuck(format!(
            "nobody came back within {} s ([login] timeout)",
            visit.login.timeout.as_secs()
        )),
    };
    (end, walk)
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// Host, port and path of a redirect URI that can be listened on.
fn local(uri: &str) -> Option<(String, u16, String)> {
    let url = Url::parse(uri).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let loopback = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    (url.scheme() == "http" && loopback)
        .then(|| (host, url.port().unwrap_or(80), url.path().to_owned()))
}

async fn listen(host: &str, port: u16) -> Result<Vec<TcpListener>, String> {
    let addresses: &[&str] = match host {
        "localhost" => &["127.0.0.1", "::1"],
        other => &[other],
    };
    let mut listeners = Vec::new();
    let mut trouble = String::new();
    for address in addresses {
        match TcpListener::bind((*address, port)).await {
            Ok(listener) => listeners.push(listener),
            Err(why) => trouble = why.to_string(),
        }
    }
    if listeners.is_empty() {
        return Err(format!(
            "cannot listen at the redirect URI's port {port} on {host}: {trouble}"
        ));
    }
    Ok(listeners)
}

/// Waits for the redirect with the right state; anything else is answered and ignored.
async fn arrive(listeners: &[TcpListener], path: &str, state: Option<&str>) -> String {
    loop {
        let accepted = futures_util::future::select_all(
            listeners.iter().map(|listener| Box::pin(listener.accept())),
        );
        let Ok((stream, _)) = accepted.await.0 else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let visit = tokio::time::timeout(ONE_VISIT, serve(stream, path, state)).await;
        if let Ok(Some(location)) = visit {
            return location;
        }
    }
}

/// One request at the listener: the whole callback URL when it is the one waited for.
async fn serve(mut stream: TcpStream, path: &str, state: Option<&str>) -> Option<String> {
    let mut head = Vec::new();
    let mut chunk = [0_u8; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        let got = stream.read(&mut chunk).await.ok().filter(|got| *got > 0)?;
        head.extend_from_slice(chunk.get(..got)?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.lines().next()?.split(' ').nth(1)?.to_owned();
    let host = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host")
            .then(|| value.trim().to_owned())
    })?;
    let url = format!("http://{host}{target}");
    let right_path = Url::parse(&url).is_ok_and(|url| url.path() == path);
    let got = parameter(&url, "state");
    let (status, text, result) = if !right_path {
        ("404 Not Found", "Nothing is here.", None)
    } else if got.as_deref() != state {
        say("a response with a wrong state came and was ignored");
        (
            "400 Bad Request",
            "This response carries another state and was ignored.",
            None,
        )
    } else {
        (
            "200 OK",
            "That was it: this window can be closed.",
            Some(url),
        )
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok();
    result
}

/// Reads the callback URL from the standard input.
async fn paste(visit: &Visit<'_>) -> Result<String, String> {
    say("then paste the address of the page you end on (it need not load):");
    let (send, mut receive) = tokio::sync::mpsc::channel(1);
    // A thread of its own: reading the standard input cannot be given up.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = receive.recv().await {
        let line = line.trim();
        if (visit.arrived)(line) {
            return Ok(line.to_owned());
        }
        if !line.is_empty() {
            say("that is not the redirect URI; paste the whole address:");
        }
    }
    Err("nobody pastes the address: the standard input ended".to_owned())
}

/// Opens an address in the desktop's browser; a failure shows by nobody coming.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let opened = std::process::Command::new(program)
        .arg(url)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    if opened.is_err() {
        say(&format!(
            "{program} cannot be started; open the address yourself"
        ));
    }
}
