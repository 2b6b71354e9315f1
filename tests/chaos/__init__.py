"""What happens when parts of the product, or what it stands on, die, hang or fill up.

`plant` starts the product as processes, `processes` ends and freezes them, `wire` cuts
their connections and holds their requests, `daemon` is a Docker daemon to break,
`watch` and `truth` say what really happened. `soak` is all of it for hours.

Moments are random; `CRONIUM_CHAOS_SEED=… make test` repeats those of an earlier run,
whose seed is in the head of its output. `make chaos` has more rounds, longer outages.

Which test proves which row of the list of disasters (others than those of this folder
are named with theirs):

    X01 worker killed while a script runs    test_worker_death, soak
    X02 killed between create and start      test_kill_points
    X03 killed after the end, before the     test_kill_points, test_worker_death
        result
    X04 worker told to stop                  test_drain
    X05 daemon restarted, no live-restore    test_docker_daemon
    X06 daemon restarted with live-restore   test_docker_daemon
    X07 daemon hangs                         test_docker_daemon
    X08 Temporal away for a while            test_temporal_outage
    X09 away for longer than the heartbeat   test_temporal_outage
    X10 cancel in every phase                temporal/test_event_workflow;
                                             with no worker: test_drain
    X11 script ignores TERM, daemonises      temporal/test_event_workflow,
                                             docker/test_engine
    X12 viewer cut off every 2 s             test_gateway_outage
    X13 slow reader                          gateway/test_viewers
    X14 flood for 10 s                       temporal/test_floods
    X15 endless line, empty lines, binary    temporal/test_floods, unit/test_log_way
    X16 a thousand short scripts             temporal/test_floods
    X17 memory, processes, /tmp              temporal/test_event_workflow,
                                             docker/test_engine, docker/test_hardening
    X18 disk full                            test_disk_full, unit/test_logstream_spool
    X19 image missing, refused, stalled      docker/test_engine,
                                             temporal/test_event_workflow
    X20 clock jumps                          test_clock
    X21 servers that hang in every way       test_servers; ssh/test_connections
    X22 connection cut while a script runs   test_servers; ssh/test_outages
    X23 server starts anew                   test_servers; ssh/test_outages
    X24 host key changed                     ssh/test_connections, temporal/test_fan_out
    X25 cancel of a tree of processes        ssh/test_outages
    X26 more logins than sshd takes at once  ssh/test_connections
    X27 odd disks, shells, sudo              ssh/test_runs
    X28 worker killed among many servers     test_fan_out
    X29 cancel during a partition            test_temporal_outage
    X30 two workers claim one run            test_temporal_outage (frozen and thawed),
                                             test_claims (two processes, one host)
    X31 secret in any form                   unit/test_log_way,
                                             unit/test_logstream_forms,
                                             temporal/test_floods;
                                             over a death: test_worker_death
    X33 links and pipes in the work dir      test_work_directory, test_janitor
    X35 janitor                              test_janitor, docker/test_engine
    X36 new code meets open workflows        replay
    X37 payload above 2 MB                   contract, e2e/test_command
    X39 health while the daemon is away      test_docker_daemon
    X40 soak                                 soak (`make soak`)
"""
