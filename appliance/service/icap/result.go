package icap

import (
	"bytes"
	"io"
	"strings"
)

// decided makes a result of the final answer.
func (x *exchange) decided(a *answer) (*Result, error) {
	switch a.status {
	case 204:
		return x.unmodified(a)
	case 200, 206:
		return x.adapted(a)
	}
	return nil, refusal(a.status)
}

// unmodified is 204: what the server has seen goes on.
func (x *exchange) unmodified(a *answer) (*Result, error) {
	if v, ok := a.find("Encapsulated"); ok {
		if e, err := parseEncapsulated(v); err != nil || len(e.headers) > 0 || e.body != nullBody {
			return nil, fault(Protocol, "answer 204 with a message")
		}
	}
	x.end(true)
	return x.asItCame()
}

// asItCame is the result of a message that is not changed. The exchange has
// ended.
func (x *exchange) asItCame() (*Result, error) {
	if x.bodyErr != nil {
		return nil, x.bodyErr
	}
	if !x.src.rewind() {
		return nil, fault(Protocol, "answer 204 to a body that is no longer kept")
	}
	res := &Result{Detail: x.detail}
	if !x.src.empty() {
		x.src.release()
		res.Body = original{x.src}
	}
	return res, nil
}

// adapted is 200 or 206: another message comes.
func (x *exchange) adapted(a *answer) (*Result, error) {
	e, err := parseEncapsulated(a.get("Encapsulated"))
	if err != nil {
		return nil, fault(Protocol, "answer: %w", err)
	}
	var header []byte
	kind := part("")
	for i, p := range e.headers {
		block := make([]byte, e.lengths[i])
		if _, err := io.ReadFull(x.c.br, block); err != nil {
			return nil, unexpected(err)
		}
		header, kind = block, p
	}
	res := &Result{Outcome: Modified, Detail: x.detail}
	switch {
	case kind == resHdr && x.m.Method == REQMOD && len(e.headers) == 1:
		res.Outcome = Blocked
	case kind == resHdr && x.m.Method == RESPMOD:
	case kind == reqHdr && x.m.Method == REQMOD:
	case kind == "" && e.body != nullBody: // the header is as it was (RFC 3507, Section 4.4.1)
		header = withoutLength(x.req.own)
		kind = resHdr
		if x.m.Method == REQMOD {
			kind = reqHdr
		}
	default:
		return nil, fault(Protocol, "answer holds no message that could go on")
	}
	want := resBody
	if kind == reqHdr {
		want = reqBody
	}
	if e.body != want && e.body != nullBody {
		return nil, fault(Protocol, "answer holds a %s behind a %s", e.body, kind)
	}
	if e.body == nullBody && a.status == 200 && res.Outcome == Modified && x.src.empty() && bytes.Equal(header, x.req.own) {
		x.end(true)
		return x.asItCame()
	}
	hop := x.req.hop
	if res.Outcome == Blocked {
		hop = nil
	}
	status := 0
	if res.Header, status, err = adopt(header, kind == resHdr, hop); err != nil {
		return nil, fault(Protocol, "answer: %w", err)
	}
	if x.m.Method == RESPMOD && x.blocks(status) {
		res.Outcome = Blocked
	}
	if e.body == nullBody {
		x.end(true)
		x.src.land()
		return res, nil
	}
	if a.status == 200 {
		x.settled.Store(true)
	}
	x.w.body()
	res.Body = &answerBody{x: x, ch: newChunks(x.c.br), partial: a.status == 206}
	return res, nil
}

// blocks reports whether a response is there to withhold another: the server says
// what it found, or it alone says 403. A threat that was removed (Resolution 1)
// is a modification.
func (x *exchange) blocks(status int) bool {
	d := &x.detail
	if d.Infection != "" {
		return !strings.Contains(d.Infection, "Resolution=1")
	}
	if d.Virus != "" || d.Violation != "" && !strings.HasPrefix(d.Violation, "0") {
		return true
	}
	line, _, _ := bytes.Cut(x.m.Response, []byte("\r\n"))
	before, _ := responseStatus(line)
	return status == 403 && before != 403
}

// original is the content of a message that goes on as it came.
type original struct{ src *source }

// Read implements io.Reader.
func (o original) Read(p []byte) (int, error) {
	n, err := o.src.Read(p)
	return n, plain(err)
}

// Ready reports whether Read gives octets, or the end, without waiting.
func (o original) Ready() bool {
	return o.src.pos < len(o.src.kept) || o.src.ended() || o.src.flight != nil && o.src.landed()
}

// Rest returns what Read reads from now on, when all that was kept has been read;
// else nil. Who goes on there reads nothing here any more, and closes this later.
func (o original) Rest() io.Reader {
	s := o.src
	if s.pos < len(s.kept) || s.keep || s.err != nil || s.length == s.got || s.flight != nil {
		return nil
	}
	return s.r
}

// Close implements io.Closer. What is kept is let go.
func (o original) Close() error {
	o.src.land()
	o.src.kept, o.src.pos = nil, 0
	if o.src.err == nil {
		o.src.err = io.ErrClosedPipe
	}
	return nil
}

// plain gives an error of the body as the body gave it.
func plain(err error) error {
	if b, ok := err.(bodyError); ok {
		return b.error
	}
	return err
}

// answerBody is the body of an adapted message, as it comes.
type answerBody struct {
	x       *exchange
	ch      *chunks
	partial bool  // the original's body may follow (206)
	tail    bool  // and does
	err     error // sticky
}

// Read implements io.Reader.
func (b *answerBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	var n int
	if !b.tail {
		b.x.w.read(true)
		var err error
		n, err = b.ch.Read(p)
		b.x.w.read(false)
		switch {
		case err == nil:
			return n, nil
		case err != io.EOF:
			b.err = b.failed(err)
		case b.ch.original < 0:
			b.x.leave()
			b.err = io.EOF
		default:
			b.err = b.original()
		}
		if n > 0 || b.err != nil {
			return n, b.err
		}
	}
	n, err := b.x.src.Read(p)
	if err != nil {
		b.err = plain(err)
	}
	return n, b.err
}

// Ready reports whether Read gives octets, or the end, without waiting.
func (b *answerBody) Ready() bool { return b.err != nil || !b.tail && b.ch.ready() }

// original goes over to the rest of the original body.
func (b *answerBody) original() error {
	b.x.end(true)
	switch {
	case !b.partial:
		return b.failed(fault(Protocol, "use-original-body in an answer that is not 206"))
	case b.x.bodyErr != nil:
		return plain(b.x.bodyErr)
	case !b.x.src.rewind():
		return b.failed(fault(Protocol, "use-original-body of a body that is no longer kept"))
	}
	b.tail = true
	b.x.src.release()
	switch err := b.x.src.skip(b.ch.original).(type) {
	case nil:
		return nil
	case bodyError:
		return err.error
	}
	return b.failed(fault(Protocol, "use-original-body beyond the body"))
}

func (b *answerBody) failed(err error) error {
	err = b.x.fail(err)
	if e, ok := err.(*Error); ok {
		e.Server = b.x.s.host
	}
	return plain(err)
}

// Close implements io.Closer.
func (b *answerBody) Close() error {
	b.x.end(false)
	b.x.src.land()
	if b.err == nil {
		b.err = io.ErrClosedPipe
	}
	return nil
}
