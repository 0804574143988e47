package keeper

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// Companion is a process beside the workers, such as the recorder. It has a Unix socket, to which
// workers connect by its path.
//
// The process is the same program. It is given three descriptors: the listening socket, a file
// in memory with Options, and the end of a pipe. When that pipe ends, it is to end: in order, but
// soon. A companion that ends unasked is started again: at once, then after 0.1, 0.5, 2 and 10 s.
type Companion struct {
	Name      string // of the resource, for people
	Key       string // what it is; unique in a plan
	Socket    string
	Title     string // of the program, for people: [Config.Name]
	Program   string // a path, /proc/self/exe
	Arguments []string
	Options   []byte
	Logger    *slog.Logger
}

// Descriptors of a companion.
const (
	CompanionSocket = 3 + iota
	CompanionOptions
	CompanionLife
)

// endFor is how long a companion may take to end.
const endFor = 20 * time.Second

// Resource returns the resource that a plan names to have the companion.
func (c Companion) Resource() Resource {
	return Resource{
		Name: c.Name, Key: c.Key, Private: true,
		Open: func() (Holding, error) {
			socket, err := ListenUnix(c.Socket)
			if err != nil {
				return nil, fmt.Errorf("listen for %s: %w", c.Name, err)
			}
			number, err := numberFile()
			if err != nil {
				return nil, errors.Join(err, socket.Close())
			}
			return c.attend(socket, number), nil
		},
		Adopt: func(files []*os.File) (Holding, error) {
			if len(files) != 2 {
				return nil, fmt.Errorf("%s has %d descriptors, want 2", c.Name, len(files))
			}
			reap(files[1])
			return c.attend(files[0], files[1]), nil
		},
	}
}

// attendance is a companion that is kept going.
type attendance struct {
	c      Companion
	socket *os.File
	number *os.File // holds the number of the process, for a keeper after this one
	inode  uint64
	stop   chan struct{}
	once   sync.Once
	done   chan struct{}
}

func (c Companion) attend(socket, number *os.File) *attendance {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	a := &attendance{c: c, socket: socket, number: number, inode: inodeOf(c.Socket), stop: make(chan struct{}), done: make(chan struct{})}
	go a.run()
	return a
}

// Files implements [Holding].
func (a *attendance) Files() []*os.File { return []*os.File{a.socket, a.number} }

// Stop implements [Holding]: the process is to end. What workers still have to say goes to the
// one that takes its place.
func (a *attendance) Stop() error {
	a.once.Do(func() { close(a.stop) })
	return nil
}

// Close implements [Holding]. It waits for the process.
func (a *attendance) Close() error {
	a.Stop()
	<-a.done
	err := errors.Join(a.socket.Close(), a.number.Close())
	if a.inode != 0 && inodeOf(a.c.Socket) == a.inode { // else it is that of another one
		err = errors.Join(err, os.Remove(a.c.Socket))
	}
	return err
}

// Paths implements [Placed].
func (a *attendance) Paths() []string { return []string{a.c.Socket} }

// run keeps the process going. A life of a minute is no death.
func (a *attendance) run() {
	defer close(a.done)
	for deaths := 0; ; deaths = min(deaths+1, len(pauses)-1) {
		began := time.Now()
		err := a.live()
		select {
		case <-a.stop:
			return
		default:
		}
		if time.Since(began) > time.Minute {
			deaths = 0
		}
		if err == nil {
			err = errors.New("it ended unasked")
		}
		a.c.Logger.Error("companion ended, starting it again", "name", a.c.Name, "err", err)
		select {
		case <-a.stop:
			return
		case <-time.After(pauses[deaths]):
		}
	}
}

// live runs the process to its end.
func (a *attendance) live() error {
	options, err := role.MemFile(a.c.Name, a.c.Options)
	if err != nil {
		return err
	}
	defer options.Close()
	lives, life, err := os.Pipe()
	if err != nil {
		return err
	}
	defer life.Close()
	cmd := exec.Command(a.c.Program, a.c.Arguments...)
	cmd.Args[0] = a.c.Title
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{a.socket, options, lives}
	err = cmd.Start()
	lives.Close()
	if err != nil {
		return err
	}
	noteNumber(a.number, cmd.Process.Pid)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-a.stop:
	}
	life.Close()
	select {
	case err := <-ended:
		return err
	case <-time.After(endFor):
		a.c.Logger.Warn("companion does not end, it is killed", "name", a.c.Name)
		cmd.Process.Kill()
		return <-ended
	}
}

// numberFile returns a file in memory for the number of a process.
func numberFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("number", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "number"), nil
}

// noteNumber writes the number of a process.
func noteNumber(f *os.File, pid int) {
	f.Truncate(0)
	f.WriteAt([]byte(strconv.Itoa(pid)), 0) // without it, a dead process stays in the table of processes
}

// reap waits, in the background, for the process of a keeper before this one, which ends because
// its pipe has.
func reap(number *os.File) {
	text := make([]byte, 16)
	n, err := number.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil || pid <= 1 {
		return
	}
	if p, err := os.FindProcess(pid); err == nil {
		go p.Wait()
	}
}

// inodeOf returns what tells a file from others of the same path; 0: it is not there.
func inodeOf(path string) uint64 {
	var s unix.Stat_t
	if unix.Lstat(path, &s) != nil {
		return 0
	}
	return s.Ino
}

// CompanionText reads the options that a companion was given.
func CompanionText(options *os.File) ([]byte, error) { return role.ReadMemFile(options) }
