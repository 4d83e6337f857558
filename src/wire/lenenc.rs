//! Integers and strings as the protocol writes them, and a cursor that reads them.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_data_types.html>

use thiserror::Error;

/// Bytes that are not what the protocol says they must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);

/// A cursor over one payload.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// What is read, for the error.
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`, which should be a `what`.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { bytes, offset: 0, what }
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.offset == self.bytes.len()
    }

    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.offset..];
        self.offset = self.bytes.len();
        rest
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let end = self.offset.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(Malformed(self.what))?;
        let taken = &self.bytes[self.offset..end];
        self.offset = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let what = self.what;
        self.take(N)?.try_into().map_err(|_| Malformed(what))
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A length-encoded integer.
    pub fn lenenc(&mut self) -> Result<u64, Malformed> {
        match self.u8()? {
            small @ 0..=0xFA => Ok(u64::from(small)),
            0xFC => Ok(u64::from(self.u16()?)),
            0xFD => {
                let [a, b, c] = self.array()?;
                Ok(u64::from(u32::from_le_bytes([a, b, c, 0])))
            }
            0xFE => Ok(u64::from_le_bytes(self.array()?)),
            _ => Err(Malformed(self.what)),
        }
    }

    /// A length-encoded string.
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.lenenc()?).map_err(|_| Malformed(self.what))?;
        self.take(len)
    }

    /// A length-encoded string of a text row; none for NULL.
    pub fn text_value(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        if self.bytes.get(self.offset) == Some(&0xFB) {
            self.offset += 1;
            return Ok(None);
        }
        self.lenenc_bytes().map(Some)
    }

    /// Bytes up to a NUL, which is skipped.
    pub fn nul_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let rest = &self.bytes[self.offset..];
        let len = rest.iter().position(|byte| *byte == 0).ok_or(Malformed(self.what))?;
        self.offset += len + 1;
        Ok(&rest[..len])
    }

    /// Bytes up to a NUL or the end: clients leave out the last NUL of a packet.
    pub fn nul_or_rest(&mut self) -> &'a [u8] {
        match self.nul_bytes() {
            Ok(bytes) => bytes,
            Err(_) => self.rest(),
        }
    }
}

/// Appends a length-encoded integer.
pub fn put_lenenc(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_le_bytes();
    match value {
        0..=0xFA => out.push(bytes[0]),
        0xFB..=0xFFFF => {
            out.push(0xFC);
            out.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..=0xFF_FFFF => {
            out.push(0xFD);
            out.extend_from_slice(&bytes[..3]);
        }
        _ => {
            out.push(0xFE);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Appends a length-encoded string.
pub fn put_lenenc_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_lenenc(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Reader, put_lenenc};

    #[test]
    fn integers_of_every_width_come_back() {
        for value in [0, 0xFA, 0xFB, 0xFF, 0xFFFF, 0x1_0000, 0xFF_FFFF, 0x100_0000, u64::MAX] {
            let mut bytes = Vec::new();
            put_lenenc(&mut bytes, value);
            assert_eq!(Reader::new(&bytes, "integer").lenenc(), Ok(value));
            assert_eq!(Reader::new(&bytes[..bytes.len() - 1], "integer").lenenc(), Err(Malformed("integer")));
        }
    }

    #[test]
    fn widths_are_those_of_the_manual() {
        let widths = [(0xFA, 1), (0xFB, 3), (0xFFFF, 3), (0x1_0000, 4), (0x100_0000, 9)];
        for (value, len) in widths {
            let mut bytes = Vec::new();
            put_lenenc(&mut bytes, value);
            assert_eq!(bytes.len(), len, "{value:#x}");
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_malformed() {
        assert_eq!(Reader::new(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xffab", "x").lenenc_bytes(), Err(Malformed("x")));
        assert_eq!(Reader::new(b"\x03ab", "x").lenenc_bytes(), Err(Malformed("x")));
    }

    #[test]
    fn text_values_tell_null_from_empty() {
        let mut reader = Reader::new(b"\xfb\x00\x01a", "row");
        assert_eq!(reader.text_value(), Ok(None));
        assert_eq!(reader.text_value(), Ok(Some(&b""[..])));
        assert_eq!(reader.text_value(), Ok(Some(&b"a"[..])));
    }
}
