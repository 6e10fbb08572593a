//! Getting a user through login and consent.
//!
//! A [`Browser`] keeps cookies and reads pages; [`form`] drives it with the target's login steps. It
//! stops at the first redirect that leaves the target's hosts, without connecting.

pub mod browser;
pub mod form;
pub mod html;

pub use browser::Browser;
