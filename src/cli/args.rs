//! What the command line accepts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::event::Severity;
use crate::report::Output;

use super::parse;

/// Drives an OAuth 2.1 authorization server and its resource servers through scripted flows and says
/// what conforms, what does not, and what could not be known.
#[derive(Debug, Parser)]
#[command(
    name = "oauthspec",
    version,
    about,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the cases against a target and report
    #[command(after_help = "\
Formats of --report: json, junit, sarif, html, markdown, har, badge. Without --report, a run writes
oauthspec-report/report.json and oauthspec-report/report.html.

Exit codes: 0 conforms, 1 does not, 2 usage or configuration, 3 target unreachable or preflight
failed, 4 nothing was decided, 130 and 143 ended by a signal (oauthspec explain CODE).

Examples:
  oauthspec run                                        the embedded reference server
  oauthspec run target.toml
  oauthspec run target.toml --suite pkce --case '*.plain*'
  oauthspec run target.toml --report junit=junit.xml --report sarif=results.sarif
  oauthspec run target.toml --report json=- | jq .summary
  oauthspec run --fault pkce-plain                     see a case go red")]
    Run(Box<RunArgs>),

    /// Judge a server one only visits: cases that need no login and change nothing
    #[command(after_help = "\
Reads the server's public documents, as any client does, four requests a second, and is done within ten seconds.

Example:
  oauthspec scan https://as.example")]
    Scan(ScanArgs),

    /// Write a commented target file for a server: from its documents, its login pages, and flags
    #[command(after_help = "\
Reads metadata (RFC 8414, OpenID, RFC 9728, the challenge of a 401), registers clients for a moment where the \
server lets anybody, and walks the login page by page. Credentials come from the environment: the login page's \
fields are named, and without --user FIELD=VARIABLE their variables are ALICE_FIELD (BOB_FIELD for a second \
person). In a terminal it asks for what no flag says. What stays open is a comment in the file.

Examples:
  oauthspec init https://as.example --out target.toml
  oauthspec init https://api.example/me --user username=MY_NAME --user password=MY_PASSWORD
  oauthspec init https://mcp.example/mcp --out target.toml
  oauthspec init https://as.example --client-id app --redirect-uri https://app/cb --i-am-authorized")]
    Init(Box<InitArgs>),

    /// Try the login of a target by itself
    Login(LoginArgs),

    /// Check a target before anything is judged: metadata, endpoints, clients, one correct login
    #[command(after_help = "\
Exit code 0 when the correct flow works, 2 when the target file is wrong, 3 when the flow does not work.

Example:
  oauthspec doctor target.toml")]
    Doctor(DoctorArgs),

    /// Fuzz a live server: sequences of operations with deviations, judged by a model and oracles
    #[command(after_help = "\
Findings go to DIR/findings, each a suite file that `replay` and `run` execute; DIR/state.json lets the \
next run go on where this one ended. Exit codes: 0 no finding, 1 findings, 2 usage or configuration, \
3 target unreachable, 4 nothing was tried.

Examples:
  oauthspec fuzz                                       the embedded reference server
  oauthspec fuzz target.toml --time 10m --seed 7
  oauthspec fuzz target.toml --rate 50/s --restart ./start-server.sh")]
    Fuzz(Box<FuzzArgs>),

    /// Run one suite file against a target: a finding of the fuzzer, or any case
    #[command(after_help = "\
Exit code 1 as long as the finding is there, 0 when the server is mended, 4 when nothing could be \
decided.

Example:
  oauthspec replay oauthspec-fuzz/findings/crash-token-code-nul-after.toml target.toml")]
    Replay(ReplayArgs),

    /// List the cases, what each needs, and which ones a target can run
    #[command(after_help = "\
With a TARGET, it is looked at (discovery, one login) to say which cases would run; no case is run.

Examples:
  oauthspec list
  oauthspec list target.toml
  oauthspec list --suite pkce --suite redirect
  oauthspec list --case '*.near-miss*' --json
  oauthspec list --suite ./my-suites/")]
    List(ListArgs),

    /// Test the harness itself: every fault of the reference server against every case
    #[command(after_help = "\
A fault that no case notices, a case that no fault turns red and that gives no reason, and a pass on a \
host that is no OAuth server are failures (exit code 1).

Examples:
  oauthspec selftest
  oauthspec selftest --suite pkce --fault pkce-plain
  oauthspec selftest --json > selftest.json")]
    Selftest(SelftestArgs),

    /// Serve the reference authorization server and its resource servers by themselves, on loopback
    #[command(after_help = "\
Prints a target file that describes the running server: clients, users, resources.

Examples:
  oauthspec serve
  oauthspec serve --port 9000 --fault pkce-plain
  oauthspec serve tenant --ca-out ca.pem               an issuer on https, for init --ca ca.pem")]
    Serve(ServeArgs),

    /// Compare two JSON reports: what broke, what was mended, which policy changed
    #[command(after_help = "\
Exit code 1 when something broke, 4 when the new report decided nothing.

Examples:
  oauthspec compare main.json branch.json
  oauthspec compare --markdown main.json branch.json >> $GITHUB_STEP_SUMMARY")]
    Compare(CompareArgs),

    /// Explain a case, a check, a fault, a verdict, an exit code or a broken token by its name
    #[command(after_help = "\
Examples:
  oauthspec explain pkce.plain-rejected
  oauthspec explain inconclusive
  oauthspec explain 4
  oauthspec explain forge.jwt.alg-none
  oauthspec explain                     everything that can be explained")]
    Explain {
        /// The name; without one, everything that can be explained is listed
        topic: Option<String>,
    },

    /// Print a JSON Schema: suite, target, waivers or report
    #[command(after_help = "\
Example:
  oauthspec schema report > report.schema.json")]
    Schema {
        /// Which one
        name: String,
    },

    /// Print the completions for a shell
    #[command(after_help = "\
Example:
  oauthspec completions bash > ~/.local/share/bash-completion/completions/oauthspec")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },

    /// Print the manual page
    #[command(after_help = "\
Example:
  oauthspec man | man -l -")]
    Man,
}

/// `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier report (JSON)
    pub old: PathBuf,
    /// The later report (JSON)
    pub new: PathBuf,
    /// Write Markdown, for a comment or a job summary
    #[arg(long)]
    pub markdown: bool,
}

/// Which cases.
#[derive(Debug, Args)]
pub struct Selection {
    /// A built-in suite, a suite file or a folder of them; may be repeated
    #[arg(long = "suite", value_name = "SUITE")]
    pub suites: Vec<String>,
    /// Only cases whose id fits; `*` stands for any text; may be repeated
    #[arg(long = "case", value_name = "GLOB")]
    pub cases: Vec<String>,
}

/// `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// A target file, an issuer or `reference`: say which cases it can run
    pub target: Option<String>,
    /// Which cases.
    #[command(flatten)]
    pub selection: Selection,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
    /// You may test a target that is not on this machine
    #[arg(long)]
    pub i_am_authorized: bool,
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A target file, an issuer (https://…), or `reference`, the embedded server
    #[arg(default_value = "reference")]
    pub target: String,
    /// Which cases.
    #[command(flatten)]
    pub selection: Selection,
    /// Judge by this profile instead of the target's own; may be repeated
    #[arg(long = "profile", value_name = "PROFILE")]
    pub profiles: Vec<String>,
    /// Break the reference server in this way; may be repeated. Warnings count then, as with --strict
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// Flows at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// At most this many requests a second
    #[arg(long, value_name = "N/s", value_parser = parse::rate)]
    pub rate: Option<f64>,
    /// Run the Mth of N parts of the cases
    #[arg(long, value_name = "M/N", value_parser = parse::partition)]
    pub partition: Option<(u32, u32)>,
    /// Write a report; PATH `-` is the standard output; may be repeated
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub reports: Vec<Output>,
    /// Known failures, each with a reason; one that no longer fails is itself a failure
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// Bring the file of --waivers in step: what no longer fails goes, what fails is added
    #[arg(long, requires = "waivers")]
    pub update_waivers: bool,
    /// Failures below this severity do not fail the run
    #[arg(long, value_name = "SEVERITY", default_value = "cosmetic", value_parser = parse::severity)]
    pub fail_on: Severity,
    /// Run the cases that wait: expiry, and replay after a declared grace
    #[arg(long)]
    pub slow: bool,
    /// Warnings fail the run too
    #[arg(long)]
    pub strict: bool,
    /// Look at the target and say what would run, but run no case
    #[arg(long)]
    pub dry_run: bool,
    /// The seed of everything random; the report names it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// How long one exchange may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse::duration)]
    pub timeout: Duration,
    /// How long the whole run may take
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = parse::duration)]
    pub deadline: Duration,
    /// Go on from an interrupted run's JSON report: what it decided is taken over
    #[arg(long, value_name = "REPORT")]
    pub resume: Option<PathBuf>,
    /// Write exchanges with their secrets into the report files, which only you may then read
    #[arg(long)]
    pub keep_secrets: bool,
    /// Show only failures and the summary
    #[arg(long, short)]
    pub quiet: bool,
    /// You may test a target that is not on this machine
    #[arg(long)]
    pub i_am_authorized: bool,
}

/// `fuzz`.
#[derive(Debug, Args)]
pub struct FuzzArgs {
    /// A target file, an issuer (https://…), or `reference`
    #[arg(default_value = "reference")]
    pub target: String,
    /// How long to fuzz
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse::duration)]
    pub time: Duration,
    /// End after this many programs, for runs that can be repeated exactly
    #[arg(long, value_name = "N")]
    pub programs: Option<u64>,
    /// The seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Where findings and the state go
    #[arg(long, value_name = "DIR", default_value = "oauthspec-fuzz")]
    pub out: PathBuf,
    /// At most this many requests a second
    #[arg(long, value_name = "N/s", value_parser = parse::rate)]
    pub rate: Option<f64>,
    /// Break the reference server in this way; may be repeated
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// Starts the server again when it has died; run by `sh -c`
    #[arg(long, value_name = "CMD")]
    pub restart: Option<String>,
    /// Programs at the same time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// End with the first finding
    #[arg(long)]
    pub first: bool,
    /// Show findings and the summary only
    #[arg(long, short)]
    pub quiet: bool,
    /// You may test a target that is not on this machine
    #[arg(long)]
    pub i_am_authorized: bool,
}

/// `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The suite file
    pub file: PathBuf,
    /// A target file, an issuer (https://…), or `reference`
    #[arg(default_value = "reference")]
    pub target: String,
    /// Break the reference server in this way; may be repeated
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// How long one exchange may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse::duration)]
    pub timeout: Duration,
    /// You may test a target that is not on this machine
    #[arg(long)]
    pub i_am_authorized: bool,
}

/// `selftest`.
#[derive(Debug, Args)]
pub struct SelftestArgs {
    /// A built-in suite, a suite file or a folder of them; may be repeated. Faults that none of its cases looks for are not tried
    #[arg(long = "suite", value_name = "SUITE")]
    pub suites: Vec<String>,
    /// Only this fault; may be repeated
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// Each fault only against the cases that it should break: shows that it is noticed, not that nothing else is
    #[arg(long)]
    pub quick: bool,
    /// Faults at the same time
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `scan`.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// The issuer (https://…)
    pub issuer: String,
    /// Certificates that this machine does not trust by itself (PEM), such as a staging CA's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// At most this many requests a second
    #[arg(long, value_name = "N/s", default_value = "4/s", value_parser = parse::rate)]
    pub rate: f64,
    /// Write a report; PATH `-` is the standard output; may be repeated
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub reports: Vec<Output>,
    /// How long one exchange may take
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = parse::duration)]
    pub timeout: Duration,
    /// How long all of it may take; what is not seen by then stays open
    #[arg(long, value_name = "DURATION", default_value = "9s", value_parser = parse::duration)]
    pub deadline: Duration,
    /// Show only failures and the summary
    #[arg(long, short)]
    pub quiet: bool,
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The issuer (https://…), or the URL of an API or an MCP server behind it
    pub issuer: String,
    /// Where to write; without it, the standard output
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file when it exists
    #[arg(long)]
    pub force: bool,
    /// A client's identifier
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// The environment variable that holds its secret
    #[arg(long, value_name = "VARIABLE", requires = "client_id")]
    pub secret_env: Option<String>,
    /// How it sends it: client_secret_basic or client_secret_post; by default what the server announces
    #[arg(long, value_name = "METHOD", requires = "secret_env")]
    pub auth: Option<String>,
    /// Its redirect URI
    #[arg(long, value_name = "URI")]
    pub redirect_uri: Option<String>,
    /// A harmless request to an API that needs a token: `GET https://api.example/me`
    #[arg(long, value_name = "REQUEST", value_parser = parse::probe)]
    pub probe: Option<String>,
    /// An MCP server behind it; one that is itself the URL is recognised by a path that ends in /mcp, or by taking POST only
    #[arg(long, value_name = "URL", value_parser = parse::url, conflicts_with = "mint")]
    pub mcp: Option<String>,
    /// The resource indicator of that API (RFC 8707)
    #[arg(long, value_name = "ID")]
    pub resource: Option<String>,
    /// The scope it needs
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<String>,
    /// A further parameter of every authorization request; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse::pair)]
    pub params: Vec<(String, String)>,
    /// Authorization details of every authorization request (RFC 9396), a JSON array
    #[arg(long, value_name = "JSON")]
    pub rar: Option<String>,
    /// An endpoint that no metadata names: authorization, token, revocation, introspection, registration, jwks, par or device; may be repeated
    #[arg(long = "endpoint", value_name = "NAME=URL", value_parser = parse::pair)]
    pub endpoints: Vec<(String, String)>,
    /// oauthspec is the issuer that the API trusts; with the variable that holds its key, or else with a key of its own, served at the issuer
    #[arg(long, value_name = "VARIABLE", num_args = 0..=1, default_missing_value = "", requires = "probe")]
    pub mint: Option<String>,
    /// A field of the login page and the environment variable that holds what to type; may be repeated
    #[arg(long = "user", value_name = "FIELD=VARIABLE", value_parser = parse::pair)]
    pub user: Vec<(String, String)>,
    /// Certificates that this machine does not trust by itself (PEM), such as a staging CA's; they go into the target file
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Walk the login in a real browser
    #[arg(long)]
    pub browser: bool,
    /// Only read documents: register nothing, log nobody in
    #[arg(long)]
    pub no_login: bool,
    /// At most this many requests a second
    #[arg(long, value_name = "N/s", value_parser = parse::rate)]
    pub rate: Option<f64>,
    /// You may test a target that is not on this machine
    #[arg(long)]
    pub i_am_authorized: bool,
}

/// `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: LoginCommand,
}

/// The subcommands of `login`.
#[derive(Debug, Subcommand)]
pub enum LoginCommand {
    /// Log in once and show every page: what it has, which step was taken, where it ends
    #[command(after_help = "\
Secrets are masked; what was filled in is shown by its name in the target file. Exit code 0 when the login ends
at the redirect URI with a code (with --deny: with access_denied), else 3.

Examples:
  oauthspec login test target.toml
  oauthspec login test target.toml --deny
  oauthspec login test reference")]
    Test(LoginTestArgs),
}

/// `login test`.
#[derive(Debug, Args)]
pub struct LoginTestArgs {
    /// A target file, an issuer (https://…), or `reference`
    pub target: String,
    /// Which user of the target file: a or b
    #[arg(long, value_name = "NAME", default_value = "a")]
    pub user: String,
    /// Deny at the consent
    #[arg(long)]
    pub deny: bool,
    /// How long one exchange may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse::duration)]
    pub timeout: Duration,
    /// You may test a target that is not on this machine
    #[arg(long)]
    pub i_am_authorized: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A target file, an issuer (https://…), or `reference`
    pub target: String,
    /// At most this many requests a second
    #[arg(long, value_name = "N/s", value_parser = parse::rate)]
    pub rate: Option<f64>,
    /// How long one exchange may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse::duration)]
    pub timeout: Duration,
    /// You may test a target that is not on this machine
    #[arg(long)]
    pub i_am_authorized: bool,
}

/// `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// What the server looks like
    #[arg(default_value = "reference")]
    pub face: String,
    /// Break it in this way; may be repeated
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// With the face `alone`: the issuer on loopback that its resource servers trust
    #[arg(long, value_name = "ISSUER")]
    pub trust: Option<String>,
    /// With the face `tenant`: write the certificate here that whoever meets the server has to trust (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca_out: Option<PathBuf>,
}
