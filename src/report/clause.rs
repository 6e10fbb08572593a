//! The clauses of a case, for people.

use crate::suite::refs::{Clause, display};

/// One clause in words: `RFC 9700 §2.1.1`.
pub fn words(reference: &str) -> String {
    display(reference)
}

/// Where the clause can be read; `None` for anything but a known public document.
pub fn address(reference: &str) -> Option<String> {
    Clause::parse(reference).ok()?.url()
}

/// All clauses of a case on one line.
pub fn list(references: &[String]) -> String {
    references
        .iter()
        .map(|reference| words(reference))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_documents_have_an_address() {
        assert_eq!(
            address("rfc9700#2.1.1").as_deref(),
            Some("https://www.rfc-editor.org/rfc/rfc9700#section-2.1.1")
        );
        assert_eq!(address("javascript:alert(1)#1"), None);
        assert_eq!(address("rfc1\"onclick#1"), None);
    }
}
