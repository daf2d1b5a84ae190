//! The report of two bundles.

use qfe_patcher::json::Json;
use qfe_patcher::platform::Platform;

use super::chart::{Kind, Part, legend, row};
use super::html::{Html, element, text_in};
use super::{bytes, code, facts, figure, number, page, paragraph, part, row_head, section, small, table, td};
use crate::compare::{BaselineChange, Change, Comparison, Fate, FileChange, Side, shown};
use crate::inspect::{FilePart, baseline_names};
use crate::shown::{list, version};

/// Makes the report of a comparison.
pub fn compare_page(comparison: &Comparison) -> String {
    let Comparison { a, b, facts, roles, steps, signers, .. } = comparison;
    // That of the bundle is drawn.
    let of_update: Vec<Change> = facts.iter().filter(|change| change.key != "size").cloned().collect();
    let sections = [
        section("Sizes", [sizes(comparison)]),
        section("The update", [changes(&of_update)]),
        section("Files", [files(comparison)]),
        section("Old states and their deltas", baselines(comparison)),
        section("Roles", [changes(roles)]),
        section("By hand", [changes(steps)]),
        section("Signers", [changes(signers)]),
    ];
    let title = format!("{} and {}", a.title(), b.title());
    page("Comparison", &title, head(comparison), sections)
}

fn head(comparison: &Comparison) -> Html {
    let side = |side: &Side| {
        let note = format!("{}, {}", side.inspection.container, bytes(side.inspection.size));
        Html::join([Html::text(&side.bundle), small(&side.inspection.title), small(&note)])
    };
    let count = |fate| format!("{} {}", comparison.count(fate), fate.word());
    let result = if comparison.is_same() { "the same update" } else { "different" };
    facts([
        ("A", side(&comparison.a)),
        ("B", side(&comparison.b)),
        ("Files", Html::text(list(Fate::ALL.map(count), ""))),
        ("Result", Html::text(result)),
    ])
}

fn class(fate: Fate) -> &'static str {
    match fate {
        Fate::Added => "good",
        Fate::Removed => "bad",
        Fate::Changed => "odd",
        Fate::Same => "same",
    }
}

/// Writes a cell that says how something stands.
fn standing(fate: Fate) -> Html {
    let sign = text_in("span", &[("class", "sign")], fate.sign());
    element("td", &[("class", class(fate))], [sign, Html::text(format!(" {}", fate.word()))])
}

fn changes(changes: &[Change]) -> Html {
    if changes.is_empty() {
        return paragraph("quiet", "No difference.");
    }
    let line = |change: &Change| {
        element(
            "tr",
            &[],
            [row_head(&change.key), td(Html::text(shown(&change.a))), td(Html::text(shown(&change.b)))],
        )
    };
    table(&["What", "A", "B"], [element("tbody", &[], changes.iter().map(line))])
}

fn sizes(comparison: &Comparison) -> Html {
    let Comparison { a, b, files, .. } = comparison;
    let pair = |title: &str, kind: Kind, one: Option<u64>, other: Option<u64>, scale: u64| {
        let line = |name: &'static str, value: Option<u64>| {
            let (bar, shown) = (value.unwrap_or(0), value.map_or_else(|| "–".to_owned(), number));
            let part = Part { kind, value: bar, label: format!("{name}: {}", bytes(bar)) };
            row(Html::text(name), &part, scale, Html::text(shown))
        };
        element("div", &[("class", "group")], [text_in("h3", &[], title), line("A", one), line("B", other)])
    };
    let deltas = |side: &Side| side.inspection.platforms.iter().map(|part| part.delta_bytes).sum::<u64>();
    let (ours, theirs) = (a.inspection.size, b.inspection.size);
    let whole = [
        pair("Bundle", Kind::Rest, Some(ours), Some(theirs), ours.max(theirs)),
        pair("Deltas", Kind::Delta, Some(deltas(a)), Some(deltas(b)), ours.max(theirs)),
    ];
    let size = |file: &Option<FilePart>| file.as_ref().map(|file| file.size);
    let scale = files.iter().flat_map(|file| [size(&file.a), size(&file.b)]).flatten().max().unwrap_or(0);
    let resized: Vec<Html> = files
        .iter()
        .filter(|file| size(&file.a) != size(&file.b))
        .map(|file| {
            let title = format!("{}/{}", file.platform, file.shown());
            pair(&title, Kind::Whole, size(&file.a), size(&file.b), scale)
        })
        .collect();
    let bundles = figure("In bytes: the bundles, and what their deltas take of them.", whole);
    if resized.is_empty() {
        return Html::join([bundles, paragraph("quiet", "No file has another size.")]);
    }
    let legend = legend(&[(Kind::Whole, "size as installed")]);
    let files = figure("In bytes: files whose size differs.", [legend].into_iter().chain(resized));
    Html::join([bundles, files])
}

fn on(comparison: &Comparison, platform: Platform) -> impl Iterator<Item = &FileChange> {
    comparison.files.iter().filter(move |file| file.platform == platform)
}

fn files(comparison: &Comparison) -> Html {
    const HEADS: [&str; 5] = ["File", "", "Version", "Size", "What else"];
    let bodies = Platform::ALL.into_iter().filter(|platform| on(comparison, *platform).next().is_some());
    let bodies =
        bodies.map(|platform| part(platform.name(), HEADS.len(), on(comparison, platform).map(file_row)));
    table(&HEADS, bodies)
}

/// Writes a value of either side, or both where they differ.
fn both(a: Option<String>, b: Option<String>) -> Html {
    match (a, b) {
        (Some(a), Some(b)) if a == b => Html::text(a),
        (a, b) => {
            let a = a.map(|text| text_in("del", &[], text));
            let b = b.map(|text| text_in("ins", &[], text));
            let arrow = (a.is_some() && b.is_some()).then(|| Html::text(" → "));
            Html::join([a, arrow, b].into_iter().flatten())
        }
    }
}

fn file_row(file: &FileChange) -> Html {
    let FileChange { change, a, b, values, .. } = file;
    let of = |value: fn(&FilePart) -> String| (a.as_ref().map(value), b.as_ref().map(value));
    let (version_a, version_b) = of(|file| version(file.version));
    let (size_a, size_b) = of(|file| number(file.size));
    let others = values.iter().filter(|change| !["version", "size"].contains(&change.key.as_str()));
    let other = |Change { key, a, b }: &Change| {
        let of = |side: &Json| code(&shown(side));
        element(
            "div",
            &[],
            [
                Html::text(format!("{key}: ")),
                element("del", &[], [of(a)]),
                Html::text(" → "),
                element("ins", &[], [of(b)]),
            ],
        )
    };
    element(
        "tr",
        &[],
        [
            row_head(&file.shown()),
            standing(*change),
            td(both(version_a, version_b)),
            td(both(size_a, size_b)),
            td(Html::join(others.map(other))),
        ],
    )
}

fn baselines(comparison: &Comparison) -> Vec<Html> {
    let parts = [&comparison.a, &comparison.b].into_iter().flat_map(|side| &side.inspection.platforms);
    let names = baseline_names(parts.flat_map(|part| &part.files));
    if names.is_empty() {
        return vec![paragraph("quiet", "Neither bundle knows an old state.")];
    }
    let heads: Vec<&str> = ["File"].into_iter().chain(names.iter().copied()).collect();
    let bodies = Platform::ALL.into_iter().filter(|platform| on(comparison, *platform).next().is_some());
    let bodies = bodies.map(|platform| {
        let line = |file: &FileChange| {
            let cells =
                names.iter().map(|name| old_state(file.baselines.iter().find(|old| old.name == **name)));
            element("tr", &[], std::iter::once(row_head(&file.shown())).chain(cells))
        };
        part(platform.name(), heads.len(), on(comparison, platform).map(line))
    });
    let key = "Sizes of the deltas from each known old state: in A → in B. + only B knows it · - only A knows it · ~ differs.";
    vec![table(&heads, bodies), paragraph("quiet", key)]
}

fn old_state(old: Option<&BaselineChange>) -> Html {
    let Some(BaselineChange { change, version: of, delta_a, delta_b, .. }) = old else {
        return text_in("td", &[], "–");
    };
    let size = |delta: &Option<u64>| delta.map_or_else(|| "no delta".to_owned(), number);
    let (a, b) = match change {
        Fate::Added => (None, Some(size(delta_b))),
        Fate::Removed => (Some(size(delta_a)), None),
        Fate::Changed | Fate::Same => (Some(size(delta_a)), Some(size(delta_b))),
    };
    let sign = text_in("span", &[("class", "sign")], change.sign());
    element("td", &[("class", class(*change))], [sign, Html::text(" "), both(a, b), small(&version(*of))])
}
