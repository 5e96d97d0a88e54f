//! The program `mailexpect`: runs the command line, and exits with its code.

/// Counts allocations, so that the memory limit of each script can be checked.
#[global_allocator]
static ALLOCATOR: mailexpect::script::CountingAllocator = mailexpect::script::CountingAllocator;

fn main() -> std::process::ExitCode {
    mailexpect::main()
}
