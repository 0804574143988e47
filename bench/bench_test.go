package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// TestMain runs [Floor] if a measurement started the test's program for that.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "floor" {
		fmt.Fprintln(os.Stderr, Floor(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestCPUTime(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	burn := exec.Command("sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; read x")
	hold, err := burn.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := burn.Start(); err != nil {
		t.Fatal(err)
	}
	defer burn.Wait()
	defer hold.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		after, err := cpuTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after-before > 20*time.Millisecond {
			break // the child's time is in it
		}
		if time.Now().After(deadline) {
			t.Fatalf("a busy child costs %v", after-before)
		}
	}
	if _, err := cpuTime(1 << 30); err == nil {
		t.Error("no error for a process that does not exist")
	}
}

func TestMemory(t *testing.T) {
	c := &contender{pid: os.Getpid()}
	before, err := memory(c)
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	held := make([]byte, size)
	for i := range held {
		held[i] = 1
	}
	after, err := memory(c)
	if err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(held)
	if grown := after - before; grown < size/2 {
		t.Errorf("%d octets more are held, and memory grows by %.0f", size, grown)
	}
	if _, err := memory(&contender{pid: 1 << 30}); err == nil {
		t.Error("no error for a process that does not exist")
	}
}

func TestReport(t *testing.T) {
	o := Options{Out: new(bytes.Buffer), Results: t.TempDir(), Clients: 1, Size: 1 << 20}
	r := newReport(o, "v1")
	bulk, point := workloads[0], objects()[1]
	for _, v := range []float64{1, 9, 2} {
		r.add(bulk, ours, measurement{cost: v, delays: []time.Duration{time.Millisecond, 2 * time.Millisecond, 9 * time.Millisecond}})
		r.add(bulk, haproxy, measurement{cost: 2 * v})
		r.add(point, ours, measurement{cost: v})
	}
	r.fail(bulk, squid, errors.New("out of breath"))
	if got := ratio(r.figure("bulk", ours), r.figure("bulk", haproxy)); got != 0.5 {
		t.Errorf("ratio %v, want 0.5", got)
	}
	if got := median([]float64{1, 9, 2, 4}); got != 3 {
		t.Errorf("median %v, want 3", got)
	}
	if err := r.write(o); err != nil {
		t.Fatal(err)
	}
	text := o.Out.(*bytes.Buffer).String()
	for _, want := range []string{
		"| clearspan | 2.00 | 1.00 to 9.00 | 0.50x | - | - | 2.00, 2.00 |",
		"| program | 8192 |\n|---|---|\n| clearspan | 2.00 |", "Squid, bulk: out of breath",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	files, _ := filepath.Glob(filepath.Join(o.Results, "*.json"))
	if len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	kept, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	// bench/plot, a module of its own, reads these.
	for _, want := range []string{`"figures"`, `"workload": "bulk"`, `"title"`, `"curve": "objects"`, `"x": 8192`, `"program"`, `"unit"`, `"cost"`} {
		if !bytes.Contains(kept, []byte(want)) {
			t.Errorf("no %s in\n%s", want, kept)
		}
	}
}

// gateWorkloads are what the gate measures: requests through every program, sessions
// that resume through those with tickets, and downloads through appliances that a
// workload has for itself, as a curve.
var gateWorkloads = []string{"requests", "resumed", "mirrors"}

// TestRun is a small run of everything that is installed: it works, whatever it
// measures. With CLEARSPAN_ROUNDS of more than 1 it takes all that a quick run does.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs servers")
	}
	netlab.ForTest(t) // skips or fails without the capabilities
	if err := lab.MissingPrograms("demo"); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "clearspan")
	self, err := os.Executable()
	if err := errors.Join(err, lab.Compile(binary, false), lab.DependOnSources()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	results, profiles := t.TempDir(), filepath.Join(t.TempDir(), "profiles")
	o := Options{Binary: binary, Floor: []string{self, "floor"}, Out: &out, Results: results, Profiles: profiles,
		Quick: true, Size: 8 << 20, Clients: 2, Workloads: gateWorkloads}
	if tempo.Rounds() > 1 {
		o.Workloads = nil
	}
	if err := Run(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	readProfiles(t, profiles)
	file, err := filepath.Glob(filepath.Join(results, "*.json"))
	if err != nil || len(file) != 1 {
		t.Fatalf("files %v, %v", file, err)
	}
	text, err := os.ReadFile(file[0])
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for _, w := range workloads {
		if o.has(w) {
			r.holds(t, w)
		}
	}
	if t.Failed() {
		t.Log(&out)
	}
}

// holds wants a figure of every program that a workload is for. A peer may fail, or
// not be installed, where the report says that. The floor is ours.
func (r *report) holds(t *testing.T, w workload) {
	t.Helper()
	said := strings.Join(slices.Concat(r.Failures, r.Skipped), "\n")
	for _, c := range []contender{
		{name: ours, forges: true}, {name: oursMirror, forges: true}, {name: oursFiles, forges: true}, {name: oursWire, forges: true},
		{name: oursTick, forges: true, tickets: true}, {name: oursParsed, forges: true}, {name: oursInline, forges: true},
		{name: oursICAP, forges: true}, {name: ours204, forges: true}, {name: floor, peer: true},
		{name: haproxy, peer: true}, {name: haproxyTick, peer: true, tickets: true}, {name: split, peer: true, forges: true},
		{name: splitMirror, peer: true, forges: true}, {name: squid, peer: true, forges: true}, {name: squidICAP, peer: true, forges: true},
		{name: squid204, peer: true, forges: true}, {name: mitmproxy, peer: true, forges: true, slow: true},
	} {
		excused := c.peer && c.name != floor && (strings.Contains(said, c.name+":") || strings.Contains(said, c.name+", "+w.name+":"))
		if w.suits != nil && !w.suits(&c) || w.variant != nil && c.name != ours || excused {
			continue
		}
		if f := r.figure(w.name, c.name); f == nil || len(f.Cost) != 1 || f.Cost[0] <= 0 && !c.peer {
			t.Errorf("%s, %s: %+v", w.name, c.name, f)
		}
	}
}

// readProfiles holds that there are profiles, and that they name what was busy.
func readProfiles(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.pprof"))
	if err != nil || len(files) == 0 {
		t.Fatalf("profiles: %v, %v", files, err)
	}
	top, err := exec.Command("go", append([]string{"tool", "pprof", "-top", "-cum"}, files...)...).CombinedOutput()
	if err != nil || !bytes.Contains(top, []byte("clearspan/decrypt.")) {
		t.Errorf("go tool pprof: %v\n%s", err, top)
	}
}

// TestEmission is a small run: every method is measured, whatever it costs.
func TestEmission(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a network")
	}
	netlab.ForTest(t) // skips or fails without the capabilities
	if err := lab.MissingPrograms("demo"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o := EmissionOptions{Out: &out, Results: t.TempDir(), Rounds: 1, Size: 8 << 20}
	if err := Emission(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, row := range []string{"| sendmmsg | no |", "| sendmmsg | yes |", "| gso | no |", "| gso | yes |", "| xdp | no |", "| xdp | yes |"} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("no row %q:\n%s", row, &out)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(o.Results, "*-emission.json")); len(files) != 1 {
		t.Errorf("files %v", files)
	}
}
