package icap

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/netlab"
)

var update = flag.Bool("update", false, "write what c-icap says to testdata/c-icap, as seeds of the fuzz targets")

// cicap is a running c-icap and clients of its services.
type cicap struct {
	*lab.ICAP
	ns    *netlab.Namespace
	roots *x509.CertPool
	cert  string

	mu   sync.Mutex
	said []*bytes.Buffer // by connection
}

func startCICAP(t *testing.T) *cicap {
	t.Helper()
	l := netlab.ForTest(t)
	if err := lab.MissingPrograms("test"); err != nil {
		needs.Missing(t, err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ns, err := l.Namespace("icap")
	must(err)
	dir, err := l.Dir("pki")
	must(err)
	p, err := lab.NewPKI(dir)
	must(err)
	k, err := p.Issue("127.0.0.1")
	must(err)
	dir, err = l.Dir("icap")
	must(err)
	s := &cicap{ns: ns, roots: x509.NewCertPool(), cert: p.RootFile}
	s.roots.AddCert(p.Root)
	s.ICAP, err = lab.StartICAP(ns, dir, &k)
	must(err)
	return s
}

// recorded keeps what is read.
type recorded struct {
	net.Conn
	s    *cicap
	kept *bytes.Buffer
}

func (r recorded) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.kept.Write(p[:min(n, 4096-min(4096, r.kept.Len()))])
	return n, err
}

func (s *cicap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := s.ns.DialContext(ctx, network, address)
	if err != nil || !*update {
		return c, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := new(bytes.Buffer)
	s.said = append(s.said, kept)
	return recorded{c, s, kept}, nil
}

// client returns a client of a service in plain.
func (s *cicap) client(t *testing.T, service string, change func(*Config)) *Client {
	cfg := Config{
		URLs: []string{fmt.Sprintf("icap://127.0.0.1:%d/%s", lab.ICAPPort, service)},
		Dial: s.dial, Tell: []Fact{ClientIP, ServerIP, User},
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, said := range s.said {
			name := strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestCICAP/"), "/", "-")
			file := filepath.Join("testdata", "c-icap", fmt.Sprintf("%s-%d", name, i))
			if err := os.WriteFile(file, said.Bytes(), 0o644); err != nil {
				t.Error(err)
			}
		}
		s.said = nil
	})
	return c
}

func TestCICAP(t *testing.T) {
	s := startCICAP(t)
	t.Run("capture", s.capture)
	t.Run("memory", s.memory)
	t.Run("echo", s.echo)
	t.Run("tls", s.tls)
	t.Run("scan", s.scan)
	t.Run("partial", s.partial)
	for _, want := range []string{"200 OPTIONS echo", "204 RESPMOD echo", "204 REQMOD echo", "204 RESPMOD avscan", "200 RESPMOD avscan", "200 REQMOD avscan", "206 RESPMOD ex206"} {
		served := false
		for deadline := time.Now().Add(10 * time.Second); !served && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			requests, err := s.Requests() // written a little later than served
			if err != nil {
				t.Fatal(err)
			}
			served = slices.ContainsFunc(requests, func(r string) bool { return strings.HasPrefix(r, want) })
		}
		if !served {
			t.Errorf("c-icap did not serve %q", want)
		}
	}
	if t.Failed() {
		t.Logf("log of c-icap:\n%s", s.Log())
	}
}

// What a recorder sees of a message that is long over when its preview is.
func (s *cicap) capture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "icap.pcap")
	if _, err := lab.StartCapture(s.ns, "lo", file); err != nil { // the lab ends it
		t.Fatal(err)
	}
	c := s.client(t, lab.ScanService, nil)
	body := append([]byte("%PDF-1.4\n"), octets(10<<20)...) // of a kind that is not scanned
	if res := want(t, c, download(body, false), Unmodified, body); !res.Detail.Preview {
		t.Errorf("%+v", res.Detail)
	}
	const last = "ICAP/1.0 204 Unmodified\r\n"
	var frames []byte
	for deadline := time.Now().Add(20 * time.Second); !bytes.Contains(frames, []byte(last)) && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var err error
		if frames, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"\r\nPreview: 1024\r\n", "\r\n400\r\n" + string(body[:100]), last} {
		if !bytes.Contains(frames, []byte(part)) {
			t.Errorf("capture does not hold %q", part[:min(len(part), 40)])
		}
	}
	if bytes.Contains(frames, body[2000:2100]) || len(frames) > 64<<10 {
		t.Errorf("capture of %d octets holds more than the preview", len(frames))
	}
	said, err := exec.Command("tshark", "-n", "-r", file, "-Y", "icap", "-T", "fields", "-e", "icap.options", "-e", "icap.respmod", "-e", "icap.response").CombinedOutput()
	if err != nil || len(bytes.Fields(said)) < 4 {
		t.Errorf("tshark: %v\n%s", err, said)
	}
	said, err = exec.Command("tshark", "-n", "-r", file, "-Y", "_ws.malformed").CombinedOutput()
	if err != nil || bytes.Contains(said, []byte("Malformed")) {
		t.Errorf("tshark: %v\n%s", err, said)
	}
}

// 256 MiB go through c-icap and back in 64 streams.
func (s *cicap) memory(t *testing.T) {
	c := s.client(t, lab.EchoService, func(c *Config) { c.NoPreview = true })
	measureMemory(t, c, 64, 4<<20)
}

// Bodies come back octet by octet, whether by 204 or 200.
func (s *cicap) echo(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
	}{
		{"preview", nil},
		{"small preview", func(c *Config) { c.Preview = 10 }},
		{"no preview", func(c *Config) { c.NoPreview = true }},
		{"nothing kept", func(c *Config) { c.Replay = 1; c.NoPreview = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := s.client(t, lab.EchoService, tt.change)
			for _, n := range sizes {
				for _, length := range []bool{true, false} {
					body := octets(n)
					for _, m := range []*Message{download(body, length), upload(body, length)} {
						m.Client, m.Server, m.User = netip.MustParseAddrPort("198.51.100.2:40000"), netip.MustParseAddrPort("192.0.2.10:443"), "alice"
						m.Response = []byte(strings.Replace(okHeader, "Transfer-Encoding: chunked", "Content-Length: "+strconv.Itoa(n), 1))
						if m.Method == REQMOD {
							m.Response = nil
						}
						res, got, err := adapt(t, c, m)
						if err != nil {
							t.Fatalf("%d octets, length known %v: %v", n, length, err)
						}
						if !bytes.Equal(got, body) {
							t.Errorf("%d octets: %v, %d octets came back", n, res.Outcome, len(got))
						}
						if res.Detail.ISTag == "" || res.Outcome == Blocked {
							t.Errorf("%+v", res)
						}
					}
				}
			}
			want(t, c, &Message{Method: REQMOD, Request: []byte(getHeader)}, Unmodified, nil)
			if s := c.Servers()[0]; s.Failures != 0 || s.Busy != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func (s *cicap) tls(t *testing.T) {
	secure := func(roots *x509.CertPool) func(*Config) {
		return func(c *Config) {
			c.URLs = []string{fmt.Sprintf("icaps://127.0.0.1:%d/%s", lab.ICAPSPort, lab.EchoService)}
			c.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
			c.NoPreview, c.Replay = true, 1000
			c.Dial = s.ns.DialContext
		}
	}
	c := s.client(t, lab.EchoService, secure(s.roots))
	for range 3 {
		for _, n := range []int{0, 1000, 100_000, 4 << 20} {
			want(t, c, download(octets(n), false), Modified, octets(n))
		}
	}
	if res := want(t, c, download(octets(5000), true), Modified, octets(5000)); !res.Detail.Reused {
		t.Error("connections over TLS do not persist")
	}
	stranger := s.client(t, lab.EchoService, secure(x509.NewCertPool()))
	_, _, err := adapt(t, stranger, download(octets(100), true))
	wantKind(t, err, Unavailable)
}

func (s *cicap) scan(t *testing.T) {
	c := s.client(t, lab.ScanService, nil)
	clean := bytes.Repeat([]byte("Nothing to see here.\n"), 5000)
	for _, length := range []bool{true, false} {
		for _, n := range []int{0, 100, 1024, 5000, len(clean)} {
			res, got, err := adapt(t, c, download(clean[:n], length))
			if err != nil || res.Outcome == Blocked || !bytes.Equal(got, clean[:n]) {
				t.Fatalf("%d clean octets: %+v, %d octets, %v", n, res, len(got), err)
			}
		}
		for _, infected := range [][]byte{
			[]byte(lab.EICAR()),
			slices.Concat(clean, []byte(lab.EICAR()), clean),
		} {
			for _, m := range []*Message{download(infected, length), upload(infected, length)} {
				res, page, err := adapt(t, c, m)
				if err != nil {
					t.Fatal(err)
				}
				if res.Outcome != Blocked || !strings.Contains(res.Detail.Infection, lab.Threat) || !bytes.Contains(page, []byte("VIRUS FOUND")) ||
					!bytes.HasPrefix(res.Header, []byte("HTTP/1.0 403 Forbidden\r\n")) || bytes.Contains(res.Header, []byte("Connection")) {
					t.Errorf("%v: %+v, %q, page %q", m.Method, res, res.Header, page)
				}
			}
		}
	}
	// Without a preview 204 needs Allow.
	c = s.client(t, lab.ScanService, func(c *Config) { c.NoPreview = true })
	want(t, c, download(clean[:30_000], true), Unmodified, clean[:30_000])
	want(t, c, download(clean, true), Modified, clean)
}

// The service writes a script into pages behind <body>, and leaves the rest to 206.
func (s *cicap) partial(t *testing.T) {
	c := s.client(t, lab.PartialService, nil)
	page := []byte("<html><head></head><body>" + strings.Repeat("<p>A paragraph.</p>\n", 10_000) + "</body></html>")
	m := download(page, false)
	m.Response = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
	res, got, err := adapt(t, c, m)
	if err != nil {
		t.Fatal(err)
	}
	if res.Outcome != Modified || res.Detail.Status != 206 || len(got) <= len(page) || !bytes.HasSuffix(got, page[1000:]) {
		t.Errorf("%+v, %d octets of %d: %q", res, len(got), len(page), got[:min(len(got), 300)])
	}
}

// c-icap's own client is content with the double, so that the double can be
// trusted.
func TestDouble(t *testing.T) {
	s := startCICAP(t)
	ln, err := s.ns.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := serveOn(t, ln, usualOptions, echo)
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	body := octets(100_000)
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, body, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-resp", "http://www.example.test/file"},
		{"-resp", "http://www.example.test/file", "-nopreview"},
		{"-req", "http://www.example.test/file"},
		{"-req", "http://www.example.test/file", "-nopreview", "-no204"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		args = append([]string{"-i", "127.0.0.1", "-p", port, "-s", "double", "-f", file, "-o", out}, args...)
		said, err := s.ns.Command(t.Context(), "c-icap-client", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, said)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%v: %d octets came back, %v\n%s", args, len(got), err, said)
		}
	}
	if d.served.Load() != 4 {
		t.Errorf("double served %d messages", d.served.Load())
	}
}

var _ io.Reader = recorded{}
