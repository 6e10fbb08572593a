//! Being a good guest: what was granted is revoked, what was registered is removed, and what could not
//! be is listed.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use crate::client::World;
use crate::client::request;
use crate::client::world::Registration;
use crate::transport::Reply;

/// The longest the clean-up may take.
const BOUND: Duration = Duration::from_secs(20);
/// The same, when the run was stopped and somebody waits.
const BOUND_STOPPED: Duration = Duration::from_secs(3);

/// Revokes grants (RFC 7009), deletes registered clients (RFC 7592 §2.3) and lists what stays behind.
///
/// `stopped`: somebody waits, so that it takes seconds only.
pub async fn clean(world: &World, stopped: bool) -> Vec<String> {
    let bound = if stopped { BOUND_STOPPED } else { BOUND };
    let mut leftovers = revoke_grants(world, bound).await;
    leftovers.extend(delete_clients(world, bound).await);
    crate::login::chrome::shut_down();
    leftovers
}

/// Revokes the newest token of every grant. Grants of clients that are deleted go with them.
async fn revoke_grants(world: &World, bound: Duration) -> Vec<String> {
    let grants: Vec<(String, String)> = match world.grants.lock() {
        Ok(mut list) => std::mem::take(&mut *list),
        Err(poisoned) => std::mem::take(&mut *poisoned.into_inner()),
    };
    let deleted: Vec<String> = world
        .registrations
        .lock()
        .map(|list| {
            list.iter()
                .filter(|registration| registration.token.is_some() && !registration.uri.is_empty())
                .map(|registration| registration.client_id.clone())
                .collect()
        })
        .unwrap_or_default();
    let ours: Vec<_> = grants
        .iter()
        .filter_map(|(name, token)| Some((world.target.client(name)?, token)))
        .filter(|(client, _)| !client.id.as_ref().is_some_and(|id| deleted.contains(id)))
        .collect();
    if ours.is_empty() {
        return Vec::new();
    }
    let all = ours.len();
    if world.endpoints.revocation.is_none() {
        return vec![format!(
            "{all} grants: the server has no revocation endpoint; they end when their tokens expire"
        )];
    }
    let done = std::sync::atomic::AtomicUsize::new(0);
    let work = stream::iter(ours).for_each_concurrent(8, |(client, token)| {
        let done = &done;
        async move {
            let Ok(request) = request::revocation(world, client, Some(token)) else {
                return;
            };
            let recorded = world.transport.send_patiently(request.finish()).await;
            // A token that is unknown or dead already needs no revocation.
            if recorded
                .reply
                .is_ok_and(|reply| reply.is_success() || already_dead(&reply))
            {
                done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    });
    let in_time = tokio::time::timeout(bound, work).await.is_ok();
    let left = all - done.load(std::sync::atomic::Ordering::Relaxed);
    match (left, in_time) {
        (0, _) => Vec::new(),
        (_, true) => vec![format!("{left} of {all} grants could not be revoked")],
        (_, false) => vec![format!(
            "{left} of {all} grants: revoking them did not end within {} s",
            bound.as_secs()
        )],
    }
}

/// RFC 7009 §2.2 answers 200 for a token that is not valid any more; some servers do not.
fn already_dead(reply: &Reply) -> bool {
    let error = reply
        .json()
        .and_then(|object| object.get("error")?.as_str().map(str::to_owned));
    matches!(error.as_deref(), Some("invalid_token" | "invalid_grant"))
}

async fn delete_clients(world: &World, bound: Duration) -> Vec<String> {
    let registrations: Vec<Registration> = match world.registrations.lock() {
        Ok(mut list) => std::mem::take(&mut *list),
        Err(poisoned) => std::mem::take(&mut *poisoned.into_inner()),
    };
    let all = registrations.clone();
    let work = stream::iter(registrations)
        .map(|registration| remove(world, registration))
        .buffer_unordered(8)
        .filter_map(|leftover| async move { leftover })
        .collect::<Vec<String>>();
    match tokio::time::timeout(bound, work).await {
        Ok(leftovers) => summarize(leftovers),
        Err(_) => vec![format!(
            "up to {} registered clients: the clean-up did not end within {} s",
            all.len(),
            bound.as_secs()
        )],
    }
}

async fn remove(world: &World, registration: Registration) -> Option<String> {
    let id = &registration.client_id;
    let (Some(token), false) = (&registration.token, registration.uri.is_empty()) else {
        return Some(format!("client {id}: the server gave no way to delete it"));
    };
    let request = request::removal(&registration.uri, Some(token));
    match world.transport.send_patiently(request).await.reply {
        Ok(reply) if matches!(reply.status, 200 | 204 | 401 | 404) => None,
        Ok(reply) => Some(format!(
            "client {id}: deleting it was answered {}",
            reply.status
        )),
        Err(reason) => Some(format!("client {id}: {reason}")),
    }
}

/// Many leftovers of one kind are one line.
fn summarize(leftovers: Vec<String>) -> Vec<String> {
    const SHOWN: usize = 10;
    let more = leftovers.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = leftovers.into_iter().take(SHOWN).collect();
    if more > 0 {
        shown.push(format!("and {more} more clients"));
    }
    shown
}
