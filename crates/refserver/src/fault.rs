//! The closed list of faults: each makes the server break one rule, the way some real server has, and nothing else. A suite that cannot see a fault
//! proves nothing by being green. The faults of the published services have tables of their own, one for each face.

// A macro is known to the modules below it only.
macro_rules! faults {
    (
        $($variant:ident $name:literal [$($row:literal),+] $doc:literal;)*
        @deep { $($deep:ident $deep_name:literal $deep_doc:literal;)* }
    ) => {
        /// A way in which the server can be made wrong. The documentation says what the broken server does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Fault {
            $(#[doc = $doc] $variant,)*
            $(#[doc = $deep_doc] $deep,)*
            /// A promise of Hightop.
            Hightop(HightopFault),
            /// A promise of AgnicPay.
            Agnic(AgnicFault),
            /// A check that a resource server alone leaves out.
            Alone(AloneFault),
            /// A promise of HASP.
            Hasp(HaspFault),
            /// A rule for issuers with a path, or of TLS.
            Tenant(TenantFault),
            /// A rule about sessions of the Model Context Protocol.
            Session(SessionFault),
        }

        impl Fault {
            /// Every fault of the reference server that a case must see, grouped by what it breaks. Those of the other faces: [`crate::Face::faults`].
            pub const ALL: &[Fault] = &[$(Fault::$variant,)*];

            /// Faults that no case looks for, because nobody would think of them: for the fuzzer.
            pub const DEEP: &[Fault] = &[$(Fault::$deep,)*];

            /// The name used on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Fault::$variant => $name,)*
                    $(Fault::$deep => $deep_name,)*
                    Fault::Hightop(own) => own.name(),
                    Fault::Agnic(own) => own.name(),
                    Fault::Alone(own) => own.name(),
                    Fault::Hasp(own) => own.name(),
                    Fault::Tenant(own) => own.name(),
                    Fault::Session(own) => own.name(),
                }
            }

            /// What the broken server does.
            pub fn doc(self) -> &'static str {
                match self {
                    $(Fault::$variant => $doc,)*
                    $(Fault::$deep => $deep_doc,)*
                    Fault::Hightop(own) => own.doc(),
                    Fault::Agnic(own) => own.doc(),
                    Fault::Alone(own) => own.doc(),
                    Fault::Hasp(own) => own.doc(),
                    Fault::Tenant(own) => own.doc(),
                    Fault::Session(own) => own.doc(),
                }
            }

            /// Ids of the requirements it breaks: a case of at least one of them must turn red, and no case of any other. Empty for deep faults.
            pub fn breaks(self) -> &'static [&'static str] {
                match self {
                    $(Fault::$variant => &[$($row),+],)*
                    $(Fault::$deep => &[],)*
                    Fault::Hightop(own) => own.breaks(),
                    Fault::Agnic(own) => own.breaks(),
                    Fault::Alone(own) => own.breaks(),
                    Fault::Hasp(own) => own.breaks(),
                    Fault::Tenant(own) => own.breaks(),
                    Fault::Session(own) => own.breaks(),
                }
            }

            /// Whether a case or the fuzzer must find it.
            pub fn kind(self) -> Kind {
                match self { $(Fault::$deep => Kind::Deep,)* _ => Kind::Case }
            }
        }
    };
}

mod agnicpay;
mod alone;
mod hasp;
mod hightop;
mod reference;
mod service;
mod session;
mod tenant;

pub use agnicpay::AgnicFault;
pub use alone::AloneFault;
pub use hasp::HaspFault;
pub use hightop::HightopFault;
pub use reference::Fault;
pub use session::SessionFault;
pub use tenant::TenantFault;

use crate::Face;

/// Who must find a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// At least one case of the suites.
    Case,
    /// The fuzzer.
    Deep,
}

impl Fault {
    /// The fault of that name.
    pub fn parse(name: &str) -> Option<Fault> {
        Fault::every().find(|fault| fault.name() == name)
    }

    /// Every fault of every face, those for the fuzzer last.
    pub fn every() -> impl Iterator<Item = Fault> {
        let faces = Face::ALL.iter().flat_map(|face| face.faults());
        faces.chain(Fault::DEEP).copied()
    }

    /// The face whose promise it breaks. Faults of the reference server may be switched on in every face.
    pub fn face(self) -> Face {
        match self {
            Fault::Hightop(_) => Face::Hightop,
            Fault::Agnic(_) => Face::Agnicpay,
            Fault::Alone(_) => Face::Alone,
            Fault::Hasp(_) => Face::Hasp,
            Fault::Tenant(_) => Face::Tenant,
            Fault::Session(_) => Face::Mcp2025,
            _ => Face::Reference,
        }
    }

    /// The fault of the reference server that has the same effect, where there is one.
    pub(crate) fn like(self) -> Option<Fault> {
        match self {
            Fault::Hightop(own) => own.like(),
            Fault::Agnic(own) => own.like(),
            Fault::Alone(own) => own.like(),
            Fault::Hasp(own) => own.like(),
            Fault::Tenant(own) => own.like(),
            Fault::Session(own) => own.like(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_kebab_case_unique_and_parse_back() {
        let mut seen = HashSet::new();
        for fault in Fault::every() {
            let name = fault.name();
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{name}"
            );
            assert!(seen.insert(name), "{name} twice");
            assert_eq!(Fault::parse(name), Some(fault));
        }
    }

    #[test]
    fn every_fault_says_what_it_does_and_what_it_breaks() {
        let mut docs = HashSet::new();
        for fault in Fault::every() {
            assert_eq!(fault.breaks().is_empty(), fault.kind() == Kind::Deep);
            assert!(
                fault.doc().ends_with('.') && docs.insert(fault.doc()),
                "{}",
                fault.name()
            );
            assert!(
                fault
                    .breaks()
                    .iter()
                    .all(|row| row.split_once('.').is_some()),
                "{}",
                fault.name()
            );
        }
    }
}
