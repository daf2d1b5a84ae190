//! Reports: well formed, with nothing from outside, and with every text of a bundle as text; and what `compare` and `inspect`
//! tell besides.

use std::collections::BTreeSet;

use qfe_patcher::platform::Platform;
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Value, json};

use crate::fixture::{FIRST, Fixture, SECOND, exit_status};
use crate::pe::image;

/// What would mean something in markup, if it got there as it is.
const HOSTILE: &str =
    "</title></style><script>alert('1 & \\\"2\\\"')</script><img src=x onerror=alert(3)>]]>&amp;";
/// The same as a reader sees it.
const SEEN: &str = "</title></style><script>alert('1 & \"2\"')</script><img src=x onerror=alert(3)>]]>&amp;";

/// Requires a page that is well formed and leads nowhere, and returns its text.
#[track_caller]
fn checked(page: &[u8]) -> String {
    let page = std::str::from_utf8(page).unwrap();
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}:\n{page}"));
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        let known = [
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "header",
            "main",
            "section",
            "footer",
            "h1",
            "h2",
            "h3",
            "p",
            "dl",
            "div",
            "dt",
            "dd",
            "figure",
            "figcaption",
            "span",
            "svg",
            "defs",
            "pattern",
            "g",
            "path",
            "rect",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "small",
            "code",
            "ul",
            "ol",
            "li",
            "strong",
            "del",
            "ins",
        ];
        assert!(known.contains(&name), "<{name}>");
        for attribute in node.attributes() {
            let (key, value) = (attribute.name(), attribute.value());
            let is_known = [
                "lang",
                "charset",
                "http-equiv",
                "content",
                "name",
                "class",
                "id",
                "width",
                "height",
                "x",
                "y",
                "d",
                "role",
                "aria-label",
                "aria-hidden",
                "scope",
                "colspan",
                "tabindex",
                "patternUnits",
            ];
            assert!(is_known.contains(&key), "<{name} {key}={value:?}>");
        }
        if name == "style" {
            let sheet = node.text().unwrap();
            assert!(sheet.match_indices("url(").all(|(at, _)| sheet[at..].starts_with("url(#")), "{sheet}");
            assert!(!sheet.contains("@import"), "{sheet}");
        }
    }
    let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    let body = document.descendants().find(|node| node.has_tag_name("body")).unwrap();
    let texts = body.descendants().filter(Node::is_text).filter_map(|node| node.text());
    texts.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn holds(page: &str, words: &[&str]) {
    for word in words {
        assert!(page.contains(word), "{word:?} is not in:\n{page}");
    }
}

/// Builds the standard update with a hostile title, step and baseline.
fn hostile() -> Fixture {
    let fixture = Fixture::new();
    fixture.edit("CCM avoids installation attempts on SP2 clients", HOSTILE);
    fixture.edit("name = \"1380.1000\"", &format!("name = \"{HOSTILE}\""));
    fixture.edit("[[file]]", &format!("[[step]]\nwhen = \"after\"\ntext = \"{HOSTILE}\"\n\n[[file]]"));
    fixture
}

#[test]
fn the_report_of_a_bundle_is_well_formed_and_takes_nothing_from_outside() {
    let fixture = Fixture::new();
    for (output, more) in [
        ("Q252717.zip", &[][..]),
        ("Q252717.cab", &[]),
        ("lean.zip", &["--lean"]),
        ("full.zip", &["--codec", "full"]),
    ] {
        fixture.build(output, more);
        let (status, answer) = fixture.json(&["inspect", output, "--html", "report.html"]);
        assert_eq!((status, &answer["outcome"]), (0, &json!("inspected")), "{answer:#}");
        let page = checked(&fixture.get("report.html"));
        holds(
            &page,
            &[
                "Q252717 revision 1",
                "CCM avoids installation attempts on SP2 clients",
                "Size by file and platform",
                "SMS_SITE_COMPONENT_MANAGER",
                "2.0.1380.1125",
                answer["signers"][0].as_str().unwrap(),
                answer["platforms"][0]["files"][0]["sha256"].as_str().unwrap(),
            ],
        );
        let is_full = output == "full.zip";
        assert_eq!(page.contains("The bundle holds no deltas."), is_full);
        // In the key to the table, and where a delta is lacking.
        assert_eq!(page.matches('■').count(), if is_full { 3 } else { 1 });
    }
    let again = fixture.get("report.html");
    fixture.json(&["inspect", "full.zip", "--html", "report.html"]);
    assert!(fixture.get("report.html") == again, "the same bundle gives the same page");
}

#[test]
fn hostile_texts_stay_texts_in_both_reports() {
    let fixture = hostile();
    fixture.build("a.zip", &[]);
    fixture.edit("title = \"", "title = \"Otherwise: ");
    fixture.build("b.zip", &[]);
    for (arguments, times) in [
        (&["inspect", "a.zip", "--html", "report.html"][..], 3),
        (&["compare", "a.zip", "b.zip", "--html", "report.html"], 2),
    ] {
        assert_eq!(fixture.json(arguments).0, 0);
        let page = checked(&fixture.get("report.html"));
        assert!(page.matches(SEEN).count() >= times, "{page}");
    }
}

#[test]
fn bsdiff_is_measured_where_the_old_files_are_at_hand() {
    let fixture = Fixture::new();
    let measure = |bundle: &str, baseline: &str| -> Value {
        let (status, answer) =
            fixture.json(&["inspect", bundle, "--baseline", baseline, "--html", "report.html"]);
        assert_eq!(status, 0, "{answer:#}");
        answer["platforms"][0]["files"][0].clone()
    };
    fixture.build("Q252717.zip", &[]);
    let plain = &fixture.json(&["inspect", "Q252717.zip"]).1["platforms"][0]["files"][0];
    assert_eq!((&plain["packed"], &plain["baselines"][0]["generic"]), (&Value::Null, &Value::Null));

    let file = measure("Q252717.zip", "baseline");
    let (_, delta) = fixture.json(&[
        "delta",
        "baseline/i386/Ccm.dll",
        "update/i386/CCM.DLL",
        "--codec",
        "bsdiff",
        "-o",
        "patch",
    ]);
    assert_eq!(file["baselines"][0]["generic"], delta["size"]);
    assert!(file["packed"].as_u64().unwrap() > 0);
    let page = checked(&fixture.get("report.html"));
    holds(&page, &["bsdiff", "All 2 together", "times as much"]);

    // A lean bundle does not hold the new file: it is made from the old one.
    fixture.build("lean.zip", &["--lean"]);
    let lean = measure("lean.zip", "baseline");
    assert_eq!((&lean["baselines"][0]["generic"], &lean["packed"]), (&delta["size"], &Value::Null));
    // Where the old files are not, nothing is made up.
    assert_eq!(measure("Q252717.zip", "update")["baselines"][0]["generic"], Value::Null);
    let page = checked(&fixture.get("report.html"));
    assert!(!page.contains("times as much"), "{page}");
    assert_eq!(fixture.json(&["inspect", "Q252717.zip", "--baseline", "no"]).0, exit_status(1619));
}

#[test]
fn a_bundle_whose_files_are_not_what_it_says_is_not_reported() {
    let fixture = Fixture::new();
    fixture.build("Q252717.cab", &[]);
    fixture.damage("Q252717.cab");
    let (status, answer) = fixture.json(&["inspect", "Q252717.cab", "--html", "report.html"]);
    assert_eq!((status, &answer["code"]), (exit_status(1620), &json!(1620)), "{answer:#}");
    assert!(!fixture.path("report.html").exists() && fixture.unfinished().is_empty());
}

/// Returns the JSON of `compare`.
fn compare(fixture: &Fixture, a: &str, b: &str) -> Value {
    let (status, answer) = fixture.json(&["compare", a, b, "--html", "report.html"]);
    assert_eq!(status, 0, "{answer:#}");
    checked(&fixture.get("report.html"));
    answer
}

#[test]
fn a_bundle_is_the_same_as_itself_and_as_itself_in_a_cabinet() {
    let fixture = Fixture::new();
    fixture.build("a.zip", &[]);
    fixture.build("b.cab", &[]);
    for b in ["a.zip", "b.cab"] {
        let answer = compare(&fixture, "a.zip", b);
        assert_eq!(answer["outcome"], json!("same"), "{answer:#}");
        assert!(answer["files"].as_array().unwrap().iter().all(|file| file["change"] == json!("same")));
    }
    let answer = compare(&fixture, "a.zip", "b.cab");
    let keys: Vec<&Value> = answer["facts"].as_array().unwrap().iter().map(|fact| &fact["key"]).collect();
    assert_eq!(keys, ["container", "size"]);
}

#[test]
fn what_changed_is_told_by_file_and_platform() {
    let fixture = Fixture::new();
    fixture.build("a.zip", &[]);
    fixture.edit("title = \"CCM", "revision = 2\ntitle = \"CCM");
    fixture.edit("builds = [1380]", "builds = [1239, 1380]\nsupersedes = [\"Q1\"]");
    fixture.edit(
        "version = \"2.0.1380.1125\"",
        "version = \"2.0.1380.1130\"\nroles = [\"site-server\", \"console\"]",
    );
    fixture.edit(
        "[[file]]",
        "[[baseline]]\nname = \"SP1\"\ni386 = \"sp1\"\n\n[[step]]\nwhen = \"before\"\ntext = \"Tell the users.\"\n\n[[file]]",
    );
    fixture.edit("[[file]]", "[[file]]\nname = \"New.dll\"\n\n[[file]]");
    let recipe = String::from_utf8(fixture.get("update.toml")).unwrap();
    let recipe = recipe.replace("[[file]]\nname = \"Compver.ini\"\nroles = [\"site-server\"]\n", "");
    fixture.put("update.toml", recipe.as_bytes());
    for platform in Platform::ALL {
        fixture.remove(&format!("update/{platform}/Compver.ini"));
        fixture.payload(platform, "New.dll", &image(platform, None, b"new"));
        fixture.payload(platform, "CCM.DLL", &image(platform, Some("2.0.1380.1130"), &[7; 9000]));
    }
    fixture.put("sp1/Ccm.dll", &image(Platform::I386, Some("2.0.1380.900"), &[5; 9000]));
    fixture.build("b.zip", &["--key", SECOND]);

    let answer = compare(&fixture, "a.zip", "b.zip");
    assert_eq!(answer["outcome"], json!("different"));
    assert_eq!((&answer["a"]["revision"], &answer["b"]["revision"]), (&json!(1), &json!(2)));
    let facts = |part: &str| -> Vec<(String, Value, Value)> {
        let changes = answer[part].as_array().unwrap().iter();
        changes.map(|c| (c["key"].as_str().unwrap().to_owned(), c["a"].clone(), c["b"].clone())).collect()
    };
    for wanted in [
        ("revision", json!(1), json!(2)),
        ("builds", json!([1380]), json!([1239, 1380])),
        ("supersedes", json!([]), json!(["Q1"])),
        ("registration.values[Revision].text", json!("1"), json!("2")),
    ] {
        assert!(
            facts("facts").contains(&(wanted.0.to_owned(), wanted.1.clone(), wanted.2.clone())),
            "{wanted:?}: {answer:#}"
        );
    }
    assert_eq!(facts("roles"), []);
    assert_eq!(facts("steps")[0].2["text"], json!("Tell the users."));
    let second = String::from_utf8(fixture.get("second.key.pub")).unwrap();
    let id = second.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(facts("signers"), [(id.clone(), Value::Null, json!(id))]);

    let files: Vec<(&Value, &Value, &Value)> = answer["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (&file["platform"], &file["name"], &file["change"]))
        .collect();
    let of = |platform: &str| {
        [("Ccm.dll", "changed"), ("Compver.ini", "removed"), ("New.dll", "added")]
            .map(|(name, change)| (json!(platform), json!(name), json!(change)))
    };
    let wanted = [of("i386"), of("alpha")].concat();
    assert_eq!(files, wanted.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
    let ccm = &answer["files"][0];
    let version =
        ccm["values"].as_array().unwrap().iter().find(|value| value["key"] == json!("version")).unwrap();
    assert_eq!((&version["a"], &version["b"]), (&json!("2.0.1380.1125"), &json!("2.0.1380.1130")));
    let baselines: Vec<(&Value, &Value)> =
        ccm["baselines"].as_array().unwrap().iter().map(|old| (&old["name"], &old["change"])).collect();
    assert_eq!(baselines, [(&json!("1380.1000"), &json!("changed")), (&json!("SP1"), &json!("added"))]);

    let page = String::from_utf8(fixture.run(&["compare", "a.zip", "b.zip"]).stdout).unwrap();
    holds(
        &page,
        &[
            "  revision: 1 -> 2\n",
            "  ~ i386/Ccm.dll\n",
            "      version: 2.0.1380.1125 -> 2.0.1380.1130\n",
            "      + from SP1 (2.0.1380.900): ",
            "  - alpha/Compver.ini no version, 11 bytes\n",
            "  + alpha/New.dll no version, ",
            "files: 2 added, 2 removed, 2 changed, 0 same\n",
        ],
    );
    let page = checked(&fixture.get("report.html"));
    holds(&page, &["Tell the users.", "New.dll", "2.0.1380.1130", "1239, 1380", "SP1"]);
}

#[test]
fn what_is_no_bundle_is_not_compared() {
    let fixture = Fixture::new();
    fixture.build("a.zip", &[]);
    for (a, b, code) in [("a.zip", "no.zip", 1619), ("no.zip", "a.zip", 1619), ("a.zip", FIRST, 1620)] {
        assert_eq!(fixture.json(&["compare", a, b]).1["code"], json!(code));
    }
}
