//! The closed sets of words a suite file may use, beside the verbs and users of the model.

/// Error codes a server may answer with: the registered ones, `page` where no code exists, and `closed` where not even HTTP is spoken.
pub const ERROR_CODES: &[&str] = &[
    "page",
    "closed",
    // RFC 6749 §4.1.2.1, §5.2
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    // not registered, and common
    "unsupported_response_mode",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "invalid_client",
    "invalid_grant",
    "unsupported_grant_type",
    // RFC 6750 §3.1, RFC 9470
    "invalid_token",
    "insufficient_scope",
    "insufficient_user_authentication",
    // RFC 7009 §2.2.1
    "unsupported_token_type",
    // RFC 7662 §2.2: no error, but how introspection refuses a token: `active` is false
    "inactive",
    // RFC 7591 §3.2.2
    "invalid_redirect_uri",
    "invalid_client_metadata",
    "invalid_software_statement",
    "unapproved_software_statement",
    // RFC 8628 §3.5
    "authorization_pending",
    "slow_down",
    "expired_token",
    // RFC 8707 §2, RFC 9396 §5
    "invalid_target",
    "invalid_authorization_details",
    // RFC 9101 §7, OpenID Connect Core §3.1.2.6
    "invalid_request_uri",
    "invalid_request_object",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
    "interaction_required",
    "login_required",
    "account_selection_required",
    "consent_required",
    // RFC 9449
    "invalid_dpop_proof",
    "use_dpop_nonce",
];

/// The suite that the fuzzer's findings are cases of.
pub const FINDINGS: &str = "fuzz";

/// Capabilities without a name in them.
pub const CAPABILITIES: &[&str] = &[
    "login",
    "deny",
    "metadata",
    "openid",
    "prm",
    "registration",
    "management",
    "refresh_token",
    "revocation",
    "introspection",
    "resource",
    "rar",
    "jwt",
    "jwks",
    "id_token",
    "par",
    "par_required",
    "jar",
    "device",
    "dpop",
    "cimd",
    "mcp",
    "https",
    "mcp-session",
    "mcp-headers",
    "broader",
    "listener",
    "pages",
    "partly",
    "issuer_key",
    "subject",
    "first-consent",
    "client_credentials",
    "burst",
    "user.b",
];

/// Capabilities that name something of the target file: `client.b`, `resource.write`, `rar.pay`.
pub const NAMED_CAPABILITIES: &[&str] = &["client.", "resource.", "rar."];

/// Capabilities that say which servers a case is about. Nothing in the steps needs to show their use.
pub(crate) const QUALIFIERS: &[&str] = &[
    "metadata",
    "openid",
    "prm",
    "management",
    "resource",
    "rar",
    "jwt",
    "jwks",
    "id_token",
    "par_required",
    "jar",
    "dpop",
    "cimd",
    "mcp",
    "https",
    "mcp-session",
    "mcp-headers",
    "pages",
    "subject",
    "first-consent",
    "burst",
];

/// Capabilities a named check may be after, so that they may stand without a step that uses them.
pub(crate) const CHECKED: &[&str] = &[
    "refresh_token",
    "revocation",
    "introspection",
    "registration",
    "listener",
];

/// Forgeries that point a server to our listener.
pub(crate) const LISTENER_FORGES: &[&str] = &["jwt.jku", "jwt.x5u", "jwt.iss-edited-to-listener"];

/// Endpoints an `http` step may name with `at`.
pub const ENDPOINTS: &[&str] = &[
    "authorize",
    "token",
    "revoke",
    "introspect",
    "register",
    "jwks",
    "resource",
];

/// What a `register` step may name with `at`: a document of ours in place of a registration.
pub const REGISTRATIONS: &[&str] = &["document"];

/// Documents a `discover` step may name with `at`.
pub const DOCUMENTS: &[&str] = &["as", "openid", "resource"];

/// Parts of the device grant that a `device` step may name with `at`; the first is meant without one.
pub const DEVICE: &[&str] = &["request", "page", "poll"];

/// Pseudo parameters: what a request has besides its parameters. Those that end in a dot take a name.
pub const PSEUDO: &[&str] = &[
    "@method",
    "@content-type",
    "@encoding",
    "@authorization",
    "@body",
    "@accept",
    "@url",
    "@auth",
    "@interval",
    "@guesses",
    "@direct",
    "@request",
    "@status",
    "@location",
    "@size",
    "@tls",
    "@scheme",
    "@dpop",
    "@pad",
    "@pad-header",
    "@many",
    "@header.",
    "@query.",
    "@body.",
    "@outside.",
];

/// Values of `@auth`.
pub const AUTH: &[&str] = &[
    "none",
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "both",
];

/// Policies of a target that are times.
pub const TIMES: &[&str] = &[
    "revocation_lag",
    "replay_grace",
    "code_lifetime",
    "access_lifetime",
];

/// The fields of a built-in name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    /// These.
    These(&'static [&'static str]),
    /// Names of the target file.
    Any,
}

/// The built-in names that stand for themselves, with their fields.
pub const BUILTINS: &[(&str, Fields)] = &[
    ("client", Fields::These(CLIENT)),
    ("pkce", Fields::These(&["verifier", "challenge"])),
    (
        "redirect",
        Fields::These(&[
            "scheme",
            "authority",
            "host",
            "path",
            "port",
            "origin",
            "other_port",
            "explicit_port",
            "host_upper",
            "path_upper",
            "path_encoded",
            "path_parent",
            "scheme_swapped",
            "without_query",
        ]),
    ),
    (
        "loopback",
        Fields::These(&[
            "other_port",
            "other_path",
            "localhost",
            "https",
            "short",
            "hex",
            "mapped",
            "suffix",
            "query",
        ]),
    ),
    ("target", Fields::These(&["issuer", "host", "origin"])),
    ("resource", Fields::Any),
    ("scope", Fields::Any),
    ("broader", Fields::Any),
    ("probe", Fields::Any),
    ("rar", Fields::Any),
    ("random", Fields::These(&["token", "verifier", "challenge"])),
    ("canary", Fields::These(&["text", "html"])),
    (
        "listener",
        Fields::These(&[
            "url",
            "canary",
            "redirect",
            "canary_v6",
            "canary_alias",
            "canary_userinfo",
            "jwks",
        ]),
    ),
    ("issued", Fields::These(&["foreign_token"])),
    ("dpop", Fields::These(&["a", "b"])),
];

const CLIENT: &[&str] = &["id", "secret", "redirect_uri", "redirect_uri_2"];

/// The fields of a built-in name, `client-b` and `user-b` included; `None` when it is none.
pub fn builtin(name: &str) -> Option<Fields> {
    if name.starts_with("client-") {
        return Some(Fields::These(CLIENT));
    }
    if name.starts_with("user-") {
        return Some(Fields::These(&["login", "agent"]));
    }
    BUILTINS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, fields)| *fields)
}
