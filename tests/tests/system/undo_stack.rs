//! Updates over one another: whose each file is, and in which order they are taken back.

use std::fs;

use qfe_patcher::exit::ExitCode;
use qfe_tests::programs::patcher;
use qfe_tests::samples::{Server, tiny, tiny_successor, workshop};
use qfe_tests::{args, tree};
use serde_json::Value;

/// Returns a server with the old files of T1.
fn tiny_server() -> Server {
    let server = Server::new("i386");
    for (name, bytes) in &tiny().old {
        fs::write(server.bin().join(name), bytes).unwrap();
    }
    server
}

fn file_states(server: &Server, id: &str) -> Vec<(String, String)> {
    let status = server.run("status").succeeds().json();
    let update =
        status["updates"].as_array().unwrap().iter().find(|update| update["id"] == id).unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let file = |file: &Value| (text(&file["path"]), text(&file["state"]));
    update["files"].as_array().unwrap().iter().map(file).collect()
}

#[test]
fn a_superseding_update_owns_its_files_until_it_is_rolled_back() {
    let server = tiny_server();
    let before = tree::read_product(server.root());
    server.apply(&tiny().bundle).succeeds();
    let between = tree::read_product(server.root());
    server.apply(&tiny_successor().bundle).succeeds();
    let states = file_states(&server, "T1");
    let of = |name: &str| states.iter().find(|(path, _)| path.ends_with(name)).unwrap().1.clone();
    assert_eq!(
        [of("One.ini"), of("New.ini"), of("Two.ini")],
        ["replaced-by-later", "replaced-by-later", "as-installed"]
    );
    let status = server.run("status").succeeds().json();
    assert_eq!(status["updates"][0]["superseded_by"], "T2");

    patcher(args!["rollback", "T1", "--target", server.root()]).ends(ExitCode::UndoOrder).says(&["T2"]);
    assert_eq!(server.run("rollback").succeeds().json()["id"], "T2");
    assert!(tree::read_product(server.root()) == between);
    assert!(file_states(&server, "T1").iter().all(|(_, state)| state == "as-installed"));
    assert_eq!(server.run("rollback").succeeds().json()["id"], "T1");
    assert!(tree::read_product(server.root()) == before);
}

#[test]
fn a_superseded_update_changes_nothing_any_more() {
    let server = tiny_server();
    server.apply(&tiny().bundle).succeeds();
    server.apply(&tiny_successor().bundle).succeeds();
    let installed = tree::read_product(server.root());
    let again = server.apply(&tiny().bundle).succeeds().json();
    assert_eq!(again["outcome"], "already-current");
    assert!(again["notes"].to_string().contains("superseded by T2"), "{again}");
    assert!(again["files"].to_string().contains("of-later-update"), "{again}");
    assert!(tree::read_product(server.root()) == installed);

    fs::write(server.bin().join("Two.ini"), "damaged").unwrap();
    server.apply(&tiny().bundle).ends(ExitCode::WrongTarget).says(&["T2 is installed", "apply T2 again"]);
    assert_eq!(fs::read(server.bin().join("Two.ini")).unwrap(), b"damaged");
}

#[test]
fn a_repair_made_after_another_update_is_undone_before_that_one() {
    let server = Server::new("alpha");
    let before = tree::read_product(server.root());
    let other = workshop().path("stack-Q249077.zip");
    workshop().build("Q249077", &other, &[]).succeeds();
    server.apply(&workshop().bundle()).succeeds();
    server.apply(&other).succeeds();
    fs::write(server.bin().join("Ccm.dll"), "damaged").unwrap();
    assert_eq!(server.apply(&workshop().bundle()).succeeds().json()["outcome"], "changed");

    patcher(args!["rollback", "Q249077", "--target", server.root()])
        .ends(ExitCode::UndoOrder)
        .says(&["Q252717"]);
    for id in ["Q252717", "Q249077", "Q252717"] {
        assert_eq!(server.run("rollback").succeeds().json()["id"], id);
    }
    assert!(tree::read_product(server.root()) == before);
    server.run("rollback").ends(ExitCode::NotInstalled);
}
