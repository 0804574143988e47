package volume

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
)

// lose drops the frames of the buffer that could not be written, and ends the volume without them. One of which nothing
// could be written is removed, and the next has its number.
func (w *Writer) lose() {
	frames, octets := uint64(0), uint64(0)
	for p := w.buffer; len(p) >= 8 && w.sealed == nil; { // else they are in its tail
		size := le.Uint32(p[4:])
		if le.Uint32(p) == blockPacket {
			frames++
			octets += uint64(le.Uint32(p[20:]))
		}
		p = p[size:]
	}
	w.unstore(frames, octets)
	w.index = nil
	w.buffer = w.buffer[:0]
	if w.sealed != nil {
		w.loseTail()
	} else {
		w.file.Truncate(w.flushed)
	}
	if w.flushed == 0 {
		w.file.Close()
		os.Remove(w.summary.path(w.dir) + partial)
		if w.sealed != nil {
			w.sealed.removeTail()
		}
		delete(w.keys, w.number)
		w.file, w.sealed = nil, nil
		w.number--
		w.missed = w.summary.Dropped
		return
	}
	w.finish()
}

// unstore counts frames as dropped that were counted as stored.
func (w *Writer) unstore(frames, octets uint64) {
	w.counts.Stored -= frames
	w.counts.StoredOctets -= octets
	w.summary.Frames -= frames
	w.drop(frames, octets)
}

// drop counts frames that are not stored: in the volume that is open, or else in the next.
func (w *Writer) drop(frames, octets uint64) {
	w.counts.Dropped += frames
	w.counts.DroppedOctets += octets
	if w.file == nil {
		w.missed += frames
		return
	}
	w.summary.Dropped += frames
}

// finish completes the volume that is open.
func (w *Writer) finish() {
	if !w.flush() {
		return
	}
	if w.sealed != nil {
		w.endSealed()
	}
	s := w.summary
	s.Size, s.SHA256 = w.flushed, hex.EncodeToString(w.sum.Sum(nil))
	w.writeIndex(&s)
	err := errors.Join(w.file.Sync(), w.file.Close())
	w.file, w.sealed = nil, nil
	if err != nil {
		w.fail(err)
	}
	w.waiting = append(w.waiting, s)
	w.complete()
}

// complete gives the volumes that wait for it their summaries and names, in order: readers
// and the chain of evidence take them so.
func (w *Writer) complete() {
	for len(w.waiting) > 0 {
		if err := seal(w.dir, &w.waiting[0]); err != nil {
			w.fail(err)
			return
		}
		w.waiting = w.waiting[1:]
		w.failing = false
		close(w.grown)
		w.grown = make(chan struct{})
	}
}

// seal writes the summary of a volume, and gives it its name. Both are there for good when it
// returns.
func seal(dir string, s *Summary) error { return sealAs(s.path(dir)+partial, dir, s) }

// sealAs is seal of a file that has another name.
func sealAs(file, dir string, s *Summary) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := writeSynced(path(dir, s.Number)+summary, append(text, '\n')); err != nil {
		return err
	}
	if err := os.Rename(file, s.path(dir)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeSynced writes a file whose octets are on the disk when it returns.
func writeSynced(name string, p []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(p)
	return errors.Join(err, f.Sync(), f.Close())
}
