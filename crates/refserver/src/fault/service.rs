//! How the faults of a published service are written down: each breaks one promise of that service's documentation, in the face that stands for it.
//!
//! A line is `Variant "name" ["case ids it must turn red"] "doc";`. With `like Other` before the brackets the server does what the fault `Other`
//! of the reference server does; without, the server code asks `app.broken(SomeFault::Variant)`.

macro_rules! service_faults {
    (
        $(#[doc = $about:literal])*
        $faults:ident as $service:ident {
            $($variant:ident $name:literal $(like $generic:ident)? [$($row:literal),+] $doc:literal;)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $faults { $(#[doc = $doc] $variant,)* }

        impl $faults {
            /// Every one.
            pub(crate) const ALL: &[crate::Fault] = &[$(crate::Fault::$service($faults::$variant),)*];

            pub(super) fn name(self) -> &'static str {
                match self { $($faults::$variant => $name,)* }
            }

            pub(super) fn doc(self) -> &'static str {
                match self { $($faults::$variant => $doc,)* }
            }

            pub(super) fn breaks(self) -> &'static [&'static str] {
                match self { $($faults::$variant => &[$($row),+],)* }
            }

            /// The fault of the reference server that has this effect.
            pub(super) fn like(self) -> Option<crate::Fault> {
                match self { $($faults::$variant => service_faults!(@like $($generic)?),)* }
            }
        }

        impl From<$faults> for crate::Fault {
            fn from(fault: $faults) -> crate::Fault {
                crate::Fault::$service(fault)
            }
        }
    };
    (@like) => { None };
    (@like $generic:ident) => { Some(crate::Fault::$generic) };
}

pub(super) use service_faults;
