package keeper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// State is how far a worker is.
type State string

const (
	Starting State = "starting" // it is not ready yet
	Serving  State = "serving"
	Draining State = "draining" // it lets its sessions end
	Ending   State = "ending"   // it was told to end at once
)

const (
	// crashOctets is how much of a dead worker's stack is kept.
	crashOctets = 64 << 10
	// lingering is how long a process may go on that has closed its socket.
	lingering = 5 * time.Second
	// overtime is how long a worker may take to end after its time to drain.
	overtime = 15 * time.Second
)

// worker is a process. All but its goroutine's doings belong to the keeper's loop.
type worker struct {
	number  int
	process *os.Process
	conn    *role.Conn
	crash   *os.File // the reading end
	plan    *Plan
	uses    map[string]bool // keys of resources
	since   time.Time
	state   State

	beat     time.Time // the last one
	killAt   time.Time // zero: never
	sessions int
	summary  string       // it said so last
	result   *role.Result // what it said at its end
	why      string       // the keeper ended it
	unneeded bool         // it was ended before it was ready, by the end of all
	silent   bool         // nobody reads its socket, see [Keeper.quiet]
	resume   chan struct{}
}

// spawn starts a process of a role.
func (k *Keeper) spawn(program string, start *role.Start, names []role.Descriptors, files []*os.File) (*worker, error) {
	conn, inherited, err := role.Pair()
	if err != nil {
		return nil, err
	}
	defer inherited.Close()
	crash, crashing, err := os.Pipe()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	defer crashing.Close()
	cmd := exec.Command(program, k.cfg.Arguments...)
	cmd.Args[0] = k.cfg.Name
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{inherited, crashing}
	if err := cmd.Start(); err != nil {
		conn.Close()
		crash.Close()
		return nil, fmt.Errorf("start %s: %w", k.cfg.Name, err)
	}
	w := newWorker(start.Number, cmd.Process, conn, crash)
	if err := conn.Send(&role.Message{Kind: role.KindStart, Start: start, Files: names}, files...); err != nil {
		w.kill()
		cmd.Process.Wait()
		conn.Close()
		crash.Close()
		return nil, err
	}
	return w, nil
}

func newWorker(number int, process *os.Process, conn *role.Conn, crash *os.File) *worker {
	now := time.Now()
	return &worker{number: number, process: process, conn: conn, crash: crash, since: now, beat: now, state: Starting, resume: make(chan struct{}, 1)}
}

// kill ends the process.
func (w *worker) kill() { w.process.Kill() }

// watch reads the worker's messages until its end, and tells the keeper's loop.
func (k *Keeper) watch(w *worker) {
	stack := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(w.crash, crashOctets))
		stack <- string(text)
		io.Copy(io.Discard, w.crash)
	}()
	var pace pace
	for {
		m, _, err := w.conn.Receive()
		if errors.Is(err, role.ErrPaused) {
			k.do(func() { k.silent(w) })
			select {
			case <-w.resume:
				continue
			case <-k.ended:
				return
			}
		}
		if err == nil {
			err = pace.count(time.Now())
		}
		if err != nil {
			k.do(func() { k.lost(w, err) })
			break
		}
		k.do(func() { k.message(w, m) })
	}
	status, err := w.process.Wait()
	how := "unknown"
	if err == nil {
		how = status.String()
	}
	text := ""
	select {
	case text = <-stack:
	case <-time.After(time.Second):
	}
	k.do(func() {
		w.conn.Close()
		w.crash.Close()
		k.exited(w, how, strings.TrimSpace(text))
	})
}

// errPace says that a role sends more messages than any honest one.
var errPace = errors.New("too many messages")

// messagesASecond is how many messages a role may send.
const messagesASecond = 1000

// pace bounds messages.
type pace struct {
	second time.Time
	n      int
}

func (p *pace) count(now time.Time) error {
	if now.Sub(p.second) >= time.Second {
		p.second, p.n = now, 0
	}
	if p.n++; p.n > messagesASecond {
		return errPace
	}
	return nil
}

// status is what others are told of a worker.
func (w *worker) status() role.WorkerStatus {
	s := role.WorkerStatus{Number: w.number, PID: w.process.Pid, State: string(w.state), Since: w.since, Sessions: w.sessions}
	if w.state == Draining {
		s.Until = w.killAt.Add(-overtime)
	}
	return s
}
