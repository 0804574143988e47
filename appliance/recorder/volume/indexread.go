package volume

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"slices"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/flow"
)

// Indexed is a session of an index.
type Indexed struct {
	Key         flow.Key
	First, Last time.Time // in whole microseconds; zero: its packets have none
}

// picked are the pages to be read, in order.
type picked struct {
	links  []uint16
	starts []int64 // offset of the first packet in each
	page   int64   // that is read
}

// maxIndex bounds an index, in octets.
const maxIndex = 1 << 30

// pick reads the index of a volume, and returns the pages with sessions that are wanted. It
// fails if there is none, or none of the volume.
func pick(dir string, s *Summary, want func(*Indexed) bool) (*picked, error) {
	name := path(dir, s.Number) + indexName
	if i, err := os.Stat(name); err != nil || i.Size() > maxIndex {
		return nil, errIndex
	}
	p, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return parseIndex(p, s, want)
}

// parseIndex reads an index.
func parseIndex(p []byte, s *Summary, want func(*Indexed) bool) (*picked, error) {
	sum, err := hex.DecodeString(s.SHA256)
	if err != nil || len(p) < len(indexMagic)+len(sum)+4 || string(p[:len(indexMagic)]) != indexMagic || len(sum) == 0 {
		return nil, errIndex
	}
	body := p[:len(p)-4]
	if sumOfIndex(body) != le.Uint32(p[len(body):]) {
		return nil, errIndex
	}
	in := &indexInput{p: body[len(indexMagic):]}
	if string(in.octets(uint64(len(sum)))) != string(sum) {
		return nil, errIndex
	}
	k := &picked{}
	for n := in.count(); n > 0 && !in.bad; n-- {
		k.links = append(k.links, uint16(in.number()))
	}
	starts := make([]int16, in.count())
	for i := range starts {
		if v := in.number(); v <= 1<<pageBits>>2 {
			starts[i] = int16(v) - 1
		} else {
			in.bad = true
		}
	}
	taken := make([]bool, len(starts))
	in.pages(taken, true)
	in.sessions(taken, want)
	if in.bad || len(in.p) > 0 {
		return nil, errIndex
	}
	for page, yes := range taken {
		if yes && starts[page] >= 0 {
			k.starts = append(k.starts, int64(page)<<pageBits+int64(starts[page])<<2)
		}
	}
	return k, nil
}

// indexInput is what is left of an index. It reads zeros when that is not enough.
type indexInput struct {
	p   []byte
	bad bool
}

func (in *indexInput) number() uint64 {
	v, n := binary.Uvarint(in.p)
	if n <= 0 {
		in.bad = true
		return 0
	}
	in.p = in.p[n:]
	return v
}

// count returns how many things follow, each of an octet at least.
func (in *indexInput) count() uint64 {
	n := in.number()
	if n > uint64(len(in.p)) {
		in.bad = true
		return 0
	}
	return n
}

func (in *indexInput) octets(n uint64) []byte {
	if n > uint64(len(in.p)) {
		in.bad = true
		return nil
	}
	p := in.p[:n]
	in.p = in.p[n:]
	return p
}

// pages reads a list of pages, and notes them if they are wanted.
func (in *indexInput) pages(taken []bool, wanted bool) {
	list := pages{list: in.octets(in.count())}
	if !wanted {
		return
	}
	in.bad = in.bad || !list.each(func(page int64) {
		if page < int64(len(taken)) {
			taken[page] = true
		}
	})
}

// sessions reads the sessions, and notes the pages of those that are wanted.
func (in *indexInput) sessions(taken []bool, want func(*Indexed) bool) {
	var last []byte
	since := int64(0)
	for n := in.count(); n > 0 && !in.bad; n-- {
		kind := in.number()
		size := 36
		if kind&1 != 0 {
			size = 12
		}
		shared := int(in.number())
		if shared < 0 || shared > size || shared > 0 && len(last) != size {
			in.bad = true
			return
		}
		key := append(slices.Clone(last[:shared]), in.octets(uint64(size-shared))...)
		first := since + in.difference()
		since = first
		one := Indexed{First: microsAt(first), Last: microsAt(first + int64(in.number()))}
		if in.bad {
			return
		}
		last = key
		one.Key = expanded(key, kind)
		in.pages(taken, want(&one))
	}
}

func (in *indexInput) difference() int64 {
	v, n := binary.Varint(in.p)
	if n <= 0 {
		in.bad = true
		return 0
	}
	in.p = in.p[n:]
	return v
}

// expanded is the reverse of compact.
func expanded(p []byte, kind uint64) (k flow.Key) {
	if kind&1 == 0 {
		copy(k[:], p)
	} else {
		k[10], k[11], k[28], k[29] = 0xff, 0xff, 0xff, 0xff
		copy(k[12:], p[:6])
		copy(k[30:], p[6:])
	}
	k[36] = byte(kind >> 1)
	return k
}

func microsAt(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n)
}
