//! From "the rights do not suffice" to a reason, and to the exact line that would allow it.
//!
//! A remedy is never proposed where following it would be dangerous: secrets, client configurations, our own
//! folders, shells, protected names.

use std::path::Path;

use crate::event::FileAccessKind;
use crate::notify::Context;
use crate::policy::grant::{Access, Taken};
use crate::policy::profile_line::{adding, quoted};
use crate::policy::protected::is_protected;
use crate::policy::reason::Reason;
use crate::policy::shells;
use crate::policy::verdict::{Denial, Layer, Remedy};
use crate::sandbox::rules::Rights;

/// Nothing is ever granted for writing in these.
const KERNEL_FOLDERS: &[&str] = &["/proc", "/sys", "/dev"];
/// These, and what lies above them, are never granted for writing as a whole.
const SHARED_FOLDERS: &[&str] = &[
    "/bin",
    "/boot",
    "/dev/shm",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/root",
    "/run/user",
    "/sbin",
    "/tmp",
    "/usr",
    "/var/tmp",
];
// Without a colon behind `secrets`: that reads like a name with its value, which a log takes out.
const NEVER_WRITTEN: &str = "it is a folder of the system, of all programs, or above secrets, and no profile may grant \
                             writing it";

const NO_NETWORK: &str = "the profile lists no host, so there is no network";

/// A refusal by the broker.
pub(super) fn denial(reason: Reason, remedy: Remedy) -> Denial {
    Denial { reason, layer: Layer::Broker, remedy }
}

/// A refusal that no profile can lift.
pub(super) fn never(reason: Reason, why: &str) -> Denial {
    denial(reason, Remedy::WhyNot(why.to_owned()))
}

impl Context {
    /// Why this kind of access to `path`, where only `held` rights hold, is refused. Landlock refuses it as well:
    /// that is the layer.
    pub(super) fn explain(&self, path: &Path, kind: FileAccessKind, held: Rights) -> Denial {
        let (reason, access) = match kind {
            FileAccessKind::Read | FileAccessKind::List => (Reason::FsReadNotGranted, Access::Read),
            FileAccessKind::Execute => return self.explain_execute(path),
            _ if held.cover(Rights::READ_FILE) => (Reason::FsWriteReadOnly, Access::Write),
            _ => (Reason::FsWriteNotGranted, Access::Write),
        };
        if let Some(why) = self.never_granted(path) {
            let reason = if access == Access::Read { Reason::FsReadSecret } else { reason };
            return Denial { reason, layer: Layer::Landlock, remedy: Remedy::WhyNot(why.to_owned()) };
        }
        Denial { reason, layer: Layer::Landlock, remedy: self.remedy(path, access) }
    }

    /// A move between folders whose rights differ.
    pub(super) fn across(&self, from: &Path, to: &Path) -> Denial {
        let folders = from.parent().zip(to.parent());
        let remedy = match folders {
            Some((from, to)) if self.may_be_written(from) && self.may_be_written(to) => {
                Remedy::Line(format!("{} = [{}, {}]", Access::Write.key(), shown(from), shown(to)))
            }
            _ => Remedy::WhyNot(NEVER_WRITTEN.into()),
        };
        Denial { reason: Reason::FsLinkAcross, layer: Layer::Landlock, remedy }
    }

    /// The line of a profile that would allow it, if a profile may have it. For writing that is the folder, because
    /// editors and servers replace files whole; the file alone where the folder is too much.
    fn remedy(&self, path: &Path, access: Access) -> Remedy {
        if access == Access::Write
            && let Some(name) = is_protected(path, 0, &self.unprotected)
        {
            return Remedy::WhyNot(format!(
                "what `{name}` holds is run or believed later, outside the pen: a write grant around it does not reach it"
            ));
        }
        if let Some(why) = self.taken(path, access) {
            return Remedy::WhyNot(why);
        }
        let wide = self.never.iter().any(|(never, _)| never.starts_with(path));
        let grant = match (access, path.parent()) {
            (Access::Write, Some(folder)) if self.may_be_written(folder) => Some(folder),
            (Access::Write, _) => Some(path).filter(|path| self.may_be_written(path)),
            _ => Some(path).filter(|_| !wide),
        };
        match grant {
            Some(grant) => Remedy::Line(format!("{} = [{}]", access.key(), shown(grant))),
            None if access == Access::Write => Remedy::WhyNot(NEVER_WRITTEN.into()),
            None => Remedy::WhyNot("secrets lie below it: grant the folders in it that are needed".into()),
        }
    }

    /// Whether a profile may grant writing it: `filesystem.write` refuses the rest.
    fn may_be_written(&self, path: &Path) -> bool {
        let inside = KERNEL_FOLDERS.iter().any(|folder| path.starts_with(folder));
        let above = SHARED_FOLDERS.iter().any(|folder| Path::new(folder).starts_with(path));
        let secret = self.never.iter().any(|(never, _)| never.starts_with(path) || path.starts_with(never));
        !inside && !above && !secret
    }

    fn explain_execute(&self, path: &Path) -> Denial {
        let (reason, remedy) = if path.file_name().is_some_and(shells::is_shell_name) {
            let why = "a shell runs anything that its arguments say; name the program that is needed instead";
            (Reason::ExecShell, Remedy::WhyNot(why.to_owned()))
        } else if let Some(why) = self.taken(path, Access::Execute) {
            (Reason::ExecNotGranted, Remedy::WhyNot(why))
        } else {
            (Reason::ExecNotGranted, Remedy::Line(format!("{} = [{}]", Access::Execute.key(), shown(path))))
        };
        Denial { reason, layer: Layer::Landlock, remedy }
    }

    /// Why no line of the profile would help: it has one, and the workspace's own file takes it away.
    fn taken(&self, path: &Path, access: Access) -> Option<String> {
        let missed = |taken: &&Taken| taken.gives(access) && path.starts_with(&taken.grant.path);
        self.taken.iter().find(missed).map(Taken::why)
    }

    /// Without a network.
    pub(super) fn no_network(&self) -> Denial {
        never(Reason::NetNone, self.no_network.as_deref().unwrap_or(NO_NETWORK))
    }

    /// Why a path is never granted to anyone.
    pub(super) fn never_granted(&self, path: &Path) -> Option<&str> {
        self.never.iter().find(|(never, _)| path.starts_with(never)).map(|(_, why)| why.as_str())
    }

    /// A protected name inside a write grant.
    pub(super) fn protected(&self, name: &str) -> Denial {
        let line = adding("filesystem.unprotected", name);
        denial(Reason::FsWriteProtected, Remedy::Line(line))
    }
}

fn shown(path: &Path) -> String {
    quoted(&crate::event::text(path.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context { never: vec![("/home/me/.ssh".into(), "keys".into())], ..Context::default() }
    }

    #[test]
    fn the_remedy_is_the_exact_line() {
        let denial = context().explain(Path::new("/data/\"x\n"), FileAccessKind::Read, Rights::default());
        assert_eq!(denial.reason, Reason::FsReadNotGranted);
        assert_eq!(denial.remedy, Remedy::Line("filesystem.read = [\"/data/\\\"x\\u000A\"]".into()));
        let parsed: toml::Table = toml::from_str(denial.remedy.line().unwrap()).unwrap();
        assert_eq!(parsed["filesystem"]["read"][0].as_str(), Some("/data/\"x\n"));
    }

    #[test]
    fn nothing_dangerous_is_proposed() {
        let context = context();
        let secret = context.explain(Path::new("/home/me/.ssh/id"), FileAccessKind::Read, Rights::default());
        assert_eq!((secret.reason, secret.remedy.line()), (Reason::FsReadSecret, None));
        let sibling = context.explain(Path::new("/home/me/.sshx"), FileAccessKind::Read, Rights::default());
        assert_eq!(sibling.reason, Reason::FsReadNotGranted);
        let shell = context.explain(Path::new("/usr/bin/dash"), FileAccessKind::Execute, Rights::default());
        assert_eq!((shell.reason, shell.remedy.line()), (Reason::ExecShell, None));
    }

    #[test]
    fn a_move_names_both_folders_as_a_profile_would() {
        let denial = context().across(Path::new("/a/x"), Path::new("/b/y"));
        let parsed: toml::Table = toml::from_str(denial.remedy.line().unwrap()).unwrap();
        assert_eq!(parsed["filesystem"]["write"].as_array().map(Vec::len), Some(2));
        assert_eq!(context().across(Path::new("/a/x"), Path::new("/home/me/y")).remedy.line(), None);
    }

    #[test]
    fn read_only_is_told_from_not_granted() {
        let context = context();
        let read_only = context.explain(Path::new("/a/b"), FileAccessKind::Create, Rights::READ_FILE);
        assert_eq!(read_only.reason, Reason::FsWriteReadOnly);
        assert_eq!(read_only.remedy, Remedy::Line("filesystem.write = [\"/a\"]".into()));
        let system = context.explain(Path::new("/etc/new"), FileAccessKind::Create, Rights::READ_FILE);
        assert_eq!(system.remedy, Remedy::Line("filesystem.write = [\"/etc/new\"]".into()));
        let kernel = context.explain(Path::new("/sys/x/y"), FileAccessKind::Write, Rights::default());
        assert_eq!(kernel.remedy.line(), None);
        let kept = context.explain(Path::new("/home/me/.bashrc"), FileAccessKind::Write, Rights::default());
        assert_eq!((kept.reason, kept.remedy.line()), (Reason::FsWriteNotGranted, None));
        assert!(kept.remedy.why_not().is_some_and(|why| why.contains(".bashrc")), "{kept:?}");
        let home = context.explain(Path::new("/home/me/new"), FileAccessKind::Create, Rights::default());
        assert_eq!(home.remedy, Remedy::Line("filesystem.write = [\"/home/me/new\"]".into()));
        let outside = context.explain(Path::new("/a/b"), FileAccessKind::Delete, Rights::default());
        assert_eq!(outside.reason, Reason::FsWriteNotGranted);
    }
}
