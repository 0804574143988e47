// Gate runs go test and says in short what came of it.
//
//	go run ./hack/cmd/gate [-events FILE] [-slowest N] [-unlimited] [-beside LINE] -- ARGUMENTS OF GO TEST [-- ...]
//
// LINE is a command that runs beside the first run, at low priority: half of the time
// of tests is waiting. If it fails, so does the gate. The events of go test -json are kept in FILE. Packages have the time that
// hack/gate/limits.txt gives them. Up to three tests that failed have a second try,
// alone; what passes only then is named as unsteady. A second "--" begins another run, which starts
// when the first has ended.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/hack/gate"
)

const module = "github.com/clearspan/clearspan"

func main() {
	events := flag.String("events", "bin/test.jsonl", "`file` that keeps the events of go test -json")
	slowest := flag.Int("slowest", 10, "how many of the slowest packages and tests are shown")
	unlimited := flag.Bool("unlimited", false, "packages may take any time")
	beside := flag.String("beside", "", "`command` that runs beside the first run of tests")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	good, err := run(ctx, *events, *slowest, *unlimited, *beside, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "gate:", err)
	}
	if err != nil || !good {
		os.Exit(1)
	}
}

// run makes a run of each part of args between "--".
func run(ctx context.Context, events string, slowest int, unlimited bool, beside string, args []string) (good bool, err error) {
	root, err := os.Getwd()
	if err != nil {
		return false, err
	}
	limits, err := gate.DefaultLimits()
	if err != nil {
		return false, err
	}
	if unlimited {
		limits = nil
	}
	if err := os.MkdirAll(filepath.Dir(events), 0o755); err != nil {
		return false, err
	}
	f, err := os.Create(events)
	if err != nil {
		return false, err
	}
	defer f.Close()
	keep := bufio.NewWriter(f)
	defer keep.Flush()
	begin, total := time.Now(), new(gate.Report)
	besideDone := func() error { return nil }
	if beside != "" {
		b, err := gate.StartBeside(ctx, root, beside)
		if err != nil {
			return false, err
		}
		besideDone = sync.OnceValue(func() error { return b.Wait(os.Stdout) })
		defer besideDone()
	}
	for _, part := range split(args) {
		r := gate.Run{Root: root, Module: module, Args: part, Limits: limits, Keep: keep, Out: os.Stdout}
		report, err := r.Do(ctx)
		if err == nil {
			report, err = r.Again(ctx, report)
		}
		if report != nil {
			total.Add(report)
		}
		if err := errors.Join(err, besideDone()); err != nil {
			return false, err
		}
	}
	total.Print(os.Stdout, slowest)
	printCost(os.Stdout, time.Since(begin))
	return total.Good(), nil
}

// printCost writes the time that passed and the processor time that it took.
func printCost(w io.Writer, wall time.Duration) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u) == nil {
		cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
		fmt.Fprintf(w, "%.0f s, %.0f s of CPU time\n", wall.Seconds(), cpu.Seconds())
	}
}

// split cuts arguments at "--".
func split(args []string) (parts [][]string) {
	for _, part := range strings.Split(strings.Join(args, "\x00"), "\x00--\x00") {
		parts = append(parts, strings.Split(part, "\x00"))
	}
	return parts
}
