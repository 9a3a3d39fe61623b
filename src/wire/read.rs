use super::{DecodeError, DecodeErrorKind};

/// Moves through one message. A read that the bytes can't satisfy is an error that names where.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    tag: u8,
    len: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads a message behind its first byte, the tag.
    #[inline]
    pub(crate) fn open(message: &'a [u8]) -> Result<(u8, Self), DecodeError> {
        let (&tag, rest) = message
            .split_first()
            .ok_or_else(|| DecodeError::new(0, 0, DecodeErrorKind::Truncated { needed: 1, left: 0 }))?;
        Ok((tag, Self { tag, len: message.len(), rest }))
    }

    /// Reads fields that stand in a message of that tag, from where they begin.
    pub(crate) fn within(tag: u8, fields: &'a [u8]) -> Self {
        Self { tag, len: fields.len(), rest: fields }
    }

    /// What was not read yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Goes on from there, further back in the same message.
    #[inline]
    pub(crate) fn move_to(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// Bytes from the tag to here.
    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.len - self.rest.len()
    }

    // These two give away copies of what they need: a reader whose address is taken is kept in memory, and slow.
    #[inline]
    pub(crate) fn fail(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::new(self.tag, self.offset(), kind)
    }

    /// An error about the field that was just read, `width` bytes ago.
    #[inline]
    pub(crate) fn fail_behind(&self, width: usize, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::new(self.tag, self.offset().saturating_sub(width), kind)
    }

    /// Bytes that are left: the bound of every allocation that follows a count of the wire.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((head, rest)) = self.rest.split_first_chunk() else {
            return Err(self.fail(DecodeErrorKind::Truncated { needed: N, left: self.rest.len() }));
        };
        self.rest = rest;
        Ok(*head)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    #[inline]
    pub(crate) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.fail(DecodeErrorKind::Truncated { needed: count, left: self.rest.len() }));
        };
        self.rest = rest;
        Ok(head)
    }

    /// A count in 16 bits that the protocol declares signed.
    #[inline]
    pub(crate) fn count_i16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        let count = self.array().map(i16::from_be_bytes)?;
        u16::try_from(count)
            .map_err(|_| self.fail_behind(2, DecodeErrorKind::NegativeLength { field, found: count.into() }))
    }

    /// A length or count in 32 bits that the protocol declares signed.
    #[inline]
    pub(crate) fn length(&mut self, field: &'static str) -> Result<usize, DecodeError> {
        let found = self.i32()?;
        usize::try_from(found)
            .map_err(|_| self.fail_behind(4, DecodeErrorKind::NegativeLength { field, found }))
    }

    /// Text up to a zero byte, which is consumed too.
    pub(crate) fn string(&mut self) -> Result<&'a str, DecodeError> {
        let Some(end) = self.rest.iter().position(|&byte| byte == 0) else {
            return Err(self.fail(DecodeErrorKind::UnterminatedString));
        };
        let start = self.clone();
        let bytes = self.take(end)?;
        self.u8()?;
        std::str::from_utf8(bytes).map_err(|_| start.fail(DecodeErrorKind::InvalidUtf8))
    }

    /// A byte whose meaning `parse` knows.
    #[inline]
    pub(crate) fn byte_as<T>(
        &mut self,
        field: &'static str,
        expected: &'static str,
        parse: impl FnOnce(u8) -> Option<T>,
    ) -> Result<T, DecodeError> {
        let found = self.u8()?;
        parse(found)
            .ok_or_else(|| self.fail_behind(1, DecodeErrorKind::UnexpectedByte { field, expected, found }))
    }

    pub(crate) fn bool(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        self.byte_as(field, "0 or 1", |byte| match byte {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        })
    }

    /// Bits of which only those in `known` may be set.
    pub(crate) fn flags(
        &mut self,
        field: &'static str,
        expected: &'static str,
        known: u8,
    ) -> Result<u8, DecodeError> {
        self.byte_as(field, expected, |byte| (byte & !known == 0).then_some(byte))
    }

    /// A message has no bytes that its layout doesn't name.
    #[inline]
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.fail(DecodeErrorKind::TrailingBytes { count: self.rest.len() }))
    }
}
