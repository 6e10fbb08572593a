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
        parameters(&mut lines, "?", query);
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
                parameters(lines, "?", query);
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
        parameters(&mut shown, "", &message.body);
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

/// A line a parameter; those of a query are marked, so that one that moved into the body is seen.
fn parameters(lines: &mut Vec<String>, mark: &str, query: &str) {
    lines.extend(query.split('&').map(|pair| format!("  {mark}{pair}")));
}

fn finish(lines: Vec<String>, detail: Detail) -> Vec<String> {
    lines
        .iter()
        .map(|line| text::cut(&text::line(line), detail.columns))
        .collect()
}

/// What a row of two texts beside each other says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Both sides are the same.
    Same,
    /// Both sides hold a value that is new in every flow: a state, a code, a session.
    Fresh,
    /// They differ.
    Differs,
}

/// One row of two texts beside each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The control's line.
    pub left: Option<String>,
    /// The failing line.
    pub right: Option<String>,
    /// How they compare.
    pub kind: Kind,
}

/// A variant's control and its failing flow beside each other: the request that carries the
/// deviation and the answer that decided. Empty when nothing was exchanged.
pub fn rows(variant: &VariantReport, detail: Detail) -> Vec<Row> {
    let story = story(variant);
    let mut rows = beside(&told(&story.control, detail), &told(&story.failing, detail));
    if story.control.is_empty() {
        // Nothing to compare with.
        for row in &mut rows {
            row.kind = Kind::Same;
        }
        return rows;
    }
    mark_fresh(&mut rows, &variant.deviation);
    rows
}

/// One exchange in full; of two, the first request and then the last exchange.
fn told(exchanges: &[&Exchange], detail: Detail) -> Vec<String> {
    match exchanges {
        [first, last] => {
            let mut shown = request(first, detail);
            shown.push(format!("… {}", text::line(&last.step)));
            shown.extend(lines(last, detail));
            shown
        }
        others => others.iter().flat_map(|one| lines(one, detail)).collect(),
    }
}

/// Two lists of lines, aligned at what they share: first at equal lines, then at lines that speak
/// of the same parameter, member or header.
#[expect(
    clippy::indexing_slicing,
    reason = "a table with one row and one column more than the messages have lines"
)]
pub fn beside(left: &[String], right: &[String]) -> Vec<Row> {
    const MOST: usize = 600;
    let row = |left: Option<&String>, right: Option<&String>| Row {
        kind: if left == right {
            Kind::Same
        } else {
            Kind::Differs
        },
        left: left.cloned(),
        right: right.cloned(),
    };
    let (n, m) = (left.len(), right.len());
    if n > MOST || m > MOST {
        return (0..n.max(m))
            .map(|at| row(left.get(at), right.get(at)))
            .collect();
    }
    let weight = |l: &str, r: &str| match (l == r, key(l) == key(r)) {
        (true, _) => 3,
        (false, true) => 1,
        (false, false) => 0,
    };
    // `best[i][j]`: the heaviest alignment of the rests from line i and j on.
    let mut best = vec![vec![0u32; m + 1]; n + 1];
    for (i, l) in left.iter().enumerate().rev() {
        for (j, r) in right.iter().enumerate().rev() {
            let pair = match weight(l, r) {
                0 => 0,
                weight => best[i + 1][j + 1] + weight,
            };
            best[i][j] = pair.max(best[i + 1][j]).max(best[i][j + 1]);
        }
    }
    let mut rows = Vec::new();
    let (mut i, mut j) = (0, 0);
    loop {
        let step = match (left.get(i), right.get(j)) {
            (None, None) => return rows,
            (Some(l), Some(r)) => {
                let weight = weight(l, r);
                if weight > 0 && best[i][j] == best[i + 1][j + 1] + weight {
                    (1, 1)
                } else if best[i][j] == best[i + 1][j] {
                    (1, 0)
                } else {
                    (0, 1)
                }
            }
            (Some(_), None) => (1, 0),
            (None, Some(_)) => (0, 1),
        };
        rows.push(row(
            left.get(i).filter(|_| step.0 == 1),
            right.get(j).filter(|_| step.1 == 1),
        ));
        (i, j) = (i + step.0, j + step.1);
    }
}

/// What a line speaks of: the name before the first `=` or `:`, or its first word.
fn key(line: &str) -> &str {
    let end = line
        .find(['=', ':'])
        .or_else(|| line.trim_start().find(' '))
        .unwrap_or(line.len());
    line.get(..end).unwrap_or(line)
}

/// Marks rows whose sides differ only in values that are new in every flow. Never those the
/// deviation names; and when no difference of the request would remain, none at all.
fn mark_fresh(rows: &mut [Row], deviation: &str) {
    let words: Vec<&str> = deviation
        .split(|c: char| !(c.is_ascii_alphanumeric() || "_-@".contains(c)))
        .collect();
    let credential = ["forged", "client"].iter().any(|word| words.contains(word));
    let fresh: Vec<bool> = rows
        .iter()
        .map(|row| is_fresh(row, &words, credential))
        .collect();
    let answer = rows
        .iter()
        .position(|row| {
            row.right
                .as_deref()
                .is_some_and(|line| line.starts_with('→'))
        })
        .unwrap_or(rows.len());
    let remains = rows
        .iter()
        .zip(&fresh)
        .take(answer)
        .any(|(row, fresh)| row.kind == Kind::Differs && !fresh);
    if remains {
        for (row, fresh) in rows.iter_mut().zip(fresh) {
            if fresh {
                row.kind = Kind::Fresh;
            }
        }
    }
}

fn is_fresh(row: &Row, deviation: &[&str], credential: bool) -> bool {
    let (Some(left), Some(right)) = (&row.left, &row.right) else {
        return false;
    };
    let name = key(left).trim_matches([' ', '?', '"']);
    if row.kind != Kind::Differs || key(left) != key(right) || deviation.contains(&name) {
        return false;
    }
    let carries = [
        "authorization",
        "code",
        "token",
        "access_token",
        "refresh_token",
        "client_id",
    ];
    if credential && carries.contains(&name.to_ascii_lowercase().as_str()) {
        return false;
    }
    if name.eq_ignore_ascii_case("date") {
        return true;
    }
    let pieces = |line: &str| -> Vec<String> {
        line.split(['/', '=', ' ', '"', ';', '&', ','])
            .map(str::to_owned)
            .collect()
    };
    let (left, right) = (pieces(left), pieces(right));
    left.len() == right.len()
        && left
            .iter()
            .zip(&right)
            .all(|(l, r)| l == r || is_drawn(l, r))
}

/// Whether two values look drawn by chance from the same set: redacted secrets, long random names,
/// moments in time.
fn is_drawn(left: &str, right: &str) -> bool {
    // A redacted secret reads `abcd…[code 32 1f2e3d4c]`, in pieces here.
    let label = |value: &str| value.split_once("…[").map(|(_, label)| label.to_owned());
    if let (Some(left), Some(right)) = (label(left), label(right)) {
        return left == right;
    }
    let hash = |value: &str| {
        value
            .strip_suffix(']')
            .is_some_and(|hash| hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    if hash(left) && hash(right) {
        return true;
    }
    let plain = |value: &str| {
        value.len() >= 12
            && value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let number = |value: &str| value.len() >= 9 && value.bytes().all(|b| b.is_ascii_digit());
    (left.len() == right.len() && plain(left) && plain(right)) || (number(left) && number(right))
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

    fn kinds(rows: &[Row]) -> Vec<Kind> {
        rows.iter().map(|row| row.kind).collect()
    }

    #[test]
    fn one_changed_parameter_is_one_differing_row() {
        let rows = beside(&owned(&["a", "b=1", "c"]), &owned(&["a", "b=2", "c"]));
        assert_eq!(kinds(&rows), [Kind::Same, Kind::Differs, Kind::Same]);
        assert_eq!(rows[1].left.as_deref(), Some("b=1"));
        assert_eq!(rows[1].right.as_deref(), Some("b=2"));
    }

    #[test]
    fn a_left_out_parameter_leaves_a_gap_and_the_others_stay_in_line() {
        let rows = beside(&owned(&["a", "b=1", "c=1"]), &owned(&["a", "c=2"]));
        assert_eq!(
            rows[1],
            Row {
                left: Some("b=1".into()),
                right: None,
                kind: Kind::Differs
            }
        );
        assert_eq!(
            (rows[2].left.as_deref(), rows[2].right.as_deref()),
            (Some("c=1"), Some("c=2"))
        );
    }

    #[test]
    fn values_that_are_new_in_every_flow_do_not_hide_the_deviation() {
        let control = owned(&[
            "GET https://as.example/consent/AAAAAAAAAAAAAAAA",
            "  ?state=AAAAAAAAAAAAAAAA",
            "  ?code_challenge=AAAAAAAAAAAAAAAAAAAAAAAA",
            "  ?code_challenge_method=S256",
            "→ 303",
            "  ?code=Zx…[code 32 4aaaa68c]",
        ]);
        let failing = owned(&[
            "GET https://as.example/consent/BBBBBBBBBBBBBBBB",
            "  ?state=BBBBBBBBBBBBBBBB",
            "  ?code_challenge=BBBBBBBBBBBBBBBBBBBBBBBB",
            "  ?code_challenge_method=plain",
            "→ 303",
            "  ?code=Qq…[code 32 4bbbb68c]",
        ]);
        use Kind::{Differs, Fresh, Same};
        let mut rows = beside(&control, &failing);
        mark_fresh(
            &mut rows,
            "authorize with code_challenge = “x”, with code_challenge_method = “plain”",
        );
        assert_eq!(kinds(&rows), [Fresh, Fresh, Differs, Differs, Same, Fresh]);
        let mut rows = beside(&control[..2], &failing[..2]);
        mark_fresh(&mut rows, "authorize 5 times at once");
        assert_eq!(
            kinds(&rows),
            [Differs, Differs],
            "something must be left to look at"
        );
    }

    #[test]
    fn a_value_of_another_shape_is_a_difference() {
        let mut rows = beside(
            &owned(&["  ?a=1", "  ?state=AAAAAAAAAAAAAAAA"]),
            &owned(&["  ?a=2", "  ?state="]),
        );
        mark_fresh(&mut rows, "authorize with a = 2");
        assert_eq!(kinds(&rows), [Kind::Differs, Kind::Differs]);
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
        assert_eq!(shown[2], "  ?b=%0A\\u{1b}");
    }
}
