//! The last look at our listener: a server may fetch what it was pointed at after it has answered.
//!
//! Nothing is sent meanwhile, so all variants of a batch wait together.

use std::time::Duration;

use tokio::time::Instant;

use super::judge::Judgement;
use crate::check;
use crate::event::Verdict;
use crate::flow::World;

/// How long after a variant's last answer a fetch may still come.
const LATE: Duration = Duration::from_millis(500);

/// A variant that pointed the server at the canary of our listener.
#[derive(Debug, Clone)]
pub struct Listening {
    /// The scene whose canary it is.
    pub scene: String,
    /// What a fetch comes to, at the variant's level.
    pub broken: Verdict,
    /// When its last step was answered.
    pub since: Instant,
}

/// Waits, once for all of them, until a late fetch would have come, and judges those anew whose canary was asked for.
pub async fn settle(world: &World, judged: Vec<&mut Judgement>) {
    let listening = judged.iter().filter_map(|one| one.listening.as_ref());
    let Some(last) = listening.map(|own| own.since).max() else {
        return;
    };
    tokio::time::sleep_until(last + LATE).await;
    let Some(listener) = &world.listener else {
        return;
    };
    for one in judged {
        let Some(own) = one.listening.take() else {
            continue;
        };
        if own.broken > Verdict::Pass
            && one.verdict < own.broken
            && let Some(words) = check::canary_fetched(&listener.hits(&own.scene))
        {
            one.verdict = own.broken;
            one.reason = world.secrets.redact(&words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::judge::Judgement;
    use crate::run::{Options, prepare};
    use crate::targets::reference::Reference;
    use refserver::Face;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    fn judgement(scene: &str, verdict: Verdict, broken: Verdict) -> Judgement {
        Judgement {
            verdict,
            reason: "as before".to_owned(),
            evidence: Vec::new(),
            unanswered: false,
            throttled: false,
            listening: Some(Listening {
                scene: scene.to_owned(),
                broken,
                since: Instant::now(),
            }),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_fetch_that_comes_after_the_answer_is_seen() {
        let reference = Reference::start(Face::default(), Vec::new(), 0)
            .await
            .unwrap();
        let prepared = prepare(reference.target.clone(), &Options::default())
            .await
            .unwrap();
        let world = &prepared.world;
        let listener = world.listener.as_ref().unwrap();
        let mut all = [
            judgement("fetched", Verdict::Pass, Verdict::Fail),
            judgement("refused", Verdict::Skipped, Verdict::Fail),
            judgement("advised", Verdict::Pass, Verdict::Warn),
            judgement("permitted", Verdict::Pass, Verdict::Pass),
            judgement("quiet", Verdict::Pass, Verdict::Fail),
        ];
        for scene in ["fetched", "refused", "advised", "permitted"] {
            let address = listener.url().trim_start_matches("http://");
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET /canary/{scene} HTTP/1.1\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            // Whoever is answered has been written down.
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        }
        settle(world, all.iter_mut().collect()).await;
        let verdicts = all.each_ref().map(|one| one.verdict);
        assert_eq!(
            verdicts,
            [
                Verdict::Fail,
                Verdict::Fail,
                Verdict::Warn,
                Verdict::Pass,
                Verdict::Pass
            ]
        );
        assert!(
            all[0].reason.contains("/canary/fetched"),
            "{}",
            all[0].reason
        );
        assert_eq!(all[4].reason, "as before");
        reference.stop().await;
    }
}
