package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/websocket"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// TestDownload has tcpflow rebuild a large file from the recording.
func TestDownload(t *testing.T) {
	size := 40 << 20
	if tempo.Rounds() > 1 {
		size = 100 << 20
	}
	c := newScene(t, settings{})
	web := c.Nginx()
	want := sha256.Sum256(c.Page(web, "large.bin", size))
	x := c.Fetch("--http1.1", "https://"+webName+"/large.bin")
	if sha256.Sum256(x.Content) != want {
		t.Errorf("client: %d octets differ", len(x.Content))
	}
	x.Content = nil
	c.Stop()
	e := c.EntryOf(c.Entries(), x.Ends)
	for _, sink := range []string{"recorder", "files"} {
		if m := e.Mirror[sink]; m.Lost != 0 || m.Octets < uint64(size) {
			t.Errorf("%s: %+v", sink, m)
		}
	}
	streams, err := lab.Streams(c.Ctx, c.Capture.File, c.Directory("streams"))
	answers := slices.DeleteFunc(streams, func(s string) bool {
		return !strings.HasPrefix(filepath.Base(s), "192.000.002.010.00443-")
	})
	if err != nil || len(answers) != 1 {
		t.Fatalf("rebuilt %v, %v", streams, err)
	}
	if got := hashAfter(t, answers[0], "\r\n\r\n"); got != want {
		t.Error("tcpflow's stream differs")
	}
}

// hashAfter hashes the rest of a file after the first mark in it.
func hashAfter(t *testing.T, file, mark string) (sum [sha256.Size]byte) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, h := bufio.NewReader(f), sha256.New()
	for at := 0; at < len(mark); {
		switch b, err := r.ReadByte(); {
		case err != nil:
			t.Fatalf("%s: no %q", filepath.Base(file), mark)
		case b == mark[at]:
			at++
		case b == mark[0]:
			at = 1
		default:
			at = 0
		}
	}
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// TestTransfers moves content in every other way that HTTP/1.1 and its upgrade
// know, and reads it from the recording with net/http.
func TestTransfers(t *testing.T) {
	c := newScene(t, settings{})
	web := c.Nginx()
	upload := c.Page(web, "upload.bin", 1<<20)
	text := bytes.Repeat([]byte("the same line again and again\n"), 20_000)
	c.Write(filepath.Join(web.Root, "page.txt"), text)
	large := c.Page(web, "large.bin", 4<<20) // what tshark joins in no time
	const base = "https://" + webName
	send := func(t *testing.T, stored string, args ...string) ends {
		x := c.In(t).Fetch(append(args, "--upload-file", filepath.Join(web.Root, "upload.bin"), base+"/upload/"+stored)...)
		if x.Status != "201" {
			t.Errorf("status %s", x.Status)
		}
		got, err := os.ReadFile(filepath.Join(web.Root, "upload", stored))
		if err != nil {
			t.Error(err)
		}
		scenetest.Same(t, "origin", got, upload)
		return x.Ends
	}
	var plain, chunked, compressed ends
	t.Run("download", func(t *testing.T) {
		x := c.In(t).Fetch("--http1.1", base+"/large.bin")
		scenetest.Same(t, "client", x.Content, large)
	})
	t.Run("upload", func(t *testing.T) { plain = send(t, "plain.bin", "--http1.1") })
	t.Run("upload over HTTP/2", func(t *testing.T) { send(t, "h2.bin", "--http2") })
	t.Run("chunked upload", func(t *testing.T) {
		chunked = send(t, "chunked.bin", "--http1.1", "--header", "Transfer-Encoding: chunked")
	})
	t.Run("chunked and compressed answer", func(t *testing.T) {
		x := c.In(t).Fetch("--http1.1", "--compressed", base+"/page.txt")
		scenetest.Same(t, "client", x.Content, text)
		compressed = x.Ends
	})
	var unencrypted ends
	t.Run("plain", func(t *testing.T) {
		x := c.In(t).Fetch("http://" + webName + "/upload.bin")
		scenetest.Same(t, "client", x.Content, upload)
		unencrypted = x.Ends
	})
	var said []string
	t.Run("WebSocket", func(t *testing.T) { said = c.In(t).websocket() })
	t.Run("events, polls and uploads in parts", func(t *testing.T) { c.In(t).unhurried(false) })
	t.Run("the same over HTTP/2", func(t *testing.T) { c.In(t).unhurried(true) })
	if t.Failed() {
		return
	}
	recorded := c.Stop()

	objects, err := lab.ExportObjects(c.Ctx, c.Capture.File, "http", c.Directory("objects"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, o := range objects {
		if filepath.Base(o) == "large.bin" {
			found = true
			got, err := os.ReadFile(o)
			if err != nil {
				t.Error(err)
			}
			scenetest.Same(t, "tshark's object", got, large)
		}
	}
	if !found {
		t.Errorf("no large.bin among %v", objects)
	}
	for _, row := range []struct {
		name     string
		port     ends
		encoding []string
	}{{"upload", plain, nil}, {"chunked upload", chunked, []string{"chunked"}}} {
		stream := c.ConversationOf(recorded, row.port).Streams[0]
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(stream)))
		if err != nil || r.Method != http.MethodPut || !slices.Equal(r.TransferEncoding, row.encoding) {
			t.Errorf("%s on the mirror: %+v, %v", row.name, r, err)
			continue
		}
		content, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s on the mirror: %v", row.name, err)
		}
		scenetest.Same(t, row.name+" on the mirror", content, upload)
	}
	e, v := c.EntryOf(c.Entries(), unencrypted), c.ConversationOf(recorded, unencrypted)
	if e.Outcome != "plain" || v.Origin.Port() != 80 || !bytes.HasSuffix(v.Streams[1], upload) || !strings.Contains(c.notes()[e.Session], "content=plain ") {
		t.Errorf("plain: recorded on port %d, %d octets, entry %+v", v.Origin.Port(), len(v.Streams[1]), e)
	}
	bodies, err := lab.HTTP2Bodies(c.Ctx, c.Capture.File)
	if err != nil || len(bodies) == 0 {
		t.Fatalf("%d contents over HTTP/2, %v", len(bodies), err)
	}
	scenetest.Same(t, "HTTP/2 upload on the mirror", bodies[0].Content, upload)

	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(c.ConversationOf(recorded, compressed).Streams[1])), nil)
	if err != nil || !slices.Equal(answer.TransferEncoding, []string{"chunked"}) || answer.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("answer on the mirror: %+v, %v", answer, err)
	}
	unzip, err := gzip.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unzip)
	if err != nil {
		t.Error(err)
	}
	scenetest.Same(t, "answer on the mirror", content, text)

	frames, err := lab.Fields(c.Ctx, c.Capture.File, "websocket.payload.text", "websocket.payload.text")
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, f := range frames {
		seen = append(seen, f[0])
	}
	if diff := cmp.Diff(said, seen); diff != "" {
		t.Errorf("WebSocket messages on the mirror (-said +seen):\n%s", diff)
	}
}

// websocket holds a dialogue over WebSocket and TLS on port 7443, and returns
// the messages in their order.
func (c *scene) websocket() (said []string) {
	c.Helper()
	server := &http.Server{Handler: websocket.Handler(func(ws *websocket.Conn) {
		var message string
		for websocket.Message.Receive(ws, &message) == nil {
			websocket.Message.Send(ws, strings.ToUpper(message))
		}
	})}
	l, err := c.Origin.Listen("tcp", ":7443")
	if err != nil {
		c.Fatal(err)
	}
	defer server.Close()
	go server.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}))

	config, err := websocket.NewConfig("wss://"+webName+"/chat", "https://"+webName)
	if err != nil {
		c.Fatal(err)
	}
	conn := tls.Client(c.Dial(7443), &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName})
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		c.Fatal(err)
	}
	for i := range 20 {
		message, answer := fmt.Sprintf("message %d of the client", i), ""
		if err := websocket.Message.Send(ws, message); err != nil {
			c.Fatal(err)
		}
		if err := websocket.Message.Receive(ws, &answer); err != nil || answer != strings.ToUpper(message) {
			c.Fatalf("%q answered with %q, %v", message, answer, err)
		}
		said = append(said, message, answer)
	}
	if err := ws.Close(); err != nil {
		c.Error(err)
	}
	return said
}
