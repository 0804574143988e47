package orderly

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/hack/tempo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plain is a listener as it is.
func plain(l net.Listener) net.Listener { return l }

// start serves on two listeners.
func start(t *testing.T) (s *Server, list []net.Listener, ended chan error) {
	t.Helper()
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
	s = New(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })}, list...)
	ended = make(chan error, 1)
	go func() { ended <- s.Serve(plain) }()
	return s, list, ended
}

func dial(t *testing.T, l net.Listener) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn, bufio.NewReader(conn)
}

func get(conn net.Conn, in *bufio.Reader, path string) (string, error) {
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return "", err
	}
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return string(text), err
}

// TestClose: who has connected is answered, who has been answered is let go, and nobody else
// is accepted.
func TestClose(t *testing.T) {
	s, list, ended := start(t)
	idle, idleIn := dial(t, list[0])
	if text, err := get(idle, idleIn, "/a"); text != "/a" {
		t.Errorf("%q, %v", text, err)
	}
	one, oneIn := dial(t, list[0])
	other, otherIn := dial(t, list[1])
	tempo.Until(t, "all are accepted", func() bool { return s.open.Load() == 3 })
	closed := make(chan error, 1)
	go func() { closed <- s.Close(time.Minute) }()
	if _, err := idleIn.ReadByte(); err != io.EOF {
		t.Errorf("an idle connection: %v", err)
	}
	for _, l := range list {
		if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
			conn.Close()
			t.Error("accepted after the end")
		}
	}
	if text, err := get(one, oneIn, "/b"); text != "/b" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := get(other, otherIn, "/c"); text != "/c" {
		t.Errorf("%q, %v", text, err)
	}
	if err := errors.Join(<-closed, <-ended); err != nil {
		t.Error(err)
	}
}

// TestCloseSilent: who never asks is not waited for longer than said.
func TestCloseSilent(t *testing.T) {
	s, list, ended := start(t)
	_, in := dial(t, list[0])
	tempo.Until(t, "it is accepted", func() bool { return s.open.Load() == 1 })
	if err := errors.Join(s.Close(10*time.Millisecond), s.Close(time.Minute), <-ended); err != nil {
		t.Error(err)
	}
	if _, err := in.ReadByte(); err == nil {
		t.Error("a silent connection goes on")
	}
}

// TestCloseBeforeServe ends a server that has not served.
func TestCloseBeforeServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(&http.Server{}, l)
	if err := s.Close(time.Minute); err != nil {
		t.Error(err)
	}
	if err := s.Serve(plain); err != nil {
		t.Error(err)
	}
}
