package pcapng

import (
	"encoding/binary"
	"time"
)

// Interface statistics block, draft-ietf-opsawg-pcapng, Section 4.6.
const (
	blockStatistics = 5

	optionStartTime = 2
	optionEndTime   = 3
	optionReceived  = 4
	optionDropped   = 5

	statisticsSize = 12 + 12 + 4*(4+8) + 4 // octets
)

// statistics are what a file says at its end.
type statistics struct {
	start, end   time.Time
	frames, lost uint64 // in the file; since the end of the file before
}

// appendStatistics appends a block of interface 0, on which frames and lost ones
// were received together.
func appendStatistics(dst []byte, st statistics) []byte {
	le := binary.LittleEndian
	stamp := func(t time.Time) {
		nano := uint64(t.UnixNano())
		dst = le.AppendUint32(dst, uint32(nano>>32))
		dst = le.AppendUint32(dst, uint32(nano))
	}
	option := func(code uint16) {
		dst = le.AppendUint16(dst, code)
		dst = le.AppendUint16(dst, 8)
	}
	dst = le.AppendUint32(dst, blockStatistics)
	dst = le.AppendUint32(dst, statisticsSize)
	dst = le.AppendUint32(dst, 0)
	stamp(st.end)
	option(optionStartTime)
	stamp(st.start)
	option(optionEndTime)
	stamp(st.end)
	option(optionReceived)
	dst = le.AppendUint64(dst, st.frames+st.lost)
	option(optionDropped)
	dst = le.AppendUint64(dst, st.lost)
	dst = le.AppendUint32(dst, optionEnd)
	return le.AppendUint32(dst, statisticsSize)
}
