//! What a slot may be called.

use std::fmt;
use std::str::FromStr;

/// The name of a replication slot: 1 to 63 of `a` to `z`, `0` to `9` and `_`.
///
/// The rule is [the server's](https://www.postgresql.org/docs/current/warm-standby.html#STREAMING-REPLICATION-SLOTS-MANIPULATION).
/// Since nothing else can be in it, a name never needs escaping.
///
/// ```
/// use walferry::SlotName;
///
/// let name: SlotName = "orders_2024".parse()?;
/// assert_eq!(name.as_str(), "orders_2024");
/// assert!("Orders".parse::<SlotName>().is_err());
/// # Ok::<(), walferry::connection::SlotNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotName(Box<str>);

impl SlotName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for SlotName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The text is not a slot name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no slot name: expected 1 to 63 of a-z, 0-9 and _")]
pub struct SlotNameError(String);

impl FromStr for SlotName {
    type Err = SlotNameError;

    fn from_str(text: &str) -> Result<Self, SlotNameError> {
        // ReplicationSlotValidateName: the length is NAMEDATALEN - 1.
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if (1..=63).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.into()));
        }
        Err(SlotNameError(text.chars().take(80).collect()))
    }
}

impl TryFrom<&str> for SlotName {
    type Error = SlotNameError;

    fn try_from(text: &str) -> Result<Self, SlotNameError> {
        text.parse()
    }
}

impl TryFrom<String> for SlotName {
    type Error = SlotNameError;

    fn try_from(text: String) -> Result<Self, SlotNameError> {
        text.parse()
    }
}
