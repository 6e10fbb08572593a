//! Faults of the reference server, and of every face: those that a case must see, grouped by what they break, and the deep ones.
//!
//! A line is `Variant "name" ["case ids it must turn red"] "doc";`.

use super::{AgnicFault, AloneFault, HaspFault, HightopFault, Kind, SessionFault, TenantFault};

faults! {
    // Metadata and keys.
    MetadataIssuerDiffers "metadata-issuer-differs" ["as-meta.issuer-identical"] "The metadata names another issuer: a host name left over from staging.";
    MetadataIssuerSlash "metadata-issuer-slash" ["as-meta.issuer-identical"] "The metadata's issuer has a trailing slash that the real one lacks.";
    MetadataIssuerFromHost "metadata-issuer-from-host" ["http.host-poisoning"] "Issuer and endpoints are built from X-Forwarded-Host, which anybody can send.";
    JwksPrivateKey "jwks-private-key" ["as-meta.jwks-sane"] "The key set is exported with its private members.";
    JwksSymmetricKey "jwks-symmetric-key" ["as-meta.jwks-sane"] "The key set also publishes an HMAC secret.";
    JwksDuplicateKid "jwks-duplicate-kid" ["as-meta.jwks-sane", "jwt.verifies"] "Two different keys are published under one key id.";
    MetadataPlainAdvertised "metadata-plain-advertised" ["as-meta.no-plain"] "The metadata offers PKCE method plain, which the server refuses.";
    MetadataPasswordAdvertised "metadata-password-advertised" ["as-meta.no-legacy-grants"] "The metadata offers the password grant, which the server refuses.";
    MetadataEmptyArray "metadata-empty-array" ["as-meta.no-empty-values"] "A metadata member without values is an empty array instead of absent.";
    MetadataOidcDisagrees "metadata-oidc-disagrees" ["as-meta.oidc-agrees"] "The two metadata documents name different token endpoints.";
    MetadataContentType "metadata-content-type" ["as-meta.available"] "The metadata is served as text/html.";
    MetadataMemberMissing "metadata-member-missing" ["as-meta.required-members", "as-meta.truthful"] "The metadata lacks response_types_supported.";
    MetadataPkceMissing "metadata-pkce-missing" ["as-meta.pkce-advertised"] "The metadata does not say that S256 is supported.";
    MetadataAlgNone "metadata-alg-none" ["as-meta.auth-alg-not-none"] "The metadata offers alg none for client assertions.";
    MetadataRedirected "metadata-redirected" ["as-meta.direct-200", "as-meta.absolute-urls", "as-meta.auth-alg-not-none", "as-meta.available", "as-meta.issuer-identical", "as-meta.no-empty-values", "as-meta.no-legacy-grants", "as-meta.no-plain", "as-meta.oidc-agrees", "as-meta.path-insertion", "as-meta.pkce-advertised", "as-meta.required-members", "rar.metadata", "tls.endpoints-https", "mcp.registration-path"] "The metadata URL redirects to another place.";
    MetadataGrantsLie "metadata-grants-lie" ["as-meta.truthful"] "The metadata does not list the refresh_token grant, which works.";
    MetadataRelative "metadata-relative" ["as-meta.absolute-urls", "tls.endpoints-https"] "An endpoint in the metadata is a path instead of a URL.";
    PrmResourceDiffers "prm-resource-differs" ["mcp.prm-usable", "prm.resource-identical", "prm.cross-check", "prm.distinct-resources"] "Protected resource metadata names the origin instead of the resource.";
    PrmContentType "prm-content-type" ["prm.available"] "Protected resource metadata is served as text/html.";
    PrmSameForAll "prm-same-for-all" ["prm.distinct-resources", "prm.resource-identical", "mcp.prm-usable"] "Every protected resource metadata URL gives the first resource's document.";
    PrmChallengeOther "prm-challenge-other" ["prm.challenge-match", "mcp.challenge-scope"] "The challenge of one resource points at the metadata of the other.";
    PrmChallengeRelative "prm-challenge-relative" ["prm.challenge-absolute", "mcp.challenge-scope"] "resource_metadata in the challenge is a path instead of a URL.";
    PrmEmptyArray "prm-empty-array" ["prm.no-empty-arrays"] "A member of the protected resource metadata is an empty array.";
    PrmIssuerSlash "prm-issuer-slash" ["prm.as-links-valid", "mcp.prm-usable"] "authorization_servers has the issuer with a trailing slash.";
    PrmQueryAdvertised "prm-query-advertised" ["prm.bearer-methods"] "bearer_methods_supported offers the query, which the resource server refuses.";
    PrmScopesText "prm-scopes-text" ["prm.member-types", "mcp.offline-access-absent", "mcp.scopes-minimal"] "scopes_supported of a protected resource is a string.";

    // Authorization endpoint.
    ImplicitIssued "implicit-issued" ["authz.implicit-rejected", "par.validated"] "response_type=token is honoured: the access token travels in the fragment.";
    HybridIssued "hybrid-issued" ["authz.implicit-rejected"] "response_type=code token adds an access token to the fragment.";
    UnknownClientRedirected "unknown-client-redirected" ["authz.client-unknown", "authz.header-injection", "authz.reflection-safe", "authz.reflection-safe-no-session"] "An unknown client's error is redirected to whatever redirect_uri came along: an open redirector.";
    MissingClientGuessed "missing-client-guessed" ["authz.client-unknown"] "Without client_id the client is looked up by its redirect URI, and its absence is reported by redirect to any URI.";
    CodeWithoutUser "code-without-user" ["authz.no-code-without-user", "authz.denial", "authz.hint-no-impersonation", "authz.hint-no-impersonation-returning", "authz.prompt-none-safe", "authz.state-echo-denied", "iss.error-denied", "authz.partial-consent"] "Nobody is asked: any request is answered with a code for the first user.";
    UserIdChoosesSubject "user-id-chooses-subject" ["authz.hint-no-impersonation"] "A user_id parameter is taken as the logged-in user.";
    ClientIdUnescaped "client-id-unescaped" ["authz.reflection-safe"] "The error page prints client_id as HTML.";
    RedirectUriUnescaped "redirect-uri-unescaped" ["authz.reflection-safe"] "The error page prints redirect_uri as HTML.";
    StateUnescaped "state-unescaped" ["authz.reflection-safe"] "The login page prints state as HTML.";
    HeaderInjection "header-injection" ["authz.reflection-safe", "authz.reserved-echo", "authz.state-echo", "authz.state-echo-denied", "authz.state-echo-error", "robust.parser-agreement"] "state is copied into Location undecoded line ends and all, so it can add response headers.";
    StateUnencoded "state-unencoded" ["authz.reserved-echo", "authz.state-echo", "authz.state-echo-denied", "authz.state-echo-error", "robust.parser-agreement"] "state is put into the redirect without encoding, so it can add response parameters.";
    StateTrimmed "state-trimmed" ["authz.state-echo"] "Spaces around state are lost.";
    StateCut "state-cut" ["authz.state-echo"] "state is cut to 255 characters, the width of a database column.";
    StateInvented "state-invented" ["authz.state-echo"] "An empty state comes back though none was sent.";
    StateLostOnError "state-lost-on-error" ["authz.state-echo"] "Error redirects forget state.";
    ErrorDescriptionRaw "error-description-raw" ["authz.error-charset"] "error_description quotes the offending value, characters that are not allowed included.";
    DuplicateLastWins "duplicate-last-wins" ["authz.duplicate-param", "pkce.method-unknown"] "Of a repeated parameter the last value counts, instead of a refusal.";
    EmptyNotOmitted "empty-not-omitted" ["authz.empty-is-omitted"] "An empty scope is an invalid scope instead of an omitted one.";
    UnknownParamRefused "unknown-param-refused" ["authz.unknown-param-ignored", "authz.empty-is-omitted", "authz.reserved-echo"] "A parameter the server does not know is an error.";
    ResponseTypeAssumed "response-type-assumed" ["authz.response-type-missing", "authz.empty-is-omitted"] "Without response_type, code is assumed.";
    UnknownResponseTypeAccepted "unknown-response-type-accepted" ["authz.response-type-unknown", "authz.error-charset", "authz.state-echo-error"] "An unknown response_type is read as code.";
    InteractionReusable "interaction-reusable" ["authz.interaction-single-use"] "The approval can be submitted again, for one more code each time.";
    ApproveAfterDeny "approve-after-deny" ["authz.interaction-single-use"] "After a denial the same page can still be approved.";
    InteractionRace "interaction-race" ["authz.interaction-single-use"] "The approval is checked and marked in two steps: parallel submits give several codes.";
    InteractionAnyBrowser "interaction-any-browser" ["authz.interaction-single-use", "authz.consent-csrf"] "An interaction is not bound to the browser that began it.";
    ConsentWithoutCsrf "consent-without-csrf" ["authz.consent-csrf", "http.session-cookies"] "Another site can submit the consent form: its hidden token is not checked and the session cookie has no SameSite.";
    DenialApproves "denial-approves" ["authz.denial", "authz.interaction-single-use-denied", "iss.error-denied", "device.polling-denied"] "The deny button gives a code too.";
    PromptNoneCode "prompt-none-code" ["authz.prompt-none-safe"] "prompt=none without a session gives a code for the first user.";
    PromptNoneSkipsConsent "prompt-none-skips-consent" ["authz.prompt-none-safe"] "prompt=none with a session gives a code though nothing was ever consented to.";
    PromptNoneCombined "prompt-none-combined" ["authz.prompt-none-safe"] "prompt=none login is taken as none and, with a session, gives a code.";
    LoginHintChoosesSubject "login-hint-chooses-subject" ["authz.hint-no-impersonation"] "The user named in login_hint becomes the subject, whoever is logged in.";
    ClaimsChoosesSubject "claims-chooses-subject" ["authz.hint-no-impersonation"] "The sub value in the claims parameter becomes the subject.";
    IdTokenHintChoosesSubject "id-token-hint-chooses-subject" ["authz.hint-no-impersonation"] "The sub of an id_token_hint, its signature unchecked, becomes the subject.";
    ResponseModeFragment "response-mode-fragment" ["authz.response-mode"] "response_mode=fragment moves the code into the fragment though it is not advertised.";
    AutoApprove "auto-approve" ["authz.public-no-auto-approve"] "A second request of a public client in the same session is approved without asking.";
    ConsentForAnyClient "consent-for-any-client" ["authz.public-no-auto-approve", "mcp.as-consent-per-client"] "Once one client has been approved, every other client in that session is too.";
    PartialConsentIgnored "partial-consent-ignored" ["authz.partial-consent"] "A scope that the user withholds on the consent page is granted all the same.";
    ConsentUninformed "consent-uninformed" ["authz.consent-informed", "cimd.consent-hostname", "cimd.consent-localhost"] "The consent page names neither client nor scopes.";
    CodeGuessable "code-guessable" ["authz.code-quality"] "Authorization codes count up.";
    CodeShort "code-short" ["authz.code-quality"] "Authorization codes are six characters.";
    CodeNeverExpires "code-never-expires" ["authz.code-expiry"] "Codes do not expire.";
    RedirectQueryLost "redirect-query-lost" ["authz.redirect-query-kept"] "The query of a registered redirect URI is replaced by the response.";
    ScopeOrderMatters "scope-order-matters" ["authz.scope-order"] "Scopes must come in the order of the documentation.";
    Redirect307 "redirect-307" ["http.no-307"] "The answer to the consent form is a 307, so the browser posts the form to the client.";
    FramingAllowed "framing-allowed" ["http.framing-blocked"] "Login and consent pages may be framed.";
    CorsOnAuthorize "cors-on-authorize" ["http.no-cors-authz"] "The authorization endpoint reflects Origin as an allowed one.";
    SessionCookieOpen "session-cookie-open" ["http.session-cookies"] "The session cookie has neither HttpOnly nor SameSite.";

    // Redirect URI.
    RedirectAny "redirect-any" ["redirect.unregistered", "redirect.compound-fault", "redirect.host-confusion", "redirect.host-confusion-bad-pkce", "redirect.host-confusion-bad-response-type", "redirect.localhost-exception", "redirect.localhost-exception-bad-pkce", "redirect.localhost-exception-bad-response-type", "redirect.loopback-strict", "redirect.loopback-strict-bad-pkce", "redirect.loopback-strict-bad-response-type", "redirect.near-miss", "redirect.near-miss-bad-pkce", "redirect.near-miss-bad-response-type", "redirect.other-clients-uri", "redirect.other-clients-uri-bad-response-type", "redirect.path-confusion", "redirect.path-confusion-bad-pkce", "redirect.path-confusion-bad-response-type", "redirect.scheme-change", "redirect.scheme-change-bad-pkce", "redirect.scheme-change-bad-response-type", "redirect.unicode-confusion", "redirect.unicode-confusion-bad-pkce", "redirect.unicode-confusion-bad-response-type", "authz.reflection-safe", "dcr.enforced", "par.validated", "cimd.redirect-registered"] "Any redirect URI is accepted.";
    RedirectPrefix "redirect-prefix" ["redirect.near-miss", "redirect.path-confusion", "redirect.host-confusion", "redirect.host-confusion-bad-pkce", "redirect.host-confusion-bad-response-type", "redirect.unicode-confusion", "redirect.unicode-confusion-bad-pkce", "redirect.unicode-confusion-bad-response-type", "cimd.redirect-registered"] "A redirect URI need only start with the registered one.";
    RedirectContains "redirect-contains" ["redirect.host-confusion", "redirect.near-miss", "redirect.near-miss-bad-pkce", "redirect.near-miss-bad-response-type", "redirect.path-confusion", "redirect.path-confusion-bad-pkce", "redirect.path-confusion-bad-response-type", "redirect.unicode-confusion", "redirect.unicode-confusion-bad-pkce", "redirect.unicode-confusion-bad-response-type", "cimd.redirect-registered"] "A redirect URI need only contain the registered one somewhere.";
    RedirectHostSuffix "redirect-host-suffix" ["redirect.host-confusion", "redirect.loopback-strict", "redirect.loopback-strict-bad-pkce", "redirect.loopback-strict-bad-response-type", "redirect.near-miss", "redirect.near-miss-bad-pkce", "redirect.near-miss-bad-response-type", "redirect.unicode-confusion", "redirect.unicode-confusion-bad-pkce", "redirect.unicode-confusion-bad-response-type", "cimd.redirect-registered"] "The host need only end with the registered host's last two labels: evil.client-a.example, evilclient-a.example.";
    RedirectHostPrefix "redirect-host-prefix" ["redirect.host-confusion", "redirect.loopback-strict", "redirect.loopback-strict-bad-pkce", "redirect.loopback-strict-bad-response-type", "redirect.near-miss", "redirect.near-miss-bad-pkce", "redirect.near-miss-bad-response-type", "redirect.path-confusion", "redirect.path-confusion-bad-pkce", "redirect.path-confusion-bad-response-type", "redirect.unicode-confusion", "redirect.unicode-confusion-bad-pkce", "redirect.unicode-confusion-bad-response-type", "cimd.redirect-registered"] "The URI need only start with the registered origin, so client-a.example.attacker.example passes.";
    RedirectHostOnly "redirect-host-only" ["redirect.near-miss", "redirect.path-confusion", "redirect.host-confusion", "redirect.host-confusion-bad-pkce", "redirect.host-confusion-bad-response-type", "redirect.unicode-confusion", "redirect.unicode-confusion-bad-pkce", "redirect.unicode-confusion-bad-response-type", "cimd.redirect-registered"] "Only scheme and host are compared; any path will do.";
    RedirectPathCase "redirect-path-case" ["redirect.near-miss"] "The path is compared without regard to case.";
    RedirectHostCase "redirect-host-case" ["redirect.near-miss"] "The host is lower-cased before comparing.";
    RedirectQueryIgnored "redirect-query-ignored" ["redirect.near-miss", "cimd.redirect-registered"] "The query is left out of the comparison.";
    RedirectFragmentIgnored "redirect-fragment-ignored" ["redirect.near-miss"] "A fragment is left out of the comparison.";
    RedirectPortIgnored "redirect-port-ignored" ["redirect.host-confusion", "redirect.near-miss", "redirect.near-miss-bad-pkce", "redirect.near-miss-bad-response-type"] "Any port will do, on any host.";
    RedirectDefaultPort "redirect-default-port" ["redirect.near-miss"] "An explicit :443 is normalised away before comparing.";
    RedirectDotSegments "redirect-dot-segments" ["redirect.near-miss", "redirect.path-confusion"] "Dot segments are resolved before comparing, but the URI is used as it came.";
    RedirectPercentDecoded "redirect-percent-decoded" ["redirect.near-miss"] "The URI is percent-decoded once more before comparing.";
    RedirectTrailingSlash "redirect-trailing-slash" ["redirect.near-miss", "cimd.redirect-registered"] "A trailing slash is tolerated.";
    RedirectTrimmed "redirect-trimmed" ["redirect.near-miss", "redirect.unicode-confusion", "redirect.unicode-confusion-bad-pkce", "redirect.unicode-confusion-bad-response-type"] "White space around the URI is trimmed.";
    RedirectUserinfoIgnored "redirect-userinfo-ignored" ["redirect.host-confusion"] "The authority is compared up to the last `@`'s left side: https://client-a.example@attacker.example passes.";
    RedirectBackslash "redirect-backslash" ["redirect.host-confusion"] "The host is read up to a backslash, where a browser reads on.";
    RedirectHashInHost "redirect-hash-host" ["redirect.host-confusion"] "The host is taken after the last `@`, also behind a `#`: https://attacker.example#@client-a.example passes.";
    RedirectSchemeIgnored "redirect-scheme-ignored" ["redirect.scheme-change", "redirect.near-miss", "redirect.near-miss-bad-pkce", "redirect.near-miss-bad-response-type"] "http is as good as https.";
    RedirectPathParameters "redirect-path-parameters" ["redirect.path-confusion", "redirect.near-miss", "redirect.near-miss-bad-pkce", "redirect.near-miss-bad-response-type"] "Path parameters (`;x`) are stripped before comparing, as servlet containers do.";
    RedirectDoubleSlash "redirect-double-slash" ["redirect.path-confusion"] "Repeated slashes in the path are collapsed before comparing.";
    RedirectNulCut "redirect-nul-cut" ["redirect.path-confusion"] "The comparison stops at %00.";
    RedirectSubpath "redirect-subpath" ["redirect.path-confusion", "redirect.near-miss", "cimd.redirect-registered"] "Any path below the registered one is accepted.";
    RedirectUnicode "redirect-unicode" ["redirect.unicode-confusion"] "Compatibility characters and invisible ones are normalised before comparing, but the URI is used as it came.";
    RedirectAnyClient "redirect-any-client" ["redirect.other-clients-uri", "redirect.localhost-exception", "redirect.localhost-exception-bad-pkce", "redirect.localhost-exception-bad-response-type"] "A URI is accepted when any client has registered it.";
    RedirectMissingGuessed "redirect-missing-guessed" ["redirect.missing-many"] "Without redirect_uri the first of several registered ones is used.";
    RedirectFirstCheckedLastUsed "redirect-first-checked-last-used" ["redirect.duplicate"] "Of two redirect_uri values the first is checked and the last is used.";
    RedirectLastCheckedFirstUsed "redirect-last-checked-first-used" ["redirect.duplicate"] "Of two redirect_uri values the last is checked and the first is used.";
    RedirectCheckedLast "redirect-checked-last" ["redirect.compound-fault"] "Other errors are reported by redirect before the redirect URI has been checked.";
    RedirectUncheckedBadType "redirect-unchecked-bad-type" ["redirect.compound-fault"] "A bad response_type is reported to an unchecked redirect URI.";
    RedirectUncheckedBadPkce "redirect-unchecked-bad-pkce" ["redirect.compound-fault"] "A PKCE error is reported to an unchecked redirect URI.";
    RedirectUncheckedBadScope "redirect-unchecked-bad-scope" ["redirect.compound-fault"] "A scope error is reported to an unchecked redirect URI.";
    RedirectUncheckedNoSession "redirect-unchecked-no-session" ["redirect.unregistered", "redirect.compound-fault", "redirect.host-confusion", "redirect.host-confusion-bad-pkce", "redirect.host-confusion-bad-response-type", "redirect.localhost-exception", "redirect.localhost-exception-bad-pkce", "redirect.localhost-exception-bad-response-type", "redirect.loopback-strict", "redirect.loopback-strict-bad-pkce", "redirect.loopback-strict-bad-response-type", "redirect.near-miss", "redirect.near-miss-bad-pkce", "redirect.near-miss-bad-response-type", "redirect.other-clients-uri", "redirect.other-clients-uri-bad-response-type", "redirect.path-confusion", "redirect.path-confusion-bad-pkce", "redirect.path-confusion-bad-response-type", "redirect.scheme-change", "redirect.scheme-change-bad-pkce", "redirect.scheme-change-bad-response-type", "redirect.unicode-confusion", "redirect.unicode-confusion-bad-pkce", "redirect.unicode-confusion-bad-response-type", "authz.reflection-safe", "dcr.enforced", "par.validated", "cimd.redirect-registered"] "The redirect URI is checked only when the browser already has a session.";
    LoopbackPathIgnored "loopback-path-ignored" ["redirect.loopback-strict"] "On a loopback address any path is accepted.";
    LoopbackQueryIgnored "loopback-query-ignored" ["redirect.loopback-strict"] "On a loopback address any query is accepted.";
    LoopbackLocalhost "loopback-localhost" ["redirect.loopback-strict"] "localhost is taken for a registered loopback address.";
    LoopbackPrefix "loopback-prefix" ["redirect.loopback-strict"] "A host need only start with 127.0.0.1, so 127.0.0.1.attacker.example passes.";
    LoopbackSpellings "loopback-spellings" ["redirect.loopback-strict"] "Other spellings of the loopback address (127.1, hexadecimal, IPv4-mapped) are taken for it.";
    LoopbackScheme "loopback-scheme" ["redirect.loopback-strict"] "https is accepted where http was registered on a loopback address.";
    LoopbackPortFixed "loopback-port-fixed" ["redirect.loopback-any-port"] "The port of a loopback redirect URI must be the registered one.";
    LocalhostException "localhost-exception" ["redirect.localhost-exception", "redirect.loopback-strict", "redirect.loopback-strict-bad-pkce", "redirect.loopback-strict-bad-response-type"] "A debug exception: any client may use localhost or a loopback address.";
    TokenRedirectUnchecked "token-redirect-unchecked" ["redirect.token-mismatch"] "redirect_uri is not compared at the token endpoint.";

    // PKCE.
    PkceOptional "pkce-optional" ["pkce.missing-challenge", "par.validated"] "Public clients may leave PKCE out.";
    PkceConfidentialOptional "pkce-confidential-optional" ["pkce.missing-challenge-confidential"] "Confidential clients may leave PKCE out.";
    PkcePlain "pkce-plain" ["pkce.plain-rejected", "par.validated"] "Method plain is accepted.";
    PkceOmittedMeansPlain "pkce-omitted-means-plain" ["pkce.method-omitted"] "A challenge without method is a plain one, as RFC 7636 had it.";
    PkceUnknownMethod "pkce-unknown-method" ["pkce.method-unknown", "authz.error-charset"] "An unknown method is read as S256.";
    PkceMethodCase "pkce-method-case" ["pkce.method-unknown"] "The method's case does not matter.";
    PkceVerifierUnchecked "pkce-verifier-unchecked" ["pkce.wrong-verifier", "pkce.malformed-verifier", "pkce.verifier-is-challenge", "token.code-replay-invalid-no-revoke"] "There must be a verifier, but it is not compared.";
    PkceVerifierOptional "pkce-verifier-optional" ["pkce.missing-verifier", "token.body-only"] "The verifier is compared only when one is sent.";
    PkceVerifierEmpty "pkce-verifier-empty" ["pkce.missing-verifier"] "An empty verifier passes: falsy is taken for done.";
    PkceVerifierNear "pkce-verifier-near" ["pkce.wrong-verifier"] "One wrong character in the verifier is forgiven.";
    PkceVerifierCase "pkce-verifier-case" ["pkce.wrong-verifier"] "The verifier may come in another case.";
    PkceVerifierTrimmed "pkce-verifier-trimmed" ["pkce.wrong-verifier"] "White space around the verifier is trimmed.";
    PkceVerifierPadded "pkce-verifier-padded" ["pkce.wrong-verifier"] "Trailing `=` of the verifier are stripped.";
    PkceVerifierOfOther "pkce-verifier-of-other" ["pkce.wrong-verifier"] "The verifier of any pending transaction of the client is accepted, so a stolen code can be injected.";
    PkceChallengeAsVerifier "pkce-challenge-as-verifier" ["pkce.verifier-is-challenge"] "A verifier equal to the challenge passes.";
    PkceMethodAtToken "pkce-method-at-token" ["pkce.verifier-is-challenge"] "code_challenge_method in the token request overrides the one of the authorization request.";
    PkceVerifierWithoutChallenge "pkce-verifier-without-challenge" ["pkce.downgrade-verifier-without-challenge"] "A verifier is ignored when the code was issued without a challenge.";
    PkceLengthUnchecked "pkce-length-unchecked" ["pkce.malformed-values"] "Challenges and verifiers of any length and alphabet are accepted.";
    CodeCarriesChallenge "code-carries-challenge" ["pkce.challenge-not-exposed"] "The code is readable JSON that holds the challenge.";

    // Token endpoint.
    CodeReusable "code-reusable" ["token.code-once", "token.code-race", "token.code-reuse-revokes", "token.code-reuse-revokes-refresh", "refresh.chain-after-code-replay"] "A code can be redeemed again and again.";
    CodeRace "code-race" ["token.code-race"] "A code is looked up and marked in two steps: parallel requests redeem it several times.";
    CodeAnyClient "code-any-client" ["token.code-other-client"] "A code is not bound to the client it was issued to.";
    CodeReplayHarmless "code-replay-harmless" ["token.code-reuse-revokes", "refresh.chain-after-code-replay"] "A replayed code is refused, but the tokens of the first use live on.";
    CodeReplayLeavesChain "code-replay-leaves-chain" ["refresh.chain-after-code-replay"] "A replayed code kills the first tokens only, not what was refreshed from them.";
    CodeReplayFragile "code-replay-fragile" ["token.code-replay-invalid-no-revoke"] "A replay with a wrong verifier revokes the grant too, so whoever saw the code can end it.";
    CodePrefix "code-prefix" ["token.code-garbage"] "A code need only begin like an issued one.";
    SecretUnchecked "secret-unchecked" ["token.confidential-auth", "token.basic-401", "intro.auth", "refresh.confidential-auth", "revoke.auth", "par.client-auth"] "The client secret is not compared.";
    SecretEmpty "secret-empty" ["token.confidential-auth", "intro.auth", "refresh.confidential-auth", "revoke.auth"] "An empty client secret passes.";
    SecretOmitted "secret-omitted" ["token.confidential-auth", "token.body-only-secret", "dcr.enforced-auth-method", "intro.auth", "refresh.confidential-auth", "revoke.auth", "par.client-auth", "cimd.auth-enforced", "device.param-hygiene"] "A confidential client need only name itself.";
    SecretAnyClient "secret-any-client" ["token.confidential-auth"] "Any client's secret authenticates every client.";
    SecretPrefix "secret-prefix" ["token.confidential-auth"] "A secret need only begin like the real one.";
    TokenByGet "token-by-get" ["token.post-only"] "The token endpoint answers GET.";
    TokenFromQuery "token-from-query" ["token.body-only"] "The token endpoint reads the query as well as the body.";
    TokenDuplicates "token-duplicates" ["token.duplicate-unknown-empty", "device.param-hygiene"] "Of a repeated parameter at the token endpoint the last value counts.";
    TokenUnknownRefused "token-unknown-refused" ["token.duplicate-unknown-empty", "token.password-rejected"] "An unknown parameter at the token endpoint is an error.";
    TokenContentType "token-content-type" ["robust.content-type"] "The token endpoint reads any body as a form, whatever it says it is.";
    TokenCharsetRefused "token-charset-refused" ["token.form-accepted"] "A charset parameter in Content-Type is refused.";
    PasswordGrant "password-grant" ["token.password-rejected", "as-meta.no-legacy-grants"] "The password grant works.";
    GrantTypeCase "grant-type-case" ["token.grant-missing-unknown"] "grant_type is compared without regard to case.";
    GrantTypeGuessed "grant-type-guessed" ["token.grant-missing-unknown", "token.body-only"] "Without grant_type, a code parameter is enough.";
    MultipleAuthAccepted "multiple-auth-accepted" ["token.multiple-auth"] "A secret in header and body at once is accepted.";
    AuthClientMismatch "auth-client-mismatch" ["token.auth-client-mismatch"] "client_id in the body overrides the authenticated client.";
    ClientIdOptional "client-id-optional" ["token.client-id-required"] "A public client need not name itself; the code says who it is.";
    PublicClientCredentials "public-client-credentials" ["token.client-credentials-scope"] "Public clients get client_credentials tokens.";
    BasicNotDecoded "basic-not-decoded" ["token.secret-encodings"] "Basic credentials are taken as they stand behind the base64, without form decoding.";
    ClientCredentialsAsUser "client-credentials-as-user" ["jwt.subject-separation"] "A client that asks for itself may name a user, and becomes that subject.";
    ClientCredentialsRefresh "client-credentials-refresh" ["token.client-credentials-scope"] "client_credentials comes with a refresh token.";
    BasicWithoutChallenge "basic-without-challenge" ["token.basic-401"] "Failed Basic authentication is a 400 without challenge.";
    TokenErrors200 "token-errors-200" ["http.error-not-200", "token.error-shape", "token.basic-401", "revoke.auth", "revoke.bad-request", "revoke.other-client-informed", "device.polling", "dpop.nonce"] "Token errors travel with status 200.";
    TokenCacheable "token-cacheable" ["http.token-no-store"] "Token answers lack Cache-Control.";
    TokenTypeMissing "token-type-missing" ["token.response-shape", "pkce.s256-works", "refresh.works", "robust.no-5xx-token", "robust.limits"] "The token answer lacks token_type.";
    ExpiresInText "expires-in-text" ["token.response-shape", "pkce.s256-works", "refresh.works", "robust.no-5xx-token", "robust.limits"] "expires_in is a string.";
    RefreshClientGuessed "refresh-client-guessed" ["refresh.no-client"] "A refresh request without client_id is taken to come from the client of the token.";
    RefreshGuessable "refresh-guessable" ["token.entropy"] "Refresh tokens count up.";
    AccessLongLived "access-long-lived" ["token.lifetime", "rs.expired"] "Access tokens live for thirty days.";

    // Refresh.
    RefreshNoRotation "refresh-no-rotation" ["refresh.rotates-or-bound", "refresh.old-rejected", "refresh.race", "refresh.replay-kills-family", "refresh.replay-kills-grant"] "A refresh answers with the same refresh token.";
    RefreshOldWorks "refresh-old-works" ["refresh.old-rejected", "refresh.race", "refresh.replay-kills-family", "refresh.replay-kills-grant"] "Refresh tokens rotate, but the old ones keep working.";
    RefreshReplayHarmless "refresh-replay-harmless" ["refresh.replay-kills-family", "refresh.replay-kills-grant"] "A replayed refresh token is refused, and nothing else happens.";
    RefreshReplayKillsParent "refresh-replay-kills-parent" ["refresh.replay-kills-family", "refresh.replay-kills-grant"] "A replay revokes consumed refresh tokens only, not the active one.";
    RefreshReplayLeavesAccess "refresh-replay-leaves-access" ["refresh.replay-kills-grant"] "A replay kills the refresh tokens; access tokens live on.";
    RefreshReplayTooBroad "refresh-replay-too-broad" ["refresh.replay-kills-family", "refresh.replay-kills-grant"] "A replay revokes every grant the user has given to that client.";
    RefreshAnyClient "refresh-any-client" ["refresh.other-client"] "A refresh token is not bound to its client.";
    RefreshSecretUnchecked "refresh-secret-unchecked" ["refresh.confidential-auth"] "Confidential clients need not authenticate to refresh.";
    RefreshWidens "refresh-widens" ["refresh.scope-widen"] "A refresh may ask for any scope the server knows.";
    RefreshNarrowSticks "refresh-narrow-sticks" ["refresh.scope-narrow"] "A narrowed refresh narrows the grant for good.";
    RefreshNarrowIgnored "refresh-narrow-ignored" ["refresh.scope-narrow"] "scope at refresh is ignored.";
    CodeRaceForks "code-race-forks" ["token.code-race", "revoke.raced-tokens"] "Parallel requests redeem a code several times, and what each gets is a grant of its own: revoking one leaves the others.";
    RefreshRace "refresh-race" ["refresh.race"] "A refresh token is looked up and consumed in two steps: parallel requests fork the family.";
    RefreshPrefix "refresh-prefix" ["refresh.garbage"] "A refresh token need only begin like an issued one.";
    RefreshByAccess "refresh-by-access-token" ["refresh.garbage"] "An access token works as a refresh token.";

    // Scope.
    ScopeUnknownGranted "scope-unknown-granted" ["scope.unknown", "scope.case-and-prefix", "par.validated"] "Unknown scopes are granted as asked.";
    ScopeMalformed "scope-malformed" ["scope.malformed"] "Characters outside the scope alphabet are skipped.";
    ScopePrefix "scope-prefix" ["scope.case-and-prefix"] "A scope that only begins like a known one is granted as it was asked for, and taken for it.";
    ScopeUnreported "scope-unreported" ["scope.reported-when-different", "scope.omitted", "authz.partial-consent"] "The token answer never names the scope.";

    // Resource indicators.
    ResourceIgnored "resource-ignored" ["resource.audience-set", "rs.cross-audience", "resource.malformed", "resource.subset-then-other", "resource.token-not-granted", "resource.token-not-granted-code", "resource.unknown", "resource.multiple", "mcp.scope-hierarchy"] "resource is ignored: every token is for the default resource.";
    ResourceUnknown "resource-unknown" ["resource.unknown", "resource.malformed", "resource.near-equal"] "Any resource is accepted and becomes the audience.";
    ResourcePrefix "resource-prefix" ["resource.unknown", "resource.malformed"] "A resource need only start with a known one.";
    ResourceHostOnly "resource-host-only" ["resource.unknown", "resource.malformed", "resource.subset-then-other", "resource.token-not-granted", "resource.token-not-granted-code", "resource.multiple", "mcp.scope-hierarchy"] "A resource need only be on the known host.";
    ResourceMalformed "resource-malformed" ["resource.malformed"] "A fragment in resource is cut off in silence.";
    ResourceSpelling "resource-spelling" ["resource.near-equal"] "A trailing slash makes a new audience.";
    ResourceFirstOnly "resource-first-only" ["resource.multiple", "resource.subset-then-other"] "Of several resources all but the first are dropped in silence.";
    ResourceTokenSwitch "resource-token-switch" ["resource.token-not-granted"] "A code can be redeemed for any known resource.";
    ResourceTokenUnknown "resource-token-unknown" ["resource.unknown-at-token", "resource.token-not-granted", "resource.token-not-granted-code"] "A code can be redeemed for any resource, known or not.";
    ResourceRefreshSwitch "resource-refresh-switch" ["resource.token-not-granted"] "A refresh token can be used for any known resource.";
    ResourceNarrowSticks "resource-narrow-sticks" ["resource.subset-then-other"] "Redeeming a code for one of the granted resources loses the others.";
    AudienceMissing "audience-missing" ["resource.audience-set", "resource.token-not-granted", "resource.token-not-granted-code", "jwt.claims", "rs.cross-audience", "rs.cross-audience-reverse"] "Tokens name no audience, and the resource servers ask for none.";
    AudienceAll "audience-all" ["resource.audience-set", "rs.cross-audience", "resource.token-not-granted", "resource.token-not-granted-code"] "Every token is for every resource.";

    // iss in the authorization response.
    IssMissing "iss-missing" ["iss.success", "iss.error", "iss.error-denied", "iss.flag"] "The authorization response has no iss though the metadata promises it.";
    IssWrong "iss-wrong" ["iss.success", "iss.error", "iss.error-denied"] "iss is another issuer.";
    IssSlash "iss-slash" ["iss.success", "iss.error", "iss.error-denied"] "iss has a trailing slash that the issuer lacks.";
    IssTwice "iss-twice" ["iss.success", "iss.error", "iss.error-denied", "authz.empty-is-omitted", "authz.empty-is-omitted-scope", "authz.get", "authz.redirect-query-kept", "authz.reserved-echo", "authz.unknown-param-ignored", "redirect.loopback-any-port", "robust.no-5xx"] "iss comes twice.";
    IssMissingOnError "iss-missing-on-error" ["iss.error"] "Error responses have no iss.";
    IssUnadvertised "iss-unadvertised" ["iss.flag"] "iss is sent, but the metadata does not say so.";

    // Pushed authorization requests.
    ParStatus200 "par-status-200" ["par.created"] "A push is answered with 200 instead of 201.";
    ParUnauthenticated "par-unauthenticated" ["par.client-auth"] "Confidential clients need not authenticate to push.";
    ParRedirectUnchecked "par-redirect-unchecked" ["par.validated"] "Whatever redirect URI is pushed is trusted, from a client without credentials too.";
    ParPkceOptional "par-pkce-optional" ["par.validated"] "A pushed request needs no code_challenge.";
    ParRequestUriPushed "par-request-uri-pushed" ["par.validated"] "A request_uri within a pushed request is passed over.";
    ParAnyClient "par-any-client" ["par.bound-to-client"] "A request_uri works with any client_id.";
    ParFrontWins "par-front-wins" ["par.frontchannel-override", "par.frontchannel-challenge", "par.frontchannel-scope"] "Parameters beside request_uri replace the pushed ones.";
    ParClientIdOptional "par-client-id-optional" ["par.client-id-missing"] "A request_uri needs no client_id beside it.";
    ParReusable "par-reusable" ["par.reuse"] "A request_uri gives a code each time it is used.";
    ParNeverExpires "par-never-expires" ["par.expiry"] "Pushed requests do not expire.";
    ParUnrequired "par-unrequired" ["par.required"] "A client registered to push its requests may send them through the browser.";
    ParByGet "par-by-get" ["par.method"] "Requests can be pushed by GET, so they end up in logs.";
    ParGuessable "par-guessable" ["par.request-uri-quality"] "The references of pushed requests count up.";

    // Signed request objects.
    JarUnverified "jar-unverified" ["jar.signature"] "Request objects are decoded, not verified.";
    JarAlgNone "jar-alg-none" ["jar.signature"] "A request object with alg none is taken for signed.";
    JarEmbeddedKey "jar-embedded-key" ["jar.signature"] "The key in the header of a request object is trusted.";
    JarClientUnchecked "jar-client-unchecked" ["jar.claims"] "client_id within a request object may be another than beside it.";
    JarClaimsUnchecked "jar-claims-unchecked" ["jar.claims"] "exp and aud of a request object are not looked at.";
    JarMerged "jar-merged" ["jar.outside-params-ignored"] "Parameters beside a request object replace those within.";
    JarRequestUriFetched "jar-request-uri-fetched" ["jar.request-uri-ssrf"] "Whatever request_uri names is fetched.";

    // Client ID metadata documents.
    CimdTokenUnknown "cimd-token-unknown" ["cimd.advertised-works", "cimd.auth-enforced"] "The token endpoint does not know clients that are documents.";
    CimdIdUnchecked "cimd-id-unchecked" ["cimd.client-id-match"] "client_id in a client's document may be another than its URL.";
    CimdRedirectUnchecked "cimd-redirect-unchecked" ["cimd.redirect-registered"] "The redirect URIs in a client's document are not compared.";
    CimdUrlUnchecked "cimd-url-unchecked" ["cimd.url-rules"] "Any URL is a client identifier, with user information, a fragment or dot segments too.";
    CimdRedirected "cimd-redirected" ["cimd.fetch-rules"] "Redirects are followed on the way to a client's document.";
    CimdStatusIgnored "cimd-status-ignored" ["cimd.fetch-rules"] "A client's document counts whatever the status it comes with.";
    CimdSizeUnlimited "cimd-size-unlimited" ["cimd.fetch-rules-size"] "A client's document may be of any size.";
    CimdErrorsCached "cimd-errors-cached" ["cimd.errors-not-cached"] "A client whose document was bad once stays unknown.";
    CimdSecretAccepted "cimd-secret-accepted" ["cimd.secret-rules"] "A document that speaks of a shared secret is read as that of a public client.";
    CimdAuthUnenforced "cimd-auth-unenforced" ["cimd.auth-enforced"] "A client whose document says private_key_jwt need not authenticate.";
    CimdSpecialUse "cimd-special-use" ["cimd.ssrf"] "Client documents are fetched from special-use addresses.";
    CimdLogoFetched "cimd-logo-fetched" ["cimd.ssrf-nested"] "logo_uri and jwks_uri of a client's document are fetched with it, wherever they point.";
    CimdHostHidden "cimd-host-hidden" ["cimd.consent-hostname"] "The consent page does not say where the user will be sent.";
    CimdLocalUnwarned "cimd-local-unwarned" ["cimd.consent-localhost"] "The consent page does not warn of a client that is any program on the machine.";

    // Resource servers.
    RsAudienceA "rs-audience-a" ["rs.cross-audience"] "Resource server a does not look at the audience.";
    RsAudienceB "rs-audience-b" ["rs.cross-audience"] "Resource server b does not look at the audience.";
    RsSignature "rs-signature-unchecked" ["rs.jwt-signature", "rs.garbage-token", "rs.jwt-degenerate-signature", "rs.jwt-key-injection", "rs.jwt-parser-robust", "rs.persistence"] "JWTs are decoded, not verified.";
    RsSignatureEmpty "rs-signature-empty" ["rs.jwt-signature"] "An empty signature passes: there is nothing to verify.";
    RsSignatureStripped "rs-signature-stripped" ["rs.jwt-signature"] "A token of two segments is taken for an unsigned one and passes.";
    RsAlgNone "rs-alg-none" ["rs.jwt-signature"] "alg none is honoured.";
    RsAlgNoneCased "rs-alg-none-cased" ["rs.jwt-signature"] "none is refused, nOnE is honoured.";
    RsHs256Pem "rs-hs256-pem" ["rs.jwt-signature"] "HS256 is verified with the public key's PEM text as the secret.";
    RsHs256Jwk "rs-hs256-jwk" ["rs.jwt-signature"] "HS256 is verified with the public key's JWK text as the secret.";
    RsKidOnly "rs-kid-only" ["rs.jwt-signature", "rs.garbage-token", "rs.jwt-degenerate-signature", "rs.jwt-key-injection", "rs.jwt-parser-robust", "rs.persistence"] "A known kid is enough: the signature must be well-formed, nothing more.";
    RsEmbeddedJwk "rs-embedded-jwk" ["rs.jwt-key-injection"] "The key in the token's own header is trusted.";
    RsJku "rs-jku" ["rs.jwt-key-injection"] "Keys are fetched from the token's jku.";
    RsX5u "rs-x5u" ["rs.jwt-key-injection"] "The certificate at x5u is fetched before the token is refused.";
    RsKidPath "rs-kid-path" ["rs.jwt-key-injection"] "kid is a file name: an empty file gives an empty HMAC secret.";
    RsKidSql "rs-kid-sql" ["rs.jwt-key-injection"] "kid is pasted into a query, so it can choose the HMAC secret.";
    RsIssuerTrusted "rs-issuer-trusted" ["rs.jwt-confusion", "rs.jwt-unverified-use"] "Keys are looked up at the token's own iss before anything is verified.";
    RsIdToken "rs-id-token" ["rs.jwt-confusion"] "Whatever the issuer's key has signed passes, ID tokens too: neither typ nor their audience is looked at.";
    RsSignatureZero "rs-signature-zero" ["rs.jwt-degenerate-signature"] "The ES256 signature r = s = 0 verifies.";
    RsSignatureOrder "rs-signature-order" ["rs.jwt-degenerate-signature"] "The ES256 signature r = s = n verifies: zero is looked for before reducing.";
    RsSignatureDer "rs-signature-der" ["rs.jwt-degenerate-signature"] "DER-encoded ES256 signatures verify too.";
    RsSignatureTrailing "rs-signature-trailing" ["rs.jwt-degenerate-signature", "rs.garbage-token"] "Bytes after the ES256 signature are ignored.";
    RsExpired "rs-expired" ["rs.expired"] "exp is not looked at.";
    RsRevoked "rs-revoked" ["rs.revoked", "revoke.access", "revoke.refresh-cascades", "dcrm.access-tokens-after-delete", "refresh.chain-after-code-replay", "refresh.replay-kills-grant", "token.code-reuse-revokes"] "Access tokens are judged by themselves; revocation never reaches the resource servers.";
    RsScope "rs-scope-unchecked" ["rs.insufficient-scope", "rs.no-leak-on-scope-refusal", "rs.scope-in-challenge", "refresh.scope-narrow", "authz.partial-consent"] "Any valid token may do anything.";
    RsScope401 "rs-scope-401" ["rs.insufficient-scope", "rs.no-leak-on-scope-refusal", "rs.scope-in-challenge", "refresh.scope-narrow", "authz.partial-consent"] "A missing scope is a 401 invalid_token.";
    RsScopeNoChallenge "rs-scope-no-challenge" ["rs.insufficient-scope", "rs.no-leak-on-scope-refusal", "rs.scope-in-challenge", "refresh.scope-narrow", "authz.partial-consent", "mcp.post-scope-flow"] "The 403 has no WWW-Authenticate.";
    RsScopeUnnamed "rs-scope-unnamed" ["rs.scope-in-challenge"] "The 403 challenge does not name the scope.";
    RsNoChallenge "rs-no-challenge" ["rs.no-token", "rs.challenge-syntax", "rs.cross-audience", "rs.cross-audience-reverse", "rs.expired", "rs.garbage-token", "rs.garbage-token-opaque", "rs.jwt-confusion", "rs.jwt-confusion-foreign", "rs.jwt-degenerate-signature", "rs.jwt-key-injection", "rs.jwt-parser-robust", "rs.jwt-signature", "rs.jwt-unverified-use", "rs.no-leak-on-refusal", "rs.persistence", "rs.query-token-ignored", "rs.two-methods", "prm.challenge-match", "refresh.not-an-access-token", "dpop.bearer-downgrade", "http.cors-expose", "mcp.challenge-scope", "mcp.every-request", "mcp.status-codes", "mcp.tool-call-guarded"] "The 401 has no WWW-Authenticate.";
    RsErrorWithoutToken "rs-error-without-token" ["rs.no-token", "prm.challenge-match"] "A request without a token is answered with an error code.";
    RsChallengeSyntax "rs-challenge-syntax" ["rs.challenge-syntax"] "The challenge's values are not quoted though they must be.";
    RsAnyToken "rs-any-token" ["rs.garbage-token", "rs.challenge-syntax", "rs.cross-audience", "rs.cross-audience-reverse", "rs.expired", "rs.insufficient-scope", "rs.jwt-confusion", "rs.jwt-confusion-foreign", "rs.jwt-degenerate-signature", "rs.jwt-key-injection", "rs.jwt-parser-robust", "rs.jwt-signature", "rs.jwt-unverified-use", "rs.no-leak-on-refusal", "rs.no-leak-on-scope-refusal", "rs.persistence", "rs.revoked", "rs.scope-in-challenge", "dcrm.access-tokens-after-delete", "refresh.chain-after-code-replay", "refresh.not-an-access-token", "refresh.replay-kills-grant", "refresh.scope-narrow", "revoke.access", "revoke.refresh-cascades", "token.code-reuse-revokes", "authz.partial-consent", "http.cors-expose", "mcp.post-scope-flow", "mcp.status-codes"] "Any bearer token is accepted.";
    RsEmptyToken "rs-empty-token" ["rs.garbage-token"] "`Bearer` without a token is accepted.";
    RsTokenPrefix "rs-token-prefix" ["rs.garbage-token"] "An opaque token need only begin like an issued one.";
    RsTokenTail "rs-token-tail" ["rs.garbage-token"] "Characters after an issued token are ignored.";
    RsTokenSize500 "rs-token-size-500" ["rs.garbage-token"] "A token above 4 KiB is a 500.";
    RsRefreshToken "rs-refresh-token" ["refresh.not-an-access-token"] "Refresh tokens work as access tokens.";
    RsQueryToken "rs-query-token" ["rs.query-token-ignored"] "access_token in the query authenticates.";
    RsTwoMethods "rs-two-methods" ["rs.two-methods"] "Of two Authorization headers the last counts.";
    RsSchemeCase "rs-scheme-case" ["rs.scheme-case"] "The scheme must be spelled Bearer.";
    RsOtherMethod "rs-other-method-open" ["rs.every-path-guarded"] "Only the methods of the route are guarded: PUT reaches the data without a token.";
    RsSlash "rs-slash-open" ["rs.every-path-guarded"] "With a trailing slash the route needs no token.";
    RsOverride "rs-method-override" ["rs.every-path-guarded"] "X-HTTP-Method-Override: OPTIONS skips authentication.";
    RsLeak "rs-leak" ["rs.no-leak-on-refusal"] "The 403 body already has the data.";
    RsFragile "rs-fragile" ["rs.persistence"] "A badly signed copy of a token ends the token itself, so whoever has seen it can take it away.";
    RsJwt500 "rs-jwt-500" ["rs.jwt-parser-robust", "rs.garbage-token", "rs.jwt-signature"] "A JWT that cannot be decoded is a 500.";
    WeakSecret "weak-secret" ["rs.jwt-weak-secret", "intro.inactive", "jwt.header", "jwt.verifies"] "Access tokens are signed with HS256 and the secret `secret`.";
    EmptySecret "empty-secret" ["rs.jwt-weak-secret", "rs.jwt-key-injection", "intro.inactive", "jwt.header", "jwt.verifies"] "Access tokens are signed with HS256 and an empty secret: the setting was never filled in.";

    // The JWT access token itself.
    JwtTyp "jwt-typ" ["jwt.header"] "Access tokens carry typ JWT, like ID tokens.";
    JwtClaimMissing "jwt-claim-missing" ["jwt.claims"] "Access tokens lack client_id.";
    JwtTimesText "jwt-times-text" ["jwt.claims"] "exp and iat are strings.";
    JwtScopeLies "jwt-scope-lies" ["jwt.consistent", "refresh.scope-narrow", "rs.insufficient-scope", "rs.no-leak-on-scope-refusal", "rs.scope-in-challenge", "authz.partial-consent", "mcp.post-scope-flow"] "The token's scope claim has every scope, whatever was granted.";
    JwtUnknownKey "jwt-unknown-key" ["jwt.verifies"] "The published key is not the one that signs.";

    // Revocation and introspection.
    RevokeNothing "revoke-nothing" ["revoke.refresh", "revoke.access", "revoke.hint", "revoke.refresh-cascades", "intro.inactive-revoked", "rs.revoked"] "Revocation answers 200 and does nothing.";
    RevokeLeavesAccess "revoke-leaves-access" ["revoke.refresh-cascades"] "Revoking a refresh token leaves its access tokens alive.";
    RevokeAccessNothing "revoke-access-nothing" ["revoke.access", "intro.inactive-revoked", "rs.revoked"] "Revoking an access token answers 200 and does nothing.";
    RevokeAnyClient "revoke-any-client" ["revoke.other-client"] "Any client can revoke any token.";
    RevokeUnauthenticated "revoke-unauthenticated" ["revoke.auth"] "Confidential clients need not authenticate to revoke.";
    RevokeHintTrusted "revoke-hint-trusted" ["revoke.hint"] "A token is looked for only where token_type_hint says.";
    RevokeUnknown400 "revoke-unknown-400" ["revoke.invalid-is-200"] "An unknown token is an error.";
    RevokeAgain400 "revoke-again-400" ["revoke.again-is-200"] "Revoking a token a second time is an error.";
    RevokeGet "revoke-by-get" ["revoke.bad-request"] "Revocation answers GET.";
    RevokeTooBroad "revoke-too-broad" ["revoke.refresh", "revoke.access", "revoke.bad-request", "revoke.other-client", "revoke.refresh-cascades", "revoke.refresh-confidential", "revoke.other-client-informed", "revoke.invalid-is-200", "revoke.again-is-200", "revoke.hint", "revoke.access-cascades", "rs.revoked"] "Revoking one token ends every grant the user has given to that client.";
    IntrospectOpen "introspect-open" ["intro.auth"] "Introspection needs no credentials.";
    IntrospectPublic "introspect-public" ["intro.auth"] "Naming a public client is enough to introspect.";
    IntrospectRevokedActive "introspect-revoked-active" ["intro.inactive"] "Revoked tokens are still reported active.";
    IntrospectTalkative "introspect-talkative" ["intro.inactive"] "For an inactive token the answer says whose it was.";
    IntrospectText "introspect-text" ["intro.active"] "active is the string \"true\".";
    IntrospectGet "introspect-by-get" ["intro.missing-token"] "Introspection answers GET, so tokens end up in logs.";

    // Rich authorization requests.
    RarUnknownAccepted "rar-unknown-accepted" ["rar.unknown-type"] "Unknown authorization detail types are granted as asked.";
    RarUnknownDropped "rar-unknown-dropped" ["rar.unknown-type"] "Unknown authorization detail types are dropped in silence.";
    RarTypeCase "rar-type-case" ["rar.unknown-type"] "The type is compared without regard to case.";
    RarFieldUnknown "rar-field-unknown" ["rar.bad-object"] "Unknown fields of a detail are passed through.";
    RarFieldMissing "rar-field-missing" ["rar.bad-object"] "Required fields of a detail may be left out.";
    RarFieldType "rar-field-type" ["rar.bad-object"] "The types and values of a detail's fields are not checked.";
    RarObjectAccepted "rar-object-accepted" ["rar.not-array"] "A single object is accepted where an array is required.";
    RarEmptyAccepted "rar-empty-accepted" ["rar.not-array"] "An empty array is accepted.";
    RarDuplicateKeys "rar-duplicate-keys" ["rar.parser-differential"] "Duplicate keys are not noticed: the check reads the last, the page shows the first.";
    RarNotReturned "rar-not-returned" ["rar.valid"] "The token answer lacks authorization_details.";
    RarTokenWidens "rar-token-widens" ["rar.token-widen"] "The token request may name any valid details.";
    RarRefreshWidens "rar-refresh-widens" ["rar.token-widen"] "The refresh request may name any valid details.";
    RarUnenforced "rar-unenforced" ["rar.enforced-at-rs"] "The resource server does not ask for authorization details.";
    RarActionUnenforced "rar-action-unenforced" ["rar.enforced-at-rs"] "The resource server looks at a detail's type, not at its actions.";
    RarHidden "rar-hidden" ["rar.rs-visible"] "Authorization details are neither in the token nor in introspection.";
    RarUnadvertised "rar-unadvertised" ["rar.metadata"] "The metadata lists a detail type that does not exist.";

    // Dynamic client registration.
    DcrScript "dcr-script-redirect" ["dcr.redirect-invalid", "dcrm.update-validated"] "javascript: and data: redirect URIs can be registered.";
    DcrFragment "dcr-fragment-redirect" ["dcr.redirect-invalid", "dcrm.update-validated"] "Redirect URIs with a fragment can be registered.";
    DcrHttp "dcr-http-redirect" ["dcr.redirect-invalid", "dcrm.update-validated"] "http redirect URIs on any host can be registered.";
    DcrUserinfo "dcr-userinfo-redirect" ["dcr.redirect-invalid"] "Redirect URIs with user information can be registered.";
    DcrRelative "dcr-relative-redirect" ["dcr.redirect-invalid"] "Relative redirect URIs can be registered.";
    DcrWildcard "dcr-wildcard" ["dcr.redirect-wildcard"] "`*` in a registered redirect URI matches anything.";
    DcrPrivateScheme "dcr-private-scheme" ["dcr.private-scheme"] "A private-use scheme without a period can be registered.";
    DcrReservedQuery "dcr-reserved-query" ["redirect.reserved-params"] "A redirect URI with code or state in its query can be registered, and comes back with both.";
    DcrStatus200 "dcr-status-200" ["dcr.created"] "Registration answers 200.";
    DcrChosenId "dcr-chosen-id" ["dcr.client-id-server-chosen"] "A client may choose its own client_id.";
    DcrLegacyGrants "dcr-legacy-grants" ["dcr.no-legacy", "dcr.metadata-errors"] "The implicit and password grants can be registered.";
    DcrMethodUnenforced "dcr-method-unenforced" ["dcr.enforced"] "A client registered for one authentication method may use another.";
    DcrScopeUnenforced "dcr-scope-unenforced" ["dcr.enforced"] "The registered scope does not bound what is granted.";
    DcrGrantUnenforced "dcr-grant-unenforced" ["dcr.enforced"] "A client may use grant types it has not registered.";
    DcrTypesUnchecked "dcr-types-unchecked" ["dcr.metadata-errors"] "Metadata of the wrong type is passed over instead of refused.";
    DcrUnknownRefused "dcr-unknown-refused" ["dcr.unknown-ignored"] "Unknown client metadata is an error.";
    DcrScopeAll "dcr-scope-all" ["dcr.scope-bounded"] "Every client is registered for every scope, whatever it asked for.";
    DcrNameUnescaped "dcr-name-unescaped" ["dcr.consent-injection"] "The consent page prints client_name as HTML.";
    DcrLogoFetched "dcr-logo-fetched" ["dcr.fetch-ssrf"] "logo_uri is fetched when a client registers.";
    DcrPolicyFetched "dcr-policy-fetched" ["dcr.fetch-ssrf"] "policy_uri and tos_uri are fetched when a client registers.";
    DcrSectorFetched "dcr-sector-fetched" ["dcr.fetch-ssrf"] "sector_identifier_uri is fetched when a client registers, wherever it points.";
    DcrJwksFetchedAtOnce "dcr-jwks-fetched-at-once" ["dcr.fetch-ssrf"] "jwks_uri is fetched when a client registers, wherever it points.";
    FetchSpecialUse "fetch-special-use" ["dcr.fetch-ssrf"] "A jwks_uri on any special-use address is fetched.";
    FetchRedirects "fetch-redirects" ["dcr.fetch-ssrf"] "Redirects are followed when a jwks_uri is fetched, wherever they lead.";
    DcrBadKeys "dcr-bad-keys" ["dcr.jwks-invalid", "cimd.private-keys"] "Private, symmetric and short keys can be registered, or stand in a client's document.";
    DcrSecretShort "dcr-secret-short" ["dcr.secret-quality"] "Issued secrets are eight digits.";
    DcrmOpen "dcrm-open" ["dcrm.access"] "Client configuration needs no registration access token.";
    DcrmAnyToken "dcrm-any-token" ["dcrm.access"] "Any client's registration access token will do.";
    DcrmMerges "dcrm-merges" ["dcrm.lifecycle"] "PUT keeps what the request leaves out.";
    DcrmUnvalidated "dcrm-unvalidated" ["dcrm.update-validated"] "PUT does not check redirect URIs.";
    DcrmImmutable "dcrm-identity-chosen" ["dcrm.immutable"] "PUT lets the client choose its identifier and its secret.";
    DcrmLeavesTokens "dcrm-leaves-tokens" ["dcrm.tokens-after-delete"] "Deleting a client leaves its tokens alive.";

    // MCP server.
    McpOpen "mcp-open" ["mcp.tool-call-guarded", "mcp.every-request", "mcp.challenge-scope"] "The MCP server answers whoever brings no token.";
    McpSession "mcp-session" ["mcp.every-request"] "The MCP server gives out a session id, and takes it in place of a token.";
    McpErrors200 "mcp-errors-200" ["mcp.status-codes", "mcp.cross-audience", "rs.audience-matrix"] "An invalid token is a JSON-RPC error with status 200 at the MCP server.";
    McpScope "mcp-scope" ["mcp.post-scope-flow"] "The MCP server runs every tool with any token.";
    McpScopeExact "mcp-scope-exact" ["mcp.scope-hierarchy"] "The MCP server asks for the very scope of a tool; one that covers it does not count.";
    RegistrationHidden "registration-hidden" ["mcp.registration-path"] "The metadata say neither where clients register nor that they may be documents.";
    McpScopeUnnamed "mcp-scope-unnamed" ["mcp.challenge-scope", "mcp.post-scope-flow"] "Challenges of the MCP server name no scope.";
    McpOrigin "mcp-origin" ["mcp.origin"] "The MCP server does not look at Origin.";
    McpHost "mcp-host" ["mcp.host-rebinding"] "The MCP server does not look at Host.";
    McpVersion "mcp-version" ["mcp.protocol-version"] "Any MCP-Protocol-Version will do.";
    McpHeaders "mcp-headers" ["mcp.header-body-mismatch"] "Mcp-Method and Mcp-Name are believed, and not compared with the body.";
    McpSlash "mcp-slash" ["mcp.canonical-spelling"] "With a slash at its end the MCP endpoint is open.";
    McpOfflineAccess "mcp-offline-access" ["mcp.offline-access-absent"] "The metadata of the MCP server lists offline_access.";
    McpOmnibus "mcp-omnibus" ["mcp.scopes-minimal"] "The metadata of the MCP server lists a wildcard scope.";

    // Proof of possession.
    DpopUnbound "dpop-unbound" ["dpop.bound"] "A proof makes token_type DPoP, but the token is bound to no key.";
    DpopThumbprint "dpop-thumbprint" ["dpop.bound"] "jkt is a hash of the key's text with a line end, not its RFC 7638 thumbprint.";
    DpopSignature "dpop-signature" ["dpop.proof-validation", "dpop.rs-validation"] "The signature of a proof is not verified.";
    DpopAlgNone "dpop-alg-none" ["dpop.proof-validation"] "A proof with alg none is valid.";
    DpopHs256 "dpop-hs256" ["dpop.proof-validation"] "A proof may be signed with HS256 and the text of its own jwk as secret.";
    DpopPrivateJwk "dpop-private-jwk" ["dpop.proof-validation"] "A proof may bring its private key along.";
    DpopTyp "dpop-typ" ["dpop.proof-validation"] "Any JWT that the key has signed is a proof.";
    DpopHtm "dpop-htm" ["dpop.proof-validation", "dpop.rs-validation"] "htm of a proof is not compared.";
    DpopHtu "dpop-htu" ["dpop.proof-validation", "dpop.rs-validation"] "htu of a proof is not compared.";
    DpopIat "dpop-iat" ["dpop.proof-validation"] "iat of a proof is not looked at.";
    DpopJtiMissing "dpop-jti-missing" ["dpop.proof-validation"] "A proof needs no jti.";
    DpopTwoProofs "dpop-two-proofs" ["dpop.proof-validation"] "Of two proofs the first counts.";
    DpopReplay "dpop-replay" ["dpop.rs-validation"] "A proof can be used again.";
    DpopProofMissing "dpop-proof-missing" ["dpop.rs-validation"] "The DPoP scheme is enough: a bound token needs no proof.";
    DpopAnyKey "dpop-any-key" ["dpop.rs-validation"] "A proof by any key goes with any token.";
    DpopAth "dpop-ath" ["dpop.rs-validation"] "ath of a proof is not compared with the token.";
    DpopBearer "dpop-bearer" ["dpop.bearer-downgrade"] "A bound token opens the resource as a bearer token too.";
    DpopRefreshUnbound "dpop-refresh-unbound" ["dpop.refresh-bound"] "Refresh tokens of public clients are bound to no key.";
    DpopNonceAny "dpop-nonce-any" ["dpop.nonce"] "Any nonce is taken for one that was supplied.";
    DpopJktIgnored "dpop-jkt-ignored" ["dpop.jkt-code-binding"] "dpop_jkt of the authorization request is forgotten.";

    // Device grant.
    DeviceIntervalText "device-interval-text" ["device.response"] "interval and expires_in of the device response are strings.";
    DeviceUriMissing "device-uri-missing" ["device.response"] "The device response calls verification_uri verification_url, as drafts did.";
    DeviceUnapproved "device-unapproved" ["device.polling"] "The first poll gives tokens for the first user: nobody has to approve.";
    DeviceDenialApproves "device-denial-approves" ["device.polling"] "The deny button connects the device too.";
    DeviceDenialForgotten "device-denial-forgotten" ["device.polling"] "A denial leaves the request pending.";
    DevicePending200 "device-pending-200" ["device.polling"] "authorization_pending comes with status 200.";
    DevicePollingFatal "device-polling-fatal" ["device.polling"] "A poll that comes too early ends the request.";
    DeviceNeverExpires "device-never-expires" ["device.polling"] "Device codes do not expire.";
    DeviceAnyClient "device-any-client" ["device.code-bound-once"] "A device code can be redeemed by any client.";
    DeviceReusable "device-reusable" ["device.code-bound-once"] "A device code can be redeemed again and again.";
    DeviceGuessing "device-guessing" ["device.user-code-bruteforce"] "User codes can be guessed without end.";
    DeviceByGet "device-by-get" ["device.param-hygiene"] "The device authorization endpoint answers GET too.";
    DeviceDuplicates "device-duplicates" ["device.param-hygiene"] "Of a repeated parameter of a device authorization request the last value counts.";
    DeviceUnknownRefused "device-unknown-refused" ["device.param-hygiene"] "A parameter that the device authorization endpoint does not know is an error.";
    DeviceClientUnchecked "device-client-unchecked" ["device.param-hygiene"] "The device authorization endpoint does not authenticate clients, nor ask whether it knows them.";
    DeviceCodeShort "device-code-short" ["device.code-quality"] "Device codes are six characters.";
    DeviceUserCodeCounts "device-user-code-counts" ["device.code-quality"] "User codes count up.";
    DeviceUserCodeExact "device-user-code-exact" ["device.code-quality"] "A user code must be typed exactly as it is shown, case and dash included.";
    DeviceUserCodeReusable "device-user-code-reusable" ["device.code-quality"] "A user code that has been approved can be approved again.";

    DcrStatementBelieved "dcr-statement-believed" ["dcr.software-statement"] "A software statement counts, whoever has signed it.";

    // Whole-server faults.
    BigBody500 "big-body-500" ["robust.limits"] "A request body of more than 64 KB is a 500.";
    PlusKept "plus-kept" ["robust.parser-agreement", "authz.state-echo", "authz.state-echo-denied", "authz.state-echo-error"] "A plus sign in state is not read as a space.";
    CorsUnexposed "cors-unexposed" ["http.cors-expose"] "WWW-Authenticate is not among the headers that pages may read.";
    DcrErrors200 "dcr-errors-200" ["http.registration-error-not-200"] "Registration errors travel with status 200.";
    ReferrerUnset "referrer-unset" ["http.referrer-policy"] "Pages do not say which referrer may leave them.";
    ServerError500 "server-error-500" ["robust.no-5xx", "robust.no-detail-leak", "redirect.unicode-confusion", "redirect.unicode-confusion-bad-pkce", "redirect.unicode-confusion-bad-response-type", "redirect.unicode-confusion-no-session"] "A broken percent escape is a 500.";
    StackTrace "stack-trace" ["robust.no-detail-leak"] "Token errors carry a stack trace.";

    // Deep faults: see `deep`.
    @deep {
        DeepCrashNulState "deep-crash-nul-state" "A NUL in state is a 500: the page is rendered by a C library.";
        DeepCrashOverlong "deep-crash-overlong" "An overlong UTF-8 sequence in a token request is a 500.";
        DeepCrashPercentRevoke "deep-crash-percent-revoke" "A percent sign that begins no escape is a 500, at the revocation endpoint only.";
        DeepCrashSurrogate "deep-crash-surrogate" "A lone surrogate, escaped, in authorization_details is a 500.";
        DeepCrashHugeNumber "deep-crash-huge-number" "A number beyond double precision in a registration is a 500.";
        DeepCrashJsonDepth "deep-crash-json-depth" "authorization_details nested more than sixty deep are a 500.";
        DeepCrashNullRedirects "deep-crash-null-redirects" "redirect_uris null in a registration is a 500.";
        DeepCrashBasicColon "deep-crash-basic-colon" "Basic credentials without a colon are a 500 at the token endpoint.";
        DeepCrashBasicBase64 "deep-crash-basic-base64" "Basic credentials that are no base64 are a 500 at the introspection endpoint.";
        DeepCrashCharset "deep-crash-charset" "A charset other than UTF-8 in the Content-Type of a token request is a 500.";
        DeepCrashBracketCode "deep-crash-bracket-code" "A parameter `code[…]` in a token request is a 500: a list where a text was expected.";
        DeepCrashLongScope "deep-crash-long-scope" "A scope of more than 4096 bytes is a 500: the column is shorter.";
        DeepCrashBearerTab "deep-crash-bearer-tab" "A tab in the Authorization header is a 500 at the resource servers.";
        DeepCrashTwoAuthorization "deep-crash-two-authorization" "Two Authorization headers are a 500 at the resource servers.";
        DeepCrashManyParameters "deep-crash-many-parameters" "More than a thousand parameters in a token request are a 500.";
        DeepCrashProtoMember "deep-crash-proto-member" "A member `__proto__` in a registration is a 500.";
        DeepCrashByteOrderMark "deep-crash-byte-order-mark" "A byte order mark before a registration is a 500.";
        DeepCrashFullWidth "deep-crash-full-width" "A full-width character in client_id is a 500: two lookups disagree.";
        DeepCrashMaxAge "deep-crash-max-age" "max_age that is no number is a 500.";
        DeepCrashPut "deep-crash-put" "PUT at the token endpoint is a 500.";
        DeepCrashCookie "deep-crash-cookie" "A Cookie header without `=` is a 500 at the authorization endpoint.";
        DeepCrashForwardedProto "deep-crash-forwarded-proto" "X-Forwarded-Proto other than http and https is a 500 where metadata is served.";
        DeepCrashLongName "deep-crash-long-name" "A client_name of more than 4096 bytes is a 500.";
        DeepCrashHintText "deep-crash-hint-text" "token_type_hint that is no ASCII is a 500 at the revocation endpoint.";
        DeepCrashFormPost "deep-crash-form-post" "response_mode=form_post together with a prompt is a 500: its page has no such case.";
        DeepCrashRefreshResource "deep-crash-refresh-resource" "A refresh request with a scope and two resources is a 500.";
        DeepHangBrackets "deep-hang-brackets" "A parameter nested a hundred brackets deep keeps a token request busy for seconds.";
        DeepHangUri "deep-hang-uri" "A redirect URI with a hundred `@` is read for seconds: the expression backtracks.";
        DeepHangContentType "deep-hang-content-type" "A Content-Type with three hundred spaces is read for seconds.";
        DeepHangJson "deep-hang-json" "A registration nested five hundred deep is read for seconds.";
        DeepSecondVerifier "deep-second-verifier" "Of two code_verifiers in the body the second wins.";
        DeepQueryVerifier "deep-query-verifier" "code_verifier is taken from the query when the body has none.";
        DeepPostedRedirect "deep-posted-redirect" "In a posted authorization request the first redirect URI is checked, and errors go to the second.";
        DeepEscapedType "deep-escaped-type" "A second type in an authorization detail is not noticed when its name is spelt with an escape: the last one wins.";
        DeepSemicolon "deep-semicolon" "The error page of the authorization endpoint believes a redirect_uri behind a semicolon.";
        DeepCodeNul "deep-code-nul" "A code ends at the first NUL.";
        DeepVerifierList "deep-verifier-list" "A code_verifier with commas is a list, and its first entry counts.";
        DeepRefreshTrimmed "deep-refresh-trimmed" "White space after a refresh token is cut off.";
        DeepBearerComma "deep-bearer-comma" "What follows a comma in the Authorization header is ignored by the resource servers.";
        DeepSecretInvisible "deep-secret-invisible" "Invisible characters in a client secret are ignored.";
        DeepIntrospectTail "deep-introspect-tail" "Introspection looks at a token up to its first white space.";
        DeepErrorDetails "deep-error-details" "When authorization_details are malformed, the error goes to the redirect URI unchecked.";
        DeepErrorRepeat "deep-error-repeat" "When a parameter is repeated, the error goes to the redirect URI unchecked.";
        DeepErrorPrompt "deep-error-prompt" "When prompt is contradictory, the error goes to the redirect URI unchecked.";
        DeepLocaleMarkup "deep-locale-markup" "An error page shows ui_locales unescaped.";
        DeepGrantTypeEcho "deep-grant-type-echo" "The error_description repeats an unsupported grant_type as it came.";
        DeepPostedInjection "deep-posted-injection" "A line end in the state of a posted authorization request begins a header.";
        DeepCodeKept "deep-code-kept" "A redemption that names a scope does not use up the code.";
        DeepRefreshKept "deep-refresh-kept" "A refresh request that names an audience does not use up the refresh token.";
        DeepCodeRace "deep-code-race" "A redemption with an unknown parameter takes a slow path on which the code can be redeemed several times at once.";
        DeepRevokeHint "deep-revoke-hint" "Revocation with an unknown token_type_hint answers 200 and does nothing.";
        DeepRevokeForeign "deep-revoke-foreign" "Revocation with a token_type_hint does not ask whose token it is.";
        DeepCacheNonce "deep-cache-nonce" "A token answer may be stored when the request had a nonce.";
        DeepXmlError "deep-xml-error" "A client that accepts XML gets token errors as XML.";
        DeepUrnError200 "deep-urn-error-200" "An unsupported grant type that is a URN is an error with status 200.";
        DeepMultipartTrace "deep-multipart-trace" "A multipart token request is answered with a stack trace.";
        DeepExpiresText "deep-expires-text" "expires_in is a string when a refresh request names a scope.";
        DeepLastStateLost "deep-last-state-lost" "state is lost when it is the last parameter.";
        DeepLongNameRefused "deep-long-name-refused" "An unknown parameter with a name longer than forty bytes is refused.";
        DeepStateSeparator "deep-state-separator" "A Unicode line separator in state is dropped.";
        DeepPoisonPill "deep-poison-pill" "After a revocation with a parameter `__proto__` every token request is refused.";
    }
}
