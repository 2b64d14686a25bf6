//! Secrets whose form is more than a run of characters: keys in blocks, tokens in parts, passwords in addresses.
//!
//! Each function gets the place of a literal and gives the place of the secret. None looks further than it needs for
//! that: together they are linear in the text, whatever the text is.

use std::ops::Range;

use crate::audit::redact::class::Class;
use crate::audit::redact::entropy;

/// The longest part of a token, and of an address up to its host, that is looked at.
const LONGEST_PART: usize = 16 << 10;
const LONGEST_AUTHORITY: usize = 1024;

/// How a line begins that a private key ends with.
const KEY_END: &[u8] = b"-----END ";
/// The lines around the private part of a PuTTY key file.
const PUTTY: &[u8] = b"Private-Lines: ";
const PUTTY_END: &[u8] = b"Private-MAC";

/// `-----BEGIN … PRIVATE KEY … -----` up to the end of its last line, or to the end of the text (RFC 7468).
pub(super) fn private_key(text: &[u8], at: usize) -> Option<Range<usize>> {
    let label = text.get(at + 11..)?;
    let label = label.get(..64).unwrap_or(label);
    let label = label.get(..memchr::memmem::find(label, b"-----")?)?;
    memchr::memmem::find(label, b"PRIVATE KEY")?;
    Some(at..key_end(text, at).unwrap_or(text.len()))
}

/// Whether a private key begins here and goes on after the end of the text.
pub(super) fn is_left_open(text: &[u8]) -> bool {
    let pem = memchr::memmem::rfind(text, b"-----BEGIN ");
    let putty = memchr::memmem::rfind(text, PUTTY);
    pem.is_some_and(|at| private_key(text, at).is_some() && key_end(text, at).is_none())
        || putty.is_some_and(|at| key_end(text, at).is_none())
}

/// Whether a line may be one of a private key's: base64, one of its headers, or empty.
pub(super) fn is_key_line(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let run = line.iter().rev().take_while(|byte| Class::Base64.has(**byte)).count();
    run == line.len() || run >= 40 || (line.len() < 80 && memchr::memmem::find(line, b": ").is_some())
}

/// Where the block that begins before `from` ends; `None` when it goes on.
pub(super) fn key_end(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    if let Some(mac) = memchr::memmem::find(rest, PUTTY_END) {
        return Some(from + mac);
    }
    let end = from + memchr::memmem::find(rest, KEY_END)?;
    let label = text.get(end + KEY_END.len()..)?;
    let label = label.get(..64).unwrap_or(label);
    let dashes = memchr::memmem::find(label, b"-----").map_or(label.len(), |dashes| dashes + 5);
    Some(end + KEY_END.len() + dashes)
}

/// The private lines of a PuTTY key file, up to its `Private-MAC`.
pub(super) fn putty_key(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    Some(at..memchr::memmem::find(rest, PUTTY_END).map_or(text.len(), |mac| at + mac))
}

/// `header.payload.signature`, each base64url and the first two JSON objects (RFC 7519).
pub(super) fn jwt(text: &[u8], at: usize) -> Option<Range<usize>> {
    if at > 0 && Class::Dash.has(*text.get(at - 1)?) {
        return None;
    }
    let window = text.get(..at.saturating_add(LONGEST_PART)).unwrap_or(text);
    let header = at + Class::Dash.run(window, at);
    if header < at + 10 || window.get(header..header + 3)? != b".ey" {
        return None;
    }
    // From here on it is one, and taken to its end.
    Some(at..header + Class::Dot.run(text, header))
}

/// `123456789:AA…`: the digits stand before the literal.
pub(super) fn telegram_token(text: &[u8], at: usize) -> Option<Range<usize>> {
    let before = text.get(at.saturating_sub(12)..at)?;
    let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let run = Class::Dash.run(text, at + 1);
    ((8..=11).contains(&digits) && run >= 33).then(|| at - digits..at + 1 + run)
}

/// `…/api/webhooks/ID/TOKEN`: the number and the token.
pub(super) fn discord_webhook(text: &[u8], at: usize) -> Option<Range<usize>> {
    let number = at + "/api/webhooks/".len();
    let digits = text.get(number..)?.iter().take(24).take_while(|byte| byte.is_ascii_digit()).count();
    let slash = number + digits;
    let run = Class::Dash.run(text, slash + 1);
    (digits >= 15 && text.get(slash) == Some(&b'/') && run >= 40).then(|| number..slash + 1 + run)
}

/// Three parts, the first the base64 of a number.
pub(super) fn discord_token(text: &[u8], at: usize) -> Option<Range<usize>> {
    if at > 0 && Class::Dot.has(*text.get(at - 1)?) {
        return None;
    }
    let window = text.get(..at.saturating_add(128)).unwrap_or(text);
    let first = Class::Dash.run(window, at);
    let second = Class::Dash.run(window, at + first + 1);
    let third = at + first + 1 + second + 1;
    let dots = window.get(at + first) == Some(&b'.') && window.get(third - 1) == Some(&b'.');
    let last = if dots { Class::Dash.run(text, third) } else { 0 };
    ((23..=28).contains(&first) && second == 6 && last >= 27).then(|| at..third + last)
}

/// Three characters, a digit, `Q~` and the rest.
pub(super) fn azure_client_secret(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_body = |byte: u8| Class::Dot.has(byte) || byte == b'~';
    let begin = at.checked_sub(3)?;
    let run = text.get(at + 3..)?.iter().take_while(|byte| is_body(**byte)).count();
    (text.get(begin..at)?.iter().all(|byte| is_body(*byte)) && run >= 30).then(|| begin..at + 3 + run)
}

/// `scheme://user:password@host`: the password alone (RFC 3986, 3.2.1).
pub(super) fn password_in_url(text: &[u8], at: usize) -> Option<Range<usize>> {
    let authority = at + 3;
    let rest = text.get(authority..)?;
    let rest = rest.get(..LONGEST_AUTHORITY).unwrap_or(rest);
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`');
    let rest = rest.get(..rest.iter().position(ends).unwrap_or(rest.len()))?;
    let colon = rest.iter().position(|byte| matches!(byte, b':' | b'/' | b'?' | b'#' | b'@'))?;
    if rest.get(colon) == Some(&b'@') {
        // `https://TOKEN@host`: a user without a password is one only if it looks like it.
        return entropy::is_random(rest.get(..colon)?).then_some(authority..authority + colon);
    }
    if rest.get(colon) != Some(&b':') {
        return None;
    }
    // A password that was not encoded may hold a slash: up to the last `@` before one, else to the first after it.
    let slash = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let sign = match rest.get(..slash)?.iter().rposition(|byte| *byte == b'@') {
        Some(sign) => sign,
        None if is_port(rest.get(colon + 1..slash)?) => return None,
        None => slash + rest.get(slash..)?.iter().position(|byte| *byte == b'@')?,
    };
    (sign > colon + 1).then(|| authority + colon + 1..authority + sign)
}

fn is_port(bytes: &[u8]) -> bool {
    bytes.len() <= 5 && bytes.iter().all(u8::is_ascii_digit)
}
