//! `run --observe`: nearly everything is let through, and compared with what the profile would have said.

use crate::cli::diagnostic::{self, escape};
use crate::cli::exit;
use crate::cli::run::{Refused, RunArgs, policy, wrong};
use crate::policy::{Environment, Policy};
use crate::profile::packages::Registry;
use crate::profile::{self, context};
use crate::session::Observe;

/// The plan of `--observe`: the profile with the workspace to write, and what it is compared with.
pub(super) fn plan(
    args: &RunArgs,
    launcher: Option<Registry>,
    name: &str,
    context: &context::Context,
    profile: Policy,
) -> Result<(Policy, Option<Observe>), Refused> {
    if args.environment() == Environment::Prod {
        let help = "say --env dev: what is observed is not confined to the profile";
        return Err(Refused::new(exit::CONFIGURATION, "--observe is refused in production", Some(help)));
    }
    let workspace = profile::workspace(context).map_err(|problem| wrong(&problem.into()))?;
    let never = profile::never_granted(context).map_err(|problem| wrong(&problem.into()))?;
    let wide = policy(args, launcher, name, context, std::slice::from_ref(&workspace))?;
    diagnostic::note(&format!(
        "--observe: the server may read and execute everything but secrets, and write {}; caponier learn turns what it does into a profile",
        escape(&workspace.to_string_lossy())
    ));
    let never = never.into_iter().map(|(path, _)| path).collect();
    Ok((wide.policy, Some(Observe { profile, never })))
}
