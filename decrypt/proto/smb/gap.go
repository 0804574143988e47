package smb

import (
	"bytes"
	"encoding/binary"
)

// Gap says that n octets are lost. It returns how many of them were content of the message
// at hand, and whether messages may be lost.
func (r *Reader) Gap(n uint64) (content uint64, missed bool) {
	if r.place == within {
		for n > 0 && r.place == within {
			part := min(n, r.message)
			switch {
			case r.before > 0:
				part = min(n, r.before)
				r.before -= part
			case r.content > 0:
				part = min(n, r.content)
				r.content -= part
				content += part
			}
			n -= part
			r.message -= part
			r.left -= part
			r.next()
		}
		if n == 0 {
			return content, false
		}
	}
	switch held := uint64(len(r.held)); {
	case r.place == lost:
		r.held = nil
	case r.place == atHead && n <= r.left-held:
		r.left -= held + n
		r.skip()
	default:
		r.Seek()
	}
	return content, true
}

// seek looks for the beginning of a packet, and returns how many octets of p are before it.
func (r *Reader) seek(p []byte) int {
	carried := len(r.held)
	b := append(r.held, p...)
	for from := markAt; from < len(b); {
		i := bytes.Index(b[from:], mark)
		if i < 0 {
			break
		}
		i += from - markAt
		if len(b) < i+markSize {
			r.held = append(r.held[:0], b[i:]...)
			return len(p)
		}
		if b[i] == 0 && binary.BigEndian.Uint32(b[i:]) >= headSize && (b[i+lengthSize+16]&fromOrigin != 0) == r.Origin {
			r.enter(b[i:], carried-i)
			return max(i-carried, 0)
		}
		from = i + markAt + 1
	}
	r.held = append([]byte(nil), b[max(0, len(b)-markAt-len(mark)+1):]...)
	return len(p)
}

// enter reads on at the beginning of a packet, of which n octets are there already.
func (r *Reader) enter(b []byte, n int) {
	r.place, r.held = atLength, nil
	if n <= 0 {
		return
	}
	held := append([]byte(nil), b[:n]...)
	if n >= lengthSize {
		r.left = uint64(binary.BigEndian.Uint32(held) & 0xff_ffff)
		r.place, held = atHead, held[lengthSize:]
	}
	r.held = held
}
