//! What all certificates of a throw-away authority have: a name and a time.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType};

/// How long the certificates are valid, and from how long ago on, for clocks that are not quite
/// right.
pub(super) const VALID: Duration = Duration::from_hours(30 * 24);
pub(super) const BEFORE: Duration = Duration::from_hours(24);

/// What comes of making a certificate.
pub(super) type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Names who it is for, or of, and says that it is valid now.
pub(super) fn named(certificate: &mut CertificateParams, name: &str) {
    let now = SystemTime::now();
    certificate.distinguished_name.remove(DnType::CommonName);
    certificate.distinguished_name.push(DnType::CommonName, name);
    certificate.not_before = (now - BEFORE).into();
    certificate.not_after = (now + VALID).into();
}
