package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/appliance/privilege/rights"
	"github.com/clearspan/clearspan/hack/inject"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// trespass is what whoever took a worker over would like to do.
type trespass struct {
	name   string
	number int
	args   []any // numbers; texts and octets, which the call gets the addresses of
	goes   bool  // the worker may
}

// TestRightsOfWorker has the worker of a running appliance try what the list of roles
// forbids, and what it grants.
func TestRightsOfWorker(t *testing.T) {
	for _, row := range []struct{ name, yaml, kept string }{
		{"proxy", "intake: [{name: p, mode: explicit, listen: 127.0.0.1:8080}]\n", "none"},
		{"gateway", "intake: [{name: gw, mode: tproxy, listen: ':8099', from: [" + lab.LANInterface + "], ports: [443]}]\n", "net_bind_service net_admin net_raw"},
	} {
		t.Run(row.name, func(t *testing.T) {
			scenetest.Together(t)
			g, err := lab.NewGateway(netlab.ForTest(t))
			if err != nil {
				t.Fatal(err)
			}
			dir, outside := openDirectory(t), openDirectory(t)
			for _, name := range []string{rootsSocket(outside), "@" + outside} {
				l, err := g.Box.Listen("unix", name)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
			}
			if err := os.Chmod(rootsSocket(outside), 0o600); err != nil {
				t.Fatal(err)
			}
			yaml := "state: " + dir + "/state\nadmin: {listen: 'off'}\nmirror: [{name: files, kind: pcapng, directory: captures}]\n" + row.yaml
			a, err := lab.StartAppliance(g.Box, dir, scenetest.Binary, yaml)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := a.Stop(); err != nil {
					t.Error(err)
				}
			})
			if !strings.Contains(a.Log(), `"kept":"`+row.kept+`"`) {
				t.Errorf("the worker keeps something else: %s", a.Log())
			}
			cfg, err := config.Parse("clearspan.yaml", []byte(yaml), dir)
			if err != nil {
				t.Fatal(err)
			}
			worker := a.Worker()
			err = inject.Into(worker, func(p *inject.Process) error {
				if pid, err := p.Call(unix.SYS_GETPID); err != nil || int(pid) != worker {
					return fmt.Errorf("process %d, %w", pid, err)
				}
				for _, tt := range trespasses(rights.Worker.Granted(cfg), dir, outside, a.Pid()) {
					if err := tt.try(p); err != nil {
						t.Error(err)
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if a.Worker() != worker {
				t.Error("the worker died of it")
			}
			// The keeper stays root, behind a filter.
			if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.Pid())); err != nil || !strings.Contains(string(status), "\nSeccomp:\t2\n") {
				t.Errorf("no filter of system calls in the keeper: %v\n%s", err, status)
			}
		})
	}
}

// rootsSocket is a socket in a directory that root alone may connect to.
func rootsSocket(dir string) string { return filepath.Join(dir, "roots.sock") }

// openDirectory makes a directory that all may enter. It has a file that all may write.
func openDirectory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "clearspan-rights-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	open := filepath.Join(dir, "open")
	err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(open, 0o777), os.Chmod(open, 0o777), os.WriteFile(open+"/file", nil, 0o666), os.Chmod(open+"/file", 0o666))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// trespasses are the attempts of a worker with rights. dir has its configuration and state.
func trespasses(r privilege.Rights, dir, outside string, keeper int) []trespass {
	raw := slices.Contains(r.Keep, cap.NET_RAW)
	proc := fmt.Sprintf("/proc/%d/", keeper)
	opens := func(path string, flags int) []any { return []any{unix.AT_FDCWD, path, flags, 0o600} }
	list := []trespass{
		{"read the passwords of the machine", unix.SYS_OPENAT, opens("/etc/shadow", unix.O_RDONLY), false},
		{"read a file outside", unix.SYS_OPENAT, opens(outside+"/open/file", unix.O_RDONLY), false},
		{"write a file outside", unix.SYS_OPENAT, opens(outside+"/open/file", unix.O_WRONLY), false},
		{"make a file outside", unix.SYS_OPENAT, opens(outside+"/open/new", unix.O_WRONLY|unix.O_CREAT), false},
		{"make a file in /tmp", unix.SYS_OPENAT, opens("/tmp/clearspan-rights-planted", unix.O_WRONLY|unix.O_CREAT), false},
		{"change its configuration", unix.SYS_OPENAT, opens(dir+"/clearspan.yaml", unix.O_WRONLY), false},
		{"read the keeper's memory", unix.SYS_OPENAT, opens(proc+"mem", unix.O_RDONLY), false},
		{"read the keeper's environment", unix.SYS_OPENAT, opens(proc+"environ", unix.O_RDONLY), false},
		{"read the keeper's memory at once", unix.SYS_PROCESS_VM_READV, []any{keeper, 0, 0, 0, 0, 0}, false},
		{"trace the keeper", unix.SYS_PTRACE, []any{unix.PTRACE_ATTACH, keeper}, false},
		{"signal the keeper", unix.SYS_KILL, []any{keeper, 0}, false},
		{"signal process 1", unix.SYS_KILL, []any{1, 0}, false},
		{"hold the keeper", unix.SYS_PIDFD_OPEN, []any{keeper, 0}, false},
		{"mount", unix.SYS_MOUNT, []any{"none", dir + "/state", "tmpfs", 0, 0}, false},
		{"change the root", unix.SYS_CHROOT, []any{dir + "/state"}, false},
		{"make a user namespace", unix.SYS_UNSHARE, []any{unix.CLONE_NEWUSER}, false},
		{"make a network namespace", unix.SYS_UNSHARE, []any{unix.CLONE_NEWNET}, false},
		{"clone into a namespace", unix.SYS_CLONE, []any{unix.CLONE_NEWUSER | int(unix.SIGCHLD)}, false},
		{"run a program", unix.SYS_EXECVE, []any{"/bin/true", 0, 0}, false},
		{"become root", unix.SYS_SETRESUID, []any{0, 0, 0}, false},
		{"become root's group", unix.SYS_SETRESGID, []any{0, 0, 0}, false},
		{"take capabilities", unix.SYS_CAPSET, []any{0, 0}, false},
		{"give a file away", unix.SYS_FCHOWNAT, []any{unix.AT_FDCWD, dir + "/state", 0, 0, 0}, false},
		{"make a device", unix.SYS_MKNODAT, []any{unix.AT_FDCWD, dir + "/state/device", unix.S_IFCHR | 0o600, 0x103}, false},
		{"make a link", unix.SYS_SYMLINKAT, []any{"/etc/passwd", unix.AT_FDCWD, dir + "/state/link"}, false},
		{"load a module", unix.SYS_FINIT_MODULE, []any{0, 0, 0}, false},
		{"remove a module", unix.SYS_DELETE_MODULE, []any{"x", 0}, false},
		{"watch by perf", unix.SYS_PERF_EVENT_OPEN, []any{0}, false},
		{"set up io_uring", unix.SYS_IO_URING_SETUP, []any{1, 0}, false},
		{"use a key ring", unix.SYS_KEYCTL, []any{0, 0}, false},
		{"set the clock", unix.SYS_CLOCK_SETTIME, []any{0, 0}, false},
		{"restart the machine", unix.SYS_REBOOT, []any{0, 0, 0}, false},
		{"use the kernel's cryptography", unix.SYS_SOCKET, []any{unix.AF_ALG, unix.SOCK_SEQPACKET, 0}, false},

		{"make a raw socket", unix.SYS_SOCKET, []any{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}, raw},
		{"make a socket for frames", unix.SYS_SOCKET, []any{unix.AF_PACKET, unix.SOCK_RAW, 0}, raw},
		{"make a socket", unix.SYS_SOCKET, []any{unix.AF_INET, unix.SOCK_STREAM, 0}, true},
		{"make a file in its state", unix.SYS_OPENAT, opens(dir+"/state/new", unix.O_WRONLY|unix.O_CREAT), true},
		{"make a file of captures", unix.SYS_OPENAT, opens(dir+"/state/captures/new", unix.O_WRONLY|unix.O_CREAT), true},
		{"read its configuration", unix.SYS_OPENAT, opens(dir+"/clearspan.yaml", unix.O_RDONLY), true},
	}
	if !r.Programs {
		list = append(list, trespass{"use eBPF", unix.SYS_BPF, []any{0, 0, 0}, false})
	}
	if !r.Namespaces {
		list = append(list, trespass{"enter a namespace", unix.SYS_SETNS, []any{0, 0}, false})
	}
	for name, path := range map[string]string{"root's socket": rootsSocket(outside), "an abstract socket": "\x00" + outside} {
		list = append(list, trespass{"connect to " + name, unix.SYS_CONNECT, []any{path}, false})
	}
	return list
}

// try has the process make the call, and returns an error if it is not answered as the
// rights have it. Descriptors that it gets are closed.
func (a *trespass) try(p *inject.Process) error {
	args, err := a.place(p)
	if err != nil {
		return err
	}
	if a.number == unix.SYS_CONNECT {
		fd, err := p.Call(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer p.Call(unix.SYS_CLOSE, fd)
		args = append([]uint64{fd}, args...)
	}
	result, err := p.Call(a.number, args...)
	switch {
	case a.goes && err != nil:
		return fmt.Errorf("cannot %s: %w", a.name, err)
	case a.goes:
		_, err := p.Call(unix.SYS_CLOSE, result)
		return err
	case err == nil:
		return fmt.Errorf("can %s", a.name)
	case !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s: refused with %w, which is no matter of rights", a.name, err)
	}
	return nil
}

// place puts the arguments into the process. The text of a connect is an address.
func (a *trespass) place(p *inject.Process) (args []uint64, err error) {
	for _, arg := range a.args {
		number, isNumber := arg.(int)
		if isNumber {
			args = append(args, uint64(number))
			continue
		}
		octets := append([]byte(arg.(string)), 0)
		if a.number == unix.SYS_CONNECT {
			octets = append(binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX), arg.(string)...)
		}
		at, err := p.Octets(octets)
		if err != nil {
			return nil, err
		}
		args = append(args, at)
		if a.number == unix.SYS_CONNECT {
			args = append(args, uint64(len(octets)))
		}
	}
	return args, nil
}
