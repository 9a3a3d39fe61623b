//! uuid: the same 16 bytes.

use crate::value::Uuid;

impl From<Uuid> for uuid::Uuid {
    fn from(id: Uuid) -> Self {
        Self::from_bytes(id.0)
    }
}

impl From<uuid::Uuid> for Uuid {
    fn from(id: uuid::Uuid) -> Self {
        Self(id.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_is_the_same_in_both(bytes: [u8; 16]) {
            let theirs = uuid::Uuid::from(Uuid(bytes));
            prop_assert_eq!(theirs.to_string(), Uuid(bytes).to_string());
            prop_assert_eq!(Uuid::from(theirs), Uuid(bytes));
            prop_assert_eq!(uuid::Uuid::from(Uuid::from(theirs)), theirs);
        }
    }
}
