//! What waits: codes and tokens that expire, and what becomes of a refresh token that was used. On a server that others wrote, with lifetimes short
//! enough to be outlived.

use std::time::Duration;

use oauthspec::event::{CaseReport, Verdict};
use oauthspec::run::Options;
use oauthspec::targets::model::{Client, ClientAuth, ClientKind, Target};
use oauthspec::targets::reference::Reference;
use refserver::{Face, Fault};

use crate::pinned::{cases, target};
use crate::servers::Real;

/// Long enough for the controls, which use what has not expired yet.
const CODE: &str = "5";
const TOKEN: &str = "10";

async fn judged(target: Target, chosen: &[&str], slow: bool) -> Vec<CaseReport> {
    let options = Options {
        slow,
        keep_evidence: false,
        ..Options::default()
    };
    cases(target, chosen, options).await
}

/// What `refresh.rotation` reads out.
async fn rotation(target: Target) -> String {
    let reports = judged(target, &["refresh.rotation"], false).await;
    let [report] = &reports[..] else {
        panic!("one case: {reports:?}");
    };
    assert_eq!(report.verdict, Verdict::Pass, "{}", report.reason);
    report.reason.clone()
}

#[tokio::test]
async fn codes_and_tokens_of_a_real_server_expire_and_the_cases_decide() {
    let ages = [("CODE_TTL", CODE), ("AT_TTL", TOKEN)];
    let Some(server) = Real::start_with("oidc-provider", &["hightop"], &ages) else {
        return;
    };
    let mut target = target("oidc-provider-hightop.toml", &server);
    target.clients.push(Client {
        name: "brief".into(),
        register: true,
        id: None,
        secret: None,
        auth: ClientAuth::None,
        kind: ClientKind::Public,
        redirect_uris: vec!["https://brief.example/cb".into()],
    });
    let seconds = |text: &str| Duration::from_secs(text.parse().unwrap());
    target.policy.times = vec![
        ("code_lifetime".into(), seconds(CODE)),
        ("access_lifetime".into(), seconds(TOKEN)),
    ];
    let reports = judged(target, &["authz.code-expiry", "rs.expired"], true).await;
    assert_eq!(reports.len(), 2);
    for report in reports {
        assert_eq!(
            report.verdict,
            Verdict::Pass,
            "{}: {}",
            report.id,
            report.reason
        );
    }
}

#[tokio::test]
async fn rotation_is_read_out_as_it_is() {
    let broken = Reference::start(Face::default(), vec![Fault::RefreshOldWorks], 0);
    let broken = broken.await.unwrap();
    let says = rotation(broken.target.clone()).await;
    assert!(says.starts_with("grace (longer than"), "{says}");
    broken.stop().await;
    for (rotate, word) in [("1", "strict"), ("0", "none")] {
        let env = [("ROTATE", rotate)];
        let Some(server) = Real::start_with("oidc-provider", &["hightop"], &env) else {
            return;
        };
        let says = rotation(target("oidc-provider-hightop.toml", &server)).await;
        assert!(says.starts_with(word), "{word}: {says}");
    }
}
