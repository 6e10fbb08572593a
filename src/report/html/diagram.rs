//! The sequence diagram of a flow: who said what to whom, the deviated message marked.

use maud::{Markup, html};

use crate::event::{Exchange, Role, VariantReport};
use crate::report::text;

/// How many exchanges a diagram shows; a flow longer than that is cut in the middle of nothing, at its beginning.
const MOST: usize = 24;
/// Columns of a label.
const LABEL: usize = 46;
const LANE: usize = 330;
const STEP: usize = 46;

/// The flow of a variant as an SVG.
pub(super) fn sequence(variant: &VariantReport) -> Markup {
    let hidden = variant.evidence.len().saturating_sub(MOST);
    let shown: Vec<&Exchange> = variant.evidence.iter().skip(hidden).collect();
    let lanes = lanes(&shown);
    let x = |party: &str| 100 + LANE * lanes.iter().position(|lane| *lane == party).unwrap_or(0);
    let width = 200 + LANE * lanes.len().saturating_sub(1);
    let height = 70 + STEP * 2 * shown.len();
    // The first judged message is the one that carries the deviation.
    let deviated = shown
        .iter()
        .position(|exchange| exchange.role == Role::Deviation);
    html! {
        svg .sequence xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) role="img" {
            title { "The flow with the deviation" @if hidden > 0 { ", without its first " (hidden) " exchanges" } }
            @for lane in &lanes {
                line .life x1=(x(lane)) x2=(x(lane)) y1="34" y2=(height) {}
                text .name x=(x(lane)) y="22" text-anchor="middle" { (text::cut(&text::line(&name(lane)), 20)) }
            }
            @for (index, exchange) in shown.iter().enumerate() {
                @let y = 70 + index * STEP * 2;
                g .deviated[deviated == Some(index)] {
                    (arrow(x(&exchange.from), x(&exchange.to), y, false, &asked(exchange, deviated == Some(index))))
                }
                (arrow(x(&exchange.to), x(&exchange.from), y + STEP, true, &answered(exchange)))
            }
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

fn asked(exchange: &Exchange, deviated: bool) -> String {
    let rest = exchange
        .url
        .split_once("://")
        .map_or(exchange.url.as_str(), |(_, rest)| rest);
    let path = rest
        .find('/')
        .and_then(|start| rest.get(start..))
        .unwrap_or("/");
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let mark = if deviated { "≠ " } else { "" };
    text::cut(
        &text::line(&format!("{mark}{} {path}", exchange.method)),
        LABEL,
    )
}

fn answered(exchange: &Exchange) -> String {
    let words = match (exchange.status, &exchange.response) {
        (Some(status), Some(response)) => {
            let location = response
                .headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("location"))
                .map(|(_, value)| format!(" → {}", value.split(['?', '#']).next().unwrap_or("")));
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
    };
    text::cut(&text::line(&words), LABEL)
}

fn arrow(from: usize, to: usize, y: usize, answer: bool, label: &str) -> Markup {
    // A party that talks to itself gets a short arrow to the right.
    let to = if from == to { from + LANE / 2 } else { to };
    let (tip, back) = if to > from {
        (to, to.saturating_sub(8))
    } else {
        (to, to + 8)
    };
    html! {
        text x=((from + to) / 2) y=(y - 6) text-anchor="middle" { (label) }
        line .arrow .answer[answer] x1=(from) x2=(back) y1=(y) y2=(y) {}
        path .head d=(format!("M{tip},{y} L{back},{} L{back},{} Z", y - 4, y + 4)) {}
    }
}
