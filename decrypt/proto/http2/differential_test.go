package http2

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func compare(t *testing.T, input []byte) {
	other := http2.NewFramer(nil, bytes.NewReader(input))
	other.SetMaxReadFrameSize(DefaultFrame)
	other.MaxHeaderListSize = 1 << 16
	other.ReadMetaHeaders = hpack.NewDecoder(DefaultTable, nil)
	r, d := NewReader(proto.OriginToClient, Strict, Limits{}), NewDecoder(1<<16)
	for {
		theirs, theirErr := other.ReadFrame()
		ours, n, err := nextFrame(r, input)
		input = input[n:]
		var fields []hpack.HeaderField
		if ours != nil && ours.bearsBlock() {
			if fields, _, err = d.Decode(nil, ours); err == nil && ours.Type == Headers {
				err = ours.CheckFields(fields)
			}
		}
		if promise, ok := theirs.(*http2.PushPromiseFrame); ok {
			if !promise.HeadersEnded() {
				return // the framer reads no more of it
			}
			if _, theirErr = other.ReadMetaHeaders.DecodeFull(promise.HeaderBlockFragment()); theirErr != nil {
				theirErr = http2.ConnectionError(http2.ErrCodeCompression)
			}
		}
		switch {
		case ours != nil && ours.Type == 0x10 && err == nil:
			return // PRIORITY_UPDATE (RFC 9218), which the framer reads
		case theirErr != nil && r.stream != 0, theirErr != nil && ours != nil && len(ours.rest) > 0:
			return // the framer decodes a block before the last of its frames has come
		case theirErr != nil || err != nil:
			judge(t, theirErr, err)
			return
		}
		agree(t, theirs, ours, fields)
	}
}

// nextFrame returns a whole frame.
func nextFrame(r *Reader, p []byte) (f *Frame, n int, err error) {
	for f == nil && n < len(p) && err == nil {
		var m int
		f, m, err = r.Next(p[n:])
		n += m
	}
	return f, n, err
}

// judge compares what both say of a fault.
func judge(t *testing.T, theirs, ours error) {
	var fault *Fault
	errors.As(ours, &fault)
	var connection http2.ConnectionError
	var stream http2.StreamError
	code := Code(0)
	switch {
	case errors.As(theirs, &connection):
		code = Code(connection)
	case errors.As(theirs, &stream):
		if code = Code(stream.Code); fault == errBlock {
			return // the framer decodes no strings behind an invalid field
		}
	case errors.Is(theirs, http2.ErrFrameTooLarge):
		code = FrameSizeError
	case theirs == io.ErrUnexpectedEOF: // a payload shorter than its fields, or the end
		if ours != nil && fault.Code == FrameSizeError || ours == nil {
			return
		}
	case theirs == io.EOF && ours == nil:
		return
	case theirs == nil && (fault == errSetting || fault == errWindow): // the framer looks at one value only
		return
	}
	if fault == nil || code != fault.Code {
		t.Errorf("x/net: %v; ours: %v", theirs, ours)
	}
}

// agree compares a frame.
func agree(t *testing.T, theirs http2.Frame, ours *Frame, fields []hpack.HeaderField) {
	t.Helper()
	h := theirs.Header()
	if got, want := (Header{int(h.Length), Type(h.Type), Flags(h.Flags), h.StreamID}), ours.Header; got != want {
		t.Fatalf("x/net: %v; ours: %v", got, want)
	}
	want := Frame{Header: ours.Header, Body: []byte{}, First: true, Last: true, Padding: ours.Padding}
	switch f := theirs.(type) {
	case *http2.DataFrame:
		want.Body = f.Data()
	case *http2.MetaHeadersFrame:
		want.Body = ours.Body
		want.Priority = Dependency{f.Priority.StreamDep, f.Priority.Exclusive, f.Priority.Weight}
		if !f.Truncated && !cmp.Equal(f.Fields, fields) {
			t.Errorf("x/net: %v; ours: %v", f.Fields, fields)
		}
	case *http2.PriorityFrame:
		want.Priority = Dependency{f.StreamDep, f.Exclusive, f.Weight}
	case *http2.RSTStreamFrame:
		want.Code = Code(f.ErrCode)
	case *http2.SettingsFrame:
		i := 0
		for s := range ours.Settings() {
			if theirs := f.Setting(i); uint16(theirs.ID) != uint16(s.ID) || theirs.Val != s.Value {
				t.Errorf("x/net: %v; ours: %v", theirs, s)
			}
			i++
		}
		if i != f.NumSettings() {
			t.Errorf("x/net: %d settings; ours: %d", f.NumSettings(), i)
		}
		want.Body = ours.Body
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
	want.Body = append([]byte{}, want.Body...)
	got := *ours
	got.Body, got.rest = append([]byte{}, got.Body...), nil
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Frame{})); diff != "" {
		t.Errorf("(-x/net +ours):\n%s", diff)
	}
}
