//! Faults of the face `agnicpay`.

use super::service::service_faults;

service_faults! {
    /// A promise of AgnicPay's documentation that the server breaks.
    AgnicFault as Agnic {
        // Metadata.
        MetadataMember "agnic-metadata-member" ["agnic.metadata"] "The metadata does not say which scopes there are.";
        MetadataIssuer "agnic-metadata-issuer" like MetadataIssuerDiffers ["agnic.metadata"] "AgnicPay's metadata names another issuer.";
        MetadataGuarded "agnic-metadata-guarded" ["agnic.discovery-public"] "The metadata needs the X-Agnic-Token of the documentation's sample.";

        // The authorization request.
        RedirectStatus "agnic-redirect-status" ["agnic.authorize-302"] "The authorization endpoint redirects with 307.";
        ErrorPage200 "agnic-error-page-200" ["agnic.authorize-400"] "Pages about invalid parameters have status 200.";
        StateOptional "agnic-state-optional" ["agnic.required-params", "agnic.authorize-400"] "state may be left out.";
        RedirectUriOptional "agnic-redirect-uri-optional" ["agnic.required-params", "agnic.authorize-400"] "A missing redirect_uri means the only registered one.";
        ResponseTypeOptional "agnic-response-type-optional" like ResponseTypeAssumed ["agnic.required-params", "agnic.authorize-400"] "A missing response_type means code.";
        StateTrimmed "agnic-state-trimmed" like StateTrimmed ["agnic.state-unchanged"] "state comes back without the spaces around it.";
        StateCut "agnic-state-cut" like StateCut ["agnic.state-unchanged"] "A long state comes back cut to 255 characters.";
        ImplicitIssued "agnic-implicit-issued" like ImplicitIssued ["agnic.code-only"] "response_type=token brings an access token.";
        ResponseTypeAny "agnic-response-type-any" like UnknownResponseTypeAccepted ["agnic.code-only", "agnic.authorize-400"] "Any response_type is read as code.";
        DefaultScopeLess "agnic-default-scope-less" ["agnic.scope-default"] "Without scope only balance:read is granted.";
        RedirectAny "agnic-redirect-any" like RedirectAny ["agnic.redirect-whitelist", "agnic.cli-loopback-only"] "AgnicPay redirects to whatever redirect_uri says.";
        LocalhostForAll "agnic-localhost-for-all" like LocalhostException ["agnic.redirect-whitelist", "agnic.cli-loopback-only"] "Every application may redirect to localhost, as the CLI may.";

        // The token endpoint.
        JsonForCodesOnly "agnic-json-for-codes-only" ["agnic.token-json"] "Codes are taken as JSON, refresh tokens as a form only.";
        JsonCharset "agnic-json-charset" ["agnic.token-json-charset"] "A charset parameter after application/json is refused.";
        TokenRedirectUriOptional "agnic-token-redirect-uri-optional" ["agnic.token-required"] "redirect_uri need not come with the code.";
        TokenClientOptional "agnic-token-client-optional" like ClientIdOptional ["agnic.token-required"] "client_id need not come with the code.";
        TokenGrantTypeOptional "agnic-token-grant-type-optional" like GrantTypeGuessed ["agnic.token-required"] "grant_type need not come with the code.";
        AccessPrefix "agnic-access-prefix" ["agnic.token-shape", "agnic.refresh"] "Access tokens do not begin with agnic_at_.";
        RefreshPrefix "agnic-refresh-prefix" ["agnic.token-shape", "agnic.refresh"] "Refresh tokens do not begin with agnic_rt_.";
        ScopeUnreported "agnic-scope-unreported" like ScopeUnreported ["agnic.token-shape", "agnic.refresh", "agnic.scope-default"] "The token answer does not name the scope.";
        AccessShort "agnic-access-short" ["agnic.at-lifetime"] "Every access token lives an hour.";
        AccessAllAlike "agnic-access-all-alike" ["agnic.at-lifetime-n8n"] "N8N's access tokens live no longer than others.";
        AccessForCli "agnic-access-for-cli" ["agnic.at-lifetime-cli"] "The CLI's access tokens live a year.";
        InvalidGrant401 "agnic-invalid-grant-401" ["agnic.invalid-grant-400"] "An invalid grant is answered with 401.";
        CodeReusable "agnic-code-reusable" like CodeReusable ["agnic.invalid-grant-400-reused"] "A code can be redeemed again.";
        RefreshNeedsClient "agnic-refresh-needs-client" ["agnic.refresh"] "A refresh without client_id is refused.";
        VerifierOptional "agnic-verifier-optional" like PkceVerifierOptional ["agnic.pkce-enforced-when-sent"] "The verifier need not be sent.";
        VerifierUnchecked "agnic-verifier-unchecked" like PkceVerifierUnchecked ["agnic.pkce-enforced-when-sent", "agnic.pkce-default-s256-never-plain"] "Any verifier will do.";
        MethodRequired "agnic-method-required" ["agnic.pkce-default-s256"] "code_challenge_method must be sent.";
        MethodOmittedPlain "agnic-method-omitted-plain" like PkceOmittedMeansPlain ["agnic.pkce-default-s256"] "Without a method the challenge is taken for a plain one.";
        PlainAccepted "agnic-plain-accepted" like PkcePlain ["agnic.pkce-default-s256-never-plain"] "code_challenge_method=plain is accepted.";

        // The CLI.
        CliPkceOptional "agnic-cli-pkce-optional" ["agnic.cli-pkce-required"] "agnic_cli gets a code without PKCE.";
        CliAnyPath "agnic-cli-any-path" like LoopbackPathIgnored ["agnic.cli-loopback-only"] "agnic_cli may redirect to any path on 127.0.0.1.";
        CliHostPrefix "agnic-cli-host-prefix" ["agnic.cli-loopback-only"] "The host need only begin with localhost.";
        CliHttps "agnic-cli-https" like LoopbackScheme ["agnic.cli-loopback-only"] "agnic_cli may redirect to https on 127.0.0.1.";
        CliPortFixed "agnic-cli-port-fixed" like LoopbackPortFixed ["agnic.cli-any-port"] "agnic_cli must use the registered port.";
        CliNamePortFixed "agnic-cli-name-port-fixed" ["agnic.cli-any-port"] "At localhost the registered port must be used; at 127.0.0.1 any.";

        // prompt, and the approval.
        NonePage "agnic-prompt-none-page" ["agnic.prompt-none"] "prompt=none shows the login page.";
        NoneCode "agnic-prompt-none-code" like PromptNoneCode ["agnic.prompt-none"] "prompt=none without a session gives the first user's code.";
        NoneSkipsConsent "agnic-prompt-none-skips-consent" like PromptNoneSkipsConsent ["agnic.prompt-none-consent"] "prompt=none in a session gives a code to any application.";
        NoneNever "agnic-prompt-none-never" ["agnic.prompt-none-approved"] "prompt=none is an error after an approval, too.";
        ConsentForgotten "agnic-consent-forgotten" ["agnic.prompt-consent-login", "agnic.prompt-none-approved"] "Nothing that was approved is remembered.";
        ConsentIgnored "agnic-prompt-consent-ignored" ["agnic.prompt-consent"] "prompt=consent is approved in silence.";
        LoginIgnored "agnic-prompt-login-ignored" ["agnic.prompt-login"] "prompt=login shows the approval without a login.";
        LimitsIgnored "agnic-limits-ignored" ["agnic.limits-held"] "A payment above the user's limit goes through.";
        LimitsUnasked "agnic-limits-unasked" ["agnic.limits-asked"] "The approval asks for a limit per transaction only: days, months and networks are without limit.";

        // The API.
        TransactionsOwnHeader "agnic-transactions-own-header" ["agnic.bearer-endpoints"] "/api/transactions takes X-Agnic-Token only.";
        GatewayOwnHeader "agnic-gateway-own-header" ["agnic.bearer-endpoints-paying"] "/v1/chat/completions takes X-Agnic-Token only.";
        ScopeUnchecked "agnic-scope-unchecked" like RsScope ["agnic.scope-separation"] "AgnicPay's API does not look at scopes.";
    }
}
