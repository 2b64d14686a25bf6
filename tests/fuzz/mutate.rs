//! Changes to an input: bytes, pieces of JSON, pieces of other inputs. Always the same ones for a seed.

/// What readers of JSON stumble over.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "-0",
    "1e400",
    "1e-7",
    "0",
    "\\u0000",
    "\\ud800",
    "\\ud83d\\ude00",
    "\u{feff}",
    "\n",
    "\r",
    " ",
    "\"id\":1,",
    "\"name\":\"x\",",
    "\"Name\":1,",
    "\"$ref\":\"#\",",
    "\"anyOf\":[{},{}],",
    "\"type\":\"string\",",
    "\"pattern\":\"(a*)*b\",",
    "..",
    "/",
    "~",
    "%2e",
    "\u{2024}",
    "\u{ff0f}",
    "file://",
    "password=",
    "token: ",
    "--key ",
    "Bearer ",
    "[redacted:",
    "-----BEGIN PRIVATE KEY-----",
    "://a:b@",
    "eyJ",
    "\u{202e}",
];

/// Makes changes from a seed (xorshift64*).
pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Mutator(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap_or(0) % end.max(1)
    }

    /// The input after one change.
    pub(crate) fn change(&mut self, input: &[u8], corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut out = input.to_vec();
        let at = self.below(out.len() + 1);
        let length = self.below(16).min(out.len() - at);
        match self.below(6) {
            0 if !out.is_empty() => {
                let at = at.min(out.len() - 1);
                out[at] ^= 1 << self.below(8);
            }
            1 => drop(out.drain(at..at + length)),
            2 => {
                let piece = out[at..at + length].to_vec();
                out.splice(at..at, piece);
            }
            3 => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len());
                let to = (from + self.below(64)).min(other.len());
                out.splice(at..at + length, other[from..to].iter().copied());
            }
            _ => {
                let piece = PIECES[self.below(PIECES.len())];
                out.splice(at..at, piece.bytes());
            }
        }
        out.truncate(16 << 10);
        out
    }
}
