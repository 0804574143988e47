package volume

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"slices"
	"sync"
	"time"

	"filippo.io/age"
)

// Options say when a volume is complete. The zero value is usable.
type Options struct {
	Size int64         // octets; default 256 MiB, at most 1 TiB
	Age  time.Duration // default 1 h
	Log  func(error)   // told when the file system begins to say no; nil: nobody

	// Recipients can read the volumes, and nobody else; nil: anybody. Until [Writer.Forget],
	// readers of the writer can, too.
	Recipients []age.Recipient
}

// Frame is one frame that was captured. Its octets are borrowed.
type Frame struct {
	Octets  []byte
	Wire    int // octets on the wire
	At      time.Time
	Link    uint16
	Comment string
}

// Counts are of a writer.
type Counts struct {
	Stored, Dropped             uint64 // frames
	StoredOctets, DroppedOctets uint64
}

// Summary is what is known of a complete volume.
type Summary struct {
	Number  uint64    `json:"number"`
	Frames  uint64    `json:"frames"`
	Size    int64     `json:"size"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Dropped uint64    `json:"dropped"` // frames that could not be written while it was open
	SHA256  string    `json:"sha256"`
	Cut     bool      `json:"cut,omitempty"` // the process died while it was written

	Encrypted bool `json:"encrypted,omitempty"` // how many frames one has that was cut is not known
	Unread    bool `json:"unread,omitempty"`    // not all of it was analysed when its key was lost
}

// Writer appends frames. It is safe for concurrent use.
type Writer struct {
	dir string
	o   Options

	mu      sync.Mutex
	file    *os.File // nil: none is open
	number  uint64
	buffer  []byte
	flushed int64 // octets in the file
	links   []uint16
	sum     hash.Hash
	summary Summary
	index   *index // of the volume that is open; nil: it is built from the file
	opened  time.Time
	counts  Counts
	missed  uint64             // frames dropped while no volume was open
	waiting []Summary          // of volumes that could not be completed yet, in order
	sealed  *sealed            // the volume that is open, if it is encrypted
	keys    map[uint64]*sealed // of volumes that readers may not have read yet
	failing bool
	grown   chan struct{} // closed when more is there
	paused  bool          // frames are dropped
	closed  bool
}

// bufferSize is how many octets wait for a write.
const bufferSize = 1 << 20

// Open opens the volumes of a directory for writing. One process may.
func Open(dir string, o Options) (*Writer, error) {
	if o.Size <= 0 {
		o.Size = 256 << 20
	}
	o.Size = min(o.Size, 1<<offsetBits-maxBlock)
	if o.Age <= 0 {
		o.Age = time.Hour
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the volumes: %w", err)
	}
	w := &Writer{dir: dir, o: o, keys: make(map[uint64]*sealed), grown: make(chan struct{})}
	list, err := numbers(dir)
	if err != nil {
		return nil, fmt.Errorf("open the volumes: %w", err)
	}
	for _, v := range list {
		last := v.number
		switch {
		case v.whole:
		case v.encrypted:
			last, err = recoverSealed(dir, v.number)
		default:
			err = recoverVolume(dir, v.number)
		}
		if err != nil {
			return nil, fmt.Errorf("volume %d: %w", v.number, err)
		}
		w.number = max(w.number, last)
	}
	return w, nil
}

// Add appends a frame. If it cannot be stored, it is counted as dropped.
func (w *Writer) Add(f Frame) {
	key, ok := keyOf(f.Link, f.Octets)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if w.paused {
		w.drop(1, uint64(len(f.Octets)))
		return
	}
	if len(f.Octets) > maxBlock/2 {
		f.Octets = f.Octets[:maxBlock/2]
	}
	if len(f.Comment) > maxBlock/4 {
		f.Comment = ""
	}
	if w.file != nil && (w.flushed+int64(len(w.buffer)) >= w.o.Size || time.Since(w.opened) >= w.o.Age) {
		w.finish()
	}
	if w.file == nil && !w.begin() {
		w.drop(1, uint64(len(f.Octets)))
		return
	}
	at := w.append(&f)
	if w.index != nil {
		w.index.add(key, ok, at, f.At)
	}
	if len(w.buffer) >= bufferSize {
		w.flush()
	}
}

// begin begins a volume.
func (w *Writer) begin() bool {
	next := Summary{Number: w.number + 1, Encrypted: w.o.Recipients != nil}
	var key *sealed
	if next.Encrypted {
		var err error
		if key, err = w.newSealed(); err != nil {
			w.fail(err)
			return false
		}
	}
	f, err := os.OpenFile(next.path(w.dir)+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		w.fail(err)
		return false
	}
	w.number++
	if w.sealed = key; key != nil {
		w.keys[w.number] = key
	}
	w.file, w.flushed, w.links, w.sum, w.opened = f, 0, nil, sha256.New(), time.Now()
	w.summary, w.index = next, newIndex()
	w.summary.Dropped = w.missed
	w.missed = 0
	w.buffer = append(w.buffer[:0], header()...)
	return true
}

// append writes a frame to the buffer, and returns where it is in the cleartext.
func (w *Writer) append(f *Frame) (at int64) {
	i := slices.Index(w.links, f.Link)
	if i < 0 {
		i = len(w.links)
		w.links = append(w.links, f.Link)
		w.buffer = append(w.buffer, interfaceBlock(f.Link)...)
	}
	pad := -len(f.Octets) & 3
	size := packetHead + len(f.Octets) + pad + 4
	if f.Comment != "" {
		size += 4 + len(f.Comment) + (-len(f.Comment) & 3) + 4
	}
	p := w.buffer
	if at = w.flushed; w.sealed != nil {
		at = w.sealed.clear
	}
	at += int64(len(p))
	p = le.AppendUint32(p, blockPacket)
	p = le.AppendUint32(p, uint32(size))
	p = le.AppendUint32(p, uint32(i))
	since := uint64(0) // no time
	if !f.At.IsZero() {
		since = uint64(f.At.UnixNano())
	}
	p = le.AppendUint32(p, uint32(since>>32))
	p = le.AppendUint32(p, uint32(since))
	p = le.AppendUint32(p, uint32(len(f.Octets)))
	p = le.AppendUint32(p, uint32(max(f.Wire, len(f.Octets))))
	p = append(p, f.Octets...)
	p = append(p, make([]byte, pad)...)
	if f.Comment != "" {
		p = le.AppendUint16(p, 1) // opt_comment
		p = le.AppendUint16(p, uint16(len(f.Comment)))
		p = append(p, f.Comment...)
		p = append(p, make([]byte, -len(f.Comment)&3)...)
		p = le.AppendUint32(p, 0)
	}
	w.buffer = le.AppendUint32(p, uint32(size))
	w.summary.First, w.summary.Last = widened(w.summary.First, w.summary.Last, f.At)
	w.summary.Frames++
	w.counts.Stored++
	w.counts.StoredOctets += uint64(len(f.Octets))
	if s := w.sealed; s != nil {
		s.tail = append(s.tail, tailFrame{s.clear + int64(len(w.buffer)), uint64(len(f.Octets))})
	}
	return at
}

// flush writes the buffer. If that fails, the file is cut where it was whole, and what was in
// the buffer counts as dropped.
func (w *Writer) flush() bool {
	if w.file == nil || len(w.buffer) == 0 {
		return w.file != nil
	}
	if err := w.put(); err != nil {
		w.fail(err)
		w.lose()
		return false
	}
	w.buffer = w.buffer[:0]
	w.failing = false
	close(w.grown)
	w.grown = make(chan struct{})
	return true
}

// put writes the buffer to the file.
func (w *Writer) put() error {
	if w.sealed != nil {
		return w.putSealed()
	}
	if _, err := w.file.WriteAt(w.buffer, w.flushed); err != nil {
		return err
	}
	w.sum.Write(w.buffer)
	w.flushed += int64(len(w.buffer))
	return nil
}

// fail tells of the first of several failures.
func (w *Writer) fail(err error) {
	if !w.failing && w.o.Log != nil {
		w.o.Log(err)
	}
	w.failing = true
}

// Flush has all frames that were added be in the file.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
	w.saveTail()
	if w.file != nil && time.Since(w.opened) >= w.o.Age && w.summary.Frames > 0 {
		w.finish()
	}
	w.complete()
}

// Pause has frames be dropped, and counted, until it is called with false.
func (w *Writer) Pause(paused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = paused
}

// Counts returns what was stored and dropped since the writer was opened.
func (w *Writer) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts
}

// more returns a channel that is closed when there is more to read.
func (w *Writer) more() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.grown
}

// Close completes the volume that is open.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	if w.file != nil {
		w.finish()
	}
	w.complete()
	w.closed = true
	close(w.grown)
	if w.failing || len(w.waiting) > 0 {
		return errors.New("the last packets could not be written")
	}
	return nil
}
