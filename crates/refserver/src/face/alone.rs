//! Two resource servers and nothing else: who calls them has tokens of an issuer that they trust.

use super::{FaceData, Format, Lifetimes, Paths, Prefixes, ResourceData, Rules, reference, route};

pub(super) static FACE: FaceData = FaceData {
    name: "alone",
    service: None,
    metadata: true,
    issuer_path: "",
    // The names of endpoints that are not served.
    paths: Paths {
        authorize: "/authorize",
        push: None,
        login: "/login",
        consent: "/consent",
        token: "/token",
        register: None,
        revoke: None,
        introspect: None,
        jwks: None,
    },
    device: None,
    dpop: false,
    scopes: reference::FACE.scopes,
    default_scope: "read",
    resources: &[
        ResourceData {
            name: "a",
            path: "/a",
            format: Format::Jwt,
            routes: &[
                route("a", "GET", "/a/items", "read"),
                route("write", "POST", "/a/items", "write"),
            ],
        },
        ResourceData {
            name: "b",
            path: "/b",
            format: Format::Jwt,
            routes: &[route("b", "GET", "/b/items", "read")],
        },
    ],
    default_resource: Some("a"),
    details: &[],
    detail_examples: &[],
    prefixes: Prefixes {
        client: "client-",
        ..Prefixes::NONE
    },
    lifetimes: Lifetimes::USUAL,
    login: &[],
    agents: &[],
    rules: Rules {
        alone: true,
        ..Rules::REFERENCE
    },
    departures: &[],
    clients: &[],
    introspection_client: None,
};
