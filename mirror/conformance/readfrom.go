package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/clearspan/clearspan/mirror/capfile"
)

// linkEthernet is LINKTYPE_ETHERNET.
const linkEthernet = 1

// progressEvery is how many frames pass between two calls of progress.
const progressEvery = 1024

// ReadFrom adds every frame of a pcap or pcapng stream. progress, which may be
// nil, is called now and then with the octets read so far. When ctx ends, it
// stops as at the stream's end. A stream that is damaged or cut is an error; the
// frames in front of the place are added.
func (c *Checker) ReadFrom(ctx context.Context, r io.Reader, progress func(read uint64)) error {
	frames, err := capfile.NewReader(r)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		f, err := frames.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("behind frame %d: %w", c.now.frame, err)
		}
		if f.Link != linkEthernet {
			return fmt.Errorf("behind frame %d: link type %s, want frames of Ethernet (1): capture on one interface", c.now.frame, capfile.LinkName(f.Link))
		}
		c.Add(f.Octets, f.Wire, f.At)
		if n%progressEvery != 0 {
			continue
		}
		if progress != nil {
			progress(frames.Octets())
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}
