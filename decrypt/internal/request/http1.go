package request

import (
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// requests reads what a client of HTTP/1 says.
type requests struct {
	held    []byte // of a head that is not complete, or what follows CONNECT
	head    http1.Head
	content http1.Content
	within  bool // content of a request is under way
	waits   bool // for the answer to a CONNECT
	refused bool // nothing goes on any more
	request Request
	buf     []byte // held, and what followed it
}

// data judges the requests in p, and returns what goes on.
func (h *requests) data(i *Inspector, p []byte) (pass []byte, last bool, err error) {
	if h.refused {
		return nil, true, nil
	}
	if len(h.held) > 0 {
		h.buf = append(append(h.buf[:0], h.held...), p...)
		p, h.held = h.buf, h.held[:0]
	} else if cap(h.buf) > spare {
		h.buf, h.held = nil, nil
	}
	at := 0
	for at < len(p) && !h.refused && !h.waits && i.protocol == http1Protocol {
		n := 0
		if h.within {
			n, err = h.pass(p[at:])
		} else {
			n, err = h.next(i, p[at:])
		}
		if at += n; err != nil {
			return nil, false, err
		}
		if n == 0 {
			break
		}
	}
	switch {
	case h.refused:
		return p[:at], true, nil
	case i.protocol == http1Protocol && at < len(p):
		err = h.hold(p[at:])
		p = p[:at]
	}
	return p, false, err
}

// hold keeps what cannot go on yet.
func (h *requests) hold(p []byte) error {
	if h.waits && len(p) > http1.MaxHead {
		return ErrBroken
	}
	h.held = append(h.held, p...)
	return nil
}

// pass takes content.
func (h *requests) pass(p []byte) (at int, err error) {
	for at < len(p) && !h.content.Done() {
		n, _, fault := h.content.Next(p[at:])
		if fault != http1.Sound {
			return at, ErrBroken // where the next request begins is not known
		}
		at += n
	}
	h.within = !h.content.Done()
	return at, nil
}

// next takes the head that p begins with, behind empty lines. n is 0 if it is not complete,
// or refused.
func (h *requests) next(i *Inspector, p []byte) (n int, err error) {
	lead := http1.EmptyLines(p)
	end, _ := h.head.End(p[lead:], http1.Loose)
	if end == 0 && len(p) <= http1.MaxHead {
		return 0, nil
	}
	head := p[lead : lead+end]
	var r http1.Request
	doubt, sound := false, false
	if end > 0 && end <= http1.MaxHead {
		if sound = r.Parse(head, http1.Strict, nil) == http1.Sound; !sound {
			r = http1.Request{}
			sound, doubt = r.Parse(head, http1.Loose, nil) == http1.Sound, r.Ambiguous()
		}
	}
	if !sound && i.once {
		i.protocol = none
		return len(p), nil
	} else if !sound {
		h.request = Request{Broken: true}
		i.judge.Judge(&h.request)
		return 0, h.refuse(i, p[lead:], Forbidden)
	}
	h.request = Request{Host: r.Host.Name, Method: r.Method, Path: r.Path, Doubt: doubt && !i.once || r.Host.Doubt.Doubtful()}
	verdict := i.judge.Judge(&h.request)
	switch {
	case i.once:
		i.protocol = none
		return len(p), nil
	case verdict != Pass:
		return 0, h.refuse(i, head, verdict)
	}
	h.begin(i, &r)
	return lead + end, nil
}

// begin begins the content of a request that goes on.
func (h *requests) begin(i *Inspector, r *http1.Request) {
	h.waits = string(r.Method) == "CONNECT"
	i.answers.expect(string(r.Method))
	if r.Framing.Extent == http1.NoContent {
		return
	}
	h.content = http1.NewContent(r.Framing, http1.Strict, false)
	h.content.Chunks().AnyTrailer, h.content.Chunks().Padded = true, true
	h.within = true
}

// refuse ends what the client can say.
func (h *requests) refuse(i *Inspector, head []byte, v Verdict) error {
	final := i.judge.Answer(head, v.Status())
	if final == nil {
		return ErrRefused
	}
	h.refused = true
	i.answers.final = final
	return nil
}
