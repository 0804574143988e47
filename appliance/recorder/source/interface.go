package source

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/recorder/source/filter"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
	"github.com/clearspan/clearspan/mirror/capture"
)

// DefaultRing is the size of a ring, in octets, and MaxRings bounds the rings of an interface.
const (
	DefaultRing = capture.DefaultRing
	MaxRings    = capture.MaxGroup
)

// Port is a network interface.
type Port struct {
	Name   string
	Rings  int    // that share its frames, each with a thread of its own; default 1
	Ring   int64  // octets of each, in the memory of the kernel; default [DefaultRing]
	Filter string // which frames are taken, see package filter; "": all
}

// Check says what is wrong with a port.
func (p *Port) Check() error {
	switch {
	case p.Rings < 0 || p.Rings > MaxRings:
		return fmt.Errorf("want 1 to %d rings, not %d", MaxRings, p.Rings)
	case p.Ring != 0 && (p.Ring < 1<<20 || p.Ring > 1<<35):
		return fmt.Errorf("want a ring of 1 MiB to 32 GiB, not %d octets", p.Ring)
	}
	_, err := p.filter()
	return err
}

// filter returns the filter for the kernel; nil: there is none.
func (p *Port) filter() ([]unix.SockFilter, error) {
	if p.Filter == "" {
		return nil, nil
	}
	code, err := filter.Compile(p.Filter)
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(code)
	list := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		list[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return list, err
}

// Interface opens a network interface. That needs CAP_NET_RAW.
func Interface(p Port) (Source, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("interface %s: %w", p.Name, err)
	}
	code, err := p.filter()
	if err != nil {
		return nil, err
	}
	list, err := capture.OpenGroup(p.Name, p.Rings, capture.Options{Ring: int(p.Ring), Filter: code})
	if err != nil {
		return nil, err
	}
	return &port{name: p.Name, rings: list}, nil
}

// port is an interface that is open.
type port struct {
	name  string
	rings []*capture.Source

	mu                sync.Mutex
	dropped, filtered uint64
}

func (p *port) Name() string { return p.name }

func (p *port) Run(ctx context.Context, take func(volume.Frame)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make([]error, len(p.rings))
	var running sync.WaitGroup
	for i, r := range p.rings {
		running.Go(func() {
			failed[i] = r.Run(ctx, func(frame []byte, wire int, at time.Time) {
				take(volume.Frame{Octets: frame, Wire: wire, At: at, Link: 1})
			})
			stop() // one alone would miss sessions
		})
	}
	running.Wait()
	return errors.Join(failed...)
}

// Dropped adds up what the kernel counts from one question to the next.
func (p *port) Dropped() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rings {
		if n, err := r.Dropped(); err == nil {
			p.dropped += n
		}
	}
	return p.dropped
}

// Filtered is like Dropped.
func (p *port) Filtered() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rings {
		if n, err := r.Filtered(); err == nil {
			p.filtered += n
		}
	}
	return p.filtered
}

func (p *port) Close() error {
	var failed error
	for _, r := range p.rings {
		failed = errors.Join(failed, r.Close())
	}
	return failed
}
