package object

import (
	"encoding/binary"
	"fmt"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// tnefFiles finds the files in a winmail.dat: Outlook's form of a mail message, [MS-OXTNEF].
// It is a list of attributes. One begins a file; others have its octets, its short name, and
// properties, of which one is its long name.
type tnefFiles struct {
	r      *reading
	parent int
	at     place
	number int

	state   tnefState
	need    uint64 // octets that the state still wants
	id      uint32 // of the attribute
	kept    []byte // octets of the state
	charset string
	file    *jsonFile // under way, or with octets and without a name
	short   string
	long    string
}

type tnefState uint8

const (
	tnefSignature tnefState = iota
	tnefHead                // level, number and length of an attribute
	tnefValue
	tnefSum
	tnefOver
)

// Attributes, [MS-OXTNEF] 2.1.3.3.
const (
	tnefMagic    = 0x223e9f78
	tnefCodepage = 0x00069007
	tnefRender   = 0x00069002 // begins a file
	tnefTitle    = 0x00018010
	tnefData     = 0x0006800f
	tnefProps    = 0x00069005
)

// maxTNEFValue bounds values that are read as a whole. Properties may have more: a name is
// near their beginning.
const maxTNEFValue = 64 << 10

func newTNEF(r *reading, parent int, at place) *tnefFiles {
	return &tnefFiles{r: r, parent: parent, at: at, need: 6}
}

func (t *tnefFiles) write(p []byte) {
	for len(p) > 0 && t.state != tnefOver {
		n := min(uint64(len(p)), t.need)
		t.take(p[:n])
		p, t.need = p[n:], t.need-n
		for t.need == 0 && t.state != tnefOver {
			t.next()
		}
	}
}

// take takes octets of the state.
func (t *tnefFiles) take(p []byte) {
	if t.state == tnefValue && t.id == tnefData {
		if t.file != nil {
			t.file.write(p)
		}
		return
	}
	t.kept = append(t.kept, p[:min(len(p), maxTNEFValue-len(t.kept))]...)
}

// next goes on behind the octets that the state wanted.
func (t *tnefFiles) next() {
	switch t.state {
	case tnefSignature:
		if binary.LittleEndian.Uint32(t.kept) != tnefMagic {
			t.state = tnefOver
			return
		}
		t.state, t.need = tnefHead, 9
	case tnefHead:
		t.id, t.need = binary.LittleEndian.Uint32(t.kept[1:]), uint64(binary.LittleEndian.Uint32(t.kept[5:]))
		t.state = tnefValue
		if t.id == tnefData {
			t.begin()
		}
	case tnefValue:
		t.value()
		t.state, t.need = tnefSum, 2
	case tnefSum:
		t.state, t.need = tnefHead, 9
	}
	t.kept = t.kept[:0]
}

// value reads the value of an attribute.
func (t *tnefFiles) value() {
	switch t.id {
	case tnefCodepage:
		if len(t.kept) >= 4 {
			t.charset = codepage(binary.LittleEndian.Uint32(t.kept))
		}
	case tnefRender:
		t.end(Complete)
	case tnefTitle:
		t.short = terminated(name.Decode(t.charset, t.kept))
	case tnefProps:
		t.long = longName(t.kept, t.charset)
	}
}

// begin begins a file, whose names may be behind it.
func (t *tnefFiles) begin() {
	if t.file != nil || t.number >= maxParts {
		return
	}
	t.number++
	t.r.objects++
	d := &Description{Number: t.r.objects, Parent: t.parent, Part: t.at.below(t.parent, t.number).path, Attached: true}
	w := t.r.sink.Begin(d)
	if w == nil {
		w = nowhere{}
	}
	t.file = &jsonFile{d: d, writer: w}
}

// end ends the file.
func (t *tnefFiles) end(e Ending) {
	if t.file != nil {
		t.file.close(e)
		t.file.end(firstOf(t.long, t.short))
	}
	t.file, t.long, t.short = nil, "", ""
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (t *tnefFiles) hole(n uint64) {
	if n < t.need && t.state == tnefValue && t.id == tnefData {
		if t.file != nil {
			t.file.hole(n)
		}
		t.need -= n
		return
	}
	t.end(Cut)
	t.state = tnefOver
}

func (t *tnefFiles) close(e Ending) {
	if t.state == tnefValue {
		e = max(e, Cut)
	}
	t.end(e)
}

// codepage is the charset with a number of Windows.
func codepage(n uint32) string {
	switch n {
	case 932:
		return "shift_jis"
	case 936:
		return "gbk"
	case 949:
		return "euc-kr"
	case 950:
		return "big5"
	case 65001:
		return "utf-8"
	}
	return fmt.Sprint("windows-", n)
}
