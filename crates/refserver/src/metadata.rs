//! What the server says about itself: RFC 8414, RFC 9728, and its keys (RFC 7517).

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use jose::{Alg, SigningKey};
use serde_json::{Map, Value, json};

use crate::{
    AgnicFault, App, Fault, HightopFault, TenantFault,
    client_auth::ASSERTION_ALGS,
    face::ResourceData,
    http::{self, json_response},
};

const WELL_KNOWN_RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// Where a resource's metadata is: inserted between host and path (RFC 9728 §3.1).
pub(crate) fn resource_path(resource: &ResourceData) -> String {
    format!("{WELL_KNOWN_RESOURCE}{}", resource.path)
}

/// RFC 8414 §2.
fn document(app: &App, headers: &HeaderMap) -> Map<String, Value> {
    let mut origin = app.origin.clone();
    if app.broken(Fault::MetadataIssuerFromHost)
        && let Some(host) = headers
            .get("x-forwarded-host")
            .and_then(|value| value.to_str().ok())
    {
        origin = format!("http://{host}");
    }
    let paths = &app.face.paths;
    let url = |path: &str| format!("{origin}{path}");
    let issuer = match () {
        () if app.broken(Fault::MetadataIssuerDiffers) => "https://staging.example".to_owned(),
        () if app.broken(Fault::MetadataIssuerSlash) => format!("{}/", app.issuer),
        () if app.broken(TenantFault::IssuerWithoutPath) => origin.clone(),
        () => url(app.face.issuer_path),
    };
    let mut algs: Vec<&str> = ASSERTION_ALGS.iter().map(|alg| alg.name()).collect();
    if app.broken(Fault::MetadataAlgNone) {
        algs.push("none");
    }
    let mut methods = vec![
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ];
    let scopes: Vec<&str> = app.face.scopes.iter().map(|(scope, _)| *scope).collect();
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| drop(document.insert(name.to_owned(), value));
    put("issuer", issuer.into());
    put("authorization_endpoint", url(paths.authorize).into());
    put("token_endpoint", url(paths.token).into());
    let hidden = app.broken(Fault::RegistrationHidden);
    let revoke = match paths.revoke {
        Some(_) if app.broken(HightopFault::EndpointMoved) => Some("/oauth/revoke"),
        path => path,
    };
    for (name, path) in [
        ("jwks_uri", paths.jwks),
        ("pushed_authorization_request_endpoint", paths.push),
        ("registration_endpoint", paths.register),
        ("revocation_endpoint", revoke),
        ("introspection_endpoint", paths.introspect),
    ] {
        if let Some(path) = path.filter(|_| !hidden || name != "registration_endpoint") {
            put(name, url(path).into());
        }
    }
    if app.face.rules.push_required {
        put("require_pushed_authorization_requests", true.into());
    }
    if app.face.knows_documents() && !hidden {
        put("client_id_metadata_document_supported", true.into());
    }
    if app.face.speaks_jar() {
        put("request_parameter_supported", true.into());
        put("request_uri_parameter_supported", false.into());
        put(
            "request_object_signing_alg_values_supported",
            algs.clone().into(),
        );
    }
    if !app.broken(AgnicFault::MetadataMember) {
        put("scopes_supported", scopes.into());
    }
    if !app.broken(Fault::MetadataMemberMissing) {
        put("response_types_supported", json!(["code"]));
    }
    put("response_modes_supported", json!(["query"]));
    let mut grants = vec!["authorization_code", "refresh_token"];
    if app.broken(Fault::MetadataGrantsLie) {
        grants.truncate(1);
    }
    // Without registration the clients are those known at start: where none has a secret, none authenticates.
    let secrets = paths.register.is_some() || app.face.clients.iter().any(|one| one.auth != "none");
    if secrets {
        grants.push("client_credentials");
    } else {
        methods.truncate(1);
    }
    if app.broken(Fault::MetadataPasswordAdvertised) || app.broken(Fault::PasswordGrant) {
        grants.push("password");
    }
    if let Some(device) = app.face.device {
        put("device_authorization_endpoint", url(device.endpoint).into());
        grants.push(crate::device::GRANT_TYPE);
    }
    put("grant_types_supported", grants.into());
    put(
        "token_endpoint_auth_methods_supported",
        methods.clone().into(),
    );
    if secrets {
        put(
            "token_endpoint_auth_signing_alg_values_supported",
            algs.clone().into(),
        );
    }
    if revoke.is_some() {
        put(
            "revocation_endpoint_auth_methods_supported",
            methods.clone().into(),
        );
        put(
            "revocation_endpoint_auth_signing_alg_values_supported",
            algs.into(),
        );
    }
    methods.retain(|method| *method == "client_secret_basic");
    if paths.introspect.is_some() {
        put(
            "introspection_endpoint_auth_methods_supported",
            methods.into(),
        );
    }
    let pkce = if app.broken(Fault::MetadataPlainAdvertised) {
        json!(["S256", "plain"])
    } else {
        json!(["S256"])
    };
    if !app.broken(Fault::MetadataPkceMissing) {
        put("code_challenge_methods_supported", pkce);
    }
    if !app.broken(Fault::IssUnadvertised) {
        put(
            "authorization_response_iss_parameter_supported",
            true.into(),
        );
    }
    let mut details: Vec<&str> = app.face.details.iter().map(|kind| kind.name).collect();
    if app.broken(Fault::RarUnadvertised) {
        details.push("transfer");
    }
    if !details.is_empty() {
        put("authorization_details_types_supported", details.into());
    }
    if app.face.rules.resource_indicators {
        put("protected_resources", app.resource_ids().into());
    }
    if paths.jwks.is_some() {
        put("subject_types_supported", json!(["public"]));
        put("id_token_signing_alg_values_supported", json!(["ES256"]));
    }
    if app.face.dpop {
        let algs: Vec<&str> = crate::dpop::ALGS.iter().map(|alg| alg.name()).collect();
        put("dpop_signing_alg_values_supported", algs.into());
    }
    if app.broken(Fault::MetadataRelative) {
        put("introspection_endpoint", json!("/introspect"));
    }
    if app.broken(Fault::MetadataEmptyArray) {
        put("ui_locales_supported", json!([]));
    }
    document
}

/// Where the document is: inserted between host and path of the issuer (RFC 8414 §3.1).
pub(crate) fn path(app: &App) -> String {
    const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";
    let own = app.face.issuer_path;
    match () {
        () if app.broken(TenantFault::MetadataAtRoot) => WELL_KNOWN.to_owned(),
        () if app.broken(TenantFault::MetadataAppended) => format!("{own}{WELL_KNOWN}"),
        () if app.broken(TenantFault::AnyTenant) => format!("{WELL_KNOWN}/{{tenant}}"),
        () => format!("{WELL_KNOWN}{own}"),
    }
}

/// `/.well-known/oauth-authorization-server`.
pub(crate) async fn authorization_server(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Response {
    if app.broken(Fault::MetadataRedirected) {
        let target = app.url(&openid_path(&app));
        return http::redirect(StatusCode::FOUND, &target).unwrap_or_default();
    }
    if app.broken(AgnicFault::MetadataGuarded) && !headers.contains_key("x-agnic-token") {
        return http::empty(StatusCode::UNAUTHORIZED);
    }
    let mut response = json_response(StatusCode::OK, &document(&app, &headers).into());
    if app.broken(Fault::MetadataContentType) {
        http::set(
            &mut response,
            header::CONTENT_TYPE,
            "text/html; charset=utf-8",
        );
    }
    response
}

/// Where OpenID Connect Discovery §4.1 puts the document: appended to the issuer.
pub(crate) fn openid_path(app: &App) -> String {
    format!("{}/.well-known/openid-configuration", app.face.issuer_path)
}

/// `/.well-known/openid-configuration`: the same content.
pub(crate) async fn openid(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let mut document = document(&app, &headers);
    if app.broken(Fault::MetadataOidcDisagrees) {
        document.insert("token_endpoint".into(), app.url("/v1/token").into());
    }
    json_response(StatusCode::OK, &document.into())
}

/// RFC 9728 §2.
#[expect(clippy::indexing_slicing, reason = "a JSON object takes any member")]
pub(crate) fn protected_resource(app: &App, resource: &'static ResourceData) -> Response {
    let missing = match resource.path {
        "/mcp" => app.broken(HightopFault::McpMetadataMissing),
        _ => app.broken(HightopFault::AgentMetadataMissing),
    };
    if missing {
        return http::empty(StatusCode::NOT_FOUND);
    }
    let resource = if app.broken(Fault::PrmSameForAll) {
        app.face.resources.first().unwrap_or(resource)
    } else {
        resource
    };
    let mut scopes: Vec<&str> = resource.routes.iter().map(|route| route.scope).collect();
    scopes.dedup();
    if resource.name == crate::mcp::NAME {
        if app.broken(Fault::McpOfflineAccess) {
            scopes.push("offline_access");
        }
        if app.broken(Fault::McpOmnibus) {
            scopes.push("items:*");
        }
    }
    let id = if app.broken(Fault::PrmResourceDiffers) {
        app.origin.clone()
    } else {
        app.url(resource.path)
    };
    let issuer = match () {
        () if app.broken(Fault::PrmIssuerSlash) => format!("{}/", app.issuer),
        () => app.issuer.clone(),
    };
    let mut methods = vec!["header"];
    if app.broken(Fault::PrmQueryAdvertised) {
        methods.push("query");
    }
    let mut body = json!({
        "resource": id,
        "authorization_servers": [issuer],
        "scopes_supported": scopes,
        "bearer_methods_supported": methods,
        "resource_name": format!("Resource server {}", resource.name),
    });
    if app.broken(Fault::PrmScopesText) {
        body["scopes_supported"] = scopes.join(" ").into();
    }
    if app.broken(Fault::PrmEmptyArray) {
        body["resource_signing_alg_values_supported"] = json!([]);
    }
    let mut response = json_response(StatusCode::OK, &body);
    if app.broken(Fault::PrmContentType) {
        http::set(&mut response, header::CONTENT_TYPE, "text/html");
    }
    response
}

/// The key set.
pub(crate) async fn jwks(State(app): State<Arc<App>>) -> Response {
    let mut keys = vec![app.key.public_jwk()];
    if app.broken(Fault::JwtUnknownKey) {
        keys = vec![
            SigningKey::generate(Alg::ES256)
                .with_kid(app.key.kid())
                .public_jwk(),
        ];
    }
    if app.broken(Fault::JwksPrivateKey)
        && let Some(key) = keys.first_mut().and_then(Value::as_object_mut)
    {
        // The member alone is the leak a client can see; whether it is the true exponent it cannot know.
        key.insert("d".into(), jose::random_token(32).into());
    }
    if app.broken(Fault::JwksSymmetricKey) {
        keys.push(json!({"kty": "oct", "kid": "hmac", "alg": "HS256", "use": "sig", "k": jose::random_token(32)}));
    }
    if app.broken(Fault::JwksDuplicateKid) {
        keys.push(
            SigningKey::generate(Alg::ES256)
                .with_kid(app.key.kid())
                .public_jwk(),
        );
    }
    json_response(StatusCode::OK, &json!({"keys": keys}))
}
