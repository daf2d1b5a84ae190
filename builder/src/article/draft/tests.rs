//! Recipes of small articles.

use std::path::Path;

use super::*;
use crate::recipe::Recipe;

const HEAD: &str = "DOCUMENT:Q123456  x\nTITLE   :SMS: \"A\" \\ Title\n\nThe information in this article applies to:\n\n - Microsoft Systems \
                    Management Server versions 2.0 SP2, 2.0 SP3 \n---\n\nSYMPTOMS\n========\n\nIt \"fails\" in C:\\Sms.\n\nTwice.\n\nRESOLUTION\n==========\n\n";

/// Drafts a recipe of an article with this head, and reads it.
fn draft(rest: &str, table: usize) -> (String, Recipe) {
    let article = Article::read(format!("{HEAD}{rest}").as_bytes()).unwrap();
    let text = article.recipe(&Profile::sms2().unwrap(), table);
    let recipe =
        Recipe::parse(Path::new("update.toml"), &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    (text, recipe)
}

#[test]
fn what_the_article_tells_becomes_keys() {
    let (text, recipe) = draft(
        "The SP3 version has the following files:\n\n   Date    Version        Size   File name      Platform\n   -----\n   1/2/99  \
         2.0.1493.3001  1,234  Abc.dll        Intel\n   1/2/99  2.0.1493.3002  5,678  Abc.dll        Alpha\n   1/2/99                 67     \
         Compverx.ini\n   1/2/99  1493.3001      9,876  Def.dll        Intel\n   1/2/99                 9      Ghi.mac        Macintosh\n\n\
         You must install Q123450 before you install this hotfix. This fix supersedes Q123451.\n\nThe French version has these files:\n\n   \
         Date    Size  File name\n   1/2/99  1,235  Abc.dll\n\nMORE INFORMATION\n================\n\nManual Installation\n-----\n\n1. Stop the \
         SMS_EXECUTIVE and SMS_OTHER services.\n\n2. Replace the Abc.dll file in the <Sms_root>\\Bin\\<Platform> folder.\n\n3. Replace the Abc.dll \
         file in the <Sms_root>\\Inboxes\\X folder.\n\n4. Replace the Compver.ini file in the <Sms_root>\\Inboxes\\X folder with the \
         Compverx.ini file.\n\n5. Use Regsvr32.exe to register Abc.dll.\n\n6. Run the Update.sql script.\n",
        0,
    );
    assert_eq!((recipe.id.as_str(), recipe.title.as_str()), ("Q123456", "SMS: \"A\" \\ Title"));
    assert_eq!(recipe.product, "Systems Management Server 2.0");
    assert_eq!(recipe.builds, [1493]);
    let ids = |ids: &[UpdateId]| ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        (ids(&recipe.requires), ids(&recipe.supersedes)),
        (vec!["Q123450".into()], vec!["Q123451".into()])
    );
    assert_eq!(recipe.article.symptoms.as_deref(), Some("It \"fails\" in C:\\Sms.\n\nTwice."));
    let [abc, compver, def] = recipe.files.as_slice() else { panic!("{text}") };
    let version = abc.version.as_ref().unwrap();
    assert_eq!(version.on(Platform::Alpha).unwrap().to_string(), "2.0.1493.3002");
    assert_eq!(version.on(Platform::I386).unwrap().to_string(), "2.0.1493.3001");
    let places = ["Bin/{platform}", "Inboxes/X"].map(str::to_owned);
    assert_eq!((abc.to.as_deref(), abc.register), (Some(places.as_slice()), true));
    assert_eq!(
        (compver.name.as_str(), compver.to.as_deref()),
        ("X/Compver.ini", Some(["Inboxes".to_owned()].as_slice()))
    );
    assert!(compver.version.is_none() && compver.platforms.is_none());
    assert_eq!((def.version.is_none(), def.platforms.as_deref()), (true, Some([Platform::I386].as_slice())));
    let steps: Vec<&str> = recipe.steps.iter().map(|step| step.text.as_str()).collect();
    assert!(
        matches!(steps.as_slice(), [stop, "Run the Update.sql script."] if stop.contains("SMS_OTHER")),
        "{steps:?}"
    );
    for words in [
        "# ? The article prints \"1493.3001\"",
        "# ? Ghi.mac is for Macintosh",
        "# ? Table 2 (line",
        "#     Abc.dll, 1,235",
        "# ? No step of the article copies it",
        "put Compverx.ini into the payload",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn another_table_can_be_chosen_and_what_is_unknown_is_asked() {
    let (text, recipe) = draft(
        "English:\n\n   Date    Size   File name\n   1/2/99  1,234  Abc.dll\n\nFrench:\n\n   Date    Size   File name\n   1/2/99  1,235  Def.dll\n",
        1,
    );
    assert_eq!(recipe.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["Def.dll"], "{text}");
    // By the service packs of its head: nothing else tells.
    assert_eq!(recipe.builds, [1493]);
    assert!(text.contains("# ? The article does not say where it goes"), "{text}");
    let (text, recipe) = draft("", 0);
    assert!(recipe.files.is_empty() && text.contains("# ? The article has no file table."), "{text}");
    let (text, _) = draft(
        "The \u{1f}\u{7f} English files:\n\n   Date    Size   File name\n   1/2/99  1,234  Abc.dll\n\nMore:\n\n   Date    Size   File \
         name\n   1/2/99  1,234  A\u{7f}.dll\n",
        0,
    );
    assert!(!text.contains('\u{7f}'), "{text}");
    let text = Article::read(b"").unwrap().recipe(&Profile::sms2().unwrap(), 0);
    assert!(Recipe::parse(Path::new("update.toml"), &text).is_ok(), "{text}");
}

#[test]
fn languages_become_variants() {
    let table = |size: &str| {
        format!(
            "   Version    Size   File name   Platform\n   -----\n   2.0.1493.3001    {size}  Abc.dll     Intel\n\n"
        )
    };
    let article =
        format!("The English version:\n\n{}The ICP4 version:\n\n{}", table("1,234"), table("1,235"));
    let (text, recipe) = draft(&article, 0);
    let [english, pack] = recipe.variants.as_slice() else { panic!("{text}") };
    assert_eq!((english.name.as_str(), english.languages.as_slice()), ("english", [0x0409].as_slice()));
    assert_eq!((pack.name.as_str(), pack.languages.is_empty()), ("icp4", true));
    assert!(pack.payload.on(Platform::I386).is_some() && pack.payload.on(Platform::Alpha).is_none());
    assert!(
        !text.contains("--table") && text.contains("#     Abc.dll, 2.0.1493.3001, 1,235, Intel"),
        "{text}"
    );
}

#[test]
fn variants_have_versions_of_their_own_where_their_tables_print_others() {
    let table = |build: &str, alpha: &str| {
        format!(
            "   Version        Size   File name   Platform\n   -----\n   2.0.{build}.3001  1,234  Abc.dll     Intel\n   \
             2.0.{build}.{alpha}  2,345  Abc.dll     Alpha\n   1493.2         12     Def.dll     Intel\n\n"
        )
    };
    let article = format!(
        "The English SP3 version:\n\n{}The English SP1 version:\n\n{}The French SP1 version:\n\n{}",
        table("1493", "3001"),
        table("1380", "3002"),
        table("1493", "3001")
    );
    let (text, recipe) = draft(&article, 0);
    let names: Vec<&str> = recipe.variants.iter().map(|variant| variant.name.as_str()).collect();
    assert_eq!(names, ["english-sp3", "english-sp1", "french-sp1"]);
    // English files are in two of them.
    assert!(recipe.variants[0].languages.is_empty() && recipe.variants[2].languages == [0x040c]);
    assert_eq!(recipe.builds, [1380, 1493]);
    let [abc, def] = recipe.files.as_slice() else { panic!("{text}") };
    let on = |platform, variant: &str| {
        abc.version_on(platform, Some(&variant.parse().unwrap())).map(|version| version.to_string())
    };
    assert_eq!(on(Platform::Alpha, "english-sp3").as_deref(), Some("2.0.1493.3001"));
    assert_eq!(on(Platform::I386, "english-sp1").as_deref(), Some("2.0.1380.3001"));
    assert_eq!(on(Platform::Alpha, "english-sp1").as_deref(), Some("2.0.1380.3002"));
    assert_eq!((abc.versions.len(), def.versions.len()), (1, 0), "{text}");
    let is_there = |words: &str| text.lines().any(|line| line.starts_with('#') && line.contains(words));
    assert!(is_there("\"1493.2\" in the English") && is_there("[[variant.baseline]]"), "{text}");
}

#[test]
fn products_and_service_packs_are_understood() {
    assert_eq!(
        products("Microsoft X Server versions 1.2, 1.2 SP1, 2.0 SP3 "),
        ["X Server 1.2", "X Server 2.0"]
    );
    assert_eq!(
        products("Microsoft Exchange Server, versions 4.0, 5.0"),
        ["Exchange Server 4.0", "Exchange Server 5.0"]
    );
    assert_eq!(products("Microsoft SQL Server"), ["SQL Server"]);
    assert_eq!(products("Microsoft X Server 2.0 Service Pack 2"), ["X Server 2.0"]);
    assert_eq!(products("Microsoft Windows 2000 Server SP1"), ["Windows 2000 Server SP1"]);
    let packs = |text: &str| service_packs(text).into_iter().collect::<Vec<_>>();
    assert_eq!(packs("post-Service Pack 3 (SP3)"), ["SP3"]);
    assert_eq!(packs("Server version 2.0"), ["SP0"]);
    assert!(packs("Server version 1.2").is_empty());
}

#[test]
fn the_installer_of_the_article_is_no_file_of_the_bundle() {
    let (text, recipe) = draft(
        "The fix has the following files:\n\n   Date    Version        Size   File name    Platform\n   -----\n   1/2/99  2.0.3.0        5,678  \
         q123456.EXE\n   1/2/99  2.0.4.1        5,679  Sms2.0-kb123456-sp4-x86-enu.exe\n   1/2/99  2.0.1493.3001  1,234  Abc.dll      Intel\n",
        0,
    );
    let names: Vec<&str> = recipe.files.iter().map(|file| file.name.name()).collect();
    assert_eq!(names, ["Abc.dll"], "{text}");
    assert!(text.contains("# q123456.EXE is the installer"), "{text}");
}

#[test]
fn a_file_that_gets_other_names_has_an_entry_for_each_and_no_name_two_files() {
    let (text, recipe) = draft(
        "The fix has the following files:\n\n   Date    Size   File name\n   -----\n   1/2/99  67     Compver1.ini\n   1/2/99  67     \
         Compver2.ini\n\nMORE INFORMATION\n================\n\nManual Installation\n-----\n\n1. Replace the Compver.ini file in the \
         <Sms_root>\\Inboxes\\X folder with the Compver1.ini file.\n\n2. Replace the Compver.ini file in the <Sms_root>\\Inboxes\\Y folder with \
         the Compver1.ini file.\n\n3. If that is new, replace the Compver.ini file in the <Sms_root>\\Inboxes\\X folder with the Compver2.ini \
         file.\n",
        0,
    );
    let names: Vec<&str> = recipe.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["X/Compver.ini", "Y/Compver.ini"], "{text}");
    assert!(text.contains("# ? Compver2.ini would go in as X/Compver.ini too"), "{text}");
}
