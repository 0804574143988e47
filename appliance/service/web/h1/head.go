package h1

import (
	"bytes"
	"io"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/appliance/service/web/ws"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// headReader finds heads in what one end sends. It is for one goroutine.
type headReader struct {
	in    *buffered.End
	end   http1.Head
	apart bool // the last head stands in memory of its own, and is consumed
}

// read waits for a whole head and returns it, unconsumed. One empty line before a
// request is dropped (RFC 9112, Section 2.2).
func (r *headReader) read(kind adapt.Kind) (head []byte, fault http1.Fault, err error) {
	if kind == adapt.Response {
		return r.readResponse()
	}
	spare := true
	for {
		n, fault := r.end.End(r.in.Unread(), http1.Strict)
		switch {
		case fault != http1.Sound:
			return nil, fault, nil
		case n > len("\r\n"):
			return r.in.Unread()[:n], http1.Sound, nil
		case n > 0 && !spare:
			return nil, http1.BadStart, nil
		case n > 0:
			spare = false
			r.in.Consume(n)
			continue
		}
		switch err := r.in.Fill(); err {
		case nil:
		case io.ErrShortBuffer:
			return nil, http1.HeadSize, nil
		default:
			return nil, http1.Sound, err
		}
	}
}

// readResponse is read for the head of a response, which it repairs. A head that was
// repaired, or that is too long for the buffer, is consumed: see consume.
func (r *headReader) readResponse() (head []byte, fault http1.Fault, err error) {
	var long []byte // what came before Unread
	for r.apart = false; ; {
		all := r.in.Unread()
		if long != nil {
			all = append(long, all...)
		}
		n, _ := r.end.End(all, http1.Loose)
		switch {
		case n > 0 && n <= len("\r\n"):
			return nil, http1.BadStart, nil
		case n > 0:
			return r.repaired(all[:n], n-len(long)), http1.Sound, nil
		case long != nil:
			r.in.Consume(len(all) - len(long))
			long = all
		}
		if len(all) > http1.MaxRepaired {
			return nil, http1.HeadSize, nil
		}
		err := r.in.Fill()
		if err == io.ErrShortBuffer {
			long = bytes.Clone(r.in.Unread())
			r.in.Consume(len(long))
			err = r.in.Fill()
		}
		if err != nil {
			return nil, http1.Sound, err
		}
	}
}

// repaired returns the head of a response as it goes on. The last octets of it, so many,
// are unread.
func (r *headReader) repaired(head []byte, unread int) []byte {
	out := http1.Repair(head)
	if r.apart = unread < len(head) || &out[0] != &head[0]; r.apart {
		r.in.Consume(unread)
	}
	return out
}

// consume consumes the head that was read last, and returns how many octets of it stand
// directly before what is unread: all, or none.
func (r *headReader) consume(head []byte) (lead int) {
	if r.apart {
		return 0
	}
	r.in.Consume(len(head))
	return len(head)
}

// hints are what the fields of a head say beside the framing.
type hints struct {
	expect  bool // 100-continue
	upgrade bool // there is an Upgrade field
	http2   bool // it names h2c or h2
	socket  bool // it names websocket
	other   bool // it names another protocol
	extends bool // there is a field of extensions of WebSocket
	ranges  bool // there is a Range or If-Range field
}

// take takes a field.
func (h *hints) take(f http1.Field) {
	switch {
	case adapt.IsRange(f.Name):
		h.ranges = true
	case ws.IsExtension(f.Name):
		h.extends = true
	case http1.Is(f.Name, "expect"):
		h.expect = h.expect || http1.Is(f.Value, "100-continue")
	case http1.Is(f.Name, "upgrade"):
		h.upgrade = true
		for v := range bytes.SplitSeq(f.Value, []byte(",")) {
			v = http1.Trim(v)
			named := http1.Is(v, "websocket")
			h.socket, h.other = h.socket || named, h.other || !named
			h.http2 = h.http2 || http1.HasPrefix(v, "h2") || http1.HasPrefix(v, "http/2")
		}
	}
}

// request is the head of a request.
type request struct {
	http1.Request
	hints
	raw []byte
}

func parseRequest(raw []byte) (r request, fault http1.Fault) {
	r.raw = raw
	r.Request, fault = http1.ParseRequest(raw, http1.Strict, r.take)
	return r, fault
}

// is reports whether the method is m.
func (r *request) is(m string) bool { return string(r.Method) == m }

// response is the head of a response.
type response struct {
	http1.Response
	hints
	raw []byte
}

func parseResponse(raw []byte) (r response, fault http1.Fault) {
	r.raw = raw
	r.Response, fault = http1.ParseResponse(raw, http1.Strict, r.take)
	return r, fault
}
