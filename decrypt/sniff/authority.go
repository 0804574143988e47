package sniff

import (
	"encoding/binary"

	"golang.org/x/net/http2/hpack"
)

// Frames of HTTP/2 that bear a header block, and their flags (RFC 9113, Section 6).
const (
	frameHeaders      = 1
	frameContinuation = 9

	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20

	http2Preface     = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	frameHeader      = 9 // octets
	dynamicTableSize = 4096
)

// Authority is [Host] for the beginning of an HTTP/2 connection: the :authority of
// its first request, else its host field (RFC 9113, Section 8.3.1). Two that differ
// leave it in doubt.
func Authority(b []byte) (host string, ok, more bool) {
	short := len(b) < hostLimit
	b = b[:min(len(b), hostLimit)]
	switch prefix(b, http2Preface) {
	case maybe:
		return "", false, short
	case no:
		return "", false, false
	}
	block, sound, whole := headerBlock(b[len(http2Preface):])
	if !whole || !sound {
		return "", false, short && !whole
	}
	var values [2]string // of :authority and host
	doubt := false
	d := hpack.NewDecoder(dynamicTableSize, func(f hpack.HeaderField) {
		at := 0
		switch f.Name {
		case ":authority":
		case "host":
			at = 1
		default:
			return
		}
		doubt = doubt || values[at] != "" && values[at] != f.Value
		values[at] = f.Value
	})
	d.SetMaxStringLength(hostLimit)
	if _, err := d.Write(block); err != nil || d.Close() != nil {
		return "", false, false
	}
	if values[0] == "" {
		values[0] = values[1]
	}
	if doubt || values[1] != "" && values[1] != values[0] {
		return "", false, false
	}
	host, ok = hostname([]byte(values[0]))
	return host, ok, false
}

// headerBlock returns the first header block in b, which begins with a frame, and
// whether all of it is there. sound is false for frames that cannot hold one.
func headerBlock(b []byte) (block []byte, sound, whole bool) {
	begun := false
	for len(b) >= frameHeader {
		size := int(binary.BigEndian.Uint32(b)) >> 8
		kind, flags := b[3], b[4]
		if begun && kind != frameContinuation {
			return nil, false, true
		}
		b = b[frameHeader:]
		if kind != frameHeaders && kind != frameContinuation {
			if size > len(b) {
				return nil, true, false
			}
			b = b[size:]
			continue
		}
		if size > len(b) {
			return nil, true, false
		}
		payload := b[:size]
		b = b[size:]
		switch {
		case kind == frameHeaders:
			if payload, sound = fragment(payload, flags); !sound {
				return nil, false, true
			}
		case !begun:
			return nil, false, true
		}
		begun = true
		block = append(block, payload...)
		if flags&flagEndHeaders != 0 {
			return block, true, true
		}
	}
	return nil, true, false
}

// fragment takes padding and priority off a HEADERS frame's payload.
func fragment(p []byte, flags byte) (fragment []byte, sound bool) {
	padding := 0
	if flags&flagPadded != 0 {
		if len(p) == 0 {
			return nil, false
		}
		padding, p = int(p[0]), p[1:]
	}
	if flags&flagPriority != 0 {
		if len(p) < 5 {
			return nil, false
		}
		p = p[5:]
	}
	if padding > len(p) {
		return nil, false
	}
	return p[:len(p)-padding], true
}
