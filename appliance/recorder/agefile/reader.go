package agefile

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"filippo.io/age"
)

// Growing returns a reader of the first chunks of a file to which more are appended.
func (k *Key) Growing(file io.ReaderAt, chunks uint64) *Reader {
	return &Reader{key: k, file: file, chunks: chunks, size: int64(chunks) * Chunk}
}

// Reader reads the cleartext of a file that does not grow. It is safe for concurrent use.
type Reader struct {
	key    *Key
	file   io.ReaderAt
	chunks uint64 // the last one among them
	ended  bool   // the last one has its flag
	size   int64  // of the cleartext
	last   atomic.Pointer[chunkOf]
}

// chunkOf is the cleartext of a chunk of which only a part was asked for.
type chunkOf struct {
	number uint64
	clear  []byte
}

// NewReader returns a reader of a file of a size. A file that was cut off behind a chunk is
// read up to there, see [Reader.Cut].
func NewReader(file io.ReaderAt, size int64, k *Key) (*Reader, error) {
	r := &Reader{key: k, file: file}
	rest := size - int64(len(k.header))
	if rest <= 0 {
		return r, nil
	}
	r.chunks = uint64((rest + sealed - 1) / sealed)
	short := rest - int64(r.chunks-1)*sealed
	if short < Overhead {
		return nil, fmt.Errorf("chunk %d: %w", r.chunks-1, ErrDamaged)
	}
	r.size = int64(r.chunks-1)*Chunk + short - Overhead
	chunk := make([]byte, short)
	if _, err := file.ReadAt(chunk, size-short); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if _, err := k.open(nil, chunk, r.chunks-1, true); err == nil {
		r.ended = true
	} else if short < sealed {
		return nil, err
	}
	return r, nil
}

// Open returns a reader of a file, by an identity; [ErrLocked] if none opens it.
func Open(file io.ReaderAt, size int64, with []age.Identity) (*Reader, error) {
	k, err := Unlock(file, with)
	if err != nil {
		return nil, err
	}
	return NewReader(file, size, k)
}

// Size returns how many octets the cleartext has.
func (r *Reader) Size() int64 { return r.size }

// Cut reports whether the file ends without a last chunk.
func (r *Reader) Cut() bool { return !r.ended }

// ReadAt implements [io.ReaderAt].
func (r *Reader) ReadAt(p []byte, at int64) (n int, err error) {
	if at < 0 {
		return 0, errors.New("an offset is negative")
	}
	var buf []byte
	for n < len(p) {
		if at >= r.size {
			return n, io.EOF
		}
		number := uint64(at / Chunk)
		from := at % Chunk
		var clear []byte
		if c := r.last.Load(); c != nil && c.number == number {
			clear = c.clear
		} else {
			if buf == nil {
				buf = make([]byte, sealed)
			}
			if clear, err = r.chunk(buf, number); err != nil {
				return n, err
			}
		}
		m := copy(p[n:], clear[from:])
		n += m
		at += int64(m)
		if buf != nil && from+int64(m) < int64(len(clear)) { // the rest is asked for next, often
			r.last.Store(&chunkOf{number, clear})
			buf = nil
		}
	}
	return n, nil
}

// chunk returns the cleartext of a chunk, in buf.
func (r *Reader) chunk(buf []byte, number uint64) ([]byte, error) {
	size := min(r.size-int64(number)*Chunk, Chunk)
	chunk := buf[:size+Overhead]
	if m, err := r.file.ReadAt(chunk, int64(len(r.key.header))+int64(number)*sealed); m < len(chunk) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return r.key.open(chunk[:0], chunk, number, r.ended && number == r.chunks-1)
}
