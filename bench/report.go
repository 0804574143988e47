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

// report holds the measurements of a run.
type report struct {
	Time     time.Time `json:"time"`
	Machine  string    `json:"machine"`
	Cores    int       `json:"cores"`
	Version  string    `json:"version"`
	Method   string    `json:"method"`
	Rounds   int       `json:"rounds"`
	Skipped  []string  `json:"skipped,omitempty"`
	Failures []string  `json:"failures,omitempty"`
	Figures  []*figure `json:"figures"`
}

// figure is what one program showed at one workload, in every round.
type figure struct {
	Workload string    `json:"workload"`
	Title    string    `json:"title"`
	Curve    string    `json:"curve,omitempty"` // of which it is a point
	X        int       `json:"x,omitempty"`     // where on the curve
	Program  string    `json:"program"`
	Unit     string    `json:"unit"`
	Cost     []float64 `json:"cost"`
	Elapsed  []float64 `json:"elapsed_seconds"`
	P50      []float64 `json:"p50_ms,omitempty"`
	P99      []float64 `json:"p99_ms,omitempty"`
}

// newReport takes the version of the clearspan under test.
func newReport(o Options, version string) *report {
	return &report{
		Time:    time.Now().UTC(),
		Machine: machine(),
		Cores:   runtime.NumCPU(),
		Version: version,
		Method: fmt.Sprintf("%d clients, large downloads of %d MiB, TLS 1.3 on both legs, nginx as origin; CPU time of the program under test from /proc/PID/task/*/schedstat; interleaved rounds, medians",
			o.Clients, o.Size>>20),
		Rounds: o.Rounds,
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

// figure returns what a program showed at a workload, nil if nothing.
func (r *report) figure(workload, program string) *figure {
	for _, f := range r.Figures {
		if f.Workload == workload && f.Program == program {
			return f
		}
	}
	return nil
}

func (r *report) add(w workload, program string, m measurement) {
	f := r.figure(w.name, program)
	if f == nil {
		f = &figure{Workload: w.name, Title: w.title, Curve: w.curve, X: w.x, Program: program, Unit: w.unit}
		r.Figures = append(r.Figures, f)
	}
	f.Cost = append(f.Cost, m.cost*w.scale)
	f.Elapsed = append(f.Elapsed, m.elapsed.Seconds())
	if len(m.delays) > 0 {
		f.P50 = append(f.P50, m.quantile(50))
		f.P99 = append(f.P99, m.quantile(99))
	}
}

// fail notes that a program failed at a workload.
func (r *report) fail(w workload, program string, err error) {
	r.Failures = append(r.Failures, fmt.Sprintf("%s, %s: %v", program, w.name, err))
}

// quantile returns the delay that so many percent stay within, in milliseconds.
func (m measurement) quantile(percent int) float64 {
	return float64(m.delays[(len(m.delays)-1)*percent/100]) / float64(time.Millisecond)
}

// line is the measurement as progress shows it.
func (m measurement) line(w workload) string {
	s := fmt.Sprintf("%9.2f %-11s %6.2f s", m.cost*w.scale, w.unit, m.elapsed.Seconds())
	if len(m.delays) > 0 {
		s += fmt.Sprintf("  p50 %.2f ms, p99 %.2f ms", m.quantile(50), m.quantile(99))
	}
	return s
}

// median returns the median of v, 0 if there is none.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// ratio returns the median of the ratios round by round, 0 if either is missing.
func ratio(a, b *figure) float64 {
	if a == nil || b == nil {
		return 0
	}
	var ratios []float64
	for i := range min(len(a.Cost), len(b.Cost)) {
		ratios = append(ratios, a.Cost[i]/b.Cost[i])
	}
	return median(ratios)
}

// write prints the tables and keeps the figures.
func (r *report) write(o Options) error {
	fmt.Fprintf(o.Out, "\n%s, %d cores, %s\n%s\n", r.Machine, r.Cores, r.Version, r.Method)
	for _, w := range workloads {
		if w.curve == "" {
			r.table(o.Out, w)
		}
	}
	for _, kind := range Workloads() {
		r.curve(o.Out, kind)
	}
	for _, failure := range r.Failures {
		fmt.Fprintf(o.Out, "\nfailed: %s\n", failure)
	}
	if o.Results == "" {
		return nil
	}
	return keep(o.Out, o.Results, r.Time, "", r)
}

// table prints a workload, a row a program.
func (r *report) table(out io.Writer, w workload) {
	first := true
	for _, f := range r.Figures {
		if f.Workload != w.name {
			continue
		}
		if first {
			fmt.Fprintf(out, "\n%s: %s\n\n| program | %s, median | min to max | against HAProxy | against SSLsplit | against SSLsplit -I | p50, p99 ms |\n|---|---|---|---|---|---|---|\n",
				w.name, w.title, w.unit)
			first = false
		}
		delays := "-"
		if len(f.P50) > 0 {
			delays = fmt.Sprintf("%.2f, %.2f", median(f.P50), median(f.P99))
		}
		fmt.Fprintf(out, "| %s | %.2f | %.2f to %.2f | %s | %s | %s | %s |\n", f.Program, median(f.Cost), slices.Min(f.Cost), slices.Max(f.Cost),
			times(ratio(f, r.figure(w.name, haproxy))), times(ratio(f, r.figure(w.name, split))),
			times(ratio(f, r.figure(w.name, splitMirror))), delays)
	}
}

// curve prints a curve, a row a program, if kind is one.
func (r *report) curve(out io.Writer, kind string) {
	var xs []int
	var programs []string
	points := make(map[string]map[int]float64)
	var title, unit string
	for _, f := range r.Figures {
		if f.Curve != kind {
			continue
		}
		title, unit = f.Title, f.Unit
		if !slices.Contains(xs, f.X) {
			xs = append(xs, f.X)
		}
		if points[f.Program] == nil {
			points[f.Program] = make(map[int]float64)
			programs = append(programs, f.Program)
		}
		points[f.Program][f.X] = median(f.Cost)
	}
	if len(xs) == 0 {
		return
	}
	slices.Sort(xs)
	fmt.Fprintf(out, "\n%s: %s, %s\n\n| program |", kind, title, unit)
	for _, x := range xs {
		fmt.Fprintf(out, " %d |", x)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---|", len(xs)))
	for _, program := range programs {
		fmt.Fprintf(out, "| %s |", program)
		for _, x := range xs {
			if cost, ok := points[program][x]; ok {
				fmt.Fprintf(out, " %.2f |", cost)
			} else {
				fmt.Fprint(out, " - |")
			}
		}
		fmt.Fprintln(out)
	}
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
