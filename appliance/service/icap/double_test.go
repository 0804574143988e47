package icap

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// double is an ICAP server for what a real one does not do. Its parser is its own.
type double struct {
	t        testing.TB
	ln       net.Listener
	options  atomic.Pointer[string] // fields of the answer to OPTIONS
	handle   func(r *received)      // REQMOD and RESPMOD
	asked    atomic.Int64           // OPTIONS
	served   atomic.Int64           // others
	accepted atomic.Int64
	open     atomic.Int64
	most     atomic.Int64 // connections with a message in hand at a time

	mu    sync.Mutex
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

const usualOptions = "Methods: REQMOD, RESPMOD\r\nService: double\r\nISTag: \"double-1\"\r\nAllow: 204, 206\r\nPreview: 1024\r\nOptions-TTL: 3600\r\n"

// serve starts a double. It ends with the test.
func serve(t testing.TB, options string, handle func(*received)) *double {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, ln, options, handle)
}

func serveOn(t testing.TB, ln net.Listener, options string, handle func(*received)) *double {
	d := &double{t: t, ln: ln, handle: handle, conns: make(map[net.Conn]bool)}
	d.options.Store(&options)
	d.wg.Go(d.accept)
	t.Cleanup(d.stop)
	return d
}

func (d *double) stop() {
	d.ln.Close()
	d.mu.Lock()
	for c := range d.conns {
		c.Close()
	}
	d.mu.Unlock()
	d.wg.Wait()
}

func (d *double) url() string { return "icap://" + d.ln.Addr().String() + "/double" }

func (d *double) accept() {
	for {
		c, err := d.ln.Accept()
		if err != nil {
			return
		}
		d.accepted.Add(1)
		d.mu.Lock()
		d.conns[c] = true
		d.mu.Unlock()
		d.wg.Go(func() {
			defer func() {
				c.Close()
				d.mu.Lock()
				delete(d.conns, c)
				d.mu.Unlock()
			}()
			d.converse(c)
		})
	}
}

// received is a request as the double got it.
type received struct {
	method, uri    string
	header         textproto.MIMEHeader
	reqHdr, resHdr []byte
	bodyPart       string
	preview        []byte
	ieof           bool // the preview is all
	continued      bool

	c  net.Conn
	br *bufio.Reader
}

func (d *double) converse(c net.Conn) {
	br := bufio.NewReader(c)
	for {
		r, err := receive(c, br)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
				d.t.Errorf("double got a bad request: %v", err)
			}
			return
		}
		if r.method == "OPTIONS" {
			d.asked.Add(1)
			fmt.Fprintf(c, "ICAP/1.0 200 OK\r\n%sEncapsulated: null-body=0\r\n\r\n", *d.options.Load())
			continue
		}
		d.served.Add(1)
		for n := d.open.Add(1); ; {
			if m := d.most.Load(); n <= m || d.most.CompareAndSwap(m, n) {
				break
			}
		}
		d.handle(r)
		d.open.Add(-1)
		if r.bodyPart == "closed" {
			return
		}
	}
}

// receive reads a request up to the rest of its body.
func receive(c net.Conn, br *bufio.Reader) (*received, error) {
	tp := textproto.NewReader(br)
	line, err := tp.ReadLine()
	if err != nil {
		return nil, io.EOF
	}
	r := &received{c: c, br: br}
	words := strings.Split(line, " ")
	if len(words) != 3 || words[2] != "ICAP/1.0" {
		return nil, fmt.Errorf("request line %q", line)
	}
	r.method, r.uri = words[0], words[1]
	if r.header, err = tp.ReadMIMEHeader(); err != nil {
		return nil, err
	}
	var names []string
	var offsets []int
	for _, w := range strings.Split(r.header.Get("Encapsulated"), ", ") {
		name, at, _ := strings.Cut(w, "=")
		n, err := strconv.Atoi(at)
		if err != nil {
			return nil, fmt.Errorf("encapsulated: %q", w)
		}
		names, offsets = append(names, name), append(offsets, n)
	}
	for i := 0; i+1 < len(names); i++ {
		block := make([]byte, offsets[i+1]-offsets[i])
		if _, err := io.ReadFull(br, block); err != nil {
			return nil, err
		}
		if !bytes.HasSuffix(block, []byte("\r\n\r\n")) {
			return nil, fmt.Errorf("%s does not end in an empty line: %q", names[i], block)
		}
		switch names[i] {
		case "req-hdr":
			r.reqHdr = block
		case "res-hdr":
			r.resHdr = block
		}
	}
	r.bodyPart = names[len(names)-1]
	if r.header.Get("Preview") != "" {
		var b bytes.Buffer
		if r.ieof, err = readChunks(br, &b); err != nil {
			return nil, err
		}
		r.preview = b.Bytes()
		if want, _ := strconv.Atoi(r.header.Get("Preview")); len(r.preview) > want || len(r.preview) < want && !r.ieof {
			return nil, fmt.Errorf("preview of %d octets, ieof %v, announced are %d", len(r.preview), r.ieof, want)
		}
	}
	return r, nil
}

// readChunks copies a chunked body to w.
func readChunks(br *bufio.Reader, w io.Writer) (ieof bool, err error) {
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return false, err
		}
		size, extension, _ := strings.Cut(strings.TrimSuffix(line, "\r\n"), "; ")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil {
			return false, err
		}
		if _, err := io.CopyN(w, br, n); err != nil {
			return false, err
		}
		end := make([]byte, 2)
		if _, err := io.ReadFull(br, end); err != nil || string(end) != "\r\n" {
			return false, fmt.Errorf("end of chunk %q, %v", end, err)
		}
		if n == 0 {
			return extension == "ieof", nil
		}
	}
}

// body copies the whole body to w, asking for the rest if there is one.
func (r *received) body(w io.Writer) error {
	if r.bodyPart == "null-body" {
		return nil
	}
	if r.header.Get("Preview") != "" {
		if _, err := w.Write(r.preview); err != nil || r.ieof {
			return err
		}
		if !r.continued {
			r.continued = true
			r.say("ICAP/1.0 100 Continue\r\n\r\n")
		}
	}
	_, err := readChunks(r.br, w)
	return err
}

func (r *received) say(format string, args ...any) { fmt.Fprintf(r.c, format, args...) }

// close has the double end the connection.
func (r *received) close() { r.bodyPart = "closed" }

// own returns the header block of the message itself, and its part's names.
func (r *received) own() (block []byte, hdr, body string) {
	if r.method == "REQMOD" {
		return r.reqHdr, "req-hdr", "req-body"
	}
	return r.resHdr, "res-hdr", "res-body"
}

// answer begins 200 or 206 with a header block of the message's kind.
func (r *received) answer(status int, block []byte, body string, fields string) {
	_, hdr, _ := r.own()
	r.say("ICAP/1.0 %d OK\r\nISTag: \"double-1\"\r\n%sEncapsulated: %s=0, %s=%d\r\n\r\n%s", status, fields, hdr, body, len(block), block)
}

// chunked writes a chunk for each Write.
type chunked struct{ w io.Writer }

func (c chunked) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	_, err := fmt.Fprintf(c.w, "%x\r\n%s\r\n", len(p), p)
	return len(p), err
}

// echo answers 200 with the message as it is, while it is still coming.
func echo(r *received) {
	block, _, body := r.own()
	if r.bodyPart == "null-body" {
		r.answer(200, block, "null-body", "")
		return
	}
	if r.header.Get("Preview") != "" && !r.ieof {
		r.continued = true
		r.say("ICAP/1.0 100 Continue\r\n\r\n")
	}
	r.answer(200, block, body, "")
	if r.body(chunked{r.c}) != nil {
		r.close()
		return
	}
	r.say("0\r\n\r\n")
}

// client returns a client of the doubles with what change makes of the usual
// configuration.
func client(t testing.TB, change func(*Config), doubles ...*double) *Client {
	t.Helper()
	cfg := Config{}
	for _, d := range doubles {
		cfg.URLs = append(cfg.URLs, d.url())
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// secured returns a listener with a certificate for 127.0.0.1.
func secured(t testing.TB, cert tls.Certificate) net.Listener {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// hang says nothing more until the client has had enough.
func (r *received) hang() {
	io.Copy(io.Discard, r.br)
	r.close()
}
