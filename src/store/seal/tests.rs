use super::*;
use crate::secret::secret;
use crate::store::key::Key;
use data_encoding::HEXLOWER;
use std::path::Path;

const BINDING: Binding<'static> =
    Binding { user: "j\u{f6}rg", token: TokenId(7), algorithm: "SHA256", digits: 8, period: 60 };

/// Made by libsodium, by way of `PyNaCl` 1.6, with the key 00 01 … 1f and the nonce 40 41 … 57:
///
/// ```python
/// text = lambda s: struct.pack(">Q", len(s.encode())) + s.encode()
/// data = b"openvpn-2fa: sealed TOTP secret, version 1\0" + text("jörg") + text("SHA256") + struct.pack(">qBI", 7, 8, 60)
/// nonce + nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(b"12345678901234567890", data, nonce, key)
/// ```
const BY_LIBSODIUM: &str = "404142434445464748494a4b4c4d4e4f5051525354555657\
    e50b3644e5d64e2eb6c4b68c9ca850a4a58294f4\
    d948be67567d5e5dc79842856a1f80d6";
const SECRET: &[u8] = b"12345678901234567890";

/// The key 00 01 … 1f, plus `first`.
fn key(first: u8) -> Key {
    let bytes: Vec<u8> = (first..first + 32).collect();
    Key::of_hex(&HEXLOWER.encode(&bytes), Path::new("/etc/k"))
}

struct Counting;

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        bytes.iter_mut().zip(0x40..).for_each(|(byte, value)| *byte = value);
        Ok(())
    }
}

#[test]
fn libsodium_makes_the_same_of_it() {
    let sealed = seal(&key(0), &BINDING, &secret(SECRET), &Counting).unwrap();
    assert_eq!(HEXLOWER.encode(&sealed), BY_LIBSODIUM);
    let by_libsodium = HEXLOWER.decode(BY_LIBSODIUM.as_bytes()).unwrap();
    assert_eq!(open(&key(0), &BINDING, &by_libsodium).unwrap().expose_secret(), SECRET);
}

#[test]
fn secrets_of_every_length_come_back_as_they_were() {
    for length in [0, 1, 10, 20, 64, 1000] {
        let plain = secret(&vec![0x5a; length]);
        let sealed = seal(&key(0), &BINDING, &plain, &crate::random::SystemRandom).unwrap();
        assert_eq!(sealed.len(), 24 + length + 16);
        assert_eq!(open(&key(0), &BINDING, &sealed).unwrap().expose_secret(), plain.expose_secret());
    }
}

#[test]
fn no_two_sealings_are_alike() {
    let seal = || seal(&key(0), &BINDING, &secret(SECRET), &crate::random::SystemRandom).unwrap();
    assert_ne!(seal()[..24], seal()[..24]);
}

#[test]
fn it_opens_with_its_key_alone() {
    let sealed = seal(&key(0), &BINDING, &secret(SECRET), &Counting).unwrap();
    assert_eq!(open(&key(1), &BINDING, &sealed).unwrap_err(), Damaged);
}

#[test]
fn it_opens_for_the_row_that_it_was_sealed_for_alone() {
    let sealed = seal(&key(0), &BINDING, &secret(SECRET), &Counting).unwrap();
    for other in [
        Binding { user: "jorg", ..BINDING },
        Binding { user: "J\u{f6}rg", ..BINDING },
        Binding { user: "", ..BINDING },
        Binding { token: TokenId(8), ..BINDING },
        Binding { token: TokenId(-7), ..BINDING },
        Binding { algorithm: "SHA1", ..BINDING },
        Binding { digits: 6, ..BINDING },
        Binding { period: 30, ..BINDING },
        // What stands side by side in the associated data cannot be divided otherwise.
        Binding { user: "j\u{f6}rgS", algorithm: "HA256", ..BINDING },
    ] {
        assert_eq!(open(&key(0), &other, &sealed).unwrap_err(), Damaged, "{other:?}");
    }
}

#[test]
fn a_change_of_any_bit_is_seen_and_so_is_a_cut() {
    let sealed = seal(&key(0), &BINDING, &secret(SECRET), &Counting).unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&key(0), &BINDING, &changed).unwrap_err(), Damaged, "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert_eq!(open(&key(0), &BINDING, &sealed[..length]).unwrap_err(), Damaged, "{length} bytes");
    }
    let longer = [&sealed[..], &[0]].concat();
    assert_eq!(open(&key(0), &BINDING, &longer).unwrap_err(), Damaged);
}
