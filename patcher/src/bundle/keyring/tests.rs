//! Signatures of stock minisign, and the rule by which they count.

use super::*;

// minisign 0.11: `minisign -G -W`, then `printf test > m; minisign -S -m m`.
const PUBLIC: &str = include_str!("a.pub");
const OTHER: &str = include_str!("b.pub");
const SIGNATURE: &str = include_str!("m.a.minisig");
const OTHER_SIGNATURE: &str = include_str!("m.b.minisig");

fn signed(bytes: &[u8], signatures: &[&str]) -> Signed {
    let signatures =
        signatures.iter().enumerate().map(|(n, text)| (n.to_string(), (*text).to_owned())).collect();
    Signed { bytes: bytes.to_vec(), signatures }
}

fn verify(ring: &KeyRing, signed: &Signed) -> Result<usize, TrustError> {
    ring.check(signed).map(|signers| signers.len())
}

fn two_of_two() -> KeyRing {
    KeyRing::new([("a.pub", PUBLIC), ("b.pub", OTHER)], Some("threshold = 2")).unwrap()
}

#[test]
fn a_signature_of_stock_minisign_is_believed() {
    let ring = KeyRing::new([("a.pub", PUBLIC)], None).unwrap();
    assert_eq!(verify(&ring, &signed(b"test", &[SIGNATURE])), Ok(1));
}

#[test]
fn changed_bytes_or_a_changed_signature_are_refused() {
    let ring = KeyRing::new([("a.pub", PUBLIC)], None).unwrap();
    assert!(matches!(verify(&ring, &signed(b"tesu", &[SIGNATURE])), Err(TrustError::BadSignature { .. })));
    for at in 0..SIGNATURE.len() {
        let mut text = SIGNATURE.as_bytes().to_vec();
        text[at] ^= 1;
        let Ok(text) = String::from_utf8(text) else { continue };
        let untrusted_comment = at < SIGNATURE.find('\n').unwrap();
        let result = verify(&ring, &signed(b"test", &[&text]));
        assert!(result.is_err() || untrusted_comment, "byte {at} changed: {result:?}");
    }
}

#[test]
fn a_duplicated_signature_counts_once() {
    let result = verify(&two_of_two(), &signed(b"test", &[SIGNATURE, SIGNATURE]));
    assert!(matches!(result, Err(TrustError::Threshold { threshold: 2, .. })), "{result:?}");
}

#[test]
fn the_threshold_is_met_by_different_keys() {
    assert_eq!(verify(&two_of_two(), &signed(b"test", &[SIGNATURE, OTHER_SIGNATURE])), Ok(2));
}

#[test]
fn unknown_signers_and_no_signers_are_refused_by_name() {
    let ring = KeyRing::new([("b.pub", OTHER)], None).unwrap();
    assert!(matches!(verify(&ring, &signed(b"test", &[SIGNATURE])), Err(TrustError::Threshold { .. })));
    let error = verify(&ring, &signed(b"test", &[])).unwrap_err().to_string();
    assert!(error.contains("signed by: nobody"), "{error}");
}

#[test]
fn one_bad_signature_of_a_known_key_spoils_the_rest() {
    let broken = OTHER_SIGNATURE.replace("trusted comment: timestamp:", "trusted comment: timestamp;");
    let ring = KeyRing::new([("a.pub", PUBLIC), ("b.pub", OTHER)], None).unwrap();
    let result = verify(&ring, &signed(b"test", &[SIGNATURE, &broken]));
    assert!(matches!(result, Err(TrustError::BadSignature { .. })), "{result:?}");
}

#[test]
fn thresholds_that_cannot_be_met_or_mean_nothing_are_refused() {
    let error = KeyRing::new([("a.pub", PUBLIC)], Some("threshold = 2")).unwrap_err().to_string();
    assert!(error.starts_with("the threshold of the key ring is 2, and it holds 1 key: so many"), "{error}");
    assert!(KeyRing::new([], None).is_err());
    for policy in ["threshold = 0", "treshold = 1", ""] {
        let error = KeyRing::new([("a.pub", PUBLIC)], Some(policy)).unwrap_err();
        assert!(matches!(error, KeyRingError::Policy { .. }), "{error}");
    }
}

fn line(public: &str) -> &str {
    public.lines().nth(1).unwrap()
}

/// A ring of two keys, Ann (of `SIGNATURE`) and Bob, with these lines before them and behind each.
fn ring(before: &str, ann: &str, bob: &str, behind: &str) -> Result<KeyRing, KeyRingError> {
    let key = |name: &str, public: &str, more: &str| {
        format!("[[key]]\nname = \"{name}\"\nkey = \"{}\"\n{more}\n", line(public))
    };
    let text = format!("{before}\n{}{}{behind}\n", key("Ann", PUBLIC, ann), key("Bob", OTHER, bob));
    KeyRing::new([], Some(&text))
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// Judges a text that Ann and Bob signed, on a day, for a product.
fn judged(ring: &KeyRing, product: &str, clock: &str) -> Result<Judgement, TrustError> {
    let signed = signed(b"test", &[SIGNATURE, OTHER_SIGNATURE]);
    let parse = |_: &[u8]| Ok::<_, TrustError>(product.to_owned());
    ring.clone().verify(&signed, day(clock), parse, |product| product).map(|verified| verified.judgement)
}

#[test]
fn a_revoked_key_never_counts_and_is_named_with_the_reason() {
    let ring = ring("threshold = 1", "revoked = \"lost\"", "", "").unwrap();
    assert_eq!(verify(&ring, &signed(b"test", &[SIGNATURE, OTHER_SIGNATURE])), Ok(1));
    let error = verify(&ring, &signed(b"test", &[SIGNATURE])).unwrap_err().to_string();
    assert!(error.starts_with("no key of the key ring signed it, 1 must; signed by: "), "{error}");
    assert!(error.contains("(Ann); the key ring holds: "), "{error}");
    assert!(error.ends_with("(Ann), revoked (lost)"), "{error}");
}

#[test]
fn a_threshold_that_only_a_revoked_key_could_meet_is_refused() {
    let error = ring("threshold = 2", "revoked = \"lost\"", "", "").unwrap_err();
    assert!(matches!(error, KeyRingError::Threshold { threshold: 2, keys: 1, .. }), "{error}");
}

#[test]
fn one_key_under_two_names_or_two_ids_is_refused() {
    let key = |name: &str, line: &str| format!("[[key]]\nname = \"{name}\"\nkey = \"{line}\"\n");
    let mut bytes = Base64::decode_to_vec(line(PUBLIC), None).unwrap();
    bytes[2] ^= 1;
    let other_id = <Base64 as ct_codecs::Encoder>::encode_to_string(&bytes).unwrap();
    for second in [line(PUBLIC), other_id.as_str()] {
        let text = format!("threshold = 1\n{}{}", key("Ann", line(PUBLIC)), key("Bob", second));
        let error = KeyRing::new([], Some(&text)).unwrap_err();
        assert_eq!(error.to_string(), "Bob: is the same key as Ann: one key must not count twice");
    }
    let file = format!("untrusted comment: x\n{other_id}\n");
    let error = KeyRing::new([("a.pub", PUBLIC), ("b.pub", &file)], None).unwrap_err();
    assert!(matches!(error, KeyRingError::SameKey { .. }), "{error}");
}

#[test]
fn keys_are_in_the_ring_or_beside_it() {
    let text = format!("threshold = 1\n[[key]]\nname = \"Ann\"\nkey = \"{}\"", line(PUBLIC));
    assert!(KeyRing::new([], Some(&text)).is_ok());
    let error = KeyRing::new([("b.pub", OTHER)], Some(&text)).unwrap_err().to_string();
    assert!(error.contains("key files (*.pub) beside it"), "{error}");
}

#[test]
fn dates_are_told_or_refuse_as_the_ring_says() {
    let dates = "issued = \"2026-01-01\"\nexpires = \"2026-12-31\"";
    for (clock, ann, note) in [
        ("2026-01-01", "", None),
        ("2026-12-31", "", None),
        ("2027-01-01", "", Some("expired on 2026-12-31")),
        ("2025-12-31", "", Some("the clock says 2025-12-31, but the key ring was issued on 2026-01-01")),
        ("2026-05-05", "until = \"2026-05-05\"", None),
        ("2026-05-06", "until = \"2026-05-05\"", Some("valid until 2026-05-05, and it is 2026-05-06")),
        ("2026-05-04", "from = \"2026-05-05\"", Some("valid from 2026-05-05, and it is 2026-05-04")),
        ("2026-05-05", "from = \"2026-05-05\"", None),
    ] {
        let warns = ring(&format!("threshold = 2\n{dates}"), ann, "", "").unwrap();
        let notes = judged(&warns, "p", clock).unwrap().notes.join("\n");
        assert!(notes.contains(note.unwrap_or_default()) && note.is_some() != notes.is_empty(), "{notes}");
        let refuses = ring(&format!("threshold = 2\nexpiry = \"refuse\"\n{dates}"), ann, "", "").unwrap();
        let is_of_clock = note.is_some_and(|note| note.starts_with("the clock"));
        let result = judged(&refuses, "p", clock);
        assert_eq!(result.is_err(), note.is_some() && !is_of_clock, "{clock}: {result:?}");
    }
}

#[test]
fn a_clock_set_back_makes_no_expired_ring_good() {
    let text = "threshold = 1\nexpiry = \"refuse\"\nexpires = \"2026-12-31\"";
    let ring = ring(text, "", "", "").unwrap();
    let signed = signed(b"test", &[SIGNATURE]);
    let parse = |_: &[u8]| Ok::<_, TrustError>(());
    let verified = ring.verify(&signed, day("2026-06-01"), parse, |()| "p").unwrap();
    let seen = |text: &str| verified.trust().judge(Some((day(text), "Q1 was applied".to_owned())));
    assert_eq!(seen("2026-06-01").unwrap().notes, [""; 0]);
    let notes = seen("2026-12-31").unwrap().notes;
    assert!(notes[0].contains("Q1 was applied on 2026-12-31"), "{notes:?}");
    let error = seen("2027-01-01").unwrap_err().to_string();
    assert!(error.contains("2026-12-31") && error.contains("it is 2027-01-01 or later"), "{error}");
}

#[test]
fn a_product_asks_for_more_and_for_certain_keys_and_never_for_less() {
    let rule = |text: &str| format!("[[product]]\nname = \"Mail\"\n{text}");
    let ring_of = |threshold: usize, text: &str| {
        ring(&format!("threshold = {threshold}"), "", "", &rule(text)).unwrap()
    };
    let by_ann = |ring: &KeyRing, product: &str| {
        let parse = |_: &[u8]| Ok::<_, TrustError>(product.to_owned());
        let signed = signed(b"test", &[SIGNATURE]);
        ring.clone().verify(&signed, day("2026-01-01"), parse, |product| product).map(drop)
    };
    let more = ring_of(1, "threshold = 2");
    assert!(by_ann(&more, "Other").is_ok());
    let error = by_ann(&more, "mail").unwrap_err().to_string();
    assert!(error.starts_with("1 key of the rule for product \"Mail\" signed it, 2 must"), "{error}");
    assert!(judged(&more, "Mail", "2026-01-01").is_ok());
    let only_bob = ring_of(1, "threshold = 1\nkeys = [\"Bob\"]");
    assert!(by_ann(&only_bob, "Mail").is_err());
    assert!(judged(&only_bob, "Mail", "2026-01-01").is_ok());
    assert!(by_ann(&ring_of(2, "threshold = 1"), "Mail").is_err());
    for text in ["threshold = 3", "threshold = 2\nkeys = [\"Bob\"]"] {
        let error = ring("threshold = 1", "", "", &rule(text)).unwrap_err();
        assert!(matches!(error, KeyRingError::Threshold { .. }), "{error}");
    }
    let error = ring("threshold = 1", "", "", &rule("threshold = 1\nkeys = [\"Eve\"]")).unwrap_err();
    assert!(error.to_string().contains("names a key \"Eve\", which is not there"), "{error}");
}

#[test]
fn nothing_is_parsed_before_enough_keys_signed() {
    let parse = |_: &[u8]| -> Result<(), TrustError> { panic!("it was parsed") };
    let signed = signed(b"test", &[SIGNATURE]);
    assert!(two_of_two().verify(&signed, day("2026-01-01"), parse, |()| "p").is_err());
}

#[test]
fn a_signature_file_with_anything_behind_it_is_refused() {
    let ring = KeyRing::new([("a.pub", PUBLIC)], None).unwrap();
    let result = verify(&ring, &signed(b"test", &[&format!("{SIGNATURE}more\n")]));
    assert!(matches!(result, Err(TrustError::NotASignature { .. })), "{result:?}");
}

#[test]
fn a_floor_is_of_one_update_whatever_its_case() {
    let ring = ring("threshold = 1", "", "", "[[floor]]\nupdate = \"Q1\"\nrevision = 2").unwrap();
    assert_eq!(ring.floor(&"q1".parse().unwrap()), Some(2));
    assert_eq!(ring.floor(&"Q2".parse().unwrap()), None);
}
