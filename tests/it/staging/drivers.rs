//! Every login driver gets a user through, lets one say no, and says what is wrong when it cannot.

use std::io::Write as _;

use oauthspec::login::{Browser, End, Visit, Walk, Will, chrome, follow, manual};
use oauthspec::targets::model::Target;
use oauthspec::transport::{AllowList, Limits, Request, Transport};

use super::odd::{Odd, Oddities, Style};

const FORM: &str = r#"[login]
driver = "form"
[[login.step]]
link = "Continue with e-mail"
[[login.step]]
fill = { "e-mail address" = "$user.email" }
press = "Next"
[[login.step]]
fill = { Password = "$user.password" }
press = "Sign in"
[[login.step]]
press = "Allow"
deny = "Refuse"
"#;

const JSON: &str = r#"[login]
driver = "json"
[[login.step]]
get = "/api/session"
take = { csrf = "data.csrf" }
[[login.step]]
post = "/api/login/$page.last"
header = { X-CSRF = "$csrf" }
body = { email = "$user.email", password = "$user.password" }
[[login.step]]
post = "/api/consent/$page.last"
header = { X-CSRF = "$csrf" }
body = { decision = "approve" }
deny_body = { decision = "deny" }
take = { next = "redirect_to" }
[[login.step]]
open = "$next"
"#;

const BROWSER: &str = r#"[login]
driver = "browser"
[[login.step]]
fill = { E-mail = "$user.email", pw = "$user.password" }
press = "Sign in"
[[login.step]]
press = "Accept"
deny = "Decline"
"#;

/// Lets the target's user follow an authorization request that waits at this redirect URI.
async fn go(target: &Target, will: Will, redirect_uri: &str) -> (End, Walk) {
    let allow = AllowList::new([target.issuer.as_str()], false);
    let transport = Transport::new(allow, Limits::default(), None).unwrap();
    let browser = Browser::new();
    let arrived = |url: &str| url.starts_with(redirect_uri);
    let visit = Visit {
        transport: &transport,
        browser: &browser,
        login: &target.login,
        user: target.user("a"),
        will,
        arrived: &arrived,
    };
    let uri: String = url::form_urlencoded::byte_serialize(redirect_uri.as_bytes()).collect();
    let url = format!(
        "{}/authorize?response_type=code&client_id=client-a&redirect_uri={uri}&state=xyz&code_challenge={}&code_challenge_method=S256",
        target.issuer,
        jose::s256("v")
    );
    follow(&visit, Request::get(url)).await
}

const CALLBACK: &str = "https://client.example/cb";

fn location(end: &End) -> String {
    match end {
        End::Redirect { location, .. } => String::from_utf8_lossy(location).into_owned(),
        other => panic!("{other:?}"),
    }
}

fn stuck(end: End) -> String {
    match end {
        End::Stuck(why) => why,
        other => panic!("{other:?}"),
    }
}

async fn odd(style: Style) -> Odd {
    Odd::start(Oddities {
        style,
        ..Oddities::default()
    })
    .await
}

#[tokio::test]
async fn forms_are_filled_by_label_over_several_pages_and_both_answers_are_given() {
    let server = odd(Style::Pages).await;
    let target = server.load(FORM);
    let (end, walk) = go(&target, Will::Approve, CALLBACK).await;
    assert!(
        location(&end).starts_with("https://client.example/cb?code="),
        "{end:?}"
    );
    assert_eq!((walk.answered, walk.consents), (4, 1));
    let (end, _) = go(&target, Will::Deny, CALLBACK).await;
    assert!(location(&end).contains("error=access_denied"), "{end:?}");
    let (end, _) = go(&target, Will::Nothing, CALLBACK).await;
    assert!(matches!(end, End::Page { status: 200, .. }), "{end:?}");
}

#[tokio::test]
async fn a_wrong_password_is_tried_twice_and_named() {
    let server = odd(Style::Pages).await;
    let target = server.load(&FORM.replace("\"$user.password\"", "\"wrong\""));
    let (end, walk) = go(&target, Will::Approve, CALLBACK).await;
    let why = stuck(end);
    assert!(
        why.contains("step 3") && why.contains("Wrong password."),
        "{why}"
    );
    let posts = walk
        .log
        .iter()
        .filter(|one| one.request.url.contains("/password/") && one.request.method == "POST");
    assert_eq!(posts.count(), 2);
}

#[tokio::test]
async fn a_deny_button_that_is_not_there_is_no_refusal() {
    let server = odd(Style::Pages).await;
    let target = server.load(&FORM.replace("\"Refuse\"", "\"Reject\""));
    let why = stuck(go(&target, Will::Deny, CALLBACK).await.0);
    assert!(
        why.contains("no button or link “Reject”") && why.contains("“Refuse”"),
        "{why}"
    );
}

#[tokio::test]
async fn an_api_is_talked_to_as_its_own_page_would() {
    let server = odd(Style::Script).await;
    let target = server.load(JSON);
    let (end, _) = go(&target, Will::Approve, CALLBACK).await;
    assert!(location(&end).contains("?code="), "{end:?}");
    let (end, _) = go(&target, Will::Deny, CALLBACK).await;
    assert!(location(&end).contains("error=access_denied"), "{end:?}");
    let target = server.load(&JSON.replace("\"data.csrf\"", "\"data.token\""));
    let why = stuck(go(&target, Will::Approve, CALLBACK).await.0);
    assert!(
        why.contains("step 1") && why.contains("without `data.token`"),
        "{why}"
    );
}

#[tokio::test]
async fn the_form_driver_says_that_a_page_of_scripts_needs_a_browser() {
    let server = odd(Style::Script).await;
    let (end, _) = go(&server.load(FORM), Will::Approve, CALLBACK).await;
    let End::Page { about, .. } = end else {
        panic!("{end:?}");
    };
    assert!(about.contains("driver = \"browser\""), "{about}");
}

/// Whether a browser can be driven here; says loudly when not, and fails in CI.
pub(crate) fn browser_here() -> bool {
    let found = std::process::Command::new("chromedriver")
        .arg("--version")
        .output();
    if found.is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "chromedriver is missing"
    );
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: chromedriver is not installed (apt-get install chromium chromium-driver)"
    );
    false
}

#[tokio::test]
async fn a_page_of_scripts_is_passed_twenty_times_in_a_row_with_a_real_browser() {
    if !browser_here() {
        return;
    }
    let server = odd(Style::Script).await;
    let target = server.load(BROWSER);
    for round in 0..20 {
        let (end, walk) = go(&target, Will::Approve, CALLBACK).await;
        assert!(location(&end).contains("?code="), "round {round}: {end:?}");
        assert_eq!((walk.answered, walk.consents), (2, 1), "round {round}");
    }
    let (end, walk) = go(&target, Will::Deny, CALLBACK).await;
    assert!(location(&end).contains("error=access_denied"), "{end:?}");
    assert!(
        walk.log
            .iter()
            .any(|one| one.request.url.contains("/api/login/"))
    );

    // Where it gets stuck it says why and shows a picture.
    let target = server.load(&BROWSER.replace("$user.password", "wrong"));
    let (end, walk) = go(&target, Will::Approve, CALLBACK).await;
    let why = stuck(end);
    assert!(
        why.contains("step 1") && why.contains("That is not right."),
        "{why}"
    );
    let picture = walk
        .log
        .iter()
        .find(|one| one.request.method == "SCREENSHOT");
    let picture = picture
        .and_then(|one| one.reply.as_ref().ok())
        .expect("a picture");
    assert!(picture.body.starts_with(b"\x89PNG"));
    chrome::shut_down();
}

#[tokio::test]
async fn a_command_logs_in_or_tells_a_code() {
    let server = odd(Style::Pages).await;
    let fill = FORM.replace("\"$user.password\"", "\"$hook\"").replace(
        "driver = \"form\"",
        "driver = \"form\"\nhook = [\"sh\", \"-c\", \"echo noise; echo $OAUTHSPEC_USER_PASSWORD\"]",
    );
    let (end, _) = go(&server.load(&fill), Will::Approve, CALLBACK).await;
    assert!(location(&end).contains("?code="), "{end:?}");

    let hook = |script: &str| {
        server.load(&format!(
            "[login]\ndriver = \"hook\"\ntimeout = \"2s\"\nhook = [\"sh\", \"-c\", {script:?}]\n"
        ))
    };
    let target = hook(
        "echo \"https://client.example/cb?state=xyz&decision=$OAUTHSPEC_DECISION&user=$OAUTHSPEC_USER\"",
    );
    let (end, _) = go(&target, Will::Deny, CALLBACK).await;
    assert_eq!(
        location(&end),
        "https://client.example/cb?state=xyz&decision=deny&user=a"
    );
    // Nothing reads the words of a command but the command itself: no shell, no expansion.
    let plain = "https://client.example/cb?state=xyz&$(id)&$HOME&;`id`";
    let target = server.load(&format!(
        "[login]\ndriver = \"hook\"\nhook = [\"echo\", {plain:?}]\n"
    ));
    let (end, _) = go(&target, Will::Approve, CALLBACK).await;
    assert_eq!(location(&end), plain);
    for (script, why) in [
        ("echo elsewhere", "not the redirect URI"),
        ("echo no mailbox >&2; exit 3", "no mailbox"),
        ("sleep 60", "within 2 s"),
    ] {
        let said = stuck(go(&hook(script), Will::Approve, CALLBACK).await.0);
        assert!(said.contains(why), "{said}");
    }
}

static SAID: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());

fn hear(line: &str) {
    SAID.lock().unwrap().push(line.to_owned());
}

#[tokio::test]
async fn a_person_is_waited_for_and_the_state_is_checked() {
    manual::speak_through(hear);
    let server = odd(Style::Pages).await;
    let target = server.load("[login]\ndriver = \"manual\"\ntimeout = \"20s\"\n");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let callback = format!("http://{}/cb", free.local_addr().unwrap());
    drop(free);
    let at = callback.clone();
    let person = tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        while !SAID
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains("/authorize?"))
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let visit = async |query: &str| {
            let answer = client.get(format!("{at}{query}")).send().await.unwrap();
            answer.status().as_u16()
        };
        [
            visit("/elsewhere?state=xyz").await,
            visit("?code=c&state=forged").await,
            visit("?code=c&state=xyz").await,
        ]
    });
    let (end, _) = go(&target, Will::Approve, &callback).await;
    assert_eq!(location(&end), format!("{callback}?code=c&state=xyz"));
    assert_eq!(person.await.unwrap(), [404, 400, 200]);

    let target = server.load("[login]\ndriver = \"manual\"\ntimeout = \"1s\"\n");
    let why = stuck(go(&target, Will::Approve, &callback).await.0);
    assert!(why.contains("nobody came back"), "{why}");
}
