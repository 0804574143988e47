package trail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// headSize is how many octets of the first line tell files apart: they hold a time to the
// nanosecond, and the random identifier of a session.
const headSize = 256

// source is one file of a trail, while it is read. A nil source has no identity, and may
// be closed.
type source struct {
	f    *os.File
	z    *zstd.Decoder // nil: the file is not compressed
	name string        // of an ended file, without directory; "" of the one that lines are written to
	id   string        // "" as long as there is no line
}

func openSource(path, name string) (*source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &source{f: f, name: name}
	if strings.HasSuffix(name, compressed) {
		if s.z, err = decoder(f); err != nil {
			f.Close()
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return s, nil
}

// decoder reads in the caller's goroutine.
func decoder(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
}

// Read implements [io.Reader].
func (s *source) Read(p []byte) (int, error) {
	if s.z != nil {
		return s.z.Read(p)
	}
	return s.f.Read(p)
}

// identity returns what tells the file from others, "" if it has no line yet.
func (s *source) identity() string {
	switch {
	case s == nil:
		return ""
	case s.id != "":
		return s.id
	}
	head := make([]byte, headSize)
	n := 0
	if s.z == nil {
		n, _ = s.f.ReadAt(head, 0)
	} else if z, err := decoder(io.NewSectionReader(s.f, 0, math.MaxInt64)); err == nil {
		n, _ = io.ReadFull(z, head)
		z.Close()
	}
	if end := bytes.IndexByte(head[:n], '\n'); end >= 0 {
		n = end
	} else if n < headSize {
		return ""
	}
	sum := sha256.Sum256(head[:n])
	s.id = hex.EncodeToString(sum[:12])
	return s.id
}

// skip passes over octets from the start of the file.
func (s *source) skip(octets int64) error {
	if s.z == nil {
		if info, err := s.f.Stat(); err != nil || info.Size() < octets {
			return fmt.Errorf("read %s: it is shorter than it was", s.f.Name())
		}
		_, err := s.f.Seek(octets, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, s.z, octets)
	return err
}

// rewind goes back to the start of the file.
func (s *source) rewind() error {
	if _, err := s.f.Seek(0, io.SeekStart); err != nil || s.z == nil {
		return err
	}
	return s.z.Reset(s.f)
}

// isAt reports whether path is the name of the file.
func (s *source) isAt(path string) (bool, error) {
	named, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	own, err := s.f.Stat()
	return err == nil && os.SameFile(own, named), err
}

// same reports whether o is the same file.
func (s *source) same(o *source) bool {
	a, err := s.f.Stat()
	if err != nil {
		return false
	}
	b, err := o.f.Stat()
	return err == nil && os.SameFile(a, b)
}

// shrunk reports whether the file is shorter than what was read of it.
func (s *source) shrunk(read int64) bool {
	info, err := s.f.Stat()
	return err == nil && info.Size() < read
}

// among returns which of the ended files of the trail it is, -1 for none.
func (s *source) among(path string, names []string) int {
	for i := len(names) - 1; i >= 0; i-- {
		name := names[i]
		if s.name != "" {
			if strings.TrimSuffix(s.name, compressed) == strings.TrimSuffix(name, compressed) {
				return i
			}
			continue
		}
		if !strings.HasSuffix(name, compressed) {
			if same, err := s.isAt(filepath.Join(filepath.Dir(path), name)); err == nil && same {
				return i
			}
			continue
		}
		if o, err := openEnded(path, name); err == nil {
			same := s.identity() != "" && o.identity() == s.identity()
			o.close()
			if same {
				return i
			}
		}
	}
	return -1
}

func (s *source) close() {
	if s == nil {
		return
	}
	if s.z != nil {
		s.z.Close()
	}
	s.f.Close()
}
