//! Numbers of things as sentences for people have them: `1 call`, `2 calls`. Never in a format that programs read.

use std::fmt::Display;

/// So many of `one`, in the singular where it is one. `one` is an English noun that takes `s` or, after `s`, `es`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, one: &str) -> String {
    let plural = match (count == N::from(1), one.ends_with('s')) {
        (true, _) => "",
        (false, true) => "es",
        (false, false) => "s",
    };
    format!("{count} {one}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_nothing_else_is() {
        assert_eq!(counted(1usize, "file"), "1 file");
        assert_eq!(counted(0u64, "file"), "0 files");
        assert_eq!(counted(11u64, "more access"), "11 more accesses");
        assert_eq!(counted(1u64, "more access"), "1 more access");
    }
}
