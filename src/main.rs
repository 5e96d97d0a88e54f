//! `mailexpect`: run the command line, exit with its code.

fn main() -> std::process::ExitCode {
    mailexpect::cli::main()
}
