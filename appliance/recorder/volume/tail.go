package volume

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/agefile"
)

// A volume that is encrypted has whole chunks only. What waits for the rest of a chunk lies in
// NUMBER.CHUNKS.tail beside it, a volume of its own: if the writer dies, it becomes the next
// one. CHUNKS is how many chunks the volume has: if it has more, all of the tail is in them.

func tailName(dir string, number, chunks uint64) string {
	return fmt.Sprintf("%s.%d.tail", path(dir, number), chunks)
}

// keepRest notes the blocks that end in no whole chunk. The buffer is in the volume now.
func (s *sealed) keepRest(buffer []byte) {
	end := int64(s.chunks) * agefile.Chunk
	behind := func(p []byte, from int64) ([]byte, int64) {
		for len(p) >= 8 {
			size := int64(le.Uint32(p[4:]))
			if from+size > end {
				break
			}
			p, from = p[size:], from+size
		}
		return p, from
	}
	rest, from := behind(s.rest, s.restFrom)
	if len(rest) == 0 {
		buffer, from = behind(buffer, from)
	}
	s.rest, s.restFrom = append(append(s.rest[:0], rest...), buffer...), from
}

// saveTail writes what waits for the rest of a chunk, if it has changed. It is a copy for a
// crash: that it cannot be written is no loss.
func (w *Writer) saveTail() {
	s := w.sealed
	if s == nil || s.failed || s.saved == s.clear {
		return
	}
	s.saved = s.clear
	if len(s.rest) == 0 {
		s.removeTail()
		return
	}
	k, err := agefile.NewKey(w.o.Recipients)
	if err != nil {
		return
	}
	p := header()
	for _, link := range w.links {
		p = append(p, interfaceBlock(link)...)
	}
	stream := agefile.NewStream(k)
	out := stream.Append(append([]byte(nil), k.Header()...), append(p, s.rest...))
	fresh, name := path(w.dir, w.number)+".tail"+partial, tailName(w.dir, w.number, s.chunks)
	if os.WriteFile(fresh, stream.End(out), 0o600) != nil || os.Rename(fresh, name) != nil {
		os.Remove(fresh)
		return
	}
	if s.tailFile != name {
		s.removeTail()
	}
	s.tailFile = name
}

// removeTail removes the tail.
func (s *sealed) removeTail() {
	if s.tailFile != "" {
		os.Remove(s.tailFile)
		s.tailFile = ""
	}
}

// recoverTail makes the tail of a volume with so many chunks the volume with the number as,
// and reports whether there was one.
func recoverTail(dir string, number, chunks, as uint64) (is bool, err error) {
	name := tailName(dir, number, chunks)
	all, err := filepath.Glob(path(dir, number) + ".*tail*")
	if err != nil {
		return false, err
	}
	for _, other := range all {
		if other != name {
			err = errors.Join(err, os.Remove(other))
		}
	}
	file, err2 := os.ReadFile(name)
	if errors.Is(err2, fs.ErrNotExist) {
		return false, err
	}
	if _, there := os.Lstat(File(dir, as)); there == nil {
		return false, err
	}
	if err = errors.Join(err, err2); err != nil {
		return false, err
	}
	sum := sha256.Sum256(file)
	s := Summary{Number: as, Size: int64(len(file)), SHA256: hex.EncodeToString(sum[:]), Last: time.Now().UTC(), Cut: true, Encrypted: true}
	return true, sealAs(name, dir, &s)
}
