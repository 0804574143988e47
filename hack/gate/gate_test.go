package gate

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const events = `{"Action":"start","Package":"m/a"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"good says this\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood","Elapsed":2}
{"Action":"output","Package":"m/a","Test":"TestBad/part","Output":"bad says this\n"}
{"Action":"fail","Package":"m/a","Test":"TestBad/part","Elapsed":1}
{"Action":"fail","Package":"m/a","Test":"TestBad","Elapsed":1.5}
{"Action":"skip","Package":"m/a","Test":"TestLater","Elapsed":0}
{"Action":"fail","Package":"m/a","Elapsed":3.5}
{"Action":"pass","Package":"m","Elapsed":0.5}
not an event
`

func TestRead(t *testing.T) {
	var keep, out bytes.Buffer
	var began []string
	r, err := Read(strings.NewReader(events), &keep, &out, "m", Watch{Started: func(p string) { began = append(began, p) }})
	if err != nil {
		t.Fatal(err)
	}
	if keep.String() != events {
		t.Errorf("kept %q", keep.String())
	}
	if r.Passed != 1 || r.Failed != 1 || r.Skipped != 1 || r.Good() || len(began) != 1 {
		t.Errorf("report %+v, began %v", r, began)
	}
	for text, want := range map[string]bool{"bad says this": true, "good says this": false, "FAIL  a": true, "not an event": true} {
		if strings.Contains(out.String(), text) != want {
			t.Errorf("printed %q: %v, want %v:\n%s", text, !want, want, out.String())
		}
	}
	out.Reset()
	r.Print(&out, 1)
	for _, want := range []string{"3.5s  a\n", "2.0s  a TestGood\n", "failed: a TestBad\n", "1 passed, 1 failed, 1 skipped\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

// TestNothingRan: a run without a test is not good.
func TestNothingRan(t *testing.T) {
	if r, err := Read(strings.NewReader(""), io.Discard, io.Discard, "m", Watch{}); err != nil || r.Good() {
		t.Errorf("good: %v, %v", r, err)
	}
}

func TestLimits(t *testing.T) {
	l, err := parseLimits("# folder limit\na/b 90s # long\n")
	if err != nil || l.Of("a/b") != 90*time.Second || l.Of("c") != usual {
		t.Errorf("%v, %v", l, err)
	}
	for _, bad := range []string{"a", "a b c", "a soon"} {
		if _, err := parseLimits(bad); err == nil {
			t.Errorf("%q has no fault", bad)
		}
	}
	// The folders exist.
	l, err = DefaultLimits()
	if err != nil {
		t.Fatal(err)
	}
	for folder := range l {
		if _, err := os.Stat(filepath.Join("..", "..", folder)); err != nil {
			t.Errorf("limits.txt: %v", err)
		}
	}
}

// TestLimitEnds has go test run a test that hangs: it is ended in time, and says
// where it was.
func TestLimitEnds(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod":         "module m\n",
		"slow/s_test.go": "package slow\n\nimport \"testing\"\n\nfunc TestHangs(t *testing.T) { select {} }\n\nfunc TestMain(m *testing.M) { go func() { for { } }(); m.Run() }\n",
		"fast/f_test.go": "package fast\n\nimport \"testing\"\n\nfunc TestPasses(t *testing.T) {}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	begin := time.Now()
	run := Run{Root: dir, Module: "m", Args: []string{"./..."}, Limits: Limits{"slow": 3 * time.Second}, Keep: io.Discard, Out: &out}
	r, err := run.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Good() || r.Passed != 1 || r.Failed != 1 || time.Since(begin) > 45*time.Second {
		t.Errorf("%+v after %v", r, time.Since(begin))
	}
	for _, want := range []string{"slow: ended: over its limit of 3s", "TestHangs", "ok    fast"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

// TestBeside has a command fail beside tests.
func TestBeside(t *testing.T) {
	for line, want := range map[string]string{"echo said": "", "sh -c 'echo said; exit 3'": "exit status 3"} {
		b, err := StartBeside(t.Context(), t.TempDir(), line)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err = b.Wait(&out)
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.HasSuffix(got, cmp.Or(want, got)) {
			t.Errorf("%s: error %v", line, err)
		}
		if out.String() != line+"\nsaid\n" {
			t.Errorf("%s: printed %q", line, &out)
		}
	}
}

// TestAgain: a test that fails beside others and passes alone is unsteady, one that
// fails twice is broken, and a race has no second try.
func TestAgain(t *testing.T) {
	for _, row := range []struct {
		name, body string
		good       bool
		unsteady   int
	}{
		{"unsteady", `if _, err := os.Stat("mark"); err != nil { os.WriteFile("mark", nil, 0o600); t.Fatal("busy") }`, true, 1},
		{"broken", `t.Fatal("broken")`, false, 0},
		{"race", `if _, err := os.Stat("mark"); err != nil { os.WriteFile("mark", nil, 0o600); t.Fatal("WARNING: DATA RACE") }`, false, 0},
		{"panic", `if _, err := os.Stat("mark"); err != nil { os.WriteFile("mark", nil, 0o600); panic("at once") }`, false, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range map[string]string{
				"go.mod":          "module m\n",
				"part/it_test.go": "package part\nimport (\"os\"; \"testing\")\nvar _ = os.Stat\nfunc TestGood(t *testing.T) {}\nfunc TestIt(t *testing.T) { " + row.body + " }\n",
			} {
				file := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			r := Run{Root: root, Module: "m", Args: []string{"-vet=off", "./..."}, Keep: io.Discard, Out: &out}
			report, err := r.Do(t.Context())
			if err == nil {
				report, err = r.Again(t.Context(), report)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			if report.Good() != row.good || len(report.Unsteady) != row.unsteady {
				t.Errorf("report %+v\n%s", report, out.String())
			}
			report.Print(&out, 1)
			if strings.Contains(out.String(), "unsteady: part TestIt") != (row.unsteady > 0) {
				t.Errorf("printed\n%s", out.String())
			}
		})
	}
}
