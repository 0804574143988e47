package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// wire starts ours as a bump in the wire, in a network of its own with an origin
// of its own. remove takes everything away. On a busy machine connections wait for
// ours: one that passes would cost nothing.
func (b *bed) wire() (c *contender, remove func() error, err error) {
	l, err := netlab.New(prefix)
	if err != nil {
		return nil, nil, fmt.Errorf("build network: %w", err)
	}
	remove = l.Close
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	w, err := lab.NewInline(l)
	if err != nil {
		return nil, nil, fmt.Errorf("build network: %w", err)
	}
	inline := &bed{Options: b.Options, gateway: w}
	if err := inline.serve(); err != nil {
		return nil, nil, err
	}
	dir, err := l.Dir("contender")
	if err != nil {
		return nil, nil, err
	}
	id := fmt.Sprintf("bench-%d", os.Getpid())
	a, err := lab.StartAppliance(w.Box, dir, b.Binary, fmt.Sprintf(`state: state
intake:
  - {name: %s, mode: wire, legs: [%s, %s], ports: [443], stall: 5s}
client: {resumption: false}
origin: {roots: [%q], resumption: false}
admin: {listen: "off"}
`, id, lab.LANInterface, lab.WANInterface, inline.pki.RootFile))
	if err != nil {
		return nil, nil, err
	}
	remove = func() error {
		err := a.Stop()
		if r, failed := lab.Run(context.Background(), w.Box, "", b.Binary, "wire", "remove", id); failed != nil {
			err = errors.Join(err, fmt.Errorf("remove wire: %w: %s", failed, r.Stderr))
		}
		return errors.Join(err, l.Close())
	}
	return &contender{name: oursWire, clients: w.Client, address: lab.OriginV4, port: 443, pid: cmp.Or(a.Worker(), a.Pid()), forges: true, caches: new(sync.Map)}, remove, nil
}
