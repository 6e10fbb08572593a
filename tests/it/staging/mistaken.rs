//! What `doctor` and `init` make of a server's own mistakes and announcements.

use super::doctor::{assert_named, diagnosis, told};
use super::odd::{Odd, Oddities};

/// The login of the odd server, as it works.
const WORKING: &str = "[login]\ndriver = \"form\"\n[[login.step]]\nlink = \"Continue with e-mail\"\n[[login.step]]\nfill = { \"e-mail address\" = \"$user.email\" }\npress = \"Next\"\n\
    [[login.step]]\nfill = { Password = \"$user.password\" }\npress = \"Sign in\"\n[[login.step]]\npress = \"Allow\"\ndeny = \"Refuse\"\n";

#[tokio::test]
async fn a_server_that_fails_at_a_made_up_code_is_looked_at_all_the_same() {
    let odd = Odd::start(Oddities {
        fails_at_codes: true,
        ..Oddities::default()
    })
    .await;
    let report = diagnosis(odd.load(WORKING)).await;
    let told = told(&report);
    assert!(report.first_problem().is_none(), "{told}");
    assert!(
        told.contains("Warning token-fails: the token endpoint"),
        "{told}"
    );
    assert!(
        told.contains("answers 500 to a made-up code, where invalid_grant is due"),
        "{told}"
    );
    assert!(told.contains("Good login"), "{told}");
    // A gateway that finds nobody behind it is another matter.
    let nobody = Odd::start(Oddities::default()).await;
    let mut target = nobody.load(WORKING);
    target.endpoints.token = Some(format!("{}/nowhere", nobody.base));
    assert_named(
        &diagnosis(target).await,
        "no token endpoint",
        "token-endpoint",
        "[endpoints]",
    );
}

#[tokio::test]
async fn init_sends_a_secret_in_a_way_that_the_server_announces() {
    let odd = Odd::start(Oddities {
        auth: &["none", "client_secret_post"],
        ..Oddities::default()
    })
    .await;
    let mut init = tokio::process::Command::new(env!("CARGO_BIN_EXE_oauthspec"));
    init.args([
        "init",
        &odd.base,
        "--no-login",
        "--client-id",
        "x",
        "--secret-env",
        "ODD_SECRET",
    ]);
    let output = init.env("ODD_SECRET", "made-up").output().await.unwrap();
    let file = String::from_utf8_lossy(&output.stdout);
    assert!(file.contains("auth = \"client_secret_post\""), "{file}");
    assert!(!file.contains("client_secret_basic"), "{file}");
}
