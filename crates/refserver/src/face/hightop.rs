//! Hightop: `api.hightop.com` as its OAuth pages describe it. What they leave open is what a careful server would do.

use super::{
    A, AgentData, Allowance, B, BRIEF, CONFIDENTIAL, CONFIDENTIAL_B, ClientData, EMAIL, FaceData,
    FieldKind, Format, Lifetimes, LoginPage, MANY, NATIVE, Paths, Prefixes, ResourceData, Rules,
    field, route,
};

pub(super) static FACE: FaceData = face("hightop", false);

/// The pages are built by a script.
pub(super) static SCRIPT: FaceData = face("hightop-script", true);

static PAGES: &[LoginPage] = &[
    LoginPage {
        title: "Connect to Hightop",
        fields: &[EMAIL],
        button: "Continue",
    },
    LoginPage {
        title: "Enter the code",
        fields: &[field("otp", "One-time code", FieldKind::Code)],
        button: "Verify",
    },
    LoginPage {
        title: "Choose an agent",
        fields: &[field("agent", "Agent", FieldKind::Agent)],
        button: "Choose",
    },
];

static RESOURCES: &[ResourceData] = &[
    ResourceData {
        name: "a",
        path: "/v1/agent",
        format: Format::Jwt,
        routes: &[
            route("a", "GET", "/v1/agent/self", "agent:read"),
            route(
                "write",
                "POST",
                "/v1/agent/payments",
                "agent:payments:write",
            ),
            route("simulate", "POST", "/v1/agent/simulate", "agent:simulate"),
            route(
                "withdraw",
                "POST",
                "/v1/agent/withdrawals",
                "agent:withdrawals:write",
            ),
            route(
                "webhooks",
                "POST",
                "/v1/agent/webhooks",
                "agent:webhooks:manage",
            ),
        ],
    },
    ResourceData {
        name: "b",
        path: "/mcp",
        format: Format::Jwt,
        routes: &[route("b", "POST", "/mcp", "agent:read")],
    },
];

static CLIENTS: &[ClientData] = &[A, B, CONFIDENTIAL, CONFIDENTIAL_B, NATIVE, MANY, BRIEF];

const fn face(name: &'static str, script: bool) -> FaceData {
    FaceData {
        name,
        service: Some("hightop"),
        metadata: true,
        issuer_path: "",
        paths: Paths {
            authorize: "/oauth/auth",
            push: None,
            login: "/connect",
            consent: "/connect",
            token: "/oauth/token",
            register: Some("/oauth/reg"),
            revoke: Some("/oauth/token/revocation"),
            introspect: None,
            jwks: Some("/oauth/jwks"),
        },
        device: None,
        dpop: false,
        scopes: &[
            (
                "agent:read",
                "Read balances, activity, operations and resource lists",
            ),
            ("agent:simulate", "Try requests without broadcasting them"),
            ("agent:payments:write", "Create payments"),
            ("agent:conversions:write", "Execute conversions from quotes"),
            ("agent:withdrawals:write", "Create withdrawals"),
            (
                "agent:earn:write",
                "Deposit, withdraw, move and claim in earn products",
            ),
            (
                "agent:borrow:write",
                "Borrow, repay, deleverage and adjust collateral",
            ),
            ("agent:webhooks:manage", "Manage webhook endpoints"),
        ],
        default_scope: "agent:read",
        resources: RESOURCES,
        default_resource: None,
        details: &[],
        detail_examples: &[],
        prefixes: Prefixes::NONE,
        lifetimes: Lifetimes::USUAL,
        login: PAGES,
        agents: &[
            AgentData {
                name: "Treasury",
                chosen_by: "a",
                barred: &[],
            },
            AgentData {
                name: "Bookkeeping",
                chosen_by: "b",
                barred: &["agent:withdrawals:write"],
            },
        ],
        rules: Rules {
            registrations: Some(Allowance {
                count: 40,
                seconds: 2,
            }),
            script,
            ..Rules::REFERENCE
        },
        departures: &[],
        clients: CLIENTS,
        introspection_client: None,
    }
}
