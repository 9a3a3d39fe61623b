use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
        pub struct $name(u32);

        impl $name {
            /// Wraps the number.
            pub const fn new(number: u32) -> Self {
                Self(number)
            }
        }

        impl From<u32> for $name {
            #[inline]
            fn from(number: u32) -> Self {
                Self(number)
            }
        }

        impl From<$name> for u32 {
            #[inline]
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// A transaction id, as the wire carries it: 32 bits, wrapping, and not in commit order.
    ///
    /// ```
    /// assert_eq!(walferry::Xid::new(1067).to_string(), "1067");
    /// ```
    Xid
}

number! {
    /// An object identifier: the key of a row in a system catalogue.
    ///
    /// ```
    /// let text = walferry::Oid::new(25);
    /// assert_eq!(u32::from(text), 25);
    /// ```
    Oid
}

number! {
    /// A table's object identifier: stable across renames, new after DROP and CREATE.
    ///
    /// ```
    /// assert_eq!(u32::from(walferry::RelationId::new(16384)), 16384);
    /// ```
    RelationId
}

impl Oid {
    /// Types below this number come with the server and are the same on every server; types at or above it
    /// were made by `initdb` scripts, extensions or users and differ from one database to the next.
    ///
    /// The server announces each type from here on in a Type message before the relation that uses it.
    pub const FIRST_UNPINNED: Self = Self(10_000);
}
