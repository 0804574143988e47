package volume

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"slices"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
)

// pageBits says how large the pages of an index are: 4 KiB.
const pageBits = 12

// maxIndexed bounds the sessions of an index. The pages of others are always read.
const maxIndexed = 1 << 18

// index says in which pages of a volume the blocks of each session begin. It is built while
// the volume is written.
type index struct {
	links    []uint16
	starts   []int16 // of each page: the first packet that begins in it, in 4 octets; -1: none
	sessions map[flow.Key]*indexed
	limit    int
	rest     pages // of sessions beyond the bound
}

// indexed is a session.
type indexed struct {
	Key         flow.Key
	First, Last time.Time // of its packets; zero: they have none
	pages       pages
}

// pages is a list of pages, as the differences of their numbers.
type pages struct {
	last int64
	list []byte
}

// add adds a page, which is not before those that are there.
func (p *pages) add(page int64) {
	if page == p.last && len(p.list) > 0 {
		return
	}
	p.list = binary.AppendUvarint(p.list, uint64(page-p.last))
	p.last = page
}

// each calls f with all pages. It returns false if the list is damaged.
func (p *pages) each(f func(page int64)) bool {
	page := uint64(0)
	for list := p.list; len(list) > 0; {
		d, n := binary.Uvarint(list)
		if n <= 0 || d > 1<<offsetBits {
			return false
		}
		page += d
		list = list[n:]
		f(int64(page))
	}
	return true
}

func newIndex() *index { return &index{sessions: make(map[flow.Key]*indexed), limit: maxIndexed} }

// keyOf returns what the session of a frame is found by.
func keyOf(link uint16, octets []byte) (k flow.Key, ok bool) {
	if link == engine.LinkType {
		id, ok := engine.SessionOf(octets)
		return EngineKey(id), ok
	}
	return flow.KeyOf(link, octets)
}

// EngineKey returns the key of a session of an engine: those have names.
func EngineKey(id flow.ID) (k flow.Key) {
	copy(k[:], id[:])
	k[len(k)-1] = engine.LinkType
	return k
}

// EngineSession is the reverse of EngineKey. It returns false for other keys.
func EngineSession(k flow.Key) (id flow.ID, ok bool) {
	return flow.ID(k[:len(id)]), k[len(k)-1] == engine.LinkType
}

// add adds a packet at an offset of the cleartext.
func (x *index) add(key flow.Key, ok bool, offset int64, at time.Time) {
	page := offset >> pageBits
	for int64(len(x.starts)) < page {
		x.starts = append(x.starts, -1)
	}
	if int64(len(x.starts)) == page {
		x.starts = append(x.starts, int16(offset&(1<<pageBits-1)>>2))
	}
	if !ok {
		return
	}
	s := x.sessions[key]
	if s == nil {
		if len(x.sessions) >= x.limit {
			x.rest.add(page)
			return
		}
		s = &indexed{Key: key}
		x.sessions[key] = s
	}
	s.First, s.Last = widened(s.First, s.Last, at)
	s.pages.add(page)
}

// widened returns a span of times with one more in it. Clocks jump.
func widened(first, last, at time.Time) (time.Time, time.Time) {
	if at.IsZero() {
		return first, last
	}
	if first.IsZero() || at.Before(first) {
		first = at
	}
	if at.After(last) {
		last = at
	}
	return first, last
}

const (
	indexName  = ".index"
	indexMagic = "clearspan page index 1\n"
)

var (
	errIndex   = errors.New("the index is damaged, or of another volume")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// compact are the octets of a key of IPv4 that differ.
func compact(k *flow.Key) (p []byte, v4 bool) {
	const mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff"
	if string(k[:12]) != mapped || string(k[18:30]) != mapped {
		return k[:36], false
	}
	return append(append(make([]byte, 0, 12), k[12:18]...), k[30:36]...), true
}

// append writes the index of a volume.
func (x *index) append(p []byte, s *Summary) []byte {
	start := len(p)
	p = append(p, indexMagic...)
	sum, _ := hex.DecodeString(s.SHA256)
	p = append(p, sum...)
	p = binary.AppendUvarint(p, uint64(len(x.links)))
	for _, l := range x.links {
		p = binary.AppendUvarint(p, uint64(l))
	}
	p = binary.AppendUvarint(p, uint64(len(x.starts)))
	for _, at := range x.starts {
		p = binary.AppendUvarint(p, uint64(at+1))
	}
	p = binary.AppendUvarint(p, uint64(len(x.rest.list)))
	p = append(p, x.rest.list...)
	list := make([]*indexed, 0, len(x.sessions))
	for _, one := range x.sessions {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b *indexed) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	p = binary.AppendUvarint(p, uint64(len(list)))
	p = appendSessions(p, list)
	return le.AppendUint32(p, sumOfIndex(p[start:]))
}

// appendSessions writes sessions in order. Of each key, and of the first time, it writes what
// differs from the one before.
func appendSessions(p []byte, list []*indexed) []byte {
	var last []byte
	since := int64(0)
	for _, one := range list {
		key, v4 := compact(&one.Key)
		shared := 0
		for len(last) == len(key) && shared < len(key) && last[shared] == key[shared] {
			shared++
		}
		last = key
		kind := uint64(one.Key[36]) << 1
		if v4 {
			kind |= 1
		}
		p = binary.AppendUvarint(p, kind)
		p = append(p, byte(shared))
		p = append(p, key[shared:]...)
		first := micros(one.First)
		p = binary.AppendVarint(p, first-since)
		since = first
		p = binary.AppendUvarint(p, uint64(micros(one.Last)-first))
		p = binary.AppendUvarint(p, uint64(len(one.pages.list)))
		p = append(p, one.pages.list...)
	}
	return p
}

// micros returns a time in microseconds; 0: none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func sumOfIndex(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }
