//! Texts: JSON and what is written in it, journals, recipes, profiles and articles.

use std::hint::black_box;
use std::path::Path;

use qfe_builder::article::Article;
use qfe_builder::profile::Profile;
use qfe_builder::recipe::Recipe;
use qfe_patcher::digest::Digest;
use qfe_patcher::json::{self, Json, ToJson};
use qfe_patcher::update::journal::Journal;
use qfe_patcher::update::receipt::Receipt;

use super::{Target, files};
use crate::programs::workspace;

/// The reader of JSON.
pub(super) const JSON: Target = Target {
    name: "json",
    reads: "JSON",
    run: json,
    seeds: || {
        let texts = [
            r#"{"a": {"b": [null, true, false, 0, 18446744073709551615]}, "c": ""}"#,
            r#" [-1.5e+3, "\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"] "#,
        ];
        texts.map(|text| text.as_bytes().to_vec()).into()
    },
    words: JSON_WORDS,
    largest: 16 << 10,
};

/// The reader of journals.
pub(super) const JOURNAL: Target = Target {
    name: "journal",
    reads: "a journal, of which each line gets its check",
    run: journal,
    seeds: || files(workspace().join("tests/golden/journals")),
    words: &[
        b"{\"record\":\"begin\"",
        b"{\"record\":\"intent\",\"step\":0}",
        b"{\"record\":\"done\",\"step\":0}",
        b"{\"record\":\"unregister\"}",
        b"{\"record\":\"set-values\"}",
        b"{\"record\":\"scheduled\",\"at\":\"\"}",
        b"{\"record\":\"commit\",\"at\":\"\"}",
        b"{\"record\":\"undo\",\"at\":\"\",\"reason\":\"\"}",
        b"{\"record\":\"rolled-back\",\"at\":\"\"}",
        b"{\"record\":\"restarted\",\"at\":\"\"}",
        b"0123456789abcdef ",
        b"\n",
        b"\"was\":\"running\"",
        b"\"services_at\":\"scm\"",
        b"\"registry_at\":\"rpc:X\"",
        b"\"values\":[",
        b"\"old\":null",
    ],
    largest: 16 << 10,
};

/// The reader of receipts.
pub(super) const RECEIPT: Target = Target {
    name: "receipt",
    reads: "a receipt",
    run: |input| {
        if let Ok(receipt) = json::read::<Receipt>(input) {
            let written = receipt.to_json().to_string();
            assert_eq!(json::read(written.as_bytes()), Ok(receipt), "a receipt is read as it was written");
        }
    },
    seeds: || files(workspace().join("tests/golden/targets/installed/$NtUninstallT1$")),
    words: JSON_WORDS,
    largest: 16 << 10,
};

/// The reader of recipes.
pub(super) const RECIPE: Target = Target {
    name: "recipe",
    reads: "a recipe (update.toml)",
    run: |input| {
        if let Ok(text) = str::from_utf8(input) {
            drop(Recipe::parse(Path::new("update.toml"), text).map_err(|error| error.to_string()));
        }
    },
    seeds: || {
        let mut recipes: Vec<Vec<u8>> =
            qfe_payloads::updates().iter().map(|update| update.recipe.into()).collect();
        recipes.push(RECIPE_TEXT.into());
        recipes
    },
    words: &[
        b"[[file]]\n",
        b"[[baseline]]\n",
        b"[[step]]\n",
        b"[payload]\n",
        b"name = ",
        b"version = ",
        b"roles = ['console']\n",
        b"to = ",
        b"when = 'always'\n",
        b"register = true\n",
        b"platforms = ['i386']\n",
        b"{ i386 = '1.2.3.4' }",
        b"'2.0.1380.1125'",
        b"builds = [1380]\n",
        b"requires = ['Q1']\n",
        b"revision = 2\n",
        b"'''",
        b"\"\"\"",
        b"\\u0000",
        b"1979-05-27T07:32:00Z",
        b"\n",
    ],
    largest: 8 << 10,
};

/// The reader of profiles.
pub(super) const PROFILE: Target = Target {
    name: "profile",
    reads: "a product profile, used as for a build",
    run: profile,
    seeds: || vec![include_bytes!("../../../builder/profiles/sms2.toml").into()],
    words: &[
        b"[[role]]\n",
        b"[[gate]]\n",
        b"[[level]]\n",
        b"[registration]\n",
        b"[platforms]\n",
        b"{id}",
        b"{platform}",
        b"{title}",
        b"{revision}",
        b"HKLM\\SOFTWARE",
        b"after = ['x']\n",
        b"../",
        b"\n",
        b"build = 1380\n",
        b"from = 0\n",
    ],
    largest: 32 << 10,
};

/// The reader of articles, and the recipe that is made of them.
pub(super) const ARTICLE: Target = Target {
    name: "article",
    reads: "an article of the Knowledge Base, as text or as a page",
    run: article,
    seeds: || [ARTICLE_TEXT, ARTICLE_PAGE].map(|text| text.as_bytes().to_vec()).into(),
    words: &[
        b"<table>",
        b"</table>",
        b"<tr>",
        b"<td>",
        b"<td rowspan=2 colspan=3>",
        b"<pre>",
        b"</pre>",
        b"<br>",
        b"<h2>",
        b"&nbsp;",
        b"&#150;",
        b"\t",
        b" | ",
        b"\x0c",
        b"\xa0",
        b"\xff\xfe",
        b"   Date  Time  Version  Size  File name  Platform\n",
        b"   File name  Intel size  Alpha size\n",
        b"   ------\n",
        b"1/28/2000",
        b"January 28, 2000",
        b"28-Jan-2000",
        b"10:49 P.M.",
        b"2.0.1380.1125",
        b"1.33 MB",
        b"8,1012",
        b"Ccm.dll",
        b"Intel",
        b"Alpha:\n",
        b"Page 2 of 3\n",
        b"1. Replace the Ccm.dll file in the <Sms_root>\\Bin\\<Platform> folder.\n",
        b"Use Regsvr32.exe",
        b"Q252717",
        b"SYMPTOMS\n========\n",
    ],
    largest: 16 << 10,
};

/// Words of everything that is written in JSON.
pub(super) const JSON_WORDS: &[&[u8]] = &[
    b"null",
    b"true",
    b"false",
    b"\":",
    b"\",\"",
    b"{\"",
    b"\"}",
    b"[",
    b"]",
    b"[]",
    b"{}",
    b",",
    b"\\u0000",
    b"\\ud83d\\ude00",
    b"\\\"",
    b"-1",
    b"1.5e3",
    b"18446744073709551616",
    b"\"i386\"",
    b"\"alpha\"",
    b"\"site-server\"",
    b"\"console\"",
    b"\"Bin/i386/Ccm.dll\"",
    b"\"../x\"",
    b"\"2.0.1380.1125\"",
    b"\"replace\"",
    b"\"add\"",
    b"\"bsdiff\"",
    b"\"exe\"",
    b"\"HKLM\\\\SOFTWARE\\\\x\"",
    b"\"0000000000000000000000000000000000000000000000000000000000000000\"",
];

const RECIPE_TEXT: &str = "id = 'Q1'\ntitle = 't'\nrevision = 2\nproduct = 'p'\nbuilds = [1380]\nrequires = ['Q2']\nsupersedes = ['Q3']\n\
    profile = 'p.toml'\n[payload]\ni386 = 'update/i386'\nalpha = 'u.zip/alpha'\n[[baseline]]\nname = '1380.1000'\ni386 = 'b'\n\
    [[file]]\nname = 'Ccm.dll'\nversion = '2.00.1380.1125'\nroles = ['site-server']\nto = 'Bin/{platform}'\nwhen = 'always'\n\
    register = true\n[[file]]\nname = 'Q/X.dll'\nversion = { i386 = '1.2.3.4' }\nto = ['a', 'b']\nplatforms = ['i386']\n\
    [[step]]\nwhen = 'after'\ntext = 'Run it.'\nroles = ['console']\n";

const ARTICLE_TEXT: &str = "DOCUMENT:Q123456  06-AUG-2002  [sms]\nTITLE   :SMS: A Title\n\nThe information in this article applies to:\n\n \
    - Microsoft Systems Management Server version 2.0 SP1\n-----\n\nSYMPTOMS\n========\n\nIt fails.\n\nThe fix should have the following file \
    attributes or later:\n\n   Date      Time     Version        Size     File name   Platform\n   -----\n   1/2/2000  3:04PM   2.0.1380.1125  \
    143 KB   Ccm.dll     Intel\n   1/2/2000  3:05PM   2.0.1380.1125  1.33 MB  Ccm.dll\n   Alpha\n\n   Page 2\n\n   1/2/2000  3:06PM                  67       \
    Compver.ini\n\nMORE INFORMATION\n================\n\nManual Installation\n-------------------\n\n1. Stop the SMS_EXECUTIVE service.\n\n2. Replace the \
    Ccm.dll file in the <Sms_root>\\Bin\\<Platform> folder.\n\n3. Use Regsvr32.exe to register Ccm.dll.\n\n4. Run the Update.sql script.\n";

const ARTICLE_PAGE: &str = "<html><head><title>SMS: A Title (Q123456)</title></head><body><h2>RESOLUTION</h2><p>Files&nbsp;&amp; more:<table><tr><th>Date\
    <th>Size<th>File name<th>Platform</tr><tr><td>28-Jan-2000<td>1,234<td>Ccm.dll<td rowspan=2>Intel</tr><tr><td colspan=1>1/2/00<td>67<td>Ccm.ini</tr>\
    </table><pre>  Date    Size  File name    Date    Size  File name\n  1/2/00  67    A.dll        1/2/00  68    B.dll\n</pre></body></html>";

/// Reads an article, which is read the same again, and makes recipes of it, which are ones.
fn article(input: &[u8]) {
    let Ok(article) = Article::read(input) else { return };
    black_box(article.to_json().to_string());
    let profile = Profile::sms2().expect("the built-in profile is one");
    for table in 0..article.tables.len().clamp(1, 3) {
        let recipe = article.recipe(&profile, table);
        let read = Recipe::parse(Path::new("update.toml"), &recipe);
        assert!(
            read.is_ok(),
            "a drafted recipe is a recipe: {:?}\n{recipe}",
            read.map_err(|error| error.to_string())
        );
    }
}

fn json(input: &[u8]) {
    let Ok(json) = Json::parse(input) else { return };
    assert!(str::from_utf8(input).is_ok(), "JSON is UTF-8");
    for written in [json.to_string(), format!("{json:#}")] {
        let again = Json::parse(written.as_bytes()).expect("what is written can be read");
        // The numbers that are none of ours become null the first time.
        assert_eq!(again.to_string(), json.to_string(), "what is written is what was read");
    }
}

fn journal(input: &[u8]) {
    hold(input);
    hold(&checked(input));
}

/// Gives every line but the one without an end its right check.
fn checked(input: &[u8]) -> Vec<u8> {
    let mut previous = String::new();
    let mut journal = Vec::new();
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let record = line.get(CHECK..).filter(|_| line.get(CHECK - 1) == Some(&b' ')).unwrap_or(line);
        match str::from_utf8(record).ok().and_then(|record| record.strip_suffix('\n')) {
            Some(text) => {
                previous = Digest::of(format!("{previous}{text}").as_bytes()).prefix();
                journal.extend(format!("{previous} {text}\n").into_bytes());
            }
            None => journal.extend(line),
        }
    }
    journal
}

/// Bytes of a line before its record.
const CHECK: usize = 17;

/// Reads a journal, and again as far as it is whole, which makes the same.
fn hold(bytes: &[u8]) {
    let Ok(journal) = Journal::read(bytes) else { return };
    let end = usize::try_from(journal.end()).expect("it is within the input");
    let whole = bytes.get(..end).expect("the whole lines are within the input");
    assert_eq!(Journal::read(whole).ok().as_ref(), Some(&journal), "a torn line is as if it were not there");
    let steps = journal.begin().map_or(0, |begin| begin.steps.len());
    assert!((0..steps).filter(|step| journal.touches(*step)).count() <= journal.touched());
    assert!(!journal.is_untouched() || journal.touched() == 0);
    black_box((journal.phase(), journal.backends(), journal.has_unregistered()));
    black_box((journal.stopped(), journal.committed_at()));
}

fn profile(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(profile) = Profile::parse(Path::new("profile.toml"), text) else { return };
    let (id, name) = ("Q252717".parse().expect("it is an id"), "Ccm.dll".parse().expect("it is a name"));
    black_box(profile.log(&id)).ok();
    black_box(profile.facts_of_product().to_json().to_string());
    black_box(profile.registration(&id, "a title", 1));
    for platform in qfe_patcher::platform::Platform::ALL {
        for role in &profile.roles {
            drop(profile.place(&role.to, platform, &name).map_err(|error| error.to_string()));
        }
    }
}
