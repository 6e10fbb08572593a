//! oauthspec
