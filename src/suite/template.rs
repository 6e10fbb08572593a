//! `$name.field`, or `${name.field}` before a letter that is none of its own, and nothing more.

use super::model::{Part, Template};

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Byte range in the text.
    pub span: std::ops::Range<usize>,
    /// What is wrong.
    pub message: &'static str,
    /// What to write instead.
    pub help: &'static str,
}

/// A template and the byte range of every reference in its text.
pub type Parsed = (Template, Vec<std::ops::Range<usize>>);

/// Splits a text into literal pieces and references. `$$` is a dollar.
pub fn parse(text: &str) -> Result<Parsed, TemplateError> {
    const FORM: &str = "a reference is `$name.field` or `${name.field}`; write `$$` for a dollar";
    let mut parts: Vec<Part> = Vec::new();
    let mut spans = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        literal.push_str(before);
        let dollar = text.len() - after.len() - 1;
        if let Some(after) = after.strip_prefix('$') {
            literal.push('$');
            rest = after;
            continue;
        }
        let (after, braced) = match after.strip_prefix('{') {
            Some(inside) => (inside, true),
            None => (after, false),
        };
        let name = leading(after, |c| c == '-');
        if name.is_empty() {
            return Err(TemplateError {
                span: dollar..dollar + 1,
                message: "a `$` must be followed by a name",
                help: FORM,
            });
        }
        let tail = after.get(name.len()..).unwrap_or("");
        let field = leading(tail.strip_prefix('.').unwrap_or(""), |c| c == '_');
        if field.is_empty() {
            return Err(TemplateError {
                span: dollar..(text.len() - tail.len()),
                message: "a reference without a field",
                help: FORM,
            });
        }
        let tail = tail.get(1 + field.len()..).unwrap_or("");
        let tail = match (braced, tail.strip_prefix('}')) {
            (false, _) => tail,
            (true, Some(tail)) => tail,
            (true, None) => {
                return Err(TemplateError {
                    span: dollar..(text.len() - tail.len()),
                    message: "a brace that is not closed",
                    help: "write `${name.field}`",
                });
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Reference {
            name: name.to_owned(),
            field: field.to_owned(),
        });
        spans.push(dollar..(text.len() - tail.len()));
        rest = tail;
    }
    literal.push_str(rest);
    if !literal.is_empty() || parts.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok((Template(parts), spans))
}

/// The longest prefix that is a lower-case letter followed by letters, digits and `joiner`.
fn leading(text: &str, joiner: impl Fn(char) -> bool) -> &str {
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return "";
    }
    let end = text
        .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || joiner(c)))
        .unwrap_or(text.len());
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: &str, field: &str) -> Part {
        Part::Reference {
            name: name.to_owned(),
            field: field.to_owned(),
        }
    }

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn a_reference_ends_where_its_field_ends() {
        let (template, spans) = parse("https://$redirect.host.attacker.example/").unwrap();
        assert_eq!(
            template.0,
            [
                text("https://"),
                reference("redirect", "host"),
                text(".attacker.example/")
            ]
        );
        assert_eq!((spans[0].start, spans[0].end, spans.len()), (8, 22, 1));
        let (template, spans) = parse("x${s1.code}000").unwrap();
        assert_eq!(
            template.0,
            [text("x"), reference("s1", "code"), text("000")]
        );
        assert_eq!((spans[0].start, spans[0].end), (1, 11));
        let (template, _) = parse("$client-b.redirect_uri_2%00").unwrap();
        assert_eq!(
            template.0,
            [reference("client-b", "redirect_uri_2"), text("%00")]
        );
    }

    #[test]
    fn two_dollars_are_one() {
        let (template, spans) = parse("$$pkce.verifier costs 5$$").unwrap();
        assert_eq!(template.0, [text("$pkce.verifier costs 5$")]);
        assert!(spans.is_empty());
        assert_eq!(parse("").unwrap().0.0, [text("")]);
    }

    #[test]
    fn a_dollar_that_is_no_reference_is_refused() {
        for wrong in [
            "$",
            "5$",
            "$1",
            "$ x",
            "$Name.field",
            "$name",
            "$name.",
            "$name.1",
            "${name.field",
            "${name}",
            "${}",
            "$name.{field}",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
