//! Faults of the face `hasp`.

use super::service::service_faults;

service_faults! {
    /// A promise of HASP's documentation that the server breaks.
    HaspFault as Hasp {
        // Authorization details.
        DetailsOptional "hasp-details-optional" ["hasp.rar-required"] "Without authorization_details a request is accepted all the same.";
        ObjectAccepted "hasp-object-accepted" like RarObjectAccepted ["hasp.rar-array"] "One object is taken in place of an array.";
        DecodedTwice "hasp-decoded-twice" ["hasp.rar-array"] "authorization_details is percent-decoded twice.";
        EmptyAccepted "hasp-empty-accepted" like RarEmptyAccepted ["hasp.rar-one-valid"] "An empty array is taken for a valid grant.";
        UnknownAccepted "hasp-unknown-accepted" like RarUnknownAccepted ["hasp.rar-one-valid", "hasp.rar-one-valid-mixed"] "Authorization details of any type are accepted.";
        UnknownDropped "hasp-unknown-dropped" ["hasp.rar-one-valid-mixed"] "An unknown type beside a valid one is dropped, and the rest is accepted.";

        // The agent.
        AgentOptional "hasp-agent-optional" ["hasp.agent-id"] "Without agent_id the user's first agent is taken.";
        AgentUnchecked "hasp-agent-unchecked" ["hasp.agent-id"] "Any agent_id is accepted.";
        AgentOfAnybody "hasp-agent-of-anybody" ["hasp.agent-id-foreign"] "Users can approve for agents of other organizations.";

        // The front channel.
        RedirectPrefix "hasp-redirect-prefix" like RedirectPrefix ["hasp.redirect-exact"] "A callback URL need only begin with a registered one.";
        StateLostOnDenial "hasp-state-lost-on-denial" ["hasp.callback-denied"] "The callback after a denial has no state.";
        StateTrimmed "hasp-state-trimmed" like StateTrimmed ["hasp.callback"] "The callback's state is not the one that was sent: blanks around it are gone.";
        PkceOptional "hasp-pkce-optional" like PkceOptional ["hasp.pkce-public", "hasp.oauth21"] "Public clients may leave PKCE out of a request to HASP.";
        PlainAccepted "hasp-plain-accepted" like PkcePlain ["hasp.pkce-public", "hasp.oauth21"] "HASP accepts PKCE method plain.";
        MethodOmitted "hasp-method-omitted" like PkceOmittedMeansPlain ["hasp.pkce-public"] "Without a method the challenge is the verifier.";
        ImplicitIssued "hasp-implicit-issued" like ImplicitIssued ["hasp.oauth21"] "HASP gives access tokens in the fragment.";
        PasswordGrant "hasp-password-grant" like PasswordGrant ["hasp.oauth21-password"] "HASP's token endpoint takes passwords.";
        IssMissing "hasp-iss-missing" like IssMissing ["hasp.oauth21-iss"] "The callback does not say which server it comes from.";

        // The token endpoint.
        SecretUnchecked "hasp-secret-unchecked" like SecretUnchecked ["hasp.pkce-confidential"] "Any client_secret will do for a confidential client.";
        SecretOmitted "hasp-secret-omitted" like SecretOmitted ["hasp.pkce-confidential"] "A confidential client may leave client_secret out.";
        VerifierUnchecked "hasp-verifier-unchecked" like PkceVerifierUnchecked ["hasp.pkce-confidential"] "HASP does not compare the verifier.";
        PrefixMissing "hasp-prefix-missing" ["hasp.token-shape"] "Access tokens do not begin with hasp_agent_.";
        OneHour "hasp-one-hour" ["hasp.token-shape"] "Access tokens live for an hour instead of eight.";
        ExpiresText "hasp-expires-text" like ExpiresInText ["hasp.token-shape"] "HASP's expires_in is a string.";
        ClientIds "hasp-client-ids" ["hasp.client-id-format"] "Client identifiers are hasp_app_ and a counter.";

        // The API.
        AnyToken "hasp-any-token" like RsAnyToken ["hasp.bearer", "hasp.expiry"] "The API takes any text for a token.";
        QueryToken "hasp-query-token" like RsQueryToken ["hasp.bearer-header"] "The API takes the token from the query too.";
        ExpiredAccepted "hasp-expired-accepted" like RsExpired ["hasp.expiry"] "Tokens work on after their eight hours.";
    }
}
