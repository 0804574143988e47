package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const scripts = "testdata/script"

// TestScripts runs every script of testdata/script: a command, or a part of its
// life, in the words of a user. Each has a directory and a loopback address of its
// own. See package testscript for their language and [commands] for what is added.
// With -update, what is compared by cmp is written into the scripts.
func TestScripts(t *testing.T) {
	t.Cleanup(func() { noProcess(t) })
	p := params()
	p.Dir = scripts
	testscript.Run(t, p)
}

// params are what every script has.
func params() testscript.Params {
	return testscript.Params{
		Setup:               setup,
		Cmds:                commands,
		Condition:           condition,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	}
}

// addresses counts the loopback addresses that were given out.
var addresses atomic.Uint32

// setup gives a script HOST, a loopback address that no other script and no other
// test process has, so that ports can be fixed numbers.
func setup(e *testscript.Env) error {
	pid := os.Getpid()
	e.Setenv("HOST", fmt.Sprintf("127.%d.%d.%d", 64+pid>>8&0x7f, pid&0xff, 1+addresses.Add(1)%254))
	e.Values[testKey{}] = e.T()
	home := filepath.Join(e.WorkDir, "home")
	e.Setenv("HOME", home)
	e.Setenv("TZ", "UTC")
	e.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector would wait a second at the end
	return os.Mkdir(home, 0o700)
}

// testKey is the key of a script's value that is its test.
type testKey struct{}

// condition knows [race] and [root].
func condition(name string) (bool, error) {
	switch name {
	case "race":
		return raceDetector, nil
	case "root":
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// noProcess fails the test if a process is left that it started.
func noProcess(t *testing.T) {
	t.Helper()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a process is left: %d, %v", pid, err)
	}
}

// failing is a test that is expected to fail; it does not tell the tests around it.
type failing struct {
	t      *testing.T
	failed bool
	log    strings.Builder
}

func (f *failing) Skip(args ...any)  { f.t.Skip(args...) }
func (f *failing) Fatal(args ...any) { fmt.Fprintln(&f.log, args...); f.FailNow() }
func (f *failing) Parallel()         {}
func (f *failing) Log(args ...any)   { fmt.Fprintln(&f.log, args...) }
func (f *failing) FailNow()          { f.failed = true; runtime.Goexit() }
func (f *failing) Verbose() bool     { return false }

func (f *failing) Run(_ string, run func(testscript.T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(f)
	}()
	<-done
}

// TestFailedScript: a script that fails while an appliance runs leaves neither its
// process nor its listener.
func TestFailedScript(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fails.txtar")
	if err := os.WriteFile(file, []byte(`expand clearspan.yaml
exec sh -c 'exec clearspan run -c clearspan.yaml 2>log' &appliance&
ready log
exists nothing
-- clearspan.yaml --
state: state
intake: [{name: proxy, mode: explicit, listen: "$HOST:8080"}]
admin: {listen: "$HOST:8090"}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	p := params()
	p.Files = []string{file}
	host := ""
	p.Setup = func(e *testscript.Env) error {
		defer func() { host = e.Getenv("HOST") }()
		return setup(e)
	}
	f := &failing{t: t}
	testscript.RunT(f, p)
	if !f.failed || !strings.Contains(f.log.String(), "> exists nothing") {
		t.Errorf("failed: %v\n%s", f.failed, &f.log)
	}
	noProcess(t)
	for _, port := range []string{"8080", "8090"} {
		if listens(host + ":" + port) {
			t.Errorf("something listens on %s:%s", host, port)
		}
	}
}
