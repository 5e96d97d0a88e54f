//! `mailexpect record`: the passwords of SASL exchanges are parameters of the script.

use mailexpect::server::Embedded;

use crate::record::recorded;

#[test]
fn a_password_that_follows_the_challenge_is_a_parameter_whatever_the_tag_is() {
    let server = Embedded::start().unwrap();
    let token = format!("base64(\"\\u0000{}\\u0000\" + param(\"password\"))", Embedded::USER);
    let pop3 = "let s = connect(param(\"pop3\"));
        s.expect(\"+OK\");
        s.send(\"AUTH PLAIN\");
        s.expect(\"+\");
        s.send(TOKEN);
        s.expect(\"+OK\");
        s.quit();\n";
    let all = recorded(&server, "pop3", &pop3.replace("TOKEN", &token), &["password"]);
    assert!(all.contains("param(\"password\"), #{initial: false});"), "{all}");
    let imap = "let s = connect(param(\"imap\"));
        s.expect(\"* OK\");
        s.send(\"x AUTHENTICATE PLAIN\");
        s.expect(\"+\");
        s.send(TOKEN);
        s.expect_until(\"x OK\");
        s.send(\"y LOGOUT\");
        s.expect_until(\"y OK\");\n";
    let all = recorded(&server, "imap", &imap.replace("TOKEN", &token), &["password"]);
    assert!(all.contains("s.send(base64("), "{all}");
    let login = imap.replace("PLAIN\");", "LOGIN\");\ns.expect(\"+\");\ns.send(base64(\"USER\"));");
    let login =
        login.replace("USER", Embedded::USER).replace("TOKEN", "base64(param(\"password\"))");
    recorded(&server, "imap", &login, &["password"]);
}
