// Package demo shows the main job on real traffic: curl and swaks reach nginx
// and Postfix through the appliance, and a recorder on the mirror port reads
// what they said. Some pass a virus scanner and an inline device. Everything runs in network namespaces and is gone afterwards,
// but for the capture.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// prefix names the demonstration's namespaces and directories.
const prefix = "csdemo"

// timeLimit bounds everything but the clean-up.
const timeLimit = 2 * time.Minute

// Options say what to demonstrate and where to tell of it.
type Options struct {
	Binary string    // the clearspan program
	Out    io.Writer // takes the story; nil discards it
	Keep   string    // directory for the capture and the appliance's files; empty: demo-out
	Wire   bool      // a bump in the wire between neighbours, in place of a gateway
}

// Run runs the demonstration, which needs root and the packages of
// `hack/packages.sh demo`. The error is nil only if the recorder saw exactly
// what was sent; otherwise it names the directory that holds the capture.
// Cancelling ctx ends it early; it is cleaned up in any case.
func Run(ctx context.Context, o Options) (err error) {
	network, err := o.open("demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	if err := os.MkdirAll(o.Keep, 0o755); err != nil {
		return err
	}
	if err := clearKept(o.Keep); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()

	out := &story{w: o.Out}
	if err := play(ctx, network, o, out); err != nil {
		return fmt.Errorf("%w\nwhat was recorded is in %s", err, o.Keep)
	}
	out.say("\nThe capture is %s. %d comparisons, no difference, %.1f s.\n",
		filepath.Join(o.Keep, captureName), out.compared, time.Since(out.start()).Seconds())
	return nil
}

// open completes the options, and makes an empty network. purpose is that of the packages
// whose programs run in it.
func (o *Options) open(purpose string) (_ *netlab.Lab, err error) {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Keep == "" {
		o.Keep = "demo-out"
	}
	if o.Keep, err = filepath.Abs(o.Keep); err != nil {
		return nil, err
	}
	if o.Binary, err = filepath.Abs(o.Binary); err != nil {
		return nil, err
	}
	if _, err := os.Stat(o.Binary); err != nil {
		return nil, fmt.Errorf("find appliance: %w", err)
	}
	if err := lab.MissingPrograms(purpose); err != nil {
		return nil, err
	}
	network, err := netlab.New(prefix)
	if err != nil {
		return nil, fmt.Errorf("make network: %w", err)
	}
	return network, nil
}

// play sets the stage, sends the traffic and compares.
func play(ctx context.Context, network *netlab.Lab, o Options, out *story) (err error) {
	out.start()
	what := "client -- clearspan -- origin"
	if o.Wire {
		what += ", a bump in the wire: two ports without an address, client and origin are neighbours"
	}
	out.say("%s; five network namespaces, a recorder on the mirror port\n\n", what)
	s, err := setStage(ctx, network, o)
	if s != nil {
		defer func() { err = errors.Join(err, s.keep(), s.removeWire(o.Binary)) }()
	}
	if err != nil {
		return err
	}
	out.say("Sent through clearspan; the clients trust its CA only:\n")
	fetches, mails := program()
	for i := range fetches {
		if err := fetches[i].run(ctx, s, out); err != nil {
			return err
		}
	}
	for i := range mails {
		if err := mails[i].run(ctx, s, out); err != nil {
			return err
		}
	}
	out.say("\nOn the way through a virus scanner (c-icap with ClamAV) and an inline device (a bridge with nftables):\n")
	pages := inspection()
	for i := range pages {
		if err := pages[i].run(ctx, s, out); err != nil {
			return err
		}
	}
	if err := s.end(); err != nil {
		return err
	}
	r, err := readRecording(ctx, s)
	if err != nil {
		return err
	}
	out.say("\nRead by the recorder (tshark) on %s:\n", lab.RecorderInterface)
	r.tell(out)
	out.say("\nCompared:\n")
	r.compare(out, fetches, mails, pages)
	return out.verdict()
}
