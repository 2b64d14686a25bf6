//! `caponier profile diff`: two resolved policies, line by line, each line with what it amounts to.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use crate::cli::diagnostic::{Style, escape};
use crate::policy::Environment;
use crate::policy::grant::Origin;
use crate::profile::Resolved;
use crate::profile::difference::{Difference, Direction, Side};
use crate::profile::problem::Problem;

/// What is compared with what.
#[derive(Debug, Args)]
pub(super) struct Pair {
    /// A profile's name, or a file; with --profile, an environment: dev or prod
    #[arg(value_name = "A")]
    pub from: String,
    /// What it is compared with: the lines say what B has more, or less
    #[arg(value_name = "B")]
    pub to: String,
    /// Compare the environments of this one profile
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// Exit with 1 where they differ
    #[arg(long)]
    pub exit_code: bool,
}

impl Pair {
    /// The profile and environment of each side.
    pub(super) fn sides(&self, env: Environment) -> Result<[(String, Environment); 2], Problem> {
        let environment = |word: &str| super::environment(word).ok();
        let sides = [&self.from, &self.to];
        let Some(profile) = &self.profile else {
            if sides.iter().all(|side| environment(side).is_some()) {
                let message =
                    format!("`{}` and `{}` are environments: of which profile?", self.from, self.to);
                let help = format!("caponier profile diff --profile NAME {} {}", self.from, self.to);
                return Err(Problem::new(Origin::command_line(), message).help(help));
            }
            return Ok(sides.map(|side| (side.clone(), env)));
        };
        match sides.map(|side| environment(side)) {
            [Some(from), Some(to)] => Ok([(profile.clone(), from), (profile.clone(), to)]),
            [from, _] => {
                let odd = if from.is_some() { &self.to } else { &self.from };
                let message =
                    format!("with --profile, A and B are dev or prod, not `{}`", odd.escape_debug());
                Err(Problem::new(Origin::command_line(), message)
                    .help("leave --profile out to compare two profiles"))
            }
        }
    }
}

#[derive(Serialize)]
struct Report<'r> {
    from: Which<'r>,
    to: Which<'r>,
    wider: usize,
    narrower: usize,
    changed: usize,
    differences: &'r [Difference],
}

#[derive(Serialize)]
struct Which<'r> {
    profile: &'r str,
    env: &'static str,
    file: String,
    sha256: &'r str,
}

fn which(resolved: &Resolved) -> Which<'_> {
    let identity = &resolved.policy.profile;
    Which {
        profile: &identity.name,
        env: identity.env.as_str(),
        file: identity.file.display().to_string(),
        sha256: &identity.sha256,
    }
}

fn count(found: &[Difference], direction: Direction) -> usize {
    found.iter().filter(|difference| difference.direction == direction).count()
}

/// The report as JSON.
pub(super) fn json(from: &Resolved, to: &Resolved, found: &[Difference]) -> String {
    super::json(&Report {
        from: which(from),
        to: which(to),
        wider: count(found, Direction::Wider),
        narrower: count(found, Direction::Narrower),
        changed: count(found, Direction::Changed),
        differences: found,
    })
}

/// The report for people.
pub(super) fn text(from: &Resolved, to: &Resolved, found: &[Difference], style: Style) -> String {
    let mut text = String::new();
    for (sign, resolved) in [("---", from), ("+++", to)] {
        let Which { profile, env, file, .. } = which(resolved);
        let _ = writeln!(text, "{sign} {} ({env})  {}", escape(profile), escape(&file));
    }
    text.push_str(&lines(found, style));
    let _ = match found.len() {
        0 => writeln!(text, "they allow the same"),
        _ => writeln!(
            text,
            "{} wider, {} narrower, {} changed",
            count(found, Direction::Wider),
            count(found, Direction::Narrower),
            count(found, Direction::Changed)
        ),
    };
    text
}

/// The differences alone.
pub(super) fn lines(found: &[Difference], style: Style) -> String {
    let mut text = String::new();
    for Difference { key, direction, from, to } in found {
        let (word, colour) = match direction {
            Direction::Wider => ("wider   ", 31),
            Direction::Narrower => ("narrower", 32),
            Direction::Changed => ("changed ", 33),
        };
        let word = style.paint(word, colour);
        let _ = match (from, to) {
            (Some(from), Some(to)) => writeln!(
                text,
                "{word}   {} = {} → {}  {}",
                escape(key),
                escape(&from.value),
                escape(&to.value),
                place(to)
            ),
            (None, Some(to)) => {
                writeln!(text, "{word} + {} {}  {}", escape(key), escape(&to.value), place(to))
            }
            (Some(from), None) => {
                writeln!(text, "{word} - {} {}  {}", escape(key), escape(&from.value), place(from))
            }
            (None, None) => Ok(()),
        };
    }
    text
}

fn place(side: &Side) -> String {
    match &side.line {
        None => "default".to_owned(),
        Some(Origin { file, line: 0, .. }) => escape(file).into_owned(),
        Some(Origin { file, line, .. }) => format!("{}:{line}", escape(file)),
    }
}
