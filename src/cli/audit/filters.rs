//! The filters that `query`, `report` and `export` have in common: from options to a [`Filter`].

use clap::Args;

use crate::audit::query::filter::{Filter, Pattern};
use crate::audit::query::moment::{self, Moment};

/// Which events: every filter that is given has to hold.
#[derive(Debug, Args)]
pub(super) struct Filters {
    /// Name of the server (glob)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::name)]
    server: Option<Pattern>,
    /// Session, or the beginning of its name
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// Number of a call: its own lines, and what happened while it was in flight
    #[arg(long, value_name = "N")]
    call: Option<u64>,
    /// Name of a tool (glob): lines that name it, and what happened while it was called
    #[arg(long, value_name = "GLOB", value_parser = Pattern::name)]
    tool: Option<Pattern>,
    /// Name of the event (glob); may be given more than once
    #[arg(long, value_name = "GLOB", value_parser = Pattern::name)]
    event: Vec<Pattern>,
    /// Only what was refused
    #[arg(long)]
    pub(super) denied: bool,
    /// Code of the reason (glob)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::name)]
    reason: Option<Pattern>,
    /// Path, as it was or as it was asked for; without a wildcard, with everything below it
    #[arg(long, value_name = "GLOB", value_parser = Pattern::path)]
    path: Option<Pattern>,
    /// Name or address of a host (glob)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::name)]
    host: Option<Pattern>,
    /// Program; without a slash, the last part of its path
    #[arg(long, value_name = "GLOB", value_parser = Pattern::program)]
    exe: Option<Pattern>,
    /// Not before this: 2h, 3 days, 2026-11-23, 2026-11-23T16:20, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    since: Option<Moment>,
    /// Before this
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    until: Option<Moment>,
}

impl Filters {
    pub(super) fn filter(&self) -> Filter {
        Filter {
            server: self.server.clone(),
            session: self.session.clone(),
            call: self.call,
            tool: self.tool.clone(),
            event: self.event.clone(),
            denied: self.denied,
            reason: self.reason.clone(),
            path: self.path.clone(),
            host: self.host.clone(),
            exe: self.exe.clone(),
            since: self.since,
            until: self.until,
            nothing: false,
        }
    }

    /// What was asked for, in the words of the command line.
    pub(super) fn asked(&self) -> String {
        let time = |moment: Moment| String::from_utf8_lossy(&moment).into_owned();
        let glob = |pattern: &Option<Pattern>| pattern.as_ref().map(|pattern| pattern.glob().to_owned());
        let mut words = vec![
            ("--server", glob(&self.server)),
            ("--session", self.session.clone()),
            ("--call", self.call.map(|call| call.to_string())),
            ("--tool", glob(&self.tool)),
        ];
        words.extend(self.event.iter().map(|event| ("--event", Some(event.glob().to_owned()))));
        words.extend([
            ("--denied", self.denied.then(String::new)),
            ("--reason", glob(&self.reason)),
            ("--path", glob(&self.path)),
            ("--host", glob(&self.host)),
            ("--exe", glob(&self.exe)),
            ("--since", self.since.map(time)),
            ("--until", self.until.map(time)),
        ]);
        let words = words.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
        words.map(|word| word.trim_end().to_owned()).collect::<Vec<_>>().join(" ")
    }
}
