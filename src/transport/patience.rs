//! How long a run bears with a server that does not answer: one budget for the whole run, so that a
//! server cannot spend our time request by request.

use std::time::Duration;

/// Exchanges in a row without any answer in time, after which nobody is there.
const IN_A_ROW: u32 = 16;
/// Exchanges without an answer in time, in a whole run.
const IN_ALL: u32 = 64;
/// So many answers make up for one that did not come: a long run may lose as much as it gains.
const MAKES_UP: u32 = 50;

/// What is left of the budget.
#[derive(Debug)]
pub(super) struct Patience {
    timeout: Duration,
    in_a_row: u32,
    in_all: u32,
    answers: u32,
}

impl Patience {
    /// A full budget for exchanges of at most `timeout`.
    pub(super) fn new(timeout: Duration) -> Patience {
        Patience {
            timeout,
            in_a_row: 0,
            in_all: 0,
            answers: 0,
        }
    }

    /// An exchange ended with an answer, or was broken off by the server at once.
    pub(super) fn heard(&mut self) {
        self.in_a_row = 0;
        self.answers += 1;
        if self.answers >= MAKES_UP {
            self.answers = 0;
            self.in_all = self.in_all.saturating_sub(1);
        }
    }

    /// An exchange ended with our time limit.
    pub(super) fn silent(&mut self) {
        self.in_a_row += 1;
        self.in_all += 1;
    }

    /// Why nothing more is sent, once the budget is used up.
    pub(super) fn refusal(&self) -> Option<String> {
        let seconds = self.timeout.as_secs_f32();
        if self.in_a_row >= IN_A_ROW {
            return Some(format!(
                "not sent: {IN_A_ROW} exchanges in a row got no complete answer within {seconds} s, so the run has given the server up"
            ));
        }
        if self.in_all >= IN_ALL {
            return Some(format!(
                "not sent: {IN_ALL} exchanges of this run got no complete answer within {seconds} s, so the run has given the server up \
                 (raise --timeout if it is that slow)"
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_given_up_and_a_slow_one_is_not() {
        let mut patience = Patience::new(Duration::from_secs(10));
        for _ in 1..IN_A_ROW {
            patience.silent();
        }
        patience.heard();
        patience.silent();
        assert_eq!(patience.refusal(), None);
        for _ in 1..IN_A_ROW {
            patience.silent();
        }
        assert!(patience.refusal().unwrap().contains("in a row"));
    }

    #[test]
    fn time_lost_now_and_then_is_bounded_too() {
        let mut patience = Patience::new(Duration::from_secs(10));
        for _ in 0..IN_ALL {
            patience.silent();
            (0..MAKES_UP).for_each(|_| patience.heard());
        }
        assert_eq!(patience.refusal(), None);
        for _ in 0..IN_ALL + IN_ALL / MAKES_UP + 1 {
            patience.silent();
            patience.heard();
        }
        assert!(patience.refusal().unwrap().contains("of this run"));
    }
}
