//! Being a good guest: what was registered is removed, and what could not be is listed.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use crate::flow::World;
use crate::flow::world::Registration;
use crate::transport::Request;

/// The longest the clean-up may take.
const BOUND: Duration = Duration::from_secs(20);

/// Deletes registered clients (RFC 7592 §2.3) and lists what stays behind.
pub async fn clean(world: &World) -> Vec<String> {
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
    match tokio::time::timeout(BOUND, work).await {
        Ok(leftovers) => summarize(leftovers),
        Err(_) => vec![format!(
            "up to {} registered clients: the clean-up did not end within {} s",
            all.len(),
            BOUND.as_secs()
        )],
    }
}

async fn remove(world: &World, registration: Registration) -> Option<String> {
    let id = &registration.client_id;
    let (Some(token), false) = (&registration.token, registration.uri.is_empty()) else {
        return Some(format!("client {id}: the server gave no way to delete it"));
    };
    let mut request = Request {
        method: "DELETE".into(),
        url: registration.uri.clone(),
        ..Request::default()
    };
    request.set("Authorization", format!("Bearer {token}"));
    match world.transport.send(request).await.reply {
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
