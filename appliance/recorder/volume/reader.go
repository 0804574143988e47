package volume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/clearspan/clearspan/appliance/recorder/agefile"
)

// Reader reads frames in order, from a mark on. It is not safe for concurrent use.
type Reader struct {
	dir    string
	w      *Writer // that writes the volumes; nil: they are all there
	number uint64
	from   int64 // frames before it are passed over
	file   *os.File
	whole  bool
	blocks *blocks
	links  []uint16
	last   Mark              // behind the last frame
	skip   func(uint64) bool // nil: none
	want   func(*Indexed) bool
	picked *picked // nil: the volume is read whole
	octets int64   // read from volumes before this one

	identities []age.Identity
	encrypted  bool // the volume
}

// ErrDamaged says that a complete volume cannot be read on at some octet. The reader goes on
// with the next volume.
var ErrDamaged = errors.New("the volume is damaged")

// ErrLocked says that a volume is encrypted, and neither the writer nor an identity opens it.
// The reader goes on with the next volume.
var ErrLocked = agefile.ErrLocked

// NewReader returns a reader from a mark on. With a writer, [Reader.Next] waits for more.
func NewReader(dir string, w *Writer, from Mark) *Reader {
	return &Reader{dir: dir, w: w, number: from.Number(), from: from.Offset(), last: from}
}

// Number returns the number of the volume that is read, or comes next.
func (r *Reader) Number() uint64 { return r.number }

// Mark returns the place behind the last frame.
func (r *Reader) Mark() Mark { return r.last }

// Next returns the next frame, whose octets are valid until the next call, and its place. It
// returns io.EOF when there is no more: without a writer, or when that is closed. It returns
// the zero frame when wait has passed.
func (r *Reader) Next(ctx context.Context, wait time.Duration) (f Frame, at Mark, err error) {
	for {
		var more <-chan struct{}
		if r.w != nil {
			more = r.w.more() // before the look: nothing is missed
		}
		f, at, err = r.try()
		if err == nil || !errors.Is(err, io.EOF) {
			return f, at, err
		}
		if r.w == nil || r.w.ended() {
			if f, at, err = r.try(); err == nil || !errors.Is(err, io.EOF) {
				return f, at, err
			}
			return Frame{}, r.last, io.EOF
		}
		timer := time.NewTimer(wait)
		select {
		case <-more:
			timer.Stop()
		case <-timer.C:
			return Frame{}, r.last, nil
		case <-ctx.Done():
			timer.Stop()
			return Frame{}, r.last, ctx.Err()
		}
	}
}

// ended reports whether the writer is closed.
func (w *Writer) ended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// try returns the next frame that is there; io.EOF if there is none yet.
func (r *Reader) try() (Frame, Mark, error) {
	for {
		if r.file == nil {
			if err := r.open(); err != nil {
				return Frame{}, 0, err
			}
		}
		k, err := r.next()
		switch {
		case r.picked != nil && err != nil && !errors.Is(err, io.EOF):
			r.unpick()
			continue
		case errors.Is(err, agefile.ErrDamaged), errors.Is(err, errTorn) && r.whole:
			if err = r.damaged(err); err != nil {
				return Frame{}, 0, err
			}
			continue
		case errors.Is(err, io.EOF), errors.Is(err, errTorn):
			moved, err := r.turn()
			if err != nil {
				return Frame{}, 0, err
			}
			if !moved {
				return Frame{}, 0, io.EOF
			}
			continue
		case err != nil:
			return Frame{}, 0, fmt.Errorf("volume %d: %w", r.number, err)
		}
		switch k.kind {
		case blockInterface:
			if r.picked != nil {
				continue
			}
			r.links = append(r.links, le.Uint16(k.octets[8:]))
		case blockPacket:
			if k.offset < r.from {
				continue
			}
			r.last = markAt(r.number, r.blocks.offset)
			return r.frame(&k), markAt(r.number, k.offset), nil
		}
	}
}

// frame returns the frame of a block.
func (r *Reader) frame(k *block) Frame {
	p := k.octets
	n := int(le.Uint32(p[20:]))
	f := Frame{Octets: p[packetHead : packetHead+n], Wire: int(le.Uint32(p[24:])), At: k.at(), Link: 1}
	if i := int(le.Uint32(p[8:])); i < len(r.links) {
		f.Link = r.links[i]
	}
	options := p[packetHead+n+(-n&3) : max(len(p)-4, packetHead+n+(-n&3))]
	if len(options) >= 4 && le.Uint16(options) == 1 {
		if m := int(le.Uint16(options[2:])); m <= len(options)-4 {
			f.Comment = string(options[4 : 4+m])
		}
	}
	return f
}

// open opens the volume with the number, or the first one behind it.
func (r *Reader) open() error {
	list, err := numbers(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return io.EOF
	}
	if err != nil {
		return err
	}
	for _, v := range list {
		if v.number < r.number || r.skip != nil && r.skip(v.number) {
			continue
		}
		if v.number > r.number {
			r.number, r.from = v.number, 0
		}
		return r.use(v)
	}
	return io.EOF
}

// use opens the file of the volume.
func (r *Reader) use(v named) error {
	s := Summary{Number: r.number, Encrypted: v.encrypted}
	name := s.path(r.dir)
	if !v.whole {
		name += partial
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !v.whole { // it has become complete meanwhile
		v.whole = true
		f, err = os.Open(s.path(r.dir))
	}
	if err != nil {
		return err
	}
	var in io.ReaderAt = f
	if v.encrypted {
		if in, err = r.unlock(f); err != nil {
			f.Close()
			err = fmt.Errorf("volume %d: %w", r.number, err)
			r.leave()
			return err
		}
	}
	r.file, r.whole, r.encrypted, r.links = f, v.whole, v.encrypted, nil
	r.blocks = newBlocks(in, 0)
	r.pick()
	return nil
}

// damaged leaves a volume that cannot be read on. A block that is torn in one that is encrypted
// is no damage: all its octets are those that the writer wrote, which died.
func (r *Reader) damaged(why error) error {
	err := fmt.Errorf("volume %d, octet %d: %w", r.number, r.blocks.offset, ErrDamaged)
	if r.encrypted && errors.Is(why, errTorn) {
		err = nil
	}
	r.leave()
	return err
}

// turn goes to the next volume, at the end of one that is complete.
func (r *Reader) turn() (moved bool, err error) {
	if !r.whole {
		return r.grown()
	}
	r.leave()
	return true, r.open()
}

// leave leaves a volume for the next one.
func (r *Reader) leave() {
	if r.file != nil {
		r.octets += r.blocks.read
		r.file.Close()
		r.file = nil
	}
	r.number, r.from = r.number+1, 0
	r.last = markAt(r.number, 0)
}

// grown looks whether a volume that was not complete is now: then all that is in it can be
// read first. If its name is gone, nothing more comes either. The writer removes a volume of
// which it could write nothing, and the next has its number: that one is read instead.
func (r *Reader) grown() (moved bool, err error) {
	mine, err := r.file.Stat()
	if err != nil {
		return false, err
	}
	whole := strings.TrimSuffix(r.file.Name(), partial)
	now, err := os.Stat(whole)
	if err != nil {
		now, err = os.Stat(whole + partial)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return r.vanished(mine.Size())
		case err != nil || os.SameFile(mine, now):
			return false, err
		}
	}
	if os.SameFile(mine, now) {
		r.whole = true
		return true, nil
	}
	r.file.Close()
	r.file, r.from = nil, 0
	return true, r.open()
}

// vanished reports what a volume of some size is whose name is gone: complete if it has
// something, because retention removes only such ones, and otherwise to be begun again.
func (r *Reader) vanished(size int64) (moved bool, err error) {
	if size > 0 {
		r.whole = true
		return true, nil
	}
	r.file.Close()
	r.file = nil
	return true, r.open()
}

// Close closes the reader.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// Identify has the reader open volumes that are encrypted to one of the identities.
func (r *Reader) Identify(with []age.Identity) { r.identities = with }

// Skip has the reader pass over volumes.
func (r *Reader) Skip(skip func(number uint64) bool) { r.skip = skip }
