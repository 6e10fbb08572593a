//! The reference server's own face.

use super::{
    A, B, BRIEF, CONFIDENTIAL, CONFIDENTIAL_B, ClientData, DevicePaths, FaceData, FieldKind,
    Format, Lifetimes, LoginPage, MANY, NATIVE, PASSWORD, Paths, Prefixes, ResourceData, Route,
    Rules, client, field, route,
};

pub(super) static FACE: FaceData = face("reference", false);

/// The same server, met as one that guards an MCP server.
pub(super) static MCP: FaceData = face("mcp", false);

/// The same server on https, as one of several tenants of its host, and strict: every request has to be pushed.
pub(super) static TENANT: FaceData = FaceData {
    issuer_path: "/tenant",
    rules: Rules {
        push_required: true,
        https: true,
        ..Rules::REFERENCE
    },
    ..face("tenant", false)
};

/// With an MCP server of the revision before, which keeps sessions.
pub(super) static MCP_2025: FaceData = face("mcp-2025", true);

static RESOURCES: &[ResourceData] = &[
    ResourceData {
        name: "a",
        path: "/a",
        format: Format::Jwt,
        routes: &[
            route("a", "GET", "/a/items", "read"),
            route("write", "POST", "/a/items", "write"),
            Route {
                detail: Some(("pay", "initiate")),
                ..route("pay", "POST", "/a/payments", "read")
            },
        ],
    },
    ResourceData {
        name: "b",
        path: "/b",
        format: Format::Opaque,
        routes: &[route("b", "GET", "/b/items", "read")],
    },
    ResourceData {
        name: crate::mcp::NAME,
        path: "/mcp",
        format: Format::Jwt,
        routes: &[
            route("mcp", "POST", "/mcp", "read"),
            route("mcp-write", "POST", "/mcp", "write"),
        ],
    },
];

static LOGIN: &[LoginPage] = &[LoginPage {
    title: "Log in",
    fields: &[field("username", "User name", FieldKind::Name), PASSWORD],
    button: "Log in",
}];

const fn face(name: &'static str, mcp_sessions: bool) -> FaceData {
    FaceData {
        name,
        service: None,
        metadata: true,
        issuer_path: "",
        paths: Paths {
            authorize: "/authorize",
            push: Some("/par"),
            login: "/login",
            consent: "/consent",
            token: "/token",
            register: Some("/register"),
            revoke: Some("/revoke"),
            introspect: Some("/introspect"),
            jwks: Some("/jwks"),
        },
        dpop: true,
        device: Some(DevicePaths {
            endpoint: "/device_authorization",
            page: "/device",
        }),
        scopes: &[
            ("read", "Read your items"),
            ("write", "Change your items"),
            ("openid", "Know who you are"),
        ],
        default_scope: "read",
        resources: RESOURCES,
        default_resource: Some("a"),
        details: crate::rar::REFERENCE_TYPES,
        detail_examples: &[
            (
                "pay",
                r#"[{"type":"pay","actions":["initiate","status"],"currency":"EUR","limit":50}]"#,
            ),
            (
                "records",
                r#"[{"type":"records","actions":["list","read"]}]"#,
            ),
        ],
        prefixes: Prefixes {
            client: "client-",
            ..Prefixes::NONE
        },
        lifetimes: Lifetimes::USUAL,
        login: LOGIN,
        agents: &[],
        rules: Rules {
            mcp_sessions,
            ..Rules::REFERENCE
        },
        departures: &[],
        clients: CLIENTS,
        introspection_client: Some("rs"),
    }
}

const CLIENTS: &[ClientData] = &[
    A,
    B,
    CONFIDENTIAL,
    CONFIDENTIAL_B,
    NATIVE,
    MANY,
    ClientData {
        pkce_optional: true,
        ..client(
            "legacy",
            "client_secret_basic",
            "confidential",
            &["https://legacy.example/cb"],
        )
    },
    BRIEF,
    ClientData {
        special: true,
        ..client(
            "special",
            "client_secret_basic",
            "confidential",
            &["https://special.example/cb"],
        )
    },
    client("rs", "client_secret_basic", "confidential", &[]),
];
