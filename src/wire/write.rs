use bytes::{BufMut, BytesMut};

/// The mirror of [`Reader`](super::Reader), over what `bytes` already writes.
pub(crate) trait Write: BufMut {
    /// Text and its zero byte. Text that holds a zero byte itself is cut there: the wire can't say it.
    fn put_string(&mut self, text: &str) {
        let text = text.split('\0').next().unwrap_or_default();
        self.put_slice(text.as_bytes());
        self.put_u8(0);
    }

    /// A count in the 16 signed bits of the protocol. Who builds messages holds fewer (PostgreSQL: 1600 columns).
    fn put_count_i16(&mut self, count: usize) {
        self.put_i16(i16::try_from(count).unwrap_or(i16::MAX));
    }

    /// A length in the 32 signed bits of the protocol. A field of PostgreSQL is below 1 GiB.
    fn put_length(&mut self, length: usize) {
        self.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
    }
}

impl Write for BytesMut {}
