package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/http1/http1test"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// TestNginx compares with nginx: a request that nginx answers is recognized, and its
// method, host and target are those of a loose reader, unless the host is in doubt.
func TestNginx(t *testing.T) {
	l := netlab.ForTest(t)
	ns, err := l.Namespace("heads")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := l.Dir("nginx")
	if err != nil {
		t.Fatal(err)
	}
	const unnamed = "unnamed.test" // what nginx takes for a host without one
	if _, err := lab.StartNginx(ns, dir, []lab.Site{{Port: 80, Names: []string{unnamed}, Echo: true}}); err != nil {
		t.Fatal(err)
	}
	const fields = "Host: a.test\r\n\r\n"
	heads := []string{
		"\r\nGET / HTTP/1.1\r\n" + fields,
		"\nGET / HTTP/1.1\r\n" + fields,
		"\r\r\n\nGET / HTTP/1.1\r\n" + fields,
		strings.Repeat("\r\n", 2000) + "GET / HTTP/1.1\r\n" + fields,
		"A-B / HTTP/1.1\r\n" + fields,
		"FOO_BAR /x?y HTTP/1.1\r\n" + fields,
		"EHLO / HTTP/1.1\r\n" + fields,
		strings.Repeat("A", 500) + " / HTTP/1.1\r\n" + fields,
		"A-B /" + strings.Repeat("a", 4000) + " HTTP/1.1\r\n" + fields,
		"GET   /x   HTTP/1.1  \r\n" + fields,
		"GET / HTTP/1.0\r\n" + fields,
		" GET / HTTP/1.1\r\n" + fields,
		"GET\t/ HTTP/1.1\r\n" + fields,
		"get / HTTP/1.1\r\n" + fields,
		"GET / HTTP/2.0\r\n" + fields,
		"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n" + fields + "x",
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n" + fields + "0\r\n\r\n",
	}
	for _, c := range http1test.Hosts {
		heads = append(heads, c.Head)
	}
	answered := 0
	for _, head := range heads {
		name, _, _ := strings.Cut(strings.TrimLeft(head, "\r\n"), "\r\n\r\n")
		t.Run(name[:min(len(name), 60)], func(t *testing.T) {
			status, echo := ask(t, ns, head)
			if status != 200 {
				return // with 400 or another error
			}
			answered++
			if is, _ := http1.Recognize([]byte(head)); !is {
				t.Error("nginx answers, and it is not recognized")
			}
			octets := []byte(head)[http1.EmptyLines([]byte(head)):]
			n, _ := new(http1.Head).End(octets, http1.Loose)
			r, fault := http1.ParseRequest(octets[:n], http1.Loose, nil)
			if fault != http1.Sound {
				t.Fatalf("nginx answers, a loose reader finds %v", fault)
			}
			host := string(r.Host.Name)
			switch {
			case r.Host.Doubt.Doubtful():
				return // nginx has chosen one, other servers choose another
			case r.Host.Doubt == http1.NoHost:
				host = unnamed
			case strings.Contains(host, ":"):
				host = "[" + host + "]"
			}
			want := string(r.Method) + " " + strings.TrimSuffix(strings.ToLower(host), ".") + " "
			if got := string(echo); !strings.HasPrefix(got, want) {
				t.Errorf("nginx reads %q, we read %q", got, want)
			}
			if r.Form == http1.OriginForm && !bytes.HasSuffix(echo, r.Target) {
				t.Errorf("nginx reads %q, we read the target %q", echo, r.Target)
			}
		})
	}
	if answered < 25 {
		t.Errorf("nginx answered %d heads only", answered)
	}
}

// ask returns nginx's answer; the status is 0 if it says nothing.
func ask(t *testing.T, ns *netlab.Namespace, head string) (status int, content []byte) {
	t.Helper()
	conn, err := ns.Dial("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, head)
	conn.(*net.TCPConn).CloseWrite()
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil
	}
	content, _ = io.ReadAll(r.Body)
	return r.StatusCode, content
}
