//! Can the server be reached: names, ports, TLS, proxies, front doors, clocks.

use crate::client::{World, discover};
use crate::doctor::Report;
use crate::run::Options;
use crate::transport::network::check_proxy;
use crate::transport::pace::{http_date, is_throttling};
use crate::transport::{AllowList, Limits, Network, Reply, Request, Transport};

/// A clock that is off by more is worth a word, and by more than the second breaks signed assertions.
const NOTICEABLE: i64 = 30;
const BREAKING: i64 = 300;

pub(super) async fn look(report: &mut Report, world: &World, options: &Options) {
    let issuer = world.target.issuer.clone();
    let place = discover::places(&issuer, "as")
        .into_iter()
        .next()
        .unwrap_or_else(|| issuer.clone());
    let recorded = world.transport.send_patiently(Request::get(&place)).await;
    match &recorded.reply {
        Err(why) => silent(report, world, options, why).await,
        Ok(reply) if is_throttling(reply) => report.problem(
            "throttled",
            format!("{place} answered {} again and again", reply.status),
            "wait, lower --rate, or ask the operator to let this address through",
        ),
        Ok(reply) => answered(report, world, options, &place, reply).await,
    }
}

async fn answered(
    report: &mut Report,
    world: &World,
    options: &Options,
    place: &str,
    reply: &Reply,
) {
    if reply.status == 407 {
        proxy(report, world, "it wants a password (407)");
        return;
    }
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    if reply.status == 401 && challenge.to_ascii_lowercase().starts_with("basic") {
        report.problem(
            "front-door",
            format!("{place} is behind an HTTP password ({challenge})"),
            "ask for access without it, or from this address; the OAuth endpoints cannot be used through it",
        );
        return;
    }
    if reply.is_redirect()
        && let Some(location) = reply.header("location")
    {
        let plain = world.target.issuer.starts_with("http://");
        if plain && location.starts_with("https://") {
            let issuer = world.target.issuer.replacen("http://", "https://", 1);
            report.problem(
                "https-wanted",
                format!("{place} redirects to {location}"),
                format!("write issuer = \"{}\"", without_default_port(&issuer)),
            );
            return;
        }
        report.warning(
            "redirected",
            format!("{place} redirects to {location}; metadata is read without following"),
            "write the issuer as the server itself names it",
        );
    }
    // A TLS port answers plain HTTP with an error of its own.
    if world.target.issuer.starts_with("http://")
        && reply.status == 400
        && speaks_tls(world, options).await
    {
        tls_wanted(report, world);
        return;
    }
    let seconds = reply
        .header("date")
        .and_then(|date| http_date(&date))
        .map(|date| date.as_second() - jiff::Timestamp::now().as_second());
    report.good("reachable", world.target.issuer.clone());
    match seconds {
        Some(off) if off.abs() >= BREAKING => report.problem(
            "clock-skew",
            format!("the server's clock is {off} s off ours"),
            "set the clock (timedatectl set-ntp true), or have the server's set: signed assertions and token lifetimes depend on it",
        ),
        Some(off) if off.abs() >= NOTICEABLE => report.warning(
            "clock-skew",
            format!("the server's clock is {off} s off ours"),
            "set one of the clocks",
        ),
        _ => {}
    }
}

fn without_default_port(url: &str) -> String {
    url.replacen(":80/", "/", 1)
        .trim_end_matches(":80")
        .to_owned()
}

/// No answer: the transport's reason, read for what a person can do about it.
async fn silent(report: &mut Report, world: &World, options: &Options, why: &str) {
    let issuer = &world.target.issuer;
    let host = url::Url::parse(issuer)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default();
    let proxied = world.transport.network().proxy_for(&host).is_some();
    let lower = why.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if proxied && (has(&["proxy", "tunnel"]) || has(&["cannot connect"]) && !has(&["certificate"]))
    {
        proxy(report, world, why);
        return;
    }
    let https = issuer.starts_with("https://");
    let (name, what, fix): (&'static str, String, String) = if has(&[
        "certificaterequired",
        "certificate required",
    ]) || (https
        && has(&["handshakefailure", "handshake failure"]))
    {
        (
            "tls-client-certificate",
            format!("the server wants a client certificate ({why})"),
            "give certificate and key under [network]".to_owned(),
        )
    } else if untrusted(why) {
        (
            "tls-untrusted",
            format!("the certificate of {host} is signed by nobody this machine trusts ({why})"),
            "give the staging CA's certificate as ca = \"ca.pem\" under [network]; `oauthspec init` and `scan` take it as --ca ca.pem".to_owned(),
        )
    } else if has(&["notvalidforname", "not valid for name"]) {
        (
            "tls-name",
            format!("the certificate is for another name than {host} ({why})"),
            "write the issuer with the name that is in the certificate, or give its address under [network] resolve".to_owned(),
        )
    } else if has(&["expired", "notvalidyet", "not valid yet"]) {
        (
            "tls-expired",
            format!("the certificate of {host} is out of date ({why})"),
            "have it renewed, and check this machine's clock".to_owned(),
        )
    } else if https && has(&["invalidcontenttype", "corrupt message", "wrong version"]) {
        (
            "tls-not-spoken",
            format!("{host} does not speak TLS there ({why})"),
            format!(
                "write issuer = \"{}\", or correct the port",
                issuer.replacen("https://", "http://", 1)
            ),
        )
    } else if has(&["dns", "lookup", "resolve", "name or service"]) {
        (
            "host-unknown",
            format!("the name {host} is not known ({why})"),
            "check the spelling of the issuer and your VPN, or give the address under [network] resolve".to_owned(),
        )
    } else if has(&["refused"]) {
        (
            "port-closed",
            format!("nothing listens there ({why})"),
            "check the port of the issuer and that the server runs".to_owned(),
        )
    } else if !https && speaks_tls(world, options).await {
        tls_wanted(report, world);
        return;
    } else if has(&["no complete answer", "timed out", "timeout", "elapsed"]) {
        (
            "no-answer",
            format!("{issuer} does not answer: {why}"),
            "check the port, firewalls and VPN; raise --timeout for a server that is only slow"
                .to_owned(),
        )
    } else {
        (
            "no-http",
            format!("what answers at {issuer} is no HTTP server: {why}"),
            "check the port of the issuer".to_owned(),
        )
    };
    report.problem(name, what, fix);
}

/// Whether a transport's reason says that nobody here trusts the server's certificate.
pub(super) fn untrusted(why: &str) -> bool {
    let lower = why.to_ascii_lowercase();
    let words = [
        "unknownissuer",
        "unknown issuer",
        "unknownca",
        "selfsigned",
        "caused by other",
        "invalidcertificate(other",
    ];
    words.iter().any(|word| lower.contains(word))
}

fn proxy(report: &mut Report, world: &World, why: &str) {
    let network = world.transport.network();
    let shown = network
        .proxy
        .as_deref()
        .and_then(|proxy| check_proxy(proxy).ok())
        .map(|url| {
            format!(
                "{}:{}",
                url.host_str().unwrap_or_default(),
                url.port_or_known_default().unwrap_or(80)
            )
        })
        .unwrap_or_default();
    report.problem(
        "proxy",
        format!("the proxy {shown} does not let us through: {why}"),
        "correct proxy under [network] (left out, HTTPS_PROXY counts), or add the host to NO_PROXY",
    );
}

fn tls_wanted(report: &mut Report, world: &World) {
    let issuer = world.target.issuer.replacen("http://", "https://", 1);
    report.problem(
        "https-wanted",
        "the server speaks TLS on this port, and the issuer says http".to_owned(),
        format!("write issuer = \"{issuer}\""),
    );
}

/// Whether the same port answers a TLS handshake, with whatever certificate.
async fn speaks_tls(world: &World, options: &Options) -> bool {
    let url = world.target.issuer.replacen("http://", "https://", 1);
    let explicit = url::Url::parse(&world.target.issuer)
        .ok()
        .and_then(|url| url.port());
    if explicit.is_none() {
        return false;
    }
    let allow = AllowList::new([url.as_str()], options.i_am_authorized);
    let network = Network {
        http1_only: true,
        ..world.transport.network().clone()
    };
    let Ok(transport) = Transport::through(allow, Limits::default(), None, network) else {
        return false;
    };
    match transport.send(Request::get(&url)).await.reply {
        Ok(_) => true,
        Err(why) => {
            let why = why.to_ascii_lowercase();
            why.contains("certificate") || why.contains("alert")
        }
    }
}
