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
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/judge"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/mirror/capfile"
)

// ImportOptions are those of [Import].
type ImportOptions struct {
	Output    analyst.Output // takes what was found; nil: nobody
	Directory string         // where trail and contents are kept; "": nowhere
	Trail     string         // as in [Config]
	Inspect   inspect.Options
	Received  bool // as in [Config], and the following
	Passwords bool
	Inside    []string
	Rules     []judge.Rule // findings have the name of the first that names them
	Progress  func(name string, octets uint64)
	Encrypt   Encryption // of the contents that are kept
	Extractor []string   // the command of a process that reads text, see [extractor.Options]; nil: this one does
}

// ImportSummary says how much was read, and what was in it.
type ImportSummary struct {
	flow.Tally
	Events, Objects, Findings uint64
	Unread                    uint64 // files whose text was not read to its end: the process that did it was killed or ended
}

// String returns a line.
func (s ImportSummary) String() string {
	text := fmt.Sprintf("%d frames, %d sessions, %d events, %d files and bodies", s.Frames, s.Sessions, s.Events, s.Objects)
	for _, n := range []struct {
		count uint64
		what  string
	}{{s.Findings, "findings"}, {s.Unread, "files not read to their end"}, {s.Broken, "frames broken"}, {s.Tally.Lost, "datagrams without all fragments"}} {
		if n.count > 0 {
			text += fmt.Sprintf(", %d %s", n.count, n.what)
		}
	}
	return text
}

// counted counts the rows on their way to another output.
type counted struct {
	analyst.Output
	*ImportSummary
}

func (c counted) Write(ctx context.Context, b *trail.Batch) error {
	c.Events += uint64(len(b.Events))
	c.Objects += uint64(len(b.Sightings))
	c.ImportSummary.Findings += uint64(len(b.Findings))
	for i := range b.Pending {
		if b.Pending[i].Work == workInspect {
			c.Unread++
		}
	}
	return c.Output.Write(ctx, b)
}

// Import reads captures in their order, as if they were one. Standard input is "-". A
// capture that is damaged counts up to the damage, of which the error tells.
func Import(ctx context.Context, files []string, o ImportOptions) (summary ImportSummary, err error) {
	x, err := inspect.New(o.Inspect)
	if err != nil {
		return summary, err
	}
	j, err := judge.New(judge.Config{Inside: o.Inside, Rules: o.Rules, Detectors: Detectors(o.Inspect)})
	if err != nil {
		return summary, err
	}
	_, contents, err := o.Encrypt.recipients()
	if err != nil {
		return summary, err
	}
	if o.Directory != "" {
		if err := os.MkdirAll(o.Directory, 0o700); err != nil {
			return summary, err
		}
		lock, err := lockDirectory(o.Directory, false)
		if err != nil {
			return summary, err
		}
		defer lock.Close()
	}
	r, err := openArchive(o.Directory, o.Trail, content.Options{Recipients: contents})
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	store := r.content
	r.documents = newTextReader(o.Extractor)
	o.Output = outputs{o.Output, r.writer(nil)}
	cfg := analyst.Config{Source: "import", Content: store, Examine: newExaminer(ctx, x, store, r.documents, o.Received, o.Passwords).examine}
	if o.Directory == "" { // only what is looked through is kept until then
		cfg.Keep = func(d trail.Direction) bool { return d == trail.Sent || o.Received }
		cfg.Wanted = examined
	}
	a := analyst.New(cfg, counted{telling{o.Output, j, &judge.Users{}, nil}, &summary})
	defer func() { summary.Tally = a.Tally() }()
	var damaged error
	for _, name := range files {
		if err := read(ctx, a, name, o.Progress); err != nil {
			if ctx.Err() != nil {
				return summary, ctx.Err()
			}
			damaged = errors.Join(damaged, err)
		}
	}
	err = a.Close(ctx)
	if err == nil && r.Trail != nil {
		err = sealImport(ctx, o.Directory, r)
	}
	if n := store.Failed(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d objects could not be kept: %w", n, store.Err()))
	}
	return summary, errors.Join(damaged, err)
}

// outputs hands a batch to each output that there is.
type outputs []analyst.Output

func (list outputs) Write(ctx context.Context, b *trail.Batch) error {
	for _, o := range list {
		if o == nil {
			continue
		}
		if err := o.Write(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// sealImport adds to the chain of evidence what was imported.
func sealImport(ctx context.Context, dir string, a *Archive) error {
	s, err := openSealer(dir, a)
	if err == nil {
		err = s.close(ctx)
	}
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
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
	r, err := capfile.NewReader(in)
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
		if err := a.Add(ctx, flow.Frame{Octets: f.Octets, Wire: f.Wire, At: f.At, Link: f.Link, Comment: f.Comment}); err != nil {
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
