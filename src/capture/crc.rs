//! CRC-32C (Castagnoli), the checksum that PostgreSQL's own WAL uses. A table of 256 is all a file of frames needs,
//! and keeps the pure half free of another dependency.

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    const REFLECTED_POLYNOMIAL: u32 = 0x82F6_3B78;
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ REFLECTED_POLYNOMIAL };
            bit += 1;
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "the loop's bound is the array's length, checked when compiled"
        )]
        {
            table[index as usize] = crc;
        }
        index += 1;
    }
    table
}

pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        let [low, ..] = crc.to_le_bytes();
        TABLE.get(usize::from(low ^ byte)).map_or(crc, |entry| (crc >> 8) ^ entry)
    })
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn agrees_with_the_check_values_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
    }
}
