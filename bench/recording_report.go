package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
)

// recordingReport holds the measurements of a run of [Recording].
type recordingReport struct {
	Time      time.Time      `json:"time"`
	Machine   string         `json:"machine"`
	Cores     int            `json:"cores"`
	Rows      map[string]int `json:"rows"`   // by kind
	Octets    int64          `json:"octets"` // of files in the large capture
	Recorders []*recorder    `json:"recorders"`
}

func newRecordingReport() *recordingReport {
	return &recordingReport{Time: time.Now().UTC(), Machine: machine(), Cores: runtime.NumCPU(), Rows: make(map[string]int)}
}

// judge has all recorders read a sample.
func (r *recordingReport) judge(ctx context.Context, dir, kind string, s sample) error {
	capture := filepath.Join(dir, "sample.pcap")
	f, err := os.Create(capture)
	if err != nil {
		return err
	}
	if err := rowstest.Write(f, s.frames); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	r.Rows[kind] += len(s.rows)
	for _, one := range r.Recorders {
		_, found, err := one.run(ctx, dir, capture)
		if err != nil {
			return err
		}
		for i := range s.rows {
			one.count(kind, &s.rows[i], found)
		}
	}
	return nil
}

// count counts a row whose files are all among those found.
func (r *recorder) count(kind string, row *rowstest.Row, found []foundFile) {
	octets, names := true, true
	for i := range row.Files {
		f := &row.Files[i]
		if f.Within {
			continue
		}
		hash := f.SHA256()
		octets = octets && slices.ContainsFunc(found, func(x foundFile) bool { return x.hash == hash })
		names = names && slices.ContainsFunc(found, func(x foundFile) bool {
			return x.hash == hash && (f.Name == "" || x.name[strings.LastIndexByte(x.name, '/')+1:] == f.Name)
		})
	}
	if octets {
		r.Right[kind]++
	}
	if names {
		r.Named[kind]++
	} else {
		r.Wrong = append(r.Wrong, row.Name)
	}
}

// write prints the table and keeps the figures.
func (r *recordingReport) write(o RecordingOptions) error {
	fmt.Fprintf(o.Out, "\n%s, %d cores\n%d rows, %d names, a capture of %d MiB of files; CPU time of the program, user and kernel, with contents and SHA-256; interleaved runs, medians\n\n",
		r.Machine, r.Cores, r.Rows["rows"], r.Rows["names"], r.Octets>>20)
	fmt.Fprintf(o.Out, "| recorder | rows: octets | octets and name | names: octets | octets and name | CPU s/GiB, median | min to max |\n|---|---|---|---|---|---|---|\n")
	for _, p := range r.Recorders {
		fmt.Fprintf(o.Out, "| %s | %d | %d | %d | %d | %.2f | %.2f to %.2f |\n", p.Name, p.Right["rows"], p.Named["rows"], p.Right["names"], p.Named["names"], median(p.PerGiB), slices.Min(p.PerGiB), slices.Max(p.PerGiB))
	}
	if o.Results == "" {
		return nil
	}
	return keep(o.Out, o.Results, r.Time, "-recording", r)
}
