//! bit-vec: the same bits in the same order.

use bit_vec::BitVec;

use crate::value::Bits;

impl From<Bits<'_>> for BitVec {
    fn from(bits: Bits<'_>) -> Self {
        Self::from(&bits)
    }
}

impl From<&Bits<'_>> for BitVec {
    fn from(bits: &Bits<'_>) -> Self {
        let mut vec = Self::from_bytes(bits.as_bytes());
        vec.truncate(bits.len());
        vec
    }
}

exact! {
    /// Refuses more bits than 31 bits count.
    BitVec as "bit_vec::BitVec" => Bits<'static> as "bit varying", |vec| of_bits(&vec);
    /// Refuses more bits than 31 bits count.
    &BitVec as "bit_vec::BitVec" => Bits<'static> as "bit varying", of_bits;
}

fn of_bits(vec: &BitVec) -> Option<Bits<'static>> {
    // Held against the limit before a copy is made.
    i32::try_from(vec.len()).ok()?;
    Bits::new(vec.to_bytes(), vec.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::Wire;

    proptest! {
        #[test]
        fn bits_are_the_same_in_both(text in "[01]{0,100}") {
            let ours = Bits::from_text(&text).unwrap();
            let theirs = BitVec::from(&ours);
            let printed: String = theirs.iter().map(|bit| if bit { '1' } else { '0' }).collect();
            prop_assert_eq!(&printed, &text);
            prop_assert_eq!(Bits::try_from(&theirs), Ok(ours));
            let ours = Bits::try_from(theirs.clone()).unwrap();
            prop_assert_eq!(BitVec::from(ours), theirs);
        }

        #[test]
        fn bits_that_are_made_there_are_the_same_here(bits: Vec<bool>) {
            let theirs: BitVec = bits.iter().copied().collect();
            let ours = Bits::try_from(&theirs).unwrap();
            prop_assert!(ours.iter().eq(bits));
            prop_assert_eq!(BitVec::from(ours), theirs);
        }
    }
}
