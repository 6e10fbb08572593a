//! Somebody else's server: login drivers, manners, networks.

mod doctor;
mod drivers;
mod odd;
mod tls;
