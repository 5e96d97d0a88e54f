//! The certificates that the system trusts, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name
//! in their place.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::error::{Error, Result};
use crate::regular;

const FILE: &str = "SSL_CERT_FILE";
const FOLDERS: &str = "SSL_CERT_DIR";

/// How many bytes the files that the variables name may have together. The bundle of a system has
/// 250 kB; with more than this, the files that follow are not read.
const LARGEST: u64 = 16 << 20;

/// The system's roots, read on first use: reading them takes up to 50 ms, and most runs do not need
/// them.
pub(super) static SYSTEM: LazyLock<Roots> = LazyLock::new(|| {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let folders = set(FOLDERS).map(|list| env::split_paths(&list).collect()).unwrap_or_default();
    Roots::of(set(FILE).map(PathBuf::from).as_deref(), folders)
});

/// Trusted certificates.
#[derive(Debug)]
pub(super) struct Roots {
    pub(super) store: RootCertStore,
    /// Why no certificate could be read of what the variables name; `None` if some could.
    fault: Option<String>,
}

impl Roots {
    /// The roots in this file and in the files of these folders; those of the system if none is
    /// named. Like OpenSSL, this takes what can be read and passes over the rest.
    fn of(file: Option<&Path>, folders: Vec<PathBuf>) -> Self {
        let folders: Vec<_> =
            folders.into_iter().filter(|path| !path.as_os_str().is_empty()).collect();
        if file.is_none() && folders.is_empty() {
            return Self::new(rustls_native_certs::load_native_certs().certs, None);
        }
        // `rustls-native-certs` would wait for a FIFO, and read a device for ever.
        let mut reading = Reading { left: LARGEST, found: Vec::new(), fault: None };
        if let Some(path) = file {
            reading.file(FILE, path);
        }
        for folder in &folders {
            reading.folder(folder);
        }
        // The links of a folder name most certificates several times.
        reading.found.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        reading.found.dedup();
        Self::new(reading.found, reading.fault)
    }

    fn new(certificates: Vec<CertificateDer<'static>>, fault: Option<String>) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certificates);
        let fault = fault.filter(|_| store.is_empty());
        Self { store, fault }
    }

    /// Checks that certificates can be verified.
    ///
    /// # Errors
    /// Usage, if the variables name nothing that can be read. Without this error, every certificate
    /// would seem to be of an unknown authority.
    pub(super) fn check(&self) -> Result<()> {
        let Some(why) = &self.fault else { return Ok(()) };
        Err(Error::usage(why.clone()).hint(format!(
            "name a file of certificates (PEM) there; or unset {FILE} and {FOLDERS}, then the system's are trusted"
        )))
    }
}

/// The certificates read so far.
struct Reading {
    /// How many more bytes may be read.
    left: u64,
    found: Vec<CertificateDer<'static>>,
    /// The first fault.
    fault: Option<String>,
}

impl Reading {
    fn file(&mut self, variable: &str, path: &Path) {
        match regular::read_up_to(path, self.left) {
            Ok(pem) => {
                self.left -= pem.len() as u64;
                self.found.extend(
                    CertificateDer::pem_slice_iter(&pem).filter_map(std::result::Result::ok),
                );
                if self.found.is_empty() {
                    self.wrong(variable, path, &"it has no certificate (PEM)");
                }
            }
            Err(error) => self.wrong(variable, path, &error),
        }
    }

    fn folder(&mut self, path: &Path) {
        let entries: io::Result<Vec<_>> = std::fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        match entries {
            // Other things than files are no certificates, and a link may lead to a folder.
            Ok(entries) => entries.iter().filter(|path| path.is_file()).for_each(|path| {
                self.file(FOLDERS, path);
            }),
            Err(error) => self.wrong(FOLDERS, path, &error),
        }
    }

    fn wrong(&mut self, variable: &str, path: &Path, why: &dyn std::fmt::Display) {
        self.fault.get_or_insert_with(|| {
            format!("cannot read {}, which {variable} names: {why}", path.display())
        });
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    const CA: &str = "tests/certificates/ca.pem";

    fn fault(file: &Path) -> String {
        Roots::of(Some(file), Vec::new()).check().unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_file_of_certificates_is_neither_waited_for_nor_read_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        File::create(path("sparse")).unwrap().set_len(2 << 30).unwrap();
        fs::write(path("empty"), "").unwrap();
        for (file, why) in [
            (path("fifo"), "it is a FIFO"),
            (PathBuf::from("/dev/zero"), "it is a device"),
            (path("sparse"), "it has more than 16777216 bytes"),
            (path("empty"), "it has no certificate"),
            (path("none"), "No such file"),
        ] {
            let error = fault(&file);
            let named = format!("cannot read {}, which SSL_CERT_FILE names: {why}", file.display());
            assert!(error.contains(&named) && error.contains("unset SSL_CERT_FILE"), "{error}");
        }
        let error = Roots::of(None, vec![path("")]).check().unwrap_err().to_string();
        assert!(error.contains("which SSL_CERT_DIR names: it has "), "{error}");
        // What can be read is taken.
        fs::copy(CA, path("ca.pem")).unwrap();
        let roots = Roots::of(Some(&path("fifo")), vec![path(""), path("")]);
        assert!(roots.check().is_ok() && roots.store.len() == 1, "{roots:?}");
    }
}
