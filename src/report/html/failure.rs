//! One failure: what was asked, what came of it, and how to mend it; and a case in the list of all.

use maud::{Markup, html};

use crate::event::{CaseReport, Exchange, VariantReport};
use crate::report::exchange::{self, Detail, Kind, Row};
use crate::report::{full_name, level_word, result, severity_word, text, worst};
use crate::suite::refs;

use super::{diagram, line};

/// Where a failure is found in the page.
pub(super) fn anchor(case: &CaseReport) -> String {
    format!("failure-{}", line(&case.id))
}

fn clauses(references: &[String]) -> Markup {
    html! {
        @for (index, reference) in references.iter().enumerate() {
            @if index > 0 { ", " }
            @if let Some(address) = refs::address(reference) {
                a href=(address) rel="noreferrer noopener" { (line(&refs::display(reference))) }
            } @else { (line(&refs::display(reference))) }
        }
    }
}

/// A failure or a warning, with everything needed to mend it.
pub(super) fn failure(case: &CaseReport) -> Markup {
    let variant = worst(case);
    let name = variant.map_or_else(|| case.id.clone(), |variant| full_name(case, variant));
    let anchor = anchor(case);
    html! {
        section id=(anchor) class=(format!("failure v-{}", case.verdict.word())) tabindex="-1" aria-labelledby=(format!("{anchor}-name"))
            data-case=(line(&case.id)) data-verdict=(case.verdict.word()) data-severity=(severity_word(case.severity)) data-suite=(line(&case.suite)) {
            div .heading {
                span class=(format!("word {}", case.verdict.word())) { (case.verdict.word()) }
                h3 id=(format!("{anchor}-name")) { (line(&name)) }
                span .tag { (level_word(case.level)) }
                span class=(format!("tag {}", severity_word(case.severity))) { (severity_word(case.severity)) }
                @if case.waived.is_some() { span .tag { "waived" } }
                @if case.promise.is_some() { span .tag { "service promise" } }
            }
            p .title data-text { (line(&case.title)) }
            dl {
                @if let Some(variant) = variant {
                    @if !variant.deviation.is_empty() {
                        dt { @if variant.control.is_empty() { "The step" } @else { "The one deviation" } }
                        dd { code { (line(&variant.deviation)) } }
                    }
                    dt { "What happened" } dd { (line(result(variant))) }
                } @else {
                    dt { "What happened" } dd { (line(&case.reason)) }
                }
                @if let Some(waived) = &case.waived { dt { "Waived" } dd { (line(waived)) } }
                dt { "Clause" } dd { (clauses(&case.refs)) }
                @if let Some(promise) = &case.promise { dt { "Promise" } dd { (line(promise)) } }
                dt { "Why it matters" } dd { (line(&case.why)) }
                dt { "What a correct server does" } dd .fix { (line(&case.fix)) }
                dt { "Case" } dd { code { (line(&case.source)) } }
            }
            @if let Some(variant) = variant {
                @if !variant.evidence.is_empty() {
                    h4 { "Flow" }
                    (diagram::sequence(variant))
                }
                (beside(variant))
                (curl(variant))
            }
            @if case.variants.len() > 1 { h4 { "Variants" } }
            (variants(case))
        }
    }
}

fn beside(variant: &VariantReport) -> Markup {
    let rows = exchange::rows(variant, Detail::FULL);
    html! {
        @if rows.is_empty() {}
        @else if variant.control.is_empty() {
            h4 { "Exchange" }
            pre { @for row in &rows { (row.right.as_deref().unwrap_or("")) "\n" } }
        } @else {
            h4 { "Control and failing exchange" }
            table .beside {
                thead { tr { th scope="col" .sign { span .unseen { "difference" } } th scope="col" { "control" } th scope="col" { "with the deviation" } } }
                tbody { @for row in &rows { (one(row)) } }
            }
            p .key { "≠ differs, ~ is new in every flow" }
        }
    }
}

fn one(row: &Row) -> Markup {
    let (left, right) = (
        row.left.as_deref().unwrap_or(""),
        row.right.as_deref().unwrap_or(""),
    );
    let (sign, words, class) = match row.kind {
        Kind::Same => ("", "", "same"),
        Kind::Fresh => ("~", "new in every flow", "fresh"),
        Kind::Differs => ("≠", "differs", "differs"),
    };
    html! {
        tr class=(class) {
            td .sign { @if !sign.is_empty() { span aria-hidden="true" { (sign) } span .unseen { (words) } } }
            @if row.kind == Kind::Differs && row.left.is_some() && row.right.is_some() {
                td .left { (marked(left, right)) }
                td .right { (marked(right, left)) }
            } @else {
                td .left { (left) }
                td .right { (right) }
            }
        }
    }
}

/// A line with what the other line has not marked: all but their common beginning and end.
fn marked(own: &str, other: &str) -> Markup {
    let start: usize = own
        .chars()
        .zip(other.chars())
        .take_while(|(own, other)| own == other)
        .map(|(own, _)| own.len_utf8())
        .sum();
    let (own_rest, other_rest) = (
        own.get(start..).unwrap_or_default(),
        other.get(start..).unwrap_or_default(),
    );
    let end: usize = own_rest
        .chars()
        .rev()
        .zip(other_rest.chars().rev())
        .take_while(|(own, other)| own == other)
        .map(|(own, _)| own.len_utf8())
        .sum();
    let middle = own_rest.len().saturating_sub(end);
    let (differs, tail) = own_rest.split_at_checked(middle).unwrap_or((own_rest, ""));
    html! {
        (own.get(..start).unwrap_or_default())
        @if !differs.is_empty() { mark { (differs) } }
        (tail)
    }
}

fn curl(variant: &VariantReport) -> Markup {
    html! {
        @if let Some(first) = exchange::story(variant).failing.first() {
            h4 { "Repeat it" }
            pre { code { (line(&first.curl)) } }
        }
    }
}

fn variants(case: &CaseReport) -> Markup {
    html! {
        @if case.variants.len() > 1 {
            table .variants {
                thead .unseen { tr { th scope="col" { "verdict" } th scope="col" { "variant" } th scope="col" { "reason" } } }
                tbody {
                    @for variant in &case.variants {
                        tr {
                            td { span class=(format!("word {}", variant.verdict.word())) { (variant.verdict.word()) } }
                            td { (line(&variant.name)) }
                            td { (line(&variant.reason)) }
                        }
                    }
                }
            }
        }
    }
}

/// A case in the list of all: closed, with every exchange inside.
pub(super) fn entry(case: &CaseReport) -> Markup {
    html! {
        details .case data-case=(line(&case.id)) data-verdict=(case.verdict.word())
            data-severity=(severity_word(case.severity)) data-suite=(line(&case.suite)) {
            summary data-text {
                span class=(format!("word {}", case.verdict.word())) { (case.verdict.word()) }
                b { (line(&case.id)) } " " (line(&case.title))
                @if !case.reason.is_empty() { " " span .count { (line(&case.reason)) } }
            }
            div {
                dl {
                    dt { "Clause" } dd { (clauses(&case.refs)) }
                    dt { "Why it matters" } dd { (line(&case.why)) }
                    dt { "What a correct server does" } dd { (line(&case.fix)) }
                    dt { "Case" } dd { code { (line(&case.source)) } ", " (case.duration_ms) " ms" }
                }
                @if case.variants.len() > 1 { h3 { "Variants" } }
                (variants(case))
                @for (index, variant) in case.variants.iter().enumerate() {
                    @let before = index.checked_sub(1).and_then(|before| case.variants.get(before));
                    (exchanges(case, variant, before))
                }
            }
        }
    }
}

/// The exchanges of a variant; a control it shares with the variant before is not shown again.
fn exchanges(case: &CaseReport, variant: &VariantReport, before: Option<&VariantReport>) -> Markup {
    let shared = before.is_some_and(|before| before.control == variant.control);
    let control: &[Exchange] = if shared { &[] } else { &variant.control };
    let flow = if variant.control.is_empty() {
        ""
    } else {
        ", with the deviation"
    };
    html! {
        div .exchanges {
            @for (flow, list) in [(", control", control), (flow, variant.evidence.as_slice())] {
                @if !list.is_empty() {
                    h3 { (line(&full_name(case, variant))) (flow) }
                    @for one in list {
                        details .exchange {
                            summary {
                                (line(&one.step)) ": " code { (text::cut(&line(&format!("{} {}", one.method, one.url)), 120)) }
                                " → " @if let Some(status) = one.status { (status) } @else { "no answer" }
                                " " span .count { (format!("{:.1} ms", one.duration_us as f64 / 1000.0)) }
                            }
                            pre { @for shown in exchange::lines(one, Detail::FULL) { (shown) "\n" } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_in_a_line_is_marked() {
        let shown = |own: &str, other: &str| marked(own, other).into_string();
        assert_eq!(shown("a=1&b", "a=2&b"), "a=<mark>1</mark>&amp;b");
        assert_eq!(shown("cb/", "cb"), "cb<mark>/</mark>");
        assert_eq!(shown("cb", "cb/"), "cb");
        assert_eq!(shown("aa", "aaa"), "aa");
        assert_eq!(shown("ü", "ö"), "<mark>ü</mark>");
    }
}
