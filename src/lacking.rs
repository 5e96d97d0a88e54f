//! The macros of the feature `script`, which say what they need if it is missing.

/// Needs the feature `script`.
#[macro_export]
macro_rules! assert_script {
    ($($any:tt)*) => {
        compile_error!(
            "mailexpect::assert_script! needs the feature `script`: in Cargo.toml, mailexpect = { ..., features = [\"script\"] }"
        );
    };
}

/// Needs the feature `script`.
#[macro_export]
macro_rules! assert_script_async {
    ($($any:tt)*) => {
        compile_error!(
            "mailexpect::assert_script_async! needs the feature `script`: in Cargo.toml, mailexpect = { ..., features = [\"script\"] }"
        );
    };
}

/// Needs the feature `script`.
#[macro_export]
macro_rules! scripts {
    ($($any:tt)*) => {
        compile_error!(
            "mailexpect::scripts! needs the feature `script`: in Cargo.toml, mailexpect = { ..., features = [\"script\"] }"
        );
    };
}
