# The session with the commands of expect, on Tcl's sockets, so that no connection costs a process:
# expect expect.tcl PORT SESSIONS AT_ONCE MESSAGE
# One process holds all open sessions, and one `expect` waits for the next reply in any of them.

lassign $argv port sessions at_once path
set file [open $path]
set message [string map {"\n" "\r\n"} [read $file]]
close $file

# The code of each expected reply, and the text to send after it.
set dialogue [list \
    220 "HELO client.example\r\n" \
    250 "MAIL FROM:<hoge@example.com>\r\n" \
    250 "RCPT TO:<hoge@example.com>\r\n" \
    250 "DATA\r\n" \
    354 "$message.\r\n" \
    250 "QUIT\r\n" \
    221 "" \
]

log_user 0
set timeout 10
set whole_reply "^(?:\[0-9]{3}-\[^\r\n]*\r\n)*(\[0-9]{3}) \[^\r\n]*\r\n"

# The open sessions, and the place of each in the dialogue.
set open {}
array set place {}

proc start {} {
    global port sessions open place
    incr sessions -1
    set socket [socket 127.0.0.1 $port]
    fconfigure $socket -translation binary
    spawn -noecho -open $socket
    set place($spawn_id) 0
    lappend open $spawn_id
}

proc answer {session code} {
    global dialogue place
    lassign [lrange $dialogue $place($session) $place($session)+1] wanted next
    if {$code ne $wanted} {error "wanted $wanted, got $code"}
    if {$next ne ""} {send -i $session -- $next}
    incr place($session) 2
}

proc finish {session} {
    global dialogue place open sessions
    if {$place($session) != [llength $dialogue]} {error "closed in the middle of the dialogue"}
    catch {close -i $session}
    wait -i $session
    unset place($session)
    set open [lsearch -all -inline -not -exact $open $session]
    if {$sessions > 0} start
}

while {[llength $open] < $at_once && $sessions > 0} start
while {[llength $open] > 0} {
    expect {
        -i open -re $whole_reply {
            answer $expect_out(spawn_id) $expect_out(1,string)
            exp_continue
        }
        eof {finish $expect_out(spawn_id)}
        timeout {error "no reply within $timeout s"}
    }
}
