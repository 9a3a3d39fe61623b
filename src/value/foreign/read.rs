//! Types of other crates, read from a row: as the type of PostgreSQL first, and then converted.

use std::net::IpAddr;

use crate::value::{FromValue, Inet, Value, ValueError};

macro_rules! from_value {
    ($($feature:literal: $($from:ty => $into:ty as $name:literal,)+)+) => {$($(
        #[cfg(feature = $feature)]
        impl<'a> FromValue<'a> for $into {
            fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
                let value: $from = value.read().map_err(|error| error.into_target($name))?;
                Self::try_from(value).map_err(ValueError::from)
            }
        }
    )+)+};
}

from_value! {
    "with-bigdecimal-0_4":
        crate::value::Numeric => bigdecimal::BigDecimal as "bigdecimal::BigDecimal",
    "with-bit-vec-0_8":
        crate::value::Bits<'_> => bit_vec::BitVec as "bit_vec::BitVec",
    "with-chrono-0_4":
        crate::value::Date => chrono::NaiveDate as "chrono::NaiveDate",
        crate::value::Time => chrono::NaiveTime as "chrono::NaiveTime",
        crate::value::LocalDateTime => chrono::NaiveDateTime as "chrono::NaiveDateTime",
        crate::Timestamp => chrono::DateTime<chrono::Utc> as "chrono::DateTime",
        crate::value::Interval => chrono::TimeDelta as "chrono::TimeDelta",
    "with-geo-types-0_7":
        crate::value::Point => geo_types::Point<f64> as "geo_types::Point",
        crate::value::Point => geo_types::Coord<f64> as "geo_types::Coord",
        crate::value::Lseg => geo_types::Line<f64> as "geo_types::Line",
        crate::value::GeoBox => geo_types::Rect<f64> as "geo_types::Rect",
        crate::value::Path => geo_types::LineString<f64> as "geo_types::LineString",
    "with-jiff-0_2":
        crate::value::Date => jiff::civil::Date as "jiff::civil::Date",
        crate::value::Time => jiff::civil::Time as "jiff::civil::Time",
        crate::value::LocalDateTime => jiff::civil::DateTime as "jiff::civil::DateTime",
        crate::Timestamp => jiff::Timestamp as "jiff::Timestamp",
        crate::value::Interval => jiff::Span as "jiff::Span",
    "with-rust_decimal-1":
        crate::value::Numeric => rust_decimal::Decimal as "rust_decimal::Decimal",
    "with-time-0_3":
        crate::value::Date => ::time::Date as "time::Date",
        crate::value::Time => ::time::Time as "time::Time",
        crate::value::LocalDateTime => ::time::PrimitiveDateTime as "time::PrimitiveDateTime",
        crate::Timestamp => ::time::OffsetDateTime as "time::OffsetDateTime",
        crate::value::Interval => ::time::Duration as "time::Duration",
    "with-uuid-1":
        crate::value::Uuid => ::uuid::Uuid as "uuid::Uuid",
}

/// A host's address alone, without a network.
impl<'a> FromValue<'a> for IpAddr {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        value.read::<Inet>().map_err(|error| error.into_target("IpAddr"))?.try_into()
    }
}

/// From `inet` and from `cidr`.
#[cfg(feature = "with-ipnetwork-0_20")]
impl<'a> FromValue<'a> for ipnetwork::IpNetwork {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        match value.read::<crate::value::Cidr>() {
            Ok(cidr) => cidr.try_into(),
            Err(_) => {
                value.read::<Inet>().map_err(|error| error.into_target("ipnetwork::IpNetwork"))?.try_into()
            }
        }
    }
}

/// Of a conversion that can't fail.
impl From<std::convert::Infallible> for ValueError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Oid;
    use crate::pgoutput::Datum;
    use crate::value::{Types, ValueErrorKind};

    fn read<T: for<'a> FromValue<'a>>(text: &str, type_oid: u32) -> Result<T, ValueError> {
        let types = Types::new();
        Value::new(Datum::Text(text.as_bytes()), Oid::new(type_oid), &types).unwrap().read()
    }

    #[test]
    fn reads_what_the_type_of_another_crate_can_hold() {
        assert_eq!(read::<IpAddr>("10.0.0.1", 869), Ok([10, 0, 0, 1].into()));
        assert_eq!(read::<chrono::NaiveDate>("2024-02-29", 1082).unwrap().to_string(), "2024-02-29");
        assert_eq!(read::<rust_decimal::Decimal>("1.50", 1700).unwrap().to_string(), "1.50");
        assert_eq!(read::<ipnetwork::IpNetwork>("10.0.0.0/8", 650).unwrap().prefix(), 8);
        assert_eq!(read::<ipnetwork::IpNetwork>("10.0.0.1/8", 869).unwrap().prefix(), 8);
        let id = read::<::uuid::Uuid>("00000000-0000-0000-0000-000000000007", 2950).unwrap();
        assert_eq!(id.as_u128(), 7);
    }

    #[test]
    fn refuses_the_rest_with_the_name_of_what_was_asked_for() {
        let refused = |error: ValueError| match error.kind() {
            ValueErrorKind::OutOfRange { target } | ValueErrorKind::Mismatch { target } => *target,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(read::<chrono::NaiveDate>("infinity", 1082).unwrap_err()), "chrono::NaiveDate");
        assert_eq!(refused(read::<jiff::Timestamp>("1", 23).unwrap_err()), "jiff::Timestamp");
        assert_eq!(refused(read::<ipnetwork::IpNetwork>("1", 23).unwrap_err()), "ipnetwork::IpNetwork");
        assert_eq!(refused(read::<IpAddr>("10.0.0.1/8", 869).unwrap_err()), "IpAddr");
    }
}
