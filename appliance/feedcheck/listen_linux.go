package feedcheck

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/clearspan/clearspan/mirror/capture"
	"github.com/clearspan/clearspan/mirror/conformance"
)

func isInterface(name string) bool {
	_, err := net.InterfaceByName(name)
	return err == nil
}

// listen judges what passes an interface for a while.
func listen(ctx context.Context, name string, o Options) (*conformance.Report, error) {
	source, err := capture.Open(name)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	checker := conformance.New(conformance.Options{MTU: o.MTU, Cut: true})
	duration := cmp.Or(o.For, defaultFor)
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	if o.Progress != nil {
		fmt.Fprintf(o.Progress, "reading %s for %v; interrupt to end sooner\n", name, duration)
	}
	progress := newProgress(o.Progress, 0)
	defer progress.done()
	err = source.Run(ctx, func(frame []byte, wire int, at time.Time) {
		checker.Add(frame, wire, at)
		progress.show(progress.octets + uint64(wire))
	})
	if err != nil {
		return partial(checker), err
	}
	report := checker.Report()
	dropped, err := source.Dropped()
	if err == nil && dropped > 0 {
		err = fmt.Errorf("read %s: %d frames came too fast for this program, which may cause gaps", name, dropped)
	}
	return report, err
}
