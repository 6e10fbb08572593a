//! When the next request may leave: the user's rate, and what the server asks for.
//!
//! A server that answers 429 or 503 is waited for as long as it says; one that does not say gets fewer
//! requests a second from then on, and the pace recovers slowly. Waiting has a bound for the whole run: after that
//! nothing more is sent, so that a hostile server wastes minutes and not days.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Reply;

/// The longest one Retry-After is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// All waiting of one run together, in time limits of one exchange.
const LONGEST_IN_ALL: u32 = 30;
/// The wait when the server names none; it doubles with every further refusal in a row.
const DEFAULT_WAIT: Duration = Duration::from_millis(250);
/// The slowest a server can make us, between its own waiting times.
const WIDEST_GAP: Duration = Duration::from_millis(100);
/// Answers without complaint after which the pace recovers by half.
const RECOVERY: u32 = 20;

/// The pace of one run.
pub(super) struct Pace {
    state: Mutex<State>,
}

struct State {
    /// All waiting of the run together.
    longest: Duration,
    /// The user's own gap.
    floor: Duration,
    /// The gap now.
    gap: Duration,
    next: Instant,
    in_a_row: u32,
    calm: u32,
    throttled: u64,
    waited: Duration,
}

impl Pace {
    /// At most `rate` requests a second, each of which may take `timeout`.
    pub(super) fn new(rate: Option<f64>, timeout: Duration) -> Pace {
        let gap = rate
            .filter(|rate| *rate > 0.0)
            .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
        Pace {
            state: Mutex::new(State {
                longest: timeout * LONGEST_IN_ALL,
                floor: gap,
                gap,
                next: Instant::now(),
                in_a_row: 0,
                calm: 0,
                throttled: 0,
                waited: Duration::ZERO,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this request's turn.
    ///
    /// # Errors
    /// Nothing is sent any more, and why.
    pub(super) async fn turn(&self) -> Result<(), String> {
        let at = {
            let mut state = self.state();
            if state.waited >= state.longest {
                return Err(format!(
                    "the server asked for patience (429, 503, Retry-After) {} times; after {} s of waiting nothing more was sent \
                     (lower --rate, or ask its operator)",
                    state.throttled,
                    state.longest.as_secs()
                ));
            }
            let at = state.next.max(Instant::now());
            state.next = at + state.gap;
            at
        };
        tokio::time::sleep_until(at.into()).await;
        Ok(())
    }

    /// Learns from an answer (RFC 9110 §10.2.3, RFC 6585 §4).
    pub(super) fn obey(&self, reply: &Reply) {
        let mut state = self.state();
        if !is_throttling(reply) {
            state.in_a_row = 0;
            state.calm += 1;
            if state.calm >= RECOVERY {
                state.calm = 0;
                state.gap = (state.gap / 2).max(state.floor);
            }
            return;
        }
        state.throttled += 1;
        state.in_a_row = (state.in_a_row + 1).min(6);
        let told = retry_after(reply);
        // A server that says when to come back has said enough.
        if told.is_none() {
            state.calm = 0;
            state.gap = (state.gap * 2).clamp(
                Duration::from_millis(5).max(state.floor),
                WIDEST_GAP.max(state.floor),
            );
        }
        let wait = told
            .unwrap_or(DEFAULT_WAIT * 2_u32.pow(state.in_a_row - 1))
            .min(LONGEST_WAIT);
        let until = Instant::now() + wait;
        if until > state.next {
            // Only what this answer adds: many at once ask for the same seconds.
            let from = state.next.max(Instant::now());
            state.waited += until.saturating_duration_since(from);
            // Past the bound nothing is sent any more, so nobody need wait for it.
            if state.waited < state.longest {
                state.next = until;
            }
        }
    }

    /// How often the server asked for patience.
    pub(super) fn throttled(&self) -> u64 {
        self.state().throttled
    }
}

/// Whether the answer asks for patience and says nothing about the request.
pub fn is_throttling(reply: &Reply) -> bool {
    matches!(reply.status, 429 | 503)
}

/// Retry-After as seconds or as a date.
fn retry_after(reply: &Reply) -> Option<Duration> {
    let value = reply.header("retry-after")?;
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let then = http_date(value)?;
    let now = jiff::Timestamp::now();
    Some(Duration::from_secs(
        u64::try_from(then.as_second() - now.as_second()).unwrap_or(0),
    ))
}

/// An HTTP date in the form that is written today (RFC 9110 §5.6.7).
pub fn http_date(text: &str) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text.trim())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, retry_after: Option<&str>) -> Reply {
        Reply {
            status,
            headers: retry_after
                .map(|value| ("retry-after".to_owned(), value.as_bytes().to_vec()))
                .into_iter()
                .collect(),
            ..Reply::default()
        }
    }

    #[test]
    fn a_servers_wish_moves_everybodys_turn_back() {
        let pace = Pace::new(None, Duration::from_secs(10));
        pace.obey(&reply(429, Some("7")));
        let wait = pace.state().next - Instant::now();
        assert!(wait > Duration::from_secs(6) && wait <= Duration::from_secs(7));
        assert_eq!(pace.state().gap, Duration::ZERO);
        pace.obey(&reply(429, None));
        assert!(pace.state().gap > Duration::ZERO);
        for _ in 0..1_000 {
            pace.obey(&reply(200, None));
        }
        assert_eq!(pace.state().gap, Duration::ZERO);
    }

    #[test]
    fn a_date_is_understood_and_the_past_is_now() {
        let past = reply(503, Some("Fri, 31 Dec 1999 23:59:59 GMT"));
        assert_eq!(retry_after(&past), Some(Duration::ZERO));
        let later = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(30);
        let text = later.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let wait = retry_after(&reply(503, Some(&text))).unwrap();
        assert!(wait > Duration::from_secs(25) && wait <= Duration::from_secs(31));
        assert_eq!(retry_after(&reply(503, Some("soon"))), None);
    }

    #[tokio::test]
    async fn waiting_has_an_end() {
        let pace = Pace::new(None, Duration::from_secs(10));
        assert!(pace.turn().await.is_ok());
        pace.state().waited = Duration::from_secs(300);
        assert!(
            pace.turn()
                .await
                .unwrap_err()
                .contains("nothing more was sent")
        );
    }
}
