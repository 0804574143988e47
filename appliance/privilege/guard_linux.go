package privilege

import (
	"fmt"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// never are the system calls that no process of ours needs, whatever it may: those that
// load code into the kernel, reach into other processes or their keys, turn the clock or
// end the machine.
var never = []string{
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
	"add_key", "keyctl", "request_key",
	"clock_settime", "settimeofday", "clock_adjtime", "adjtimex",
	"io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "perf_event_open",
	"iopl", "ioperm", "modify_ldt", "personality", "syslog", "acct", "quotactl", "vhangup", "open_by_handle_at",
}

// Guard takes the calls of never from this process and all that it starts, for ever. It
// is for a process that keeps its other rights. Where a filter is in force already it
// does nothing. It needs CAP_SYS_ADMIN, and does nothing without: such a process has
// little to lose.
func Guard() error {
	if mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); err == nil && mode != 0 {
		return nil
	}
	here, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("system calls are not guarded: %w", err)
	}
	deny := seccomp.SyscallGroup{Action: seccomp.ActionErrno} // EPERM
	for _, name := range never {
		if _, known := here.SyscallNames[name]; known {
			deny.Names = append(deny.Names, name)
		}
	}
	filter := seccomp.Filter{
		Flag:   seccomp.FilterFlagTSync | flagSpeculate,
		Policy: seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{deny}},
	}
	if err := seccomp.LoadFilter(filter); err != nil && unix.Geteuid() == 0 {
		return fmt.Errorf("system calls are not guarded: %w", err)
	}
	return nil
}
