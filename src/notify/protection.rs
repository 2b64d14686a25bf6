//! Protected names around a place: found by walking up to the grant, not by what a path begins with.
//!
//! The invariant that makes one look enough: no call of a server's makes a place protected that was not. A folder
//! that holds protected names, or may hold them, is neither moved nor given such a name; whatever lies below a folder
//! that is moved is as protected afterwards as before. Changes inside a guarded grant are made by the broker alone,
//! one after the other, so nothing moves between a look and the act.

use std::path::Path;

use crate::event::{Evidence, FileAccessKind};
use crate::notify::denial::denial;
use crate::notify::judge::Survey;
use crate::notify::place::Place;
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply};
use crate::policy::protected;
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy};

impl Broker {
    /// The protected name that `path` is, or lies in, in the surveyed folder.
    pub(super) fn protected_name(&self, survey: &Survey, path: &Path) -> Option<&'static str> {
        protected::is_protected(path, survey.guarded?, &self.context.unprotected)
    }

    /// Whether protected names may lie below `path`; `whole`: it is a folder or a link, which bring or take along
    /// what they hold.
    pub(super) fn covers_protected(&self, survey: &Survey, path: &Path, whole: bool) -> bool {
        let lifted = &self.context.unprotected;
        survey.guarded.is_some()
            && (protected::covers_protected(path, lifted)
                || whole && protected::is_repository_store(path, lifted))
    }

    /// Whether what this file says is where protected names are, so that it is written as little as they are.
    pub(super) fn leads_elsewhere(&self, survey: &Survey, place: &Place) -> bool {
        let is_file = place.found.stat().is_some_and(|stat| stat.mode & libc::S_IFMT == libc::S_IFREG);
        let leads = |below| protected::leads_elsewhere(&place.path, below, &self.context.unprotected);
        is_file && survey.guarded.is_some_and(leads)
    }

    pub(super) fn refuse_protected(
        &mut self,
        asker: &Asker,
        place: &Place,
        kind: FileAccessKind,
        name: &str,
    ) -> Reply {
        let denial = self.context.protected(name);
        self.refuse(asker, Access::of(place, kind, libc::EACCES, Evidence::Performed), &denial)
    }

    pub(super) fn refuse_protected_parent(
        &mut self,
        asker: &Asker,
        place: &Place,
        kind: FileAccessKind,
    ) -> Reply {
        let name = place.path.file_name().unwrap_or_default();
        let name = crate::event::text(name.as_encoded_bytes()).into_owned();
        let why = match place.found.stat() {
            Some(stat) if stat.mode & libc::S_IFMT == libc::S_IFREG => {
                format!("{name} is a file that says where protected names are: it stays as it is")
            }
            _ => {
                format!("{name} holds protected names: it is made empty or not at all, and stays where it is")
            }
        };
        let denial = denial(Reason::FsWriteProtected, Remedy::WhyNot(why));
        self.refuse(asker, Access::of(place, kind, libc::EACCES, Evidence::Performed), &denial)
    }

    /// The server's own folders and a granted one are like two file systems to each other: what is prepared where
    /// nothing is protected does not move in whole.
    pub(super) fn refuse_border(&mut self, asker: &Asker, place: &Place, kind: FileAccessKind) -> Reply {
        let why = "names are protected on one side alone: copy it, as between two file systems";
        let remedy = Remedy::WhyNot(why.to_owned());
        let denial = Denial { reason: Reason::FsLinkAcross, layer: Layer::Landlock, remedy };
        self.refuse(asker, Access::of(place, kind, libc::EXDEV, Evidence::Performed), &denial)
    }

    /// No grant gives this, so none is proposed.
    pub(super) fn refuse_device(&mut self, asker: &Asker, place: &Place, kind: FileAccessKind) -> Reply {
        let why =
            "a device node is a door to the hardware; a grant of its folder does not open it".to_owned();
        let denial =
            Denial { reason: Reason::FsWriteNotGranted, layer: Layer::Landlock, remedy: Remedy::WhyNot(why) };
        self.refuse(asker, Access::of(place, kind, libc::EACCES, Evidence::Performed), &denial)
    }
}
