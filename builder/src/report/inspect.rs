//! The report of one bundle.

use std::collections::BTreeMap;

use qfe_patcher::bundle::manifest::VariantEntry;
use qfe_patcher::bundle::product::RoleEntry;
use qfe_patcher::name::Variant;
use qfe_patcher::platform::Platform;

use super::chart::{Kind, Part, bar, legend, percent, row};
use super::html::{Html, element, text_in};
use super::{
    bullets, bytes, code, day, facts, figure, number, page, paragraph, part, row_head, section, share, small,
    table, td,
};
use crate::inspect::{
    BaselinePart, Coverage, FilePart, Inspection, PlatformPart, baseline_names, moment, service,
};
use crate::shown::{self, list, version};

/// Makes the report of a bundle whose files were measured.
pub fn inspect_page(inspection: &Inspection) -> String {
    let Inspection { id, title, revision, .. } = inspection;
    let sections = [
        section("What is in the bundle", [bundle(inspection)]),
        section("Size by file and platform", [sizes(inspection)]),
        section("Whole files against deltas", [deltas(inspection)]),
        section("Which old states are covered", coverage(inspection)),
        section("Variants", [variants(inspection)]),
        section("By hand", by_hand(inspection)),
        section("Roles", inspection.roles.iter().map(|entry| role(inspection, entry))),
        section(
            "Conditions",
            [bullets("ul", inspection.gates.iter().map(|gate| Html::text(inspection.gate(gate))))],
        ),
        section("Files", [files(inspection)]),
        section("Signers", signers(inspection)),
    ];
    page(&format!("{id} revision {revision}"), title, head(inspection), sections)
}

fn head(inspection: &Inspection) -> Html {
    let shape = if inspection.lean { "lean: known old states only" } else { "complete" };
    let signers = match inspection.signers.len() {
        0 => "nobody".to_owned(),
        1 => "1 key".to_owned(),
        n => format!("{n} keys"),
    };
    let words = |text: String| Html::text(text);
    facts([
        ("Product", words(inspection.product.clone())),
        ("Builds", words(list(&inspection.builds, "any"))),
        ("Requires", words(list(&inspection.requires, "nothing"))),
        ("Supersedes", words(list(&inspection.supersedes, "nothing"))),
        ("Bundle", words(format!("{}, {}", inspection.container, bytes(inspection.size)))),
        ("Shape", words(shape.to_owned())),
        ("Platforms", words(list(inspection.platforms.iter().map(|part| part.platform), "none"))),
        ("Signed by", words(signers)),
    ])
}

/// Returns bytes of the whole files that a platform has in the bundle, packed.
fn packed_bytes(part: &PlatformPart) -> u64 {
    part.files.iter().filter_map(|file| file.packed).sum()
}

/// What takes the room in the bundle.
fn bundle(inspection: &Inspection) -> Html {
    let known: u64 = inspection.platforms.iter().map(|part| packed_bytes(part) + part.delta_bytes).sum();
    let scale = inspection.size.max(known);
    let mut rows = Vec::new();
    for part in &inspection.platforms {
        let (packed, delta) = (packed_bytes(part), part.delta_bytes);
        let parts = [
            Part {
                kind: Kind::Packed,
                value: packed,
                label: format!("whole files, packed: {}", bytes(packed)),
            },
            Part { kind: Kind::Delta, value: delta, label: format!("deltas: {}", bytes(delta)) },
        ];
        rows.push(element(
            "div",
            &[("class", "row")],
            [
                text_in(
                    "span",
                    &[("class", "name")],
                    format!("{}, {} files", part.platform, part.files.len()),
                ),
                bar(&parts, scale),
                text_in("span", &[("class", "value")], format!("{} + {}", number(packed), number(delta))),
            ],
        ));
    }
    let rest = inspection.size.saturating_sub(known);
    let value = Html::text(number(rest));
    let part = Part { kind: Kind::Rest, value: rest, label: format!("everything else: {}", bytes(rest)) };
    rows.push(row(Html::text("everything else"), &part, scale, value));
    figure(
        &format!(
            "The bundle takes {}. Numbers are bytes; whole files are counted as a zip packs them; everything else is the manifest, the \
             signatures and the container.",
            bytes(inspection.size)
        ),
        [legend(&[
            (Kind::Packed, "whole files, packed"),
            (Kind::Delta, "deltas"),
            (Kind::Rest, "everything else"),
        ])]
        .into_iter()
        .chain(rows),
    )
}

/// A file of each platform that has it, by folded name and variant.
type Twins<'a> = BTreeMap<(String, Option<Variant>), Vec<(Platform, &'a FilePart)>>;

fn by_name(inspection: &Inspection) -> Twins<'_> {
    let mut names = Twins::new();
    for part in &inspection.platforms {
        for file in &part.files {
            names.entry((file.name.folded(), file.variant.clone())).or_default().push((part.platform, file));
        }
    }
    names
}

fn sizes(inspection: &Inspection) -> Html {
    let names = by_name(inspection);
    let scale = names.values().flatten().map(|(_, file)| file.size).max().unwrap_or(0);
    let group = |twins: &Vec<(Platform, &FilePart)>| {
        let name = twins.first().map(|(_, file)| file.shown()).unwrap_or_default();
        let rows = twins.iter().map(|(platform, file)| size_row(*platform, file, scale));
        element("div", &[("class", "group")], std::iter::once(text_in("h3", &[], name)).chain(rows))
    };
    figure(
        "In bytes. The whole bar is the file as it is installed; its first part is what it takes packed.",
        [legend(&[(Kind::Packed, "packed"), (Kind::Whole, "as installed")])]
            .into_iter()
            .chain(names.values().map(group)),
    )
}

fn size_row(platform: Platform, file: &FilePart, scale: u64) -> Html {
    let packed = file.packed.unwrap_or(0).min(file.size);
    let value = match file.packed {
        Some(packed) => format!("{}, packed {}", number(file.size), number(packed)),
        None => format!("{}, by delta only", number(file.size)),
    };
    let parts = [
        Part { kind: Kind::Packed, value: packed, label: format!("packed: {}", bytes(packed)) },
        Part {
            kind: Kind::Whole,
            value: file.size - packed,
            label: format!("as installed: {}", bytes(file.size)),
        },
    ];
    element(
        "div",
        &[("class", "row")],
        [
            text_in("span", &[("class", "name")], platform),
            bar(&parts, scale),
            text_in("span", &[("class", "value")], value),
        ],
    )
}

/// A delta with what it is measured against.
struct Way<'a> {
    platform: Platform,
    file: &'a FilePart,
    old: &'a BaselinePart,
    delta: u64,
}

impl Way<'_> {
    /// Returns what the whole file takes: packed where that is known.
    fn whole(&self) -> u64 {
        self.file.packed.unwrap_or(self.file.size)
    }
}

fn deltas(inspection: &Inspection) -> Html {
    let ways: Vec<Way<'_>> = inspection
        .platforms
        .iter()
        .flat_map(|part| part.files.iter().map(move |file| (part.platform, file)))
        .flat_map(|(platform, file)| {
            file.baselines.iter().filter_map(move |old| Some(Way { platform, file, old, delta: old.delta? }))
        })
        .collect();
    if ways.is_empty() {
        return paragraph("quiet", "The bundle holds no deltas.");
    }
    let compared: Vec<&Way<'_>> = ways.iter().filter(|way| way.old.generic.is_some()).collect();
    let mut kinds = vec![(Kind::Packed, "whole file"), (Kind::Delta, "delta of the bundle")];
    let how = if compared.is_empty() {
        "The old files were not at hand, so bsdiff's deltas are not shown: inspect --baseline DIR measures them."
    } else {
        kinds.insert(1, (Kind::Generic, "bsdiff"));
        "bsdiff makes deltas of files of any kind; its were made here from the same old and new files."
    };
    let caption = format!("In bytes, and as shares of the whole file, packed if the bundle holds it. {how}");
    let total = if compared.len() > 1 { vec![total(&compared)] } else { Vec::new() };
    let content = [legend(&kinds)].into_iter().chain(total).chain(ways.iter().map(way));
    Html::join([gain(&ways, &compared), figure(&caption, content)])
}

/// Says in one sentence what the deltas are worth.
fn gain(ways: &[Way<'_>], compared: &[&Way<'_>]) -> Html {
    let sum = |ways: &mut dyn Iterator<Item = u64>| ways.sum::<u64>();
    let whole = sum(&mut ways.iter().map(Way::whole));
    let delta = sum(&mut ways.iter().map(|way| way.delta));
    let mut text = format!(
        "Deltas take {} of the whole files: {} instead of {}",
        share(delta, whole),
        bytes(delta),
        bytes(whole)
    );
    let (ours, generic) = (
        sum(&mut compared.iter().map(|way| way.delta)),
        sum(&mut compared.iter().filter_map(|way| way.old.generic)),
    );
    if ours > 0 && !compared.is_empty() {
        text.push_str(&format!("; bsdiff's take {:.1} times as much", percent(generic, ours) / 100.0));
    }
    text.push('.');
    paragraph("lead", &text)
}

fn way(way: &Way<'_>) -> Html {
    let Way { platform, file, old, delta } = way;
    let title = format!("{platform}/{} from {}", file.shown(), old.name);
    shares(&title, way.whole(), old.generic, *delta)
}

/// All deltas that bsdiff's can be compared with, together.
fn total(ways: &[&Way<'_>]) -> Html {
    let whole = ways.iter().map(|way| way.whole()).sum();
    let generic = ways.iter().filter_map(|way| way.old.generic).sum();
    let delta = ways.iter().map(|way| way.delta).sum();
    shares(&format!("All {} together", ways.len()), whole, Some(generic), delta)
}

fn shares(title: &str, whole: u64, generic: Option<u64>, delta: u64) -> Html {
    let scale = whole.max(generic.unwrap_or(0)).max(delta);
    let line = |name: &'static str, kind: Kind, value: u64| {
        let text = format!("{} · {}", number(value), share(value, whole));
        let part = Part { kind, value, label: format!("{name}: {}", bytes(value)) };
        row(Html::text(name), &part, scale, Html::text(text))
    };
    let rows = [
        Some(text_in("h3", &[], title)),
        Some(line("whole", Kind::Packed, whole)),
        generic.map(|generic| line("bsdiff", Kind::Generic, generic)),
        Some(line("delta", Kind::Delta, delta)),
    ];
    element("div", &[("class", "group")], rows.into_iter().flatten())
}

fn coverage(inspection: &Inspection) -> Vec<Html> {
    let names = baseline_names(inspection.platforms.iter().flat_map(|part| &part.files));
    if names.is_empty() {
        let text = "The bundle knows no old state: where a server has a file, the update is refused.";
        return vec![paragraph("quiet", text)];
    }
    let heads: Vec<&str> = ["File"].into_iter().chain(names.iter().copied()).collect();
    let bodies = inspection.platforms.iter().map(|of_platform| {
        let line = |file: &FilePart| {
            let cells =
                names.iter().map(|name| covered(file, file.baselines.iter().find(|old| old.name == **name)));
            element("tr", &[], std::iter::once(row_head(&file.shown())).chain(cells))
        };
        part(of_platform.platform.name(), heads.len(), of_platform.files.iter().map(line))
    });
    let key = "Δ made from the old file by a delta · ■ replaced by the whole file · = the new file already · > above in \
               version, stays · × no way, the run is refused · – not known in that state";
    vec![table(&heads, bodies), paragraph("quiet", key)]
}

fn covered(file: &FilePart, old: Option<&BaselinePart>) -> Html {
    let cell = |class: &'static str, sign: &'static str, text: String, note: String| {
        let content =
            [text_in("span", &[("class", "sign")], sign), Html::text(format!(" {text}")), small(&note)];
        element("td", &[("class", class)], content)
    };
    let Some(old) = old else {
        return cell("", "–", "not known".to_owned(), String::new());
    };
    let from = format!("from {}", version(old.version));
    match file.coverage(old) {
        Coverage::Same => cell("good", "=", "same file".to_owned(), version(old.version)),
        Coverage::Kept => cell("odd", ">", "stays".to_owned(), version(old.version)),
        Coverage::Delta(size) => {
            let whole = file.packed.unwrap_or(file.size);
            cell("good", "Δ", format!("{} · {}", number(size), share(size, whole)), from)
        }
        Coverage::Whole => cell("good", "■", "whole file".to_owned(), from),
        Coverage::NoWay => cell("bad", "×", "no way".to_owned(), from),
    }
}

/// The forms of the files; nothing where there is but one.
fn variants(inspection: &Inspection) -> Html {
    let line = |entry: &VariantEntry| {
        let languages = shown::languages(&entry.languages);
        Html::join([
            text_in("strong", &[], &entry.variant),
            Html::text(format!(": {}, for files of the languages {languages}", entry.title)),
        ])
    };
    bullets("ul", inspection.variants.iter().map(line))
}

fn by_hand(inspection: &Inspection) -> Vec<Html> {
    if inspection.manual.is_empty() {
        return vec![paragraph("quiet", "Nothing besides what the roles below say.")];
    }
    let step = |step: &qfe_patcher::bundle::product::ManualStep| {
        let who = format!("{}, {}: ", moment(step.when), list(&step.roles, "no role"));
        Html::join([text_in("strong", &[], who), Html::text(&step.text)])
    };
    vec![bullets("ol", inspection.manual.iter().map(step))]
}

fn role(inspection: &Inspection, entry: &RoleEntry) -> Html {
    let RoleEntry { role, title, usual, after, services, programs, before, .. } = entry;
    let named = |words: &str, text: String| Html::join([text_in("strong", &[], words), Html::text(text)]);
    let count = |part: &PlatformPart| {
        let files =
            part.files.iter().filter(|file| file.install.iter().any(|place| place.role == role.as_str()));
        format!("{} for {}", files.count(), part.platform)
    };
    let counts = list(inspection.platforms.iter().map(count), "none");
    let mut lines = vec![named("Usually in: ", usual.clone()), named("Files: ", counts)];
    if !after.is_empty() {
        lines.push(named("After: ", list(after, "")));
    }
    lines.extend(before.iter().map(Html::text));
    if !programs.is_empty() {
        lines.push(named("Closed: ", list(programs, "")));
    }
    lines.push(named("Stops, in this order: ", list(services.iter().map(service), "no service")));
    Html::join([
        element("h3", &[], [Html::text(format!("{title} ")), code(role.as_str())]),
        bullets("ul", lines),
    ])
}

fn files(inspection: &Inspection) -> Html {
    const HEADS: [&str; 5] = ["File", "Version", "Size", "Linked", "Goes to, and SHA-256"];
    let bodies = inspection.platforms.iter().map(|of_platform| {
        part(of_platform.platform.name(), HEADS.len(), of_platform.files.iter().map(file_row))
    });
    table(&HEADS, bodies)
}

fn file_row(file: &FilePart) -> Html {
    let mut marks = Vec::new();
    if file.register {
        marks.push(small("COM server"));
    }
    if !file.whole {
        marks.push(small("by delta only"));
    }
    let name = element("th", &[("scope", "row")], [Html::text(file.shown())].into_iter().chain(marks));
    // Roles that have the file in one place are told together.
    let mut places: Vec<(String, Vec<&str>)> = Vec::new();
    for place in &file.install {
        let to = place.to.to_string();
        match places.iter_mut().find(|(other, _)| *other == to) {
            Some((_, roles)) => roles.push(&place.role),
            None => places.push((to, vec![&place.role])),
        }
    }
    let place = |(to, roles): &(String, Vec<&str>)| {
        element("div", &[], [code(to), Html::text(format!(" ({})", roles.join(", ")))])
    };
    let places = Html::join(places.iter().map(place));
    let digest = element("small", &[], [code(&file.sha256.to_string())]);
    element(
        "tr",
        &[],
        [
            name,
            td(Html::text(version(file.version))),
            text_in("td", &[("class", "number")], number(file.size)),
            td(Html::text(file.time_stamp.map_or_else(|| "–".to_owned(), day))),
            td(Html::join([places, digest])),
        ],
    )
}

fn signers(inspection: &Inspection) -> Vec<Html> {
    if inspection.signers.is_empty() {
        return vec![paragraph("quiet", "Nobody signed the bundle: no server will take it.")];
    }
    vec![
        bullets("ul", inspection.signers.iter().map(|key| code(&key.to_string()))),
        paragraph("quiet", "Key ids as the signatures claim them."),
    ]
}
