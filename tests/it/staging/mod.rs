//! Somebody else's server: login drivers, manners, networks.

mod doctor;
pub mod drivers;
mod manners;
mod mistaken;
mod network;
mod odd;
mod tls;

pub(crate) use drivers::browser_here;
