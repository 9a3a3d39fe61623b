//! Conversions between values and the types of other crates, each behind a feature that names the crate and the version
//! it is compatible with.
//!
//! Exact, or [`OutOfRange`](super::ValueErrorKind::OutOfRange): nothing is rounded, and nothing is replaced by the
//! nearest there is. What comes back is what went, the digits behind a number's point included.

/// `TryFrom` in one direction each; `None` is for what the other type can't hold.
#[cfg(any(
    feature = "with-bigdecimal-0_4",
    feature = "with-bit-vec-0_8",
    feature = "with-chrono-0_4",
    feature = "with-geo-types-0_7",
    feature = "with-ipnetwork-0_20",
    feature = "with-jiff-0_2",
    feature = "with-rust_decimal-1",
    feature = "with-time-0_3",
))]
macro_rules! exact {
    ($(
        $(#[$doc:meta])*
        $from:ty as $from_name:literal => $into:ty as $into_name:literal, $convert:expr;
    )+) => {$(
        $(#[$doc])*
        impl TryFrom<$from> for $into {
            type Error = crate::value::ValueError;

            fn try_from(value: $from) -> Result<Self, Self::Error> {
                let convert: fn($from) -> Option<Self> = $convert;
                convert(value).ok_or_else(|| Self::Error::out_of_range($from_name, $into_name))
            }
        }
    )+};
}

#[cfg(any(feature = "with-chrono-0_4", feature = "with-jiff-0_2", feature = "with-time-0_3"))]
mod count;

#[cfg(feature = "with-bigdecimal-0_4")]
mod bigdecimal;
#[cfg(feature = "with-bit-vec-0_8")]
mod bit_vec;
#[cfg(feature = "with-chrono-0_4")]
mod chrono;
#[cfg(feature = "with-geo-types-0_7")]
mod geo_types;
#[cfg(feature = "with-ipnetwork-0_20")]
mod ipnetwork;
#[cfg(feature = "with-jiff-0_2")]
mod jiff;
#[cfg(feature = "with-rust_decimal-1")]
mod rust_decimal;
#[cfg(feature = "with-time-0_3")]
mod time;
#[cfg(feature = "with-uuid-1")]
mod uuid;
mod read;

#[cfg(test)]
mod tests;
