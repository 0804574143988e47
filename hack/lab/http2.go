package lab

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/net/http2"
)

// HTTP2Body is the content that one end sent on one HTTP/2 stream: its DATA
// frames joined, as they were sent, without padding.
type HTTP2Body struct {
	From, To string // address:port
	Stream   uint32
	Content  []byte
}

// HTTP2Bodies returns the contents of the cleartext HTTP/2 streams of a capture
// file, on any port, in the order in which they began in each direction of each
// connection. A segment that is missing, repeated or out of order is an error.
// tshark exports no such objects; this takes no more than segments from it.
func HTTP2Bodies(ctx context.Context, file string) ([]HTTP2Body, error) {
	connections, err := Fields(ctx, file, `tcp.payload contains "PRI * HTTP/2.0"`, "tcp.stream")
	if err != nil {
		return nil, err
	}
	var list []HTTP2Body
	for _, c := range connections {
		segments, err := Fields(ctx, file, "tcp.len > 0 && tcp.stream == "+c[0], "ip.src", "ipv6.src", "tcp.srcport",
			"ip.dst", "ipv6.dst", "tcp.dstport", "tcp.seq", "tcp.payload")
		if err != nil {
			return nil, err
		}
		halves, err := joinSegments(segments)
		if err != nil {
			return nil, fmt.Errorf("join HTTP/2 connection %s: %w", c[0], err)
		}
		for _, h := range halves {
			bodies, err := h.bodies()
			if err != nil {
				return nil, fmt.Errorf("read HTTP/2 frames from %s to %s: %w", h.from, h.to, err)
			}
			list = append(list, bodies...)
		}
	}
	return list, nil
}

// half is what one end of a connection sent.
type half struct {
	from, to string
	octets   []byte
}

// joinSegments takes the rows of the segments of one connection; sequence
// numbers are relative, the first octet has 1.
func joinSegments(rows [][]string) ([]*half, error) {
	var halves []*half
	for _, f := range rows {
		if len(f) != 8 {
			return nil, fmt.Errorf("%d fields in %.200q", len(f), f)
		}
		from, to := bracket(f[0]+f[1])+":"+f[2], bracket(f[3]+f[4])+":"+f[5]
		var h *half
		for _, known := range halves {
			if known.from == from {
				h = known
			}
		}
		if h == nil {
			h = &half{from: from, to: to}
			halves = append(halves, h)
		}
		if want := strconv.Itoa(len(h.octets) + 1); f[6] != want {
			return nil, fmt.Errorf("segment from %s begins at %s, want %s", from, f[6], want)
		}
		payload, err := hex.DecodeString(f[7])
		if err != nil {
			return nil, err
		}
		h.octets = append(h.octets, payload...)
	}
	return halves, nil
}

// bodies joins the DATA frames of each stream (RFC 9113, Section 6.1). A last
// frame that is cut short is left out: the connection was reset.
func (h *half) bodies() ([]HTTP2Body, error) {
	octets, _ := bytes.CutPrefix(h.octets, []byte(http2.ClientPreface))
	framer := http2.NewFramer(nil, bytes.NewReader(octets))
	framer.SetMaxReadFrameSize(1<<24 - 1)
	var list []HTTP2Body
	index := make(map[uint32]int)
	for {
		frame, err := framer.ReadFrame()
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		data, ok := frame.(*http2.DataFrame)
		if !ok {
			continue
		}
		at, known := index[data.StreamID]
		if !known {
			at = len(list)
			index[data.StreamID] = at
			list = append(list, HTTP2Body{From: h.from, To: h.to, Stream: data.StreamID})
		}
		list[at].Content = append(list[at].Content, data.Data()...)
	}
}
