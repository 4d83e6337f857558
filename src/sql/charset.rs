//! What a client's character set means for the text of a statement: where its characters end, which of them are
//! white space or belong to words, and what names they spell.
//!
//! Only what the servers and `encoding_rs` read alike is decoded or encoded; `tests/charsets.rs` holds every such
//! character against real servers. For the rest the answer is none, and the caller refuses.

use std::borrow::Cow;

use encoding_rs::Encoding;

/// A value of `character_set_client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charset {
    /// utf8mb4, utf8mb3, and binary, whose names are UTF-8.
    Utf8,
    /// A character is one byte or several, and the bytes behind the first may be ASCII.
    MultiByte(MultiByte),
    /// A character is one byte.
    SingleByte(SingleByte),
    /// Bytes below 0x80 are ASCII; what the others are is not known here.
    Ascii,
    /// Nothing is known.
    Unknown,
}

/// The multi-byte charsets that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MultiByte {
    Big5,
    Cp932,
    EucJpMs,
    EucKr,
    Gb18030,
    Gb2312,
    Gbk,
    Sjis,
    Ujis,
}

/// The single-byte charsets whose letters are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SingleByte {
    Cp1250,
    Cp1251,
    Cp1256,
    Cp1257,
    Cp866,
    Greek,
    Hebrew,
    Koi8r,
    Koi8u,
    Latin1,
    Latin2,
    Latin5,
    Latin7,
}

/// Charsets that hold ASCII, and whose other characters are left alone.
const ASCII_BASED: [&str; 11] =
    ["armscii8", "ascii", "cp850", "cp852", "dec8", "geostd8", "hp8", "keybcs2", "macce", "macroman", "tis620"];

impl Charset {
    /// The charset that the servers call so.
    pub fn named(name: &str) -> Self {
        use {MultiByte as M, SingleByte as S};
        match name {
            "utf8" | "utf8mb3" | "utf8mb4" | "binary" => Self::Utf8,
            "big5" => Self::MultiByte(M::Big5),
            "cp932" => Self::MultiByte(M::Cp932),
            "eucjpms" => Self::MultiByte(M::EucJpMs),
            "euckr" => Self::MultiByte(M::EucKr),
            "gb18030" => Self::MultiByte(M::Gb18030),
            "gb2312" => Self::MultiByte(M::Gb2312),
            "gbk" => Self::MultiByte(M::Gbk),
            "sjis" => Self::MultiByte(M::Sjis),
            "ujis" => Self::MultiByte(M::Ujis),
            "cp1250" => Self::SingleByte(S::Cp1250),
            "cp1251" => Self::SingleByte(S::Cp1251),
            "cp1256" => Self::SingleByte(S::Cp1256),
            "cp1257" => Self::SingleByte(S::Cp1257),
            "cp866" => Self::SingleByte(S::Cp866),
            "greek" => Self::SingleByte(S::Greek),
            "hebrew" => Self::SingleByte(S::Hebrew),
            "koi8r" => Self::SingleByte(S::Koi8r),
            "koi8u" => Self::SingleByte(S::Koi8u),
            "latin1" => Self::SingleByte(S::Latin1),
            "latin2" => Self::SingleByte(S::Latin2),
            "latin5" => Self::SingleByte(S::Latin5),
            "latin7" => Self::SingleByte(S::Latin7),
            _ if ASCII_BASED.contains(&name) => Self::Ascii,
            // swe7 has letters in the place of backslash and backtick.
            _ => Self::Unknown,
        }
    }

    /// How many bytes the character at the start of `bytes` has, as the servers' lexers step: what is no character
    /// of the charset is one byte. In UTF-8 no step is needed, since no byte of a character looks like ASCII.
    pub fn char_len(self, bytes: &[u8]) -> usize {
        match self {
            Self::MultiByte(charset) => charset.char_len(bytes),
            _ => 1,
        }
    }

    /// Whether a byte past ASCII is white space.
    pub fn is_white(self, byte: u8) -> bool {
        use SingleByte as S;
        let Self::SingleByte(charset) = self else { return false };
        match charset {
            S::Cp866 => byte == 0xFF,
            S::Cp1250 | S::Greek | S::Hebrew | S::Latin1 | S::Latin2 | S::Latin5 | S::Latin7 => byte == 0xA0,
            S::Cp1251 | S::Cp1256 | S::Cp1257 | S::Koi8r | S::Koi8u => false,
        }
    }

    /// How many bytes the character at the start of `bytes`, one past ASCII, has in an unquoted word; none where it
    /// ends the word, or the servers differ.
    pub fn word_char_len(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Utf8 => Some(1),
            Self::MultiByte(_) => Some(self.char_len(bytes)).filter(|len| *len > 1),
            Self::SingleByte(charset) => {
                let letter = self.decode(bytes.get(..1)?)?.chars().next()?;
                charset.is_word_char(letter).then_some(1)
            }
            Self::Ascii | Self::Unknown => None,
        }
    }

    /// The text that the bytes spell; none if that is not certain.
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        if self == Self::Utf8 || bytes.is_ascii() {
            return std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
        }
        let encoding = self.encoding()?;
        let mut text = String::with_capacity(bytes.len() * 2);
        let mut at = 0;
        while at < bytes.len() {
            let len = self.char_len(&bytes[at..]);
            let character = &bytes[at..at + len];
            match character {
                [byte] if byte.is_ascii() => text.push(char::from(*byte)),
                _ => text.push(self.decode_one(encoding, character)?),
            }
            at += len;
        }
        Some(Cow::Owned(text))
    }

    /// The bytes that spell the text; none if the charset has not all of its characters, or that is not certain.
    pub fn encode(self, text: &str) -> Option<Cow<'_, [u8]>> {
        if self == Self::Utf8 || text.is_ascii() {
            return Some(Cow::Borrowed(text.as_bytes()));
        }
        let encoding = self.encoding()?;
        let mut bytes = Vec::with_capacity(text.len());
        let mut buffer = [0; 4];
        for character in text.chars() {
            let (encoded, _, is_lossy) = encoding.encode(character.encode_utf8(&mut buffer));
            let is_sure = character.is_ascii() || self.decode_one(encoding, &encoded) == Some(character);
            if is_lossy || !is_sure {
                return None;
            }
            bytes.extend_from_slice(&encoded);
        }
        Some(Cow::Owned(bytes))
    }

    /// One character past ASCII.
    fn decode_one(self, encoding: &'static Encoding, bytes: &[u8]) -> Option<char> {
        let is_known = match self {
            Self::MultiByte(charset) => self.char_len(bytes) == bytes.len() && charset.knows(bytes),
            Self::SingleByte(charset) => bytes.len() == 1 && charset.knows(bytes[0]),
            _ => false,
        };
        if !is_known {
            return None;
        }
        let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
        let mut characters = text.chars();
        let only = characters.next().filter(|_| characters.next().is_none())?;
        // Several spellings of one character would not survive the way back; the servers' names end at U+FFFF.
        let survives = encoding.encode(&text).0.as_ref() == bytes;
        let is_own = only.is_control() || matches!(only, '\u{E000}'..='\u{F8FF}' | '\u{FFFD}');
        (!only.is_ascii() && !is_own && u32::from(only) <= 0xFFFF && survives).then_some(only)
    }

    fn encoding(self) -> Option<&'static Encoding> {
        match self {
            Self::Utf8 | Self::Ascii | Self::Unknown => None,
            Self::MultiByte(charset) => Some(charset.encoding()),
            Self::SingleByte(charset) => Some(charset.encoding()),
        }
    }
}

impl MultiByte {
    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Big5 => encoding_rs::BIG5,
            Self::Cp932 | Self::Sjis => encoding_rs::SHIFT_JIS,
            Self::EucJpMs | Self::Ujis => encoding_rs::EUC_JP,
            Self::EucKr => encoding_rs::EUC_KR,
            Self::Gb18030 => encoding_rs::GB18030,
            Self::Gb2312 | Self::Gbk => encoding_rs::GBK,
        }
    }

    fn char_len(self, bytes: &[u8]) -> usize {
        let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
        let (first, second) = (at(0), at(1));
        let is_pair = match self {
            Self::Big5 => matches!(first, 0xA1..=0xF9) && matches!(second, 0x40..=0x7E | 0xA1..=0xFE),
            Self::Cp932 | Self::Sjis => {
                matches!(first, 0x81..=0x9F | 0xE0..=0xFC) && matches!(second, 0x40..=0x7E | 0x80..=0xFC)
            }
            Self::EucKr => matches!(first, 0x81..=0xFE) && matches!(second, 0x41..=0x5A | 0x61..=0x7A | 0x81..=0xFE),
            Self::Gb2312 => matches!(first, 0xA1..=0xF7) && matches!(second, 0xA1..=0xFE),
            Self::Gb18030 | Self::Gbk => matches!(first, 0x81..=0xFE) && matches!(second, 0x40..=0x7E | 0x80..=0xFE),
            Self::EucJpMs | Self::Ujis => {
                (first == 0x8E && matches!(second, 0xA1..=0xDF))
                    || (matches!(first, 0xA1..=0xFE) && matches!(second, 0xA1..=0xFE))
            }
        };
        let high = |byte: u8| matches!(byte, 0xA1..=0xFE);
        let is_triple = matches!(self, Self::EucJpMs | Self::Ujis) && first == 0x8F && high(second) && high(at(2));
        let is_quad = self == Self::Gb18030
            && matches!([first, second, at(2), at(3)], [0x81..=0xFE, b'0'..=b'9', 0x81..=0xFE, b'0'..=b'9']);
        match (is_pair, is_triple, is_quad) {
            (true, ..) => 2,
            (_, true, _) => 3,
            (.., true) => 4,
            _ => 1,
        }
    }

    /// Whether the servers and `encoding_rs` give the character the same meaning.
    fn knows(self, bytes: &[u8]) -> bool {
        let pair = match bytes {
            [first, second] => u16::from_be_bytes([*first, *second]),
            // A single byte is a half-width katakana.
            [_] => return matches!(self, Self::Cp932 | Self::Sjis),
            _ => return self == Self::Gb18030,
        };
        match self {
            Self::Cp932 | Self::EucKr => true,
            Self::Big5 => matches!(pair, 0xA440..=0xC5FE | 0xC940..=0xF8FE),
            Self::Sjis => {
                matches!(pair, 0x8140..=0x84FE | 0x8840..=0x9FFE | 0xE040..=0xEAFE)
                    && !matches!(pair, 0x815F..=0x8161 | 0x817C | 0x8191 | 0x8192 | 0x81CA)
            }
            Self::Ujis | Self::EucJpMs => {
                matches!(pair, 0x8EA1..=0x8EFE | 0xA1A1..=0xACFE | 0xB0A1..=0xF4FE)
                    && !matches!(pair, 0xA1C0..=0xA1C2 | 0xA1DD | 0xA1F1 | 0xA1F2 | 0xA2CC)
            }
            Self::Gb2312 => {
                matches!(pair, 0xA1A1..=0xA1FE | 0xA2B1..=0xA2FC | 0xA3A1..=0xA5FE | 0xA7A1..=0xA7F1 | 0xB0A1..=0xF7FE)
                    && !matches!(pair, 0xA1A4 | 0xA1AA)
            }
            Self::Gbk => {
                !matches!(pair, 0xA2A1..=0xA2AA | 0xA6D9..=0xA6F5 | 0xA840..=0xA8FE | 0xA989..=0xA995 | 0xFE40..=0xFEFE)
            }
            Self::Gb18030 => !matches!(pair, 0xA3A0 | 0xA6D9..=0xA6F3 | 0xFE40..=0xFEFE),
        }
    }
}

impl SingleByte {
    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Cp1250 => encoding_rs::WINDOWS_1250,
            Self::Cp1251 => encoding_rs::WINDOWS_1251,
            Self::Cp1256 => encoding_rs::WINDOWS_1256,
            Self::Cp1257 => encoding_rs::WINDOWS_1257,
            Self::Cp866 => encoding_rs::IBM866,
            Self::Greek => encoding_rs::ISO_8859_7,
            Self::Hebrew => encoding_rs::ISO_8859_8,
            Self::Koi8r => encoding_rs::KOI8_R,
            Self::Koi8u => encoding_rs::KOI8_U,
            Self::Latin1 => encoding_rs::WINDOWS_1252,
            Self::Latin2 => encoding_rs::ISO_8859_2,
            Self::Latin5 => encoding_rs::WINDOWS_1254,
            Self::Latin7 => encoding_rs::ISO_8859_13,
        }
    }

    fn knows(self, byte: u8) -> bool {
        match self {
            Self::Cp1256 => !matches!(byte, 0x8A | 0x8F | 0x98 | 0x9A | 0x9F | 0xAA | 0xC0 | 0xFF),
            Self::Cp866 => !matches!(byte, 0xFC | 0xFD),
            Self::Greek => !matches!(byte, 0xA1 | 0xA2 | 0xA4 | 0xA5 | 0xAA),
            Self::Hebrew => byte != 0xAF,
            Self::Koi8u => !matches!(byte, 0x95 | 0xAE | 0xBE),
            Self::Latin5 => byte >= 0xA0,
            _ => true,
        }
    }

    /// Whether a letter may stand in an unquoted word.
    fn is_word_char(self, letter: char) -> bool {
        let is_sign = match letter {
            'ª' | 'º' | 'µ' | 'ˆ' | 'ˇ' | 'ͺ' | 'ⁿ' => true,
            'Đ' | 'ß' => self == Self::Latin2,
            'Ø' | 'ø' => self == Self::Latin7,
            _ => false,
        };
        letter.is_alphabetic() && !is_sign
    }
}

#[cfg(test)]
mod tests {
    use super::Charset;

    #[test]
    fn a_second_byte_that_looks_like_a_backslash_belongs_to_its_character() {
        for (name, bytes) in [
            ("gbk", &b"\xBF\x5C"[..]),
            ("big5", b"\xB3\x5C"),
            ("sjis", b"\x95\x5C"),
            ("cp932", b"\x95\x5C"),
            ("gb18030", b"\xBF\x5C"),
            ("gb18030", b"\x81\x30\x81\x30"),
            ("ujis", b"\x8F\xB0\xA1"),
        ] {
            assert_eq!(Charset::named(name).char_len(bytes), bytes.len(), "{name}");
        }
        for name in ["gbk", "big5", "sjis", "cp932", "gb18030", "euckr", "gb2312", "ujis", "eucjpms", "latin1"] {
            assert_eq!(Charset::named(name).char_len(b"\xBF\x27"), 1, "{name}");
            assert_eq!(Charset::named(name).char_len(b"\xBF"), 1, "{name}");
        }
        assert_eq!(Charset::named("euckr").char_len(b"\xBF\x5C"), 1);
    }

    #[test]
    fn names_go_there_and_back() {
        for (charset, name, bytes) in [
            ("latin1", "größe", &b"gr\xF6\xDFe"[..]),
            ("gbk", "名称", b"\xC3\xFB\xB3\xC6"),
            ("big5", "功能", b"\xA5\x5C\xAF\xE0"),
            ("sjis", "表", b"\x95\x5C"),
            ("cp1251", "имя", b"\xE8\xEC\xFF"),
            ("utf8mb4", "größe", "größe".as_bytes()),
        ] {
            let charset = Charset::named(charset);
            assert_eq!(charset.decode(bytes).as_deref(), Some(name));
            assert_eq!(charset.encode(name).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn what_is_not_certain_is_not_guessed() {
        assert_eq!(Charset::named("gbk").encode("größe"), None);
        assert_eq!(Charset::named("sjis").decode(b"\x81\x60"), None, "a wave dash or a tilde");
        assert_eq!(Charset::named("gbk").decode(b"\xBF"), None);
        assert_eq!(Charset::named("utf8mb4").decode(b"\xBF"), None);
        for name in ["dec8", "swe7", "of another planet"] {
            assert_eq!(Charset::named(name).decode(b"\xE9"), None);
            assert_eq!(Charset::named(name).encode("é"), None);
        }
    }
}
