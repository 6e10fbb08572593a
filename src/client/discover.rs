//! Where metadata documents are (RFC 8414 §3, OpenID Connect Discovery §4, RFC 9728 §3).

/// Where the documents of an issuer may be, the standard place first.
pub fn places(issuer: &str, document: &str) -> Vec<String> {
    let mut places = Vec::new();
    let mut add = |url: Option<String>| {
        if let Some(url) = url
            && !places.contains(&url)
        {
            places.push(url);
        }
    };
    match document {
        "openid" => {
            add(Some(wire::metadata::openid_append(issuer)));
            add(wire::metadata::well_known(issuer, "openid-configuration"));
        }
        "resource" => add(wire::metadata::well_known(
            issuer,
            "oauth-protected-resource",
        )),
        _ => {
            add(wire::metadata::well_known(
                issuer,
                "oauth-authorization-server",
            ));
        }
    }
    places
}
