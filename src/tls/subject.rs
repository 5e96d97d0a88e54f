//! The name and the validity period of all certificates of a throw-away authority.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType};

/// How long the certificates are valid from now on, and since how long, for clocks that are a
/// little slow.
pub(super) const VALID: Duration = Duration::from_hours(30 * 24);
pub(super) const BEFORE: Duration = Duration::from_hours(24);

/// The result of making a certificate.
pub(super) type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Sets the name in the subject and the validity period.
pub(super) fn named(certificate: &mut CertificateParams, name: &str) {
    let now = SystemTime::now();
    certificate.distinguished_name.remove(DnType::CommonName);
    certificate.distinguished_name.push(DnType::CommonName, name);
    certificate.not_before = (now - BEFORE).into();
    certificate.not_after = (now + VALID).into();
}
