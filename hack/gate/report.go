// Package gate reads what go test -json prints while it runs: it shows results in
// short, keeps the time of each package within a limit, and says at the end which
// packages and tests took longest.
package gate

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// event is a line of go test -json, see go doc test2json.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a package that is built
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// Took is how long a package or a test took.
type Took struct {
	Name    string
	Elapsed time.Duration
}

// Report is what a run of tests came to. Subtests count with their test.
type Report struct {
	Passed, Failed, Skipped int
	Packages, Tests         []Took
	Broken                  []string // packages and tests that failed
	Unsteady                []string // tests that failed once and passed alone

	grave bool // a failure that no second try excuses
}

// Good reports whether tests ran and none failed.
func (r *Report) Good() bool { return len(r.Broken) == 0 && r.Passed > 0 }

// Watch is told of packages while they run. Both may be nil.
type Watch struct {
	Started, Ended func(pkg string)
}

// Read reads the events of a run until it ends, copies each line to keep, and prints
// to out what is worth it: a line for each package, and all that a failed test said.
// module is cut from the names of packages.
func Read(events io.Reader, keep, out io.Writer, module string, watch Watch) (*Report, error) {
	r := new(Report)
	said := make(map[string]*strings.Builder) // by package and test
	builder := func(key string) *strings.Builder {
		b := said[key]
		if b == nil {
			b = new(strings.Builder)
			said[key] = b
		}
		return b
	}
	lines := bufio.NewReaderSize(events, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if _, err := keep.Write(line); err != nil {
				return nil, fmt.Errorf("keep test events: %w", err)
			}
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(out, "%s", line) // of the go command itself
			} else {
				r.take(e, builder, said, out, module, watch)
			}
		}
		if err == io.EOF {
			return r, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read test events: %w", err)
		}
	}
}

func (r *Report) take(e event, builder func(string) *strings.Builder, said map[string]*strings.Builder, out io.Writer, module string, watch Watch) {
	name := strings.TrimPrefix(strings.TrimPrefix(e.Package, module), "/")
	top, _, sub := strings.Cut(e.Test, "/")
	key := e.Package + " " + top
	elapsed := time.Duration(e.Elapsed * float64(time.Second))
	switch e.Action {
	case "start":
		if watch.Started != nil {
			watch.Started(e.Package)
		}
	case "build-output":
		fmt.Fprint(out, e.Output)
	case "output":
		builder(key).WriteString(e.Output)
	case "pass", "fail", "skip":
		if sub {
			return
		}
		if e.Test == "" {
			if watch.Ended != nil {
				watch.Ended(e.Package)
			}
			r.Packages = append(r.Packages, Took{name, elapsed})
			// Tests that were running when their program ended have no end of their own.
			for left, b := range said {
				if test, ok := strings.CutPrefix(left, e.Package+" "); ok && test != "" && e.Action == "fail" {
					r.endTest("fail", name+" "+test, b, out)
					delete(said, left)
				}
			}
			r.endPackage(e.Action, name, elapsed, said[key], out)
		} else {
			r.Tests = append(r.Tests, Took{name + " " + e.Test, elapsed})
			r.endTest(e.Action, name+" "+e.Test, said[key], out)
		}
		delete(said, key)
	}
}

func (r *Report) endPackage(action, name string, elapsed time.Duration, said *strings.Builder, out io.Writer) {
	word := map[string]string{"pass": "ok", "fail": "FAIL", "skip": "?"}[action]
	fmt.Fprintf(out, "%-5s %-45s %6.1fs\n", word, name, elapsed.Seconds())
	if action == "fail" {
		r.Broken = append(r.Broken, name)
		if said != nil { // of a panic, or of what a time limit ended
			r.grave = r.grave || isGrave(said.String())
			fmt.Fprint(out, said.String())
		}
	}
}

func (r *Report) endTest(action, name string, said *strings.Builder, out io.Writer) {
	switch action {
	case "pass":
		r.Passed++
	case "skip":
		r.Skipped++
	case "fail":
		r.Failed++
		r.Broken = append(r.Broken, name)
		if said != nil {
			r.grave = r.grave || isGrave(said.String())
			fmt.Fprint(out, said.String())
		}
	}
}

// Print writes the n slowest packages and tests, and how many tests passed, failed
// and were skipped.
func (r *Report) Print(out io.Writer, n int) {
	for _, part := range []struct {
		what string
		list []Took
	}{{"packages", r.Packages}, {"tests", r.Tests}} {
		slices.SortStableFunc(part.list, func(a, b Took) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
		fmt.Fprintf(out, "\nslowest %s\n", part.what)
		for _, t := range part.list[:min(n, len(part.list))] {
			fmt.Fprintf(out, "%8.1fs  %s\n", t.Elapsed.Seconds(), t.Name)
		}
	}
	fmt.Fprintln(out)
	for _, b := range r.Broken {
		fmt.Fprintf(out, "failed: %s\n", b)
	}
	for _, u := range r.Unsteady {
		fmt.Fprintf(out, "unsteady: %s failed beside others, and passed alone: mend it\n", u)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", r.Passed, r.Failed, r.Skipped)
}

// Add takes another report into r.
func (r *Report) Add(o *Report) {
	r.Passed += o.Passed
	r.Failed += o.Failed
	r.Skipped += o.Skipped
	r.Packages = append(r.Packages, o.Packages...)
	r.Tests = append(r.Tests, o.Tests...)
	r.Broken = append(r.Broken, o.Broken...)
	r.Unsteady = append(r.Unsteady, o.Unsteady...)
}
