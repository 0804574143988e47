package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report holds the measurements of a run, by contender in the order of the run.
type report struct {
	Time    time.Time            `json:"time"`
	Machine string               `json:"machine"`
	Cores   int                  `json:"cores"`
	Method  string               `json:"method"`
	Rounds  int                  `json:"rounds"`
	Names   []string             `json:"contenders"`
	PerGiB  map[string][]float64 `json:"cpu_seconds_per_gib"`
	Elapsed map[string][]float64 `json:"elapsed_seconds"`
}

func newReport(o Options) *report {
	return &report{
		Time:    time.Now().UTC(),
		Machine: machine(),
		Cores:   runtime.NumCPU(),
		Method: fmt.Sprintf("%d curl clients at once, each downloads %d MiB over TLS 1.3 from nginx; CPU time of the program under test from /proc/PID/task/*/schedstat; interleaved rounds, medians",
			o.Clients, o.Size>>20),
		Rounds:  o.Rounds,
		PerGiB:  make(map[string][]float64),
		Elapsed: make(map[string][]float64),
	}
}

// machine names processor and kernel.
func machine() string {
	model := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return model + ", Linux " + strings.TrimSpace(string(release))
}

func (r *report) add(name string, m measurement) {
	if !slices.Contains(r.Names, name) {
		r.Names = append(r.Names, name)
	}
	r.PerGiB[name] = append(r.PerGiB[name], m.perGiB)
	r.Elapsed[name] = append(r.Elapsed[name], m.elapsed.Seconds())
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// ratio returns the median of the ratios round by round, 0 if either is missing.
func (r *report) ratio(a, b string) float64 {
	var ratios []float64
	for i := range min(len(r.PerGiB[a]), len(r.PerGiB[b])) {
		ratios = append(ratios, r.PerGiB[a][i]/r.PerGiB[b][i])
	}
	return median(ratios)
}

// write prints the table and keeps the figures.
func (r *report) write(o Options) error {
	fmt.Fprintf(o.Out, "\n%s, %d cores\n%s\n\n", r.Machine, r.Cores, r.Method)
	fmt.Fprintf(o.Out, "| program | CPU s/GiB, median | min to max | against HAProxy | against SSLsplit -I |\n|---|---|---|---|---|\n")
	for _, name := range r.Names {
		v := r.PerGiB[name]
		fmt.Fprintf(o.Out, "| %s | %.2f | %.2f to %.2f | %s | %s |\n", name, median(v), slices.Min(v), slices.Max(v),
			times(r.ratio(name, haproxy)), times(r.ratio(name, splitMirror)))
	}
	if o.Results == "" {
		return nil
	}
	return keep(o.Out, o.Results, r.Time, "", r)
}

// keep writes figures as JSON to a file in dir named after their time.
func keep(out io.Writer, dir string, at time.Time, suffix string, figures any) error {
	b, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, at.Format("20060102T150405Z")+suffix+".json")
	fmt.Fprintf(out, "\nfigures: %s\n", file)
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func times(ratio float64) string {
	if ratio == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2fx", ratio)
}
