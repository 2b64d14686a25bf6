//! How a plan and the control messages travel: fixed-width numbers and length-prefixed bytes, little endian.
//!
//! Both ends are the same program, started by itself, so there is no version; but the reader trusts no length.

/// The bytes end too early, or a length or tag makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message between supervisor and init is damaged")]
pub struct Damaged;

/// Appends to a message.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A number.
    pub fn number(&mut self, value: u64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Bytes of any length.
    pub fn blob(&mut self, value: &[u8]) -> &mut Self {
        self.number(value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    /// A list of bytes.
    pub fn blobs(&mut self, values: &[Vec<u8>]) -> &mut Self {
        self.number(values.len() as u64);
        for value in values {
            self.blob(value);
        }
        self
    }

    /// The message.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes a message apart, in the order in which it was written.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// A number.
    pub fn number(&mut self) -> Result<u64, Damaged> {
        let (head, rest) = self.rest.split_first_chunk::<8>().ok_or(Damaged)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*head))
    }

    /// A number that must fit.
    pub fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, Damaged> {
        T::try_from(self.number()?).map_err(|_| Damaged)
    }

    /// Bytes.
    pub fn blob(&mut self) -> Result<&'a [u8], Damaged> {
        let len: usize = self.narrow()?;
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Damaged)?;
        self.rest = rest;
        Ok(head)
    }

    /// A list of bytes.
    pub fn blobs(&mut self) -> Result<Vec<Vec<u8>>, Damaged> {
        let count: usize = self.narrow()?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.blob()?.to_vec());
        }
        Ok(values)
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), Damaged> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            n in any::<u64>(),
            list in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..5),
        ) {
            let mut writer = Writer::default();
            writer.number(n).blobs(&list);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.number(), Ok(n));
            prop_assert_eq!(reader.blobs(), Ok(list));
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn damage_is_an_error_and_nothing_else(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            let _ = reader.blobs();
            let _ = reader.blob();
            let _ = reader.number();
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_damage() {
        let mut writer = Writer::default();
        writer.number(u64::MAX);
        assert_eq!(Reader::new(&writer.finish()).blob(), Err(Damaged));
    }
}
