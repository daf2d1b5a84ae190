//! Who signed, and how many must.

use super::*;

#[test]
fn signatures_are_counted_by_one_rule() {
    let two = || ring(1, 2, &["Ann", "Bob"]);
    let ann = signature("Ann");
    let (ann_id, bob_id) = (person("Ann").id(), person("Bob").id());
    let one_of_two = ["1 key of the key ring signed it, 2 must"];
    let no_form = "is not in minisign's format";
    let other_manifest = {
        let bytes = [&contents().manifest[..], b" "].concat();
        person("Ann").key.sign(&Manifest::parse(&bytes).unwrap(), &bytes).unwrap()
    };
    let mut changed = case("the manifest was changed after it was signed").keys(&["Ann"]).signed_by(&["Ann"]);
    changed.contents.manifest.push(b' ');
    let mut many = case("more signatures than any bundle has").keys(&["Ann"]).signed_by(&["Ann"]);
    for number in 0..64 {
        many = many.signature(&format!("{number}"), &ann);
    }
    try_all(&[
        case("one key signed, one must").keys(&["Ann"]).signed_by(&["Ann"]).good(&["Signed by"]),
        case("one of two keys signed, one must").keys(&["Ann", "Bob"]).signed_by(&["Bob"]).good(&[]),
        case("nobody signed").keys(&["Ann"]).refused(&[
            "no key of the key ring signed it",
            "signed by: nobody",
            &ann_id,
        ]),
        case("a stranger signed").keys(&["Ann"]).signed_by(&["Eve"]).refused(&[&person("Eve").id(), &ann_id]),
        case("the threshold is short by one").ring(&two()).signed_by(&["Ann"]).refused(&one_of_two),
        case("the threshold is met").ring(&two()).signed_by(&["Ann", "Bob"]).good(&[]),
        case("a stranger makes no second").ring(&two()).signed_by(&["Ann", "Eve"]).refused(&one_of_two),
        case("a stranger beside enough does no harm")
            .ring(&two())
            .signed_by(&["Ann", "Bob", "Eve"])
            .good(&[]),
        case("a signature that is there twice")
            .ring(&two())
            .signed_by(&["Ann"])
            .signature("again", &ann)
            .refused(&one_of_two),
        case("two signatures of one key that differ by comment")
            .ring(&two())
            .signed_by(&["Ann"])
            .signature("again", &ann.replacen("untrusted comment: ", "untrusted comment: another ", 1))
            .refused(&one_of_two),
        case("a signature under the other key's name")
            .ring(&two())
            .signature(&bob_id, &ann)
            .refused(&one_of_two),
        case("a signature that names another key")
            .keys(&["Ann", "Bob"])
            .signature(
                "x",
                &altered(&ann, 1, |bytes| {
                    let bob = Base64::decode_to_vec(person("Bob").line(), None).unwrap();
                    bytes[2..10].copy_from_slice(&bob[2..10]);
                }),
            )
            .refused(&["does not match", &bob_id, "Bob.pub"]),
        case("one bad signature beside enough good ones")
            .keys(&["Ann", "Bob"])
            .signed_by(&["Ann"])
            .signature("x", &altered(&signature("Bob"), 1, |bytes| bytes[20] ^= 1))
            .refused(&["does not match", &bob_id]),
        case("an unknown algorithm")
            .keys(&["Ann"])
            .signature("x", &altered(&ann, 1, |bytes| bytes[1] = b'x'))
            .refused(&["signatures/x.minisig", no_form]),
        case("the old form, not hashed before")
            .keys(&["Ann"])
            .signature("x", &altered(&ann, 1, |bytes| bytes[1] = b'd'))
            .refused(&["does not match"]),
        case("lines behind the signature")
            .keys(&["Ann"])
            .signature("x", &format!("{ann}more\n"))
            .refused(&[no_form, "more than four lines"]),
        case("bytes behind the signature")
            .keys(&["Ann"])
            .signature("x", &altered(&ann, 1, |bytes| bytes.push(0)))
            .refused(&[no_form]),
        case("a signature cut off")
            .keys(&["Ann"])
            .signature("x", &altered(&ann, 1, |bytes| bytes.truncate(40)))
            .refused(&[no_form]),
        case("a signature without its second half")
            .keys(&["Ann"])
            .signature("x", &ann.lines().take(2).collect::<Vec<_>>().join("\n"))
            .refused(&[no_form]),
        case("a signature that is no base64")
            .keys(&["Ann"])
            .signature("x", &ann.replace("\nRU", "\n!!"))
            .refused(&[no_form]),
        case("an empty signature").keys(&["Ann"]).signature("x", "").refused(&[no_form]),
        case("a signature of more bytes than are read")
            .keys(&["Ann"])
            .signature("x", &format!("{ann}{}", "x".repeat(5000)))
            .malformed(&["signatures/x.minisig", "4096"]),
        case("a comment that is signed too was changed")
            .keys(&["Ann"])
            .signature("x", &ann.replace("trusted comment: qfe", "trusted comment: qfE"))
            .refused(&["does not match"]),
        changed.refused(&["does not match", &ann_id]),
        case("a signature replayed from another manifest")
            .keys(&["Ann"])
            .signature("x", &other_manifest)
            .refused(&["does not match"]),
        case("a signature of a key ring in the place of one of the manifest")
            .keys(&["Ann"])
            .signature("x", &two().signature("Ann"))
            .refused(&["does not match"]),
        many.malformed(&["65 signatures", "64"]),
    ]);
}
