//! What the profile alone would have said, while `--observe` holds a server to a wider plan.
//!
//! Nothing is decided here: the wide rules are those that Landlock enforces. The profile's own grants were opened as they
//! would be for a plain run, and are asked the same question by the same walk.

use crate::event::FileAccessKind;
use crate::notify::Broker;
use crate::notify::place::{Found, Place};
use crate::policy::verdict::Ruling;
use crate::sandbox::rules::Rights;

impl Broker {
    /// What the profile would have said; `None` in a plain run, and where it cannot be told.
    pub(super) fn would(&self, place: &Place, kind: FileAccessKind, errno: i32) -> Option<Ruling> {
        let narrow = self.narrow.as_ref()?;
        // Served or refused by the broker, whatever the profile says; and what is missing is missing under any.
        if matches!(place.found, Found::Proc { .. }) || errno == libc::ENOENT {
            return Some(if errno == libc::EACCES { Ruling::Deny } else { Ruling::Allow });
        }
        let wanted = wanted(kind);
        let held = self.rights_by(narrow, place, wanted).ok()?;
        Some(if held.cover(wanted) { Ruling::Allow } else { Ruling::Deny })
    }
}

/// The rights by which a kind of access is granted. Those of a write grant come together, so one stands for all.
fn wanted(kind: FileAccessKind) -> Rights {
    match kind {
        FileAccessKind::Read => Rights::READ_FILE,
        FileAccessKind::List => Rights::READ_DIR,
        FileAccessKind::Execute => Rights::EXECUTE,
        FileAccessKind::Create => Rights::MAKE_REG,
        FileAccessKind::Delete => Rights::REMOVE_FILE,
        FileAccessKind::Rename | FileAccessKind::Link => Rights::REFER,
        FileAccessKind::Truncate => Rights::TRUNCATE,
        FileAccessKind::Write | FileAccessKind::Metadata => Rights::WRITE_FILE,
    }
}
