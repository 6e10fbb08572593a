//! Who may be contacted: the target's own hosts, loopback, and nobody else.

use url::Url;

/// The authorities a run may talk to.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    authorities: Vec<String>,
    authorized: bool,
}

impl AllowList {
    /// Allows the authorities of these URLs. Those that are not loopback need `authorized`, the
    /// user's word that they may be tested.
    pub fn new<'a>(urls: impl IntoIterator<Item = &'a str>, authorized: bool) -> AllowList {
        let mut authorities: Vec<String> = urls
            .into_iter()
            .filter_map(|url| Url::parse(url).ok())
            .filter_map(|url| authority(&url))
            .collect();
        authorities.sort();
        authorities.dedup();
        AllowList {
            authorities,
            authorized,
        }
    }

    /// The hosts that need the user's word and do not have it.
    pub fn unauthorized(&self) -> Vec<&str> {
        if self.authorized {
            return Vec::new();
        }
        self.authorities
            .iter()
            .map(String::as_str)
            .filter(|authority| !is_loopback_authority(authority))
            .collect()
    }

    /// The authorities, `host:port`.
    pub fn authorities(&self) -> impl Iterator<Item = &str> {
        self.authorities.iter().map(String::as_str)
    }

    /// Whether this URL's host is among the target's own.
    pub fn contains(&self, url: &Url) -> bool {
        authority(url).is_some_and(|authority| self.authorities.contains(&authority))
    }

    /// Whether this URL is among the target's hosts and on this machine.
    pub fn contains_loopback(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| {
            self.contains(&url) && authority(&url).is_some_and(|own| is_loopback_authority(&own))
        })
    }

    /// Refuses what must not be contacted.
    ///
    /// # Errors
    /// The refusal in words, for the evidence.
    pub fn check(&self, url: &str) -> Result<(), String> {
        let parsed = Url::parse(strip_unparsable(url))
            .map_err(|error| format!("not an absolute URL ({error}): {url}"))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(format!("not an http(s) URL, so not contacted: {url}"));
        }
        let Some(authority) = authority(&parsed) else {
            return Err(format!("no host in {url}"));
        };
        if !self.authorities.contains(&authority) {
            return Err(format!(
                "{authority} is not one of the target's hosts, so it was not contacted and saw no secret; \
                 add it to `hosts` in the target file if it belongs to the target"
            ));
        }
        if !self.authorized && !is_loopback_authority(&authority) {
            return Err(format!(
                "{authority} is not on this machine; pass --i-am-authorized if you may test it"
            ));
        }
        Ok(())
    }
}

/// The part of a raw URL that decides the host: everything before path, query and fragment.
fn strip_unparsable(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .get(after_scheme..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(url.len(), |at| after_scheme + at);
    url.get(..end).unwrap_or(url)
}

fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let port = url.port_or_known_default()?;
    Some(format!("{host}:{port}"))
}

fn is_loopback_authority(authority: &str) -> bool {
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_targets_own_hosts_are_contacted() {
        let list = AllowList::new(["http://127.0.0.1:8080/x"], false);
        assert!(list.check("http://127.0.0.1:8080/token").is_ok());
        assert!(list.check("http://127.0.0.1:8081/token").is_err());
        assert!(list.check("http://127.0.0.1:8080@evil.example/").is_err());
        assert!(list.check("https://127.0.0.1:8080.evil.example/").is_err());
        assert!(list.check("file:///etc/passwd").is_err());
    }

    #[test]
    fn foreign_hosts_need_the_users_word() {
        let list = AllowList::new(["https://as.example"], false);
        assert_eq!(list.unauthorized(), ["as.example:443"]);
        assert!(list.check("https://as.example/token").is_err());
        let list = AllowList::new(["https://as.example"], true);
        assert!(list.check("https://as.example/token").is_ok());
    }
}
