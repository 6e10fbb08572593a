//! AgnicPay: `api.agnic.ai` as its OAuth guide and API reference describe it. What they leave open is what a careful server would do; where they
//! depart from the specifications so does the face, and `departures` says it.

use super::{
    ClientData, EMAIL, FaceData, Format, Lifetimes, LoginPage, PASSWORD, Paths, Prefixes,
    ResourceData, Rules, client, route,
};

const DAY: u64 = 86_400;

/// An application: no secret is documented, and PKCE only recommended.
const fn app(name: &'static str, redirect_uris: &'static [&'static str]) -> ClientData {
    ClientData {
        pkce_optional: true,
        ..client(name, "none", "public", redirect_uris)
    }
}

pub(super) static FACE: FaceData = FaceData {
    name: "agnicpay",
    service: Some("agnicpay"),
    metadata: true,
    issuer_path: "",
    paths: Paths {
        authorize: "/oauth/authorize",
        login: "/oauth/login",
        consent: "/oauth/consent",
        token: "/oauth/token",
        register: None,
        revoke: None,
        introspect: None,
        jwks: None,
        push: None,
    },
    device: None,
    dpop: false,
    scopes: &[
        ("payments:sign", "Sign X402 payments within your limits"),
        ("balance:read", "Read your balance and transactions"),
    ],
    default_scope: "payments:sign balance:read",
    resources: &[ResourceData {
        name: "a",
        path: "/api",
        format: Format::Opaque,
        routes: &[
            route("a", "GET", "/api/balance", "balance:read"),
            route("transactions", "GET", "/api/transactions", "balance:read"),
            route("write", "POST", "/v1/chat/completions", "payments:sign"),
        ],
    }],
    default_resource: Some("a"),
    details: &[],
    detail_examples: &[],
    prefixes: Prefixes {
        access: "agnic_at_",
        refresh: "agnic_rt_",
        client: "app-",
        ..Prefixes::NONE
    },
    lifetimes: Lifetimes {
        access: 30 * DAY,
        refresh: 90 * DAY,
        ..Lifetimes::USUAL
    },
    login: &[LoginPage {
        title: "Sign in to AgnicPay",
        fields: &[EMAIL, PASSWORD],
        button: "Sign in",
    }],
    agents: &[],
    rules: Rules {
        token_json: true,
        parameters_required: true,
        pkce_method_optional: true,
        consent_remembered: true,
        refresh_without_client: true,
        localhost_any_port: true,
        resource_indicators: false,
        limits: true,
        ..Rules::REFERENCE
    },
    departures: &[
        (
            "pkce.missing-challenge",
            "the guide only recommends PKCE to applications (Authorization Parameters; Register Your Application); OAuth 2.1 §7.5.1 demands it",
        ),
        (
            "pkce.method-omitted-s256",
            "the guide takes a missing code_challenge_method for S256 (Authorization Parameters); OAuth 2.1 §4.1.1 demands the parameter",
        ),
        (
            "token.form-accepted",
            "the guide and the reference send JSON to the token endpoint (Step 4; Exchange Tokens); RFC 6749 §4.1.3 has a form",
        ),
        (
            "token.lifetime",
            "the guide promises access tokens of 30 to 60 days (Token Response); short ones are safer",
        ),
        (
            "refresh.no-client",
            "the guide refreshes without client_id (Refreshing Tokens)",
        ),
        (
            "authz.public-no-auto-approve",
            "the guide approves returning users by themselves, those of agnic_cli too (Prompt Parameter); RFC 8252 §8.6 advises against it",
        ),
    ],
    clients: &[
        app("a", &["https://client-a.example/callback"]),
        app("b", &["https://client-b.example/callback"]),
        app("legacy", &["https://legacy.example/callback"]),
        app(
            "many",
            &["https://many.example/one", "https://many.example/two"],
        ),
        ClientData {
            id: Some("agnic_cli"),
            access: Some(90 * DAY),
            ..client(
                "native",
                "none",
                "native",
                &["http://127.0.0.1/callback", "http://localhost/callback"],
            )
        },
        ClientData {
            access: Some(365 * DAY),
            ..app("n8n", &["https://flows.example/callback"])
        },
        ClientData {
            brief: true,
            ..app("brief", &["https://brief.example/callback"])
        },
    ],
    introspection_client: None,
};
