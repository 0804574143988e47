package bench

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/clearspan/clearspan/mirror/port"
)

// emissionReport holds the measurements of a run of [Emission].
type emissionReport struct {
	Time    time.Time         `json:"time"`
	Machine string            `json:"machine"`
	Cores   int               `json:"cores"`
	Method  string            `json:"method"`
	Rounds  int               `json:"rounds"`
	Figures []*emissionFigure `json:"figures"`
}

// emissionFigure is one method, without or with a recorder, by round.
type emissionFigure struct {
	Method   port.Method `json:"method"`
	Recorded bool        `json:"recorder"`
	Segment  []float64   `json:"ns_per_1460_octets"`
	Deferred []float64   `json:"of_these_ksoftirqd"`
	PerGiB   []float64   `json:"cpu_seconds_per_gib"`
	Frames   uint64      `json:"frames"`
	Missed   []uint64    `json:"recorder_dropped"`
}

func newEmissionReport(o EmissionOptions) *emissionReport {
	return &emissionReport{
		Time:    time.Now().UTC(),
		Machine: machine(),
		Cores:   runtime.NumCPU(),
		Method: fmt.Sprintf("one session of %d MiB, handed over in chunks of %d KiB, onto a veth pair of MTU 1500; CPU time of the sending thread with the soft interrupts that it runs, and of ksoftirqd, by schedstat; per 1460 octets of cleartext; recorder: tcpdump, TPACKET ring of 64 MiB, own process, not charged; interleaved rounds, medians",
			o.Size>>20, o.Chunk>>10),
		Rounds: o.Rounds,
	}
}

func (r *emissionReport) add(m port.Method, recorded bool, e emission) {
	f := r.figure(m, recorded)
	if f == nil {
		f = &emissionFigure{Method: m, Recorded: recorded}
		r.Figures = append(r.Figures, f)
	}
	ns := e.perSegment(e.charged)
	f.Segment = append(f.Segment, ns)
	f.Deferred = append(f.Deferred, e.perSegment(e.deferred))
	f.PerGiB = append(f.PerGiB, ns/segmentOctets*(1<<30)/1e9)
	f.Frames = e.frames
	f.Missed = append(f.Missed, e.missed)
}

func (r *emissionReport) figure(m port.Method, recorded bool) *emissionFigure {
	for _, f := range r.Figures {
		if f.Method == m && f.Recorded == recorded {
			return f
		}
	}
	return nil
}

// write prints the table and keeps the figures.
func (r *emissionReport) write(o EmissionOptions) error {
	fmt.Fprintf(o.Out, "\n%s, %d cores\n%s\n\n", r.Machine, r.Cores, r.Method)
	fmt.Fprintf(o.Out, "| method | recorder | ns a segment, median | min to max | s/GiB | against sendmmsg | cores at 25 Gbit/s |\n|---|---|---|---|---|---|---|\n")
	for _, f := range r.Figures {
		perGiB := median(f.PerGiB)
		fmt.Fprintf(o.Out, "| %s | %s | %.0f | %.0f to %.0f | %.2f | %s | %.1f |\n", f.Method, yesNo(f.Recorded), median(f.Segment),
			slices.Min(f.Segment), slices.Max(f.Segment), perGiB, times(r.ratio(f)), perGiB*25e9/8/(1<<30))
	}
	if o.Results == "" {
		return nil
	}
	return keep(o.Out, o.Results, r.Time, "-emission", r)
}

// ratio returns the median of the ratios to sendmmsg, round by round.
func (r *emissionReport) ratio(f *emissionFigure) float64 {
	base := r.figure(port.SendMMsg, f.Recorded)
	if base == nil {
		return 0
	}
	var ratios []float64
	for i := range min(len(f.Segment), len(base.Segment)) {
		ratios = append(ratios, f.Segment[i]/base.Segment[i])
	}
	return median(ratios)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
