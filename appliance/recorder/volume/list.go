package volume

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// named is a volume by its name.
type named struct {
	number    uint64
	whole     bool
	encrypted bool
}

// numbers returns the volumes of a directory, in order.
func numbers(dir string) (list []named, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if v, ok := numberOf(e.Name()); ok {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b named) int { return cmp.Compare(a.number, b.number) })
	return list, nil
}

// List returns the complete volumes of a directory, in order.
func List(dir string) (list []Summary, err error) {
	all, err := numbers(dir)
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		if !v.whole {
			continue
		}
		s, err := readSummary(dir, v)
		if err != nil {
			return list, err
		}
		list = append(list, s)
	}
	return list, nil
}

// readSummary reads what is known of a complete volume.
func readSummary(dir string, v named) (Summary, error) {
	s := Summary{}
	text, err := os.ReadFile(path(dir, v.number) + summary)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	s.Number, s.Encrypted = v.number, v.encrypted
	return s, ignoreMissing(err)
}

// Name returns the name of the file of a complete volume.
func (s *Summary) Name() string { return filepath.Base(s.path("")) }

// path returns the file of a complete volume.
func (s *Summary) path(dir string) string {
	if s.Encrypted {
		return path(dir, s.Number) + complete + locked
	}
	return path(dir, s.Number) + complete
}

// File returns the file of a complete volume.
func File(dir string, number uint64) string {
	s := Summary{Number: number, Encrypted: true}
	if _, err := os.Lstat(s.path(dir)); err != nil {
		s.Encrypted = false
	}
	return s.path(dir)
}

// Unread notes that a complete volume was not analysed, and cannot be without an identity.
func Unread(dir string, number uint64) error {
	list, err := List(dir)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.Number != number || s.Unread {
			continue
		}
		s.Unread = true
		text, err := json.Marshal(&s)
		if err != nil {
			return err
		}
		return writeSynced(path(dir, number)+summary, append(text, '\n'))
	}
	return nil
}

// Remove removes a complete volume.
func Remove(dir string, number uint64) error {
	base := path(dir, number)
	return errors.Join(os.Remove(File(dir, number)), ignoreMissing(os.Remove(base+summary)), ignoreMissing(os.Remove(base+indexName)))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// recoverVolume completes a volume whose writer died: what is torn at its end is cut off.
func recoverVolume(dir string, number uint64) error {
	name := path(dir, number) + complete + partial
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	s := Summary{Number: number, Cut: true}
	x, end, err := indexOf(f, &s)
	if err != nil && !errors.Is(err, errTorn) {
		return err
	}
	if s.Size = end; s.Size == 0 {
		return os.Remove(name)
	}
	if err := f.Truncate(s.Size); err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, s.Size)); err != nil {
		return err
	}
	s.SHA256 = hex.EncodeToString(h.Sum(nil))
	if err := f.Sync(); err != nil {
		return err
	}
	storeIndex(dir, x, &s)
	return seal(dir, &s)
}

// block is one of a volume. Its octets are valid until the next one.
type block struct {
	kind   uint32
	offset int64
	octets []byte
}

// at returns the time of a packet.
func (k *block) at() time.Time {
	n := int64(uint64(le.Uint32(k.octets[12:]))<<32 | uint64(le.Uint32(k.octets[16:])))
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// blocks reads blocks from an offset on.
type blocks struct {
	r      io.ReaderAt
	offset int64 // of the next block
	buffer []byte
	from   int64 // where buffer is in the file
	ahead  int   // octets that are read at once; 0: the most
	read   int64 // octets that were
}

func newBlocks(r io.ReaderAt, offset int64) *blocks { return &blocks{r: r, offset: offset} }

// view returns n octets at the offset; errTorn if the file does not have them.
func (b *blocks) view(n int) ([]byte, error) {
	at := int(b.offset - b.from)
	if at >= 0 && at+n <= len(b.buffer) {
		return b.buffer[at : at+n], nil
	}
	if cap(b.buffer) < bufferSize+maxBlock {
		b.buffer = make([]byte, bufferSize+maxBlock)
	}
	want := cap(b.buffer)
	if b.ahead > 0 {
		want = min(want, max(n, b.ahead))
	}
	b.from = b.offset
	got, err := b.r.ReadAt(b.buffer[:want], b.offset)
	b.buffer = b.buffer[:got]
	b.read += int64(got)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case got == 0:
		return nil, io.EOF
	case got < n:
		return nil, errTorn
	}
	return b.buffer[:n], nil
}

// next returns the next block; io.EOF at the end of the file.
func (b *blocks) next() (k block, err error) {
	head, err := b.view(8)
	if err != nil {
		return k, err
	}
	kind, size := le.Uint32(head), int(le.Uint32(head[4:]))
	if size < 12 || size > maxBlock || size&3 != 0 || kind == blockPacket && size < packetHead+4 {
		return k, errTorn
	}
	p, err := b.view(size)
	if err == io.EOF {
		err = errTorn
	}
	if err != nil {
		return k, err
	}
	if int(le.Uint32(p[size-4:])) != size || kind == blockPacket && int(le.Uint32(p[20:])) > size-packetHead-4 {
		return k, errTorn
	}
	k = block{kind, b.offset, p}
	b.offset += int64(size)
	return k, nil
}
