package inspect

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
)

// SavedMagic begins a file with a registry.
const SavedMagic = "clearspan registered 1\n\x00"

var errSaved = errors.New("it is no file of registered data, or damaged")

// savedHead is what a file says before its hashes.
type savedHead struct {
	Key       sipKey   `json:"key"`
	Pairs     []byte   `json:"pairs"`
	Shapes    []byte   `json:"shapes"`
	Documents []string `json:"documents"` // titles
	Cells     int      `json:"cells"`
	Passages  int      `json:"passages"`
}

// maxHead bounds the octets of a head.
const maxHead = 64 << 20

// Save writes a registry: hashes, their key, and titles of documents. Its names are not in it.
func (g *Registry) Save(to io.Writer) error {
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(to, sum), 64<<10)
	head := savedHead{Key: g.key, Pairs: g.pairs.octets(), Shapes: g.shapes.octets(), Cells: g.cells.n, Passages: g.passages.n}
	for _, d := range g.documents {
		head.Documents = append(head.Documents, d.title)
	}
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	w.WriteString(SavedMagic)
	w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
	w.Write(text)
	g.cells.save(w)
	g.passages.save(w)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = to.Write(sum.Sum(nil))
	return err
}

// Load reads a registry that was saved. All in it has one name.
func Load(name string, from io.Reader) (*Registry, error) {
	in := &summed{bufio.NewReaderSize(from, 64<<10), sha256.New()}
	begin := make([]byte, len(SavedMagic)+4)
	if _, err := io.ReadFull(in, begin); err != nil || string(begin[:len(SavedMagic)]) != SavedMagic {
		return nil, errSaved
	}
	size := binary.BigEndian.Uint32(begin[len(SavedMagic):])
	var text bytes.Buffer
	if _, err := io.CopyN(&text, in, int64(min(size, maxHead))); err != nil {
		return nil, errSaved
	}
	var head savedHead
	if err := json.Unmarshal(text.Bytes(), &head); err != nil || size > maxHead {
		return nil, errSaved
	}
	if head.Cells > maxCells || head.Passages > maxPassages || len(head.Documents) > maxDocuments {
		return nil, errFull
	}
	g := &Registry{key: head.Key, names: []string{name}}
	for _, title := range head.Documents {
		g.documents = append(g.documents, document{title: title})
	}
	if !g.pairs.set8(head.Pairs) || !g.shapes.set8(head.Shapes) || !g.cells.load(in, head.Cells, 1) || !g.passages.load(in, head.Passages, len(g.documents)) {
		return nil, errSaved
	}
	var sum [sha256.Size]byte
	if _, err := io.ReadFull(in.Reader, sum[:]); err != nil || sum != [sha256.Size]byte(in.sum.Sum(nil)) {
		return nil, errSaved
	}
	return g, nil
}

// summed hashes what is read.
type summed struct {
	*bufio.Reader
	sum hash.Hash
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.sum.Write(p[:n])
	return n, err
}

const entry = 10 // octets: a hash, and its number

// save writes all hashes with their numbers.
func (h *hashes) save(w *bufio.Writer) {
	for i, k := range h.keys {
		if k != 0 {
			w.Write(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(nil, k), h.values[i]))
		}
	}
}

// load reads n hashes, whose numbers are below a limit.
func (h *hashes) load(r io.Reader, n, limit int) bool {
	var p [entry]byte
	for range n {
		if _, err := io.ReadFull(r, p[:]); err != nil {
			return false
		}
		v := binary.BigEndian.Uint16(p[8:])
		if int(v) >= limit {
			return false
		}
		h.put(binary.BigEndian.Uint64(p[:]), v)
	}
	return true
}

func (b *bits16) octets() (p []byte) {
	for _, v := range b {
		p = binary.BigEndian.AppendUint64(p, v)
	}
	return p
}

// set8 sets all by what octets returned.
func (b *bits16) set8(p []byte) bool {
	if len(p) != 8*len(b) {
		return false
	}
	for i := range b {
		b[i] = binary.BigEndian.Uint64(p[8*i:])
	}
	return true
}

// String says how much is registered.
func (g *Registry) String() string {
	return fmt.Sprintf("%d cells, %d documents", g.cells.n, len(g.documents))
}
