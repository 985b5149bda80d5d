//! Pages: sizes, and opaque tokens that hold where the next page begins and what was asked for.

use crate::domain::access::Scope;
use crate::domain::digest::Digest;
use crate::domain::error::Violation;

const DEFAULT_SIZE: usize = 100;
const MAX_SIZE: usize = 1_000;

/// One page of a list.
pub(super) struct Page {
    size: usize,
    query: String,
    /// The key after which the page begins; none for the first.
    pub(super) after: Option<String>,
}

impl Page {
    /// Reads size and token; `query` is everything else that was asked for, since a token belongs to its query.
    pub(super) fn new(size: i32, token: &str, query: &str) -> Result<Self, Violation> {
        let size = usize::try_from(size)
            .map_err(|_| Violation::new("page_size", size.to_string(), "zero or more", "不小于零"))?;
        let size = if size == 0 {
            DEFAULT_SIZE
        } else {
            size.min(MAX_SIZE)
        };
        let query = Digest::of(query.as_bytes()).short().to_owned();
        let after = match token {
            "" => None,
            token => Some(read(token, &query).ok_or_else(|| {
                Violation::new(
                    "page_token",
                    token,
                    "the next_page_token of the previous page of the same list",
                    "同一列表上一页返回的 next_page_token",
                )
            })?),
        };
        Ok(Self { size, query, after })
    }

    /// One more than the page holds, to see whether there is another page.
    pub(super) fn limit(&self) -> u64 {
        self.size as u64 + 1
    }

    /// As [`Page::new`], of a list that keeps to the regions of its caller: its tokens are of no use to others.
    pub(super) fn within(scope: &Scope, size: i32, token: &str, query: &str) -> Result<Self, Violation> {
        Self::new(size, token, &format!("{} {query}", scope.fingerprint()))
    }

    /// Cuts the list to the page and gives the token of the next one.
    pub(super) fn cut<T>(&self, items: &mut Vec<T>, key: impl Fn(&T) -> String) -> String {
        if items.len() <= self.size {
            return String::new();
        }
        items.truncate(self.size);
        items
            .last()
            .map(|last| hex::encode(format!("{} {}", self.query, key(last))))
            .unwrap_or_default()
    }

    /// The page of a list that is at hand whole, in key order.
    pub(super) fn of<T>(&self, items: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, String) {
        let after = self.after.as_deref();
        let mut rest: Vec<T> = items
            .into_iter()
            .filter(|item| after.is_none_or(|after| key(item).as_str() > after))
            .take(self.size + 1)
            .collect();
        let token = self.cut(&mut rest, key);
        (rest, token)
    }
}

fn read(token: &str, query: &str) -> Option<String> {
    let text = String::from_utf8(hex::decode(token).ok()?).ok()?;
    let (of, after) = text.split_once(' ')?;
    (of == query).then(|| after.to_owned())
}
