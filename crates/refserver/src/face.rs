//! Faces: what the server looks like. A face is data (paths, scopes, resources, token spellings, lifetimes, how people log in); the handlers take
//! every name from here and know no path of their own.

use crate::rar::DetailType;

/// Which server the reference server looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Face {
    /// Its own: every feature, two resource servers, JWT access tokens at `a` and opaque ones at `b`.
    #[default]
    Reference,
}

impl Face {
    /// Every face.
    pub const ALL: &[Face] = &[Face::Reference];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        self.data().name
    }

    /// The face of that name.
    pub fn parse(name: &str) -> Option<Face> {
        Face::ALL.iter().copied().find(|face| face.name() == name)
    }

    pub(crate) fn data(self) -> &'static FaceData {
        match self {
            Face::Reference => &REFERENCE,
        }
    }
}

/// The shape of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 9068.
    Jwt,
    /// A random string.
    Opaque,
}

/// What a login page asks for. The values are made at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginStyle {
    /// A user name and a password.
    Password,
}

/// Everything that makes a face.
pub(crate) struct FaceData {
    pub name: &'static str,
    /// Path part of the issuer identifier, `""` or `/tenant`.
    pub issuer_path: &'static str,
    pub paths: Paths,
    /// Where devices ask and people type their codes; `None`: there is no device grant.
    pub device: Option<DevicePaths>,
    /// Scope and what the consent page says about it.
    pub scopes: &'static [(&'static str, &'static str)],
    /// Granted when a request names none.
    pub default_scope: &'static str,
    pub resources: &'static [ResourceData],
    /// The resource meant when a request names none; `None`: `resource` is required.
    pub default_resource: Option<&'static str>,
    pub details: &'static [DetailType],
    /// A valid example of each detail type: name and JSON text.
    pub detail_examples: &'static [(&'static str, &'static str)],
    pub prefixes: Prefixes,
    pub lifetimes: Lifetimes,
    pub login: LoginStyle,
    pub clients: &'static [ClientData],
    /// The client that may introspect.
    pub introspection_client: &'static str,
}

/// Endpoint paths. Interaction pages get `/{id}` appended.
pub(crate) struct Paths {
    pub authorize: &'static str,
    pub login: &'static str,
    pub consent: &'static str,
    pub token: &'static str,
    pub register: &'static str,
    pub revoke: &'static str,
    pub introspect: &'static str,
    pub jwks: &'static str,
}

/// The paths of the device grant (RFC 8628).
#[derive(Clone, Copy)]
pub(crate) struct DevicePaths {
    /// The device authorization endpoint.
    pub endpoint: &'static str,
    /// The verification page.
    pub page: &'static str,
}

/// What secrets of each kind start with.
pub(crate) struct Prefixes {
    pub code: &'static str,
    pub access: &'static str,
    pub refresh: &'static str,
    pub client: &'static str,
    pub secret: &'static str,
}

/// In seconds.
pub(crate) struct Lifetimes {
    pub code: u64,
    pub access: u64,
    pub refresh: u64,
    pub interaction: u64,
}

/// A resource server. Its identifier is the server's origin followed by `path`.
pub(crate) struct ResourceData {
    pub name: &'static str,
    pub path: &'static str,
    pub format: Format,
    pub routes: &'static [Route],
}

/// A guarded route.
pub(crate) struct Route {
    /// The name of the probe in [`crate::Facts`].
    pub name: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub scope: &'static str,
    /// The authorization detail type it needs, and the action.
    pub detail: Option<(&'static str, &'static str)>,
}

/// A client registered at start. Identifiers and secrets are made at run time.
pub(crate) struct ClientData {
    pub name: &'static str,
    /// A `token_endpoint_auth_method`.
    pub auth: &'static str,
    /// `public`, `confidential` or `native`.
    pub kind: &'static str,
    pub redirect_uris: &'static [&'static str],
    /// May leave out PKCE, as a client from before OAuth 2.1 would.
    pub pkce_optional: bool,
    /// Codes and access tokens live for moments only, so that expiry can be watched.
    pub brief: bool,
}

const fn client(
    name: &'static str,
    auth: &'static str,
    kind: &'static str,
    redirect_uris: &'static [&'static str],
) -> ClientData {
    ClientData {
        name,
        auth,
        kind,
        redirect_uris,
        pkce_optional: false,
        brief: false,
    }
}

static REFERENCE: FaceData = FaceData {
    name: "reference",
    issuer_path: "",
    paths: Paths {
        authorize: "/authorize",
        login: "/login",
        consent: "/consent",
        token: "/token",
        register: "/register",
        revoke: "/revoke",
        introspect: "/introspect",
        jwks: "/jwks",
    },
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
    resources: &[
        ResourceData {
            name: "a",
            path: "/a",
            format: Format::Jwt,
            routes: &[
                Route {
                    name: "a",
                    method: "GET",
                    path: "/a/items",
                    scope: "read",
                    detail: None,
                },
                Route {
                    name: "write",
                    method: "POST",
                    path: "/a/items",
                    scope: "write",
                    detail: None,
                },
                Route {
                    name: "pay",
                    method: "POST",
                    path: "/a/payments",
                    scope: "read",
                    detail: Some(("pay", "initiate")),
                },
            ],
        },
        ResourceData {
            name: "b",
            path: "/b",
            format: Format::Opaque,
            routes: &[Route {
                name: "b",
                method: "GET",
                path: "/b/items",
                scope: "read",
                detail: None,
            }],
        },
    ],
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
        code: "",
        access: "",
        refresh: "",
        client: "client-",
        secret: "",
    },
    lifetimes: Lifetimes {
        code: 60,
        access: 300,
        refresh: 86_400,
        interaction: 600,
    },
    login: LoginStyle::Password,
    clients: &[
        client("a", "none", "public", &["https://client-a.example/cb"]),
        client("b", "none", "public", &["https://client-b.example/cb"]),
        client(
            "confidential",
            "client_secret_basic",
            "confidential",
            &["https://confidential.example/cb"],
        ),
        client(
            "confidential-b",
            "client_secret_post",
            "confidential",
            &["https://confidential-b.example/cb"],
        ),
        client(
            "native",
            "none",
            "native",
            &["http://127.0.0.1/cb", "http://[::1]/cb"],
        ),
        client(
            "many",
            "none",
            "public",
            &["https://many.example/one", "https://many.example/two"],
        ),
        ClientData {
            pkce_optional: true,
            ..client(
                "legacy",
                "client_secret_basic",
                "confidential",
                &["https://legacy.example/cb"],
            )
        },
        ClientData {
            brief: true,
            ..client("brief", "none", "public", &["https://brief.example/cb"])
        },
        client("rs", "client_secret_basic", "confidential", &[]),
    ],
    introspection_client: "rs",
};
