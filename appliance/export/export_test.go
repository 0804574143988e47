package export

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/leodido/go-syslog/v4/rfc5424"
	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/trail"
	"github.com/clearspan/clearspan/hack/tempo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is an audit log with outputs.
type book struct {
	*testing.T
	*audit.Log
	set  *Set
	path string
	next int
}

// newBook opens a log in dir, which may hold one, and starts its outputs.
func newBook(t *testing.T, dir string, o trail.Options, outputs ...Output) *book {
	t.Helper()
	b := &book{T: t, path: filepath.Join(dir, "sessions.jsonl")}
	var err error
	if b.set, err = Open(Config{Trail: b.path, Rotate: o, Outputs: outputs, State: filepath.Join(dir, "outputs"), Version: "1.0"}); err != nil {
		t.Fatal(err)
	}
	b.Log, err = audit.OpenTold(audit.Options{File: b.path, Rotate: o}, audit.Events{Written: b.set.Written, Ended: b.set.Ended}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.set.Start()
	t.Cleanup(b.end)
	return b
}

// end ends the log, then the outputs.
func (b *book) end() {
	if b.Log == nil {
		return
	}
	if err := errors.Join(b.Log.Close(), b.set.Close()); err != nil {
		b.Error(err)
	}
	b.Log = nil
}

// write writes entries whose sessions are numbers.
func (b *book) write(n int) {
	for range n {
		b.Write(audit.Entry{Time: audit.Time{Time: time.Now()}, Session: strconv.Itoa(b.next), Outcome: []string{"bumped", "failed"}[b.next%2], Client: netip.MustParseAddrPort("192.0.2.1:1")})
		b.next++
	}
}

// receiver is a server of syslog by TCP. It may go and come back on its port.
type receiver struct {
	*testing.T
	address string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	sessions []string
	serving  sync.WaitGroup
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{T: t, address: "127.0.0.1:0", conns: make(map[net.Conn]bool)}
	r.start()
	t.Cleanup(r.stop)
	return r
}

func (r *receiver) start() {
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		r.Fatal(err)
	}
	r.mu.Lock()
	r.listener, r.address = l, l.Addr().String()
	r.mu.Unlock()
	r.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns[conn] = true
			r.mu.Unlock()
			r.serving.Go(func() { r.read(conn) })
		}
	})
}

// stop closes everything as a program that ends does: octets that it has not read are
// lost.
func (r *receiver) stop() {
	r.mu.Lock()
	if r.listener != nil {
		r.listener.Close()
		r.listener = nil
	}
	for conn := range r.conns {
		conn.Close()
	}
	r.mu.Unlock()
	r.serving.Wait()
}

// read reads messages: their length, a blank, and the message.
func (r *receiver) read(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 1)
	parser := rfc5424.NewMachine()
	for {
		length, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil {
			r.Errorf("length %q", length)
			return
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(in, text); err != nil {
			return // a message that was cut
		}
		m, err := parser.Parse(text)
		if err != nil {
			r.Errorf("message %q: %v", text, err)
			return
		}
		var e audit.Entry
		if err := json.Unmarshal([]byte(*m.(*rfc5424.SyslogMessage).Message), &e); err != nil {
			r.Errorf("message %q: %v", text, err)
		}
		r.mu.Lock()
		r.sessions = append(r.sessions, e.Session)
		r.mu.Unlock()
	}
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.sessions...)
}

// expect waits for all entries of b, and fails if one is missing, doubled or out of order.
func (r *receiver) expect(b *book) {
	r.Helper()
	tempo.Until(r, fmt.Sprintf("%d entries are there", b.next), func() bool { return len(r.got()) >= b.next })
	for i, id := range r.got() {
		if id != strconv.Itoa(i) {
			r.Fatalf("entry %d is %s", i, id)
		}
	}
}

// A receiver that goes and comes back, again and again, while files of the log end, are
// compressed and counted, gets every entry once, in order.
func TestReceiverAway(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	b := newBook(t, t.TempDir(), trail.Options{Size: 64 << 10, Compress: true}, Output{Name: "siem", Network: TCP, Address: r.address, Format: JSON})
	for range 4 {
		b.write(200)
		r.expect(b)
		r.stop()
		b.write(200)
		r.start()
	}
	r.expect(b)
	tempo.Until(t, "all is acknowledged", func() bool { s := b.set.Status()[0]; return s.Written == uint64(b.next) && s.Lag == 0 && s.Err == nil })
}

// A process that goes on where another one ended doubles and loses nothing.
func TestProcessesTakeTurns(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	dir, o := t.TempDir(), Output{Name: "siem", Network: TCP, Address: r.address, Format: JSON}
	old := newBook(t, dir, trail.Options{Size: 32 << 10}, o)
	old.write(300)
	r.expect(old)
	for range 3 {
		young := newBook(t, dir, trail.Options{Size: 32 << 10}, o)
		old.set.Drain()
		old.write(100) // the sessions that drain
		tempo.Until(t, "the old process leaves", func() bool { return young.set.turn.has() })
		r.expect(old)
		young.next = old.next
		young.write(300)
		r.expect(young)
		old.end()
		old = young
	}
	old.write(50)
	old.end() // sends what there is
	r.expect(old)
}

// What a receiver acknowledged and did not read before it was killed is all that is lost.
// What it did not acknowledge is sent again.
func TestReceiverThatDoesNotRead(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	b := newBook(t, t.TempDir(), trail.Options{}, Output{Name: "siem", Network: TCP, Address: address, Format: JSON})
	b.write(1)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	b.write(6000) // more than a socket takes
	tempo.Until(t, "the socket is full", func() bool { s := b.set.Status()[0]; return s.Written > 0 && s.Lag > time.Second/2 })
	acknowledged := int(b.set.Status()[0].Written)
	conn.Close()
	l.Close()
	r := &receiver{T: t, address: address, conns: make(map[net.Conn]bool)}
	r.start()
	t.Cleanup(r.stop)
	tempo.Until(t, "the last entry is there", func() bool { s := r.got(); return len(s) > 0 && s[len(s)-1] == strconv.Itoa(b.next-1) })
	got := r.got()
	first, _ := strconv.Atoi(got[0])
	if first < acknowledged || len(got) != b.next-first {
		t.Errorf("%d entries from %d on, %d of %d were acknowledged before", len(got), first, acknowledged, b.next)
	}
}

// An output that is away for longer than files are kept counts what it loses.
func TestLostEntriesAreCounted(t *testing.T) {
	t.Parallel()
	b := newBook(t, t.TempDir(), trail.Options{Size: 10_000, Keep: 2, Compress: true}, Output{Name: "siem", Network: TCP, Address: "127.0.0.1:1", Format: JSON})
	b.write(200)
	tempo.Until(t, "files are removed", func() bool { return b.set.Status()[0].Lost > 0 })
	b.Log.Close()
	tempo.Until(t, "the count is complete", func() bool {
		names, _ := trail.Ended(b.path)
		r := trail.NewReader(b.path, trail.Position{})
		defer r.Close()
		kept := 0
		for _, err := r.Next(); err == nil; _, err = r.Next() {
			kept++
		}
		lost := int(b.set.Status()[0].Lost)
		return b.set.Status()[0].Err != nil && len(names) == 2 && lost <= b.next-kept && lost > b.next-kept-40 // the file that it reads stays open
	})
	if s := b.set.Status()[0]; s.Err == nil || s.Lag == 0 || s.Written != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestFileOutput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "elsewhere", "failed.jsonl")
	b := newBook(t, dir, trail.Options{}, Output{Name: "failed", Network: File, Address: path, Format: JSON, Select: "outcome:failed"})
	b.write(100)
	tempo.Until(t, "half of the entries are there", func() bool { return b.set.Status()[0].Written == 50 })
	b.end()
	log, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, `"outcome":"failed"`) {
			want.WriteString(line)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || want.Len() == 0 {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestDatagrams(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b := newBook(t, t.TempDir(), trail.Options{}, Output{Name: "siem", Network: UDP, Address: conn.LocalAddr().String(), Format: CEF})
	b.Write(audit.Entry{Outcome: "bumped", Rule: strings.Repeat("x", 1000)})
	b.Write(audit.Entry{Outcome: "bumped", Session: "7"})
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 65536)
	for range 2 {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		m, err := rfc5424.NewParser().Parse(buf[:n])
		if err != nil || !strings.HasPrefix(*m.(*rfc5424.SyslogMessage).Message, "CEF:0|clearspan|clearspan|1.0|bumped|") {
			t.Errorf("%q, %v", buf[:n], err)
		}
	}
}

// A cursor stays what it was if the write of a slot is cut.
func TestCursor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cursor")
	c, _, fresh, err := openCursor(path)
	if err != nil || !fresh {
		t.Fatal(err, fresh)
	}
	at := trail.Position{After: "a.jsonl", File: "id", Offset: 7}
	for range 3 {
		at.Offset++
		if err := c.store(at); err != nil {
			t.Fatal(err)
		}
	}
	c.close()
	f, _ := os.OpenFile(path, os.O_RDWR, 0)
	if _, err := f.WriteAt([]byte("torn"), 1*slotSize); err != nil {
		t.Fatal(err)
	}
	f.Close()
	c, got, fresh, err := openCursor(path)
	if err != nil || fresh || got.Offset != at.Offset-1 || got.File != "id" {
		t.Errorf("%+v, %v, %v", got, fresh, err)
	}
	if err := c.store(at); err != nil {
		t.Fatal(err)
	}
	c.close()
	if c, got, _, _ = openCursor(path); got != at {
		t.Errorf("%+v", got)
	}
	c.close()
}

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"syslog+tls://siem": "syslog+tls siem:6514", "syslog+tcp://[2001:db8::1]:99": "syslog+tcp [2001:db8::1]:99", "syslog+udp://siem/": "syslog+udp siem:514",
		"out/refused.cef": "file out/refused.cef", "syslog:siem": "", "syslog+tls://": "", "http://siem": "", "syslog+tcp://siem:0": "", "syslog+tcp://siem:99999": "", "syslog+tcp://u@siem": "",
	} {
		network, address, err := ParseAddress(in)
		if got := string(network) + " " + address; want == "" != (err != nil) || err == nil && got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

// Outputs whose certificates cannot be read are not opened.
func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(Config{Trail: filepath.Join(dir, "log"), State: dir, Outputs: []Output{{Name: "x", Network: TLS, Address: "siem:6514", CA: filepath.Join(dir, "none")}}}); err == nil || !strings.Contains(err.Error(), "open audit output x: read CA") {
		t.Error(err)
	}
}
