//! The closed list of reason codes. Each has a section in `docs/REASONS.md`; a test compares the two.
//!
//! Codes are stable: kebab-case words in a dotted family. A code is never given another meaning.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident = $code:literal;)+) => {
        /// Why something was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])+ $name,)+
        }

        impl Reason {
            /// Every code there is, in the order of the list.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),+];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self {
                    $(Reason::$name => $code,)+
                }
            }
        }
    };
}

reasons! {
    /// A read outside every grant.
    FsReadNotGranted = "fs.read.not-granted";
    /// A secret store, a client's configuration or our own folders: never granted.
    FsReadSecret = "fs.read.secret";
    /// A write outside every grant.
    FsWriteNotGranted = "fs.write.not-granted";
    /// A write inside a grant that is read only.
    FsWriteReadOnly = "fs.write.read-only";
    /// A protected name inside a write grant.
    FsWriteProtected = "fs.write.protected";
    /// A rename or link between folders whose rights differ.
    FsLinkAcross = "fs.link.across";
    /// A change of mode, owner, times or attributes.
    FsMetadata = "fs.metadata.not-granted";
    /// A set-user-ID or set-group-ID bit, or a privileged attribute.
    FsMetadataPrivileged = "fs.metadata.privileged";
    /// A file of `/proc` that is not served, or another process's.
    FsProc = "fs.proc.not-served";
    /// A watch on a folder outside every read grant.
    FsWatch = "fs.watch.not-granted";
    /// The path could not be read from the server's memory.
    FsUnreadable = "fs.path.unreadable";
    /// A program that the profile does not name.
    ExecNotGranted = "exec.not-granted";
    /// A shell.
    ExecShell = "exec.shell";
    /// The dynamic loader started as a program.
    ExecLoader = "exec.loader";
    /// More processes than `limits.processes`.
    ProcessLimit = "process.limit";
    /// A signal to a process outside the tree.
    SignalOutside = "process.signal-outside";
    /// A system call that no server needs.
    SyscallNotAllowed = "syscall.not-allowed";
    /// A system call whose arguments cannot be checked; the caller falls back to another one.
    SyscallUnsupported = "syscall.unsupported";
    /// A namespace or a mount.
    SyscallNamespace = "syscall.namespace";
    /// A filter of the server's own that would hide later calls.
    SyscallSeccomp = "syscall.seccomp";
    /// Another process's memory, descriptors or state.
    SyscallForeignProcess = "syscall.foreign-process";
    /// A device or terminal command that is not on the list.
    SyscallIoctl = "syscall.ioctl";
    /// A kind of socket that no server gets.
    SocketKind = "net.socket.kind";
    /// A network connection or listener, while the profile has no network.
    NetNone = "net.none";
    /// A name, or a port of it, or an address, that `network.allow` does not list.
    NetHostNotListed = "net.host.not-listed";
    /// A name that is no host name in its one spelling.
    NetHostMalformed = "net.host.malformed";
    /// An address that no allowed name gave, and that is not listed itself.
    NetAddressNotResolved = "net.address.not-resolved";
    /// An address that is private, this machine's, link-local, or a metadata service.
    NetAddressPrivate = "net.address.private";
    /// A TLS hello for a name that is not one of the address's.
    NetSniMismatch = "net.sni.mismatch";
    /// A TLS hello without a name.
    NetSniMissing = "net.sni.missing";
    /// An HTTP request for a host that is not one of the address's, or that two readers could tell differently.
    NetHttpHostMismatch = "net.http.host-mismatch";
    /// A connection that did not begin with a TLS hello or an HTTP request, in time and in bounds.
    NetHelloUnreadable = "net.hello.unreadable";
    /// A send that would connect past `connect`.
    NetFastOpen = "net.fast-open";
    /// An address to listen on that `network.listen` does not list.
    NetListenNotListed = "net.listen.not-listed";
    /// More connections at a time than `network.connections`.
    NetLimitConnections = "net.limit.connections";
    /// More connections to one host than `network.rate`.
    NetLimitRate = "net.limit.rate";
    /// The broker cannot act on the server's sockets here.
    NetUnavailable = "net.unavailable";
    /// A socket that `network.unix` does not list, or an abstract one.
    UnixNotListed = "unix.not-listed";
    /// A socket of a container engine.
    UnixDocker = "unix.docker";
    /// A socket of a message bus.
    UnixDbus = "unix.dbus";
    /// A socket of an agent that uses keys.
    UnixAgent = "unix.agent";
    /// A socket of a display.
    UnixDisplay = "unix.display";
    /// A socket of a sound server.
    UnixSound = "unix.sound";
    /// A socket of a terminal multiplexer.
    UnixTerminal = "unix.terminal";
    /// A socket of an editor.
    UnixEditor = "unix.editor";
    /// A tool that `tools.deny` names.
    ToolDenied = "tool.denied";
    /// A tool that no list names, while `tools.default` is `deny`.
    ToolNotListed = "tool.not-listed";
    /// A tool that the server does not list.
    ToolUnknown = "tool.unknown";
    /// A tool whose definition two readers could take for different ones.
    ToolAmbiguous = "tool.ambiguous";
    /// A tool that was caught doing what it declares not to do, while `tools.mismatch` is `deny-next`.
    ToolMismatch = "tool.mismatch";
    /// A tool whose schema cannot be used.
    ToolSchema = "tool.schema";
    /// A tool whose definition is not the one that was pinned.
    PinChanged = "pin.changed";
    /// A definition that could not be written down.
    PinUnwritable = "pin.unwritable";
    /// A field that the tool's schema does not list.
    ArgsUnknownField = "args.unknown-field";
    /// A field that the tool's schema asks for, and that is not there.
    ArgsMissing = "args.missing";
    /// An argument of another kind than the tool's schema asks for.
    ArgsType = "args.type";
    /// An argument that is not what the tool's schema asks for in another way.
    ArgsValue = "args.value";
    /// Arguments that cannot be checked against the tool's schema within its bounds.
    ArgsUnjudged = "args.unjudged";
    /// A line that is not one JSON-RPC message.
    MessageMalformed = "message.malformed";
    /// A message that two parsers could read differently.
    MessageAmbiguous = "message.ambiguous";
    /// A message longer than `protocol.max_message`.
    MessageTooLong = "message.too-long";
    /// A message nested deeper than `protocol.max_depth`.
    MessageTooDeep = "message.too-deep";
    /// A batch where the protocol has none.
    MessageBatch = "message.batch";
    /// A message in the direction that the protocol forbids.
    MessageDirection = "message.direction";
    /// A message whose judgement failed inside the gate itself.
    MessageUnjudged = "message.unjudged";
    /// An answer to a call that had timed out.
    MessageLate = "message.late";
    /// An answer to something that was not asked.
    MessageUnasked = "message.unasked";
    /// A request, no call, while as many are in flight as are kept track of.
    MessageTooMany = "message.too-many";
    /// An argument that is a path outside every grant, or outside the folders of its rule.
    ArgsPathOutside = "args.path-outside";
    /// An argument without one of the endings that its rule names.
    ArgsExtension = "args.extension";
    /// An argument that begins with what its rule forbids.
    ArgsPrefix = "args.prefix";
    /// An argument that does not match the pattern of its rule.
    ArgsPattern = "args.pattern";
    /// An argument longer than its rule allows.
    ArgsTooLong = "args.too-long";
    /// An argument that is none of the values that its rule names.
    ArgsNotOneOf = "args.not-one-of";
    /// An argument that is no URL, or leads to a host that its rule does not name.
    ArgsHost = "args.host";
    /// More values in the arguments of a call than are judged.
    ArgsTooMany = "args.too-many";
    /// More calls in a time than the profile allows.
    RateExceeded = "rate.exceeded";
    /// More calls at a time than the profile allows.
    RateConcurrent = "rate.concurrent";
    /// A call without an answer in the time that the profile gives it.
    CallTimeout = "call.timeout";
    /// A call that a person was asked about and that they did not allow.
    ConfirmRefused = "confirm.refused";
    /// A call that a person was asked about and that nobody answered in time.
    ConfirmTimeout = "confirm.timeout";
    /// A call that a person has to allow, where there is no way to ask one.
    ConfirmUnavailable = "confirm.unavailable";
    /// A call that a person has to allow, while as many wait as are held.
    ConfirmTooMany = "confirm.too-many";
    /// A call that came again with a state that is not the one it was given.
    ConfirmState = "confirm.state";
    /// A call while as many are in flight as are kept track of.
    CallTooMany = "call.too-many";
    /// A result too long for clients to accept.
    ResultTooLong = "result.too-long";
    /// An answer longer than the profile allows for the tool.
    ResultOverLimit = "result.over-limit";
    /// Something that servers may not ask for by the profile.
    RequestDenied = "request.denied";
    /// Something that the client did not say it can be asked for.
    RequestNotAnnounced = "request.not-announced";
    /// A request of the server's before the client was answered its first.
    RequestTooEarly = "request.too-early";
    /// A request of the server's that the profile has no word for.
    RequestUnknown = "request.unknown";
    /// A question to the user in which the server calls itself by our name.
    RequestImpersonates = "request.impersonates";
    /// A question to the user with a link that is no plain web address.
    RequestUrl = "request.url";
    /// More notifications in a time than are passed on.
    NotificationFlood = "notification.flood";
    /// The log could not be written.
    AuditUnwritable = "audit.unwritable";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_dotted_kebab_case_and_distinct() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            let code = reason.code();
            assert!(code.contains('.'), "{code}");
            assert!(code.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '-'), "{code}");
            assert!(seen.insert(code), "{code} twice");
        }
    }
}
