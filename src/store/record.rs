//! Which of a server's trees is in use, which one was before, and which one waits: one small file, replaced as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::package::{SCRIPT, Wanted, Wish};

/// What is known of one installed tree without looking into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Version {
    /// The package's version.
    pub(crate) version: String,
    /// The range or tag that it was chosen by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fitting: Option<String>,
    /// What else was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) with: Vec<String>,
    /// The version of Python that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) python: Option<String>,
}

/// `server.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    v: u32,
    /// The server's name, as it was given.
    pub(crate) server: String,
    /// `npm:@scope/name`; of a script that names its packages itself, `script:/its/path`.
    pub(crate) package: String,
    /// The digest of the tree that is in use.
    pub(crate) current: String,
    /// What was in use before.
    #[serde(default)]
    pub(crate) previous: Option<String>,
    /// What waits for `promote`.
    #[serde(default)]
    pub(crate) staged: Option<String>,
    /// Every tree.
    pub(crate) versions: BTreeMap<String, Version>,
}

impl Record {
    /// For a first tree.
    pub(crate) fn new(server: &str, package: String, digest: &str) -> Record {
        Record {
            v: 1,
            server: server.to_owned(),
            package,
            current: digest.to_owned(),
            previous: None,
            staged: None,
            versions: BTreeMap::new(),
        }
    }

    /// Whether a script decides what its versions are.
    pub(crate) fn is_of_script(&self) -> bool {
        self.package.starts_with(SCRIPT)
    }

    /// Whether we know this form of it.
    pub(crate) fn is_known(&self) -> bool {
        self.v == 1
    }

    /// The tree that a wish is about, when it is there.
    pub(crate) fn find(&self, wish: &Wish) -> Option<&str> {
        let fits = |version: &Version| {
            let named = match &wish.wanted {
                Wanted::Any => true,
                Wanted::Exact(exact) => version.version == *exact,
                Wanted::Fitting(range) => version.fitting.as_ref() == Some(range),
            };
            named && version.with == wish.with && version.python == wish.python
        };
        let current = self.versions.get(&self.current).filter(|version| fits(version));
        if current.is_some() {
            return Some(&self.current);
        }
        // What only waits is not in use, whoever asks for "any".
        let waits = |digest: &String| self.staged.as_ref() == Some(digest) && wish.wanted == Wanted::Any;
        let found = self.versions.iter().find(|(digest, version)| fits(version) && !waits(digest));
        found.map(|(digest, _)| digest.as_str())
    }

    /// The version of a digest, for people.
    pub(crate) fn version(&self, digest: &str) -> &str {
        self.versions.get(digest).map_or("?", |version| &version.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::package;

    fn wish(word: &str) -> Wish {
        let (package, wanted) = package::reference(word).unwrap();
        Wish::of(package, wanted)
    }

    #[test]
    fn wishes_find_their_version() {
        let mut record = Record::new("a", wish("npm:a").owner(), "d1");
        for (digest, version) in [("d1", "1.0.0"), ("d2", "2.0.0"), ("d3", "3.0.0")] {
            let version =
                Version { version: version.to_owned(), fitting: None, with: Vec::new(), python: None };
            record.versions.insert(digest.to_owned(), version);
        }
        record.staged = Some("d3".into());
        assert_eq!(record.find(&wish("npm:a")), Some("d1"));
        assert_eq!(record.find(&wish("npm:a@2.0.0")), Some("d2"));
        assert_eq!(record.find(&wish("npm:a@3.0.0")), Some("d3"), "whoever names it gets it");
        assert_eq!(record.find(&wish("npm:a@4.0.0")), None);
        assert_eq!(record.find(&wish("npm:a@^1")), None);
        let with = Wish { with: vec!["b".into()], ..wish("npm:a") };
        assert_eq!(record.find(&with), None);
    }
}
