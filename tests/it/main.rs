//! What the whole program does, against the reference server, real servers and hostile ones.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at the first thing that is not as it should be"
)]

mod agnicpay;
mod alone;
mod bad_input;
mod catalogue;
mod ci_ladder;
mod command_line;
mod continuous_fuzzing;
mod expiry;
mod first_contact;
mod fuzzing;
mod hostile_servers;
mod interrupted;
mod keys_and_crashes;
mod known_bugs;
mod layers;
mod no_secret;
mod pinned;
mod published_formats;
mod real_servers;
mod repeatable;
mod report_page;
mod report_samples;
mod right_files;
mod servers;
mod services;
mod staging;
mod stopped_anywhere;
mod suites;
mod wrong_files;
