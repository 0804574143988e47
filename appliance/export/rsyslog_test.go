package export

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/trail"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/tempo"
)

const rsyslogd = "/usr/sbin/rsyslogd"

// rsyslog is an rsyslogd that writes messages to a file.
type rsyslog struct {
	*testing.T
	dir, output string
	port        int
	cmd         *exec.Cmd
}

// newRsyslog starts rsyslogd, by TLS if there is a certificate. It then takes clients with
// certificates of these names only, if there are any.
func newRsyslog(t *testing.T, dir string, ca *lab.PKI, pair lab.KeyPair, clients ...string) *rsyslog {
	t.Helper()
	if _, err := exec.LookPath(rsyslogd); err != nil {
		needs.Missing(t, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rsyslog{T: t, dir: dir, output: filepath.Join(dir, "received"), port: l.Addr().(*net.TCPAddr).Port}
	l.Close()
	tls, driver := "", ""
	if ca != nil {
		tls = fmt.Sprintf(`defaultNetstreamDriverCAFile="%s" defaultNetstreamDriverCertFile="%s" defaultNetstreamDriverKeyFile="%s"`, ca.RootFile, pair.CertFile, pair.KeyFile)
		driver = ` streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon"`
		if len(clients) > 0 {
			driver = fmt.Sprintf(` streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["%s"]`, strings.Join(clients, `","`))
		}
	}
	conf := fmt.Sprintf(`global(maxMessageSize="256k" workDirectory="%s" %s)
module(load="imtcp"%s)
template(name="message" type="string" string="%%msg%%\n")
input(type="imtcp" port="%d" address="127.0.0.1" ruleset="in")
ruleset(name="in" queue.type="Direct") { action(type="omfile" file="%s" template="message") }
`, dir, tls, driver, r.port, r.output)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	t.Cleanup(func() { r.kill(syscall.SIGKILL) })
	return r
}

// start starts the program, and waits until it listens.
func (r *rsyslog) start() {
	r.Helper()
	r.cmd = exec.Command(rsyslogd, "-n", "-f", filepath.Join(r.dir, "conf"), "-i", filepath.Join(r.dir, "pid"))
	var said bytes.Buffer
	r.cmd.Stderr = &said
	if err := r.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	tempo.Until(r, "rsyslogd listens", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// kill ends the program.
func (r *rsyslog) kill(how syscall.Signal) {
	if r.cmd == nil {
		return
	}
	r.cmd.Process.Signal(how)
	r.cmd.Wait()
	os.Remove(filepath.Join(r.dir, "pid"))
	r.cmd = nil
}

// lines returns what was received.
func (r *rsyslog) lines() []string {
	data, err := os.ReadFile(r.output)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.Fatal(err)
	}
	return strings.SplitAfter(string(data[:bytes.LastIndexByte(data, '\n')+1]), "\n")
}

func (r *rsyslog) address() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

// sent returns the lines of the log, as an output has them.
func (b *book) sent(f Format) (list []string) {
	hostname, _ := os.Hostname()
	e := newEncoder(f, false, hostname, "1.0")
	r := trail.NewReader(b.path, trail.Position{})
	defer r.Close()
	for line, err := r.Next(); err == nil; line, err = r.Next() {
		message, _, err := e.encode(line, nil)
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, string(message)+"\n")
	}
	return append(list, "")
}

// compare fails if the receiver does not get every entry of b once, in order.
func (r *rsyslog) compare(b *book, f Format) {
	r.Helper()
	var want []string
	tempo.Until(r, "everything is in the log", func() bool { want = b.sent(f); return len(want) > b.next })
	tempo.Until(r, "everything has arrived", func() bool { return len(r.lines()) >= len(want) })
	got := r.lines()
	for i := range want {
		if got[i] != want[i] {
			r.Fatalf("line %d of %d:\n%s\nwant\n%s", i, len(got), got[i], want[i])
		}
	}
	if len(got) != len(want) {
		r.Errorf("%d lines, want %d", len(got), len(want))
	}
}

// rsyslog gets by TLS and TCP, in both formats, what is in the log. It is killed and away
// while entries are written, and then gets each of them once.
func TestRsyslog(t *testing.T) {
	t.Parallel()
	pki, err := lab.NewPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := pki.Issue("siem.example.test")
	if err != nil {
		t.Fatal(err)
	}
	plain, secure := newRsyslog(t, t.TempDir(), nil, lab.KeyPair{}), newRsyslog(t, t.TempDir(), pki, pair)
	b := newBook(t, t.TempDir(), trail.Options{Size: 1 << 20, Compress: true},
		Output{Name: "plain", Network: TCP, Address: plain.address(), Format: JSON},
		Output{Name: "secure", Network: TLS, Address: secure.address(), Format: CEF, CA: pki.RootFile, ServerName: "siem.example.test"})
	b.write(500)
	plain.compare(b, JSON)
	secure.compare(b, CEF)
	plain.kill(syscall.SIGKILL)
	secure.kill(syscall.SIGTERM)
	for range 10 {
		b.write(2000)
		time.Sleep(50 * time.Millisecond) // entries come over a while: files end, are compressed
	}
	plain.start()
	secure.start()
	began := time.Now()
	plain.compare(b, JSON)
	t.Logf("%d entries after %v", b.next, time.Since(began))
	secure.compare(b, CEF)
	t.Logf("by TLS, in CEF, after %v", time.Since(began))
	all := func() bool { // the kernel there acknowledges after it has written
		return !slices.ContainsFunc(b.set.Status(), func(s Status) bool { return s.Written != uint64(b.next) })
	}
	for end := time.Now().Add(time.Minute); !all() && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	for _, s := range b.set.Status() {
		if s.Lost != 0 || s.Written != uint64(b.next) {
			t.Errorf("%+v", s)
		}
	}
}

// A receiver takes certificates of one name only. What is written while the output has
// another one, or none, arrives when it has the right one: nothing is lost, and the state of
// the output says why it waits.
func TestRsyslogAsksForCertificate(t *testing.T) {
	t.Parallel()
	pki, err := lab.NewPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pairs := make(map[string]lab.KeyPair)
	for _, name := range []string{"siem.example.test", "box.example.test", "other.example.test"} {
		if pairs[name], err = pki.Issue(name); err != nil {
			t.Fatal(err)
		}
	}
	siem := newRsyslog(t, t.TempDir(), pki, pairs["siem.example.test"], "box.example.test")
	dir, next := t.TempDir(), 0
	o := Output{Name: "siem", Network: TLS, Address: siem.address(), Format: JSON, CA: pki.RootFile, ServerName: "siem.example.test"}
	for _, name := range []string{"other.example.test", "", "box.example.test"} {
		o.Certificate, o.Key = pairs[name].CertFile, pairs[name].KeyFile
		b := newBook(t, dir, trail.Options{Size: 1 << 20}, o)
		b.next = next
		b.write(300)
		next = b.next
		if name == "box.example.test" {
			siem.compare(b, JSON)
			break
		}
		tempo.Until(t, "the output says why", func() bool { return b.set.Status()[0].Err != nil })
		if s := b.set.Status()[0]; s.Written != 0 || s.Lost != 0 || len(siem.lines()) > 1 {
			t.Errorf("with %q: %+v, %d lines", name, s, len(siem.lines()))
		}
		t.Logf("with %q: %v", name, b.set.Status()[0].Err)
		b.end()
	}
}

// A receiver is away for an hour at 1,000 entries a second, and then catches up.
func TestRsyslogAwayForAnHour(t *testing.T) {
	if !tempo.Thorough() {
		t.Skip("a long run: see make test-thorough")
	}
	const entries = 3_600_000
	siem := newRsyslog(t, t.TempDir(), nil, lab.KeyPair{})
	siem.kill(syscall.SIGKILL)
	o := trail.Options{Size: 256 << 20, Compress: true}
	b := newBook(t, t.TempDir(), o, Output{Name: "siem", Network: TCP, Address: siem.address(), Format: JSON})
	w, err := trail.Open(b.path, o, trail.Events{Ended: b.set.Ended})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	entry := func(i int) string {
		at := time.Unix(1_800_000_000, int64(i)*1_000_000).UTC().Format("2006-01-02T15:04:05.000000000Z")
		return fmt.Sprintf(`{"time":"%s","session":"%016x","outcome":"bumped","rest":"%s"}`, at, i, strings.Repeat("x", 900)) + "\n"
	}
	var batch bytes.Buffer
	for i := range entries {
		batch.WriteString(entry(i))
		if batch.Len() > 1<<20 || i == entries-1 {
			if _, err := w.Write(batch.Bytes()); err != nil {
				t.Fatal(err)
			}
			batch.Reset()
		}
	}
	t.Log("written")
	siem.start()
	began := time.Now()
	for b.set.Status()[0].Written < entries && time.Since(began) < time.Hour {
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	t.Logf("%d entries in %v: %.0f a second", entries, took, entries/took.Seconds())
	tempo.Until(t, "the receiver has written", func() bool {
		info, err := os.Stat(siem.output)
		return err == nil && info.Size() >= int64(entries*len(entry(0)))
	})
	f, err := os.Open(siem.output)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, 1<<20)
	for i := range entries {
		if line, err := lines.ReadString('\n'); err != nil || line != entry(i) {
			t.Fatalf("line %d is %q, %v", i, line, err)
		}
	}
	if _, err := lines.ReadByte(); err != io.EOF {
		t.Error("there is more")
	}
}
