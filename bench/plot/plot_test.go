package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

const figures = `{"machine": "m", "figures": [
 {"workload": "bulk", "program": "clearspan", "unit": "s/GiB", "cost": [1, 2, 3]},
 {"workload": "bulk", "program": "HAProxy", "unit": "s/GiB", "cost": [2, 3]},
 {"workload": "idle", "program": "HAProxy", "unit": "KiB", "cost": [-1]},
 {"workload": "objects of 1 KiB", "curve": "objects", "x": 1024, "title": "by size", "program": "clearspan", "unit": "s/GiB", "cost": [40]},
 {"curve": "capture", "x": 500, "title": "by rate", "program": "clearspan", "unit": "s/GiB", "cost": [1, 2]},
 {"workload": "objects of 8 KiB", "curve": "objects", "x": 8192, "title": "by size", "program": "clearspan", "unit": "s/GiB", "cost": [6]}
]}`

func TestDraw(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "figures.json")
	if err := os.WriteFile(in, []byte(figures), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := draw(in, dir)
	if err != nil || len(files) != 6 { // no curve of sessions
		t.Fatalf("files %v, %v", files, err)
	}
	for _, name := range []string{"cost", "objects", "capture"} {
		svg, err := os.ReadFile(filepath.Join(dir, name+".svg"))
		if err != nil || !bytes.Contains(svg, []byte("<svg")) || !bytes.Contains(svg, []byte("clearspan")) {
			t.Errorf("%s.svg: %d octets, %v", name, len(svg), err)
		}
		picture, err := os.ReadFile(filepath.Join(dir, name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(bytes.NewReader(picture)); err != nil {
			t.Errorf("%s.png: %v", name, err)
		}
	}
}

// TestDrawResults draws the last run that is kept.
func TestDrawResults(t *testing.T) {
	results, err := filepath.Glob("../results/*Z.json")
	if err != nil || len(results) == 0 {
		t.Fatalf("results %v, %v", results, err)
	}
	in := results[len(results)-1] // Glob sorts, and names begin with the time
	files, err := draw(in, t.TempDir())
	if err != nil || len(files) < 2 {
		t.Errorf("%s: files %v, %v", in, files, err)
	}
}

func TestDrawRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"none.json": `{"figures": []}`, "bad.json": `{`} {
		in := filepath.Join(dir, name)
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if files, err := draw(in, dir); err == nil {
			t.Errorf("%s: drew %v", name, files)
		}
	}
	if _, err := draw(filepath.Join(dir, "missing.json"), dir); err == nil {
		t.Error("no error for a missing file")
	}
}
