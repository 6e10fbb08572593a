//! HASP: `api.usehasp.com` as its page on OAuth describes it. What it leaves open is what a careful server would do: no metadata, no registration,
//! no revocation, no refresh tokens, since none is documented.

use super::{
    AgentData, BRIEF, EMAIL, FaceData, Format, Lifetimes, LoginPage, MANY, PASSWORD, Paths,
    Prefixes, ResourceData, Route, Rules, client, route,
};

pub(super) static FACE: FaceData = FaceData {
    name: "hasp",
    service: Some("hasp"),
    metadata: false,
    issuer_path: "",
    paths: Paths {
        authorize: "/v1/oauth/authorize",
        login: "/v1/oauth/login",
        consent: "/v1/oauth/consent",
        token: "/v1/oauth/token",
        register: None,
        revoke: None,
        introspect: None,
        jwks: None,
        push: None,
    },
    device: None,
    dpop: false,
    scopes: &[],
    default_scope: "",
    // The page names no route; this stands for any.
    resources: &[ResourceData {
        name: "a",
        path: "/v1/data",
        format: Format::Opaque,
        routes: &[Route {
            detail: Some(("hasp.data.read", "")),
            ..route("a", "GET", "/v1/data", "")
        }],
    }],
    default_resource: Some("a"),
    details: crate::rar::HASP_TYPES,
    detail_examples: &[("read", r#"[{"type":"hasp.data.read"}]"#)],
    prefixes: Prefixes {
        access: "hasp_agent_",
        client: "hasp_app_",
        secret: "hasp_cs_live_",
        ..Prefixes::NONE
    },
    lifetimes: Lifetimes {
        access: 28_800,
        ..Lifetimes::USUAL
    },
    login: &[LoginPage {
        title: "Log in to HASP",
        fields: &[EMAIL, PASSWORD],
        button: "Log in",
    }],
    agents: &[AgentData {
        name: "Research",
        chosen_by: "a",
        barred: &[],
    }],
    rules: Rules {
        details_required: Some("read"),
        details_returned: false,
        agent_parameter: Some("agent_id"),
        refresh_tokens: false,
        resource_indicators: false,
        ulids: true,
        ..Rules::REFERENCE
    },
    departures: &[
        (
            "hasp.rar-returned",
            "the page's sample response (Step 4) has no authorization_details; RFC 9396 §7 demands the member",
        ),
        (
            "token.lifetime",
            "the page's access tokens live for 28800 seconds (Step 4, Response); short ones are safer",
        ),
    ],
    clients: &[
        client(
            "a",
            "none",
            "public",
            &["https://client-a.example/callback"],
        ),
        client(
            "b",
            "none",
            "public",
            &["https://client-b.example/callback"],
        ),
        client(
            "confidential",
            "client_secret_post",
            "confidential",
            &["https://confidential.example/callback"],
        ),
        client(
            "confidential-b",
            "client_secret_post",
            "confidential",
            &["https://confidential-b.example/callback"],
        ),
        MANY,
        BRIEF,
    ],
    introspection_client: None,
};
