//! Keys, signatures, and the file that says how many are wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use ct_codecs::{Base64, Encoder};
use qfe_builder::sign::{SigningKey, is_locked};
use qfe_patcher::bundle::keyring::{KeyRing, Signed, claimed_signer};

use super::{Target, join, split};

// minisign 0.11: `minisign -G -W`, then `printf test > m; minisign -S -m m`.
const PUBLIC: &str = include_str!("../../../patcher/src/bundle/keyring/a.pub");
const OTHER: &str = include_str!("../../../patcher/src/bundle/keyring/b.pub");
const SIGNED: &str = include_str!("../../../patcher/src/bundle/keyring/m.a.minisig");
/// What was signed.
const TEXT: &[u8] = b"test";

/// The reader of key rings.
pub(super) const KEY_RING: Target = Target {
    name: "key_ring",
    reads: "a public key and keyring.toml",
    run: key_ring,
    seeds: || {
        let policies =
            ["threshold = 1\n", "\u{feff}# Two must sign.\r\n\r\n\tthreshold =  2 # two\r\n", "", RING];
        policies.map(|policy| join(PUBLIC.as_bytes(), policy.as_bytes())).into()
    },
    words: &[
        b"untrusted comment: ",
        b"threshold",
        b" = ",
        b"#",
        b"\xef\xbb\xbf",
        b"RW",
        b"\r\n",
        b"==",
        b"name = \"",
        b"version = ",
        b"issued = \"2026-01-31\"",
        b"expires = \"2027-01-31\"",
        b"expiry = \"refuse\"",
        b"[[key]]\n",
        b"key = \"",
        b"from = \"2026-01-01\"",
        b"until = \"2028-01-01\"",
        b"revoked = \"lost\"",
        b"[[product]]\n",
        b"keys = [\"Ann\"]",
        b"[[floor]]\n",
        b"update = \"Q1\"",
        b"revision = 2",
    ],
    largest: 4096,
};

/// A key ring with all there is; its keys are those of `PUBLIC` and `OTHER`.
const RING: &str = r#"
name = "Ring"
version = 3
threshold = 1
issued = "2026-01-31"
expires = "2027-01-31"
expiry = "refuse"
[[key]]
name = "Ann"
key = "RWR1TxQwjkV0Ph6ucK9sSVSSX21RG/UsLyvz6ZCVHkPn41dDy9ua4Twc"
from = "2026-01-01"
until = "2028-01-01"
[[key]]
name = "Bob"
key = "RWT5HGurL+/L+0crH1Hy28RxKthJ7S4cu1pcw0WRVQeRBtF62XvZKshc"
revoked = "lost"
[[product]]
name = "p"
threshold = 1
keys = ["Ann"]
[[floor]]
update = "Q1"
revision = 2
"#;

/// The reader of signatures.
pub(super) const SIGNATURE: Target = Target {
    name: "signature",
    reads: "a signature file",
    run: signature,
    seeds: || vec![SIGNED.into()],
    words: &[b"untrusted comment: ", b"trusted comment: ", b"RUQ", b"RUR", b"\r\n", b"=="],
    largest: 4096,
};

/// The reader of secret keys.
pub(super) const SECRET_KEY: Target = Target {
    name: "secret_key",
    reads: "a secret key file",
    run: secret_key,
    seeds: || vec![secret(*b"Ed\0\0B2").into_bytes(), secret(*b"EdScB2").into_bytes()],
    words: &[b"untrusted comment: ", b"RWQAAEIy", b"RWRTY0Iy", b"\r\n", b"==", b"AAAAAAAA"],
    largest: 4096,
};

fn key_ring(input: &[u8]) {
    let (key, policy) = split(input);
    let (Ok(key), Ok(policy)) = (str::from_utf8(key), str::from_utf8(policy)) else { return };
    for policy in [None, Some(policy)] {
        // Beside another key, a threshold may be two.
        for keys in [&[("key", key)][..], &[("key", key), ("other", OTHER)]] {
            drop(KeyRing::new(keys.iter().copied(), policy));
        }
        let Ok(ring) = KeyRing::new([], policy) else { continue };
        let counting = ring.keys().iter().filter(|key| key.revoked.is_none()).count();
        assert!(
            ring.rules().iter().all(|rule| (1..=counting).contains(&rule.threshold)),
            "a threshold that means nothing or cannot be met"
        );
        assert!(ring.edition().is_none_or(|edition| edition.version > 0 && ring.issued().is_some()));
        let names: BTreeSet<String> = ring.keys().iter().map(|key| key.name.to_ascii_lowercase()).collect();
        assert_eq!(names.len(), ring.keys().len(), "two keys of one name");
    }
}

fn signature(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let claimed = claimed_signer("signature", text).ok();
    let ring = KeyRing::new([("key", PUBLIC)], None).expect("it is a key");
    let signed = Signed {
        bytes: TEXT.to_vec(),
        signatures: BTreeMap::from([("signature".to_owned(), text.to_owned())]),
    };
    if let Ok(signers) = ring.check(&signed) {
        assert!(signers.iter().eq(claimed.iter()), "who signed is who was claimed");
    }
}

fn secret_key(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let locked = is_locked("key", text);
    // Without a password, for a try of one takes a second.
    if let Ok(key) = SigningKey::read("key", text, &[]) {
        assert!(locked.is_ok_and(|locked| !locked), "a key that is locked opens without a password");
        black_box((key.public_text(), key.signature_name()));
    }
}

/// RFC 8032, section 7.1, test 1: the secret key, then the public one.
const PAIR: [u64; 8] = [
    0x9d61_b19d_effd_5a60,
    0xba84_4af4_92ec_2cc4,
    0x4449_c569_7b32_6919,
    0x703b_ac03_1cae_7f60,
    0xd75a_9801_82b1_0ab7,
    0xd54b_fed3_c964_073a,
    0x0ee1_72f3_daa6_2325,
    0xaf02_1a68_f707_511a,
];

/// Makes a secret key file as stock minisign does, without its checksum.
fn secret(algorithms: [u8; 6]) -> String {
    let pair: Vec<u8> = PAIR.iter().flat_map(|word| word.to_be_bytes()).collect();
    // Salt, limits and id, then the pair, then the checksum.
    let key = [&algorithms[..], &[0; 56], &pair, &[0; 32]].concat();
    let text = Base64::encode_to_string(key).expect("it is short");
    format!("untrusted comment: minisign encrypted secret key\n{text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_a_ring() {
        let ring = KeyRing::new([], Some(RING)).unwrap();
        assert_eq!((ring.keys().len(), ring.rules().len(), ring.floors().len()), (2, 2, 1));
    }

    #[test]
    fn the_key_without_a_password_opens() {
        assert!(SigningKey::read("key", &secret(*b"Ed\0\0B2"), &[]).is_ok());
        assert!(is_locked("key", &secret(*b"EdScB2")).unwrap());
    }
}
