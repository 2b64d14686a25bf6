//! One profile, held against what is here: whether it can be run under, and what it would have to do without.

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::diagnostic::{self, Style};
use crate::cli::doctor::Report;
use crate::cli::exit;
use crate::cli::run::unresolved::unasked;
use crate::cli::surroundings::{self, Surroundings};
use crate::policy::Environment;
use crate::profile::problem::Problems;
use crate::profile::{self, Flags, Request};
use crate::sandbox::support::Support;

/// What is said of it.
#[derive(Debug, Serialize)]
pub(super) struct Named {
    name: String,
    env: &'static str,
    /// Whether a server can be run under it here.
    pub(super) can_run: bool,
    why_not: Option<String>,
    /// What it asks for and would not have: as `degraded` in `session.start`.
    pub(super) degraded: Vec<String>,
}

/// Why nothing can be said of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Around(#[from] surroundings::Error),
    #[error("the profile is wrong")]
    Profile(Problems),
}

impl Refused {
    /// Says it on stderr; the status of a wrong configuration.
    pub(super) fn tell(&self) -> ExitCode {
        match self {
            Refused::Around(error) => diagnostic::tell(&format!("error: {error}\n")),
            Refused::Profile(problems) => {
                diagnostic::tell(&diagnostic::problems(problems, Style::stderr()));
            }
        }
        ExitCode::from(exit::CONFIGURATION)
    }
}

impl Named {
    /// Looks.
    pub(super) fn look(name: &str, environment: Environment, report: &Report) -> Result<Named, Refused> {
        let around = Surroundings::find()?;
        let context = around.context(None, None, None, None);
        let request = Request { profile: name.to_owned(), environment, flags: Flags::default() };
        let policy = profile::resolve(&request, &context).map_err(Refused::Profile)?.policy;
        let met = Support::probe().meet(&policy.require);
        let why_not = match &met {
            Err(unmet) => Some(unmet.to_string()),
            Ok(_) => report
                .notify
                .why_not
                .clone()
                .or_else(|| report.folders.why_not())
                .or_else(|| unasked(&policy, false).map(|it| it.message)),
        };
        let mut degraded = met.map(|enforceable| enforceable.degraded).unwrap_or_default();
        if let (Some(why), false) = (&report.network.why_not, policy.network.is_empty()) {
            degraded.push(format!("network: none, although the profile has hosts: {why}"));
        }
        let can_run = why_not.is_none();
        let name = policy.profile.name;
        Ok(Named { name, env: environment.as_str(), can_run, why_not, degraded })
    }

    /// In a line.
    pub(super) fn sentence(&self) -> String {
        let Named { name, env, why_not, degraded, .. } = self;
        match why_not {
            Some(why) => format!("{name} ({env}) cannot be run under here: {why}"),
            None if degraded.is_empty() => format!("{name} ({env}) is held here as it is"),
            None => format!("{name} ({env}) can be run under here, with less than it asks for"),
        }
    }
}
