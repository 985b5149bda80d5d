//! XML from outside, element by element.
//!
//! No document type and so no entities but XML's own five; depth, length of tags and of texts are
//! bounded; every element must be of the message's namespace. No fault repeats a text of the file.

use crate::domain::error::Violation;
use quick_xml::Error;
use quick_xml::NsReader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

/// Deepest nesting: more than twice that of the messages read here.
const MAX_DEPTH: usize = 32;
/// Longest tag, in bytes, attributes included.
const MAX_TAG: usize = 4 << 10;
/// Longest text of an element, in bytes.
const MAX_TEXT: usize = 64 << 10;

/// What comes next in a file.
pub(super) enum Step<'x> {
    /// An element begins; its path is [`Elements::path`].
    Open(BytesStart<'x>),
    /// The element at [`Elements::path`] ends; its text, where it has no children.
    Close(String),
}

/// The elements of a message.
pub(super) struct Elements<'x> {
    reader: NsReader<&'x [u8]>,
    source: &'x str,
    namespace: &'static str,
    /// The element whose content may be of any namespace; it is passed over.
    open_content: &'static str,
    /// How far lines were counted, and the line there.
    counted: usize,
    line: u32,
    /// `/Document/…` and where each name in it begins.
    path: String,
    starts: Vec<usize>,
    /// Whether the last step closed the element at the end of the path.
    closed: bool,
    text: String,
    begun: bool,
}

impl<'x> Elements<'x> {
    /// Begins to read a message of a namespace.
    pub(super) fn new(source: &'x str, namespace: &'static str, open_content: &'static str) -> Self {
        let mut reader = NsReader::from_str(source);
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            source,
            namespace,
            open_content,
            counted: 0,
            line: 1,
            path: String::new(),
            starts: Vec::new(),
            closed: false,
            text: String::new(),
            begun: false,
        }
    }

    /// The path of the element that the last step opened or closed.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The line on which the last step's tag ends, counted from 1.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// The next step; nothing at the end of a whole message.
    pub(super) fn step(&mut self) -> Result<Option<Step<'x>>, Violation> {
        if std::mem::take(&mut self.closed) {
            self.path.truncate(self.starts.pop().unwrap_or_default());
            self.text.clear();
        }
        loop {
            let event = self.reader.read_event();
            self.count_lines();
            match event.map_err(|error| self.malformed(&error))? {
                Event::Start(start) => {
                    self.open(&start)?;
                    if start.local_name().as_ref() == self.open_content {
                        self.pass_over()?;
                        self.closed = true;
                        return Ok(Some(Step::Close(String::new())));
                    }
                    return Ok(Some(Step::Open(start)));
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

    /// A violation at the current line.
    pub(super) fn fault(&self, found: &str, en: &str, zh: &str) -> Violation {
        Violation::new(format!("line {}", self.line), found, en, zh)
    }

    fn open(&mut self, start: &BytesStart<'x>) -> Result<(), Violation> {
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
        if bound != ResolveResult::Bound(Namespace(self.namespace)) {
            let found = match bound {
                ResolveResult::Bound(Namespace(other)) => format!("the namespace {other}"),
                _ => "no namespace".to_owned(),
            };
            let wanted = format!("elements of {}", self.namespace);
            return Err(self.fault(&found, &wanted, &format!("命名空间须为 {}", self.namespace)));
        }
        self.starts.push(self.path.len());
        self.path.push('/');
        self.path.push_str(local.as_ref());
        self.text.clear();
        Ok(())
    }

    /// Reads to the end of the element that was just opened.
    fn pass_over(&mut self) -> Result<(), Violation> {
        let mut depth = 1_usize;
        while depth > 0 {
            let event = self.reader.read_event();
            self.count_lines();
            match event.map_err(|error| self.malformed(&error))? {
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

    fn count_lines(&mut self) {
        let end = usize::try_from(self.reader.buffer_position())
            .unwrap_or(usize::MAX)
            .clamp(self.counted, self.source.len());
        let lines = self.source.as_bytes()[self.counted..end]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.counted = end;
    }
}
