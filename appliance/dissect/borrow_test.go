package dissect

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// silent is a sink that keeps nothing.
type silent struct{}

func (silent) Event(Event) {}

// An idle session holds none of the buffers that it was fed from.
func TestKeepsNoBuffer(t *testing.T) {
	type part struct {
		dir  proto.Direction
		text string
	}
	for name, parts := range map[string][]part{
		"http1": {
			{proto.ClientToOrigin, "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc"},
			{proto.OriginToClient, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
		},
		"smtp": {
			{proto.OriginToClient, "220 a.test ESMTP\r\n"},
			{proto.ClientToOrigin, "EHLO b.test\r\n"},
			{proto.OriginToClient, "250 a.test\r\n"},
			{proto.ClientToOrigin, "MAIL FROM:<a@a.test>\r\n"},
			{proto.ClientToOrigin, "RCPT TO:<b@b.test>\r\n"},
			{proto.ClientToOrigin, "DATA\r\n"},
			{proto.OriginToClient, "250 ok\r\n250 ok\r\n354 go\r\n"},
			{proto.ClientToOrigin, "Subject: x\r\n\r\ntext\r\n.\r\n"},
			{proto.OriginToClient, "250 taken\r\n"},
		},
		"imap": {
			{proto.OriginToClient, "* OK hello\r\n"},
			{proto.ClientToOrigin, "a LOGIN bob secret\r\n"},
			{proto.OriginToClient, "a OK in\r\n"},
			{proto.ClientToOrigin, "b FETCH 1 BODY[]\r\n"},
			{proto.OriginToClient, "* 1 FETCH (BODY[] {16}\r\nSubject: x\r\n\r\nab)\r\nb OK\r\n"},
			{proto.ClientToOrigin, "c IDLE\r\n"},
		},
		"pop3": {
			{proto.OriginToClient, "+OK hello\r\n"},
			{proto.ClientToOrigin, "USER bob\r\nPASS secret\r\nRETR 1\r\n"},
			{proto.OriginToClient, "+OK\r\n+OK\r\n+OK\r\nSubject: x\r\n\r\nab\r\n.\r\n"},
		},
		"ftp": {
			{proto.OriginToClient, "220 FTP\r\n"},
			{proto.ClientToOrigin, "USER bob\r\nPASS secret\r\nRETR name\r\n"},
			{proto.OriginToClient, "331 go\r\n230 in\r\n150 here\r\n226 done\r\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(silent{}, nil)
			freed := make(chan struct{}, len(parts))
			for _, p := range parts {
				buffer := []byte(p.text + strings.Repeat(" ", 1<<16))[:len(p.text)]
				runtime.AddCleanup(&buffer[0], func(int) { freed <- struct{}{} }, 0)
				s.Data(p.dir, buffer)
			}
			for i := range parts {
				runtime.GC()
				select {
				case <-freed:
				case <-time.After(5 * time.Second):
					t.Fatalf("%d of %d buffers are held", len(parts)-i, len(parts))
				}
			}
			runtime.KeepAlive(s)
		})
	}
}
