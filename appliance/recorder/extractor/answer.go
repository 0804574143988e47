package extractor

import (
	"errors"
	"slices"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
)

// Bounds of what a reader says of one file. A reader that keeps to package extract stays below.
const (
	maxText    = 65 << 20
	maxMembers = 20_000
	maxNotes   = 100_000
)

// answer hands what a reader says of one file to its handler.
type answer struct {
	h              Handler
	text           []byte // pieces of the one that is under way
	octets         int
	members, notes int
}

// take takes a packet, and reports whether it was the last one, and the error that it tells.
func (a *answer) take(kind byte, p []byte) (done bool, err error) {
	switch kind {
	case kindDone:
		if len(p) > 0 {
			return true, errors.New(string(p))
		}
		return true, nil
	case kindPiece, kindText:
		return false, a.piece(kind, p)
	}
	x, err := parseAbout(p)
	if err != nil {
		return false, err
	}
	if a.notes++; a.notes > maxNotes {
		return false, errMalformed
	}
	switch kind {
	case kindMember:
		if a.members++; len(x.Hash) != 32 || a.members > maxMembers {
			return false, errMalformed
		}
		a.h.Hashed(x.Place, [32]byte(x.Hash), x.Size)
	case kindNote:
		a.h.Note(x.Place, extract.Note(x.Note), x.Text)
	case kindLabel:
		a.h.Label(x.Place, x.Text)
	default:
		return false, errMalformed
	}
	return false, nil
}

// piece takes a piece of text.
func (a *answer) piece(kind byte, p []byte) error {
	place, text, err := cutText(p)
	if err != nil {
		return err
	}
	if a.octets += len(text); a.octets > maxText {
		return errMalformed
	}
	if kind == kindPiece {
		a.text = append(slices.Grow(a.text, len(text)), text...)
		return nil
	}
	if len(a.text) > 0 {
		text = append(a.text, text...)
		a.text = text[:0]
	}
	a.h.Text(place, text)
	return nil
}
