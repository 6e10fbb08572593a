//! The `hook` driver: a command of the user's own logs in. It gets the authorization request's URL and
//! prints the callback URL. The same command can tell single values, such as a one-time code that
//! arrives by mail (`fill = { otp = "$hook" }`).
//!
//! The command runs without a shell in the target file's folder, with these environment variables:
//! `OAUTHSPEC_URL`, `OAUTHSPEC_WANT` (`callback`, or the name of the field), `OAUTHSPEC_DECISION`
//! (`approve`, `deny`), `OAUTHSPEC_USER` (`a`, `b`) and `OAUTHSPEC_USER_FIELD` for each of the user's
//! fields. The last line it prints counts.

use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::login::{End, Visit, Walk, asks_somebody};
use crate::transport::Request;

/// What a command may print.
const MOST_OUTPUT: u64 = 64 << 10;

/// Lets the command log in.
pub(super) async fn follow(visit: &Visit<'_>, first: Request) -> (End, Walk) {
    let mut walk = match asks_somebody(visit, &first).await {
        Ok(walk) => walk,
        Err(result) => return result,
    };
    walk.answered += 1;
    walk.consents += 1;
    let end = match run(visit, "callback", &first.url).await {
        Err(why) => End::Stuck(why),
        Ok(line) if (visit.arrived)(&line) => End::Redirect {
            location: line.into_bytes(),
            post: None,
        },
        Ok(line) => End::Stuck(format!(
            "the hook printed `{}`, which is not the redirect URI with the response's parameters",
            line.chars().take(200).collect::<String>()
        )),
    };
    (end, walk)
}

/// Lets the command tell a value for a field.
///
/// # Errors
/// Why there is none.
pub(super) async fn tell(visit: &Visit<'_>, field: &str, page_url: &str) -> Result<String, String> {
    run(visit, field, page_url).await
}

/// Runs the command; the last line it prints.
async fn run(visit: &Visit<'_>, want: &str, url: &str) -> Result<String, String> {
    let hook = visit
        .login
        .hook
        .as_ref()
        .ok_or("the target file has no [login] hook")?;
    let (program, arguments) = hook.command.split_first().ok_or("the hook is empty")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("OAUTHSPEC_URL", url)
        .env("OAUTHSPEC_WANT", want)
        .env("OAUTHSPEC_DECISION", visit.will.decision())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(folder) = &hook.folder {
        command.current_dir(folder);
    }
    if let Some(user) = visit.user {
        command.env("OAUTHSPEC_USER", &user.name);
        for (field, value) in &user.fields {
            let field: String = field
                .chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() {
                        c.to_ascii_uppercase()
                    } else {
                        '_'
                    }
                })
                .collect();
            command.env(format!("OAUTHSPEC_USER_{field}"), value);
        }
    }
    let mut child = command
        .spawn()
        .map_err(|why| format!("the hook `{program}` cannot be started: {why}"))?;
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("the hook has no output".to_owned());
    };
    let work = async {
        let (mut text, mut complaint) = (String::new(), String::new());
        let mut out = out.take(MOST_OUTPUT);
        let mut err = err.take(MOST_OUTPUT);
        let (read, _) = tokio::join!(
            out.read_to_string(&mut text),
            err.read_to_string(&mut complaint)
        );
        read.map_err(|why| format!("the hook's output: {why}"))?;
        let status = child.wait().await.map_err(|why| why.to_string())?;
        if !status.success() {
            let last = complaint.lines().last().unwrap_or_default();
            return Err(format!("the hook `{program}` failed ({status}): {last}"));
        }
        text.lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| format!("the hook `{program}` printed nothing"))
    };
    match tokio::time::timeout(visit.login.timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(format!(
            "the hook `{program}` did not end within {} s ([login] timeout)",
            visit.login.timeout.as_secs()
        )),
    }
}
