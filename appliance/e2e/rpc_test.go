package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	endian "encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// message frames one of gRPC: a protobuf whose field 1 is the text.
func message(text string) []byte {
	proto := append(endian.AppendUvarint([]byte{1<<3 | 2}, uint64(len(text))), text...)
	return append(endian.BigEndian.AppendUint32([]byte{0}, uint32(len(proto))), proto...)
}

// rpc is a dialogue in the way of gRPC: messages both ways while both directions
// are open, and the outcome in trailers.
type rpc struct {
	c         *scene
	transport *http.Transport
	answer    *http.Response
	up        *io.PipeWriter
	said, got bytes.Buffer
}

// rpc begins a dialogue with a server on port 7443 that answers each message.
func (c *scene) rpc() *rpc {
	c.Helper()
	l, err := c.Origin.Listen("tcp", ":7443")
	if err != nil {
		c.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(answerRPC)}
	c.Cleanup(func() { server.Close() })
	go server.ServeTLS(l, c.Cert.CertFile, c.Cert.KeyFile)

	r, w := io.Pipe()
	d := &rpc{c: c, up: w, transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return c.Dial(7443), nil },
	}}
	request, err := http.NewRequestWithContext(c.Ctx, http.MethodPost, "https://"+webName+":7443/lab.Echo/Say", r)
	if err != nil {
		c.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	if d.answer, err = d.transport.RoundTrip(request); err != nil {
		c.Fatal(err)
	}
	return d
}

func answerRPC(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(r.Body, head); err != nil {
			break
		}
		proto := make([]byte, endian.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(r.Body, proto); err != nil {
			break
		}
		_, size := endian.Uvarint(proto[1:])
		w.Write(message("answer to " + string(proto[1+size:])))
		w.(http.Flusher).Flush()
	}
	w.Header().Set("Grpc-Status", "0")
	w.Header().Set("Grpc-Message", "well done")
}

// exchange says that many messages, and waits for the answer to each.
func (d *rpc) exchange(times int) {
	d.c.Helper()
	for i := range times {
		text := fmt.Sprintf("message %d %s", i, strings.Repeat("x", 100*i))
		d.said.Write(message(text))
		if _, err := d.up.Write(message(text)); err != nil {
			d.c.Fatal(err)
		}
		if _, err := io.CopyN(&d.got, d.answer.Body, int64(len(message("answer to "+text)))); err != nil {
			d.c.Fatal(err)
		}
	}
}

// end ends the dialogue in order.
func (d *rpc) end() {
	d.c.Helper()
	d.up.Close()
	if _, err := io.Copy(&d.got, d.answer.Body); err != nil || d.answer.ProtoMajor != 2 || d.answer.Trailer.Get("Grpc-Status") != "0" {
		d.c.Errorf("HTTP/%d, trailers %v, %v", d.answer.ProtoMajor, d.answer.Trailer, err)
	}
	d.transport.CloseIdleConnections()
}

func TestHTTP2RPC(t *testing.T) {
	c := newScene(t, settings{HTTP2: "transcode"})
	d := c.rpc()
	d.exchange(20)
	d.end()
	recorded := c.Stop()
	if n := c.transcoded(recorded); n != 1 || len(recorded) != 1 {
		t.Fatalf("%d streams, %d conversations", n, len(recorded))
	}
	sent, received := c.bodies(recorded[0])
	scenetest.Same(t, "messages of the client on the mirror", sent, d.said.Bytes())
	scenetest.Same(t, "messages of the origin on the mirror", received, d.got.Bytes())
	trailers, err := lab.Fields(c.Ctx, c.Capture.File, "http.chunked_trailer_part", "http.chunked_trailer_part")
	if text := fmt.Sprint(trailers); err != nil || !strings.Contains(text, "grpc-status: 0") || !strings.Contains(text, "grpc-message: well done") {
		t.Errorf("trailers that tshark sees: %q, %v", trailers, err)
	}
}

// TestHTTP2MirrorDown takes the mirror port down and up again during a session
// that is transcoded: what was lost is accounted in octets of the session, and
// the gaps on the mirror are what was lost of the rendering.
func TestHTTP2MirrorDown(t *testing.T) {
	c := newScene(t, settings{HTTP2: "transcode", Gaps: true})
	d := c.rpc()
	d.exchange(10)
	c.mirror(false)
	c.AwaitLog(1, "mirror interface not usable", lab.MirrorInterface)
	d.exchange(10)
	c.mirror(true)
	c.AwaitLog(2, "mirror interface usable", lab.MirrorInterface) // the first one at the start
	d.exchange(10)
	d.end()
	recorded := c.Stop()
	if len(recorded) != 1 {
		t.Fatalf("%d conversations", len(recorded))
	}
	e := c.Entries()[0]
	m := e.Mirror["recorder"]
	if m.Transcoded == nil || m.Lost == 0 || m.Reason != "no-link" || m.Transcoded.Lost != scenetest.Missing(recorded[0]) || m.Transcoded.Raw != 0 {
		t.Errorf("account %+v, %+v; %d octets missing on the mirror", m, m.Transcoded, scenetest.Missing(recorded[0]))
	}
	if files := e.Mirror["files"]; files.Lost != 0 {
		t.Errorf("files: %+v", files)
	}
}

// bodies reads the one request and answer of a conversation by net/http.
func (c *scene) bodies(v mirrortest.Conversation) (sent, received []byte) {
	c.Helper()
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(v.Streams[0])))
	if err != nil {
		c.Fatal(err)
	}
	if sent, err = io.ReadAll(request.Body); err != nil {
		c.Error(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(v.Streams[1])), request)
	if err != nil {
		c.Fatal(err)
	}
	if received, err = io.ReadAll(answer.Body); err != nil {
		c.Error(err)
	}
	return sent, received
}
