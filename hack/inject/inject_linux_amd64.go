package inject

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	scratchOctets = 1 << 16
	seize         = 0x4206 // PTRACE_SEIZE
	interrupt     = 0x4207 // PTRACE_INTERRUPT
	ofCall        = unix.SIGTRAP | 0x80
)

// Process is one whose first thread is held. Use it in the function that [Into] calls.
type Process struct {
	pid         int
	memory      *os.File
	before      unix.PtraceRegs
	instruction uint64 // of a system call
	scratch     uint64 // memory for what calls point to
	used        uint64
}

// Into holds the first thread of a process, calls f, and lets the thread go on where it
// was. The others run meanwhile. An error of f is returned.
func Into(pid int, f func(p *Process) error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // ptrace knows threads; this one ends with the goroutine
		result <- into(pid, f)
	}()
	return <-result
}

func into(pid int, f func(p *Process) error) (err error) {
	p := &Process{pid: pid}
	if p.memory, err = os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0); err != nil {
		return err
	}
	defer p.memory.Close()
	if p.instruction, err = p.find([]byte{0x0f, 0x05}); err != nil {
		return err
	}
	if err := trace(seize, pid, unix.PTRACE_O_TRACESYSGOOD); err != nil {
		return fmt.Errorf("seize process %d: %w", pid, err)
	}
	if err := p.halt(); err != nil {
		return err
	}
	if err := unix.PtraceGetRegs(pid, &p.before); err != nil {
		return fmt.Errorf("read registers: %w", err)
	}
	at, err := p.Call(unix.SYS_MMAP, 0, scratchOctets, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uint64(0))
	if err == nil {
		p.scratch = at
		err = f(p)
		_, unmapping := p.Call(unix.SYS_MUNMAP, at, scratchOctets)
		err = errors.Join(err, unmapping)
	}
	return errors.Join(err, p.release())
}

// release lets the thread go on. A call that was interrupted is restarted only where the
// kernel looks for signals, so that the thread halts there once more.
func (p *Process) release() error {
	if err := trace(interrupt, p.pid, 0); err != nil {
		return err
	}
	if err := unix.PtraceCont(p.pid, 0); err != nil {
		return err
	}
	if err := p.wait(func(s unix.WaitStatus) bool { return s.TrapCause() == unix.PTRACE_EVENT_STOP }); err != nil {
		return err
	}
	return errors.Join(unix.PtraceSetRegs(p.pid, &p.before), unix.PtraceDetach(p.pid))
}

func (p *Process) halt() error {
	if err := trace(interrupt, p.pid, 0); err != nil {
		return fmt.Errorf("interrupt process %d: %w", p.pid, err)
	}
	return p.wait(func(s unix.WaitStatus) bool { return s.TrapCause() == unix.PTRACE_EVENT_STOP })
}

// wait waits for a stop. Signals that come meanwhile are those that Go sends to have
// goroutines yield: they are left out.
func (p *Process) wait(is func(unix.WaitStatus) bool) error {
	for {
		var s unix.WaitStatus
		if _, err := unix.Wait4(p.pid, &s, unix.WALL, nil); err != nil {
			return fmt.Errorf("wait for process %d: %w", p.pid, err)
		}
		switch {
		case !s.Stopped():
			return fmt.Errorf("process %d ended: %#x", p.pid, s)
		case is(s):
			return nil
		}
		if err := unix.PtraceSyscall(p.pid, 0); err != nil {
			return err
		}
	}
}

// Call makes a system call, and returns what it returned. The error is that of the call, an
// [unix.Errno], or one of ptrace(2).
func (p *Process) Call(number int, args ...uint64) (uint64, error) {
	var a [6]uint64
	copy(a[:], args)
	r := p.before
	r.Rip, r.Rax, r.Orig_rax = p.instruction, uint64(number), ^uint64(0)
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = a[0], a[1], a[2], a[3], a[4], a[5]
	if err := unix.PtraceSetRegs(p.pid, &r); err != nil {
		return 0, fmt.Errorf("set registers: %w", err)
	}
	for range 2 { // it begins and ends
		if err := unix.PtraceSyscall(p.pid, 0); err != nil {
			return 0, err
		}
		if err := p.wait(func(s unix.WaitStatus) bool { return s.StopSignal() == ofCall }); err != nil {
			return 0, err
		}
	}
	if err := unix.PtraceGetRegs(p.pid, &r); err != nil {
		return 0, fmt.Errorf("read registers: %w", err)
	}
	if n := int64(r.Rax); -4096 < n && n < 0 {
		return 0, unix.Errno(-n)
	}
	return r.Rax, nil
}

// Octets puts octets into the process's memory, and returns where they are.
func (p *Process) Octets(b []byte) (uint64, error) {
	if p.used+uint64(len(b)) > scratchOctets {
		return 0, errors.New("the memory for arguments is full")
	}
	at := p.scratch + p.used
	if _, err := p.memory.WriteAt(b, int64(at)); err != nil {
		return 0, fmt.Errorf("write memory: %w", err)
	}
	p.used += uint64(len(b)+15) &^ 15
	return at, nil
}

// find returns where octets are in the program.
func (p *Process) find(octets []byte) (uint64, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n != 3 || mode != "r-xp" || !strings.Contains(line, "/") {
			continue
		}
		text := make([]byte, to-from)
		if _, err := p.memory.ReadAt(text, int64(from)); err != nil {
			return 0, fmt.Errorf("read program: %w", err)
		}
		if i := bytes.Index(text, octets); i >= 0 {
			return from + uint64(i), nil
		}
	}
	return 0, errors.New("the program has no such instruction")
}

func trace(request uintptr, pid int, data uintptr) error {
	if _, _, err := syscall.RawSyscall6(unix.SYS_PTRACE, request, uintptr(pid), 0, data, 0, 0); err != 0 {
		return err
	}
	return nil
}
