package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/netlab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunWithoutAppliance(t *testing.T) {
	err := Run(context.Background(), Options{Binary: filepath.Join(t.TempDir(), "none"), Keep: t.TempDir()})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestRunWithBrokenAppliance sees that a failure is told, what helps to find its
// cause is kept, and everything else is gone.
func TestRunWithBrokenAppliance(t *testing.T) {
	netlab.ForTest(t) // skips where namespaces cannot be made
	if err := lab.MissingPrograms("demo"); err != nil {
		needs.Missing(t, err)
	}
	binary := filepath.Join(t.TempDir(), "clearspan")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\necho no such intake\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	keep := t.TempDir()
	stale := filepath.Join(keep, "files-1.pcapng")
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := Run(context.Background(), Options{Binary: binary, Keep: keep})
	if err == nil || !strings.Contains(err.Error(), "no such intake") || !strings.Contains(err.Error(), keep) {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{captureName, "clearspan.yaml", "clearspan.log"} {
		if _, err := os.Stat(filepath.Join(keep, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("the file of an earlier run is still there")
	}
	left, err := netlab.Leftovers(prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range left {
		if strings.Contains(what, fmt.Sprintf("%s-%d-", prefix, os.Getpid())) {
			t.Errorf("left behind: %s", what)
		}
	}
}

// TestRecorder runs what `make demo-recorder` shows.
func TestRecorder(t *testing.T) {
	netlab.ForTest(t)
	if err := lab.MissingPrograms("record"); err != nil {
		needs.Missing(t, err)
	}
	binary := filepath.Join(t.TempDir(), "clearspan")
	if err := errors.Join(lab.DependOnSources(), lab.Compile(binary, false)); err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	if err := RunRecorder(t.Context(), Options{Binary: binary, Keep: t.TempDir(), Out: &told}); err != nil {
		t.Fatalf("%v\n%s", err, told.String())
	}
	for _, want := range []string{"顧客名簿.csv", "Chromium, a form", "smbclient put", "FOUND", "was changed", "17 comparisons, no difference"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("%q is missing in\n%s", want, told.String())
		}
	}
}
