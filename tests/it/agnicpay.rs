//! AgnicPay: every documented promise is accounted for, the target file for the real service says what it needs, and what it says is true of the
//! reference server behind AgnicPay's face.

use std::path::Path;

use oauthspec::doctor::examine;
use oauthspec::event::{Event, Verdict};
use oauthspec::run::plan::skip_reason;
use oauthspec::run::{self, Options, prepare};
use oauthspec::targets::load::{Surroundings, load_str};
use oauthspec::targets::model::{Driver, Target};
use oauthspec::targets::reference::Reference;
use refserver::{AgnicFault, Face};

use crate::pinned::every_suite;

/// The rows of the requirements catalogue, by their second half.
const ROWS: [&str; 24] = [
    "metadata",
    "authorize-302",
    "authorize-400",
    "required-params",
    "state-unchanged",
    "code-only",
    "scope-default",
    "redirect-whitelist",
    "token-json",
    "token-shape",
    "at-lifetime",
    "invalid-grant-400",
    "refresh",
    "pkce-enforced-when-sent",
    "pkce-default-s256",
    "cli-pkce-required",
    "cli-loopback-only",
    "cli-any-port",
    "prompt-none",
    "prompt-consent-login",
    "bearer-endpoints",
    "scope-separation",
    "user-revocation",
    "discovery-public",
];

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The target file for the real service, with these environment variables.
fn target_file(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Target, String> {
    let around = Surroundings { env, folder: None };
    load_str("fixtures/targets/agnicpay.toml", text, &around)
        .map(|loaded| loaded.target)
        .map_err(|problems| problems.to_string())
}

/// The file as an integrator would have filled it in, but for a server on this machine.
fn filled_in(reference: &Reference) -> Target {
    let known = &reference.target;
    let text = read("fixtures/targets/agnicpay.toml")
        .replace("https://api.agnic.ai", &known.issuer)
        .replace("driver = \"browser\"", "driver = \"form\"");
    let client = known.client("a").unwrap().clone();
    let user = known.user("a").unwrap().clone();
    let field = move |name: &str| {
        let mut fields = user.fields.iter();
        fields
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.clone())
    };
    let env = move |name: &str| match name {
        "AGNIC_CLIENT_ID" => client.id.clone(),
        "AGNIC_REDIRECT_URI" => client.redirect_uris.first().cloned(),
        "AGNIC_EMAIL" => field("email"),
        "AGNIC_PASSWORD" => field("password"),
        _ => None,
    };
    target_file(&text, &env).unwrap()
}

async fn face(faults: Vec<refserver::Fault>) -> Reference {
    Reference::start(Face::Agnicpay, faults, 0).await.unwrap()
}

#[test]
fn every_row_of_the_catalogue_is_in_the_document() {
    let document = read("docs/services/agnicpay.md");
    for row in ROWS {
        let line = format!("| `agnic.{row}` |");
        assert_eq!(document.matches(&line).count(), 1, "{row}");
    }
}

#[test]
fn the_target_file_names_what_is_missing() {
    let text = read("fixtures/targets/agnicpay.toml");
    let problems = target_file(&text, &|_| None).unwrap_err();
    for name in [
        "AGNIC_CLIENT_ID",
        "AGNIC_REDIRECT_URI",
        "AGNIC_EMAIL",
        "AGNIC_PASSWORD",
    ] {
        assert!(problems.contains(name), "{name}: {problems}");
    }
    let target = target_file(&text, &|name| Some(format!("https://{name}.example"))).unwrap();
    assert_eq!(target.issuer, "https://api.agnic.ai");
    assert_eq!(target.login.driver, Driver::Browser);
    assert!(target.policy.token_body_json && target.policy.state_required);
    // Nobody is contacted without the user's word.
    assert!(target.resources.iter().all(|one| one.method == "GET"));
}

#[tokio::test]
async fn without_permission_the_real_service_is_not_contacted() {
    let text = read("fixtures/targets/agnicpay.toml");
    let target = target_file(&text, &|name| Some(format!("https://{name}.example"))).unwrap();
    let refused = prepare::prepare(target, &Options::default()).await;
    let why = refused.err().unwrap().to_string();
    assert!(why.contains("--i-am-authorized"), "{why}");
}

#[tokio::test]
async fn the_doctor_finds_the_target_file_in_order() {
    let reference = face(Vec::new()).await;
    let report = examine(filled_in(&reference), &Options::default()).await;
    assert!(
        report.first_problem().is_none(),
        "{:?}",
        report.first_problem()
    );
    reference.stop().await;
}

#[tokio::test]
async fn a_dry_run_says_what_is_missing_for_the_rest() {
    let reference = face(Vec::new()).await;
    let prepared = prepare::prepare(filled_in(&reference), &Options::default())
        .await
        .unwrap_or_else(|failure| panic!("{failure}"));
    let mut skipped = Vec::new();
    let suites = every_suite();
    for case in suites.iter().flat_map(|suite| &suite.cases) {
        if case.suite == "agnic"
            && let Some(why) = case
                .variants
                .iter()
                .find_map(|variant| skip_reason(case, variant, &prepared))
        {
            skipped.push((case.id.as_str(), why));
        }
    }
    let expected = [
        ("agnic.at-lifetime-n8n", "[client.n8n]"),
        ("agnic.bearer-endpoints-paying", "[resource.write]"),
        ("agnic.limits-held", "[user.b]"),
        ("agnic.prompt-none-consent", "[client.b]"),
        ("agnic.scope-separation", "[resource.write]"),
        ("agnic.scope-separation-balance", "[resource.write]"),
    ];
    skipped.sort_unstable();
    let ids: Vec<&str> = skipped.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, expected.map(|(id, _)| id));
    for ((id, why), (_, names)) in skipped.iter().zip(expected) {
        assert!(why.contains(names), "{id}: {why}");
    }
    reference.stop().await;
}

/// Runs the suite and the departures of this target; the verdict of each case that is not a pass or skipped, and the exit code.
async fn red(target: Target) -> (Vec<(String, bool)>, u8) {
    let mut cases: Vec<String> = target.departures.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(cases.len(), 6);
    cases.push("agnic.*".into());
    let options = Options {
        cases,
        ..Options::default()
    };
    let mut red = Vec::new();
    let mut hear = |event: Event| {
        if let Event::Case(report) = event
            && !matches!(report.verdict, Verdict::Pass | Verdict::Skipped)
        {
            red.push((report.id.clone(), report.waived.is_some()));
        }
    };
    let end = run::run(target, &every_suite(), &options, &mut hear, run::never()).await;
    assert!(end.problems.is_empty(), "{:?}", end.problems);
    (red, end.exit_code)
}

#[tokio::test]
async fn the_face_keeps_every_promise_and_departs_where_the_documentation_does() {
    let reference = face(Vec::new()).await;
    let departures = &reference.target.departures;
    for target in [reference.target.clone(), filled_in(&reference)] {
        assert_eq!(&target.departures, departures);
        let (mut found, exit) = red(target).await;
        found.sort();
        let mut expected: Vec<(String, bool)> = departures
            .iter()
            .map(|(id, _)| (id.clone(), true))
            .collect();
        expected.sort();
        assert_eq!((found, exit), (expected, 0));
    }
    reference.stop().await;
}

#[tokio::test]
async fn a_departure_excuses_no_broken_promise() {
    let reference = face(vec![AgnicFault::CliPkceOptional.into()]).await;
    let (found, exit) = red(reference.target.clone()).await;
    assert!(
        found.contains(&("agnic.cli-pkce-required".to_owned(), false)),
        "{found:?}"
    );
    assert_eq!(exit, 1);
    reference.stop().await;
}
