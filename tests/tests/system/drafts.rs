//! Articles to recipes and back: what is drafted builds, and what is built explains itself.

use std::fs;
use std::path::Path;

use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::{builder, patcher};
use qfe_tests::samples::workshop;
use serde_json::{Value, json};

/// Writes an article in the layout of the Knowledge Base about the files of a sample.
fn article(id: &str, title: &str) -> String {
    let update = qfe_payloads::updates().iter().find(|update| update.id == id).unwrap();
    let mut text = format!(
        "DOCUMENT:{id}  06-AUG-2002  [sms]\nTITLE   :{title}\nPRODUCT :Microsoft Systems Management Server\n\n\
         The information in this article applies to:\n\n - Microsoft Systems Management Server version 2.0 SP1 \n----------\n\n\
         SYMPTOMS\n========\n\nClients are left \"unstable\" by C:\\Sms.\n\nRESOLUTION\n==========\n\n\
         The English version should have the following file attributes or later:\n\n\
         \x20  Date         Time       Version         Size      File name      Platform\n   {}\n",
        "-".repeat(72)
    );
    for file in update.files {
        let row = file.printed;
        text.push_str(&format!(
            "   {:<11}  {:<9}  {:<14}  {:>8}  {:<13}  {}\n",
            row.date, row.time, row.version, row.size, file.name, row.platform
        ));
    }
    text.push_str(
        "\nMORE INFORMATION\n================\n\nManual Installation\n-------------------\n\n1. Stop the SMS_EXECUTIVE service.\n\n\
         2. Replace the updated files in the\n   <Sms_root>\\Bin\\<Platform> folder: copy the updated files.\n\n\
         3. Run the Update.sql script.\n\nManually Updating a Remote SMS Provider\n---------------------------------------\n\n\
         1. Copy the updated file(s) to the SMS Provider folder.\n",
    );
    text
}

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn every_row_is_printed_as_the_article_prints_it() {
    let folder = tempfile::tempdir().unwrap();
    for update in qfe_payloads::updates() {
        let path = write(folder.path(), "article.txt", &article(update.id, "SMS: A Title"));
        let run = builder(args!["draft", &path, "--json"]).succeeds();
        let found = run.json();
        let row = |file: &qfe_payloads::SampleFile| {
            let row = file.printed;
            json!({"file": file.name, "version": row.version, "size": row.size, "platform": row.platform, "date": row.date, "time": row.time})
        };
        let wanted: Vec<Value> = update.files.iter().map(row).collect();
        assert_eq!(found["id"], update.id);
        assert_eq!(found["title"], "SMS: A Title");
        assert_eq!(found["tables"].as_array().unwrap().len(), 1, "{}", update.id);
        assert_eq!(found["tables"][0]["rows"], Value::from(wanted), "{}", update.id);
        let broken = update.files.iter().filter(|file| file.printed.date == "12/20/199").count();
        assert_eq!(found["warnings"].as_array().unwrap().len(), broken, "{}", found["warnings"]);
        assert_eq!(run.stderr.matches("the year has 3 digits").count(), broken, "{}", run.stderr);
    }
}

#[test]
fn what_is_drafted_builds_and_the_bundle_explains_itself() {
    let sample = workshop().sample("Q252717");
    let folder = tempfile::tempdir().unwrap();
    let text = write(folder.path(), "Q252717.txt", &article("Q252717", "SMS: A Title"));
    // The recipe names the payload as the sample has it.
    let recipe = sample.join("drafted.toml");
    builder(args!["draft", &text, "-o", &recipe]).succeeds().says(&["drafted.toml", "line"]);
    let drafted = fs::read_to_string(&recipe).unwrap();
    for line in [
        "builds = [1380]",
        "roles = [\"site-server\", \"provider\"]",
        "text = \"Run the Update.sql script.\"",
    ] {
        assert!(drafted.contains(line), "{line}\n{drafted}");
    }
    builder(args!["draft", &text, "-o", &recipe])
        .ends(ExitCode::BadCommandLine)
        .says(&["may have been edited", "--force"]);

    let bundle = folder.path().join("Q252717.zip");
    let key = workshop().path("vendor.key");
    builder(args!["build", &recipe, "--key", &key, "--codec", "full", "--output", &bundle]).succeeds();
    patcher(args!["verify", &bundle, "--keys", workshop().public_key()]).succeeds();

    let page = folder.path().join("Q252717.htm");
    builder(args!["article", &bundle, "-o", &page]).succeeds();
    let html = fs::read_to_string(&page).unwrap();
    let of_recipe = folder.path().join("of-recipe.htm");
    builder(args!["article", &recipe, "-o", &of_recipe]).succeeds();
    assert_eq!(fs::read_to_string(&of_recipe).unwrap(), html, "bundle and recipe have the same article");
    let extracted = folder.path().join("extracted");
    patcher(args!["extract", &bundle, "--to", &extracted, "--keys", workshop().public_key()]).succeeds();
    assert_eq!(fs::read_to_string(extracted.join("README.htm")).unwrap(), html);
    for words in [
        "Clients are left &quot;unstable&quot; by C:\\Sms.",
        "Run the Update.sql script.",
        "SMS_SITE_COMPONENT_MANAGER",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }

    let plain = folder.path().join("plain.txt");
    builder(args!["article", &bundle, "-o", &plain]).succeeds();
    assert!(fs::read_to_string(&plain).unwrap().contains("Clients are left \"unstable\" by C:\\Sms."));
    let [of_page, of_text] =
        [&page, &plain].map(|path| builder(args!["draft", &path, "--json"]).succeeds().json());
    assert_eq!(of_page["tables"][0]["rows"], of_text["tables"][0]["rows"]);
    let inspected = builder(args!["inspect", &bundle, "--json"]).succeeds().json();
    let mut wanted: Vec<(String, String, String)> = Vec::new();
    for platform in inspected["platforms"].as_array().unwrap() {
        for file in platform["files"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            wanted.push((text(&file["name"]), text(&file["version"]), text(&platform["platform"])));
        }
    }
    let found: Vec<(String, String, String)> = of_page["tables"][0]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ["file", "version", "platform"].map(|key| row[key].as_str().unwrap().to_owned()).into())
        .collect();
    assert_eq!(found, wanted);
    assert_eq!(of_page["warnings"], json!([]));
}

#[test]
fn several_articles_make_several_recipes_and_copies_one() {
    let folder = tempfile::tempdir().unwrap();
    let first = write(folder.path(), "Q252717.txt", &article("Q252717", "SMS: A Title"));
    let copy = write(folder.path(), "Q252717-page.txt", &article("Q252717", "SMS: A Title"));
    let second = write(folder.path(), "Q249077.txt", &article("Q249077", "SMS: Another"));
    builder(args!["draft", &first, &second]).ends(ExitCode::BadCommandLine).says(&["2 articles", "--output"]);
    let found =
        builder(args!["draft", &first, &second, &copy, "-o", folder.path(), "--json"]).succeeds().json();
    let articles = found["articles"].as_array().unwrap();
    assert_eq!(articles.len(), 2);
    for (article, id) in articles.iter().zip(["Q252717", "Q249077"]) {
        assert_eq!((&article["id"], article["tables"].as_array().unwrap().len()), (&id.into(), 1));
        assert!(folder.path().join(id).join("update.toml").is_file());
    }
}

#[test]
fn what_is_no_article_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.txt");
    fs::write(&path, b"MZ\0\0").unwrap();
    builder(args!["draft", &path])
        .ends(ExitCode::BundleUnreadable)
        .says(&["x.txt is no article", "byte 2 is zero"]);
    let text = write(folder.path(), "y.txt", &article("Q252717", "SMS: A Title"));
    builder(args!["draft", &text, "--table", "2"])
        .ends(ExitCode::BadCommandLine)
        .says(&["--table is 2", "has 1 tables"]);
    builder(args!["article", &text]).ends(ExitCode::BadCommandLine).says(&["y.txt"]);
    builder(args!["article", &path, "-o", "x.pdf"]).ends(ExitCode::BadCommandLine).says(&[".htm", ".txt"]);
}
