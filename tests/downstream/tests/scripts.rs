//! Each script in `scripts` as a test of its own, all of one run against one server.

mailexpect::scripts!("scripts", let server = mailexpect::server::Embedded::start().unwrap(), smtp = server.smtp());
