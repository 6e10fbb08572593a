//! The sequence diagram of a flow: who said what to whom, the deviated message marked.

use maud::{Markup, html};

use crate::event::{Exchange, Role, VariantReport};
use crate::report::text;

/// How many exchanges a diagram shows; of a longer flow the last ones, where it is decided.
const MOST: usize = 24;
/// Pixels between two parties, and beside the outer ones.
const LANE: usize = 270;
const MARGIN: usize = 84;
/// Pixels from message to message, and of the heading of a step.
const MESSAGE: usize = 32;
const HEADING: usize = 26;
/// Pixels of one character of a label.
const LETTER: usize = 7;

/// The flow of a variant as an SVG.
pub(super) fn sequence(variant: &VariantReport) -> Markup {
    let hidden = variant.evidence.len().saturating_sub(MOST);
    let shown: Vec<&Exchange> = variant.evidence.iter().skip(hidden).collect();
    let lanes = lanes(&shown);
    let many = lanes.len() > 2;
    let width = 2 * MARGIN + LANE * lanes.len().saturating_sub(1);
    // The first judged message carries the deviation, the last one's answer decides.
    let judged = |exchange: &&Exchange| exchange.role == Role::Deviation;
    let deviated = shown.iter().position(judged);
    let decisive = shown.iter().rposition(judged);
    let plan = Plan {
        lanes: &lanes,
        width,
        // Without a control there is no deviation to mark.
        marks: !variant.control.is_empty(),
    };
    let mut y = 52;
    let mut step = "";
    let mut drawn = Vec::new();
    for (index, exchange) in shown.iter().enumerate() {
        if exchange.step != step {
            step = &exchange.step;
            drawn.push(plan.heading(step, y));
            y += HEADING;
        }
        let note = (plan.marks && deviated == Some(index)).then_some(variant.deviation.as_str());
        drawn.push(plan.asked(exchange, y, note));
        y += MESSAGE + if note.is_some() { 16 } else { 0 };
        drawn.push(plan.answered(exchange, y, decisive == Some(index)));
        y += MESSAGE;
    }
    html! {
        div .wide tabindex=[many.then_some("0")] role=[many.then_some("group")] aria-label=[many.then_some("Sequence diagram")] {
            svg .sequence .many[many] xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {y}")) width=(width) height=(y) role="img" {
                title { (told(&shown, hidden, deviated.filter(|_| plan.marks), decisive)) }
                @for lane in &lanes {
                    line .life x1=(plan.x(lane)) x2=(plan.x(lane)) y1="32" y2=(y) {}
                    text .name x=(plan.x(lane)) y="22" text-anchor="middle" { (text::cut(&text::line(&name(lane)), 20)) }
                }
                @for part in drawn { (part) }
            }
        }
    }
}

/// The diagram in one sentence, for those who do not see it.
fn told(
    shown: &[&Exchange],
    hidden: usize,
    deviated: Option<usize>,
    decisive: Option<usize>,
) -> String {
    let mut words = format!("The flow in {} exchanges", shown.len());
    if hidden > 0 {
        words.push_str(&format!(", without its first {hidden}"));
    }
    let message = |index: Option<usize>| index.and_then(|index| Some((index, *shown.get(index)?)));
    if let Some((index, exchange)) = message(deviated) {
        let what = request(exchange);
        words.push_str(&format!("; request {} is deviated: {what}", index + 1));
    }
    if let Some((index, exchange)) = message(decisive) {
        let what = answer(exchange);
        words.push_str(&format!("; answer {} decides: {what}", index + 1));
    }
    text::line(&words)
}

struct Plan<'p> {
    lanes: &'p [&'p str],
    width: usize,
    marks: bool,
}

impl Plan<'_> {
    fn x(&self, party: &str) -> usize {
        let lane = self.lanes.iter().position(|lane| *lane == party);
        MARGIN + LANE * lane.unwrap_or(0)
    }

    /// The step of the case to which the messages below belong.
    fn heading(&self, step: &str, y: usize) -> Markup {
        html! {
            line .rule x1="0" x2=(self.width) y1=(y - 4) y2=(y - 4) {}
            text .step x="6" y=(y + 10) { (text::cut(&text::line(step), 22)) }
        }
    }

    fn asked(&self, exchange: &Exchange, y: usize, note: Option<&str>) -> Markup {
        let (from, to) = (self.x(&exchange.from), self.x(&exchange.to));
        let mark = if note.is_some() { "≠ " } else { "" };
        let label = format!("{mark}{}", request(exchange));
        html! {
            g .deviated[note.is_some()] {
                (arrow(from, to, y, false, &label))
                @if let Some(note) = note {
                    text .note x=(self.width / 2) y=(y + 14) text-anchor="middle" {
                        (text::cut(&text::line(note), self.width / LETTER - 2))
                    }
                }
            }
        }
    }

    fn answered(&self, exchange: &Exchange, y: usize, decides: bool) -> Markup {
        let (from, to) = (self.x(&exchange.from), self.x(&exchange.to));
        html! {
            g .decides[decides] { (arrow(to, from, y, true, &answer(exchange))) }
        }
    }
}

fn lanes<'a>(exchanges: &[&'a Exchange]) -> Vec<&'a str> {
    let mut lanes: Vec<&str> = Vec::new();
    for known in ["user", "client", "as", "rs"] {
        if let Some(found) = exchanges
            .iter()
            .flat_map(|e| [e.from.as_str(), e.to.as_str()])
            .find(|party| *party == known)
        {
            lanes.push(found);
        }
    }
    for exchange in exchanges {
        for party in [exchange.from.as_str(), exchange.to.as_str()] {
            if !lanes.contains(&party) && lanes.len() < 8 {
                lanes.push(party);
            }
        }
    }
    lanes
}

fn name(lane: &str) -> String {
    match lane {
        "user" => "User’s browser".to_owned(),
        "client" => "Client".to_owned(),
        "as" => "Authorization server".to_owned(),
        "rs" => "Resource server".to_owned(),
        other => other.to_owned(),
    }
}

/// The origin of an absolute URL, and its path.
fn origin_and_path(url: &str) -> (&str, &str) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .get(start..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(url.len(), |at| start + at);
    let (origin, rest) = url.split_at_checked(end).unwrap_or((url, ""));
    (origin, rest.split(['?', '#']).next().unwrap_or(rest))
}

/// A path in which names that are drawn by chance are left out: `/login/…`.
fn short(path: &str) -> String {
    let drawn = |part: &str| {
        part.len() >= 16
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && part
                .bytes()
                .any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    };
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| if drawn(part) { "…" } else { part })
        .collect();
    parts.join("/")
}

fn request(exchange: &Exchange) -> String {
    let (_, path) = origin_and_path(&exchange.url);
    let path = if path.is_empty() { "/" } else { path };
    format!("{} {}", exchange.method, short(path))
}

fn answer(exchange: &Exchange) -> String {
    match (exchange.status, &exchange.response) {
        (Some(status), Some(response)) => {
            let location = response
                .headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("location"))
                .map(|(_, value)| format!(" → {}", place(value, &exchange.url)));
            let error = serde_json::from_str::<serde_json::Value>(&response.body)
                .ok()
                .and_then(|body| {
                    body.get("error")
                        .and_then(|error| error.as_str().map(|error| format!(" {error}")))
                });
            format!("{status}{}", location.or(error).unwrap_or_default())
        }
        (Some(status), None) => status.to_string(),
        (None, _) => exchange
            .error
            .clone()
            .unwrap_or_else(|| "no answer".to_owned()),
    }
}

/// Where a redirect goes: the path on the same server, else the address; and whether it brings a code or an error.
fn place(location: &str, from: &str) -> String {
    let (origin, path) = origin_and_path(location);
    let here = origin_and_path(from).0;
    let address = if origin == here || origin.is_empty() {
        short(path)
    } else {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        format!("{host}{}", short(path))
    };
    let mut parameters = location.split(['?', '#', '&']).skip(1);
    let brought = parameters.find_map(|pair| match pair.split_once('=') {
        Some(("code", _)) => Some(" ?code".to_owned()),
        Some(("error", error)) => Some(format!(" ?error={error}")),
        _ => None,
    });
    format!("{address}{}", brought.unwrap_or_default())
}

fn arrow(from: usize, to: usize, y: usize, answer: bool, label: &str) -> Markup {
    // A party that talks to itself gets a short arrow to the right.
    let to = if from == to { from + LANE / 2 } else { to };
    let (tip, back) = if to > from {
        (to, to.saturating_sub(8))
    } else {
        (to, to + 8)
    };
    let room = from.abs_diff(to) / LETTER - 2;
    html! {
        text x=((from + to) / 2) y=(y - 6) text-anchor="middle" { (text::cut(&text::line(label), room)) }
        line .arrow .answer[answer] x1=(from) x2=(back) y1=(y) y2=(y) {}
        path .head d=(format!("M{tip},{y} L{back},{} L{back},{} Z", y - 4, y + 4)) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_says_where_it_goes_and_what_it_brings() {
        let from = "https://as.example/authorize?state=x";
        for (location, shown) in [
            ("/login/9f8e7d6c5b4a39281706", "/login/…"),
            ("https://as.example/consent/AbCdEfGhIjKlMnOp", "/consent/…"),
            ("https://a.example/cb?state=x&code=1", "a.example/cb ?code"),
            (
                "https://a.example/cb?error=access_denied&state=x",
                "a.example/cb ?error=access_denied",
            ),
            ("https://a.example?x", "a.example"),
        ] {
            assert_eq!(place(location, from), shown, "{location}");
        }
    }
}
