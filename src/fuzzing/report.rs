//! Hostile text in a report comes back as the same text from a real reader of the format. The bodies of the
//! fuzz target `report` and of the property tests beside the writers.

use super::planted;
use crate::report::sample;

/// Every writer of reports, with the bytes as the text of everything that a server or a file may choose.
///
/// A whole page is written and read for each, so a fuzzer asks one part of them a time, which the bytes choose;
/// a seed is asked everything.
pub fn report(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parts: [fn(&str); 7] = [
        html::holds,
        |text| {
            junit::holds(text);
            json(text);
        },
        markdown::holds,
        |text| {
            sarif::holds(text);
            har(text);
        },
        |text| terminal::holds(text, 70),
        |text| terminal::holds(text, 130),
        whole,
    ];
    if cfg!(fuzzing) {
        parts[super::number(data) % parts.len()](&text);
    } else {
        parts.iter().for_each(|part| part(&text));
    }
    visible(&text);
}

/// A run in which every text is hostile, in every format: what a reader finds is built as with any other text.
pub(crate) fn whole(text: &str) {
    use crate::report::{Format, Look};
    if text.is_empty() {
        // What is empty has no row.
        return;
    }
    let (run, plain) = (sample::hostile_run(text), sample::hostile_run("x"));
    html::built_alike(&run);
    let elements = |run| {
        let elements = junit::read(&Format::Junit.render(run).unwrap());
        elements
            .into_iter()
            .map(|element| element.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(elements(&run), elements(&plain));
    markdown::built_alike(&run, &plain, text);
    for format in [Format::Json, Format::Har, Format::Sarif] {
        let read: serde_json::Value =
            serde_json::from_slice(&format.render(&run).unwrap()).unwrap();
        assert!(read.is_object());
    }
    // A badge has words of ours only.
    let badge = |run| Format::Badge.render(run).unwrap();
    assert_eq!(badge(&run), badge(&plain));
    for width in [70, 130] {
        let look = Look {
            annotations: true,
            width,
            ..Look::default()
        };
        let shown = terminal::told(look, &run);
        assert_eq!(terminal::commands(&shown).len(), 1, "{shown}");
        let hidden = |c| c != '\n' && crate::report::text::is_hidden(c);
        assert!(!shown.chars().any(hidden), "{shown:?}");
    }
}

/// What is printed in one line has no character that moves, hides or commands.
pub(crate) fn visible(text: &str) {
    use crate::report::text::{annotation, block, is_hidden, line, log, markdown};
    for shown in [line(text), log(text), annotation(text), markdown(text)] {
        assert!(!shown.chars().any(is_hidden), "{shown:?}");
    }
    assert!(!log(text).contains("##["));
    assert!(!block(text).chars().any(|c| c != '\n' && is_hidden(c)));
}

/// The report's own JSON.
pub(crate) fn json(text: &str) {
    use crate::report::json::{Document, render};
    let run = sample::run_of(vec![sample::hostile_case(text)]);
    let back: Document = serde_json::from_slice(&render(&run).unwrap()).unwrap();
    assert_eq!(back, Document::from(&run));
}

/// An HTTP archive.
pub(crate) fn har(text: &str) {
    use crate::report::har::render;
    use serde_json::Value;

    let run = sample::run_of(vec![sample::hostile_case(text)]);
    let document: Value = serde_json::from_slice(&render(&run).unwrap()).unwrap();
    let entry = &document["log"]["entries"][0];
    assert_eq!(entry["response"]["content"]["text"].as_str().unwrap(), text);
    // In the URL what no URI may hold is percent-encoded; decoded, it is the same.
    let url = entry["request"]["url"].as_str().unwrap();
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
    assert_eq!(
        wire::form::decode_component(url.as_bytes()),
        wire::form::decode_component(format!("https://as.example/{text}?a={text}").as_bytes())
    );
}

pub(crate) mod html {
    use super::sample;
    use crate::report::{Run, html::render, text};
    use scraper::{Html, Selector};

    pub(crate) fn read(run: &Run) -> Html {
        Html::parse_document(&String::from_utf8(render(run).unwrap()).unwrap())
    }

    pub(crate) fn texts(page: &Html, selector: &str) -> Vec<String> {
        page.select(&Selector::parse(selector).unwrap())
            .map(|element| element.text().collect())
            .collect()
    }

    /// The elements of the page, in order: what a text must not be able to change.
    #[cfg(test)]
    pub(crate) fn skeleton(page: &Html) -> Vec<String> {
        page.select(&Selector::parse("*").unwrap())
            .map(|element| element.value().name().to_owned())
            .collect()
    }

    /// Nothing but the page's own script, and no address but of clauses and of places in the page.
    pub(crate) fn built_alike(run: &Run) {
        let page = read(run);
        assert_eq!(texts(&page, "script").len(), 1);
        assert_eq!(
            texts(&page, "style, link, img, iframe, object, form").len(),
            1
        );
        innocent(&page);
    }

    fn innocent(page: &Html) {
        for element in page.select(&Selector::parse("*").unwrap()) {
            for (name, value) in element.value().attrs() {
                assert!(!name.starts_with("on"), "{name}={value}");
                assert!(
                    name != "href" || value.starts_with("https://") || value.starts_with('#'),
                    "{value}"
                );
            }
        }
    }

    pub(crate) fn holds(hostile: &str) {
        let page = read(&sample::run_of(vec![sample::hostile_case(hostile)]));
        let expected = text::line(hostile);
        assert_eq!(
            texts(&page, "section.failure > p[data-text]"),
            std::slice::from_ref(&expected)
        );
        let values = texts(&page, "section.failure dd");
        assert_eq!(values[0], expected);
        // An empty deviation has no row.
        assert!(hostile.is_empty() || values[1] == expected);
        assert_eq!(
            texts(&page, "td.right").len(),
            texts(&page, "td.left").len()
        );
        assert_eq!(
            texts(&page, "section.failure pre code"),
            [text::line(&format!("curl {hostile}"))]
        );
        assert_eq!(texts(&page, "script").len(), 1);
        innocent(&page);
    }
}

pub(crate) mod junit {
    use super::{planted, sample};
    use crate::report::{junit::render, text};
    use quick_xml::events::Event;

    /// Name, attributes and own text.
    pub(crate) type Element = (String, Vec<(String, String)>, String);

    /// Every element with its attributes and its own text, as a JUnit reader sees them.
    pub(crate) fn read(bytes: &[u8]) -> Vec<Element> {
        let mut reader = quick_xml::Reader::from_reader(bytes);
        let mut found: Vec<Element> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        loop {
            match reader.read_event().expect("well-formed XML") {
                Event::Start(element) => {
                    open.push(found.len());
                    found.push(start(&element));
                }
                Event::Empty(element) => found.push(start(&element)),
                Event::End(_) => {
                    open.pop();
                }
                Event::Text(part) => {
                    if let Some(index) = open.last() {
                        found[*index].2.push_str(&part.decode().expect("utf-8"));
                    }
                }
                Event::GeneralRef(part) => {
                    let name = part.decode().expect("utf-8").into_owned();
                    let text = match part.resolve_char_ref().expect("a character") {
                        Some(c) => c.to_string(),
                        None => quick_xml::escape::resolve_xml_entity(&name)
                            .expect("an entity")
                            .to_owned(),
                    };
                    if let Some(index) = open.last() {
                        found[*index].2.push_str(&text);
                    }
                }
                Event::CData(part) => {
                    if let Some(index) = open.last() {
                        found[*index].2.push_str(&part.decode().expect("utf-8"));
                    }
                }
                Event::Eof => return found,
                _ => {}
            }
        }
    }

    fn start(
        element: &quick_xml::events::BytesStart<'_>,
    ) -> (String, Vec<(String, String)>, String) {
        let name = String::from_utf8(element.name().as_ref().to_vec()).expect("utf-8");
        let attributes = element
            .attributes()
            .map(|attribute| {
                let attribute = attribute.expect("an attribute");
                let key = String::from_utf8(attribute.key.as_ref().to_vec()).expect("utf-8");
                let raw = String::from_utf8(attribute.value.to_vec()).expect("utf-8");
                (
                    key,
                    quick_xml::escape::unescape(&raw)
                        .expect("escapes")
                        .into_owned(),
                )
            })
            .collect();
        (name, attributes, String::new())
    }

    pub(crate) fn attribute<'a>(
        element: &'a (String, Vec<(String, String)>, String),
        name: &str,
    ) -> &'a str {
        &element
            .1
            .iter()
            .find(|(key, _)| key == name)
            .expect("the attribute")
            .1
    }

    pub(crate) fn holds(text: &str) {
        let case = sample::hostile_case(&planted::written(text));
        let elements = read(&render(&sample::run_of(vec![case])).unwrap());
        let failures: Vec<_> = elements
            .iter()
            .filter(|element| element.0 == "failure")
            .collect();
        assert_eq!(failures.len(), 1);
        assert_eq!(attribute(failures[0], "message"), text::line(text));
        assert!(
            failures[0]
                .2
                .contains(&format!("fix        {}", text::line(text)))
        );
        let names: Vec<&str> = elements.iter().map(|element| element.0.as_str()).collect();
        assert!(
            names.iter().all(|name| [
                "testsuites",
                "testsuite",
                "testcase",
                "properties",
                "property",
                "failure"
            ]
            .contains(name)),
            "{names:?}"
        );
    }
}

pub(crate) mod markdown {
    use super::sample;
    use crate::report::{Run, markdown::render, text};

    /// What a reader shows of a Markdown text: plain text and code, and what is anything else.
    fn parsed(source: &str) -> (String, Vec<String>, Vec<String>) {
        use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
        let (mut words, mut blocks, mut strange) = (String::new(), Vec::new(), Vec::new());
        let mut code: Option<String> = None;
        for event in Parser::new_ext(
            source,
            Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH,
        ) {
            match event {
                Event::Start(Tag::CodeBlock(_)) => code = Some(String::new()),
                Event::End(TagEnd::CodeBlock) => blocks.extend(code.take()),
                Event::Text(part) => match &mut code {
                    Some(code) => code.push_str(&part),
                    None => words.push_str(&part),
                },
                Event::Html(part) | Event::InlineHtml(part)
                    if &*part == "<!-- -->"
                        || part.trim().starts_with("<details>")
                        || part.trim() == "</details>" => {}
                Event::Html(part) | Event::InlineHtml(part) => strange.push(part.to_string()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    strange.push(dest_url.to_string())
                }
                Event::Code(part) => strange.push(part.to_string()),
                Event::Rule => strange.push("---".to_owned()),
                _ => {}
            }
        }
        (words, blocks, strange)
    }

    /// No markup that is not there with any other text; what is no code is shown as text.
    pub(crate) fn built_alike(run: &Run, plain: &Run, hostile: &str) {
        let read = |run| parsed(&String::from_utf8(render(run).unwrap()).unwrap());
        let ((words, blocks, strange), (_, others, _)) = (read(run), read(plain));
        assert!(strange.is_empty(), "{strange:?}");
        assert!(blocks.len() <= others.len(), "{blocks:?}");
        // Blanks at the ends of a cell are not part of Markdown text, and a long one is cut.
        let head: String = text::line(hostile).chars().take(60).collect();
        assert!(words.contains(head.trim()), "{words}");
    }

    pub(crate) fn holds(hostile: &str) {
        let visible = text::line(hostile);
        // Blanks at the ends of a cell or a line are not part of Markdown text.
        let (words, _, strange) = parsed(&format!(
            "| a |\n|---|\n| x{}x |\n",
            text::markdown(hostile)
        ));
        assert_eq!(words, format!("ax{visible}x"));
        assert!(strange.is_empty(), "{strange:?}");
        for start in ["", "- "] {
            let (words, blocks, strange) =
                parsed(&format!("{start}{}x\n", text::markdown(hostile)));
            assert_eq!(
                words.trim_start(),
                format!("{visible}x").trim_start(),
                "{start:?}"
            );
            assert!(
                strange.is_empty() && blocks.is_empty(),
                "{strange:?} {blocks:?}"
            );
        }
        let (_, blocks, _) = parsed(&text::markdown_fence(hostile, "sh"));
        assert_eq!(blocks.len(), 1);
        assert_eq!(
            blocks[0].trim_end_matches('\n'),
            text::block(hostile).trim_end_matches('\n')
        );
        let run = sample::run_of(vec![sample::hostile_case(hostile)]);
        let (_, blocks, strange) = parsed(&String::from_utf8(render(&run).unwrap()).unwrap());
        assert_eq!(blocks.len(), 2, "one diff and one command");
        assert!(strange.is_empty(), "{strange:?}");
    }
}

pub(crate) mod sarif {
    use super::sample;
    use crate::report::{Run, sarif::render, text};
    use serde_json::Value;

    pub(crate) fn read(run: &Run) -> Value {
        serde_json::from_slice(&render(run).unwrap()).unwrap()
    }

    /// What a viewer shows of a message: escaped brackets and doubled braces undone (SARIF 2.1.0 §3.11.5, §3.11.6).
    pub(crate) fn shown(text: &str) -> String {
        let mut out = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => out.extend(chars.next()),
                '{' | '}' => {
                    assert_eq!(chars.next(), Some(c), "a lone brace is a placeholder");
                    out.push(c);
                }
                '[' | ']' => panic!("a bare bracket makes a link"),
                c => out.push(c),
            }
        }
        out
    }

    pub(crate) fn holds(text: &str) {
        let document = read(&sample::run_of(vec![sample::hostile_case(text)]));
        let rule = &document["runs"][0]["tool"]["driver"]["rules"][0];
        assert_eq!(
            shown(rule["shortDescription"]["text"].as_str().unwrap()),
            text::block(text)
        );
        let result = &document["runs"][0]["results"][0];
        assert_eq!(
            result["webResponse"]["body"]["text"].as_str().unwrap(),
            text
        );
        // What is outside the working folder has no place.
        let uri = result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            .as_str()
            .unwrap_or_default();
        let plain = uri
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b));
        assert!(plain, "{}", uri);
    }
}

pub(crate) mod terminal {
    use super::sample;
    use crate::event::{CaseReport, Event};
    use crate::report::{Look, Report as _, Run, Terminal, text};
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    pub(crate) struct Buffer(pub(crate) Arc<Mutex<Vec<u8>>>);
    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(crate) fn shown(look: Look, cases: Vec<CaseReport>) -> String {
        let buffer = Buffer::default();
        let mut terminal = Box::new(Terminal::new(Box::new(buffer.clone()), look));
        for event in sample::events_of(cases) {
            terminal.event(&event).unwrap();
        }
        terminal.finish().unwrap();
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// A whole run as it is told.
    pub(crate) fn told(look: Look, run: &Run) -> String {
        let buffer = Buffer::default();
        let mut terminal = Box::new(Terminal::new(Box::new(buffer.clone()), look));
        terminal.event(&Event::Start(run.start.clone())).unwrap();
        for case in &run.cases {
            let case = Event::Case(Box::new(case.clone()));
            terminal.event(&case).unwrap();
        }
        let end = Event::End(Box::new(run.end.clone()));
        terminal.event(&end).unwrap();
        terminal.finish().unwrap();
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// The workflow commands a GitHub runner would find: `::name props::message` at the start of a line,
    /// after blanks, and the older `##[name]` anywhere.
    pub(crate) fn commands(shown: &str) -> Vec<(String, String, String)> {
        let decode = |text: &str| {
            text.replace("%0D", "\r")
                .replace("%0A", "\n")
                .replace("%3A", ":")
                .replace("%2C", ",")
                .replace("%25", "%")
        };
        shown
            .split(['\n', '\r'])
            .filter_map(|line| {
                let command = || {
                    let rest = line.trim_start().strip_prefix("::")?;
                    let (head, message) = rest.split_once("::")?;
                    let (name, title) = head.split_once(" title=").unwrap_or((head, ""));
                    Some((name.to_owned(), decode(title), decode(message)))
                };
                let older = || {
                    line.contains("##[")
                        .then(|| ("older".to_owned(), String::new(), line.to_owned()))
                };
                command().or_else(older)
            })
            .collect()
    }

    pub(crate) fn holds(hostile: &str, width: usize) {
        let case = sample::hostile_case(hostile);
        let expected = format!("{}: {}\nfix: {}", case.title, case.reason, case.fix);
        let shown = shown(
            Look {
                annotations: true,
                width,
                ..Look::default()
            },
            vec![case],
        );
        let found = commands(&shown);
        assert_eq!(found.len(), 1, "{found:?}\n{shown}");
        assert_eq!(found[0].0, "error");
        assert_eq!(found[0].1, "redirect.hostile");
        let visible: String = expected
            .chars()
            .map(|c| {
                if matches!(c, '\n' | '\r') {
                    c.to_string()
                } else {
                    text::line(&c.to_string())
                }
            })
            .collect();
        assert_eq!(found[0].2, visible);
        assert!(
            !shown.chars().any(|c| c != '\n' && text::is_hidden(c)),
            "{shown:?}"
        );
    }
}
