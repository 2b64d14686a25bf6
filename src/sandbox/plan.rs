//! What `init` is told to do, as plain data.
//!
//! Everything that can fail on our side has failed before a plan exists: the rule paths are open. The plan travels in a sealed memory file, the descriptors beside it.

use crate::sandbox::filter::Choices;
use crate::sandbox::wire::{Damaged, Reader, Writer};

/// One launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The program, absolute, as found: not resolved, or venvs and multi-call programs break.
    pub program: Vec<u8>,
    /// Its words; the first as the user gave it.
    pub argv: Vec<Vec<u8>>,
    /// `NAME=value`, the whole environment.
    pub environment: Vec<Vec<u8>>,
    /// Where it starts.
    pub cwd: Vec<u8>,
    /// `RLIMIT_DATA` in bytes.
    pub memory: Option<u64>,
    /// `RLIMIT_NOFILE`.
    pub open_files: Option<u64>,
    /// `RLIMIT_FSIZE` in bytes.
    pub file_size: Option<u64>,
    /// `RLIMIT_CPU` in seconds.
    pub cpu_time: Option<u64>,
    /// Whether the outer domain (scopes) comes with the descriptors and ends the tree.
    pub scopes: bool,
    /// Whether Landlock keeps logging after the server's `execve` (ABI 7).
    pub log_new_exec: bool,
    /// The supervisor, which must be out of reach once the outer domain holds.
    pub supervisor: u32,
    /// What the seccomp program is compiled with; `init` does that while the plan is still being made.
    pub filter: Choices,
}

impl Plan {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.blob(&self.program).blobs(&self.argv).blobs(&self.environment).blob(&self.cwd);
        for limit in [self.memory, self.open_files, self.file_size, self.cpu_time] {
            writer.number(u64::from(limit.is_some())).number(limit.unwrap_or(0));
        }
        writer.number(u64::from(self.scopes)).number(u64::from(self.log_new_exec));
        writer.number(u64::from(self.supervisor));
        for choice in [
            self.filter.signal_scope,
            self.filter.nested_seccomp,
            self.filter.file_reads,
            self.filter.network,
        ] {
            writer.number(u64::from(choice));
        }
        writer.finish()
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Result<Plan, Damaged> {
        let mut reader = Reader::new(bytes);
        let program = reader.blob()?.to_vec();
        let argv = reader.blobs()?;
        let environment = reader.blobs()?;
        let cwd = reader.blob()?.to_vec();
        let memory = limit(&mut reader)?;
        let open_files = limit(&mut reader)?;
        let file_size = limit(&mut reader)?;
        let cpu_time = limit(&mut reader)?;
        let scopes = reader.number()? == 1;
        let log_new_exec = reader.number()? == 1;
        let supervisor = reader.narrow()?;
        let filter = Choices {
            signal_scope: reader.number()? == 1,
            nested_seccomp: reader.number()? == 1,
            file_reads: reader.number()? == 1,
            network: reader.number()? == 1,
        };
        reader.end()?;
        Ok(Plan {
            program,
            argv,
            environment,
            cwd,
            memory,
            open_files,
            file_size,
            cpu_time,
            scopes,
            log_new_exec,
            supervisor,
            filter,
        })
    }
}

fn limit(reader: &mut Reader<'_>) -> Result<Option<u64>, Damaged> {
    let (given, value) = (reader.number()? == 1, reader.number()?);
    Ok(given.then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_the_way() {
        let plan = Plan {
            program: b"/bin/true".to_vec(),
            argv: vec![b"true".to_vec(), b"\xff".to_vec()],
            environment: vec![b"A=b".to_vec()],
            cwd: b"/".to_vec(),
            memory: Some(1 << 30),
            open_files: None,
            file_size: Some(0),
            cpu_time: None,
            scopes: true,
            log_new_exec: false,
            supervisor: 42,
            filter: Choices { signal_scope: true, nested_seccomp: false, file_reads: true, network: true },
        };
        let bytes = plan.encode();
        assert_eq!(Plan::decode(&bytes), Ok(plan));
        for end in 0..bytes.len() {
            assert_eq!(Plan::decode(&bytes[..end]), Err(Damaged));
        }
    }
}
