//! Steps with `@tls`: a handshake, and no request.

use super::scene::Act;
use super::{Answer, Outcome, Scene};
use crate::event::Addressee;
use crate::transport::hello::{Hello, Offer, Shown};

/// A handshake with the host of a URL in place of the request: one that offers only what `word` names, or (`certificate`) one that looks at
/// the certificate.
pub(super) async fn perform(
    scene: &mut Scene<'_>,
    act: &Act<'_>,
    place: &str,
    word: &str,
) -> Result<Outcome, Answer> {
    if !place.starts_with("https://") {
        return Err(Answer::NotApplicable(format!("{place} is not https")));
    }
    let transport = &scene.world.transport;
    let mut outcome = Outcome::new(act.step.verb, &act.label, Answer::Success);
    let mut field = |name: &str, value: String| outcome.said.set(name, value);
    let (answer, recorded) = if word == "certificate" {
        let (shown, recorded) = transport.certificate(place).await;
        let answer = match shown {
            Shown::Valid(ends) => {
                let ends = ends.map(|[year, month, day, hour, minute, second]| {
                    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
                });
                field("certificate_ends", ends.unwrap_or_default());
                Answer::Success
            }
            Shown::Invalid(why) => {
                field("certificate_problem", why);
                Answer::Success
            }
            Shown::Unknown(why) => Answer::NoAnswer(why),
        };
        (answer, recorded)
    } else {
        let offer = Offer::parse(word)
            .ok_or_else(|| Answer::NotApplicable(format!("{word} is no offer of a handshake")))?;
        let (hello, recorded) = transport.offer(place, offer).await;
        let answer = match hello {
            Hello::Agreed(what) => {
                field("agreed", what);
                Answer::Success
            }
            Hello::Refused(_) => Answer::closed(),
            Hello::Unknown(why) => Answer::NoAnswer(why),
        };
        (answer, recorded)
    };
    outcome.answer = answer;
    scene.keep(recorded, &act.label, Addressee::AuthorizationServer);
    Ok(outcome)
}
