package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// captureRing is what all programs have for frames that wait, in octets.
const captureRing = 256 << 20

// captured counts frames.
type captured struct {
	Stored   uint64 `json:"stored"`
	Refused  uint64 `json:"refused"`
	Dropped  uint64 `json:"dropped"`
	Analysed uint64 `json:"analysed"`
}

// capturer is a program that writes frames to a disk.
type capturer struct {
	name, program string
	arguments     func(dir string) []string
	done          func(dir string) bool // with all frames; nil: when it ends
	counts        func(dir, said string) (stored, dropped uint64, err error)
}

var (
	tcpdumpSays = regexp.MustCompile(`(?s)(\d+) packets? captured.*?(\d+) packets? dropped by kernel`)
	dumpcapSays = regexp.MustCompile(`Packets received/dropped on interface [^:]*: (\d+)/(\d+)`)
)

func said(form *regexp.Regexp) func(string, string) (uint64, uint64, error) {
	return func(_, text string) (stored, dropped uint64, err error) {
		found := form.FindStringSubmatch(text)
		if found == nil {
			return 0, 0, errors.New("it says no counts")
		}
		stored, _ = strconv.ParseUint(found[1], 10, 64)
		dropped, _ = strconv.ParseUint(found[2], 10, 64)
		return stored, dropped, nil
	}
}

// status reads the status of a recorder.
func status(dir string) (c captured, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "rec", "status.json"))
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}

// capturers are those that are known.
func capturers(o *CaptureOptions) []*capturer {
	return []*capturer{
		{
			name: "clearspan (capture)", program: o.Self,
			arguments: func(dir string) []string { return []string{"capture", recorderInterface, dir} },
			counts: func(_, text string) (uint64, uint64, error) {
				var c captured
				err := json.Unmarshal([]byte(text), &c)
				return c.Stored, c.Dropped + c.Refused, err
			},
		},
		{
			name: "clearspan recorder run", program: o.Binary,
			arguments: func(dir string) []string {
				return []string{"recorder", "run", "--directory", filepath.Join(dir, "rec"), "--interface", recorderInterface, "--ring", "256MiB", "--user", "root", "--log", "error"}
			},
			done: func(dir string) bool {
				c, err := status(dir)
				return err == nil && c.Stored > 0 && c.Analysed >= c.Stored
			},
			counts: func(dir, _ string) (uint64, uint64, error) {
				c, err := status(dir)
				return c.Stored, c.Dropped + c.Refused, err
			},
		},
		{
			name: "tcpdump", program: "tcpdump",
			arguments: func(dir string) []string {
				return []string{"-n", "-i", recorderInterface, "-B", strconv.Itoa(captureRing >> 10), "-Z", "root", "-w", filepath.Join(dir, "tcpdump.pcap")}
			},
			counts: said(tcpdumpSays),
		},
		{
			name: "dumpcap", program: "dumpcap",
			arguments: func(dir string) []string {
				return []string{"-q", "-i", recorderInterface, "-B", strconv.Itoa(captureRing >> 20), "-w", filepath.Join(dir, "dumpcap.pcapng")}
			},
			counts: said(dumpcapSays),
		},
	}
}

// captureReport holds the measurements of a run of [Capture].
type captureReport struct {
	Time     time.Time       `json:"time"`
	Machine  string          `json:"machine"`
	Cores    int             `json:"cores"`
	Figures  []captureFigure `json:"figures"`
	programs []*capturer
}

// captureFigure is what one program showed at one load.
type captureFigure struct {
	Program string  `json:"program"`
	Gbit    float64 `json:"gbit"`
	Large   bool    `json:"large"` // frames of 64 KiB
	Taken   []taken `json:"taken"` // by round

	// For the plot.
	Title string    `json:"title"`
	Curve string    `json:"curve"`
	X     int       `json:"x"` // Mbit/s
	Unit  string    `json:"unit"`
	Cost  []float64 `json:"cost"` // by round
}

func newCaptureReport(o CaptureOptions) *captureReport {
	r := &captureReport{Time: time.Now().UTC(), Machine: machine(), Cores: runtime.NumCPU()}
	for _, p := range capturers(&o) {
		if len(o.Only) > 0 && !slices.Contains(o.Only, p.name) {
			continue
		}
		if _, err := exec.LookPath(p.program); err != nil {
			fmt.Fprintf(o.Out, "%s is left out: %v\n", p.name, err)
			continue
		}
		r.programs = append(r.programs, p)
	}
	return r
}

func (r *captureReport) add(program string, at load, m taken) {
	for i := range r.Figures {
		if f := &r.Figures[i]; f.Program == program && f.Gbit == at.Gbit && f.Large == at.Large {
			f.Taken, f.Cost = append(f.Taken, m), append(f.Cost, m.PerGiB)
			return
		}
	}
	f := captureFigure{
		Program: program, Gbit: at.Gbit, Large: at.Large, Taken: []taken{m},
		Title: "Mbit/s of 1,514 octets", Curve: "capture", X: int(1000 * at.Gbit), Unit: "CPU s/GiB", Cost: []float64{m.PerGiB},
	}
	if at.Large {
		f.Title, f.Curve = "Mbit/s of 64 KiB", "capture-large"
	}
	r.Figures = append(r.Figures, f)
}

// of returns one figure by round.
func (f *captureFigure) of(value func(taken) float64) (list []float64) {
	for _, m := range f.Taken {
		list = append(list, value(m))
	}
	return list
}

// write prints the table and keeps the figures.
func (r *captureReport) write(o CaptureOptions) error {
	fmt.Fprintf(o.Out, "\n%s, %d cores\nframes of a veth pair for %v, written to a disk; CPU time of the program, user and kernel; interleaved rounds, medians\n\n", r.Machine, r.Cores, captureFor)
	fmt.Fprintf(o.Out, "| load | program | sent Gbit/s | CPU s/GiB | to tcpdump | lost %%, median | most | done after s |\n|---|---|---|---|---|---|---|---|\n")
	for i := range r.Figures {
		f := &r.Figures[i]
		perGiB := median(f.of(func(m taken) float64 { return m.PerGiB }))
		to := "-"
		for j := range r.Figures {
			if t := &r.Figures[j]; t.Program == "tcpdump" && t.Gbit == f.Gbit && t.Large == f.Large {
				to = fmt.Sprintf("%.2fx", perGiB/median(t.of(func(m taken) float64 { return m.PerGiB })))
			}
		}
		size := "1,514"
		if f.Large {
			size = "65,536"
		}
		lost := f.of(func(m taken) float64 { return m.Lost })
		fmt.Fprintf(o.Out, "| %.1f Gbit/s, frames of %s | %s | %.1f | %.2f | %s | %.2f | %.2f | %.1f |\n", f.Gbit, size, f.Program,
			median(f.of(func(m taken) float64 { return m.Gbit })), perGiB, to, median(lost), slices.Max(lost), median(f.of(func(m taken) float64 { return m.Behind })))
	}
	if o.Results == "" {
		return nil
	}
	return keep(o.Out, o.Results, r.Time, "-capture", r)
}
