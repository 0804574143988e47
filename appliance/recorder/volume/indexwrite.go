package volume

import (
	"errors"
	"io"
	"os"
)

// writeIndex writes the index of the volume that is open, which is complete. A volume without
// one is read whole.
func (w *Writer) writeIndex(s *Summary) {
	x := w.index
	if x == nil && w.sealed == nil { // frames were lost behind what is in the file
		if in, err := os.Open(w.file.Name()); err == nil {
			x, _, _ = indexOf(in, &Summary{})
			in.Close()
		}
	}
	if w.index = nil; x == nil {
		return
	}
	if x.links == nil {
		x.links = w.links
	}
	storeIndex(w.dir, x, s)
}

// storeIndex writes an index. It need not be on the disk: one that is torn is not used.
func storeIndex(dir string, x *index, s *Summary) {
	name := path(dir, s.Number) + indexName
	if err := os.WriteFile(name, x.append(nil, s), 0o600); err != nil {
		os.Remove(name)
	}
}

// indexOf reads cleartext up to its end, or to a block that is torn. It adds to the summary
// what it has, and returns where it ended.
func indexOf(in io.ReaderAt, s *Summary) (x *index, end int64, err error) {
	x = newIndex()
	b := newBlocks(in, 0)
	for {
		k, err := b.next()
		if errors.Is(err, io.EOF) {
			return x, b.offset, nil
		}
		if err != nil {
			return x, b.offset, err
		}
		switch k.kind {
		case blockInterface:
			x.links = append(x.links, le.Uint16(k.octets[8:]))
		case blockPacket:
			n := int(le.Uint32(k.octets[20:]))
			link := uint16(1)
			if i := int(le.Uint32(k.octets[8:])); i < len(x.links) {
				link = x.links[i]
			}
			key, ok := keyOf(link, k.octets[packetHead:packetHead+n])
			x.add(key, ok, k.offset, k.at())
			s.First, s.Last = widened(s.First, s.Last, k.at())
			s.Frames++
		}
	}
}

// CheckIndex compares the index of a complete volume with its packets, if there is one and
// the volume is not encrypted.
func CheckIndex(dir string, s *Summary) error {
	have, err := os.ReadFile(path(dir, s.Number) + indexName)
	if err != nil || s.Encrypted {
		return ignoreMissing(err)
	}
	f, err := os.Open(s.path(dir))
	if err != nil {
		return err
	}
	defer f.Close()
	x, _, err := indexOf(f, &Summary{})
	if err != nil {
		return err
	}
	if string(x.append(nil, s)) != string(have) {
		return errIndex
	}
	return nil
}
