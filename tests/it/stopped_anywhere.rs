//! Many runs at the same time, each with many jobs, each stopped at a moment of its own: no run hangs, nothing that was
//! decided is lost, told twice, told by half or told otherwise than an undisturbed run tells it, and another run goes on
//! from there.

use std::collections::BTreeMap;
use std::time::Duration;

use oauthspec::event::{CaseReport, Event, RunEnd, Verdict};
use oauthspec::run::{self, Options};
use oauthspec::suite::model::Suite;
use oauthspec::targets::reference::Reference;
use refserver::Face;

/// Far more than any of them takes: whoever is not back by then never comes back.
const HANGS: Duration = Duration::from_secs(300);
/// Runs that are stopped, and how many of them go on at the same time.
const RUNS: u64 = 12;
const TOGETHER: u64 = 4;

/// What a run told.
struct Told {
    cases: Vec<CaseReport>,
    starts: usize,
    ends: usize,
    end: RunEnd,
}

/// A few suites, so that a run has more than one batch of variants.
fn suites() -> Vec<Suite> {
    let names = ["pkce", "token", "refresh"];
    let mut suites = crate::pinned::every_suite();
    suites.retain(|suite| names.contains(&suite.name.as_str()));
    assert_eq!(suites.len(), names.len());
    suites
}

async fn told(
    reference: &Reference,
    suites: &[Suite],
    options: Options,
    until: Until,
) -> Result<Told, String> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (mut cases, mut starts, mut ends) = (Vec::new(), 0, 0);
    let mut hear = |event: Event| match event {
        Event::Start(_) => starts += 1,
        Event::Case(report) => {
            cases.push(*report);
            if until == Until::Case(cases.len()) {
                stop.send_replace(true);
            }
        }
        Event::End(_) => ends += 1,
        Event::Progress { .. } => {}
    };
    let run = run::run(
        reference.target.clone(),
        suites,
        &options,
        &mut hear,
        stopped,
    );
    let clock = async {
        if let Until::Elapsed(time) = until {
            tokio::time::sleep(time).await;
            stop.send_replace(true);
        }
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = tokio::time::timeout(HANGS, run) => end.map_err(|_| "the run hangs")?,
        () = clock => unreachable!(),
    };
    Ok(Told {
        cases,
        starts,
        ends,
        end,
    })
}

/// When a run is told to stop: never, with this case told, or after this time, wherever it is by then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Until {
    Never,
    Case(usize),
    Elapsed(Duration),
}

/// What must hold of whatever a run told; `calm` is what an undisturbed run tells.
fn wrong(told: &Told, calm: &BTreeMap<String, (Verdict, usize)>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let mut ids: Vec<&str> = told.cases.iter().map(|case| case.id.as_str()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    must(ids.len() == count, "a case was told twice".into());
    must(
        (told.starts, told.ends) == (1, 1),
        format!("{} starts, {} ends", told.starts, told.ends),
    );
    must(
        told.end.summary.total() as usize == count,
        format!("{:?} for {count} cases", told.end.summary),
    );
    for case in &told.cases {
        let seen = (case.verdict, case.variants.len());
        let id = &case.id;
        must(
            calm.get(id) == Some(&seen),
            format!(
                "{id}: {seen:?}, undisturbed {:?}: {}",
                calm.get(id),
                case.reason
            ),
        );
    }
    if told.end.interrupted.is_none() {
        must(
            count == calm.len(),
            format!("{count} cases of {}", calm.len()),
        );
        must(
            told.end.leftovers.is_empty(),
            format!("left behind: {:?}", told.end.leftovers),
        );
    }
    wrong
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_wherever_a_run_is_stopped() {
    let suites = &suites();
    let reference = &Reference::start(Face::default(), Vec::new(), 0)
        .await
        .unwrap();
    let many = |jobs: u64| Options {
        jobs: usize::try_from(jobs).unwrap(),
        timeout: Duration::from_secs(60),
        keep_evidence: false,
        ..Options::default()
    };
    let calm = told(reference, suites, many(32), Until::Never)
        .await
        .unwrap();
    assert!(calm.end.interrupted.is_none() && calm.cases.len() > 30);
    let verdicts: BTreeMap<String, (Verdict, usize)> = calm
        .cases
        .iter()
        .map(|case| (case.id.clone(), (case.verdict, case.variants.len())))
        .collect();
    assert_eq!(wrong(&calm, &verdicts), Vec::<String>::new());
    let took = calm.end.duration_ms.max(1);

    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut partial, mut afterwards) = (0, 0);
    for _ in 0..RUNS / TOGETHER {
        let moments: Vec<(u64, Until)> = (0..TOGETHER)
            .map(|at| {
                let jobs = 1 + numbers.below(64);
                let until = if at % 2 == 0 {
                    Until::Case(1 + numbers.below(verdicts.len() as u64) as usize)
                } else {
                    Until::Elapsed(Duration::from_millis(numbers.below(took * TOGETHER)))
                };
                (jobs, until)
            })
            .collect();
        let runs = moments.iter().map(|(jobs, until)| {
            let verdicts = &verdicts;
            async move {
                let first = told(reference, suites, many(*jobs), *until).await?;
                let mut wrong = wrong(&first, verdicts);
                let decided = first.cases.len();
                let resumed = Options {
                    earlier: first.cases,
                    ..many(*jobs)
                };
                let second = told(reference, suites, resumed, Until::Never).await?;
                wrong.extend(self::wrong(&second, verdicts));
                if second.end.interrupted.is_some() {
                    wrong.push("the second run says that it was interrupted".into());
                }
                if wrong.is_empty() {
                    Ok(decided)
                } else {
                    Err(wrong.join("\n"))
                }
            }
        });
        for (moment, decided) in moments
            .iter()
            .zip(futures_util::future::join_all(runs).await)
        {
            match decided {
                Ok(decided) => {
                    partial += u32::from(0 < decided && decided < verdicts.len());
                    if let (_, Until::Case(heard)) = moment {
                        afterwards += decided.saturating_sub(*heard);
                    }
                }
                Err(why) => panic!("(jobs, stop) {moment:?}: {why}"),
            }
        }
    }
    // Else nothing was stopped in the middle, and the test looks at nothing.
    assert!(partial >= 2, "only {partial} runs ended half-way");
    // A batch is decided as a whole: who stops at one of its cases still hears of the others.
    assert!(
        afterwards > 0,
        "what was decided when the stop came is lost"
    );
}
