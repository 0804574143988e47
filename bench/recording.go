package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
)

// RecordingOptions describes a run of [Recording].
type RecordingOptions struct {
	Out     io.Writer
	Binary  string   // of clearspan
	Only    []string // recorders that take part; none: all
	Results string   // directory for the figures; "": none
	Rounds  int      // 0: 3
	Size    int64    // octets of files in the large capture; 0: 512 MiB
}

// Recording has recorders read captures of which everything is known: how many files do
// they find, and at what cost? Recorders that are not installed are named and left out.
func Recording(ctx context.Context, o RecordingOptions) (err error) {
	if o.Rounds == 0 {
		o.Rounds = 3
	}
	if o.Size == 0 {
		o.Size = 512 << 20
	}
	dir, err := os.MkdirTemp("", "clearspan-recording-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	report := newRecordingReport()
	for _, r := range recorders(o.Binary) {
		if len(o.Only) > 0 && !slices.Contains(o.Only, r.Name) {
			continue
		}
		if _, err := exec.LookPath(r.program); err != nil {
			fmt.Fprintf(o.Out, "%s is left out: %v\n", r.Name, err)
			continue
		}
		report.Recorders = append(report.Recorders, r)
	}
	for kind, list := range samples() {
		for _, one := range list {
			if err := report.judge(ctx, dir, kind, one); err != nil {
				return err
			}
		}
	}
	large := filepath.Join(dir, "large.pcap")
	if report.Octets, err = writeLarge(large, o.Size); err != nil {
		return err
	}
	for range o.Rounds {
		for i := range report.Recorders {
			cpu, _, err := report.Recorders[i].run(ctx, dir, large)
			if err != nil {
				return err
			}
			report.Recorders[i].PerGiB = append(report.Recorders[i].PerGiB, cpu.Seconds()/float64(report.Octets)*(1<<30))
		}
	}
	return report.write(o)
}

// sample is a capture, and the rows in it.
type sample struct {
	frames []rowstest.Frame
	rows   []rowstest.Row
}

// samples are those of each kind: rows, and names in all charsets.
func samples() map[string][]sample {
	all := make(map[string][]sample)
	for _, row := range rowstest.Rows() {
		all["rows"] = append(all["rows"], sample{rowstest.Render{}.Frames(&row), []rowstest.Row{row}})
	}
	for _, rows := range rowstest.Matrix() {
		all["names"] = append(all["names"], sample{rowstest.Together(rows), rows})
	}
	return all
}

func writeLarge(name string, size int64) (octets int64, err error) {
	f, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	octets, err = rowstest.Bulk(f, size)
	return octets, errors.Join(err, f.Close())
}

// run has a recorder read a capture, and returns its CPU time and what it has found.
func (r *recorder) run(ctx context.Context, dir, capture string) (cpu time.Duration, found []foundFile, err error) {
	work, err := os.MkdirTemp(dir, "run-")
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	out, err := os.Create(filepath.Join(work, "out"))
	if err != nil {
		return 0, nil, err
	}
	defer out.Close()
	if r.configure != "" {
		if err := os.WriteFile(filepath.Join(work, "configuration"), []byte(r.configure), 0o644); err != nil {
			return 0, nil, err
		}
	}
	args := strings.Fields(strings.NewReplacer("@FILE@", capture, "@DIR@", work).Replace(r.arguments))
	cmd := exec.CommandContext(ctx, r.program, args...)
	var said strings.Builder
	cmd.Dir, cmd.Stdout, cmd.Stderr = work, out, &said
	if err := cmd.Run(); err != nil {
		return 0, nil, fmt.Errorf("%s: %w: %s", r.Name, err, said.String())
	}
	cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	found, err = r.found(work)
	return cpu, found, err
}
