//! The comparison of redirect URIs.

use oauthspec_refserver::Fault;

use crate::support::{Browser, Target, form};

/// Client, redirect URI asked for, and what else is wrong with the request.
type Request = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

fn request(fault: Fault) -> Option<Request> {
    const BAD_TYPE: &[(&str, &str)] = &[("response_type", "banana")];
    const BAD_PKCE: &[(&str, &str)] = &[("code_challenge_method", "banana")];
    const BAD_SCOPE: &[(&str, &str)] = &[("scope", "banana")];
    const EVIL: &str = "https://attacker.example/cb";
    Some(match fault {
        Fault::RedirectAny => ("a", EVIL, &[]),
        Fault::RedirectPrefix => ("a", "https://client-a.example/cb-x", &[]),
        Fault::RedirectContains => (
            "a",
            "https://attacker.example/?u=https://client-a.example/cb",
            &[],
        ),
        Fault::RedirectHostSuffix => ("a", "https://evilclient-a.example/cb", &[]),
        Fault::RedirectHostPrefix => ("a", "https://client-a.example.attacker.example/cb", &[]),
        Fault::RedirectHostOnly => ("a", "https://client-a.example/other", &[]),
        Fault::RedirectPathCase => ("a", "https://client-a.example/CB", &[]),
        Fault::RedirectHostCase => ("a", "https://CLIENT-A.example/cb", &[]),
        Fault::RedirectQueryIgnored => ("a", "https://client-a.example/cb?a=1", &[]),
        Fault::RedirectFragmentIgnored => ("a", "https://client-a.example/cb#f", &[]),
        Fault::RedirectPortIgnored => ("a", "https://client-a.example:8443/cb", &[]),
        Fault::RedirectDefaultPort => ("a", "https://client-a.example:443/cb", &[]),
        Fault::RedirectDotSegments => ("a", "https://client-a.example/x/../cb", &[]),
        Fault::RedirectPercentDecoded => ("a", "https://client-a.example/%63b", &[]),
        Fault::RedirectTrailingSlash => ("a", "https://client-a.example/cb/", &[]),
        Fault::RedirectTrimmed => ("a", "https://client-a.example/cb ", &[]),
        Fault::RedirectUserinfoIgnored => {
            ("a", "https://client-a.example@attacker.example/cb", &[])
        }
        Fault::RedirectBackslash => ("a", "https://client-a.example\\@attacker.example/cb", &[]),
        Fault::RedirectHashInHost => ("a", "https://attacker.example#@client-a.example/cb", &[]),
        Fault::RedirectSchemeIgnored => ("a", "http://client-a.example/cb", &[]),
        Fault::RedirectPathParameters => ("a", "https://client-a.example/cb;x", &[]),
        Fault::RedirectDoubleSlash => ("a", "https://client-a.example//cb", &[]),
        Fault::RedirectNulCut => ("a", "https://client-a.example/cb\0/FAKE", &[]),
        Fault::RedirectSubpath => ("a", "https://client-a.example/cb/FAKE", &[]),
        Fault::RedirectUnicode => ("a", "https://client-a\u{ff0e}example/cb", &[]),
        Fault::RedirectAnyClient => ("a", "https://client-b.example/cb", &[]),
        Fault::RedirectMissingGuessed => ("many", "", &[]),
        Fault::RedirectCheckedLast => ("a", EVIL, BAD_TYPE),
        Fault::RedirectUncheckedBadType => ("a", EVIL, BAD_TYPE),
        Fault::RedirectUncheckedBadPkce => ("a", EVIL, BAD_PKCE),
        Fault::RedirectUncheckedBadScope => ("a", EVIL, BAD_SCOPE),
        Fault::RedirectUncheckedNoSession => ("a", EVIL, &[]),
        Fault::LoopbackPathIgnored => ("native", "http://127.0.0.1:5000/other", &[]),
        Fault::LoopbackQueryIgnored => ("native", "http://127.0.0.1:5000/cb?a=1", &[]),
        Fault::LoopbackLocalhost => ("native", "http://localhost/cb", &[]),
        Fault::LoopbackPrefix => ("native", "http://127.0.0.1.attacker.example/cb", &[]),
        Fault::LoopbackSpellings => ("native", "http://127.1/cb", &[]),
        Fault::LoopbackScheme => ("native", "https://127.0.0.1/cb", &[]),
        Fault::LocalhostException => ("a", "http://localhost:8080/cb", &[]),
        _ => return None,
    })
}

pub async fn shows(t: &Target, fault: Fault) -> Option<bool> {
    if let Some((client, uri, more)) = request(fault) {
        let changes = [&[("redirect_uri", uri)], more].concat();
        let answer = t.send("GET", &t.request(client, &changes), &[], "").await;
        assert!(answer.status == 400 || answer.status == 302, "{answer:?}");
        return Some(answer.status == 302);
    }
    let (good, evil) = ("https://client-a.example/cb", "https://attacker.example/cb");
    let sent_to_evil = async |first: &str, second: &str| {
        let request = format!(
            "{}&{}",
            t.request("a", &[("redirect_uri", first)]),
            form(&[("redirect_uri", second)])
        );
        let answer = t
            .authorize_as(&mut Browser::default(), &request, "a", "approve")
            .await;
        answer
            .header("location")
            .is_some_and(|location| location.starts_with(evil))
    };
    Some(match fault {
        Fault::RedirectFirstCheckedLastUsed => sent_to_evil(good, evil).await,
        Fault::RedirectLastCheckedFirstUsed => sent_to_evil(evil, good).await,
        Fault::LoopbackPortFixed => {
            t.send(
                "GET",
                &t.request("native", &[("redirect_uri", "http://127.0.0.1:5000/cb")]),
                &[],
                "",
            )
            .await
            .status
                == 400
        }
        Fault::TokenRedirectUnchecked => {
            let code = t.code("a", &[]).await;
            t.redeem(
                "a",
                &code,
                &[("redirect_uri", "https://client-a.example/other")],
            )
            .await
            .status
                == 200
        }
        _ => return None,
    })
}
