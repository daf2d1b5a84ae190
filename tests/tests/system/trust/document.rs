//! What `keyring.toml` asks for.

use super::*;

#[test]
fn a_key_ring_is_taken_as_it_says_or_not_at_all() {
    let one = |keys: &[&str]| ring(1, 1, keys);
    let signed = |name, ring: &Ring| case(name).ring(ring).signed_by(&["Ann"]);
    let refuse = "expiry = \"refuse\"";
    let product = |lines: &str| format!("[[product]]\nname = \"{PRODUCT}\"\n{lines}");
    let floor =
        |update: &str, revision: u32| format!("[[floor]]\nupdate = \"{update}\"\nrevision = {revision}");
    let mut other_id = Base64::decode_to_vec(person("Ann").line(), None).unwrap();
    other_id[3] ^= 1;
    let other_id = Base64::encode_to_string(other_id).unwrap();
    let key = |name: &str, line: &str| format!("[[key]]\nname = \"{name}\"\nkey = \"{line}\"");
    try_all(&[
        signed("a ring that holds its keys", &one(&["Ann"])).good(&[]),
        signed(
            "a ring written on Windows",
            &one(&["Ann"]).replace("\n", "\r\n").replace("name = \"Ring\"", "\u{feff}name = \"Ring\""),
        )
        .good(&[]),
        signed("a revoked key", &one(&["Ann: revoked = \"lost\"", "Bob"]))
            .refused(&["no key", "Ann), revoked (lost)"]),
        signed("a revoked key beside enough others", &one(&["Ann: revoked = \"lost\"", "Bob"]))
            .signed_by(&["Bob"])
            .good(&[]),
        case("a bad signature of a revoked key")
            .ring(&one(&["Ann: revoked = \"lost\"", "Bob"]))
            .signed_by(&["Bob"])
            .signature("x", &altered(&signature("Ann"), 1, |bytes| bytes[20] ^= 1))
            .refused(&["does not match", "Ann"]),
        signed("a ring that expired and warns", &one(&["Ann"]).with("expires = \"2001-12-31\""))
            .good(&["note: the key ring \"Ring\" version 1 expired on 2001-12-31"]),
        signed(
            "a ring that expired and refuses",
            &one(&["Ann"]).with(&format!("expires = \"2001-12-31\"\n{refuse}")),
        )
        .refused(&["version 1 expired on 2001-12-31", "or later", "newer key ring"]),
        signed(
            "a ring that has not expired",
            &one(&["Ann"]).with(&format!("expires = \"9999-12-31\"\n{refuse}")),
        )
        .good(&[]),
        signed("a key past its day, told", &one(&["Ann: until = \"2001-12-31\""]))
            .good(&["Ann), valid until 2001-12-31"]),
        signed("a key past its day, refused", &one(&["Ann: until = \"2001-12-31\""]).with(refuse))
            .refused(&["no key", "not counted", "valid until 2001-12-31"]),
        signed("a key before its day, told", &one(&["Ann: from = \"9999-01-01\""]))
            .good(&["valid from 9999-01-01"]),
        signed("a key before its day, refused", &one(&["Ann: from = \"9999-01-01\""]).with(refuse))
            .refused(&["no key", "valid from 9999-01-01"]),
        signed(
            "a key on its days",
            &one(&["Ann: from = \"2000-01-01\"\nuntil = \"9999-12-31\""]).with(refuse),
        )
        .good(&[]),
        signed("a clock behind the ring's day is told", &one(&["Ann"]).replace("2000-01-01", "9998-01-01"))
            .good(&["the clock says", "was issued on 9998-01-01", "set the clock"]),
        signed(
            "a clock behind makes no late key good",
            &one(&["Ann: until = \"9997-12-31\""]).replace("2000-01-01", "9998-01-01").with(refuse),
        )
        .refused(&["valid until 9997-12-31, and it is 9998-01-01"]),
        signed("one key under two names", &one(&["Ann"]).and(&key("Bob", person("Ann").line())))
            .refused(&["Bob: is the same key as Ann"]),
        signed("one key under two ids", &one(&["Ann"]).and(&key("Bob", &other_id)))
            .refused(&["Bob: is the same key as Ann"]),
        signed("one name for two keys", &one(&["Ann"]).and(&key("aNN", person("Bob").line())))
            .refused(&["\"aNN\" is there twice"]),
        signed("a key that is none", &one(&["Ann"]).and(&key("Bob", "RWQ=")))
            .refused(&["Bob: is no minisign public key"]),
        signed("more signatures asked for than keys", &ring(1, 2, &["Ann"]))
            .refused(&["threshold of the key ring is 2", "1 key"]),
        signed(
            "more signatures asked for than keys that are not revoked",
            &ring(1, 2, &["Ann", "Bob: revoked = \"lost\""]),
        )
        .refused(&["threshold of the key ring is 2", "1 key"]),
        signed("no signature asked for", &ring(1, 0, &["Ann"])).refused(&[
            "line 3: `threshold`",
            "from 1",
            "found 0",
        ]),
        signed("a word that is not known", &one(&["Ann"]).with("treshold = 1"))
            .refused(&["line 1: the key `treshold`"]),
        signed("a table that is not known", &one(&["Ann"]).and("[[keys]]"))
            .refused(&["the table `keys` is not known"]),
        signed("a key that stands there twice", &one(&["Ann"]).with("threshold = 1"))
            .refused(&["line 4: `threshold` is there twice"]),
        signed("a version without a name", &one(&["Ann"]).replace("name = \"Ring\"\n", ""))
            .refused(&["with a version it must have a name"]),
        signed("a version without a day", &one(&["Ann"]).replace("issued", "#"))
            .refused(&["the day it was issued"]),
        signed("a version of zero", &ring(0, 1, &["Ann"])).refused(&["line 2: `version`", "found 0"]),
        signed(
            "a version of more than 32 bits",
            &one(&["Ann"]).replace("version = 1", "version = 4294967296"),
        )
        .refused(&["`version`"]),
        signed("a name that would move the cursor", &one(&["Ann"]).replace("\"Ring\"", "\"\\u001b[2J\""))
            .refused(&["line 1: `name`"]),
        signed("a day that is none", &one(&["Ann"]).with("expires = \"2027-02-31\""))
            .refused(&["\"2027-02-31\" is no day"]),
        signed("keys in the ring and beside it", &one(&["Ann"]))
            .keys(&["Bob"])
            .refused(&["leave one of the two there"]),
        signed("a ring of more bytes than are read", &one(&["Ann"]).and(&"# \n".repeat(30_000)))
            .refused(&["65536"]),
        case("a threshold for keys beside it")
            .keys(&["Ann", "Bob"])
            .file("keyring.toml", b"threshold = 2\n")
            .signed_by(&["Ann"])
            .refused(&["1 key of the key ring signed it, 2 must"]),
        signed("a product that asks for two", &one(&["Ann", "Bob"]).and(&product("threshold = 2")))
            .refused(&["1 key of the rule for product", PRODUCT, "2 must"]),
        signed(
            "a product that asks for two and gets them",
            &one(&["Ann", "Bob"]).and(&product("threshold = 2")),
        )
        .signed_by(&["Bob"])
        .good(&[]),
        signed(
            "a product that asks for somebody else",
            &one(&["Ann", "Bob"]).and(&product("threshold = 1\nkeys = [\"Bob\"]")),
        )
        .refused(&["no key of the rule for product", "signed by: ", "(Bob)"]),
        signed(
            "a product in capitals",
            &one(&["Ann", "Bob"]).and(&product("threshold = 2")).replace(PRODUCT, &PRODUCT.to_uppercase()),
        )
        .refused(&["1 key of the rule for product"]),
        signed(
            "another product's rule",
            &one(&["Ann", "Bob"]).and(&product("threshold = 2")).replace(PRODUCT, "Mail"),
        )
        .good(&[]),
        signed("a product cannot ask for less", &ring(1, 2, &["Ann", "Bob"]).and(&product("threshold = 1")))
            .refused(&["1 key of the key ring signed it, 2 must"]),
        signed(
            "a product that names nobody",
            &one(&["Ann"]).and(&product("threshold = 1\nkeys = [\"Eve\"]")),
        )
        .refused(&["names a key \"Eve\", which is not there"]),
        signed(
            "a product that asks for more than it names",
            &one(&["Ann", "Bob"]).and(&product("threshold = 2\nkeys = [\"Bob\"]")),
        )
        .refused(&["the threshold of the rule for product", "is 2", "1 key"]),
        signed("a revision that was withdrawn", &one(&["Ann"]).and(&floor("t1", 2))).refused(&[
            "T1 revision 1 was withdrawn",
            "\"Ring\" version 1 asks for revision 2",
            "--allow-downgrade",
        ]),
        signed("the oldest revision that was not withdrawn", &one(&["Ann"]).and(&floor("T1", 1))).good(&[]),
        signed("a floor of another update", &one(&["Ann"]).and(&floor("T2", 2))).good(&[]),
        signed("two floors of one update", &one(&["Ann"]).and(&floor("T1", 1)).and(&floor("t1", 2)))
            .refused(&["the update is there twice"]),
    ]);
}
