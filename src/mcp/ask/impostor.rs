//! Texts in which a server calls itself by our name: a question to the user that looks like one of ours.
//!
//! Our own questions name caponier as the asker, and are the only ones that do. So a text of a server's that says the name in any
//! spelling that a reader takes for it is refused: in another case, with spaces or marks between the letters or on them,
//! in letters of another script or of mathematics that look like these, with digits for letters.
//!
//! Rests on Unicode's list of confusable characters (UTS #39), as far as these eight letters go.

use crate::jsonrpc::{Kind, Node, Tree};
use crate::mcp::visible::is_deceptive;

/// The name.
const NAME: &str = "caponier";

/// The first text below `node`, names of members included, that says our name.
pub(super) fn find(tree: &Tree<'_>, node: Node) -> Option<String> {
    (node..tree.next(node))
        .filter(|at| tree.kind(*at) == Kind::String)
        .filter_map(|at| tree.string(at))
        .find(|text| says_our_name(text))
        .map(std::borrow::Cow::into_owned)
}

/// Whether a reader finds our name in it.
pub(super) fn says_our_name(text: &str) -> bool {
    let mut letters = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_deceptive(*c)) {
        letters.extend(c.to_lowercase().filter_map(letter));
    }
    letters.contains(NAME)
}

/// The letter that a character is taken for; `None` for what stands between letters.
fn letter(c: char) -> Option<char> {
    let plain = match c {
        'a'..='z' => c,
        // Full-width, circled, in parentheses, regional indicators.
        '\u{ff41}'..='\u{ff5a}' => nth(c, 0xff41),
        '\u{24d0}'..='\u{24e9}' => nth(c, 0x24d0),
        '\u{249c}'..='\u{24b5}' => nth(c, 0x249c),
        '\u{1f110}'..='\u{1f129}' => nth(c, 0x1f110),
        '\u{1f130}'..='\u{1f149}' => nth(c, 0x1f130),
        '\u{1f150}'..='\u{1f169}' => nth(c, 0x1f150),
        '\u{1f170}'..='\u{1f189}' => nth(c, 0x1f170),
        '\u{1f1e6}'..='\u{1f1ff}' => nth(c, 0x1f1e6),
        // Mathematical alphabets: capitals and small letters in turn.
        '\u{1d400}'..='\u{1d6a3}' => nth(c, 0x1d400),
        'с' | 'ϲ' | 'ⅽ' | 'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' | 'ҫ' | 'ᴄ' | 'ℂ' | 'ℭ' | '¢' | '©' | 'ꮯ' | 'Ꮯ'
        | '(' => 'c',
        'а'
        | 'α'
        | 'ɑ'
        | 'à'..='å'
        | 'ā'
        | 'ă'
        | 'ą'
        | 'ǎ'
        | 'ạ'
        | 'ả'
        | 'ᴀ'
        | 'ª'
        | 'ₐ'
        | 'ᵃ'
        | 'Ꭺ'
        | 'ꭺ'
        | '4'
        | '@' => 'a',
        'р' | 'ρ' | 'ᴘ' | 'ṗ' | 'ṕ' | 'ƥ' | 'þ' | 'ᵖ' | 'ₚ' | 'ℙ' | '℗' | 'Ꮲ' | 'ꮲ' => {
            'p'
        }
        'о'
        | 'ο'
        | 'ö'
        | 'ò'..='õ'
        | 'ø'
        | 'ō'
        | 'ŏ'
        | 'ő'
        | 'ơ'
        | 'ọ'
        | 'ỏ'
        | 'ᴏ'
        | 'º'
        | 'ₒ'
        | 'ᵒ'
        | 'օ'
        | 'ס'
        | '०'
        | 'σ'
        | 'ℴ'
        | '○'
        | '◯'
        | '●'
        | '0' => 'o',
        'ո' | 'п' | 'η' | 'ñ' | 'ń' | 'ņ' | 'ň' | 'ṅ' | 'ṇ' | 'ɴ' | 'ƞ' | 'ŋ' | 'ⁿ' | 'ₙ' | 'ℕ' | 'ν' => {
            'n'
        }
        'і'
        | 'ι'
        | 'ì'..='ï'
        | 'ī'
        | 'ĭ'
        | 'į'
        | 'ı'
        | 'ị'
        | 'ỉ'
        | 'ɪ'
        | 'ɩ'
        | 'ⅰ'
        | 'ℹ'
        | 'ⁱ'
        | 'ᵢ'
        | 'ӏ'
        | 'Ꭵ'
        | 'ꭵ'
        | '1'
        | '|'
        | '!' => 'i',
        'е'
        | 'ε'
        | 'є'
        | 'ё'
        | 'è'..='ë'
        | 'ē'
        | 'ĕ'
        | 'ė'
        | 'ę'
        | 'ě'
        | 'ẹ'
        | 'ẻ'
        | 'ᴇ'
        | 'ₑ'
        | 'ᵉ'
        | 'ℯ'
        | 'ҽ'
        | '℮'
        | '€'
        | '3' => 'e',
        'г' | 'ᴦ' | 'ʀ' | 'ŕ' | 'ŗ' | 'ř' | 'ɾ' | 'ʳ' | 'ᵣ' | 'ℝ' | 'Ꮢ' | 'ꭇ' | 'ꮁ' => 'r',
        // Any other letter or digit stands between; marks, spaces and signs do not.
        c if c.is_alphanumeric() => c,
        _ => return None,
    };
    // Letters that look like another small one are taken for it.
    Some(if plain == 'l' { 'i' } else { plain })
}

/// The small letter at this place of an alphabet that begins at `first`, which may have capitals before.
fn nth(c: char, first: u32) -> char {
    let place = (u32::from(c) - first) % 26;
    u8::try_from(place).map_or(c, |place| char::from(b'a' + place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_name_is_found_in_every_dress() {
        for text in [
            "caponier",
            "CAPONIER asks: allow write_file?",
            "[Caponier] approve",
            "c a p o n i e r",
            "cap-o-nier",
            "cap\u{200b}onier",
            "саропіег",
            "cаpоniеr",
            "Cap0n1er",
            "ｃａｐｏｎｉｅｒ",
            "ⓒⓐⓟⓞⓝⓘⓔⓡ",
            "𝐜𝐚𝐩𝐨𝐧𝐢𝐞𝐫",
            "𝒞𝒶𝓅ℴ𝓃𝒾ℯ𝓇",
            "𝙲𝙰𝙿𝙾𝙽𝙸𝙴𝚁",
            "c\u{301}aponi\u{308}er",
            "càpönïér",
            "🅲🅰🅿🅾🅽🅸🅴🆁",
            "ᴄᴀᴘᴏɴɪᴇʀ",
            "caponler",
            "\u{202e}x\u{202c}caponier",
        ] {
            assert!(says_our_name(text), "{text}");
        }
    }

    #[test]
    fn other_texts_do_not_say_it() {
        for text in [
            "",
            "Please provide inputs for the following fields:",
            "Capone's pioneer",
            "capo, then: one or two",
            "Which capacity of the copier?",
            "Разрешить доступ к каталогу?",
        ] {
            assert!(!says_our_name(text), "{text}");
        }
    }
}
