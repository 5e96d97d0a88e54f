//! Stand-ins for the macros of missing features: each reports which feature it needs.

/// Unavailable: needs the feature `script`.
#[cfg(not(feature = "script"))]
#[macro_export]
macro_rules! assert_script {
    ($($any:tt)*) => {
        compile_error!(
            "mailexpect::assert_script! needs the feature `script`: in Cargo.toml, mailexpect = { ..., features = [\"script\"] }"
        );
    };
}

/// Unavailable: needs the feature `script`.
#[cfg(not(feature = "script"))]
#[macro_export]
macro_rules! assert_script_async {
    ($($any:tt)*) => {
        compile_error!(
            "mailexpect::assert_script_async! needs the feature `script`: in Cargo.toml, mailexpect = { ..., features = [\"script\"] }"
        );
    };
}

/// Unavailable: needs the feature `harness`.
#[macro_export]
macro_rules! scripts {
    ($($any:tt)*) => {
        compile_error!(
            "mailexpect::scripts! needs the feature `harness`: in Cargo.toml, mailexpect = { ..., features = [\"harness\"] }"
        );
    };
}
