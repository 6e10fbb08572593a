//! How a run is driven: its events go to the reports, a signal stops it within a bounded time, and
//! the reports are written whatever happens.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::event::{Event, RunEnd, Summary};
use crate::exit::Exit;
use crate::report::Reports;

use super::print;

/// How long a stopped run may take to finish what is on its way and to clean up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hears a run on behalf of the reports and keeps count, so that an end can be told even if the run
/// does not come to it.
struct Listener {
    reports: Reports,
    summary: Summary,
    began: Instant,
}

impl Listener {
    fn hear(&mut self, event: Event) {
        match &event {
            // The end is told by `drive`, once: it knows whether a signal came.
            Event::End(_) => return,
            Event::Case(case) => self.summary.count(case.verdict),
            Event::Start(_) | Event::Progress { .. } => {}
        }
        self.reports.event(&event);
    }

    fn early_end(&self) -> RunEnd {
        RunEnd {
            duration_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            requests: 0,
            summary: self.summary,
            policy: Vec::new(),
            leftovers: vec!["unknown: the run was cut off before it could clean up".to_owned()],
            interrupted: None,
            problems: Vec::new(),
            outcome: String::new(),
            exit_code: 0,
        }
    }
}

/// What a finished run leaves: how it ended, and what could not be written.
#[derive(Debug)]
pub struct Driven {
    /// The end, as the reports heard it.
    pub end: RunEnd,
    /// Reports that could not be written, in words.
    pub problems: Vec<String>,
}

impl Driven {
    /// The exit code: the run's own, except that a lost report is never a success.
    pub fn code(&self) -> u8 {
        if self.end.exit_code == 0 && !self.problems.is_empty() {
            Exit::Usage.code()
        } else {
            self.end.exit_code
        }
    }
}

/// Drives a run to its end, or to a signal, and has the reports written.
///
/// `start` gets the function that hears events and the switch that asks the run to stop. `signal`
/// makes a future that resolves at the next signal, to the exit code that belongs to it.
pub async fn drive<R, S>(
    reports: Reports,
    start: impl FnOnce(Box<dyn FnMut(Event) + Send>, watch::Receiver<bool>) -> R,
    mut signal: impl FnMut() -> S,
) -> Driven
where
    R: Future<Output = RunEnd>,
    S: Future<Output = Exit>,
{
    let listener = Arc::new(Mutex::new(Listener {
        reports,
        summary: Summary::default(),
        began: Instant::now(),
    }));
    let ear = Arc::clone(&listener);
    let (stop, stopped) = watch::channel(false);
    let started = start(Box::new(move |event| lock(&ear).hear(event)), stopped);
    // A defect of ours must not cost the reports either.
    let mut run = Box::pin(AssertUnwindSafe(started).catch_unwind());
    let mut caught = None;
    let ended = tokio::select! {
        // First, so that the handler stands before the run says its first word.
        biased;
        exit = signal() => {
            caught = Some(exit);
            stop.send_replace(true);
            print::note("stopping: what is on its way is finished and cleaned up (once more: stop at once)");
            tokio::select! {
                ended = &mut run => Some(ended),
                _ = signal() => None,
                () = tokio::time::sleep(PATIENCE) => None,
            }
        }
        ended = &mut run => Some(ended),
    };
    drop(run);
    let mut listener = lock(&listener);
    let mut end = match ended {
        Some(Ok(end)) => end,
        Some(Err(_)) => {
            let mut end = listener.early_end();
            end.interrupted = Some("a defect of oauthspec ended the run".to_owned());
            end.outcome = Exit::Usage.words().to_owned();
            end.exit_code = Exit::Usage.code();
            end
        }
        None => listener.early_end(),
    };
    if let Some(exit) = caught {
        end.interrupted = Some(format!(
            "{} after {} cases",
            exit.words(),
            listener.summary.total()
        ));
        end.outcome = exit.words().to_owned();
        end.exit_code = exit.code();
    }
    let mut reports = std::mem::take(&mut listener.reports);
    reports.event(&Event::End(Box::new(end.clone())));
    Driven {
        end,
        problems: reports.finish(),
    }
}

/// A panic of the run must not lose what was heard before it.
fn lock(listener: &Mutex<Listener>) -> MutexGuard<'_, Listener> {
    listener.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::report::json::Document;
    use crate::report::{Files, Format, Output, sample};

    fn reports(path: &Path) -> Reports {
        let mut reports = Reports::new();
        reports.add(
            "files",
            Box::new(Files::new(vec![Output::file(Format::Json, path)])),
        );
        reports
    }

    fn written(path: &Path) -> Document {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn tell(hear: &mut dyn FnMut(Event)) {
        hear(Event::Start(sample::start()));
        for case in sample::cases().into_iter().take(2) {
            hear(Event::Case(Box::new(case)));
        }
    }

    #[tokio::test]
    async fn an_undisturbed_run_ends_with_its_own_exit_code() {
        let folder = sample::folder("drive-plain");
        let path = folder.join("report.json");
        let start = |mut hear: Box<dyn FnMut(Event) + Send>, _| async move {
            tell(&mut hear);
            sample::end(&sample::cases())
        };
        let driven = drive(reports(&path), start, std::future::pending).await;
        assert_eq!((driven.code(), driven.problems.len()), (1, 0));
        assert_eq!(written(&path).exit_code, 1);
        assert_eq!(written(&path).cases.len(), 2);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_signal_lets_the_run_finish_and_the_report_says_interrupted() {
        let folder = sample::folder("drive-stop");
        let path = folder.join("report.json");
        let start = |mut hear: Box<dyn FnMut(Event) + Send>, mut stop: watch::Receiver<bool>| async move {
            tell(&mut hear);
            stop.wait_for(|stop| *stop).await.unwrap();
            sample::end(&sample::cases())
        };
        let mut signals = vec![Exit::Terminated];
        let signal = move || {
            let next = signals.pop();
            async move {
                match next {
                    Some(exit) => exit,
                    None => std::future::pending().await,
                }
            }
        };
        let driven = drive(reports(&path), start, signal).await;
        assert_eq!(driven.code(), 143);
        let document = written(&path);
        assert_eq!(
            document.interrupted.as_deref(),
            Some("terminated after 2 cases")
        );
        assert_eq!(document.leftovers.len(), 1, "the run's own end was used");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_does_not_stop_is_cut_off_and_its_cases_are_kept() {
        let folder = sample::folder("drive-cut");
        let path = folder.join("report.json");
        let start = |mut hear: Box<dyn FnMut(Event) + Send>, _| async move {
            tell(&mut hear);
            std::future::pending::<RunEnd>().await
        };
        let mut first = true;
        let signal = move || {
            let now = std::mem::take(&mut first);
            async move {
                if now {
                    Exit::Interrupted
                } else {
                    std::future::pending().await
                }
            }
        };
        let began = Instant::now();
        let driven = drive(reports(&path), start, signal).await;
        assert_eq!(began.elapsed(), PATIENCE);
        assert_eq!(driven.code(), 130);
        let document = written(&path);
        assert_eq!(document.cases.len(), 2);
        assert_eq!(document.summary.total(), 2);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_defect_of_ours_ends_with_2_and_keeps_the_cases() {
        let folder = sample::folder("drive-defect");
        let path = folder.join("report.json");
        let start = |mut hear: Box<dyn FnMut(Event) + Send>, _| async move {
            tell(&mut hear);
            std::hint::black_box(None::<RunEnd>).expect("a defect made for this test")
        };
        let driven = drive(reports(&path), start, std::future::pending).await;
        assert_eq!(driven.code(), 2);
        assert_eq!(written(&path).cases.len(), 2);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_lost_report_is_never_a_success() {
        let folder = sample::folder("drive-lost");
        std::fs::write(folder.join("file"), "").unwrap();
        let start = |_, _| async {
            RunEnd {
                exit_code: 0,
                ..sample::end(&[])
            }
        };
        let driven = drive(
            reports(&folder.join("file/report.json")),
            start,
            std::future::pending,
        )
        .await;
        assert_eq!((driven.end.exit_code, driven.code()), (0, 2));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
