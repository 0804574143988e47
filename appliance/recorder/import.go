package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/clearspan/clearspan/appliance/recorder/analyst"
	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/mirror/conformance"
)

// ImportOptions are those of [Import].
type ImportOptions struct {
	Output   analyst.Output // takes what was found
	Progress func(name string, octets uint64)
	Warn     func(error) // takes what did not stop the import
}

// Import reads captures in their order, as if they were one. Standard input is "-". A
// capture that is damaged counts up to the damage, of which the error tells.
func Import(ctx context.Context, files []string, o ImportOptions) (tally flow.Tally, err error) {
	store, err := content.Open("", content.Options{})
	if err != nil {
		return tally, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	a := analyst.New(analyst.Config{Source: "import", Content: store}, o.Output)
	var damaged error
	for _, name := range files {
		if err := read(ctx, a, name, o.Progress); err != nil {
			if ctx.Err() != nil {
				return a.Tally(), ctx.Err()
			}
			damaged = errors.Join(damaged, err)
		}
	}
	err = a.Close(ctx)
	return a.Tally(), errors.Join(damaged, err)
}

// progressEvery is how many frames pass between two reports.
const progressEvery = 4096

// read reads one capture.
func read(ctx context.Context, a *analyst.Analyst, name string, progress func(string, uint64)) error {
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	r, err := conformance.NewLinkReader(in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for n := 1; ; n++ {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: frame %d: %w", name, n, err)
		}
		if err := a.Add(ctx, flow.Frame{Octets: f.Octets, Wire: f.Wire, At: f.At, Link: f.Link}); err != nil {
			return err
		}
		if n%progressEvery == 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if progress != nil {
				progress(name, r.Octets())
			}
		}
	}
}
