package extractor

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
)

// Kinds of packets.
const (
	kindPart   = 'h' // a part of a request: more follows
	kindFile   = 'f' // the end of a request; the file goes with it
	kindPiece  = 'p' // a piece of a text: more follows
	kindText   = 't' // the end of a text
	kindMember = 'm'
	kindNote   = 'n'
	kindLabel  = 'l'
	kindDone   = 'd' // with the error, if there is one
	kindEnded  = 'e' // of the warden: the reader has ended
)

const (
	maxPacket  = 64 << 10
	maxRequest = 16 << 20
	maxPlace   = 16 << 10
)

// request is what the reader is told of a file.
type request struct {
	Number uint32       `json:"number"` // is in all packets of the answer
	Size   int64        `json:"size"`
	Hint   extract.Hint `json:"hint"`
}

// about is what belongs to a member, a note or a label.
type about struct {
	Place string `json:"place"`
	Text  string `json:"text,omitempty"`
	Note  string `json:"note,omitempty"`
	Hash  []byte `json:"hash,omitempty"`
	Size  uint64 `json:"size,omitempty"`
}

// errMalformed says that the reader does not keep to the form.
var errMalformed = errors.New("the extractor sent a message that has no meaning")

// head is what a packet of an answer begins with: the kind, and the number of the request.
const head = 5

func appendHead(p []byte, kind byte, number uint32) []byte {
	return binary.BigEndian.AppendUint32(append(p, kind), number)
}

// appendPlace appends the length of the place of a text, and the place.
func appendPlace(p []byte, place string) []byte {
	p = binary.BigEndian.AppendUint16(p, uint16(len(place)))
	return append(p, place...)
}

// cutText returns the parts of a piece of text.
func cutText(p []byte) (place string, text []byte, err error) {
	if len(p) < 2 {
		return "", nil, errMalformed
	}
	n := int(binary.BigEndian.Uint16(p))
	if len(p) < 2+n {
		return "", nil, errMalformed
	}
	return string(p[2 : 2+n]), p[2+n:], nil
}

// parseAbout reads what belongs to a member, a note or a label.
func parseAbout(p []byte) (a about, err error) {
	if err := json.Unmarshal(p, &a); err != nil {
		return a, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return a, nil
}
