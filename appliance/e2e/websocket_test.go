package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// webSocketClient is a client of [lab.StartWebSockets], by Python's websockets. It tells
// what came of each word of its command line.
const webSocketClient = `
import asyncio, hashlib, os, ssl, sys, time
import websockets

name, address, port, ca, eicar = sys.argv[1:6]

async def connect():
    return await websockets.connect("wss://%s:%s/chat" % (name, port), host=address, max_size=None,
        ssl=ssl.create_default_context(cafile=ca), open_timeout=60, ping_interval=None)

async def ending(ws):
    try:
        await asyncio.wait_for(ws.recv(), 60)
        return "a message"
    except websockets.ConnectionClosed as e:
        return "closed %s" % (e.rcvd and e.rcvd.code)

async def main():
    ws = await connect()
    print("extensions", len(ws.extensions))
    await ws.send("text \u00e4\u6f22")
    print("text", await ws.recv() == "text \u00e4\u6f22")
    await asyncio.wait_for(await ws.ping(b"ping"), 60)
    print("pong")
    long = os.urandom(1 << 20)
    await ws.send(long[i:i + 65536] for i in range(0, len(long), 65536))
    print("fragments", hashlib.sha256(await ws.recv()).digest() == hashlib.sha256(long).digest())
    took = []
    for i in range(20):
        start = time.monotonic()
        await ws.send("message %d" % i)
        assert await ws.recv() == "message %d" % i
        took.append((time.monotonic() - start) * 1000)
    print("there and back: median %.1f ms, most %.1f ms" % (sorted(took)[10], max(took)), file=sys.stderr)
    if not eicar:
        await ws.close()
        return
    await ws.send(eicar)
    print("infected:", await ending(ws))
    ws = await connect()
    await ws.send("give")
    print("infected answer:", await ending(ws))
    ws = await connect()
    await ws.close()
    print("end: closed", ws.close_code)

asyncio.run(main())
`

// webSocketPage is a page whose script sends a text and what is infected, and writes to
// the document what came. The page has loaded when the script has ended.
const webSocketPage = `<!DOCTYPE html><title>WebSocket</title><p id=said></p><img src="/hold"><script>
const say = t => document.getElementById("said").textContent += "[" + t + "]";
const ws = new WebSocket("wss://%s:7443/chat");
ws.onopen = () => ws.send("hello from the browser");
ws.onmessage = e => { say(e.data); ws.send(String.fromCharCode(%s)); };
ws.onclose = e => { say("closed " + e.code); fetch("/release"); };
</script>`

// webSocketSite serves the page on port 8443.
func (c *scene) webSocketSite() {
	c.Helper()
	var eicar []string
	for _, b := range []byte(lab.EICAR()) {
		eicar = append(eicar, strconv.Itoa(int(b)))
	}
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, webSocketPage, webName, strings.Join(eicar, ","))
	})
	mux.HandleFunc("/release", func(http.ResponseWriter, *http.Request) { release() })
	mux.HandleFunc("/hold", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-released:
		case <-r.Context().Done():
		}
	})
	l, err := c.Origin.Listen("tcp", ":8443")
	if err != nil {
		c.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	c.Cleanup(func() { server.Close() })
	go server.ServeTLS(l, c.Cert.CertFile, c.Cert.KeyFile)
}

// TestICAPWebSocket has a virus scanner look at messages of WebSocket: what is clean
// arrives as it was, what is not closes the connection at both ends.
func TestICAPWebSocket(t *testing.T) {
	var dir string
	c := newScene(t, settings{Prepare: scanner(&dir), Policy: "{default: bump, services: [av]}", More: strings.Replace(scanned, "closed}", "closed, upgrade: scan}", 1)})
	server, err := lab.StartWebSockets(c.Origin, c.Directory("websockets"), 7443, c.Cert)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("websockets", func(t *testing.T) {
		c := c.In(t)
		r, err := lab.Run(c.Ctx, c.Client, webSocketClient, lab.Python, "-", webName, lab.OriginV4, "7443", c.CA, lab.EICAR())
		const want = "extensions 0\ntext True\npong\nfragments True\ninfected: closed 1008\ninfected answer: closed 1008\nend: closed 1000\n"
		if err != nil || r.Stdout != want {
			t.Errorf("%v, client says %q\n%s", err, r.Stdout, r.Stderr)
		}
		t.Logf("with the scanner: %s", r.Stderr)
		// The same without the appliance, for the added wait.
		r, err = lab.Run(c.Ctx, c.Origin, webSocketClient, lab.Python, "-", webName, lab.OriginV4, "7443", c.PKI.RootFile, "")
		if err != nil || !strings.Contains(r.Stdout, "extensions 1\n") {
			t.Errorf("%v, client says %q\n%s", err, r.Stdout, r.Stderr)
		}
		t.Logf("beside the appliance: %s", r.Stderr)
	})
	t.Run("Chromium", func(t *testing.T) {
		c.In(t).webSocketSite()
		page, err := c.In(t).chromium(c.CA, "https://"+webName+":8443/")
		if want := "[hello from the browser][closed 1008]"; err != nil || !strings.Contains(page, want) {
			t.Errorf("%v, the page says %q, not %s", err, page, want)
		}
	})
	c.Stop()
	if got := strings.Count(server.Log(), "extensions 0 closed 1008"); got != 3 {
		t.Errorf("the origin was told %d times why the connection ends:\n%s", got, server.Log())
	}
	blocked := 0
	for _, e := range c.Entries() {
		if e.Service["av"] == "blocked" {
			blocked++
		}
		if found := e.Finding["av"]; (found == lab.Threat+".UNOFFICIAL") != (e.Service["av"] == "blocked") {
			t.Errorf("session %s is %s, found was %q", e.Session, e.Service["av"], found)
		}
	}
	if blocked != 3 {
		t.Errorf("%d sessions are blocked, want 3", blocked)
	}
}
