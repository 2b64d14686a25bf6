//! Sixty-four bytes at a time: which of them are quotes, backslashes, control characters; which are escaped.
//!
//! A mask has bit n for byte n. The comparisons are plain loops over an array, which the compiler turns into vector
//! instructions; the method is simdjson's (Langdale, Lemire: "Parsing gigabytes of JSON per second", 2019).

/// What is looked at as one.
pub(super) type Block = [u8; 64];

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES * 0x80;

/// Whether a byte ends the plain run of a string.
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Whether a byte may follow a backslash, and says all.
pub(super) fn is_short_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
}

/// Bit n for each byte n that `is`.
#[inline]
fn mask(block: &Block, is: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0; 64];
    // By index, which needs no inlining of iterators to become vector instructions.
    for n in 0..64 {
        flags[n] = u8::from(is(block[n]));
    }
    let (words, _) = flags.as_chunks::<8>();
    // The product moves the eight flags of a word, each 0 or 1, side by side into its highest byte.
    let gather = |word: &[u8; 8]| u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    words.iter().rev().fold(0, |mask, word| (mask << 8) | gather(word))
}

/// Whether nothing in the block needs a closer look.
#[inline]
pub(super) fn is_plain(block: &Block) -> bool {
    !block.iter().fold(false, |found, byte| found | is_special(*byte))
}

/// Whether so many escapes are in the block that looking at all at once is faster than one after the other.
#[inline]
pub(super) fn is_dense(block: &Block) -> bool {
    // A checked addition would keep this from becoming vector instructions; 64 does not overflow.
    block.iter().fold(0u8, |count, byte| count.wrapping_add(u8::from(*byte == b'\\'))) >= 8
}

#[inline]
pub(super) fn quotes(block: &Block) -> u64 {
    mask(block, |byte| byte == b'"')
}

#[inline]
pub(super) fn backslashes(block: &Block) -> u64 {
    mask(block, |byte| byte == b'\\')
}

#[inline]
pub(super) fn controls(block: &Block) -> u64 {
    mask(block, |byte| byte < 0x20)
}

/// Bytes that may follow a backslash alone.
#[inline]
pub(super) fn short_escapes(block: &Block) -> u64 {
    mask(block, is_short_escape)
}

/// The letter of `\uXXXX`.
#[inline]
pub(super) fn unit_letters(block: &Block) -> u64 {
    mask(block, |byte| byte == b'u')
}

/// Which bytes are escaped by a backslash before them; and whether the last byte escapes the one after the block.
#[inline]
pub(super) fn escaped(backslashes: u64) -> (u64, bool) {
    const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    // In a run of backslashes every other one escapes: a subtraction runs along each and leaves its parity.
    let parity = ((backslashes << 1) | ODD).wrapping_sub(backslashes) ^ ODD;
    (parity ^ backslashes, (parity & backslashes) >> 63 == 1)
}

/// Index of the first quote, backslash or control character of a word; 8 where there is none.
#[inline]
pub(super) fn first_special(word: [u8; 8]) -> usize {
    let word = u64::from_le_bytes(word);
    // Exact up to the lowest hit, which is all that is asked of it: a borrow runs only upwards, from a hit.
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let hits = (zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control) & HIGHS;
    (hits.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block() -> impl Strategy<Value = Block> {
        let byte =
            prop_oneof![3 => Just(b'\\'), 1 => Just(b'"'), 2 => any::<u8>(), 1 => 0u8..0x30, 2 => Just(b'u')];
        proptest::collection::vec(byte, 64).prop_map(|bytes| *bytes.first_chunk().unwrap())
    }

    proptest! {
        #[test]
        fn masks_say_what_a_plain_loop_says(block in block(), plain in proptest::bool::ANY) {
            let block = if plain { block.map(|byte| if is_special(byte) { b'x' } else { byte }) } else { block };
            for (n, byte) in block.into_iter().enumerate() {
                let bit = |mask: u64| mask >> n & 1 == 1;
                prop_assert_eq!(bit(quotes(&block)), byte == b'"');
                prop_assert_eq!(bit(backslashes(&block)), byte == b'\\');
                prop_assert_eq!(bit(controls(&block)), byte < b' ');
                prop_assert_eq!(bit(short_escapes(&block)), b"\"\\/bfnrt".contains(&byte));
                prop_assert_eq!(bit(unit_letters(&block)), byte == b'u');
            }
            prop_assert_eq!(is_plain(&block), !block.into_iter().any(is_special));
            let word: [u8; 8] = *block.first_chunk().unwrap();
            prop_assert_eq!(first_special(word), word.into_iter().position(is_special).unwrap_or(8));
        }

        #[test]
        fn escaping_follows_the_parity_of_each_run(block in block()) {
            let (found, cut) = escaped(backslashes(&block));
            let mut escaping = false;
            for (n, byte) in block.iter().enumerate() {
                prop_assert_eq!(found >> n & 1 == 1, escaping);
                escaping = !escaping && *byte == b'\\';
            }
            prop_assert_eq!(cut, escaping);
        }
    }
}
