//! Interleaved samples, medians, and the table.

use std::fmt::Write as _;
use std::io;

/// Two ways of doing the same thing, sampled in turn so that both see the same machine.
pub(crate) struct Pair {
    pub(crate) ours: Vec<f64>,
    pub(crate) theirs: Vec<f64>,
}

impl Pair {
    /// `samples` of each, after one of each that does not count; who goes first changes with every pair.
    pub(crate) fn sample(
        samples: usize,
        mut ours: impl FnMut() -> io::Result<f64>,
        mut theirs: impl FnMut() -> io::Result<f64>,
    ) -> io::Result<Self> {
        theirs()?;
        ours()?;
        let mut pair = Pair { ours: Vec::new(), theirs: Vec::new() };
        for sample in 0..samples {
            if sample % 2 == 0 {
                pair.ours.push(ours()?);
                pair.theirs.push(theirs()?);
            } else {
                pair.theirs.push(theirs()?);
                pair.ours.push(ours()?);
            }
        }
        Ok(pair)
    }
}

/// The value below which `share` of the samples lie.
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = ((sorted.len() - 1) as f64 * share).round() as usize;
    sorted[at]
}

/// What a figure has to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// Ours by theirs, or ours alone, at most.
    AtMost(f64),
    /// Ours by theirs at least.
    AtLeast(f64),
    /// Quoted only.
    None,
}

/// One line of the table.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: Vec<f64>,
    /// What it is compared with; without it the target is about ours.
    pub(crate) against: Option<(&'static str, Vec<f64>)>,
    pub(crate) target: Target,
}

impl Figure {
    /// The ratio of the medians, or our median.
    fn value(&self) -> f64 {
        let ours = quantile(&self.ours, 0.5);
        self.against.as_ref().map_or(ours, |(_, theirs)| ours / quantile(theirs, 0.5))
    }

    fn verdict(&self) -> &'static str {
        let met = match self.target {
            Target::AtMost(most) => self.value() <= most,
            Target::AtLeast(least) => self.value() >= least,
            Target::None => return "quoted",
        };
        if met { "met" } else { "MISSED" }
    }

    fn target(&self) -> String {
        let sign = if self.against.is_some() { "\u{d7}" } else { "" };
        match self.target {
            Target::AtMost(most) => format!("\u{2264} {most:.2}{sign}"),
            Target::AtLeast(least) => format!("\u{2265} {least:.2}{sign}"),
            Target::None => "\u{2013}".into(),
        }
    }
}

fn spread(samples: &[f64]) -> String {
    let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile(samples, share));
    format!("{middle:.2} ({low:.2}\u{2013}{high:.2})")
}

/// The figures for people: median (quartiles), ratio of the medians, target.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut rows =
        vec![["", "unit", "caponier", "compared with", "", "ratio", "target", ""].map(str::to_owned)];
    rows.extend(figures.iter().map(|figure| {
        let (who, theirs) =
            figure.against.as_ref().map_or(("", String::new()), |(who, theirs)| (who, spread(theirs)));
        let ratio = figure.against.as_ref().map_or(String::new(), |_| format!("{:.2}\u{d7}", figure.value()));
        let [name, unit] = [figure.name.as_str(), figure.unit].map(str::to_owned);
        [
            name,
            unit,
            spread(&figure.ours),
            who.into(),
            theirs,
            ratio,
            figure.target(),
            figure.verdict().into(),
        ]
    }));
    let mut table = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            // Writing to a String cannot fail.
            let _ = write!(table, "{cell:<width$}  ");
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }
    table
}

/// The figures for programs: one object for each, with every sample.
pub(crate) fn json(figures: &[Figure]) -> serde_json::Value {
    let figures = figures.iter().map(|figure| {
        serde_json::json!({
            "name": figure.name,
            "unit": figure.unit,
            "caponier": {"median": quantile(&figure.ours, 0.5), "samples": figure.ours},
            "against": figure.against.as_ref().map(|(who, samples)| {
                serde_json::json!({"name": who, "median": quantile(samples, 0.5), "samples": samples})
            }),
            "value": figure.value(),
            "target": figure.target(),
            "verdict": figure.verdict(),
        })
    });
    serde_json::json!({"version": 1, "figures": figures.collect::<Vec<_>>()})
}
