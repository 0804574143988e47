package keeper

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/keeper/role"
	"github.com/clearspan/clearspan/hack/tempo"
)

// patience is for what happens at once on a machine with nothing else to do.
const patience = time.Minute

// box is a keeper in a process of its own.
type box struct {
	*testing.T
	dir  string
	at   string // its listener
	as   string // the same in the settings; empty: at
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{}
	err  error
}

// start starts a keeper and waits until it serves.
func start(t *testing.T, s settings) *box {
	t.Helper()
	t.Parallel()
	b := prepare(t, s)
	b.run()
	tempo.Until(t, "a worker serves", func() bool { return b.status() != nil && b.serving() != 0 })
	return b
}

// prepare makes a box that does not run yet.
func prepare(t *testing.T, s settings) *box {
	t.Helper()
	b := &box{T: t, dir: t.TempDir(), at: freeAddress(t), done: make(chan struct{})}
	b.write(s)
	var err error
	if b.log, err = os.Create(filepath.Join(b.dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.log.Close() })
	return b
}

func (b *box) run() {
	b.Helper()
	b.cmd = exec.Command(copyOf(b.T, b.dir, "keeper"))
	b.cmd.Dir, b.cmd.Stdout, b.cmd.Stderr = b.dir, b.log, b.log
	b.cmd.Env = append(os.Environ(), "CLEARSPAN_TEST_KEEPER="+b.dir, "GORACE=atexit_sleep_ms=0")
	if err := b.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go func() { b.err = b.cmd.Wait(); close(b.done) }()
	b.Cleanup(func() {
		b.cmd.Process.Kill()
		<-b.done
		if b.Failed() {
			b.Logf("log:\n%s", b.text())
		}
	})
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// copyOf makes the test program a program of another name.
func copyOf(t *testing.T, dir, name string) string {
	t.Helper()
	to := filepath.Join(dir, name)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if os.Link(self, to) == nil {
		return to
	}
	text, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(to, text, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func (b *box) text() string {
	text, _ := os.ReadFile(filepath.Join(b.dir, "log"))
	return string(text)
}

// write writes settings, with the listener of the box.
func (b *box) write(s settings) {
	b.Helper()
	s.Listen = append(s.Listen, cmp.Or(b.as, b.at))
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(b.dir, "settings"), text, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// order gives an order.
func (b *box) order(o Order) error {
	b.Helper()
	r, err := Send(b.dir, o, patience)
	if err != nil {
		b.Fatal(err)
	}
	return r.Result.Err()
}

// reload puts settings in force.
func (b *box) reload(s settings) error {
	b.Helper()
	b.write(s)
	return b.order(Order{Do: "reload"})
}

// status is nil if the keeper does not answer.
func (b *box) status() *role.Status {
	r, err := Send(b.dir, Order{Do: "status"}, patience)
	if err != nil {
		return nil
	}
	return r.Status
}

// serving returns the number of the process that serves, 0 for none.
func (b *box) serving() int {
	if s := b.status(); s != nil {
		for _, w := range s.Workers {
			if w.State == string(Serving) {
				return w.PID
			}
		}
	}
	return 0
}

// session is a connection to a worker.
type session struct {
	*testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (b *box) session() *session {
	b.Helper()
	conn, err := net.DialTimeout("tcp", b.at, patience)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	return &session{b.T, conn, bufio.NewReader(conn)}
}

// takenBy waits until a worker takes new sessions, and returns one. The one before may take
// some for a moment.
func (b *box) takenBy(prefix string) (s *session) {
	b.Helper()
	tempo.Until(b.T, "new sessions are served by "+prefix, func() bool {
		s = b.session()
		return strings.HasPrefix(s.say("x"), prefix)
	})
	return s
}

// refuses waits until an address refuses connections.
func (b *box) refuses(at string) {
	b.Helper()
	tempo.Until(b.T, at+" refuses connections", func() bool {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

// say returns the answer to a line.
func (s *session) say(line string) string {
	s.Helper()
	if _, err := io.WriteString(s.conn, line+"\n"); err != nil {
		s.Fatal(err)
	}
	answer, err := s.in.ReadString('\n')
	if err != nil {
		s.Fatalf("after %q: %v", line, err)
	}
	return strings.TrimSuffix(answer, "\n")
}

// flood connects over and over, and counts.
type flood struct {
	connects, refused, lost atomic.Int64
	first                   atomic.Value
	end                     chan struct{}
	all                     sync.WaitGroup
}

// flood begins. stop ends it.
func (b *box) flood(clients int, pause time.Duration) *flood {
	f := &flood{end: make(chan struct{})}
	for range clients {
		f.all.Go(func() {
			for {
				select {
				case <-f.end:
					return
				case <-time.After(pause):
				}
				f.once(b.at)
			}
		})
	}
	return f
}

func (f *flood) once(at string) {
	conn, err := net.DialTimeout("tcp", at, patience)
	f.connects.Add(1)
	if err != nil {
		f.refused.Add(1)
		f.first.CompareAndSwap(nil, err.Error())
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintln(conn, "hello")
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		f.lost.Add(1)
		f.first.CompareAndSwap(nil, err.Error())
	}
}

func (f *flood) stop() {
	close(f.end)
	f.all.Wait()
}

// gone waits for the end of a process.
func (b *box) gone(pid int) {
	b.Helper()
	tempo.Until(b.T, fmt.Sprintf("end of process %d", pid), func() bool { return syscall.Kill(pid, 0) != nil })
}

// ended waits for the end of the keeper.
func (b *box) ended() error {
	b.Helper()
	select {
	case <-b.done:
	case <-time.After(patience):
		b.Fatal("the keeper does not end")
	}
	return b.err
}

func itoa(n int) string { return strconv.Itoa(n) }
