//! Asking the system's resolver, on threads that may wait.

use std::net::IpAddr;
use std::time::Duration;

use crate::policy::host::Name;
use crate::sys::lookup::{self, Failure};

/// Look-ups at a time.
pub(super) const LOOKUPS: usize = 16;
/// How long one may take: then the answer is that it failed. (Its thread ends when the system's resolver gives up.)
const LONGEST: Duration = Duration::from_secs(5);

/// All addresses of a name.
pub(super) async fn resolve(name: &Name) -> Result<Vec<IpAddr>, Failure> {
    let text = name.as_str().to_owned();
    let asked = tokio::task::spawn_blocking(move || lookup::addresses(&text));
    match tokio::time::timeout(LONGEST, asked).await {
        Ok(Ok(outcome)) => outcome,
        _ => Err(Failure::Failed),
    }
}
