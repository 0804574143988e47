package volume

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"github.com/clearspan/clearspan/appliance/recorder/agefile"
)

// sealed is a volume that is an age file. Its last chunk always is [ending]: that one stands
// behind the whole chunks at any time, and is overwritten by the next ones. So the file can
// be read by age whenever its writer dies, and no chunk is ever sealed twice with different
// octets.
type sealed struct {
	key      *agefile.Key
	stream   *agefile.Stream // nil: complete
	header   bool            // it is in the file
	tail     []tailFrame     // frames that end in no whole chunk
	clear    int64           // octets of cleartext that were handed over
	failed   bool            // a write was refused: nothing but the end follows
	rest     []byte          // blocks that end in no whole chunk
	restFrom int64           // where they begin in the cleartext
	saved    int64           // what of the cleartext was saved in a tail, see saveTail
	tailFile string          // "": none
	out      []byte

	// Under the lock of the writer, and read by readers.
	chunks  uint64 // in the file
	pending []byte // cleartext behind them
}

// tailFrame is where a frame ends in the cleartext.
type tailFrame struct {
	end    int64
	octets uint64
}

// blockFill is a block of a type for local use, which readers pass over.
const blockFill = 0x80000f11

// fill appends a block of a size that is a multiple of 4, and at least 12.
func fill(p []byte, size int) []byte {
	p = le.AppendUint32(p, blockFill)
	p = le.AppendUint32(p, uint32(size))
	p = append(p, make([]byte, size-12)...)
	return le.AppendUint32(p, uint32(size))
}

// ending is the cleartext of the last chunk.
var ending = fill(nil, 16)

// newSealed begins a volume that is encrypted.
func (w *Writer) newSealed() (*sealed, error) {
	k, err := agefile.NewKey(w.o.Recipients)
	if err != nil {
		return nil, err
	}
	return &sealed{key: k, stream: agefile.NewStream(k)}, nil
}

// encode returns octets for the file, and where they belong. The last of them are the chunk
// that ends the file.
func (s *sealed) encode(p []byte) (out []byte, at int64, end int) {
	at = s.stream.Offset()
	s.out = s.out[:0]
	if !s.header {
		at = 0
		s.out = append(s.out, s.key.Header()...)
	}
	s.out = s.stream.Append(s.out, p)
	s.out = s.stream.Full(s.out)
	end = len(s.out)
	s.out = s.key.Seal(s.out, ending, s.stream.Chunks(), true)
	return s.out, at, end
}

// putSealed writes the buffer of the writer.
func (w *Writer) putSealed() error {
	s := w.sealed
	chunks := s.stream.Chunks()
	out, at, end := s.encode(w.buffer)
	if s.header && s.stream.Chunks() == chunks { // the file stays as it is
		out, end = nil, 0
	}
	if _, err := w.file.WriteAt(out, at); err != nil {
		return err
	}
	s.header = true
	w.sum.Write(out[:end])
	w.flushed = s.stream.Offset() + int64(len(ending)+agefile.Overhead)
	s.clear += int64(len(w.buffer))
	s.chunks, s.pending = s.stream.Chunks(), append(s.pending[:0], s.stream.Pending()...)
	s.keepRest(w.buffer)
	for len(s.tail) > 0 && s.tail[0].end <= int64(s.chunks)*agefile.Chunk {
		s.tail = s.tail[1:]
	}
	return nil
}

// fillUp has the octets that wait be a whole chunk with those of the buffer.
func (w *Writer) fillUp() {
	rest := int((w.sealed.clear + int64(len(w.buffer))) % agefile.Chunk)
	if rest == 0 {
		return
	}
	size := agefile.Chunk - rest
	if size < 12 {
		size += agefile.Chunk
	}
	w.buffer = fill(w.buffer, size)
}

// endSealed writes what waits, and the end.
func (w *Writer) endSealed() {
	s := w.sealed
	if !s.failed {
		w.fillUp()
		if err := w.putSealed(); err != nil {
			w.fail(err)
			w.loseTail()
		}
		w.buffer = w.buffer[:0]
	}
	end := s.key.Seal(s.out[:0], ending, s.chunks, true)
	at := int64(len(s.key.Header())) + int64(s.chunks)*(agefile.Chunk+agefile.Overhead)
	w.flushed = at + int64(len(end))
	if s.failed {
		_, err := w.file.WriteAt(end, at)
		if err = errors.Join(err, w.file.Truncate(w.flushed)); err != nil {
			w.fail(err)
			end, w.flushed = nil, at
			w.file.Truncate(at)
		}
	}
	w.sum.Write(end)
	s.removeTail()
	s.stream, s.pending, s.out, s.tail, s.rest = nil, nil, nil, nil, nil
}

// loseTail drops the frames that are not in whole chunks: their chunk was sealed, but is not
// in the file, and must not be sealed again with other octets.
func (w *Writer) loseTail() {
	s := w.sealed
	octets := uint64(0)
	for _, f := range s.tail {
		octets += f.octets
	}
	w.unstore(uint64(len(s.tail)), octets)
	s.tail, s.failed, w.summary.Cut, w.index = nil, true, true, nil
}

// Forget forgets the keys of volumes in front of a mark: they can be read only by who has an
// identity from then on.
func (w *Writer) Forget(before Mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := range w.keys {
		if n < before.Number() {
			delete(w.keys, n)
		}
	}
}

// live reads the cleartext of a volume of a writer, also while it grows.
type live struct {
	w    *Writer
	s    *sealed
	file *os.File
}

// ReadAt implements [io.ReaderAt].
func (l *live) ReadAt(p []byte, at int64) (n int, err error) {
	l.w.mu.Lock()
	chunks, end := l.s.chunks, int64(l.s.chunks)*agefile.Chunk
	var tail []byte
	if at+int64(len(p)) > end {
		tail = append(tail, l.s.pending...)
	}
	l.w.mu.Unlock()
	if at < end {
		n, err = l.s.key.Growing(l.file, chunks).ReadAt(p, at)
		if n == len(p) || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
	}
	if from := at + int64(n) - end; from < int64(len(tail)) {
		n += copy(p[n:], tail[from:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// unlock returns what reads the cleartext of a file that is encrypted.
func (r *Reader) unlock(f *os.File) (io.ReaderAt, error) {
	if r.w != nil {
		r.w.mu.Lock()
		s := r.w.keys[r.number]
		r.w.mu.Unlock()
		if s != nil {
			return &live{r.w, s, f}, nil
		}
	}
	i, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return agefile.Open(f, i.Size(), r.identities)
}

// recoverSealed completes a volume whose writer died. It cannot be read: what is torn is cut
// off at a whole chunk, and how many frames there are is not known.
func recoverSealed(dir string, number uint64) (last uint64, err error) {
	s := Summary{Number: number, Cut: true, Encrypted: true}
	name := s.path(dir) + partial
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return number, err
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return number, err
	}
	const chunk = agefile.Chunk + agefile.Overhead
	head, err := agefile.HeaderSize(f)
	if err != nil || i.Size() < head+chunk {
		_, err := recoverTail(dir, number, 0, number) // no frame is in the other
		return number, errors.Join(err, os.Remove(name))
	}
	s.Last, s.Size = i.ModTime().UTC(), i.Size()
	if rest := (s.Size - head) % chunk; rest != int64(len(ending)+agefile.Overhead) {
		s.Size -= rest
	}
	if err := f.Truncate(s.Size); err != nil {
		return number, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, s.Size)); err != nil {
		return number, err
	}
	s.SHA256 = hex.EncodeToString(h.Sum(nil))
	if err := f.Sync(); err != nil {
		return number, err
	}
	is, err := recoverTail(dir, number, uint64((s.Size-head)/chunk), number+1)
	if last = number; is {
		last++
	}
	return last, errors.Join(err, seal(dir, &s))
}
