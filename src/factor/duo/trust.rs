//! Whose certificates are believed: the built-in list, a file, or the machine's.

use super::DuoError;
use crate::config::CaFile;
use crate::files::{self, ReadError};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::io::ErrorKind;
use std::path::Path;

/// The certificate authorities that Duo uses, as PEM.
const PINNED: &[u8] = include_bytes!("roots.pem");

/// The longest file of certificates, in bytes. Those of distributions have about 250 KB.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where distributions keep the machine's list: Debian and Alpine, Fedora and its kin, SUSE, older ones and others.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The certificates to believe in.
///
/// # Errors
/// When there is none, or the file cannot be read or trusted.
pub(super) fn roots(choice: Option<&CaFile>) -> Result<Vec<CertificateDer<'static>>, DuoError> {
    match choice {
        None => parse(PINNED).map_err(|why| DuoError::Settings(format!("the built-in certificates: {why}"))),
        Some(CaFile::File(path)) => read(path).map_err(|error| unusable(path, &error)),
        Some(CaFile::System) => system(&SYSTEM.map(Path::new)),
    }
}

fn system(places: &[&Path]) -> Result<Vec<CertificateDer<'static>>, DuoError> {
    for path in places {
        match read(path) {
            Err(Unusable::Read(ReadError::Io { cause, .. })) if cause.kind() == ErrorKind::NotFound => {}
            other => return other.map_err(|error| unusable(path, &error)),
        }
    }
    Err(DuoError::Settings(
        "[duo] ca_file = \"system\": this machine has no list of certificate authorities in the usual places; install \
         ca-certificates, or name a file"
            .to_owned(),
    ))
}

/// Why a file of certificates is of no use.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{0}")]
    Content(&'static str),
}

fn unusable(path: &Path, error: &Unusable) -> DuoError {
    let text = match error {
        Unusable::Read(error) => format!("[duo] ca_file: {error}"),
        Unusable::Content(why) => format!("[duo] ca_file: {}: {why}", path.display()),
    };
    DuoError::Settings(crate::printable::text(&text))
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let file = files::read_trusted(path, MAX_BYTES)?;
    parse(&file.bytes).map_err(Unusable::Content)
}

fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| "damaged PEM")?;
    // A list of a distribution may hold some that nobody can use any more; a file without a single good one is a mistake.
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(certificates.iter().cloned());
    if usable == 0 {
        return Err("no certificate in it (PEM is wanted: -----BEGIN CERTIFICATE-----)");
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// The first DER value in `bytes`: tag, content, and what follows.
    fn der(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
        let (length, start) = match bytes[1] {
            short @ 0..=0x7f => (usize::from(short), 2),
            long => {
                let digits = &bytes[2..2 + usize::from(long & 0x7f)];
                (digits.iter().fold(0, |sum, &digit| sum << 8 | usize::from(digit)), 2 + digits.len())
            }
        };
        (bytes[0], &bytes[start..start + length], &bytes[start + length..])
    }

    /// The last day of a certificate as `yyyymmdd`, and the DER of its subject (RFC 5280, 4.1).
    fn end_and_subject(certificate: &[u8]) -> (String, &[u8]) {
        let (_, certificate, _) = der(certificate);
        let (_, to_be_signed, _) = der(certificate);
        // version, serial number, signature, issuer
        let validity = (0..4).fold(to_be_signed, |rest, _| der(rest).2);
        let (_, from_and_to, subject) = der(validity);
        let (kind, end, _) = der(der(from_and_to).2);
        let digits = std::str::from_utf8(end).unwrap();
        let end = if kind == 0x17 { format!("20{}", &digits[..6]) } else { digits[..8].to_owned() };
        (end, der(subject).1)
    }

    #[test]
    fn the_built_in_authorities_are_those_that_duo_uses_and_none_has_expired() {
        let roots = roots(None).unwrap();
        let names = [
            "Amazon Root CA 1",
            "Amazon Root CA 2",
            "Amazon Root CA 3",
            "Amazon Root CA 4",
            "Starfield Services Root Certificate Authority - G2",
            "DigiCert High Assurance EV Root CA",
            "DigiCert TLS ECC P384 Root G5",
            "DigiCert TLS RSA4096 Root G5",
            "GlobalSign Root R46",
            "GlobalSign Root E46",
            "IdenTrust Commercial Root CA 1",
        ];
        assert_eq!(roots.len(), names.len());
        let today = crate::clock::rfc3339(SystemClock.now())[..10].replace('-', "");
        for (root, name) in roots.iter().zip(names) {
            let (end, subject) = end_and_subject(root);
            assert!(subject.windows(name.len()).any(|part| part == name.as_bytes()), "{name} is another");
            assert!(end > today, "{name} has expired: take another list of Duo's");
            assert_eq!(RootCertStore::empty().add_parsable_certificates([root.clone()]), (1, 0), "{name}");
        }
    }

    struct Directory(tempfile::TempDir);

    impl Directory {
        fn file(&self, name: &str, content: &[u8], mode: u32) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        }
    }

    #[test]
    fn a_file_takes_the_place_of_the_built_in_list() {
        let directory = Directory(tempfile::tempdir().unwrap());
        let one = PINNED.split_inclusive(|&byte| byte == b'\n').take(27).collect::<Vec<_>>().concat();
        let path = directory.file("one.pem", &one, 0o644);
        assert_eq!(roots(Some(&CaFile::File(path))).unwrap().len(), 1);
    }

    #[test]
    fn a_file_of_no_use_is_refused_by_its_name() {
        let directory = Directory(tempfile::tempdir().unwrap());
        let damaged = String::from_utf8_lossy(PINNED).replace("MII", "M*I");
        let not_a_certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (path, why) in [
            (directory.file("empty.pem", b"", 0o644), "no certificate"),
            (directory.file("text.pem", b"hello", 0o644), "no certificate"),
            (directory.file("wrong.pem", not_a_certificate, 0o644), "no certificate"),
            (directory.file("damaged.pem", damaged.as_bytes(), 0o644), "damaged PEM"),
            (directory.file("open.pem", PINNED, 0o666), "chmod go-w"),
            (directory.0.path().join("missing.pem"), "No such file"),
            (directory.0.path().to_owned(), "not a regular file"),
        ] {
            let error = roots(Some(&CaFile::File(path.clone()))).unwrap_err();
            let DuoError::Settings(text) = &error else { panic!("{error:?}") };
            assert!(text.contains("[duo] ca_file") && text.contains(path.to_str().unwrap()), "{text}");
            assert!(text.contains(why), "{text}");
        }
    }

    #[test]
    fn the_machines_list_is_the_first_that_is_there() {
        let directory = Directory(tempfile::tempdir().unwrap());
        let missing = directory.0.path().join("missing");
        let list = directory.file("list", PINNED, 0o644);
        let bad = directory.file("bad", b"", 0o644);
        assert_eq!(system(&[&missing, &list, &bad]).unwrap().len(), 11);
        assert!(system(&[&missing, &bad, &list]).unwrap_err().to_string().contains("bad: no certificate"));
        assert!(system(&[&missing]).unwrap_err().to_string().contains("install ca-certificates"));
    }
}
