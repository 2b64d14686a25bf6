//! A dialog on the user's desktop: zenity, kdialog or notify-send, by their absolute paths.
//!
//! It is a child of ours, outside the pen, with nothing of our environment but what a program needs to find the display. Its
//! text is plain: no markup of a server's is obeyed. What is not a clear yes or no is no answer, and the call waits for
//! another one, or for its time to be over.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::mcp::confirm::Answer;
use crate::mcp::visible::visible;
use crate::relay::{STACK, pipe};

/// What a dialog finds in its environment.
const PASSED: &[&str] = &[
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_TYPE",
    "XDG_CURRENT_DESKTOP",
    "DBUS_SESSION_BUS_ADDRESS",
    "HOME",
    "LANG",
    "LC_ALL",
];
/// What is read of its output.
const OUTPUT: usize = 4096;

const TITLE: &str = "caponier asks";
const ALLOW: &str = "Allow";
const DENY: &str = "Deny";

/// A kind of dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zenity,
    Kdialog,
    NotifySend,
}

/// The program that is there.
#[derive(Debug, Clone, Copy)]
pub(in crate::relay) struct Program {
    kind: Kind,
    path: &'static str,
}

impl Program {
    /// The first there is, where there is a display.
    pub(in crate::relay) fn find() -> Option<Self> {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if !is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY") {
            return None;
        }
        let all = [
            (Kind::Zenity, "/usr/bin/zenity"),
            (Kind::Kdialog, "/usr/bin/kdialog"),
            (Kind::NotifySend, "/usr/bin/notify-send"),
        ];
        let found = all.into_iter().find(|(_, path)| Path::new(path).is_file());
        found.map(|(kind, path)| Program { kind, path })
    }

    /// Its path.
    pub(in crate::relay) fn path(&self) -> &'static str {
        self.path
    }

    fn command(&self, text: &str, timeout: Duration) -> Command {
        let mut command = Command::new(self.path);
        match self.kind {
            Kind::Zenity => {
                let seconds = timeout.as_secs().max(1);
                command.args(["--question", "--no-markup", "--default-cancel", "--width=640"]);
                command.args([&format!("--title={TITLE}"), &format!("--timeout={seconds}")]);
                command.args([&format!("--ok-label={ALLOW}"), &format!("--cancel-label={DENY}")]);
                command.arg(format!("--text={text}"));
            }
            Kind::Kdialog => {
                // What looks like markup would be taken for it: so it is markup, of ours, in which nothing is.
                let text = format!("<qt>{}</qt>", without_markup(text).replace('\n', "<br>"));
                command.args(["--title", TITLE, "--yes-label", ALLOW, "--no-label", DENY, "--yesno", &text]);
            }
            Kind::NotifySend => {
                let (head, rest) = text.split_once("\n\n").unwrap_or((text, ""));
                command.args(["--urgency=critical", "--app-name=caponier"]);
                command.args([&format!("--action=allow={ALLOW}"), &format!("--action=deny={DENY}")]);
                command.arg(format!("--expire-time={}", timeout.as_millis()));
                command.args(["--", head, &without_markup(rest)]);
            }
        }
        command
    }

    /// What its end means; `None`: nobody answered.
    fn answer(&self, code: Option<i32>, output: &str) -> Option<Answer> {
        match (self.kind, code, output.trim()) {
            (Kind::NotifySend, Some(0), "allow") => Some(Answer::Accept { remember: false }),
            (Kind::NotifySend, Some(0), "deny") => Some(Answer::Decline),
            (Kind::NotifySend, ..) => None,
            (_, Some(0), _) => Some(Answer::Accept { remember: false }),
            // The toolkit ends so too when it finds no display, and says it.
            (_, Some(1), said) if !said.to_ascii_lowercase().contains("display") => Some(Answer::Decline),
            _ => None,
        }
    }
}

fn without_markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Processes by the name of what they ask about; none while one starts. Who is not on the list has ended, and its number
/// may be another's.
type Open = HashMap<String, Option<Pid>>;

/// The dialogs that are open.
#[derive(Default)]
pub(in crate::relay) struct Dialogs(Arc<Mutex<Open>>);

impl Dialogs {
    /// Opens one; `ended` is told what its end means, on a thread of its own. `None`: nobody answered.
    pub(in crate::relay) fn open(
        &self,
        program: &Program,
        id: &str,
        text: &str,
        timeout: Duration,
        ended: impl FnOnce(Option<Answer>) + Send + 'static,
    ) {
        let (open, program, name) = (Arc::clone(&self.0), *program, id.to_owned());
        let command = program.command(text, timeout);
        let run = move || {
            let answer = match start(command, &open, &name) {
                Ok((child, output)) => {
                    let (code, said) = end(child, &output, &open, &name);
                    let answer = program.answer(code, &said);
                    if answer.is_none() && code.is_some() {
                        let said = visible(said.trim(), 300);
                        tracing::warn!(program = program.path, code, said, "the dialog was not answered");
                    }
                    answer
                }
                Err(error) => {
                    tracing::warn!(%error, program = program.path, "the dialog could not be opened");
                    None
                }
            };
            ended(answer);
        };
        lock(&self.0).insert(id.to_owned(), None);
        if let Err(error) = Builder::new().name("confirm-dialog".into()).stack_size(STACK).spawn(run) {
            tracing::warn!(%error, "the dialog could not be opened");
            self.close(id);
        }
    }

    /// Closes the one about this call.
    pub(in crate::relay) fn close(&self, id: &str) {
        if let Some(Some(pid)) = lock(&self.0).remove(id) {
            let _ = kill(pid, Signal::SIGTERM);
        }
    }

    /// Closes all.
    pub(in crate::relay) fn close_all(&self) {
        for pid in lock(&self.0).drain().filter_map(|(_, pid)| pid) {
            let _ = kill(pid, Signal::SIGTERM);
        }
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts it, unless it was closed before it was there.
fn start(mut command: Command, open: &Mutex<Open>, id: &str) -> io::Result<(Child, File)> {
    let (output, write) = io::pipe()?;
    let errors = write.try_clone()?;
    command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).stdout(write).stderr(errors);
    for name in PASSED {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    let mut open = lock(open);
    let Some(pid) = open.get_mut(id) else { return Err(io::Error::other("it was answered before")) };
    let child = command.current_dir("/").spawn()?;
    *pid = i32::try_from(child.id()).ok().map(Pid::from_raw);
    let output = File::from(OwnedFd::from(output));
    pipe::set_nonblocking(&output)?;
    Ok((child, output))
}

/// Waits for a dialog's end: its status, and what it said.
fn end(mut child: Child, output: &File, open: &Mutex<Open>, id: &str) -> (Option<i32>, String) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // Its number stays its own until it is taken off the list.
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(Pid::from_raw(pid)), ended) == Err(nix::errno::Errno::EINTR) {}
    }
    lock(open).remove(id);
    let code = child.wait().ok().and_then(|status| status.code());
    let mut said = vec![0; OUTPUT];
    // What it left running may keep the pipe open: what is there now is all.
    let count = (&*output).read(&mut said).unwrap_or(0);
    (code, String::from_utf8_lossy(said.get(..count).unwrap_or_default()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_end_is_an_answer() {
        let yes = Some(Answer::Accept { remember: false });
        let no = Some(Answer::Decline);
        let zenity = Program { kind: Kind::Zenity, path: "/usr/bin/zenity" };
        assert_eq!(zenity.answer(Some(0), ""), yes);
        assert_eq!(zenity.answer(Some(1), "Gtk-WARNING: theme"), no);
        assert_eq!(zenity.answer(Some(1), "cannot open display: :7"), None);
        assert_eq!(zenity.answer(Some(5), ""), None);
        assert_eq!(zenity.answer(None, ""), None);
        let notify = Program { kind: Kind::NotifySend, path: "/usr/bin/notify-send" };
        assert_eq!(notify.answer(Some(0), "allow\n"), yes);
        assert_eq!(notify.answer(Some(0), "deny\n"), no);
        assert_eq!(notify.answer(Some(0), ""), None);
        assert_eq!(notify.answer(Some(1), "allow\n"), None);
    }

    #[test]
    fn no_text_is_taken_for_markup_or_an_option() {
        let text = "caponier asks\n\n--ok <b>x</b> &amp;";
        let words = |kind| {
            let program = Program { kind, path: "/x" };
            let command = program.command(text, Duration::from_secs(60));
            command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        let zenity = words(Kind::Zenity);
        assert!(zenity.contains(&"--no-markup".to_owned()));
        assert_eq!(zenity.last().unwrap(), &format!("--text={text}"));
        assert!(words(Kind::Kdialog).last().unwrap().contains("&lt;b&gt;x&lt;/b&gt; &amp;amp;"));
        let notify = words(Kind::NotifySend);
        assert_eq!(notify[notify.len() - 3], "--");
        assert_eq!(notify[notify.len() - 1], "--ok &lt;b&gt;x&lt;/b&gt; &amp;amp;");
    }
}
