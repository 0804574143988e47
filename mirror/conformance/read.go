package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// progressEvery is how many frames pass between two calls of progress.
const progressEvery = 1024

// ReadFrom adds every frame of a pcap or pcapng stream. progress, which may be
// nil, is called now and then with the octets read so far. When ctx ends, it
// stops as at the stream's end. A stream that is damaged or cut is an error; the
// frames in front of the place are added.
func (c *Checker) ReadFrom(ctx context.Context, r io.Reader, progress func(read uint64)) error {
	source, err := NewSource(r)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		f, err := source.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("behind frame %d: %w", c.now.frame, err)
		}
		c.Add(f.Octets, f.Wire, f.At)
		if n%progressEvery != 0 {
			continue
		}
		if progress != nil {
			progress(source.Read())
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}
