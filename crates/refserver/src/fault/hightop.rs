//! Faults of the face `hightop`.

use super::service::service_faults;

service_faults! {
    /// A promise of Hightop's documentation that the server breaks.
    HightopFault as Hightop {
        // Discovery and endpoints.
        IssuerDiffers "hightop-issuer-differs" like MetadataIssuerDiffers ["hightop.as-metadata", "hightop.oidc-metadata"] "Hightop's metadata names another issuer than the host that serves it.";
        OpenidDisagrees "hightop-openid-disagrees" like MetadataOidcDisagrees ["hightop.oidc-metadata"] "openid-configuration names another token endpoint.";
        AgentMetadataMissing "hightop-agent-metadata-missing" ["hightop.prm-agent"] "There is no resource metadata for /v1/agent.";
        McpMetadataMissing "hightop-mcp-metadata-missing" ["hightop.prm-mcp"] "There is no resource metadata for /mcp.";
        EndpointMoved "hightop-endpoint-moved" ["hightop.endpoints"] "The metadata puts revocation at /oauth/revoke, where the documentation has /oauth/token/revocation.";
        RegistrationClosed "hightop-registration-closed" ["hightop.dcr-open"] "Registration asks for an initial access token.";
        LimitWithoutTime "hightop-limit-without-time" ["hightop.dcr-rate-limited"] "A throttled registration is not told when to come back.";

        // The authorization request.
        PkceOptional "hightop-pkce-optional" like PkceOptional ["hightop.code-pkce-only"] "An authorization request without code_challenge is accepted.";
        ImplicitIssued "hightop-implicit-issued" like ImplicitIssued ["hightop.code-pkce-only"] "response_type=token gives an access token in the fragment.";
        PasswordGrant "hightop-password-grant" like PasswordGrant ["hightop.code-pkce-only"] "Hightop's users can be logged in with the password grant.";
        PlainAccepted "hightop-plain-accepted" like PkcePlain ["hightop.plain-rejected", "hightop.validates-first"] "PKCE method plain is accepted.";
        MethodOmitted "hightop-method-omitted" like PkceOmittedMeansPlain ["hightop.plain-rejected"] "Without code_challenge_method, plain is assumed.";
        ResourceOptional "hightop-resource-optional" ["hightop.resource-required", "hightop.validates-first"] "Without resource, /v1/agent is assumed.";
        RedirectPrefix "hightop-redirect-prefix" like RedirectPrefix ["hightop.redirect-exact"] "A redirect URI need only begin with a registered one.";
        ResourceAnyPath "hightop-resource-any-path" like ResourceHostOnly ["hightop.two-resources-only", "hightop.audience-bound"] "Any resource below the host is taken for one of the two.";
        ScopeInvented "hightop-scope-invented" like ScopeUnknownGranted ["hightop.scopes", "hightop.validates-first"] "A scope nobody has documented is granted.";
        ScopeForgotten "hightop-scope-forgotten" ["hightop.scopes"] "The documented scope agent:borrow:write is unknown.";
        InteractionElsewhere "hightop-interaction-elsewhere" ["hightop.interaction-path"] "Login happens at /login, not at /connect.";
        ValidatesLate "hightop-validates-late" ["hightop.validates-first"] "A bad scope or resource is noticed after login only.";

        // Tokens.
        AudienceBoth "hightop-audience-both" like AudienceAll ["hightop.audience-bound", "hightop.agent-token-not-mcp", "hightop.mcp-token-not-agent", "hightop.resource-required-at-token"] "Tokens are for both resources, whichever was asked for.";
        OpaqueTokens "hightop-opaque-tokens" ["hightop.token-response"] "Access tokens are random strings instead of JWTs.";
        RefreshMissing "hightop-refresh-missing" ["hightop.token-response"] "The code gives no refresh token.";
        AudienceForgotten "hightop-audience-forgotten" ["hightop.resource-required-at-token"] "A token request without resource gives a token for both APIs, whichever was approved.";
        KeysDiffer "hightop-keys-differ" like JwtUnknownKey ["hightop.jwks-verifies"] "The key at /oauth/jwks is not the one that signs.";
        VerifierUnchecked "hightop-verifier-unchecked" like PkceVerifierUnchecked ["hightop.pkce-verifier-error"] "Any code_verifier redeems the code.";
        NoRotation "hightop-no-rotation" like RefreshNoRotation ["hightop.rotation", "hightop.replay-revokes-grant"] "A refresh gives the same refresh token back.";
        ReplayHarmless "hightop-replay-harmless" like RefreshReplayHarmless ["hightop.replay-revokes-grant"] "The replay of a refresh token is refused and nothing else happens.";
        ReplayLeavesAccess "hightop-replay-leaves-access" like RefreshReplayLeavesAccess ["hightop.replay-revokes-grant"] "A replay ends the refresh tokens of the grant but not its access tokens.";
        RevokeNothing "hightop-revoke-nothing" like RevokeNothing ["hightop.client-revocation", "hightop.rs-checks", "hightop.invalid-token-401"] "/oauth/token/revocation answers 200 and does nothing.";
        RevokeAnyClient "hightop-revoke-any-client" like RevokeAnyClient ["hightop.client-revocation"] "A client can revoke the tokens of another one.";

        // Resource servers.
        AgentTokenAtMcp "hightop-agent-token-at-mcp" like RsAudienceB ["hightop.agent-token-not-mcp"] "/mcp accepts tokens for /v1/agent.";
        McpTokenAtAgent "hightop-mcp-token-at-agent" like RsAudienceA ["hightop.mcp-token-not-agent"] "/v1/agent accepts tokens for /mcp.";
        ScopeUnchecked "hightop-scope-unchecked" like RsScope ["hightop.scope-enforced", "hightop.simulate-only", "hightop.insufficient-scope-403"] "Routes do not look at scopes.";
        ScopeAs401 "hightop-scope-as-401" like RsScope401 ["hightop.insufficient-scope-403", "hightop.scope-enforced", "hightop.simulate-only"] "A missing scope is answered with 401 invalid_token.";
        ScopeUnnamed "hightop-scope-unnamed" like RsScopeUnnamed ["hightop.insufficient-scope-403"] "403 does not name the scope that is missing.";
        ScopeUnchallenged "hightop-scope-unchallenged" like RsScopeNoChallenge ["hightop.insufficient-scope-403", "hightop.scope-enforced", "hightop.simulate-only"] "403 comes without WWW-Authenticate.";
        PolicyIgnored "hightop-policy-ignored" ["hightop.two-layer"] "A scope is enough, whatever the selected agent may do.";
        SimulateExecutes "hightop-simulate-executes" ["hightop.simulate-only"] "agent:simulate is enough for a real payment.";
        SelfNeedsMore "hightop-self-needs-more" ["hightop.self"] "/v1/agent/self needs agent:payments:write.";
        SignatureUnchecked "hightop-signature-unchecked" like RsSignature ["hightop.rs-checks", "hightop.invalid-token-401"] "The resource server does not check signatures.";
        ExpiredAccepted "hightop-expired-accepted" like RsExpired ["hightop.rs-checks"] "The resource server accepts expired tokens.";
        RevokedAccepted "hightop-revoked-accepted" like RsRevoked ["hightop.rs-checks", "hightop.invalid-token-401", "hightop.client-revocation", "hightop.replay-revokes-grant"] "The resource server does not ask for the grant: revoked tokens work until they expire.";
        InvalidUnchallenged "hightop-invalid-unchallenged" like RsNoChallenge ["hightop.invalid-token-401", "hightop.agent-token-not-mcp", "hightop.mcp-token-not-agent", "hightop.rs-checks"] "401 comes without WWW-Authenticate.";
    }
}
