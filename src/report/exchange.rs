//! An exchange as lines of text, and two of them beside each other: what every readable report
//! shows of a control and a failure.
//!
//! A query, a form and a JSON body are taken apart into one line a parameter, so that the one
//! deviation is one differing line. All lines are already safe to show (see [`super::text`]).

use crate::event::{Exchange, Message, Role, VariantReport};

use super::text;

/// How much of an exchange is shown.
#[derive(Debug, Clone, Copy)]
pub struct Detail {
    /// Every header, or only those that matter to the protocol.
    pub all_headers: bool,
    /// At most this many lines of a body.
    pub body_lines: usize,
    /// At most this many columns of a line.
    pub columns: usize,
}

impl Detail {
    /// For a terminal or a summary.
    pub const SHORT: Detail = Detail {
        all_headers: false,
        body_lines: 14,
        columns: 400,
    };
    /// For a report to study.
    pub const FULL: Detail = Detail {
        all_headers: true,
        body_lines: 400,
        columns: 4000,
    };
}

/// Headers that decide something in OAuth.
const TELLING: [&str; 11] = [
    "authorization",
    "content-type",
    "cookie",
    "dpop",
    "location",
    "www-authenticate",
    "cache-control",
    "set-cookie",
    "retry-after",
    "access-control-allow-origin",
    "content-length",
];

/// The request line, its parameters, headers and body.
pub fn request(exchange: &Exchange, detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    let (address, query) = match exchange.url.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (exchange.url.as_str(), None),
    };
    lines.push(format!("{} {address}", exchange.method));
    if let Some(query) = query {
        parameters(&mut lines, '?', query);
    }
    message(&mut lines, &exchange.request, detail);
    finish(lines, detail)
}

/// The status, headers and body, or why there is none.
pub fn response(exchange: &Exchange, detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    match (exchange.status, &exchange.error) {
        (Some(status), _) => lines.push(format!("→ {status}")),
        (None, Some(error)) => lines.push(format!("→ no answer: {error}")),
        (None, None) => lines.push("→ no answer".to_owned()),
    }
    if let Some(response) = &exchange.response {
        message(&mut lines, response, detail);
    }
    finish(lines, detail)
}

/// Request and response, one after the other.
pub fn lines(exchange: &Exchange, detail: Detail) -> Vec<String> {
    let mut lines = request(exchange, detail);
    lines.extend(response(exchange, detail));
    lines
}

fn message(lines: &mut Vec<String>, message: &Message, detail: Detail) {
    let mut kind = String::new();
    for (name, value) in &message.headers {
        let lower = name.to_ascii_lowercase();
        if lower == "content-type" {
            kind = value.to_ascii_lowercase();
        }
        if !detail.all_headers && (!TELLING.contains(&lower.as_str()) || lower == "content-length")
        {
            continue;
        }
        match value.split_once('?') {
            Some((address, query)) if lower == "location" => {
                lines.push(format!("{name}: {address}"));
                parameters(lines, '?', query);
            }
            _ => lines.push(format!("{name}: {value}")),
        }
    }
    body(lines, &kind, message, detail);
}

fn body(lines: &mut Vec<String>, kind: &str, message: &Message, detail: Detail) {
    if message.body.is_empty() {
        return;
    }
    let mut shown = Vec::new();
    if kind.starts_with("application/x-www-form-urlencoded") {
        parameters(&mut shown, ' ', &message.body);
    } else if let Some(pretty) = pretty_json(&message.body) {
        shown.extend(pretty.lines().map(|line| format!("  {line}")));
    } else {
        let visible = text::block(&message.body);
        shown.extend(
            visible
                .lines()
                .map(str::trim_end)
                .filter(|line| !line.is_empty())
                .map(|line| format!("  {line}")),
        );
    }
    let hidden = shown.len().saturating_sub(detail.body_lines);
    shown.truncate(detail.body_lines);
    lines.extend(shown);
    if hidden > 0 {
        lines.push(format!(
            "  … {hidden} more lines, {} bytes in all",
            message.body_bytes
        ));
    }
}

/// JSON laid out with one member a line; `None` when it is not JSON or too deep to be worth it.
fn pretty_json(body: &str) -> Option<String> {
    let start = body.trim_start();
    if !start.starts_with(['{', '[']) || body.len() > 256 * 1024 {
        return None;
    }
    // serde_json bounds the depth at 128. Repeated members would be lost, so such a body is shown raw.
    let value: serde_json::Value = serde_json::from_str(body).ok()?;
    let compact = serde_json::to_string(&value).ok()?;
    let squeezed = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    if squeezed(&compact) != squeezed(body) {
        return None;
    }
    serde_json::to_string_pretty(&value).ok()
}

fn parameters(lines: &mut Vec<String>, first: char, query: &str) {
    let mut mark = first;
    for pair in query.split('&') {
        lines.push(format!("  {mark}{pair}"));
        mark = if first == ' ' { ' ' } else { '&' };
    }
}

fn finish(lines: Vec<String>, detail: Detail) -> Vec<String> {
    lines
        .iter()
        .map(|line| text::cut(&text::line(line), detail.columns))
        .collect()
}

/// One row of two texts beside each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The control's line.
    pub left: Option<String>,
    /// The failing line.
    pub right: Option<String>,
    /// Whether both are the same.
    pub same: bool,
}

/// Two lists of lines, aligned at what they share.
pub fn beside(left: &[String], right: &[String]) -> Vec<Row> {
    const MOST: usize = 600;
    let (n, m) = (left.len(), right.len());
    let mut rows = Vec::new();
    let mut removed: Vec<String> = Vec::new();
    let mut added: Vec<String> = Vec::new();
    if n > MOST || m > MOST {
        let (mut l, mut r) = (left.iter(), right.iter());
        loop {
            let row = (l.next().cloned(), r.next().cloned());
            if row == (None, None) {
                return rows;
            }
            rows.push(Row {
                same: row.0 == row.1,
                left: row.0,
                right: row.1,
            });
        }
    }
    // Longest common subsequence; `longest[i][j]` for the rests from line i and j on.
    let mut longest = vec![vec![0u32; m + 1]; n + 1];
    for (i, l) in left.iter().enumerate().rev() {
        for (j, r) in right.iter().enumerate().rev() {
            longest[i][j] = if l == r {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let flush = |rows: &mut Vec<Row>, removed: &mut Vec<String>, added: &mut Vec<String>| {
        let (mut l, mut r) = (removed.drain(..), added.drain(..));
        loop {
            let (left, right) = (l.next(), r.next());
            if left.is_none() && right.is_none() {
                break;
            }
            rows.push(Row {
                left,
                right,
                same: false,
            });
        }
    };
    let (mut i, mut j) = (0, 0);
    while i < n || j < m {
        if i < n && j < m && left[i] == right[j] {
            flush(&mut rows, &mut removed, &mut added);
            rows.push(Row {
                left: Some(left[i].clone()),
                right: Some(right[j].clone()),
                same: true,
            });
            i += 1;
            j += 1;
        } else if j < m && (i == n || longest[i][j + 1] >= longest[i + 1][j]) {
            added.push(right[j].clone());
            j += 1;
        } else {
            removed.push(left[i].clone());
            i += 1;
        }
    }
    flush(&mut rows, &mut removed, &mut added);
    rows
}

/// The exchanges that tell the story of a variant: those that carry the deviation and those of the
/// control that answer to them.
#[derive(Debug, Clone, Default)]
pub struct Story<'a> {
    /// The control's exchanges.
    pub control: Vec<&'a Exchange>,
    /// The failing ones.
    pub failing: Vec<&'a Exchange>,
}

/// Picks the request that carries the deviation and the answer that decided, and the same two of
/// the control.
pub fn story(variant: &VariantReport) -> Story<'_> {
    let failing = ends(&variant.evidence, Role::Deviation);
    let mut control = ends(&variant.control, Role::Control);
    if let (Some(first), Some(found)) = (failing.first(), control.first()) {
        // The control may judge several steps: take the one that stands where the deviation stood.
        if found.step != first.step {
            let same: Vec<&Exchange> = variant
                .control
                .iter()
                .filter(|exchange| exchange.step == first.step)
                .collect();
            control = first_and_last(&same).unwrap_or(control);
        }
    }
    Story { control, failing }
}

fn ends(exchanges: &[Exchange], role: Role) -> Vec<&Exchange> {
    let judged: Vec<&Exchange> = exchanges
        .iter()
        .filter(|exchange| exchange.role == role)
        .collect();
    if let Some(found) = first_and_last(&judged) {
        return found;
    }
    exchanges.last().into_iter().collect()
}

fn first_and_last<'a>(exchanges: &[&'a Exchange]) -> Option<Vec<&'a Exchange>> {
    match exchanges {
        [] => None,
        [one] => Some(vec![one]),
        [first, .., last] => Some(vec![first, last]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn one_changed_parameter_is_one_differing_row() {
        let rows = beside(&owned(&["a", "b=1", "c"]), &owned(&["a", "b=2", "c"]));
        assert_eq!(rows.len(), 3);
        assert_eq!(rows.iter().filter(|row| !row.same).count(), 1);
        assert_eq!(rows[1].left.as_deref(), Some("b=1"));
        assert_eq!(rows[1].right.as_deref(), Some("b=2"));
    }

    #[test]
    fn a_left_out_parameter_leaves_a_gap() {
        let rows = beside(&owned(&["a", "b", "c"]), &owned(&["a", "c"]));
        assert_eq!(
            rows[1],
            Row {
                left: Some("b".into()),
                right: None,
                same: false
            }
        );
    }

    #[test]
    fn a_json_body_with_repeated_members_is_shown_as_it_came() {
        assert_eq!(pretty_json(r#"{"a":1,"a":2}"#), None);
        assert!(pretty_json(r#"{"a": [1, 2]}"#).is_some());
    }

    #[test]
    fn a_query_becomes_a_line_a_parameter() {
        let mut exchange = crate::report::sample::exchange(Role::Deviation, "1 authorize");
        exchange.url = "https://as.example/authorize?a=1&b=%0A\u{1b}".into();
        let shown = request(&exchange, Detail::SHORT);
        assert_eq!(shown[0], "GET https://as.example/authorize");
        assert_eq!(shown[1], "  ?a=1");
        assert_eq!(shown[2], "  &b=%0A\\u{1b}");
    }
}
