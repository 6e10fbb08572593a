//! Starting a dead server again with the user's command.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use url::Url;

use crate::run::Stop;
use crate::targets::model::Target;

/// How long the server may take until it listens again.
const STARTING: Duration = Duration::from_secs(30);
/// How long a command may take to end a server that still listens; one that takes longer is the new server.
const ENDING: Duration = Duration::from_secs(10);

/// Runs the command and waits until the server listens. The command may end, or stay and be the server.
///
/// # Errors
/// In words: the command cannot be run, or nobody listens after half a minute.
pub(super) async fn restart(command: &str, target: &Target, stop: &Stop) -> Result<(), String> {
    let address = address(target).ok_or("the server's address cannot be read")?;
    // One that hangs still listens: until the command is over, nothing is known.
    let hangs = listens(&address).await;
    let mut child = tokio::process::Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("--restart cannot be run: {error}"))?;
    if hangs {
        tokio::time::timeout(ENDING, child.wait()).await.ok();
    }
    let since = Instant::now();
    while since.elapsed() < STARTING && !*stop.borrow() {
        if listens(&address).await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(format!(
        "nobody listens at {}:{} after --restart; try the command by hand",
        address.0, address.1
    ))
}

/// Host and port of the token endpoint, else of the issuer.
fn address(target: &Target) -> Option<(String, u16)> {
    let url = target.endpoints.token.as_ref().unwrap_or(&target.issuer);
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    Some((host, url.port_or_known_default()?))
}

async fn listens(address: &(String, u16)) -> bool {
    let connect = TcpStream::connect((address.0.as_str(), address.1));
    let connected = tokio::time::timeout(Duration::from_secs(2), connect).await;
    matches!(connected, Ok(Ok(_)))
}
