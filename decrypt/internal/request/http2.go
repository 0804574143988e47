package request

import (
	"slices"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

const (
	maxBlock    = 128 << 10 // octets of a header block with its frames
	maxFrames   = 128       // of a header block
	maxFields   = 256 << 10 // octets of its fields
	maxSettings = 16 << 10  // octets of a SETTINGS frame
	maxRefused  = 1000      // refused streams of a session
)

// streams reads what a client of HTTP/2 says.
type streams struct {
	preface int // octets of it that came

	header [http2.HeaderLength]byte
	have   int // octets of header
	frame  http2.Header
	left   int // of its payload
	act    act

	unit   []byte // frames that are collected
	count  int    // of them
	stream uint32 // whose block goes on; 0: none

	reader  *http2.Reader
	decoder *http2.Decoder
	fields  []hpack.HeaderField
	highest uint32   // stream so far
	refused []uint32 // ascending
	encoder *encoder // nil: blocks go on as they came

	request            Request
	host, method, path []byte // of request
	out                passage
}

// act is what becomes of a frame.
type act uint8

const (
	keep act = iota
	drop
	collect
)

func newStreams() *streams {
	s := &streams{
		reader:  http2.NewReader(proto.ClientToOrigin, http2.Loose, http2.Limits{Block: maxBlock, Frames: maxFrames}),
		decoder: http2.NewDecoder(maxFields),
	}
	s.reader.Next([]byte(http2.Preface))
	s.decoder.AllowTable(1 << 16) // whatever the origin allows: a client tells what it takes
	return s
}

// data judges the requests in p, and returns what goes on.
func (s *streams) data(i *Inspector, p []byte) ([]byte, error) {
	s.out.reset(p)
	for at := 0; at < len(p); {
		if i.protocol != http2Protocol {
			s.out.keep(at, len(p))
			break
		}
		n, err := s.step(i, p[at:], at)
		if err != nil {
			return nil, err
		}
		at += n
	}
	return s.out.octets(), nil
}

// step takes what p begins with, which is at an offset of what data was given.
func (s *streams) step(i *Inspector, p []byte, at int) (n int, err error) {
	switch {
	case s.preface < len(http2.Preface):
		n = min(len(http2.Preface)-s.preface, len(p))
		if string(p[:n]) != http2.Preface[s.preface:s.preface+n] {
			return 0, ErrBroken
		}
		s.preface += n
		s.out.keep(at, at+n)
		return n, nil
	case s.have == len(s.header):
		return s.payload(i, p, at)
	case s.have == 0 && len(p) >= len(s.header):
		s.frame, n = http2.ParseHeader(p), len(s.header)
		copy(s.header[:], p)
		if err := s.begin(i); err != nil {
			return 0, err
		}
		if size := n + s.frame.Length; s.act == collect && len(s.unit) == 0 && len(p) >= size && s.complete() {
			s.have = 0
			return size, s.whole(i, p[:size], at)
		}
		if s.act == keep {
			s.out.keep(at, at+n)
		}
	default:
		n = copy(s.header[s.have:], p)
		if s.have += n; s.have < len(s.header) {
			return n, nil
		}
		s.frame = http2.ParseHeader(s.header[:])
		if err := s.begin(i); err != nil {
			return 0, err
		}
		if s.act == keep {
			s.out.put(s.header[:])
		}
	}
	s.have, s.left = len(s.header), s.frame.Length
	if s.act == collect {
		s.unit = append(s.unit, s.header[:]...)
		s.count++
	}
	if s.left == 0 {
		return n, s.over(i)
	}
	return n, nil
}

// payload takes octets of the frame under way.
func (s *streams) payload(i *Inspector, p []byte, at int) (n int, err error) {
	n = min(s.left, len(p))
	switch s.act {
	case keep:
		s.out.keep(at, at+n)
	case collect:
		s.unit = append(s.unit, p[:n]...)
	}
	if s.left -= n; s.left == 0 {
		return n, s.over(i)
	}
	return n, nil
}

// complete reports whether the frame that is collected is the last of its unit.
func (s *streams) complete() bool {
	return s.frame.Type == http2.Settings || s.frame.Has(http2.EndHeaders)
}

// over ends a frame.
func (s *streams) over(i *Inspector) error {
	s.have = 0
	if s.act != collect || !s.complete() {
		return nil
	}
	unit := s.unit
	s.unit, s.count, s.stream = nil, 0, 0
	err := s.whole(i, unit, -1)
	if cap(unit) <= spare {
		s.unit = unit[:0]
	}
	return err
}

// begin takes the header of a frame.
func (s *streams) begin(i *Inspector) error {
	h := s.frame
	if (s.stream != 0) != (h.Type == http2.Continuation) || s.stream != 0 && s.stream != h.Stream {
		return ErrBroken
	}
	s.act = keep
	switch h.Type {
	case http2.PushPromise:
		return ErrBroken
	case http2.Headers, http2.Continuation:
		if s.act = collect; h.Stream == 0 || len(s.unit)+h.Length > maxBlock || s.count >= maxFrames {
			return ErrBroken
		}
		if !h.Has(http2.EndHeaders) {
			s.stream = h.Stream
		}
	case http2.Settings:
		if h.Has(http2.ACK) {
			break
		}
		if s.act = collect; h.Length > maxSettings {
			return ErrBroken
		}
	case http2.Data:
		if s.isRefused(h.Stream) {
			s.act = drop
			i.frames.credit += uint32(h.Length)
		}
	case http2.RSTStream, http2.WindowUpdate, http2.Priority:
		if s.isRefused(h.Stream) {
			s.act = drop
		}
	}
	return nil
}

// isRefused reports whether a stream's request was refused.
func (s *streams) isRefused(stream uint32) bool {
	if len(s.refused) == 0 {
		return false
	}
	_, found := slices.BinarySearch(s.refused, stream)
	return found
}

// whole takes a SETTINGS frame or all frames of a header block. They are in place at an
// offset, or collected if that is negative.
func (s *streams) whole(i *Inspector, unit []byte, at int) error {
	if s.frame.Type == http2.Settings {
		s.pass(unit, at)
		return s.settings(i, unit)
	}
	f, err := s.read(unit)
	if err != nil {
		return err
	}
	var size int
	if s.fields, size, err = s.decoder.Decode(s.fields[:0], f); err != nil {
		return ErrBroken
	}
	verdict, opens := Pass, f.Stream > s.highest
	switch refused := s.isRefused(f.Stream); {
	case refused:
		return nil // trailers
	case size > maxFields:
		verdict = Forbidden
		s.request = Request{Broken: true}
		i.judge.Judge(&s.request)
	case opens || isRequest(s.fields):
		verdict = s.judged(i, f)
	}
	s.highest = max(s.highest, f.Stream)
	switch {
	case verdict != Pass && !opens:
		return ErrRefused
	case verdict != Pass:
		return s.refuse(i, f, verdict)
	case s.encoder != nil:
		s.out.put(s.encoder.encode(f, s.fields))
		return nil
	}
	s.pass(unit, at)
	return nil
}

// pass lets a unit go on.
func (s *streams) pass(unit []byte, at int) {
	if at >= 0 {
		s.out.keep(at, at+len(unit))
	} else {
		s.out.put(unit)
	}
}

// read reads a unit.
func (s *streams) read(unit []byte) (*http2.Frame, error) {
	for len(unit) > 0 {
		f, n, err := s.reader.Next(unit)
		if err != nil {
			return nil, ErrBroken
		}
		if f != nil {
			return f, nil
		}
		unit = unit[n:]
	}
	return nil, ErrBroken
}

// settings notes the size of the client's table.
func (s *streams) settings(i *Inspector, unit []byte) error {
	f, err := s.read(unit)
	if err != nil {
		return err
	}
	size, set := uint32(0), false
	for v := range f.Settings() {
		if v.ID == http2.HeaderTableSize {
			size, set = v.Value, true
		}
	}
	i.frames.allow(size, set)
	return nil
}

// refuse drops the header block f, and answers its request.
func (s *streams) refuse(i *Inspector, f *http2.Frame, v Verdict) error {
	if len(s.refused) >= maxRefused {
		return ErrRefused
	}
	s.refused = append(s.refused, f.Stream)
	if s.encoder == nil {
		s.encoder = newEncoder()
	}
	i.frames.answer(f.Stream, v.Status(), !f.EndsStream())
	return nil
}

// isRequest reports whether fields are those of a request, not trailers.
func isRequest(fields []hpack.HeaderField) bool {
	return len(fields) > 0 && fields[0].IsPseudo()
}

// judged asks about a request.
func (s *streams) judged(i *Inspector, f *http2.Frame) Verdict {
	r := &s.request
	*r = Request{}
	s.method, s.path = s.method[:0], s.path[:0]
	var authority, host string
	hosts := 0
	for j := range s.fields {
		v := &s.fields[j]
		switch v.Name {
		case ":authority":
			authority = v.Value
		case "host":
			host = v.Value
			hosts++
		case ":method":
			s.method = append(s.method, v.Value...)
		case ":path":
			s.path = append(s.path, v.Value...)
		}
	}
	r.Method, r.Path = s.method, s.path
	s.named(authority, host, hosts)
	if !i.once && f.CheckFields(s.fields) != nil {
		r.Doubt = true
	}
	verdict := i.judge.Judge(r)
	if i.once {
		i.protocol = none
		return Pass
	}
	return verdict
}

// named tells the host of the request.
func (s *streams) named(authority, host string, hosts int) {
	s.host = append(s.host[:0], authority...)
	if hosts > 0 || len(authority) == 0 {
		h := http2.Authority(s.fields)
		s.request.Host, s.request.Doubt = h.Name, h.Doubt.Doubtful()
		return
	}
	h := http1.ParseHost(s.host)
	s.request.Host, s.request.Doubt = h.Name, h.Doubt.Doubtful()
}
