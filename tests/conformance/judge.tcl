# Runs one unit of Redis's test suite against a running server, and goes on after each failure.
#
#   cd REDIS_SOURCE; tclsh judge.tcl UNIT READ_LIMIT_SECONDS CONTROL_PORT [OPTION OF runtest...]
#
# Redis's own runtest ends a unit at the first exception: one refused command hides all tests that
# follow it. Here a test that fails in whatever way counts as one failure, and the next test runs.
# Redis's files are sourced as they are; what they define is replaced after that, in this file.
#
# With a CONTROL_PORT other than 0 each block of the unit gets a server of its own, configured as the block
# says: see own_servers.ts. So tests run that runtest itself skips with a server that is not its own.
#
# Standard output has one line for each event, in the form of runtest's own output:
#
#   [testing]: NAME             a test begins
#   [ok]: NAME (12 ms)
#   [err]: NAME in FILE: WHY    on one line: a line feed in WHY is written as \n
#   [ignore]: NAME: WHY         a tag excludes it
#   [setup]: WHY                a command outside of tests failed; its unit goes on without it
#   [done]: UNIT                the unit's end was reached

set judge_unit [lindex $argv 0]
set judge_read_limit_ms [expr {1000 * [lindex $argv 1]}]
set judge_control_port [lindex $argv 2]
set argv [lrange $argv 3 end]

# Everything of test_helper.tcl but its last statement, which would start runtest's own processes.
set judge_channel [open tests/test_helper.tcl r]
set judge_text [read $judge_channel]
close $judge_channel
set judge_end [string last "\nif {\$::client} \{" $judge_text]
if {$judge_end < 0} {
    puts stderr "tests/test_helper.tcl has another form than expected: no \"if {\$::client}\""
    exit 1
}
eval [string range $judge_text 0 $judge_end]

# --- Reports -----------------------------------------------------------------------------------

proc judge_line {text} {
    return [string map [list "\\" "\\\\" "\n" "\\n" "\r" "\\r"] $text]
}

# Takes the place of the packets that a test client sends to runtest's server.
proc send_data_packet {fd status data {elapsed 0}} {
    switch -- $status {
        ok { puts "\[ok\]: [judge_line $data] ($elapsed ms)" }
        testing - err - ignore - skip - setup - done { puts "\[$status\]: [judge_line $data]" }
    }
    flush stdout
}

set ::judge_in_test 0

proc judge_setup_failed {command error} {
    set line [lindex [split [string trim $command] "\n"] 0]
    send_data_packet {} setup "$::curfile: [string range $line 0 80]: $error"
}

# --- Tests -------------------------------------------------------------------------------------

# Redis's own procedure with one change: every error inside a test counts as its failure.
set ::durable 1
rename test judge_test

proc test {name code args} {
    set failed $::num_failed
    set clients [array names ::redis::fd]
    set unit_vars [uplevel 1 {info vars}]
    set ::judge_in_test 1
    uplevel 1 [list judge_test $name $code {*}$args]
    set ::judge_in_test 0
    if {$::num_failed == $failed} return
    # A variable of the unit, not of the test, may hold a new client: later tests use it.
    foreach var $unit_vars {
        if {[catch {uplevel 1 [list set $var]} value]} continue
        if {[regexp {^::redis::redisHandle(\d+)$} $value -> id]} {lappend clients $id}
    }
    judge_recover $clients
}

# After a failure: closes the connections that the test has opened, and gives the unit a new one.
# Otherwise replies that the test has not read would be taken for those of the next one.
proc judge_recover {clients} {
    foreach id [array names ::redis::fd] {
        if {$id ni $clients} {catch {::redis::redisHandle$id close}}
    }
    if {[llength $::servers] == 0} return
    # The unit's client may be closed already: reconnect itself would fail at that.
    set srv [lindex $::servers end]
    catch {[dict get $srv client] close}
    lset ::servers end [dict remove $srv client]
    if {[catch {reconnect} error]} {judge_setup_failed reconnect $error}
    # Clients of the unit that the test has left blocked would be counted by the tests that follow.
    catch {
        foreach line [split [judge_r client list] "\n"] {
            if {[regexp {^id=(\d+) .* flags=\w*b} $line -> id]} {judge_r client kill id $id}
        }
    }
    catch {judge_r client unpause}
    # An endless script that the test has not ended would be what all later tests fail of.
    foreach kind {script function} {catch {judge_r $kind kill}}
    foreach mode {hello readraw deferred} {
        if {[dict exists $::judge_modes $mode]} {catch {judge_r $mode [dict get $::judge_modes $mode]}}
    }
}

# --- Blocks around tests -----------------------------------------------------------------------

# A command to the server that fails outside of a test does not end what is around it: units have
# their tests in procedures and loops that begin with a CONFIG SET.
rename r judge_r

# How a block has set up its connection before a test: RESP version, raw replies.
set ::judge_modes {}

proc r {args} {
    set code [catch {judge_r {*}$args} result options]
    if {$code == 0 && !$::judge_in_test && [lindex $args 0] in {hello readraw deferred}} {
        dict set ::judge_modes [lindex $args 0] [lindex $args 1]
    }
    if {$code == 1 && !$::judge_in_test} {
        judge_setup_failed "r $args" $result
        return {}
    }
    return -options $options $result
}

# The commands of a script, one by one.
proc judge_commands {script} {
    set commands {}
    set command ""
    foreach line [split $script "\n"] {
        if {$command eq "" && [regexp {^\s*(#|$)} $line] && ![string match {*\\} $line]} continue
        append command $line "\n"
        if {[info complete $command]} {
            lappend commands $command
            set command ""
        }
    }
    if {$command ne ""} {lappend commands $command}
    return $commands
}

# Runs a script `level` frames above the caller; a command that fails does not end it.
proc judge_run {level script} {
    foreach command [judge_commands $script] {
        set code [catch {uplevel [expr {$level + 1}] $command} result options]
        if {$code == 1} {
            judge_setup_failed $command $result
        } elseif {$code != 0} {
            return
        }
    }
}

proc tags {tags code} {
    set tags [string map { \" "" } $tags]
    set ::tags [concat $::tags $tags]
    if {[tags_acceptable $::tags err]} {
        judge_run 1 $code
    } else {
        incr ::num_aborted
        send_data_packet {} ignore $err
    }
    set ::tags [lrange $::tags 0 end-[llength $tags]]
}

rename tags_acceptable judge_tags_acceptable

proc tags_acceptable {tags err_return} {
    upvar $err_return err
    if {$::judge_control_port != 0} {set tags [lsearch -all -inline -not $tags external:skip]}
    return [judge_tags_acceptable $tags err]
}

# Has a server started that is configured as a block says, in place of the one before.
proc judge_own_server {overrides} {
    set control [socket 127.0.0.1 $::judge_control_port]
    puts $control [join $overrides "\t"]
    flush $control
    set ::port [gets $control]
    close $control
}

proc run_external_server_test {code overrides} {
    set depth [llength $::servers]
    if {$::judge_control_port != 0} {
        judge_own_server $overrides
        set overrides {}
    }
    set srv [dict create host $::host port $::port config [list port $::port]]
    dict set srv client [redis $::host $::port 0 $::tls]
    lappend ::servers $srv
    set modes $::judge_modes
    set ::judge_modes {}
    r flushall
    r function flush
    set saved {}
    foreach {param value} $overrides {
        if {[catch {
            set before [lindex [r config get $param] 1]
            r config set $param $value
            dict set saved $param $before
            if {$param eq "appendonly" && $value eq "yes"} {waitForBgrewriteaof r}
        } error]} {judge_setup_failed "config set $param $value" $error}
    }
    judge_run 2 $code
    dict for {param value} $saved {
        if {[catch {r config set $param $value} error]} {
            judge_setup_failed "config set $param $value" $error
        }
    }
    set ::judge_modes $modes
    catch {[dict get [lindex $::servers $depth] client] close}
    set ::servers [lrange $::servers 0 [expr {$depth - 1}]]
}

# --- Reading with a limit ----------------------------------------------------------------------

# A reply that never comes fails the test that waits for it, and not the whole unit.
proc judge_await {fd} {
    if {[chan pending input $fd] > 0 || [fconfigure $fd -blocking] == 0} return
    set handler [fileevent $fd readable]
    set timer [after $::judge_read_limit_ms {set ::judge_wake late}]
    fileevent $fd readable {set ::judge_wake readable}
    vwait ::judge_wake
    after cancel $timer
    fileevent $fd readable $handler
    if {$::judge_wake eq "late"} {
        error "no reply within [expr {$::judge_read_limit_ms / 1000}] s"
    }
}

rename ::redis::redis_safe_read ::redis::judge_safe_read
rename ::redis::redis_safe_gets ::redis::judge_safe_gets

proc ::redis::redis_safe_read {fd len} {
    if {$len > 0} {judge_await $fd}
    return [judge_safe_read $fd $len]
}

proc ::redis::redis_safe_gets {fd} {
    judge_await $fd
    return [judge_safe_gets $fd]
}

# --- The unit ----------------------------------------------------------------------------------

set ::test_server_fd {}
set ::client 1
set ::curfile "tests/$judge_unit.tcl"
set judge_channel [open $::curfile r]
set judge_text [read $judge_channel]
close $judge_channel
judge_run 0 $judge_text
send_data_packet {} done $judge_unit
exit 0
