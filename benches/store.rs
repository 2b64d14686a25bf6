//! What `npx` and `uvx` cost when the package is there already: by the launcher itself, and from the store.

use std::ffi::OsString;
use std::io;

use crate::figures::{Figure, Pair, Target};
use crate::{Place, first_answer};

/// Of what the launcher takes.
const MOST: f64 = 0.5;

/// Milliseconds to the first answer. The first start of each installs, and does not count.
pub(crate) fn figures(place: &Place) -> io::Result<Vec<Figure>> {
    let uvx = place.peers.join("bench/python/bin/uvx");
    let npx: Vec<OsString> = vec![
        "npx".into(),
        "-y".into(),
        "@modelcontextprotocol/server-filesystem@2026.8.31".into(),
        place.work().into(),
    ];
    let uvx: Vec<OsString> = vec![uvx.into(), "mcp-server-time@2026.10.19".into()];
    let figures = [("npx", "filesystem", npx), ("uvx", "time", uvx)].map(|(launcher, profile, bare)| {
        let ours = place.penned(&["--profile", profile], &bare);
        let pair = Pair::sample(21, || first_answer(place, &ours), || first_answer(place, &bare))?;
        Ok(Figure {
            name: format!("first answer of {profile}, from the store"),
            unit: "ms",
            ours: pair.ours,
            against: Some((launcher, pair.theirs)),
            target: Target::AtMost(MOST),
        })
    });
    figures.into_iter().collect()
}
