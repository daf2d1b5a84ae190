//! What is wrong about several updates together.

use super::*;

pub(super) const CASES: &[Case] = &[
    Case {
        code: Code::SameUpdate,
        make: |fixture| other(fixture, "id = \"q252717\"", "Other.dll", b"x"),
        file: None,
        platform: None,
        found: "two recipes",
        wanted: "one",
    },
    Case {
        code: Code::TwoVersions,
        make: |fixture| other(fixture, "id = \"Q2\"", "Ccm.dll", &plain(I386, Some("2.0.1380.1130")).bytes()),
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "2.0.1380.1125 here, 2.0.1380.1130 in Q2",
        wanted: "supersedes the other, or requires it",
    },
    Case {
        code: Code::TwoContents,
        make: |fixture| other(fixture, "id = \"Q2\"", "Ccm.dll", &plain(I386, NEW).bytes()),
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "in Q2",
        wanted: "one content",
    },
    Case {
        code: Code::SupersedesNewer,
        make: |fixture| {
            fixture.edit("builds = [1380]", "builds = [1380]\nsupersedes = [\"Q2\"]");
            other(fixture, "id = \"Q2\"", "Ccm.dll", &plain(I386, Some("2.0.1380.1130")).bytes());
        },
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "2.0.1380.1125",
        wanted: "above the 2.0.1380.1130 of Q2",
    },
    Case {
        code: Code::SupersedesMore,
        make: |fixture| {
            fixture.edit("builds = [1380]", "builds = [1380]\nsupersedes = [\"Q2\"]");
            other(fixture, "id = \"Q2\"", "Extra.dll", b"x");
        },
        file: Some("Extra.dll"),
        platform: Some(I386),
        found: "not in Q252717",
        wanted: "as Q2 has it",
    },
    Case {
        code: Code::Circle,
        make: |fixture| {
            fixture.edit("builds = [1380]", "builds = [1380]\nrequires = [\"Q2\"]");
            other(fixture, "id = \"Q2\"\nrequires = [\"Q252717\"]", "Extra.dll", b"x");
        },
        file: None,
        platform: None,
        found: "Q252717, Q2, Q252717",
        wanted: "one after the other",
    },
];
