use std::fmt;
use std::str::FromStr;

/// A position in the write-ahead log: a byte offset, printed as PostgreSQL prints it.
///
/// ```
/// use walferry::Lsn;
///
/// let lsn: Lsn = "16/B374D848".parse()?;
/// assert_eq!(u64::from(lsn), 0x16_B374_D848);
/// assert_eq!(lsn.to_string(), "16/B374D848");
/// # Ok::<(), walferry::ParseLsnError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(u64);

impl Lsn {
    /// `0/0`: no position. Every real position is greater.
    pub const ZERO: Self = Self(0);

    /// The position `offset` bytes into the log.
    pub const fn new(offset: u64) -> Self {
        Self(offset)
    }

    /// Whether this is `0/0`, which the server uses for "unknown".
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl From<u64> for Lsn {
    fn from(offset: u64) -> Self {
        Self(offset)
    }
}

impl From<Lsn> for u64 {
    fn from(lsn: Lsn) -> Self {
        lsn.0
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `%X/%X`, as pg_lsn_out prints it on every version.
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a WAL position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a WAL position: expected two hexadecimal numbers of up to eight digits, as in 16/B374D848")]
pub struct ParseLsnError(());

impl FromStr for Lsn {
    type Err = ParseLsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // pg_lsn_in: one to eight hexadecimal digits on either side of one slash.
        let half = |digits: &str| {
            let well_formed =
                (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            well_formed.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        let (high, low) = text.split_once('/').ok_or(ParseLsnError(()))?;
        match (half(high), half(low)) {
            (Some(high), Some(low)) => Ok(Self(high << 32 | low)),
            _ => Err(ParseLsnError(())),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Lsn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Lsn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_the_server_does() {
        assert_eq!(Lsn::ZERO.to_string(), "0/0");
        assert!(Lsn::ZERO.is_zero() && !Lsn::new(1).is_zero());
        assert_eq!(Lsn::new(u64::MAX).to_string(), "FFFFFFFF/FFFFFFFF");
        assert_eq!(format!("{:?}", Lsn::from(0x1_0000_000A)), "1/A");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn is_the_same_text_to_serde() {
        let lsn = Lsn::new(0x16_B374_D848);
        assert_eq!(serde_json::to_string(&lsn).unwrap(), r#""16/B374D848""#);
        assert_eq!(serde_json::from_str::<Lsn>(r#""16/B374D848""#).unwrap(), lsn);
    }

    #[test]
    fn refuses_what_pg_lsn_refuses() {
        for text in
            ["", "/", "0", "0/", "/0", "0/0/0", "G/0", "+1/0", " 0/0", "0/0 ", "123456789/0", "0/123456789"]
        {
            assert!(text.parse::<Lsn>().is_err(), "{text:?}");
        }
        assert_eq!("00000016/b374d848".parse(), Ok(Lsn::new(0x16_B374_D848)));
    }
}
