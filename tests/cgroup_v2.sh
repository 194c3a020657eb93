#!/bin/sh
# cgroup_v2.sh LINUX_UML TEST_SANDBOX: the limits of sandboxes where cgroups have the new layout, in a
# kernel that runs as a process (user-mode-linux) on this machine's files: whatever layout the machine
# has. TAP. It runs as in a service's unit: below a cgroup that gives its controllers.
set -eu

inside() {
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    for dir in /run /dev/shm; do
        mkdir -p $dir
        mount -t tmpfs -o mode=1777 tmpfs $dir
    done
    mkdir -p /dev/pts
    mount -t devpts devpts /dev/pts
    mkdir /run/tmp # folders of tests are not made on the machine's disk
    chmod 1777 /run/tmp
    export TMPDIR=/run/tmp
    echo '+memory +pids +cpu' > /sys/fs/cgroup/cgroup.subtree_control
    mkdir /sys/fs/cgroup/unit /sys/fs/cgroup/unit/procavia-server
    echo $$ > /sys/fs/cgroup/unit/procavia-server/cgroup.procs
    for runtime in '' crun runc; do
        for filter in memory_is_bounded fork_bombs_are_bounded; do
            echo "@# ${runtime:-own} $filter"
            PCV_TEST_RUNTIME=$runtime PCV_TEST_FILTER=$filter "$TEST_SANDBOX" 2>&1 | sed 's/^/@/' || :
        done
    done
    echo '@done'
    echo o > /proc/sysrq-trigger
    while :; do read -r _ < /dev/zero || :; done
}

if [ $$ = 1 ]; then
    inside
fi

uml=$1 program=$(realpath "$2") self=$(realpath "$0")
said=$(mktemp)
trap 'rm -f "$said"' EXIT
"$uml" mem=2G root=none rootfstype=hostfs rootflags=/ rw init="$self" TEST_SANDBOX="$program" CMOCKA_MESSAGE_OUTPUT=TAP \
    con=null con0=null,fd:1 < /dev/null > "$said" 2>&1 || :
sed -n 's/^@/# /p' "$said"
echo 1..1
if grep -q '^@done' "$said" && [ "$(grep -c '^@ok ' "$said")" = 6 ] && ! grep -q '^@not ok' "$said" &&
    ! grep -q '^@# skipped' "$said"; then
    echo 'ok 1 - limits hold'
else
    echo 'not ok 1 - limits hold'
fi
