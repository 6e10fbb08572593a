//! Somebody else's server: login drivers, manners, networks.

mod drivers;
mod odd;
