//! Taking our words away again.
//!
//! First exactly: the texts that were put there are still there, and what they replaced comes back byte for byte. Where
//! the client wrote the file anew meanwhile, by meaning: the words before and with `--` go, and the command's own text
//! returns from the list. Either way the result is parsed and compared before anybody sees it.

use std::ops::Range;

use crate::clients::Format;
use crate::clients::argv::{Args, Launch, launch};
use crate::clients::change::{How, Unchanged, Undo, made};
use crate::clients::server::{State, program, state_of};
use crate::clients::splice::Splice;
use crate::clients::table::Shape;
use crate::clients::tree::Node;

/// Splices that make the entry at `path` start what stands behind caponier.
pub(super) fn unwrap(
    text: &str,
    tree: &Node,
    kind: (Format, Shape),
    path: &[String],
    kept: Option<&Undo>,
) -> Result<(Vec<Splice>, Vec<String>), Unchanged> {
    let odd = |why: &str| Unchanged(why.to_owned());
    let entry = tree.at(path).ok_or_else(|| odd("its entry is gone"))?;
    let launch = launch(entry, kind.1).map_err(|_| odd("it cannot be told any more what it starts"))?;
    let words = launch.words();
    let State::Wrapped(wrapper) = state_of(&words) else {
        return Err(odd("caponier does not stand in front of it"));
    };
    let expected = [(path.to_vec(), wrapper.words.clone())];
    let comes_out = |splices: &Vec<Splice>| made(text, tree, kind, splices, &expected).is_ok();
    let exact = kept.and_then(|kept| exactly(text, &launch, kept)).filter(comes_out);
    if let Some(splices) = exact {
        return Ok((splices, wrapper.words));
    }
    if program(&words) == Some("env") {
        return Err(odd("`env` stands before caponier: take both away by hand"));
    }
    let was_member = kept.is_some_and(|kept| kept.how == How::AsMember);
    let ours = words.len() - wrapper.words.len();
    let splices = by_meaning(text, &launch, kind.0, ours, was_member);
    let splices = splices
        .filter(comes_out)
        .ok_or_else(|| odd("its words are written in a way that caponier cannot take apart"))?;
    Ok((splices, wrapper.words))
}

/// The texts that were put there, found where they were put.
fn exactly(text: &str, launch: &Launch<'_>, kept: &Undo) -> Option<Vec<Splice>> {
    let here = |at: usize| text.get(at..)?.starts_with(&kept.text).then_some(at..at + kept.text.len());
    let command = &launch.command.node.span;
    let range: Range<usize> = match (launch.args, kept.how) {
        (Args::Whole(words), How::BeforeFirst) => here(words.first()?.span.start)?,
        (Args::Listed(args), How::BeforeFirst) => here(args.node.elements()?.first()?.span.start)?,
        (Args::Listed(args), How::IntoEmpty) => here(args.node.span.start + 1)?,
        (Args::Listed(_), How::AsMember) => {
            here(command.end).or_else(|| here(line_end(text, command.end)))?
        }
        _ => return None,
    };
    let mut splices = vec![Splice::new(range, "")];
    if let Some(exchanged) = &kept.command {
        if text.get(command.clone())? != exchanged.after {
            return None;
        }
        splices.push(Splice::new(command.clone(), exchanged.before.clone()));
    }
    Some(splices)
}

/// Where the line ends, its own end not included.
fn line_end(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let length =
        rest.find('\n').map_or(rest.len(), |at| if rest[..at].ends_with('\r') { at - 1 } else { at });
    from + length
}

/// `ours` words go; the one after them becomes the command.
fn by_meaning(
    text: &str,
    launch: &Launch<'_>,
    format: Format,
    ours: usize,
    was_member: bool,
) -> Option<Vec<Splice>> {
    match launch.args {
        Args::Whole(words) => {
            Some(vec![Splice::new(words.first()?.span.start..words.get(ours)?.span.start, "")])
        }
        Args::Absent => None,
        Args::Listed(args) => {
            let words = args.node.elements()?;
            let command = words.get(ours.checked_sub(1)?)?;
            let back = Splice::new(launch.command.node.span.clone(), text.get(command.span.clone())?);
            let rest = match words.get(ours) {
                Some(next) => Splice::new(words.first()?.span.start..next.span.start, ""),
                None if was_member => Splice::new(member(text, launch, format)?, ""),
                None => Splice::new(args.node.span.clone(), "[]"),
            };
            Some(vec![back, rest])
        }
    }
}

/// The whole of `args`, with what joins it to the others.
fn member(text: &str, launch: &Launch<'_>, format: Format) -> Option<Range<usize>> {
    let Args::Listed(args) = launch.args else { return None };
    let is_braced = text.get(launch.owner.span.start..)?.starts_with('{');
    if format == Format::Toml && !is_braced {
        let start = text.get(..args.key_span.start)?.rfind('\n').map_or(0, |newline| newline + 1);
        let end = line_end(text, args.node.span.end);
        let newline = text.get(end..)?.find('\n').map_or(0, |at| at + 1);
        return Some(start..end + newline);
    }
    let members = launch.owner.members();
    let at = members.iter().position(|member| member.key_span == args.key_span)?;
    match at.checked_sub(1) {
        Some(before) => Some(members.get(before)?.node.span.end..args.node.span.end),
        None => Some(args.key_span.start..members.get(1)?.key_span.start),
    }
}
