package recorder_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/source"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// splitter is SSLsplit between TLS clients and a TLS server. It mirrors what it decrypts out
// of near0, and writes it to a file.
type splitter struct {
	t       *testing.T
	ns      *netlab.Namespace
	cmd     *netlab.Cmd
	capture string
	clients *tls.Config
	origin  net.Listener
	log     bytes.Buffer
}

const (
	splitAt  = "127.0.0.1:8443"
	originAt = "203.0.113.80" // as in the rows
	mirrorTo = "192.0.2.2"
)

// split starts SSLsplit.
func split(t *testing.T) (*splitter, port) {
	t.Helper()
	program := needs.Program(t, "sslsplit")
	l := netlab.ForTest(t)
	s := &splitter{t: t}
	var p port
	var err error
	if p.near, err = l.Namespace("near"); err != nil {
		t.Fatal(err)
	}
	if p.far, err = l.Namespace("far"); err != nil {
		t.Fatal(err)
	}
	s.ns = p.near
	end := func(ns *netlab.Namespace, name string, addresses ...string) netlab.End {
		e := netlab.End{Namespace: ns, Name: name}
		for _, a := range addresses {
			e.Addresses = append(e.Addresses, netip.MustParsePrefix(a))
		}
		return e
	}
	if err := l.Link(end(p.near, "near0", "192.0.2.1/24", originAt+"/32"), end(p.far, "far0", mirrorTo+"/24"), netlab.LinkOptions{}); err != nil {
		t.Fatal(err)
	}
	dir, err := l.Dir("split")
	if err != nil {
		t.Fatal(err)
	}
	pki, err := lab.NewPKI(dir)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := pki.Issue("origin.example.test")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := s.ns.Listen("tcp", originAt+":0")
	if err != nil {
		t.Fatal(err)
	}
	s.origin = tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{certificate}})
	t.Cleanup(func() { s.origin.Close() })
	root, err := os.ReadFile(pki.RootFile)
	if err != nil {
		t.Fatal(err)
	}
	s.clients = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "origin.example.test"}
	s.clients.RootCAs.AppendCertsFromPEM(root)
	s.capture = filepath.Join(dir, "split.pcap")
	_, to, _ := net.SplitHostPort(plain.Addr().String())
	if err := s.leaf(pair, filepath.Join(dir, "leaves")); err != nil {
		t.Fatal(err)
	}
	s.cmd = s.ns.Command(t.Context(), program, "-u", "root", "-t", filepath.Join(dir, "leaves"), "-X", s.capture, "-I", "near0", "-T", mirrorTo,
		"ssl", "127.0.0.1", "8443", originAt, to)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scenetest.Eventually(t, "SSLsplit listens", func() bool {
		c, err := s.ns.Dial("tcp", splitAt)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return s, p
}

// leaf writes key and certificate into one file of a directory, which is what SSLsplit reads.
func (s *splitter) leaf(pair lab.KeyPair, dir string) error {
	key, err := os.ReadFile(pair.KeyFile)
	if err != nil {
		return err
	}
	certificate, err := os.ReadFile(pair.CertFile)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "origin.pem"), append(key, certificate...), 0o600)
}

// connect makes a connection through SSLsplit.
func (s *splitter) connect(uint16) (client, server net.Conn, err error) {
	type accepted struct {
		conn net.Conn
		err  error
	}
	arrived := make(chan accepted, 1)
	go func() {
		c, err := s.origin.Accept()
		if err == nil {
			err = c.(*tls.Conn).HandshakeContext(s.t.Context())
		}
		arrived <- accepted{c, err}
	}()
	raw, err := s.ns.Dial("tcp", splitAt)
	if err != nil {
		return nil, nil, err
	}
	c := tls.Client(raw, s.clients)
	if err := c.HandshakeContext(s.t.Context()); err != nil {
		return nil, nil, err
	}
	a := <-arrived
	return c, a.conn, a.err
}

// TestSSLsplit: rows give the same events, objects and findings out of what SSLsplit has
// decrypted: out of a network interface, out of its file, and out of this over TCP.
func TestSSLsplit(t *testing.T) {
	t.Parallel()
	var rows []rowstest.Row
	for _, row := range rowstest.Rows() {
		if row.Playable() && row.Alone() {
			rows = append(rows, row)
		}
	}
	if all := len(rowstest.Rows()); len(rows)*10 < all*8 {
		t.Fatalf("%d of %d rows can be played", len(rows), all)
	}
	rows = some(rows, 1, 10)
	want := goldenOf(t, rows)
	s, p := split(t)
	var r *recorder.Recorder
	var c recorder.Config
	if err := p.far.Do(func() error { r, c = opened(t, recorder.Config{Interfaces: []source.Port{{Name: "far0"}}}); return nil }); err != nil {
		t.Fatal(err)
	}
	got := record(t, r, c, want, func() {
		for i := range rows {
			if err := rows[i].Play(s.connect); err != nil {
				t.Errorf("%v\n%s", err, s.log.String())
			}
		}
	})
	if d := rowstest.Differences(got, want); d != "" {
		t.Errorf("interface: %s", d)
	}
	_ = s.cmd.Stop(20 * time.Second) // a signal ends it
	if d := rowstest.Differences(importedFile(t, s.capture, recorder.TestExtractor), want); d != "" {
		t.Errorf("file: %s", d)
	}
	file, err := os.ReadFile(s.capture)
	if err != nil {
		t.Fatal(err)
	}
	r, c = opened(t, recorder.Config{Feeds: []string{serve(t, file)}})
	if d := rowstest.Differences(record(t, r, c, want, func() {}), want); d != "" {
		t.Errorf("pcap-over-IP: %s", d)
	}
}
