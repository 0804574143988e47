package dissect_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// mailbox has a client of Dovecot do what clients do with a message that has parts. It
// writes down the hash of each object, in order.
const mailbox = `
import imaplib, hashlib, re, socket, zlib
def note(kind, p): print(kind, len(p), "octets", hashlib.sha256(p).hexdigest()[:16])
body = b"\r\n".join([b"Subject: parts", b"Message-ID: <7@a.test>", b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="=_x"', b"", b"--=_x",
  b"Content-Type: text/plain; charset=UTF-8", b"", "本文".encode(), b"--=_x",
  b"Content-Type: application/pdf; name=\"a \\\"b\\\".pdf\"", b"Content-Disposition: attachment;", b" filename*=UTF-8''%E8%A6%8B%E7%A9%8D.pdf", b"Content-Transfer-Encoding: base64", b"",
  b"\r\n".join([b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=" * 2] * 2000), b"--=_x--", b""])
m = imaplib.IMAP4("127.0.0.1", 2143)
m.login("bob", "secret")
m.append("INBOX", None, None, body); note("message", body)
m.select("INBOX")
def fetch(what):
    kind, data = m.uid("FETCH", "1", what)
    assert kind == "OK", (what, kind)
    return [p[1] for p in data if isinstance(p, tuple)]
fetch("(BODYSTRUCTURE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT MESSAGE-ID)])")
for section in ["1", "2"]:
    note("part " + section, fetch("(BODY.PEEK[%s])" % section)[0])
for section in ["2"]:
    whole = b"".join(fetch("(BODY.PEEK[%s]<%d.30000>)" % (section, at))[0] for at in range(0, 148000, 30000))
    note("part " + section, whole)
whole = b"".join(fetch("(BODY.PEEK[]<%d.50000>)" % at)[0] for at in range(0, len(body), 50000))
assert whole == body
note("message", whole)
fetch("(BODY.PEEK[HEADER])")
fetch("(BODY.PEEK[TEXT])"); note("message", body)
fetch("(RFC822)"); note("message", body)
m.logout()
s = socket.create_connection(("127.0.0.1", 2143))
r = s.makefile("rb")
r.readline()
s.sendall(b"a LOGIN bob secret\r\n")
while not r.readline().startswith(b"a OK"): pass
s.sendall(b"b SELECT INBOX\r\n")
while not r.readline().startswith(b"b OK"): pass
s.sendall(b"c COMPRESS DEFLATE\r\n")
assert r.readline().startswith(b"c OK")
out, inn, got = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15), b""
s.sendall(out.compress(b"d UID FETCH 1 BODY[]\r\n") + out.flush(zlib.Z_SYNC_FLUSH))
while b"\r\nd OK" not in got: got += inn.decompress(r.read1(65536))
assert body in got
note("message", body)
s.sendall(out.compress(b"e APPEND INBOX {%d+}\r\n%s\r\n" % (len(body), body)) + out.flush(zlib.Z_SYNC_FLUSH))
note("message", body)
while b"\r\ne OK" not in got: got += inn.decompress(r.read1(65536))
s.close()
`

// letters notes messages and parts as the client does.
type letters struct {
	script
	list    []string
	headers []string
}

func (l *letters) Event(e dissect.Event) {
	switch e := e.(type) {
	case *dissect.Message:
		e.Tag = "message"
	case *dissect.Part:
		e.Tag = "part " + string(e.Section)
		l.headers = append(l.headers, string(e.Section)+": "+string(e.Header)+string(e.Message))
	case *dissect.End:
		if kind, ok := e.Tag.(string); ok {
			line := fmt.Sprintf("%s %s", kind, hash([]byte(l.of(e.Exchange, e.Direction).String())))
			if e.How != dissect.Complete {
				line += " " + e.How.String()
			}
			l.list = append(l.list, line)
		}
	}
}

// TestAgainstDovecot: messages, and parts of them, are what a client fetched from Dovecot and
// appended there, in ranges and compressed, too.
func TestAgainstDovecot(t *testing.T) {
	h := lab.MailHostForTest(t, netlab.ForTest(t), lab.StartDovecot)
	ln, err := h.Namespace.Listen("tcp", "127.0.0.1:2143")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards sessions
	var sessions [][]step
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o, err := h.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", lab.IMAPPort))
			if err != nil {
				t.Error(err)
				c.Close()
				return
			}
			mu.Lock()
			n := len(sessions)
			sessions = append(sessions, nil)
			mu.Unlock()
			pass := func(st step, from, to net.Conn) {
				defer to.Close()
				for b := make([]byte, 16<<10); ; {
					k, err := from.Read(b)
					mu.Lock()
					st.text = string(b[:k])
					sessions[n] = append(sessions[n], st)
					mu.Unlock()
					if _, err2 := to.Write(b[:k]); err != nil || err2 != nil {
						return
					}
				}
			}
			open.Go(func() { pass(up(""), c, o) })
			open.Go(func() { pass(down(""), o, c) })
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	r, err := lab.Run(ctx, h.Namespace, mailbox, lab.Python, "-")
	ln.Close()
	if err != nil {
		t.Fatal(err, h.Server.Log())
	}
	open.Wait()
	want := strings.Split(strings.TrimSpace(r.Stdout), "\n")
	for _, piece := range []int{0, 1, 997} {
		var l letters
		for _, steps := range sessions {
			feed(dissect.New(&l, &l), piece, steps...)
		}
		if diff := cmp.Diff(want, l.list); diff != "" {
			t.Errorf("in pieces of %d (-client +got):\n%s", piece, diff)
		}
		if len(l.headers) != 3 || !strings.Contains(l.headers[1], "UTF-8''%E8%A6%8B%E7%A9%8D.pdf") || !strings.Contains(strings.ToLower(l.headers[1]), "encoding: base64") || !strings.Contains(l.headers[1], "Subject: parts") {
			t.Errorf("headers of parts: %q", l.headers)
		}
	}
}
