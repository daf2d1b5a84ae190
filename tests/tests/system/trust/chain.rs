//! Rings that follow one another.

use super::*;

#[test]
fn rings_are_followed_by_the_word_of_both() {
    let first = ring(1, 1, &["Ann"]);
    let second = ring(2, 1, &["Bob"]);
    let third = ring(3, 1, &["Cat"]);
    let both = |members: [Vec<(String, Vec<u8>)>; 2]| members.concat();
    let rotated = |name| case(name).ring(&first).carries(second.signed_by(&["Ann", "Bob"]));
    let not_by = |old: u32| format!("version 2 is not signed as version {old} asks for");
    let two = ring(1, 2, &["Ann", "Bob"]);
    let two_next = ring(2, 2, &["Bob", "Cat"]);
    let other_name = Ring { text: second.text.replace("\"Ring\"", "\"Other\""), ..second.clone() };
    let no_ring = Ring { text: "no ring".to_owned(), ..second.clone() };
    let down = Ring { text: second.text.replace("version = 2", "version = 1"), ..second.clone() };
    let without_ann = ring(2, 1, &["Ann: revoked = \"left\"", "Bob"]);
    let file = |name: &str, bytes: &[u8]| vec![(name.to_owned(), bytes.to_vec())];
    let mut bad = second.signed_by(&["Ann", "Bob"]);
    bad[1].1 = altered(&second.signature("Ann"), 1, |bytes| bytes[30] ^= 1).into_bytes();
    let many: Vec<_> = (2..=66).flat_map(|version| file(&format!("{version}.toml"), b"x")).collect();
    let signed_often: Vec<_> =
        (0..65).flat_map(|number| file(&format!("2.{number}.minisig"), b"x")).collect();
    let last = ring(u32::MAX, 1, &["Ann"]);
    let by_ann = |name, members| case(name).ring(&first).signed_by(&["Ann"]).carries(members);
    try_all(&[
        rotated("the next ring")
            .signed_by(&["Bob"])
            .good(&["version 2 is trusted by version 1", "keys --update"]),
        rotated("the key of the ring before signed what comes after")
            .signed_by(&["Ann"])
            .refused(&["no key of the key ring signed it", "(Bob)"]),
        case("two rings at once")
            .ring(&first)
            .carries(both([second.signed_by(&["Ann", "Bob"]), third.signed_by(&["Bob", "Cat"])]))
            .signed_by(&["Cat"])
            .good(&["version 3 is trusted by version 1"]),
        case("a ring signed by the one before only")
            .ring(&first)
            .carries(second.signed_by(&["Ann"]))
            .signed_by(&["Bob"])
            .refused(&["the bundle's key rings are refused", &not_by(2)]),
        case("a ring signed by itself only")
            .ring(&first)
            .carries(second.signed_by(&["Bob"]))
            .signed_by(&["Bob"])
            .refused(&[&not_by(1), "(Ann)"]),
        by_ann("a ring signed by nobody", second.signed_by(&[])).refused(&[&not_by(1), "signed by: nobody"]),
        by_ann("a ring signed by a stranger", second.signed_by(&["Eve"]))
            .refused(&[&not_by(1), &person("Eve").id()]),
        case("a ring one short of the threshold before")
            .ring(&two)
            .carries(two_next.signed_by(&["Bob", "Cat"]))
            .refused(&[&not_by(1), "1 key of the key ring signed it, 2 must"]),
        case("a ring one short of its own threshold")
            .ring(&two)
            .carries(two_next.signed_by(&["Ann", "Bob"]))
            .refused(&[&not_by(2), "1 key of the key ring signed it, 2 must"]),
        case("a ring that meets both thresholds")
            .ring(&two)
            .carries(two_next.signed_by(&["Ann", "Bob", "Cat"]))
            .signed_by(&["Bob", "Cat"])
            .good(&["version 2 is trusted by version 1"]),
        case("a signature of a ring that is there twice")
            .ring(&two)
            .carries(both([
                two_next.signed_by(&["Bob", "Cat"]),
                file("2.again.minisig", two_next.signature("Bob").as_bytes()),
            ]))
            .refused(&[&not_by(1), "1 key of the key ring signed it, 2 must"]),
        by_ann("a bad signature of a ring", bad).refused(&[&not_by(1), "does not match"]),
        by_ann(
            "a signature of the manifest in the place of one of a ring",
            both([second.signed_by(&["Bob"]), file("2.x.minisig", signature("Ann").as_bytes())]),
        )
        .refused(&[&not_by(1), "does not match"]),
        case("a missing version between")
            .ring(&first)
            .carries(third.signed_by(&["Bob", "Cat"]))
            .signed_by(&["Cat"])
            .refused(&["version 3, as version 2 is missing"]),
        by_ann("a missing version that is not needed", third.signed_by(&["Bob", "Cat"]))
            .good(&["note: key ring version 3 is not used, as version 2 is missing"]),
        by_ann("signatures of a ring that is not there", second.signed_by(&["Ann", "Bob"]).split_off(1))
            .good(&["key ring version 2 is not used, as version 2 is missing"]),
        case("an expired ring leads on")
            .ring(&first.clone().with("expires = \"2001-12-31\"\nexpiry = \"refuse\""))
            .carries(second.signed_by(&["Ann", "Bob"]))
            .signed_by(&["Bob"])
            .good(&[]),
        case("a key past its day signs the next ring")
            .ring(&ring(1, 1, &["Ann: until = \"2001-12-31\""]).with("expiry = \"refuse\""))
            .carries(second.signed_by(&["Ann", "Bob"]))
            .signed_by(&["Bob"])
            .good(&[]),
        case("the newest ring expired")
            .ring(&first)
            .signed_by(&["Bob"])
            .carries(
                second
                    .clone()
                    .with("expires = \"2001-12-31\"\nexpiry = \"refuse\"")
                    .signed_by(&["Ann", "Bob"]),
            )
            .refused(&["version 2 expired on 2001-12-31"]),
        case("an older ring is not looked at")
            .ring(&second)
            .carries(first.signed_by(&[]))
            .signed_by(&["Bob"])
            .good(&[]),
        case("an older ring replayed brings no key back")
            .ring(&second)
            .carries(first.signed_by(&["Ann"]))
            .signed_by(&["Ann"])
            .refused(&["no key of the key ring signed it"]),
        by_ann("the trusted version with the same bytes", first.signed_by(&[])).good(&[]),
        by_ann(
            "the trusted version with other ends of lines",
            first.clone().replace("\n", "\r\n").signed_by(&[]),
        )
        .good(&[]),
        by_ann("a signature of a ring of more bytes than are read", file("2.x.minisig", &[b'x'; 5000]))
            .malformed(&["keyring/2.x.minisig", "4096"]),
        by_ann("the trusted version with other bytes", first.clone().with("# forged").signed_by(&["Ann"]))
            .refused(&["two different texts of key ring \"Ring\" version 1"]),
        by_ann("a version that goes down", down.signed_by(&["Ann", "Bob"]))
            .refused(&["version 1 stands where keyring/2.toml is wanted"]),
        by_ann("a ring of another name", other_name.signed_by(&["Ann", "Bob"]))
            .refused(&["\"Other\" version 2 stands where key ring \"Ring\" version 2 is wanted"]),
        by_ann("what is no ring, signed", no_ring.signed_by(&["Ann"]))
            .refused(&["cannot be read", "keyring/2.toml: line 1"]),
        by_ann("what is no ring, not signed, is not even read", no_ring.signed_by(&[]))
            .refused(&[&not_by(1)]),
        case("a key revoked by the ring that it signs")
            .ring(&first)
            .carries(without_ann.signed_by(&["Ann", "Bob"]))
            .signed_by(&["Bob"])
            .good(&[]),
        case("a manifest signed by a key that the next ring revoked")
            .ring(&first)
            .signed_by(&["Ann"])
            .carries(without_ann.signed_by(&["Ann", "Bob"]))
            .refused(&["(Ann), revoked (left)"]),
        case("a revoked key signs no ring")
            .ring(&ring(1, 1, &["Ann: revoked = \"left\"", "Cat"]))
            .carries(second.signed_by(&["Ann", "Bob"]))
            .refused(&[&not_by(1), "revoked (left)"]),
        case("a product's rule is none for rings")
            .signed_by(&["Bob"])
            .ring(
                &ring(1, 1, &["Ann", "Cat"])
                    .and(&format!("[[product]]\nname = \"{PRODUCT}\"\nthreshold = 2")),
            )
            .carries(second.signed_by(&["Ann", "Bob"]))
            .good(&[]),
        case("a floor of the next ring")
            .ring(&first)
            .signed_by(&["Bob"])
            .carries(
                second.clone().and("[[floor]]\nupdate = \"T1\"\nrevision = 7").signed_by(&["Ann", "Bob"]),
            )
            .refused(&["\"Ring\" version 2 asks for revision 7"]),
        case("a key without a ring follows none")
            .keys(&["Ann"])
            .signed_by(&["Ann"])
            .carries(second.signed_by(&["Eve"]))
            .good(&[]),
        case("the chain stands beside the keys")
            .ring(&first)
            .beside(second.signed_by(&["Ann", "Bob"]))
            .signed_by(&["Bob"])
            .good(&[]),
        case("the chain is beside the keys and in the bundle")
            .ring(&first)
            .beside(second.signed_by(&["Ann", "Bob"]))
            .carries(third.signed_by(&["Bob", "Cat"]))
            .signed_by(&["Cat"])
            .good(&["version 3 is trusted by version 1"]),
        case("the bundle carries what is missing beside the keys")
            .ring(&first)
            .beside(third.signed_by(&["Bob", "Cat"]))
            .carries(second.signed_by(&["Ann", "Bob"]))
            .signed_by(&["Cat"])
            .good(&["version 3 is trusted by version 1"]),
        case("neither beside the keys nor in the bundle")
            .ring(&first)
            .beside(third.signed_by(&["Bob", "Cat"]))
            .signed_by(&["Ann"])
            .good(&["note: key ring version 3 is not used, as version 2 is missing"]),
        case("a forged ring beside the keys")
            .ring(&first)
            .beside(second.signed_by(&["Eve"]))
            .signed_by(&["Ann"])
            .refused(&[&not_by(1), "beside the key ring"]),
        case("other files beside the keys")
            .ring(&first)
            .beside(file("Thumbs.db", b"x"))
            .signed_by(&["Ann"])
            .good(&[]),
        case("the last version there can be").ring(&last).signed_by(&["Ann"]).good(&[]),
        by_ann("a ring without a version in its name", file("x.toml", b"x"))
            .malformed(&["x.toml is no part of a chain"]),
        by_ann("a version with a leading zero", file("02.toml", b"x"))
            .malformed(&["02.toml is no part of a chain"]),
        by_ann("a version of zero in a name", file("0.toml", b"x"))
            .malformed(&["0.toml is no part of a chain"]),
        by_ann("a version too large in a name", file("4294967296.toml", b"x"))
            .malformed(&["4294967296.toml is no part of a chain"]),
        by_ann("a file that is no part of a chain", file("readme.txt", b"x"))
            .malformed(&["readme.txt is no part of a chain"]),
        by_ann("a signature of a ring that is no text", file("2.x.minisig", b"\xff"))
            .malformed(&["2.x.minisig is no part of a chain"]),
        by_ann("a ring of the bundle of more bytes than are read", file("2.toml", &[b'#'; 65_537]))
            .malformed(&["keyring/2.toml", "65536"]),
        by_ann("more rings than any chain has", many).malformed(&["more than 64 key rings"]),
        by_ann("more signatures of a ring than any has", signed_often).malformed(&["more than 64"]),
    ]);
}
