package analyst

import (
	"encoding/binary"
	"errors"
)

// Cursor says how far frames of volumes were read. They are told by their marks.
type Cursor struct {
	From uint64 // the first frame of the sessions that are open
	To   uint64 // the first frame that was not read
}

// Cursor returns how far frames were read, if the next one has that mark.
func (a *Analyst) Cursor(next uint64) Cursor {
	c := Cursor{next, next}
	for s := range a.open {
		c.From = min(c.From, s.mark)
	}
	return c
}

// Bytes returns the cursor as a trail keeps it.
func (c Cursor) Bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, c.From), c.To)
}

// ParseCursor reads a cursor; none at all is the beginning.
func ParseCursor(p []byte) (c Cursor, err error) {
	if len(p) == 0 {
		return c, nil
	}
	if len(p) != 16 {
		return c, errors.New("the cursor of the trail is none of an analyst")
	}
	return Cursor{binary.BigEndian.Uint64(p), binary.BigEndian.Uint64(p[8:])}, nil
}
