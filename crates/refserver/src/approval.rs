//! What a person approved besides the request itself: spending limits and networks, and how long that is remembered.

use crate::{AgnicFault, App, authorize::Request, http::Params, state::Session};

/// What one payment costs, in cents.
const PRICE: u64 = 1;

/// What may be spent with a grant, in cents. The server lives for less than a day, so day and month have one sum.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    transaction: u64,
    daily: u64,
    monthly: u64,
    /// Whether any network may be used.
    network: bool,
    spent: u64,
}

impl Limits {
    /// Reads the approval form. `None`: an amount is missing or is none.
    pub fn read(app: &App, params: &Params) -> Option<Limits> {
        let unasked = app.broken(AgnicFault::LimitsUnasked);
        let cents = |name: &str| {
            if unasked && !params.sent(name) {
                return Some(u64::MAX);
            }
            let amount: u64 = params.get(name)?.parse().ok()?;
            amount.checked_mul(100)
        };
        Some(Limits {
            transaction: cents("limit_transaction")?,
            daily: cents("limit_daily")?,
            monthly: cents("limit_monthly")?,
            network: unasked
                || params.get("network_base").is_some()
                || params.get("network_solana").is_some(),
            spent: 0,
        })
    }
}

/// An approval that is remembered in a browser session.
#[derive(Clone, Debug)]
pub(crate) struct Approval {
    pub client: String,
    pub scopes: Vec<String>,
    pub limits: Option<Limits>,
}

/// Puts what this person has approved before into the request: true when that covers it, where a face remembers approvals.
pub(crate) fn remembered(app: &App, request: &mut Request, session: Option<&Session>) -> bool {
    let covers = |approval: &&Approval| {
        let known = |scope| approval.scopes.contains(scope);
        approval.client == request.client.id && request.scopes.iter().all(known)
    };
    if !app.face.rules.consent_remembered || app.broken(AgnicFault::ConsentForgotten) {
        return false;
    }
    let Some(approval) = session.and_then(|session| session.approved.iter().rfind(covers)) else {
        return false;
    };
    request.limits.clone_from(&approval.limits);
    true
}

/// Pays with a grant, if its limits allow that.
pub(crate) fn pay(app: &App, grant: Option<u64>) -> bool {
    if !app.face.rules.limits || app.broken(AgnicFault::LimitsIgnored) {
        return true;
    }
    let mut db = app.db();
    let limits = grant
        .and_then(|id| db.grants.get_mut(&id))
        .and_then(|grant| grant.limits.as_mut());
    let Some(limits) = limits.filter(|limits| limits.network) else {
        return false;
    };
    let sum = limits.spent + PRICE;
    if PRICE > limits.transaction || sum > limits.daily || sum > limits.monthly {
        return false;
    }
    limits.spent = sum;
    true
}
