//! Faults of the face `tenant`: what goes wrong where an issuer has a path, and on the way to a server on https.

use super::service::service_faults;

service_faults! {
    /// A rule of RFC 8414 §3.1 for issuers with a path, or of TLS, that the server breaks.
    TenantFault as Tenant {
        MetadataAtRoot "tenant-metadata-at-root" ["as-meta.path-insertion", "as-meta.absolute-urls", "as-meta.auth-alg-not-none", "as-meta.available", "as-meta.direct-200", "as-meta.issuer-identical", "as-meta.no-empty-values", "as-meta.no-legacy-grants", "as-meta.no-plain", "as-meta.oidc-agrees", "as-meta.pkce-advertised", "as-meta.required-members", "tls.endpoints-https", "mcp.registration-path", "rar.metadata"] "The metadata of the tenant is at the well-known URL of the host alone, and nowhere below it.";
        MetadataAppended "tenant-metadata-appended" ["as-meta.path-insertion", "as-meta.absolute-urls", "as-meta.auth-alg-not-none", "as-meta.available", "as-meta.direct-200", "as-meta.issuer-identical", "as-meta.no-empty-values", "as-meta.no-legacy-grants", "as-meta.no-plain", "as-meta.oidc-agrees", "as-meta.pkce-advertised", "as-meta.required-members", "tls.endpoints-https", "mcp.registration-path", "rar.metadata"] "The well-known path is appended to the issuer instead of inserted before its path.";
        IssuerWithoutPath "tenant-issuer-without-path" ["as-meta.issuer-identical"] "The metadata names an issuer without the path of the tenant.";
        AnyTenant "tenant-any" ["as-meta.path-of-others"] "The metadata of this tenant is served for every other tenant's path, too.";
        PushUnrequired "tenant-push-unrequired" ["par.required-by-server"] "The metadata says that every request must be pushed, and the server does not insist.";
        Plaintext "tls-plaintext" ["tls.plaintext-refused"] "The port for https serves plain HTTP to those who do not speak TLS.";
        OldVersion "tls-old-version" ["tls.min-version"] "TLS 1.0 and 1.1 are negotiated with those who offer nothing newer.";
        WeakCipher "tls-weak-cipher" ["tls.ciphers"] "Whoever offers only weak cipher suites gets one of them.";
        CertificateEnds "tls-certificate-ends" ["tls.certificate-valid"] "The certificate ends in three days, and nobody has renewed it.";
        CertificateName "tls-certificate-name" ["tls.certificate-valid"] "The certificate is that of another host.";
    }
}
