//! `mailexpect`: run the command line, exit with its code.

/// So that each script knows what it holds.
#[global_allocator]
static ALLOCATOR: mailexpect::script::CountingAllocator = mailexpect::script::CountingAllocator;

fn main() -> std::process::ExitCode {
    mailexpect::main()
}
