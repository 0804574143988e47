package publish

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// maxCoded is the longest address that is worth a code: cameras read longer ones badly.
const maxCoded = 100 // octets

// quiet is the white margin that readers need, in modules (ISO/IEC 18004, Section 6.3.8).
const quiet = 4

// code is a QR code as a path of SVG. One unit is a module.
type code struct {
	Side int    // with the margin
	Path string // of the dark modules
}

// newCode returns the code of an address, nil if there is none.
func newCode(address string) *code {
	if len(address) > maxCoded {
		return nil
	}
	q, err := qr.Encode(address, qr.M)
	if err != nil {
		return nil
	}
	var path strings.Builder
	for y := range q.Size {
		for x := 0; x < q.Size; x++ {
			begin := x
			for q.Black(x, y) { // outside all is white
				x++
			}
			if x > begin {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", begin+quiet, y+quiet, x-begin, x-begin)
			}
		}
	}
	return &code{q.Size + 2*quiet, path.String()}
}
