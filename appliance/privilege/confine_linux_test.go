package privilege

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// report is what the confined process says.
type report struct {
	User     int
	Lacks    []string
	Failed   map[string]string // what should have gone, and the error
	Went     []string          // what should have failed
	Statuses []string          // of all threads
}

// attempt is what a process tries: what it needs, or what it must not get.
type attempt struct {
	name string
	do   func() error
}

// confined is the process. It has a directory of its own, STATE, one that it reads,
// and a process beside it.
func confined(dir string) int {
	state, read := filepath.Join(dir, "state"), filepath.Join(dir, "read")
	// Threads that exist already, in locked goroutines, are to be confined as well.
	var threads sync.WaitGroup
	quit := make(chan struct{})
	for range 4 {
		threads.Go(func() {
			runtime.LockOSThread()
			<-quit
		})
	}
	r := Rights{Reads: []string{read}, Writes: []string{state}, Keep: []cap.Value{cap.DAC_OVERRIDE}}
	var err error
	if r.User, err = FindUser(""); err == nil {
		err = r.User.Own(state)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	left, err := Confine(r)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	out := report{User: left.User, Failed: make(map[string]string)}
	for _, lack := range left.Lacks {
		out.Lacks = append(out.Lacks, lack.Error())
	}
	for _, a := range needed(state, read) {
		if err := a.do(); err != nil {
			out.Failed[a.name] = err.Error()
		}
	}
	other, _ := strconv.Atoi(os.Getenv("CLEARSPAN_TEST_OTHER"))
	for _, a := range forbidden(state, read, other) {
		if a.do() == nil {
			out.Went = append(out.Went, a.name)
		}
	}
	names, _ := filepath.Glob("/proc/self/task/*/status")
	for _, name := range names {
		if data, err := os.ReadFile(name); err == nil {
			out.Statuses = append(out.Statuses, string(data))
		}
	}
	close(quit)
	threads.Wait()
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		return 1
	}
	return 0
}

// needed is what a process that serves does.
func needed(state, read string) []attempt {
	return []attempt{
		{"write a file and replace it", func() error {
			name := filepath.Join(state, "file")
			if err := os.WriteFile(name+".next", []byte("x"), 0o600); err != nil {
				return err
			}
			return errors.Join(os.Rename(name+".next", name), os.Truncate(name, 0), os.Remove(name))
		}},
		{"make a directory", func() error { return os.MkdirAll(filepath.Join(state, "a", "b"), 0o700) }},
		{"change what was there", func() error { return os.WriteFile(filepath.Join(state, "old"), []byte("y"), 0o600) }},
		{"read what the configuration names", func() error { return readable(filepath.Join(read, "file")) }},
		{"read how names are resolved", func() error { return readable("/etc/nsswitch.conf") }},
		{"read of itself", func() error { return readable("/proc/self/status") }},
		{"count descriptors", func() error { _, err := os.ReadDir("/proc/self/fd"); return err }},
		{"serve and connect", func() error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			c, err := net.DialTimeout("tcp", l.Addr().String(), 10*time.Second)
			if err != nil {
				return err
			}
			return c.Close()
		}},
		{"ask the kernel by netlink", func() error { _, err := net.Interfaces(); return err }},
		{"make threads", func() error {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() { // the thread ends with it
					runtime.LockOSThread()
					time.Sleep(time.Millisecond)
				})
			}
			all.Wait()
			return nil
		}},
	}
}

// forbidden is what whoever took the process over would like to do.
func forbidden(state, read string, other int) []attempt {
	call := func(number uintptr, args ...uintptr) func() error {
		return func() error {
			var a [6]uintptr
			copy(a[:], args)
			if _, _, err := syscall.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); err != 0 {
				return err
			}
			return nil
		}
	}
	family := func(family, kind int) func() error {
		return func() error {
			fd, err := unix.Socket(family, kind, 0)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}
	}
	outside := filepath.Join(filepath.Dir(state), "outside")
	return []attempt{

		{"read a file outside", func() error { return readable(filepath.Join(outside, "file")) }},
		{"write a file outside", func() error { return os.WriteFile(filepath.Join(outside, "new"), nil, 0o600) }},
		{"write where it reads", func() error { return os.WriteFile(filepath.Join(read, "new"), nil, 0o600) }},
		{"change what it reads", func() error { return os.WriteFile(filepath.Join(read, "file"), nil, 0o600) }},
		{"remove what it reads", func() error { return os.Remove(filepath.Join(read, "file")) }},
		{"plant a job", func() error { return os.WriteFile("/etc/cron.d/clearspan-test", nil, 0o600) }},
		{"write to /tmp", func() error { return os.WriteFile("/tmp/clearspan-test-planted", nil, 0o600) }},
		{"make a link outside", func() error { return os.Symlink("/etc/passwd", filepath.Join(state, "link")) }},
		{"give a file away", func() error { return os.Chown(filepath.Join(state, "old"), 0, 0) }},
		{"run a program", func() error { return exec.Command("/bin/true").Run() }},
		{"signal another process", func() error { return unix.Kill(other, 0) }},
		{"reach another's abstract socket", func() error {
			c, err := net.Dial("unix", "@clearspan-test-"+strconv.Itoa(other))
			if err == nil {
				c.Close()
			}
			return err
		}},
		{"trace another process", func() error { return unix.PtraceAttach(other) }},
		{"become root", call(unix.SYS_SETRESUID, 0, 0, 0)},
		{"mount", func() error { return unix.Mount("none", state, "tmpfs", 0, "") }},
		{"make a namespace", call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER)},
		{"clone into a namespace", func() error {
			pid, _, err := syscall.RawSyscall(unix.SYS_CLONE, uintptr(unix.CLONE_NEWUSER|unix.SIGCHLD), 0, 0)
			if err != 0 {
				return err
			}
			if pid == 0 { // the child, which is not to be
				syscall.RawSyscall(unix.SYS_EXIT_GROUP, 1, 0, 0)
			}
			return nil
		}},
		{"clone3", call(unix.SYS_CLONE3, 0, 0)},
		{"set up io_uring", call(unix.SYS_IO_URING_SETUP, 0, 0)},
		{"use a key ring", call(unix.SYS_KEYCTL, 0, 0)},
		{"load a module", call(unix.SYS_FINIT_MODULE, 0, 0)},
		{"use eBPF", call(unix.SYS_BPF, 0, 0)},
		{"watch by perf", call(unix.SYS_PERF_EVENT_OPEN, 0)},
		{"set the clock", call(unix.SYS_CLOCK_SETTIME, 0, 0)},
		{"personality", call(unix.SYS_PERSONALITY, 0)},
		{"crypto of the kernel", family(unix.AF_ALG, unix.SOCK_SEQPACKET)},
		{"sockets of virtual machines", family(unix.AF_VSOCK, unix.SOCK_STREAM)},
		{"raw sockets", family(unix.AF_INET, unix.SOCK_RAW)},
		{"type into the terminal", call(unix.SYS_IOCTL, 0, unix.TIOCSTI, 0)},
	}
}

func readable(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return err
	}
	if _, err = f.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// A confined process can do what it needs and nothing else, as root and as a user
// who never was root.
func TestConfine(t *testing.T) {
	for _, row := range []struct {
		name string
		root bool
	}{{"started by root", true}, {"started by a user", false}} {
		t.Run(row.name, func(t *testing.T) {
			if row.root {
				needRoot(t)
			}
			got := run(t, row.root)
			if os.Geteuid() == 0 && got.User == 0 {
				t.Error("the process is root still")
			}
			for name, err := range got.Failed {
				t.Errorf("cannot %s: %v", name, err)
			}
			for _, name := range got.Went {
				t.Errorf("can %s", name)
			}
			for _, lack := range got.Lacks {
				t.Errorf("not bounded: %v", lack)
			}
			for _, status := range got.Statuses {
				for _, want := range []string{fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", got.User), "NoNewPrivs:\t1\n", "Seccomp:\t2\n", "CapAmb:\t0000000000000000\n"} {
					if !strings.Contains(status, want) {
						t.Errorf("a thread lacks %q:\n%s", want, status)
					}
				}
			}
			if len(got.Statuses) < 5 {
				t.Errorf("%d threads were looked at", len(got.Statuses))
			}
		})
	}
}

// run has this program confine itself and returns what it found.
func run(t *testing.T, root bool) report {
	t.Helper()
	// Not below t.TempDir(), which nobody but its owner may enter.
	dir, err := os.MkdirTemp("", "clearspan-confine-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"state": 0o700, "read": 0o755, "outside": 0o777} {
		if err := os.Mkdir(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"state/old", "read/file", "outside/file"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", "@clearspan-test-"+strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program") // where others may run it
	if data, err := os.ReadFile(self); err != nil || os.WriteFile(program, data, 0o755) != nil {
		t.Fatalf("copy of this program: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CLEARSPAN_TEST_CONFINED="+dir, "CLEARSPAN_TEST_OTHER="+strconv.Itoa(os.Getpid()))
	cmd.Stderr = os.Stderr
	if !root && os.Geteuid() == 0 {
		const nobody = 65534
		if err := os.Chown(filepath.Join(dir, "state"), nobody, nobody); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(dir, "state", "old"), nobody, nobody); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the process: %v", err)
	}
	var got report
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return got
}
