package websocket

import "io"

// Content reads the unmasked content of a whole message from its frames, as they came.
// It borrows the frames and changes nothing in them. It is for one goroutine.
type Content struct {
	frames []byte // not read yet
	key    [4]byte
	masked bool
	at     int64 // in the payload
	left   int64 // of the payload
}

// NewContent returns the content of frames that a [Reader] found sound, none of which is
// a control frame.
func NewContent(frames []byte) *Content { return &Content{frames: frames} }

// Ready tells that Read does not wait.
func (c *Content) Ready() bool { return true }

// Read implements [io.Reader].
func (c *Content) Read(p []byte) (n int, _ error) {
	for n < len(p) {
		if c.left == 0 && !c.next() {
			if n == 0 {
				return 0, io.EOF
			}
			break
		}
		m := copy(p[n:], c.frames[:min(c.left, int64(len(c.frames)))])
		if c.masked {
			Mask(c.key, c.at, p[n:n+m])
		}
		c.frames = c.frames[m:]
		c.at, c.left, n = c.at+int64(m), c.left-int64(m), n+m
		if m == 0 && c.left > 0 { // the frame is cut
			return n, io.ErrUnexpectedEOF
		}
	}
	return n, nil
}

// next enters the next frame that has a payload.
func (c *Content) next() bool {
	for c.left == 0 {
		h, _, size, _ := parse(c.frames)
		if size == 0 || h.Length < 0 {
			return false
		}
		c.frames = c.frames[size:]
		c.key, c.masked, c.at, c.left = h.Key, h.Masked, 0, h.Length
	}
	return true
}
