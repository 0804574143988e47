package mirrortest

import (
	"bytes"
	"sync"

	"github.com/clearspan/clearspan/mirror"
)

// Recorder is a mirror.Sink that keeps a copy of every frame it takes. Its zero
// value has an MTU of 1500 and a reader; super-segments it takes only after
// [Recorder.SetSegmentLimit], and cuts them with [Cut]. It is safe for concurrent use.
type Recorder struct {
	// Fail, if set before the first Send, decides how many frames a Send takes
	// and why it refuses the rest. It is called with the recorder locked and
	// must keep to the contract of mirror.Sink, and of mirror.Segmenter: it may
	// advance the first frame that it refuses.
	Fail func(frames []mirror.Frame) (n int, err error)

	mu      sync.Mutex
	mtu     int
	limit   int
	idle    bool
	frames  [][]byte
	notes   []string
	batches []int
	refused int
}

// Send implements mirror.Sink.
func (r *Recorder) Send(frames []mirror.Frame) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := len(frames), error(nil)
	offered, segments := make([]mirror.Frame, len(frames)), 0
	for i, f := range frames {
		offered[i], offered[i].Header = f, bytes.Clone(f.Header)
		segments += f.Segments()
	}
	if r.Fail != nil {
		n, err = r.Fail(frames)
	}
	for i := range offered[:min(n+1, len(offered))] {
		cut := Cut(&offered[i])
		if i == n { // Fail may have advanced it
			cut = cut[:len(cut)-frames[i].Segments()]
		}
		for k, frame := range cut {
			note := ""
			if k == 0 {
				note = offered[i].Note
			}
			r.frames = append(r.frames, frame)
			r.notes = append(r.notes, note)
		}
		segments -= len(cut)
	}
	r.batches = append(r.batches, len(frames))
	r.refused += segments
	return n, err
}

// SegmentLimit implements mirror.Segmenter.
func (r *Recorder) SegmentLimit() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limit
}

// SetSegmentLimit changes the length of the longest super-segment, in octets
// of an IP packet; 0: none are taken.
func (r *Recorder) SetSegmentLimit(limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = limit
}

// MTU implements mirror.Sink.
func (r *Recorder) MTU() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mtu == 0 {
		return 1500
	}
	return r.mtu
}

// Idle implements mirror.Sink.
func (r *Recorder) Idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.idle
}

// SetMTU changes the MTU; 0 stands for 1500.
func (r *Recorder) SetMTU(mtu int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mtu = mtu
}

// SetIdle says whether nobody reads.
func (r *Recorder) SetIdle(idle bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = idle
}

// Frames returns the frames taken so far, in order. The caller may keep them.
func (r *Recorder) Frames() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.frames...)
}

// Notes returns the comment of each frame taken so far, mostly empty strings.
func (r *Recorder) Notes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.notes...)
}

// Batches returns how many frames each Send offered.
func (r *Recorder) Batches() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int(nil), r.batches...)
}

// Refused returns how many frames were offered and not taken.
func (r *Recorder) Refused() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}
