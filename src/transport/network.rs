//! How to get to the target: through which proxy, trusting which certificates, at which addresses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

/// Network settings of a target. The default is the plain way: straight there, with the system's
/// certificates and names.
#[derive(Clone, Default)]
pub struct Network {
    /// `http://[user:password@]host:port`; asked for every host but loopback and `no_proxy`.
    pub proxy: Option<String>,
    /// Hosts (and everything below them) that are reached without the proxy.
    pub no_proxy: Vec<String>,
    /// Further root certificates, PEM.
    pub ca: Vec<u8>,
    /// Our own certificate chain and its key, PEM (RFC 8705 or a staging server's front door).
    pub identity: Option<Identity>,
    /// Hosts with an address of their own; port 0 keeps the URL's port.
    pub resolve: Vec<(String, SocketAddr)>,
    /// Never HTTP/2.
    pub http1_only: bool,
}

/// A certificate chain and its private key, PEM.
#[derive(Clone)]
pub struct Identity {
    /// The chain, our certificate first.
    pub certificates: Vec<u8>,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: Vec<u8>,
}

impl fmt::Debug for Network {
    /// Without keys and proxy passwords.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Network")
            .field("proxy", &self.proxy.is_some())
            .field("ca", &self.ca.len())
            .field("identity", &self.identity.is_some())
            .field("resolve", &self.resolve)
            .finish_non_exhaustive()
    }
}

impl Network {
    /// Takes the proxy from `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (either case), when none is set.
    pub fn with_environment(mut self, env: &dyn Fn(&str) -> Option<String>) -> Network {
        let either = |name: &str| {
            env(name)
                .or_else(|| env(&name.to_ascii_lowercase()))
                .filter(|value| !value.trim().is_empty())
        };
        if self.proxy.is_none() {
            self.proxy = either("HTTPS_PROXY")
                .or_else(|| either("ALL_PROXY"))
                .filter(|proxy| check_proxy(proxy).is_ok());
        }
        if self.no_proxy.is_empty() {
            self.no_proxy = either("NO_PROXY")
                .unwrap_or_default()
                .split(',')
                .map(|host| host.trim().trim_start_matches(['*', '.']).to_owned())
                .filter(|host| !host.is_empty())
                .collect();
        }
        self
    }

    /// The proxy that a host is reached through.
    pub fn proxy_for(&self, host: &str) -> Option<&str> {
        let proxy = self.proxy.as_deref()?;
        let host = host.trim_matches(['[', ']']);
        let local = host == "localhost"
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        let exempt = self.no_proxy.iter().any(|name| {
            host == name
                || host
                    .strip_suffix(name.as_str())
                    .is_some_and(|front| front.ends_with('.'))
        });
        (!local && !exempt).then_some(proxy)
    }

    /// The address set for a host.
    pub fn address_of(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let (_, address) = self
            .resolve
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(host))?;
        let port = if address.port() == 0 {
            port
        } else {
            address.port()
        };
        Some(SocketAddr::new(address.ip(), port))
    }

    /// The TLS configuration of both transports.
    ///
    /// # Errors
    /// Which certificate or key cannot be used, and why.
    pub(super) fn tls(&self, alpn: &[&[u8]]) -> Result<ClientConfig, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = certificates(&self.ca).map_err(|why| format!("the CA file {why}"))?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match verifier(&roots, provider)? {
            Trust::System(verifier) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier)),
            Trust::Only(roots) => builder.with_root_certificates(roots),
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates(&identity.certificates)
                    .map_err(|why| format!("the client certificate {why}"))?;
                let key = PrivateKeyDer::from_pem_slice(&identity.key)
                    .map_err(|why| format!("the client certificate's key: {why}"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|why| format!("the client certificate and its key: {why}"))?
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }
}

/// Who vouches for servers.
enum Trust {
    /// The system's certificates, and the target's own.
    System(Verifier),
    /// A machine without certificates: only the target's own.
    Only(RootCertStore),
}

fn verifier(
    roots: &[CertificateDer<'static>],
    provider: Arc<CryptoProvider>,
) -> Result<Trust, String> {
    let system = if roots.is_empty() {
        Verifier::new(provider)
    } else {
        Verifier::new_with_extra_roots(roots.to_vec(), provider)
    };
    if let Ok(verifier) = system {
        return Ok(Trust::System(verifier));
    }
    let mut store = RootCertStore::empty();
    for root in roots {
        store
            .add(root.clone())
            .map_err(|why| format!("the CA file: {why}"))?;
    }
    Ok(Trust::Only(store))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|why| format!("is not PEM: {why}"))?;
    if all.is_empty() && !pem.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    Ok(all)
}

/// Whether this is an http proxy; the reason when it is none.
///
/// # Errors
/// What is wrong with it.
pub fn check_proxy(proxy: &str) -> Result<Url, String> {
    let url = Url::parse(proxy).map_err(|why| format!("is no URL ({why})"))?;
    if url.scheme() != "http" || url.host_str().is_none() {
        return Err("is no http proxy: write http://host:port".to_owned());
    }
    Ok(url)
}

/// `HOST=ADDRESS` or `HOST=ADDRESS:PORT` as two parts.
///
/// # Errors
/// What is wrong with it.
pub fn parse_address(host: &str, address: &str) -> Result<(String, SocketAddr), String> {
    let address = address.trim();
    let parsed = address
        .parse::<SocketAddr>()
        .or_else(|_| {
            address
                .trim_matches(['[', ']'])
                .parse::<IpAddr>()
                .map(|ip| SocketAddr::new(ip, 0))
        })
        .map_err(|_| {
            format!("`{address}` is no IP address: write 203.0.113.7 or 203.0.113.7:8443")
        })?;
    if host == "localhost" || host.parse::<IpAddr>().is_ok() || host.is_empty() {
        return Err(format!("`{host}` cannot be given another address"));
    }
    Ok((host.to_owned(), parsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_exempt_hosts_are_reached_without_the_proxy() {
        let env = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://proxy.example:3128".to_owned()),
            "no_proxy" => Some(".corp.example, other.example".to_owned()),
            _ => None,
        };
        let network = Network::default().with_environment(&env);
        assert!(network.proxy_for("as.example").is_some());
        for host in [
            "127.0.0.1",
            "[::1]",
            "localhost",
            "a.corp.example",
            "other.example",
        ] {
            assert_eq!(network.proxy_for(host), None, "{host}");
        }
        assert!(network.proxy_for("notother.example").is_some());
    }

    #[test]
    fn addresses_are_given_with_or_without_a_port() {
        let (host, address) = parse_address("as.example", "[::1]:8443").unwrap();
        let network = Network {
            resolve: vec![(host, address)],
            ..Network::default()
        };
        assert_eq!(
            network.address_of("AS.example", 443).unwrap().to_string(),
            "[::1]:8443"
        );
        let (_, address) = parse_address("as.example", "127.0.0.1").unwrap();
        assert_eq!(address.port(), 0);
        assert!(parse_address("localhost", "203.0.113.7").is_err());
        assert!(parse_address("as.example", "elsewhere").is_err());
    }
}
