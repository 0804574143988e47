package role

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Descriptors that a process of a role inherits.
const (
	socketFD = 3 // to the keeper
	crashFD  = 4 // takes the stack of a crash
)

// Func is a role. It returns when it has ended: in order, or for a reason. ctx ends when
// sessions are to end at once.
type Func func(ctx context.Context, p *Process) error

// Process is what a role knows of its keeper. Its methods are safe for concurrent use.
type Process struct {
	Start
	Configuration []byte
	Holder        *Holder

	conn    *Conn
	orders  chan Order
	kill    context.CancelFunc
	askID   atomic.Uint64
	mu      sync.Mutex
	answers map[uint64]chan *Answer // nil: the keeper is gone
}

// Order is what the keeper tells a role that runs: to drain, to change in place, or that a
// change was refused.
type Order struct {
	Drain         *Drain
	Refused       error // with neither: change
	Configuration []byte
	// Done tells the keeper of the change. Call it once; it is nil for a drain.
	Done func(Result)
}

// goneDrain is how long sessions may go on when the keeper is gone without a word.
const goneDrain = 30 * time.Second

// Name gives the process its name back, which the kernel took from the descriptor that
// it was run from. It is for people and changes nothing else.
func Name() { os.WriteFile("/proc/self/comm", []byte("clearspan"), 0) }

// Main runs a role in this process, which the keeper has started, and returns the exit
// code. explain chooses that by the error, and what goes with it, see [Result].
func Main(f Func, explain func(error) (code int, detail json.RawMessage)) int {
	// Signals are the keeper's: a terminal sends them to both.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if crash := os.NewFile(crashFD, "crash"); crash != nil {
		if err := debug.SetCrashOutput(crash, debug.CrashOptions{}); err == nil {
			crash.Close() // it has a copy
		}
	}
	Name()
	socket, err := fileConn(os.NewFile(socketFD, "keeper"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "this command is for clearspan itself:", err)
		return 2
	}
	conn := NewConn(socket, false)
	defer conn.Close()
	p, ctx, err := begin(conn)
	if err != nil {
		fmt.Fprintln(os.Stderr, "start of a role:", err)
		return 2
	}
	defer p.kill()
	err = f(ctx, p)
	result := &Result{}
	if err != nil {
		result.Error = err.Error()
		result.Code, result.Detail = explain(err)
	}
	p.conn.Send(&Message{Kind: KindEnd, Result: result}) // the keeper may be gone
	return result.Code
}

// begin receives the first message, and listens for others.
func begin(conn *Conn) (*Process, context.Context, error) {
	m, files, err := conn.Receive()
	if err != nil {
		return nil, nil, err
	}
	if m.Kind != KindStart {
		closeFiles(files)
		return nil, nil, fmt.Errorf("first message: kind %q %w", m.Kind, errContract)
	}
	p := &Process{Start: *m.Start, Holder: newHolder(m.Files, files), conn: conn, orders: make(chan Order, 4), answers: make(map[uint64]chan *Answer)}
	if m.Start.Contract != Contract {
		return nil, nil, fmt.Errorf("the keeper speaks version %d of the contract, this program version %d", m.Start.Contract, Contract)
	}
	p.Holder.users = m.Start.Users
	if p.Configuration, err = p.configuration(p.Holder.Take(FileConfiguration)); err != nil {
		return nil, nil, err
	}
	ctx, kill := context.WithCancel(context.Background())
	p.kill = kill
	go p.listen()
	return p, ctx, nil
}

// configuration reads and closes the file of a message.
func (p *Process) configuration(files []*os.File) ([]byte, error) {
	defer closeFiles(files)
	if len(files) != 1 {
		return nil, fmt.Errorf("message without a configuration %w", errContract)
	}
	return ReadMemFile(files[0])
}

// listen takes the keeper's messages until it is gone.
func (p *Process) listen() {
	for {
		m, files, err := p.conn.Receive()
		if err == nil {
			err = p.obey(m, files)
		}
		if err != nil {
			p.gone()
			return
		}
	}
}

// obey does what a message says.
func (p *Process) obey(m *Message, files []*os.File) error {
	switch m.Kind {
	case KindDrain:
		p.order(Order{Drain: m.Drain})
	case KindReload:
		text, err := p.configuration(files)
		if err != nil {
			return err
		}
		p.order(Order{Configuration: text, Done: func(r Result) { p.conn.Send(&Message{Kind: KindDone, Result: &r}) }})
	case KindRefused:
		p.order(Order{Refused: m.Result.Err()})
	case KindAnswer:
		p.mu.Lock()
		defer p.mu.Unlock()
		if to, ok := p.answers[m.Answer.ID]; ok {
			to <- m.Answer
			delete(p.answers, m.Answer.ID)
		}
	case KindEnd:
		p.kill()
	default:
		closeFiles(files)
		return fmt.Errorf("message of kind %q %w", m.Kind, errContract)
	}
	return nil
}

// order hands an order to the role. One that takes none for long is past help.
func (p *Process) order(o Order) {
	select {
	case p.orders <- o:
	default:
		p.kill()
	}
}

// gone has the role drain: no keeper will tell it.
func (p *Process) gone() {
	p.mu.Lock()
	for _, to := range p.answers {
		close(to)
	}
	p.answers = nil
	p.mu.Unlock()
	p.order(Order{Drain: &Drain{For: goneDrain, Replaced: true}}) // there may be another one soon
}

// Confined tells that the process has the rights that it will have. One that is tied to the
// keeper dies with it from now on.
func (p *Process) Confined() error {
	if !p.Tied {
		return nil
	}
	// A change of user clears this, so that it comes late.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("tie the process to its keeper: %w", err)
	}
	if p.Gone() {
		return ErrGone
	}
	return nil
}

// Gone reports whether the keeper has ended.
func (p *Process) Gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answers == nil
}

// Orders returns the keeper's orders. The last one is a drain.
func (p *Process) Orders() <-chan Order { return p.orders }

// Ready tells the keeper that the role serves.
func (p *Process) Ready(version string) error {
	return p.conn.Send(&Message{Kind: KindReady, Version: version})
}

// Beat tells the keeper that the loop that does the work runs. Call it from there, about
// once a second.
func (p *Process) Beat() error { return p.conn.Send(&Message{Kind: KindBeat}) }

// Tell gives the keeper what status shows of the role.
func (p *Process) Tell(s State) error {
	s.Summary = strings.ToValidUTF8(s.Summary[:min(len(s.Summary), maxSummary)], "")
	return p.conn.Send(&Message{Kind: KindState, State: &s})
}

// ErrGone says that there is no keeper any more.
var ErrGone = errors.New("the keeper has ended")

// Ask asks the keeper, and waits for the answer.
func (p *Process) Ask(ctx context.Context, what string) (*Answer, error) {
	id, to := p.askID.Add(1), make(chan *Answer, 1)
	p.mu.Lock()
	if p.answers == nil {
		p.mu.Unlock()
		return nil, ErrGone
	}
	p.answers[id] = to
	p.mu.Unlock()
	if err := p.conn.Send(&Message{Kind: KindAsk, Ask: &Ask{ID: id, What: what}}); err != nil {
		return nil, err
	}
	select {
	case a, ok := <-to:
		switch {
		case !ok:
			return nil, ErrGone
		case a.Error != "":
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-ctx.Done():
		p.mu.Lock()
		delete(p.answers, id)
		p.mu.Unlock()
		return nil, ctx.Err()
	}
}
