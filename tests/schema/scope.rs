//! What of the official suite is out of scope, and why. Nothing on the list is answered wrongly: the schema is refused as
//! one that is not understood, and so would every call be. An entry under which every case agrees is stale, and fails.

/// Cases whose place (`folder/file: group: case`) begins like this.
pub(crate) struct Outside {
    pub(crate) place: &'static str,
    pub(crate) reason: &'static str,
}

const ELSEWHERE: &str = "the schema refers to another document, and nothing is ever fetched";
const METASCHEMA: &str =
    "the schema refers to the metaschema, which is another document; no tool's arguments are schemas";
const DYNAMIC: &str = "$dynamicRef is not among the keywords that are evaluated";
const VOCABULARY: &str = "a metaschema of somebody's own is a dialect that is not understood";

pub(crate) const OUT_OF_SCOPE: &[Outside] = &[
    Outside { place: "draft7/refRemote.json", reason: ELSEWHERE },
    Outside { place: "draft2020-12/refRemote.json", reason: ELSEWHERE },
    Outside { place: "draft7/definitions.json: validate definition against metaschema", reason: METASCHEMA },
    Outside { place: "draft7/ref.json: remote ref, containing refs itself", reason: METASCHEMA },
    Outside { place: "draft2020-12/defs.json: validate definition against metaschema", reason: METASCHEMA },
    Outside { place: "draft2020-12/ref.json: remote ref, containing refs itself", reason: METASCHEMA },
    Outside { place: "draft2020-12/dynamicRef.json", reason: DYNAMIC },
    Outside {
        place: "draft2020-12/unevaluatedItems.json: unevaluatedItems with $dynamicRef",
        reason: DYNAMIC,
    },
    Outside {
        place: "draft2020-12/unevaluatedProperties.json: unevaluatedProperties with $dynamicRef",
        reason: DYNAMIC,
    },
    Outside {
        place: "draft2020-12/vocabulary.json: schema that uses custom metaschema with with no validation vocabulary",
        reason: VOCABULARY,
    },
    Outside {
        place: "draft2020-12/vocabulary.json: ignore unrecognized optional vocabulary",
        reason: VOCABULARY,
    },
];
