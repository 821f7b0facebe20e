//! One throw-away certificate authority for a run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::sandbox;

/// The common name of the certificate that clients have unless a test says otherwise.
pub(crate) const CLIENT: &str = "Test-Client";
/// Another user's certificate.
pub(crate) const OTHER_CLIENT: &str = "Other-Client";

const FOR_CLIENTS: &str = "extendedKeyUsage=clientAuth";

#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

pub(crate) struct Pki {
    pub(crate) authority: Certificate,
    pub(crate) server: Certificate,
    pub(crate) client: Certificate,
    pub(crate) other_client: Certificate,
}

/// The run's PKI, made when it is first asked for.
pub(crate) fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(|| {
        let directory = sandbox::root().join("pki");
        std::fs::create_dir_all(&directory).unwrap();
        let authority =
            make(&directory, "ca", "/CN=Throw-away CA", None, "basicConstraints=critical,CA:TRUE");
        let issue = |file: &str, name: &str, usage: &str| {
            make(&directory, file, &format!("/CN={name}"), Some(&authority), usage)
        };
        let server = issue("server", "Test-Server", "extendedKeyUsage=serverAuth");
        let client = issue("client", CLIENT, FOR_CLIENTS);
        let other_client = issue("other-client", OTHER_CLIENT, FOR_CLIENTS);
        Pki { authority, server, client, other_client }
    })
}

/// A client certificate with a common name of the test's own.
pub(crate) fn client_named(common_name: &str) -> Certificate {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let pki = pki();
    let file = format!("named-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let directory = sandbox::root().join("pki");
    make(&directory, &file, &format!("/CN={common_name}"), Some(&pki.authority), FOR_CLIENTS)
}

fn make(
    directory: &Path,
    file: &str,
    subject: &str,
    issuer: Option<&Certificate>,
    extension: &str,
) -> Certificate {
    let made = Certificate {
        certificate: directory.join(format!("{file}.crt")),
        key: directory.join(format!("{file}.key")),
    };
    let mut args: Vec<String> = ["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt"]
        .into_iter()
        .chain(["ec_paramgen_curve:prime256v1", "-subj", subject])
        .chain(["-addext", "keyUsage=critical,digitalSignature,keyCertSign", "-addext", extension])
        .map(String::from)
        .collect();
    let path = |path: &Path| path.display().to_string();
    args.extend(["-keyout".into(), path(&made.key), "-out".into(), path(&made.certificate)]);
    if let Some(issuer) = issuer {
        args.extend(["-CA".into(), path(&issuer.certificate), "-CAkey".into(), path(&issuer.key)]);
    }
    sandbox::run("openssl", args);
    made
}
