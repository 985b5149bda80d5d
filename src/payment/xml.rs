//! XML from outside, element by element.
//!
//! No document type and so no entities but XML's own five; depth, length of tags and of texts are
//! bounded; every element must be of the message's namespace. No fault repeats a text of the file.

use crate::domain::error::Violation;
use crate::tabular::stream::{Pieces, violation};
use quick_xml::Error;
use quick_xml::NsReader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use std::io::BufRead;

/// Deepest nesting: more than twice that of the messages read here.
const MAX_DEPTH: usize = 32;
/// Longest tag, in bytes, attributes included.
const MAX_TAG: usize = 4 << 10;
/// Longest text of an element, in bytes.
const MAX_TEXT: usize = 64 << 10;
/// Longest piece that is read at once: a tag, a text between tags, a comment.
const MAX_PIECE: usize = MAX_TAG + MAX_TEXT;
/// The attribute that is read: the currency of an amount.
const CURRENCY: &str = "Ccy";

/// What comes next in a file.
pub(crate) enum Step {
    /// An element begins; its path is [`Elements::path`]. Its attribute `Ccy`, where it has one.
    Open(Option<String>),
    /// The element at [`Elements::path`] ends; its text, where it has no children.
    Close(String),
}

/// The elements of a message. One tag or text at a time is in memory.
pub(crate) struct Elements<R: BufRead> {
    reader: NsReader<Pieces<R>>,
    buffer: Vec<u8>,
    /// The namespaces that a message may have.
    namespaces: &'static [&'static str],
    /// Which of them this one has.
    namespace: Option<&'static str>,
    /// The element whose content may be of any namespace; it is passed over.
    open_content: &'static str,
    /// `/Document/…` and where each name in it begins.
    path: String,
    starts: Vec<usize>,
    /// Whether the last step closed the element at the end of the path.
    closed: bool,
    text: String,
    begun: bool,
}

impl<R: BufRead> Elements<R> {
    /// Begins to read a message of one of these namespaces.
    pub(crate) fn new(source: R, namespaces: &'static [&'static str], open_content: &'static str) -> Self {
        let mut reader = NsReader::from_reader(Pieces::new(source, MAX_PIECE));
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            buffer: Vec::new(),
            namespaces,
            namespace: None,
            open_content,
            path: String::new(),
            starts: Vec::new(),
            closed: false,
            text: String::new(),
            begun: false,
        }
    }

    /// The path of the element that the last step opened or closed.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The namespace of the message, once it has begun.
    pub(crate) fn namespace(&self) -> Option<&'static str> {
        self.namespace
    }

    /// The line on which the last step's tag ends, counted from 1.
    pub(crate) fn line(&self) -> u32 {
        u32::try_from(self.reader.get_ref().line_number()).unwrap_or(u32::MAX)
    }

    /// The next step; nothing at the end of a whole message.
    pub(crate) fn step(&mut self) -> Result<Option<Step>, Violation> {
        if std::mem::take(&mut self.closed) {
            self.path.truncate(self.starts.pop().unwrap_or_default());
            self.text.clear();
        }
        // Events borrow what they were read into.
        let mut buffer = std::mem::take(&mut self.buffer);
        let step = self.next(&mut buffer);
        self.buffer = buffer;
        step
    }

    fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Step>, Violation> {
        loop {
            match self.event(buffer)? {
                Event::Start(start) => {
                    self.open(&start)?;
                    if start.local_name().as_ref() == self.open_content {
                        drop(start);
                        self.pass_over(buffer)?;
                        self.closed = true;
                        return Ok(Some(Step::Close(String::new())));
                    }
                    let currency = start.try_get_attribute(CURRENCY).ok().flatten();
                    return Ok(Some(Step::Open(currency.map(|found| found.value.to_string()))));
                }
                Event::End(_) => {
                    self.closed = true;
                    return Ok(Some(Step::Close(self.text.trim().to_owned())));
                }
                Event::Text(text) => self.add(&text.xml10_content())?,
                Event::CData(text) => self.add(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let character = self.resolve(&reference)?;
                    self.add(character.encode_utf8(&mut [0; 4]))?;
                }
                Event::Decl(declaration) => self.check_encoding(&declaration)?,
                Event::DocType(_) => {
                    return Err(self.fault(
                        "a document type (DOCTYPE)",
                        "a message without document type and entities",
                        "不含 DOCTYPE 和实体的报文",
                    ));
                }
                Event::Comment(_) | Event::PI(_) => {}
                // Expanded to a start and an end.
                Event::Empty(_) => {}
                Event::Eof if self.starts.is_empty() && self.begun => return Ok(None),
                Event::Eof => {
                    let found = format!("the end of the file in {}", self.place());
                    return Err(self.fault(&found, "a whole message", "完整的报文"));
                }
            }
        }
    }

    /// The next event, within the limit of a piece.
    fn event<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Result<Event<'b>, Violation> {
        buffer.clear();
        self.reader.get_mut().renew();
        match self.reader.read_event_into(buffer) {
            Ok(event) => Ok(event),
            Err(Error::Io(error)) => Err(violation(&error)),
            Err(error) => Err(self.malformed(&error)),
        }
    }

    /// A violation at the current line.
    pub(crate) fn fault(&self, found: &str, en: &str, zh: &str) -> Violation {
        Violation::new(format!("line {}", self.line()), found, en, zh)
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Violation> {
        if self.starts.is_empty() && std::mem::replace(&mut self.begun, true) {
            return Err(self.fault("a second message", "one message", "一个报文"));
        }
        if start.len() > MAX_TAG {
            return Err(self.fault(
                "a longer tag",
                &format!("tags of at most {MAX_TAG} bytes"),
                "标签过长",
            ));
        }
        if self.starts.len() >= MAX_DEPTH {
            return Err(self.fault(
                "deeper nesting",
                &format!("at most {MAX_DEPTH} elements inside each other"),
                &format!("元素嵌套至多 {MAX_DEPTH} 层"),
            ));
        }
        let (bound, local) = self.reader.resolver().resolve_element(start.name());
        let allowed = |name: &str| {
            let mut allowed = self.namespaces.iter();
            allowed.find(|allowed| **allowed == name && self.namespace.is_none_or(|this| this == name))
        };
        let found = match &bound {
            ResolveResult::Bound(Namespace(name)) => allowed(name),
            _ => None,
        };
        let Some(namespace) = found else {
            let found = match bound {
                ResolveResult::Bound(Namespace(other)) => format!("the namespace {other}"),
                _ => "no namespace".to_owned(),
            };
            let names = match self.namespace {
                Some(this) => this.to_owned(),
                None => self.namespaces.join(" / "),
            };
            let wanted = format!("elements of {names}");
            return Err(self.fault(&found, &wanted, &format!("命名空间须为 {names}")));
        };
        self.namespace = Some(namespace);
        self.starts.push(self.path.len());
        self.path.push('/');
        self.path.push_str(local.as_ref());
        self.text.clear();
        Ok(())
    }

    /// Reads to the end of the element that was just opened.
    fn pass_over(&mut self, buffer: &mut Vec<u8>) -> Result<(), Violation> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.event(buffer)? {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth -= 1,
                Event::DocType(_) => {
                    return Err(self.fault("a document type (DOCTYPE)", "no document type", "不含 DOCTYPE"));
                }
                Event::Eof => {
                    let found = format!("the end of the file in {}", self.place());
                    return Err(self.fault(&found, "a whole message", "完整的报文"));
                }
                _ => {}
            }
            if depth > MAX_DEPTH {
                return Err(self.fault("deeper nesting", "less nesting", "元素嵌套过深"));
            }
        }
        Ok(())
    }

    fn add(&mut self, text: &str) -> Result<(), Violation> {
        if self.starts.is_empty() {
            return if text.trim_start_matches('\u{feff}').trim().is_empty() {
                Ok(())
            } else {
                Err(self.fault("text outside of the message", "one message", "一个报文"))
            };
        }
        if self.text.len() + text.len() > MAX_TEXT {
            return Err(self.fault(
                "a longer text",
                &format!("texts of at most {MAX_TEXT} bytes"),
                &format!("文本至多 {MAX_TEXT} 字节"),
            ));
        }
        self.text.push_str(text);
        Ok(())
    }

    /// The character that a reference stands for: one of XML's own five, or a number.
    fn resolve(&self, reference: &BytesRef<'_>) -> Result<char, Violation> {
        let character = match reference.as_ref() {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => reference.resolve_char_ref().ok().flatten(),
        };
        character
            .filter(|character| {
                !matches!(u32::from(*character), 0..0x9 | 0xb | 0xc | 0xe..0x20 | 0xfffe | 0xffff)
            })
            .ok_or_else(|| {
                self.fault(
                    "an entity or a character that XML does not know by itself",
                    "only &lt; &gt; &amp; &quot; &apos; and numbers of characters",
                    "只能使用 &lt; &gt; &amp; &quot; &apos; 和字符编号",
                )
            })
    }

    /// The text was decoded by looking at its bytes; what the file says of itself must not contradict.
    fn check_encoding(&self, declaration: &BytesDecl<'_>) -> Result<(), Violation> {
        let Some(encoding) = declaration.encoding() else {
            return Ok(());
        };
        let name = encoding.map(|name| name.to_ascii_lowercase()).unwrap_or_default();
        if matches!(
            name.as_str(),
            "utf-8" | "utf8" | "utf-16" | "gb18030" | "gbk" | "gb2312"
        ) {
            return Ok(());
        }
        Err(self.fault(
            &format!("encoding {name}"),
            "UTF-8, UTF-16 or GB18030 (GBK)",
            "UTF-8、UTF-16 或 GB18030(GBK)编码",
        ))
    }

    fn malformed(&self, error: &Error) -> Violation {
        // What the reader says of the file's structure may repeat its content; what it says of syntax does not.
        let found = match error {
            Error::Syntax(error) => error.to_string(),
            _ if self.starts.is_empty() => "malformed XML".to_owned(),
            _ => format!("malformed XML in {}", self.place()),
        };
        self.fault(&found, "well-formed XML", "格式正确的 XML")
    }

    /// The path, for errors: names of elements, not of a file that has something else in their place.
    fn place(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }
}
