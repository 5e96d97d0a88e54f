# The session with Tcl's own `gets`, without the matching of expect:
# expect gets.tcl PORT SESSIONS AT_ONCE MESSAGE
# One process holds all open sessions. Each is a coroutine that sleeps until its socket is readable.

lassign $argv port sessions at_once path
set file [open $path]
set message [string map {"\n" "\r\n"} [read $file]]
close $file

# Waits for the next line. The end of the stream is an error.
proc line {socket} {
    while {[gets $socket line] < 0} {
        if {[eof $socket]} {error "closed in the middle of the dialogue"}
        yield
    }
    return $line
}

proc reply {socket code} {
    while {[string index [set line [line $socket]] 3] eq "-"} {}
    if {![string match "$code *" $line]} {error "wanted $code, got $line"}
}

proc session {} {
    global port message
    set socket [socket 127.0.0.1 $port]
    fconfigure $socket -translation binary -blocking 0
    fileevent $socket readable [info coroutine]
    reply $socket 220
    foreach {text code} [list \
        "HELO client.example\r\n" 250 \
        "MAIL FROM:<hoge@example.com>\r\n" 250 \
        "RCPT TO:<hoge@example.com>\r\n" 250 \
        "DATA\r\n" 354 \
        "$message.\r\n" 250 \
        "QUIT\r\n" 221 \
    ] {
        puts -nonewline $socket $text
        flush $socket
        reply $socket $code
    }
    close $socket
}

proc lane {} {
    global sessions lanes
    while {$sessions > 0} {
        incr sessions -1
        session
    }
    incr lanes -1
}

# Tcl would only print an error of an event handler. Here it ends the program.
proc bgerror {message} {
    puts stderr $message
    exit 1
}

set lanes $at_once
for {set i 0} {$i < $at_once} {incr i} {coroutine lane$i lane}
while {$lanes > 0} {vwait lanes}
