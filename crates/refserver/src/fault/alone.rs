//! Faults of the face `alone`: what a resource server can pass over in a token that its issuer has really signed.

use super::service::service_faults;

service_faults! {
    /// A check of RFC 9068 §4 that the resource servers leave out or do by half.
    AloneFault as Alone {
        IssAny "alone-iss-any" ["rs.issuer-exact", "rs.claims-required"] "iss is not looked at: whoever has the key is the issuer.";
        IssArray "alone-iss-array" ["rs.issuer-exact"] "An array in iss passes when one entry is the trusted issuer.";
        IssExtended "alone-iss-extended" ["rs.issuer-exact"] "iss need only begin with the trusted issuer.";
        IssSlash "alone-iss-slash" ["rs.issuer-exact"] "A slash at the end of iss is left out of the comparison.";
        IssMissing "alone-iss-missing" ["rs.claims-required"] "iss is compared only where it is there.";
        AudAny "alone-aud-any" ["rs.audience-exact", "rs.claims-required", "rs.cross-audience"] "aud is not looked at.";
        AudEmpty "alone-aud-empty" ["rs.audience-exact"] "An empty list in aud is for everybody.";
        AudExtended "alone-aud-extended" ["rs.audience-exact"] "aud need only begin with the resource's identifier.";
        AudClient "alone-aud-client" ["rs.audience-exact"] "A token whose aud is its client passes, as ID tokens have it.";
        AudMissing "alone-aud-missing" ["rs.claims-required"] "aud is compared only where it is there.";
        ExpIgnored "alone-exp-ignored" ["rs.times-checked"] "exp must be there, and is not compared with the clock.";
        ExpText "alone-exp-text" ["rs.times-checked"] "An exp that is a text is not compared with the clock.";
        ExpNull "alone-exp-null" ["rs.times-checked"] "An exp that is null counts as none, and none as for ever.";
        ExpArray "alone-exp-array" ["rs.times-checked"] "Of a list in exp the last entry counts.";
        ExpMissing "alone-exp-missing" ["rs.claims-required"] "exp is compared only where it is there.";
        NbfIgnored "alone-nbf-ignored" ["rs.times-checked"] "nbf is not looked at.";
        NbfText "alone-nbf-text" ["rs.times-checked"] "An nbf that is a text is passed over.";
        TypAny "alone-typ-any" ["rs.type-exact"] "typ is not looked at.";
        TypMissing "alone-typ-missing" ["rs.type-exact"] "typ is compared only where it is there.";
        TypJwt "alone-typ-jwt" ["rs.type-exact"] "typ JWT passes, as ID tokens have it.";
        CritIgnored "alone-crit-ignored" ["rs.critical-extension"] "crit is not looked at.";
        Nested "alone-nested" ["rs.nested-token"] "A token as the payload of another one is unwrapped and taken.";
    }
}
