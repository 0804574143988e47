package dissect_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/hack/needs"
)

// echo is a server of Python's websockets, and talk its client. talk writes down how long each
// message is that it sends and gets, and its hash.
const echo = `
import asyncio, sys, websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory as Deflate
async def serve(ws):
    async for message in ws:
        await ws.send([message[:10], message[10:]] if len(message) > 5000 else message)
async def main():
    deflate = Deflate(server_no_context_takeover=sys.argv[2] == "alone", client_no_context_takeover=sys.argv[2] == "alone")
    async with websockets.serve(serve, "127.0.0.1", int(sys.argv[1]), compression=None, extensions=[deflate] if sys.argv[2] != "plain" else None, max_size=None):
        await asyncio.Future()
asyncio.run(main())
`

const talk = `
import asyncio, hashlib, sys, websockets
def note(arrow, message):
    text = isinstance(message, str)
    p = message.encode() if text else message
    print(arrow, str(text).lower(), len(p), "octets", hashlib.sha256(p).hexdigest()[:16])
async def main():
    async with websockets.connect("ws://127.0.0.1:%s/talk" % sys.argv[1], max_size=None) as ws:
        for message in ["", "hello", "hello hello", b"\x00\xff" * 100, "日本語 " * 3000, bytes(range(256)) * 700, "hello", ["part", "of", "", "a whole"], b"x" * 70000]:
            await ws.send(message)
            note(">", "".join(message) if isinstance(message, list) else message)
            await ws.ping()
            note("<", await ws.recv())
asyncio.run(main())
`

// sockets notes messages as talk does.
type sockets struct {
	script
	list []string
}

func (s *sockets) Event(e dissect.Event) {
	switch e := e.(type) {
	case *dissect.WebSocket:
		e.Tag = e.Text
	case *dissect.End:
		if text, ok := e.Tag.(bool); ok && e.How == dissect.Complete {
			s.list = append(s.list, fmt.Sprintf("%s %v %s", arrow(e.Direction), text, hash([]byte(s.of(e.Exchange, e.Direction).String()))))
		}
	}
}

// TestAgainstWebsockets: messages are what Python's websockets sent, and what it got.
func TestAgainstWebsockets(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import websockets").Run(); err != nil {
		needs.Missing(t, err)
	}
	for _, how := range []string{"plain", "deflate", "alone"} {
		t.Run(how, func(t *testing.T) {
			port := freePort(t)
			server := exec.Command(python, "-c", echo, fmt.Sprint(port), how)
			server.Stderr = os.Stderr
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Process.Kill(); server.Wait() })
			origin := fmt.Sprintf("127.0.0.1:%d", port)
			await(t, origin)
			r := newRelay(t, origin)
			_, at, _ := strings.Cut(r.Addr().String(), ":")
			out, err := exec.Command(python, "-c", talk, at).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			r.Close()
			r.open.Wait()
			want := strings.Fields(strings.ReplaceAll(string(out), " ", "_"))
			for _, piece := range []int{0, 1, 997} {
				var s sockets
				for _, steps := range r.sessions {
					feed(dissect.New(&s, &s), piece, steps...)
				}
				got := strings.Fields(strings.ReplaceAll(strings.Join(s.list, "\n"), " ", "_"))
				if diff := cmp.Diff(want, got); diff != "" || len(got) != 18 {
					t.Errorf("in pieces of %d (-websockets +got):\n%s", piece, diff)
				}
			}
		})
	}
}
