package http2

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// script makes frames of what a fuzzer gives: type, flags, stream and length of each
// in one octet, then its payload. Mutations thus keep frames whole.
func script(p []byte) (out []byte) {
	for len(p) >= 4 {
		kind, flags, stream := Type(p[0]), Flags(p[1]), uint32(p[2])
		n := min(int(p[3]), len(p)-4)
		out = append(Header{n, kind, flags, stream}.Append(out), p[4:4+n]...)
		p = p[4+n:]
	}
	return out
}

// scripted is the inverse of script, for seeds.
func scripted(frames string) (out []byte) {
	for p := []byte(frames); len(p) > 0; {
		h := ParseHeader(p)
		out = append(out, byte(h.Type), byte(h.Flags), byte(h.Stream), byte(h.Length))
		out = append(out, p[HeaderLength:HeaderLength+h.Length]...)
		p = p[HeaderLength+h.Length:]
	}
	return out
}

// FuzzFramer holds the strict reader against golang.org/x/net's Framer: frames that
// both accept are equal, faults that both find have one error code, and there are
// reasons where only one of them finds any.
func FuzzFramer(f *testing.F) {
	get := block(":method", "GET", ":path", "/", "x-name", "value")
	for _, s := range []string{
		frame(Headers, EndHeaders|Padded|HasPriority, 1, "\x02\x80\x00\x00\x03\x10"+get+"\x00\x00") + frame(Data, EndStream|Padded, 1, "\x02abc\x00\x00"),
		frame(Headers, 0, 1, get[:4]) + frame(Continuation, 0, 1, "") + frame(Continuation, EndHeaders, 1, get[4:]),
		frame(PushPromise, EndHeaders|Padded, 1, "\x01\x00\x00\x00\x02"+get+"\x00"),
		frame(PushPromise, 0, 1, "\x00\x00\x00\x02"+get) + frame(Continuation, EndHeaders, 1, ""),
		frame(Settings, 0, 0, "\x00\x01\x00\x00\x20\x00\x00\x04\x80\x00\x00\x00") + frame(Settings, ACK, 0, ""),
		frame(Settings, 0, 0, "\x00\x05\x00\x00\x00\x01\x00\x04\x80\x00\x00\x00"),
		frame(Ping, ACK, 0, "12345678") + frame(GoAway, 0, 0, "\x80\x00\x00\x05\x00\x00\x00\x02bye"),
		frame(WindowUpdate, 0, 1, "\x00\x00\x00\x00") + frame(WindowUpdate, 0, 0, "\x00\x00\x00\x09") + frame(RSTStream, 0, 3, "\x00\x00\x00\x08"),
		frame(Priority, 0, 3, "\x80\x00\x00\x01\x10") + frame(Priority, 0, 3, "\x80") + frame(0x10, 0, 0, "\x00\x00\x00\x01u=3"),
		frame(Headers, EndHeaders, 1, block(":status", "200", "Upper", "x", ":path", "/")),
		frame(Headers, EndHeaders, 1, block("a", "x\x00y")) + frame(Headers, EndHeaders, 1, "\xff\xff\x7f"),
	} {
		f.Add(scripted(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) { compare(t, append([]byte(settings), script(p)...)) })
}

// pair is both readers of the same octets.
type pair struct {
	framer  *http2.Framer
	reader  *Reader
	decoder *Decoder
	input   []byte // what reader has not taken
}

func compare(t *testing.T, input []byte) {
	p := pair{http2.NewFramer(nil, bytes.NewReader(input)), NewReader(proto.OriginToClient, Strict, Limits{}), NewDecoder(1 << 16), input}
	p.framer.SetMaxReadFrameSize(DefaultFrame)
	p.framer.MaxHeaderListSize = 1 << 16
	p.framer.ReadMetaHeaders = hpack.NewDecoder(DefaultTable, nil)
	for {
		theirs, theirErr := p.theirs()
		ours, fields, err := p.ours()
		promise, promised := theirs.(*http2.PushPromiseFrame)
		switch {
		case promised && !promise.HeadersEnded():
			return // the framer reads no more of it
		case ours != nil && ours.Type == 0x10 && err == nil:
			return // PRIORITY_UPDATE (RFC 9218), which the framer reads
		case theirErr != nil && (p.reader.stream != 0 || ours != nil && len(ours.rest) > 0):
			return // the framer decodes a block before the last of its frames has come
		case theirErr != nil || err != nil:
			judge(t, theirErr, err)
			return
		}
		agree(t, theirs, ours, fields)
	}
}

// theirs returns the framer's next frame. The framer leaves the blocks of promises to
// its caller.
func (p *pair) theirs() (http2.Frame, error) {
	f, err := p.framer.ReadFrame()
	if promise, ok := f.(*http2.PushPromiseFrame); ok && promise.HeadersEnded() {
		if _, err := p.framer.ReadMetaHeaders.DecodeFull(promise.HeaderBlockFragment()); err != nil {
			return nil, http2.ConnectionError(http2.ErrCodeCompression)
		}
	}
	return f, err
}

// ours returns the reader's next whole frame, nil at the end, with its fields.
func (p *pair) ours() (f *Frame, fields []hpack.HeaderField, err error) {
	for f == nil && len(p.input) > 0 && err == nil {
		var n int
		f, n, err = p.reader.Next(p.input)
		p.input = p.input[n:]
	}
	if f != nil && f.bearsBlock() {
		if fields, _, err = p.decoder.Decode(nil, f); err == nil && f.Type == Headers {
			err = f.CheckFields(fields)
		}
	}
	return f, fields, err
}

// judge compares what both say of a fault.
func judge(t *testing.T, theirs, ours error) {
	var fault *Fault
	found := errors.As(ours, &fault)
	code, known := codeOf(theirs)
	var stream http2.StreamError
	switch {
	case theirs == io.EOF && !found:
	case theirs == io.ErrUnexpectedEOF && (!found || fault.Code == FrameSizeError): // the end, or a payload shorter than its fields
	case (fault == errSetting || fault == errWindow) && (theirs == nil || code == FlowControlError): // the framer looks at one value only
	case errors.As(theirs, &stream) && fault == errBlock: // it decodes no strings behind an invalid field
	case !found || !known || code != fault.Code:
		t.Errorf("x/net: %v; ours: %v", theirs, ours)
	}
}

// codeOf returns the error code of a framer's error.
func codeOf(err error) (code Code, ok bool) {
	var connection http2.ConnectionError
	var stream http2.StreamError
	switch {
	case errors.As(err, &connection):
		return Code(connection), true
	case errors.As(err, &stream):
		return Code(stream.Code), true
	case errors.Is(err, http2.ErrFrameTooLarge):
		return FrameSizeError, true
	}
	return 0, false
}

// agree compares a frame.
func agree(t *testing.T, theirs http2.Frame, ours *Frame, fields []hpack.HeaderField) {
	t.Helper()
	h := theirs.Header()
	want := Frame{Header: Header{int(h.Length), Type(h.Type), Flags(h.Flags), h.StreamID}, First: true, Last: true, Padding: ours.Padding}
	switch f := theirs.(type) {
	case *http2.DataFrame:
		want.Body = f.Data()
	case *http2.MetaHeadersFrame:
		want.Body, want.rest = ours.Body, ours.rest
		want.Priority = Dependency{f.Priority.StreamDep, f.Priority.Exclusive, f.Priority.Weight}
		if !f.Truncated && !cmp.Equal(f.Fields, fields) {
			t.Errorf("x/net: %v; ours: %v", f.Fields, fields)
		}
	case *http2.PriorityFrame:
		want.Priority = Dependency{f.StreamDep, f.Exclusive, f.Weight}
	case *http2.RSTStreamFrame:
		want.Code = Code(f.ErrCode)
	case *http2.SettingsFrame:
		for i := range f.NumSettings() {
			want.Body = append(want.Body, AppendSettings(nil, Setting{SettingID(f.Setting(i).ID), f.Setting(i).Val})[HeaderLength:]...)
		}
	case *http2.PingFrame:
		want.Body = f.Data[:]
	case *http2.GoAwayFrame:
		want.LastID, want.Code, want.Body = f.LastStreamID, Code(f.ErrCode), f.DebugData()
	case *http2.WindowUpdateFrame:
		want.Increment = f.Increment
	case *http2.PushPromiseFrame:
		want.Promised, want.Body = f.PromiseID, f.HeaderBlockFragment()
	case *http2.UnknownFrame:
		want.Body = f.Payload()
	}
	if diff := cmp.Diff(&want, ours, cmp.AllowUnexported(Frame{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-x/net +ours):\n%s", diff)
	}
}
