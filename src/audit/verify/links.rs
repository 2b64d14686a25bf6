//! Follows a chain and settles which line a broken link is to be blamed on.
//!
//! A line that names another digest than that of the line before tells that one of the two was changed. The line after
//! decides: when it vouches for the second, the first was changed; when it does not, the second was.

use crate::audit::chain::Digest;

/// See the module. Lines are numbered from 1.
#[derive(Debug)]
pub(super) struct Links {
    /// Digest of the line before; `None` when nothing can be said of it.
    before: Option<Digest>,
    /// A line whose link did not hold, until it is settled.
    suspect: Option<u64>,
}

impl Links {
    pub(super) fn new() -> Self {
        Links { before: Some(Digest::EMPTY), suspect: None }
    }

    /// Whether a line that names `prev` would be the right one here.
    pub(super) fn fits(&self, prev: Digest) -> bool {
        self.before == Some(prev)
    }

    /// Takes line `line`, which names `prev` and has the digest `digest`. Gives the line to blame, when this one
    /// settled it.
    pub(super) fn follow(&mut self, line: u64, prev: Digest, digest: Digest) -> Option<u64> {
        let holds = self.before.is_none_or(|before| before == prev);
        self.before = Some(digest);
        match self.suspect.take() {
            Some(suspect) if holds => Some((suspect - 1).max(1)),
            // The suspect explains this line's broken link too.
            Some(suspect) => Some(suspect),
            None => {
                self.suspect = (!holds).then_some(line);
                None
            }
        }
    }

    /// Somebody else vouches for the last line (`true`), or contradicts it: gives the line to blame, if any.
    pub(super) fn vouched(&mut self, line: u64, genuine: bool) -> Option<u64> {
        match (self.suspect.take(), genuine) {
            (Some(suspect), true) => Some((suspect - 1).max(1)),
            (None, true) => None,
            (_, false) => Some(line),
        }
    }

    /// Goes on after lines that were cut out or put in: `digest` is that of the last one, `None` when nothing can be
    /// said of it. Gives a suspect that nobody settled.
    pub(super) fn jump(&mut self, digest: Option<Digest>) -> Option<u64> {
        self.before = digest;
        self.suspect.take()
    }

    /// Digest of the last line.
    pub(super) fn last(&self) -> Option<Digest> {
        self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    #[test]
    fn the_line_after_settles_it() {
        // Line 1 was changed: 2 does not fit, 3 vouches for 2.
        let mut links = Links::new();
        assert_eq!(links.follow(1, Digest::EMPTY, digest("changed")), None);
        assert_eq!(links.follow(2, digest("one"), digest("two")), None);
        assert_eq!(links.follow(3, digest("two"), digest("three")), Some(1));
        // The link in line 2 was changed: 3 does not vouch for it.
        let mut links = Links::new();
        assert_eq!(links.follow(1, Digest::EMPTY, digest("one")), None);
        assert_eq!(links.follow(2, digest("x"), digest("changed")), None);
        assert_eq!(links.follow(3, digest("two"), digest("three")), Some(2));
        assert_eq!(links.follow(4, digest("three"), digest("four")), None);
    }

    #[test]
    fn a_head_settles_it() {
        let mut links = Links::new();
        links.follow(1, Digest::EMPTY, digest("changed"));
        links.follow(2, digest("one"), digest("two"));
        assert_eq!(links.vouched(2, true), Some(1));
        assert_eq!(links.vouched(2, true), None);
        assert_eq!(links.vouched(2, false), Some(2));
    }
}
