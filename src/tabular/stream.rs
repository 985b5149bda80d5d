//! Text files piece by piece: decoded as they are read, never held as a whole.

use super::encoding::{self, is_damaged_utf8};
use crate::domain::error::Violation;
use encoding_rs::{DecoderResult, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};
use std::fmt;
use std::io::{self, BufRead, Read};

/// Bytes that are read at a time, and by which an encoding is told.
const WINDOW: usize = 64 << 10;

/// What a caller knows of a file's encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextEncoding {
    /// Told by its bytes: a byte order mark, else UTF-8 where it is that, else GB18030.
    #[default]
    Auto,
    /// UTF-8.
    Utf8,
    /// UTF-16, little endian unless a byte order mark says otherwise.
    Utf16,
    /// GB18030, which contains GBK and GB 2312.
    Gb18030,
}

/// A source of bytes.
pub type Source = Box<dyn Read + Send>;

/// Decoded text, without its byte order mark; every end of a line is `\n`.
///
/// An encoding that is not known is decided at the first byte beyond ASCII, by what follows it. Nothing is ever
/// replaced: a byte without meaning is a fault with its line.
pub(crate) struct Text {
    source: Source,
    /// What was read and not decoded.
    raw: Vec<u8>,
    raw_at: usize,
    source_ended: bool,
    /// What was decoded and not consumed.
    text: Vec<u8>,
    text_at: usize,
    decoder: Option<encoding_rs::Decoder>,
    /// Written behind the end.
    end: &'static [u8],
    ended: bool,
    after_return: bool,
    lines: u64,
}

impl Text {
    /// Begins to read; `end` is put behind the end of the file.
    pub(crate) fn new(source: Source, encoding: TextEncoding, end: &'static [u8]) -> io::Result<Self> {
        let mut text = Self {
            source,
            raw: Vec::new(),
            raw_at: 0,
            source_ended: false,
            text: Vec::new(),
            text_at: 0,
            decoder: None,
            end,
            ended: false,
            after_return: false,
            lines: 1,
        };
        text.read_window()?;
        let (known, mark) = match text.raw.as_slice() {
            [0xff, 0xfe, ..] => (Some(UTF_16LE), 2),
            [0xfe, 0xff, ..] => (Some(UTF_16BE), 2),
            [0xef, 0xbb, 0xbf, ..] => (Some(UTF_8), 3),
            _ => match encoding {
                TextEncoding::Auto => (None, 0),
                TextEncoding::Utf8 => (Some(UTF_8), 0),
                TextEncoding::Utf16 => (Some(UTF_16LE), 0),
                TextEncoding::Gb18030 => (Some(GB18030), 0),
            },
        };
        text.raw_at = mark;
        text.decoder = known.map(Encoding::new_decoder_without_bom_handling);
        Ok(text)
    }

    /// Takes one more line without its end, of at most `most` bytes; nothing at the end of the file.
    pub(crate) fn line(&mut self, most: usize) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        loop {
            let piece = self.fill_buf()?;
            if piece.is_empty() {
                break;
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(piece.len());
            if line.len() + taken > most {
                return Err(fault(too_long(self.lines, most)));
            }
            line.extend_from_slice(&piece[..taken]);
            self.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return text_of(line).map(Some);
            }
        }
        if line.is_empty() {
            Ok(None)
        } else {
            text_of(line).map(Some)
        }
    }

    /// Reads until a window is full or the source ends.
    fn read_window(&mut self) -> io::Result<()> {
        self.raw.drain(..self.raw_at);
        self.raw_at = 0;
        let mut filled = self.raw.len();
        self.raw.resize(WINDOW.max(filled), 0);
        while filled < self.raw.len() && !self.source_ended {
            match self.source.read(&mut self.raw[filled..]) {
                Ok(0) => self.source_ended = true,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.raw.truncate(filled);
        Ok(())
    }

    /// Decodes what comes next into an empty buffer.
    fn decode(&mut self) -> io::Result<()> {
        self.text.clear();
        self.text_at = 0;
        if self.raw_at == self.raw.len() && !self.source_ended {
            self.read_window()?;
        }
        if self.decoder.is_none() {
            let ascii = self.raw[self.raw_at..]
                .iter()
                .take_while(|byte| byte.is_ascii())
                .count();
            if ascii > 0 {
                self.text
                    .extend_from_slice(&self.raw[self.raw_at..self.raw_at + ascii]);
                self.raw_at += ascii;
                return self.normalise(0);
            }
            if self.raw_at < self.raw.len() {
                self.read_window()?;
                let encoding = told(&self.raw, self.source_ended);
                self.decoder = Some(encoding.new_decoder_without_bom_handling());
            }
        }
        if let Some(decoder) = &mut self.decoder {
            let rest = &self.raw[self.raw_at..];
            let most = decoder
                .max_utf8_buffer_length_without_replacement(rest.len())
                .unwrap_or(rest.len() * 3 + 16);
            self.text.resize(most, 0);
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut self.text, self.source_ended);
            self.text.truncate(written);
            self.raw_at += read;
            match result {
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, after) => {
                    let at = self
                        .raw_at
                        .saturating_sub(usize::from(length) + usize::from(after));
                    let byte = self.raw.get(at).copied().unwrap_or_default();
                    let line = self.lines + newlines(&self.text);
                    return Err(fault(encoding::unreadable_byte(&format!("line {line}"), byte)));
                }
            }
        }
        let done = self.source_ended && self.raw_at == self.raw.len();
        let own = self.text.len();
        if done && !self.ended {
            self.ended = true;
            self.text.extend_from_slice(self.end);
        }
        self.normalise(self.text.len() - own)
    }

    /// Makes every end of a line `\n` and refuses what no text has; the last `added` bytes are ours.
    fn normalise(&mut self, added: usize) -> io::Result<()> {
        let own = self.text.len() - added;
        if let Some(at) = self.text[..own].iter().position(|byte| *byte == 0) {
            let line = self.lines + newlines(&self.text[..at]);
            return Err(fault(encoding::unreadable_byte(&format!("line {line}"), 0)));
        }
        if self.after_return || self.text.contains(&b'\r') {
            let mut kept = 0;
            for at in 0..self.text.len() {
                let byte = self.text[at];
                let second = byte == b'\n' && self.after_return;
                self.after_return = byte == b'\r';
                if !second {
                    self.text[kept] = if byte == b'\r' { b'\n' } else { byte };
                    kept += 1;
                }
            }
            self.text.truncate(kept);
        }
        Ok(())
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let taken = piece.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&piece[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl BufRead for Text {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.text_at == self.text.len() && !(self.ended && self.raw_at == self.raw.len()) {
            self.decode()?;
        }
        Ok(&self.text[self.text_at..])
    }

    fn consume(&mut self, amount: usize) {
        let end = (self.text_at + amount).min(self.text.len());
        self.lines += newlines(&self.text[self.text_at..end]);
        self.text_at = end;
    }
}

/// Which encoding bytes are in that begin beyond ASCII.
fn told(bytes: &[u8], whole: bool) -> &'static Encoding {
    match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        // Cut off in the middle of a character.
        Err(error) if error.error_len().is_none() && !whole => UTF_8,
        Err(_) if is_damaged_utf8(bytes) => UTF_8,
        Err(_) => GB18030,
    }
}

/// Bytes with a limit on how many belong together, and a count of lines: what reads from it keeps pieces in
/// memory, and a file must not decide how much.
pub(crate) struct Pieces<R> {
    reader: R,
    left: usize,
    most: usize,
    lines: u64,
}

impl<R: BufRead> Pieces<R> {
    /// Begins to read pieces of at most so many bytes.
    pub(crate) fn new(reader: R, most: usize) -> Self {
        Self {
            reader,
            left: most,
            most,
            lines: 1,
        }
    }

    /// A new piece begins.
    pub(crate) fn renew(&mut self) {
        self.left = self.most;
    }

    /// The line up to which was read, counted from 1.
    pub(crate) fn line_number(&self) -> u64 {
        self.lines
    }
}

impl<R: BufRead> Read for Pieces<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let taken = piece.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&piece[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl<R: BufRead> BufRead for Pieces<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let (left, most, lines) = (self.left, self.most, self.lines);
        let piece = self.reader.fill_buf()?;
        if left == 0 && !piece.is_empty() {
            return Err(fault(too_long(lines, most)));
        }
        Ok(&piece[..piece.len().min(left)])
    }

    fn consume(&mut self, amount: usize) {
        // The reader gives the same bytes as long as they are not consumed.
        if let Ok(piece) = self.reader.fill_buf() {
            self.lines += newlines(&piece[..amount.min(piece.len())]);
        }
        self.left = self.left.saturating_sub(amount);
        self.reader.consume(amount);
    }
}

/// A fault of the file on its way through an error of input.
#[derive(Debug)]
struct Fault(Violation);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Fault {}

fn fault(violation: Violation) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Fault(violation))
}

/// The fault of the file that an error of input carries; an error that is none is the source's own.
pub(crate) fn violation(error: &io::Error) -> Violation {
    let carried = error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>());
    carried.map(|fault| fault.0.clone()).unwrap_or_else(|| {
        Violation::new(
            "file",
            format!("an error of reading: {}", error.kind()),
            "a file that can be read to its end",
            "可完整读取的文件",
        )
    })
}

fn too_long(line: u64, most: usize) -> Violation {
    Violation::new(
        format!("line {line}"),
        "a longer piece",
        format!("lines, texts and tags of at most {most} bytes"),
        format!("行、文本或标签至多 {most} 字节"),
    )
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Gives a few bytes at a time, so that every character is cut somewhere.
    struct Dripping(Cursor<Vec<u8>>);

    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(3);
            self.0.read(&mut buffer[..most])
        }
    }

    fn read(bytes: &[u8], encoding: TextEncoding) -> Result<String, Violation> {
        let source = Box::new(Dripping(Cursor::new(bytes.to_vec())));
        let mut text = Text::new(source, encoding, b"\n!").unwrap();
        let mut read = String::new();
        match text.read_to_string(&mut read) {
            Ok(_) => Ok(read),
            Err(error) => Err(violation(&error)),
        }
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        [0xfeff]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(bytes)
            .collect()
    }

    #[test]
    fn reads_every_encoding_as_it_comes() {
        let text = "date,amount\r\n".repeat(20_000) + "许昌市𠀀,12\rend";
        let plain = text.replace("\r\n", "\n").replace('\r', "\n") + "\n!";
        for bytes in [
            text.as_bytes(),
            format!("\u{feff}{text}").as_bytes(),
            &GB18030.encode(&text).0,
            &utf16(&text, u16::to_le_bytes),
            &utf16(&text, u16::to_be_bytes),
        ] {
            assert!(read(bytes, TextEncoding::Auto).unwrap() == plain);
        }
        assert!(read(&GB18030.encode(&text).0, TextEncoding::Gb18030).unwrap() == plain);
        assert_eq!(read(b"", TextEncoding::Auto).unwrap(), "\n!");
        let little: Vec<u8> = "许".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&little, TextEncoding::Utf16).unwrap(), "许\n!");
    }

    #[test]
    fn names_the_line_of_a_byte_without_meaning() {
        let mut bytes = "a\r\nb\r\n许昌市许昌市".as_bytes().to_vec();
        bytes.push(0xff);
        assert_eq!(read(&bytes, TextEncoding::Auto).unwrap_err().field, "line 3");
        assert_eq!(read(b"a\nb\0", TextEncoding::Auto).unwrap_err().field, "line 2");
        assert_eq!(
            read(b"a\n\xff\xff", TextEncoding::Auto).unwrap_err().field,
            "line 2"
        );
        assert_eq!(
            read("许".as_bytes().split_last().unwrap().1, TextEncoding::Utf8)
                .unwrap_err()
                .field,
            "line 1"
        );
    }

    #[test]
    fn takes_lines_of_a_bounded_length() {
        let source = Box::new(Cursor::new(b"ab\n\ncde\r\nf".to_vec()));
        let mut text = Text::new(source, TextEncoding::Auto, b"").unwrap();
        for line in ["ab", "", "cde", "f"] {
            assert_eq!(text.line(3).unwrap().as_deref(), Some(line));
        }
        assert_eq!(text.line(3).unwrap(), None);
        let source = Box::new(Cursor::new(b"ab\nabcd\n".to_vec()));
        let mut text = Text::new(source, TextEncoding::Auto, b"").unwrap();
        text.line(3).unwrap();
        assert_eq!(violation(&text.line(3).unwrap_err()).field, "line 2");
    }

    #[test]
    fn a_piece_ends_where_its_limit_is() {
        let mut pieces = Pieces::new(&b"ab\ncd\nefgh"[..], 4);
        let mut read = [0; 4];
        pieces.read_exact(&mut read).unwrap();
        assert_eq!((&read, pieces.line_number()), (b"ab\nc", 2));
        pieces.renew();
        pieces.read_exact(&mut read).unwrap();
        assert_eq!(
            violation(&pieces.read_exact(&mut read).unwrap_err()).field,
            "line 3"
        );
        pieces.renew();
        assert_eq!(pieces.read(&mut read).unwrap(), 2);
        assert_eq!(pieces.read(&mut read).unwrap(), 0);
    }
}
