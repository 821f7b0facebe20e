//! An authority of its own, and certificates, good ones and others. Made anew for each look-alike.

use data_encoding::BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::collections::BTreeMap;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// Which certificate is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certificate {
    Good,
    /// For another host.
    OtherHost,
    /// By another authority, of the same name.
    OtherAuthority,
    /// By nobody.
    SelfSigned,
    /// Until yesterday.
    Expired,
    /// From tomorrow.
    NotYetValid,
}

use Certificate::{Expired, Good, NotYetValid, OtherAuthority, OtherHost, SelfSigned};

impl Certificate {
    /// All that must not be accepted.
    pub(crate) const WRONG: [Self; 5] = [OtherHost, OtherAuthority, SelfSigned, Expired, NotYetValid];
}

pub(super) struct Certificates {
    authority: String,
    configs: BTreeMap<Certificate, Arc<ServerConfig>>,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

impl Certificates {
    /// Certificates for a host, by its name or address.
    pub(super) fn for_host(name: &str, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let (authority, other) = (authority(), authority());
        let config = |kind| {
            let issuer = if kind == OtherAuthority { &other } else { &authority };
            (kind, Arc::new(config(name, kind, issuer, versions)))
        };
        let configs = Certificate::WRONG.into_iter().chain([Good]).map(config).collect();
        Self { authority: pem(authority.der()), configs }
    }

    /// The authority's certificate, PEM.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn config(&self, kind: Certificate) -> Arc<ServerConfig> {
        Arc::clone(&self.configs[&kind])
    }
}

fn pem(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Authority of the look-alike");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn config(
    name: &str,
    kind: Certificate,
    issuer: &Authority,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let (now, day) = (OffsetDateTime::now_utc(), Duration::DAY);
    let name = if kind == OtherHost { "elsewhere.invalid" } else { name };
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "look-alike");
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    (params.not_before, params.not_after) = match kind {
        Expired => (now - 30 * day, now - day),
        NotYetValid => (now + day, now + 30 * day),
        Good | OtherHost | OtherAuthority | SelfSigned => (now - day, now + 30 * day),
    };
    let certificate = match kind {
        SelfSigned => params.self_signed(&key).unwrap(),
        _ => params.signed_by(&key, issuer).unwrap(),
    };
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
}
