package privilege

import (
	"fmt"
	"slices"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// usual are the system calls of a process that serves: those of Go's runtime and
// packages, and of our sockets. What is not here ends in EPERM: programs cannot be
// run (execve), other processes not be traced or read (ptrace, process_vm_readv),
// nothing mounted, no module, key or clock touched, no io_uring set up.
var usual = []string{
	// octets, in and out
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
	"sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "sendfile", "splice", "tee", "vmsplice", "copy_file_range",
	// waiting
	"epoll_create1", "epoll_create", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6",
	"eventfd", "eventfd2", "pipe", "pipe2", "timerfd_create", "timerfd_settime", "timerfd_gettime",
	// sockets; which families is told below
	"connect", "accept", "accept4", "bind", "listen", "shutdown", "getsockname", "getpeername", "getsockopt", "setsockopt", "socketpair",
	// files
	"open", "openat", "openat2", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "flock", "lseek",
	"stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
	"getdents", "getdents64", "readlink", "readlinkat", "getcwd", "umask",
	"mkdir", "mkdirat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2",
	"truncate", "ftruncate", "fallocate", "fadvise64", "fsync", "fdatasync", "sync_file_range", "syncfs", "chmod", "fchmod", "fchmodat", "utimensat",
	// memory
	"mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "mlock", "munlock", "brk", "membarrier", "memfd_create", "rseq",
	// threads and signals of this process
	"futex", "set_robust_list", "get_robust_list", "set_tid_address", "gettid", "getpid", "getppid", "tgkill", "tkill", "kill",
	"sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getattr", "sched_getscheduler", "sched_getparam", "getcpu", "getpriority", "setpriority",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "restart_syscall",
	"exit", "exit_group", "arch_prctl", "prctl",
	"timer_create", "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete", "setitimer", "getitimer", "alarm", "pause",
	// time, chance, who and where we are
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times", "getrandom",
	"getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "getpgrp", "getpgid", "getsid", "capget",
	"uname", "sysinfo", "getrusage", "getrlimit", "prlimit64", "setrlimit",
}

// outward are those of usual that reach beyond the descriptors that a process has.
var outward = []string{
	"connect", "accept", "accept4", "bind", "listen", "socketpair", "open", "openat", "openat2",
	"mkdir", "mkdirat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "truncate", "chmod", "fchmodat", "utimensat",
	"memfd_create",
}

// families are the sockets that we make: local, IPv4, IPv6, netlink, and those of
// mirror ports.
var families = []uint64{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK, unix.AF_PACKET, unix.AF_XDP}

// newNamespaces are the flags of clone(2) that make namespaces.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP

// enosys has a C library turn to the older call: the flags of clone3 are behind a
// pointer, out of a filter's sight.
const enosys = seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)

// flagSpeculate leaves speculative execution as it is (SECCOMP_FILTER_FLAG_SPEC_ALLOW):
// no code of others runs here that a fence would hold back.
const flagSpeculate = seccomp.FilterFlag(unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW)

// policy is the filter of r. The kernel remembers which calls are allowed whatever
// their arguments are, so that the length of the list costs nothing (Linux 5.11).
func policy(r Rights) (*seccomp.Policy, error) {
	here, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	names, families := slices.Clone(usual), families
	if r.Sealed {
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(outward, name) })
		families = nil
	}
	if r.Namespaces && !r.Sealed {
		names = append(names, "setns")
	}
	if r.Programs && !r.Sealed {
		names = append(names, "bpf")
	}
	allow := seccomp.SyscallGroup{Action: seccomp.ActionAllow, Names: slices.DeleteFunc(names, func(name string) bool {
		_, known := here.SyscallNames[name]
		return !known // older calls, which younger architectures lack
	})}
	for _, f := range families {
		allow.NamesWithCondtions = append(allow.NamesWithCondtions, when("socket", is(0, f)))
	}
	allow.NamesWithCondtions = append(allow.NamesWithCondtions,
		when("clone", seccomp.Condition{Argument: 0, Operation: seccomp.BitsNotSet, Value: newNamespaces}),
		// Not those that type into a terminal.
		when("ioctl", isNot(1, unix.TIOCSTI), isNot(1, unix.TIOCLINUX)),
	)
	return &seccomp.Policy{
		DefaultAction: seccomp.ActionErrno, // EPERM
		Syscalls:      []seccomp.SyscallGroup{allow, {Action: enosys, Names: []string{"clone3"}}},
	}, nil
}

func when(name string, conditions ...seccomp.Condition) seccomp.NameWithConditions {
	return seccomp.NameWithConditions{Name: name, Conditions: conditions}
}

func is(argument uint32, value uint64) seccomp.Condition {
	return seccomp.Condition{Argument: argument, Operation: seccomp.Equal, Value: value}
}

func isNot(argument uint32, value uint64) seccomp.Condition {
	return seccomp.Condition{Argument: argument, Operation: seccomp.NotEqual, Value: value}
}

// confineCalls installs the filter for all threads.
func confineCalls(r Rights) error {
	p, err := policy(r)
	if err == nil {
		err = seccomp.LoadFilter(seccomp.Filter{Flag: seccomp.FilterFlagTSync | flagSpeculate, Policy: *p})
	}
	if err != nil {
		return fmt.Errorf("system calls are not bounded: %w", err)
	}
	return nil
}
